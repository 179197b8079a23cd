/* rules.c -- event types of users' own: looking, checking, publishing. */
#include "ves/rules.h"

#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/nearest.h"
#include "base/uuid.h"
#include "core/rules.h"
#include "engine/rules_log.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/keyfile.h"
#include "os/random.h"

enum { NAMES_MAX = 1024 }; /* looked at for one like it */

/* Rules on top of those the store has pulled. */
struct work {
    struct ves_agent *agent; /* NULL: none */
    struct ves_rules_log log;
    struct ves_rules *rules; /* NULL: none were read */
};

static enum ves_status open_work(struct work *work, struct ves_agent *agent,
                                 struct ves_error *error)
{
    *work = (struct work){.agent = agent};
    if (!agent)
        return VES_OK;
    ves_agent_start(agent);
    ves_rules_log_open(&work->log, agent->store, agent->core.stream_no,
                       agent->alloc, &agent->core.owner_key);
    return ves_agent_fail(agent, ves_rules_log_load(&work->log), error,
                          "reading the rules in the log");
}

static void close_work(struct work *work)
{
    ves_rules_free(work->rules);
    if (work->agent)
        ves_rules_log_close(&work->log);
}

static const struct ves_rules *newest(const struct work *work)
{
    return work->agent && work->log.count > 0
               ? work->log.list[work->log.count - 1]
               : NULL;
}

static enum ves_status read_document(struct work *work,
                                     struct ves_bytes document,
                                     struct ves_error *error)
{
    enum ves_status status = ves_rules_read(ves_alloc_default(), newest(work),
                                            document, 0, &work->rules, error);

    return status == VES_NOMEM ? ves_fail(error, status, "out of memory")
                               : status;
}

static size_t count_types(const struct ves_rules *rules)
{
    size_t count = 0;

    while (ves_rules_type_at(rules, count))
        count++;
    return count;
}

/* Only what no earlier document has. */
static void put_types(struct ves_jw *jw, const struct ves_rules *rules)
{
    ves_jw_key(jw, "types");
    ves_jw_array(jw);
    for (size_t i = 0; ves_rules_type_at(rules, i); i++) {
        const struct ves_event_type *type = ves_rules_type_at(rules, i);
        ves_jw_object(jw);
        ves_jw_member_str(jw, "name", type->name);
        ves_jw_member_u64(jw, "version", type->version);
        ves_jw_member_str(jw, "class",
                          type->event_class == VES_CLASS_FACT ? "fact"
                                                              : "intent");
        ves_jw_member_str(
            jw, "base", type->base == VES_BASE_REQUIRED ? "required" : "none");
        ves_jw_member_str(jw, "merge", type->merge);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

enum ves_status ves_rules_check(struct ves_agent *agent,
                                struct ves_bytes document, struct ves_jw *jw,
                                struct ves_error *error)
{
    struct work work;

    enum ves_status status = open_work(&work, agent, error);
    if (!status)
        status = read_document(&work, document, error);
    if (!status) {
        ves_jw_object(jw);
        put_types(jw, work.rules);
        ves_jw_member_u64(jw, "newTypes", count_types(work.rules));
        ves_jw_end(jw);
        status = ves_agent_jw_end(jw, error);
    }
    close_work(&work);
    return status;
}

/* ---- publishing -----------------------------------------------------------
 */

static enum ves_status owner_sign(struct ves_agent *agent, const char *key_file,
                                  const struct ves_hash *hash,
                                  struct ves_sig *out, struct ves_error *error)
{
    char tenant[VES_UUID_TEXT + 1], store[VES_UUID_TEXT + 1];
    char path[VES_AGENT_PATH_MAX];
    struct ves_signer *owner = NULL;

    ves_uuid_format(&agent->core.stream.tenant, tenant);
    ves_uuid_format(&agent->core.stream.store, store);
    int n =
        snprintf(path, sizeof(path), "%s.owner-%s-%s", key_file, tenant, store);
    if (n < 0 || (size_t)n >= sizeof(path))
        return ves_fail(error, VES_LIMIT, "the key file's path is too long");
    if (!ves_file_exists(path))
        return ves_fail(error, VES_NOT_FOUND,
                        "%s is not there: only the owner of this stream, who "
                        "made its first invitation, can publish rules; nothing "
                        "was appended",
                        path);
    enum ves_status status =
        ves_keyfile_load(path, VES_KEY_OWNER, NULL, &owner, error);
    if (status)
        return status;
    bool is_owner =
        memcmp(owner->public_key.b, agent->core.owner_key.b, VES_KEY_SIZE) == 0;
    struct ves_sign_item item = {.hash = *hash};
    if (is_owner)
        owner->sign(owner, &item, 1);
    *out = item.sig;
    ves_signer_free(owner);
    return is_owner ? VES_OK
                    : ves_fail(error, VES_REFUSED,
                               "%s is not the key of the owner this store was "
                               "told of when it joined; nothing was appended",
                               path);
}

static enum ves_status append(struct work *work, const char *key_file,
                              struct ves_uuid *event_id,
                              struct ves_error *error)
{
    struct ves_agent *agent = work->agent;
    struct ves_core_append what = {
        .event_type = ves_bytes_str(VES_TYPE_SCHEMA),
        .entity_id = ves_bytes_str(VES_SCHEMA_ENTITY_ID),
        .is_system = true,
        .entity_type = ves_bytes_str(VES_SCHEMA_ENTITY_TYPE)};
    struct ves_core_env env;
    struct ves_hash hash;
    struct ves_sig sig;
    struct ves_buf buf;

    enum ves_status status =
        ves_agent_need_write(agent, "publishing rules", error);
    if (!status)
        status = ves_agent_need_key(agent, error);
    if (status)
        return status;
    ves_rules_hash(&agent->core.stream, work->rules, &hash);
    status = owner_sign(agent, key_file, &hash, &sig, error);
    if (!status)
        status = ves_random(env.random, sizeof(env.random), error);
    if (status)
        return status;
    env.now_ms = ves_clock_now_ms();
    ves_buf_init(&buf, agent->alloc, (size_t)2 * VES_RULES_MAX);
    ves_rules_write(&buf, work->rules, &sig);
    status = ves_buf_status(&buf);
    what.payload = ves_buf_view(&buf);
    if (!status)
        status = ves_core_append(&agent->core, &env, &what, event_id);
    ves_buf_free(&buf);
    return ves_agent_fail(agent, status, error, NULL);
}

enum ves_status ves_rules_apply(struct ves_agent *agent, const char *key_file,
                                struct ves_bytes document, struct ves_jw *jw,
                                struct ves_error *error)
{
    struct ves_uuid event_id;
    struct work work;
    size_t count = 0;

    enum ves_status status = open_work(&work, agent, error);
    if (!status)
        status = read_document(&work, document, error);
    if (!status)
        count = count_types(work.rules) + ves_rules_entity_count(work.rules);
    if (!status && count > 0)
        status = append(&work, key_file, &event_id, error);
    if (!status) {
        ves_jw_object(jw);
        if (count > 0)
            ves_jw_member_uuid(jw, "eventId", &event_id);
        put_types(jw, work.rules);
        ves_jw_member_u64(jw, "newTypes", count_types(work.rules));
        ves_jw_end(jw);
        status = ves_agent_jw_end(jw, error);
    }
    close_work(&work);
    return status;
}

enum ves_status ves_rules_show(struct ves_agent *agent, struct ves_jw *jw,
                               struct ves_error *error)
{
    struct work work;
    size_t total = 0;

    enum ves_status status = open_work(&work, agent, error);
    if (!status) {
        ves_jw_object(jw);
        ves_jw_key(jw, "rules");
        ves_jw_array(jw);
        for (size_t i = 0; i < work.log.count; i++) {
            const struct ves_rules *rules = work.log.list[i];
            ves_jw_object(jw);
            ves_jw_member_u64(jw, "sequenceNumber", ves_rules_sequence(rules));
            put_types(jw, rules);
            ves_jw_key(jw, "document");
            ves_jw_raw(jw, ves_rules_document(rules));
            ves_jw_end(jw);
            total += count_types(rules);
        }
        ves_jw_end(jw);
        ves_jw_member_u64(jw, "types", total);
        ves_jw_end(jw);
        status = ves_agent_jw_end(jw, error);
    }
    close_work(&work);
    return status;
}

/* ---- names ----------------------------------------------------------------
 */

/* Of the built-in types and of those in the log. */
static void find_near(const struct ves_rules *rules, struct ves_bytes type,
                      char near[VES_RULES_NAME_MAX + 1])
{
    struct ves_bytes names[NAMES_MAX];
    size_t n = 0;

    for (size_t i = 0; n < NAMES_MAX && ves_event_type_at(i); i++)
        names[n++] = ves_bytes_str(ves_event_type_at(i)->name);
    for (; rules; rules = ves_rules_before(rules))
        for (size_t i = 0; n < NAMES_MAX && ves_rules_type_at(rules, i); i++)
            names[n++] = ves_bytes_str(ves_rules_type_at(rules, i)->name);
    int found = ves_nearest(type, names, n);
    if (found >= 0)
        (void)snprintf(near, VES_RULES_NAME_MAX + 1, "%.*s",
                       (int)names[found].len, (const char *)names[found].ptr);
}

enum ves_status ves_rules_knows(struct ves_agent *agent, const char *type,
                                bool *is_known,
                                char near[VES_RULES_NAME_MAX + 1],
                                struct ves_error *error)
{
    struct ves_rules_at at = {.sequence = VES_SEQUENCE_NEXT};
    struct work work;

    *is_known = false;
    if (near)
        near[0] = '\0';
    enum ves_status status = open_work(&work, agent, error);
    if (!status) {
        at.rules = newest(&work);
        *is_known = ves_rules_type(at, ves_bytes_str(type), 0) != NULL;
        if (!*is_known && near)
            find_near(at.rules, ves_bytes_str(type), near);
    }
    close_work(&work);
    return status;
}
