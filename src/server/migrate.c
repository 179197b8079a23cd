/* migrate.c -- a sequencer's store moves: what belongs to the whole store, and
 * who may go on afterwards.
 */
#include "server/migrate.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/file.h"
#include "pg/store_pg.h"
#include "server/identity.h"
#include "server/storage.h"

enum {
    TENANTS_MAX = 4096,
    NAMES_MAX = 64 * 1024 * 1024,
    PATH_SIZE = 4096,
    WORDS_MAX = 512
};

struct tenants {
    struct ves_migrate *m;
    struct ves_uuid *list;
    size_t count;
    bool is_full;
};

static void add_tenant(struct tenants *tenants, const struct ves_uuid *tenant)
{
    for (size_t i = 0; i < tenants->count; i++)
        if (ves_uuid_equal(&tenants->list[i], tenant))
            return;
    if (tenants->count == TENANTS_MAX)
        tenants->is_full = true;
    else if (!ves_uuid_is_nil(tenant))
        tenants->list[tenants->count++] = *tenant;
}

/* ---- named values, API keys, keys -----------------------------------------
 */

/* Of streams' names see migrate_stream.c. */
static const char *const names[] = {"sequencer.id", VES_IDENTITY_META_KEYS,
                                    VES_META_LOG_HOST, "log.head-file",
                                    "judge.version"};

static enum ves_status copy_names(struct ves_migrate *m)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct ves_bytes value;
        enum ves_status status =
            m->from->ops->meta_get(m->from, names[i], &m->names, &value);

        if (status == VES_NOT_FOUND)
            continue;
        if (status)
            return ves_migrate_failed(m, m->from, status);
        status = m->to->ops->meta_put(m->to, names[i], value);
        if (status)
            return ves_migrate_failed(m, m->to, status);
    }
    return VES_OK;
}

static enum ves_status take_credential(void *ctx,
                                       const struct ves_credential_row *row)
{
    struct tenants *tenants = ctx;
    struct ves_store *to = tenants->m->to;

    add_tenant(tenants, &row->tenant);
    return to->ops->credential_put(to, row);
}

static enum ves_status take_tenant(void *ctx, const struct ves_stream_row *row)
{
    add_tenant(ctx, &row->stream.tenant);
    return VES_OK;
}

static enum ves_status take_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct ves_migrate *m = ctx;

    (void)span;
    /* Keys of an agent come one after the other. */
    if (m->agent_count == 0 ||
        !ves_uuid_equal(&m->agents[m->agent_count - 1].agent, &row->agent) ||
        !ves_uuid_equal(&m->agents[m->agent_count - 1].tenant, &row->tenant)) {
        if (m->agent_count == VES_MIGRATE_AGENTS_MAX)
            return VES_LIMIT;
        m->agents[m->agent_count++] =
            (struct ves_migrate_agent){row->tenant, row->agent};
    }
    return m->to->ops->key_put(m->to, row);
}

static enum ves_status take_agent_policy(void *ctx,
                                         const struct ves_agent_policy_row *row)
{
    struct ves_migrate *m = ctx;

    return m->to->ops->agent_policy_put(m->to, row);
}

static enum ves_status copy_keys(struct ves_migrate *m)
{
    struct tenants tenants = {.m = m};

    tenants.list =
        ves_arena_alloc(&m->names, TENANTS_MAX * sizeof(*tenants.list));
    m->agents =
        ves_arena_alloc(&m->names, VES_MIGRATE_AGENTS_MAX * sizeof(*m->agents));
    if (!tenants.list || !m->agents)
        return ves_fail(m->error, VES_NOMEM, "out of memory");
    enum ves_status status =
        m->from->ops->credential_list(m->from, take_credential, &tenants);
    if (!status)
        status = m->from->ops->stream_list(m->from, take_tenant, &tenants);
    for (size_t i = 0; i < tenants.count && !status; i++)
        status = m->from->ops->key_list(m->from, &tenants.list[i], NULL, 0,
                                        take_key, m);
    if (!status)
        status = m->from->ops->agent_policy_list(m->from, take_agent_policy, m);
    if (tenants.is_full || status == VES_LIMIT)
        return ves_fail(m->error, VES_LIMIT,
                        "the store has more than %d tenants or %d agents, "
                        "which is more than one move can do; nothing was "
                        "changed",
                        TENANTS_MAX, VES_MIGRATE_AGENTS_MAX);
    return status ? ves_fail(m->error, status,
                             "API keys or agents' keys could "
                             "not be copied: %s%s",
                             m->from->error.text, m->to->error.text)
                  : VES_OK;
}

/* ---- streams --------------------------------------------------------------
 */

static enum ves_status take_stream(void *ctx, const struct ves_stream_row *row)
{
    struct ves_migrate *m = ctx;
    struct ves_migrate_left *left = ves_arena_alloc(&m->names, sizeof(*left));

    if (!left)
        return VES_NOMEM;
    left->next = m->left;
    left->stream_no = row->stream_no;
    m->left = left;
    return ves_migrate_stream(m, row);
}

/* Another one's, or half of something? */
static enum ves_status see_any(void *ctx, const struct ves_stream_row *row)
{
    (void)ctx, (void)row;
    return VES_CONFLICT;
}

static enum ves_status check_empty(struct ves_migrate *m)
{
    struct ves_bytes id;
    enum ves_status status =
        m->to->ops->meta_get(m->to, "sequencer.id", &m->names, &id);

    if (status == VES_NOT_FOUND)
        status = m->to->ops->stream_list(m->to, see_any, NULL);
    else if (!status)
        status = VES_CONFLICT;
    if (status == VES_CONFLICT)
        return ves_fail(m->error, status,
                        "the store to move to is not empty; nothing was "
                        "changed; name an empty one");
    return status ? ves_migrate_failed(m, m->to, status) : VES_OK;
}

static enum ves_status check_source(struct ves_migrate *m)
{
    struct ves_bytes id;
    enum ves_status status =
        m->from->ops->meta_get(m->from, "sequencer.id", &m->names, &id);

    if (status == VES_NOT_FOUND)
        return ves_fail(m->error, status,
                        "there is no sequencer in the store to leave; nothing "
                        "was changed");
    return status ? ves_migrate_failed(m, m->from, status) : VES_OK;
}

static enum ves_status copy_all(struct ves_migrate *m)
{
    enum ves_status status = check_source(m);

    if (!status)
        status = check_empty(m);
    if (!status)
        status = copy_names(m);
    if (!status)
        status = copy_keys(m);
    if (!status)
        status = ves_migrate_records(m, 0);
    if (!status) {
        status = m->from->ops->stream_list(m->from, take_stream, m);
        if (status && !m->error->text[0])
            (void)ves_migrate_failed(m, m->from, status);
    }
    return status;
}

/* ---- leaving --------------------------------------------------------------
 */

static enum ves_status leave_stream(struct ves_migrate *m, uint32_t stream_no,
                                    struct ves_bytes why)
{
    struct ves_store *from = m->from;
    struct ves_tlog_row log;
    enum ves_status status =
        from->ops->tlog_get(from, stream_no, &m->names, &log);

    if (status == VES_NOT_FOUND)
        return VES_OK;
    /* What it was frozen for stays. */
    if (!status && !log.frozen_at_ms)
        status =
            from->ops->tlog_freeze(from, stream_no, ves_clock_now_ms(), why);
    return status;
}

/* The streams are frozen before the copy is there for anybody: nobody can go
 * on at both places.  Between the two they go on nowhere, and a second move
 * makes that good. */
static enum ves_status leave(struct ves_migrate *m, const char *to_name)
{
    char words[WORDS_MAX];
    enum ves_status status = VES_OK;

    snprintf(words, sizeof(words), VES_MIGRATE_MOVED "%s", to_name);
    for (struct ves_migrate_left *l = m->left; l && !status; l = l->next)
        status = leave_stream(m, l->stream_no, ves_bytes_str(words));
    if (!status)
        status = m->from->ops->commit(m->from);
    return status ? ves_migrate_failed(m, m->from, status) : VES_OK;
}

static enum ves_status move(struct ves_migrate *m, const char *to_name)
{
    enum ves_status status = m->from->ops->begin(m->from);

    if (status)
        return ves_migrate_failed(m, m->from, status);
    status = m->to->ops->begin(m->to);
    if (status)
        status = ves_migrate_failed(m, m->to, status);
    if (!status)
        status = copy_all(m);
    if (!status)
        status = leave(m, to_name);
    if (!status) {
        status = m->to->ops->commit(m->to);
        if (status)
            (void)ves_fail(m->error, status,
                           "%s; the streams that were to be left are frozen: "
                           "run the same again, it goes on from there",
                           m->to->error.text);
    }
    m->to->ops->rollback(m->to);
    m->from->ops->rollback(m->from);
    return status;
}

/* ---- opening --------------------------------------------------------------
 */

/* A file that is served is locked; of a database its own lock sees to it that
 * nobody commits, and that nobody commits afterwards the frozen streams. */
static enum ves_status lock_file(const struct ves_serve_options *options,
                                 int *fd, struct ves_error *error)
{
    char path[PATH_SIZE];

    *fd = -1;
    if (ves_storage_is_shared(options))
        return VES_OK;
    int n = snprintf(path, sizeof(path), "%s.lock", options->db);
    if (n < 0 || (size_t)n >= sizeof(path))
        return ves_fail(error, VES_INVALID, "the database's path is too long");
    enum ves_status status = ves_file_lock(path, fd, error);
    return status == VES_BUSY
               ? ves_fail(error, status, "a sequencer serves %s; stop it first",
                          options->db)
               : status;
}

static struct ves_serve_options place(const char *text)
{
    bool is_url = ves_store_pg_is_url(text);

    return (struct ves_serve_options){.db = is_url ? NULL : text,
                                      .store = is_url ? text : NULL};
}

enum ves_status ves_server_migrate(const char *from, const char *to,
                                   struct ves_migrated *out,
                                   struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();
    const struct ves_serve_options source = place(from), target = place(to);
    struct ves_migrate m = {.alloc = alloc, .error = error};
    int from_fd = -1, to_fd = -1;
    char name[256];

    error->text[0] = 0;
    enum ves_status status =
        ves_storage_open(&source, VES_STORAGE_WRITE, alloc, &m.from, error);
    if (!status)
        status = lock_file(&source, &from_fd, error);
    if (!status)
        status =
            ves_storage_open(&target, VES_STORAGE_CREATE, alloc, &m.to, error);
    if (!status)
        status = lock_file(&target, &to_fd, error);
    ves_arena_init(&m.names, alloc, NAMES_MAX);
    if (!status)
        status = move(&m, ves_storage_name(&target, name, sizeof(name)));
    ves_arena_free(&m.names);
    ves_storage_close(m.to);
    ves_storage_close(m.from);
    if (to_fd >= 0)
        (void)close(to_fd);
    if (from_fd >= 0)
        (void)close(from_fd);
    *out = m.done;
    return status;
}
