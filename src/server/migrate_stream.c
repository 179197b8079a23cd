/* migrate_stream.c -- one stream's rows copied into another store. */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "engine/key_log.h"
#include "engine/log_tree.h"
#include "server/migrate.h"

enum {
    ROWS = 256,                   /* written in one call */
    BYTES = 4 * 1024 * 1024,      /* ... or so many bytes */
    ARENA_MAX = 256 * 1024 * 1024 /* of what is gathered for one call */
};

enum ves_status ves_migrate_failed(struct ves_migrate *m,
                                   const struct ves_store *store,
                                   enum ves_status status)
{
    return ves_fail(
        m->error, status, "%s: %s",
        store == m->from ? "the store to leave" : "the store to move to",
        store->error.text[0] ? store->error.text : ves_status_message(status));
}

/* ---- gathering rows until it is worth writing them ------------------------
 */

struct batch {
    struct ves_migrate *m;
    uint32_t stream_no;
    struct ves_arena arena;
    size_t count, bytes;
    enum ves_status (*flush)(struct batch *batch);
    const struct ves_stream_row *stream; /* of the log */
    union {
        struct ves_log_row log[ROWS];
        struct ves_entity_row entities[ROWS];
        struct ves_conflict_row conflicts[ROWS];
        struct ves_conflict_member members[ROWS];
        struct ves_record records[ROWS];
    } rows;
    enum ves_record_kind kind; /* of records */
};

static enum ves_status flush(struct batch *batch)
{
    enum ves_status status = batch->count ? batch->flush(batch) : VES_OK;

    batch->count = batch->bytes = 0;
    ves_arena_reset(&batch->arena);
    return status;
}

/* One more row is in its place. */
static enum ves_status added(struct batch *batch)
{
    batch->count++;
    return batch->count == ROWS || batch->bytes >= BYTES ? flush(batch)
                                                         : VES_OK;
}

static enum ves_status keep(struct batch *batch, struct ves_bytes *bytes)
{
    batch->bytes += bytes->len;
    return ves_arena_copy(&batch->arena, *bytes, bytes);
}

static struct batch *new_batch(struct ves_migrate *m, uint32_t stream_no,
                               enum ves_status (*write)(struct batch *batch))
{
    struct batch *batch =
        m->alloc->realloc(m->alloc->ctx, NULL, sizeof(*batch));

    if (!batch)
        return NULL;
    memset(batch, 0, sizeof(*batch));
    batch->m = m;
    batch->stream_no = stream_no;
    batch->flush = write;
    ves_arena_init(&batch->arena, m->alloc, ARENA_MAX);
    return batch;
}

/* Writes what is left; status of the reading comes first. */
static enum ves_status end_batch(struct batch *batch, enum ves_status status)
{
    struct ves_migrate *m = batch->m;

    if (status && !m->error->text[0])
        (void)ves_migrate_failed(m, m->from, status);
    if (!status)
        status = flush(batch);
    ves_arena_free(&batch->arena);
    m->alloc->realloc(m->alloc->ctx, batch, 0);
    return status;
}

static enum ves_status written(struct batch *batch, enum ves_status status)
{
    return status ? ves_migrate_failed(batch->m, batch->m->to, status) : VES_OK;
}

/* ---- the log and its tree -------------------------------------------------
 */

/* The tree grows with the rows, from the edge that the rows before left. */
static enum ves_status grow_tree(struct batch *batch)
{
    struct ves_store *to = batch->m->to;
    struct ves_tlog_row log = {.edge = {NULL, 0}};
    struct ves_log_tree tree;
    enum ves_status status =
        to->ops->tlog_get(to, batch->stream_no, &batch->arena, &log);

    if (status == VES_NOT_FOUND)
        status = VES_OK;
    if (!status)
        status = ves_log_tree_open(&tree, to, batch->stream, log.edge,
                                   batch->count, &batch->arena);
    for (size_t i = 0; i < batch->count && !status; i++)
        status = ves_log_tree_add(&tree, batch->rows.log[i].sequence_number,
                                  &batch->rows.log[i].event_hash,
                                  &batch->rows.log[i].signature);
    return status ? status : ves_log_tree_save(&tree);
}

static enum ves_status write_log(struct batch *batch)
{
    struct ves_store *to = batch->m->to;
    enum ves_status status = to->ops->log_append(to, batch->stream_no,
                                                 batch->rows.log, batch->count);

    if (!status)
        status = grow_tree(batch);
    batch->m->done.events += batch->count;
    return written(batch, status);
}

static enum ves_status take_event(void *ctx, const struct ves_log_row *row)
{
    struct batch *batch = ctx;
    struct ves_log_row *own = &batch->rows.log[batch->count];
    struct ves_bytes *const views[] = {&own->sub_code, &own->note,
                                       &own->effects,  &own->opposite,
                                       &own->envelope, &own->raw};
    enum ves_status status = VES_OK;

    *own = *row;
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]) && !status; i++)
        status = keep(batch, views[i]);
    return status ? status : added(batch);
}

/* Is the tree over the copied events the one whose head was signed, and the
 * one the source grew? */
static enum ves_status compare_tree(struct ves_migrate *m,
                                    const struct ves_stream_row *stream,
                                    const struct ves_tlog_row *log,
                                    struct ves_arena *arena)
{
    struct ves_tlog_row copied;
    struct ves_hash root;
    enum ves_status status =
        m->to->ops->tlog_get(m->to, stream->stream_no, arena, &copied);

    if (!status && log->signed_size > 0)
        status =
            ves_log_root_at(m->to, stream->stream_no, log->signed_size, &root);
    if (status)
        return ves_migrate_failed(m, m->to, status);
    if (ves_bytes_equal(copied.edge, log->edge) &&
        (log->signed_size == 0 || ves_hash_equal(&root, &log->signed_root)))
        return VES_OK;
    return ves_fail(m->error, VES_CORRUPT,
                    "the events of stream %u do not make the tree whose head "
                    "was signed; nothing was changed: audit the store to leave "
                    "(ves audit)",
                    stream->stream_no);
}

static enum ves_status copy_head(struct ves_migrate *m, uint32_t stream_no,
                                 const struct ves_tlog_row *log)
{
    const struct ves_head_row head = {.size = log->signed_size,
                                      .root = log->signed_root,
                                      .note = log->note,
                                      .signed_at_ms = log->signed_at_ms};
    const char *moved = VES_MIGRATE_MOVED;
    bool was_left = log->frozen_why.len >= strlen(moved) &&
                    memcmp(log->frozen_why.ptr, moved, strlen(moved)) == 0;
    enum ves_status status = VES_OK;

    if (log->signed_size > 0)
        status = m->to->ops->tlog_sign(m->to, stream_no, 0, &head);
    if (!status && log->frozen_at_ms && !was_left)
        status = m->to->ops->tlog_freeze(m->to, stream_no, log->frozen_at_ms,
                                         log->frozen_why);
    return status ? ves_migrate_failed(m, m->to, status) : VES_OK;
}

static enum ves_status copy_events(struct ves_migrate *m,
                                   const struct ves_stream_row *stream)
{
    struct batch *batch = new_batch(m, stream->stream_no, write_log);

    if (!batch)
        return ves_fail(m->error, VES_NOMEM, "out of memory");
    batch->stream = stream;
    return end_batch(batch, m->from->ops->log_read(m->from, stream->stream_no,
                                                   1, 0, take_event, batch));
}

static enum ves_status copy_log(struct ves_migrate *m,
                                const struct ves_stream_row *stream)
{
    struct ves_tlog_row log;
    struct ves_arena arena;

    if (stream->head == 0)
        return VES_OK;
    ves_arena_init(&arena, m->alloc, ARENA_MAX);
    enum ves_status status =
        m->from->ops->tlog_get(m->from, stream->stream_no, &arena, &log);
    bool has_log = !status;
    status = status == VES_NOT_FOUND || !status
                 ? copy_events(m, stream)
                 : ves_migrate_failed(m, m->from, status);
    if (!status && has_log)
        status = compare_tree(m, stream, &log, &arena);
    if (!status && has_log)
        status = copy_head(m, stream->stream_no, &log);
    ves_arena_free(&arena);
    return status;
}

/* ---- what the log was judged to be ----------------------------------------
 */

static enum ves_status write_entities(struct batch *batch)
{
    struct ves_store *to = batch->m->to;

    return written(batch,
                   to->ops->entity_put(to, batch->stream_no,
                                       batch->rows.entities, batch->count));
}

static enum ves_status take_entity(void *ctx, const struct ves_entity_row *row)
{
    struct batch *batch = ctx;
    struct ves_entity_row *own = &batch->rows.entities[batch->count];

    *own = *row;
    own->is_found = false; /* it is new where it goes */
    enum ves_status status = keep(batch, &own->entity_type);
    if (!status)
        status = keep(batch, &own->entity_id);
    if (!status)
        status = keep(batch, &own->state);
    return status ? status : added(batch);
}

static enum ves_status write_members(struct batch *batch)
{
    struct ves_store *to = batch->m->to;

    return written(batch,
                   to->ops->member_add(to, batch->stream_no,
                                       batch->rows.members, batch->count));
}

static enum ves_status take_member(void *ctx,
                                   const struct ves_conflict_member *member)
{
    struct batch *batch = ctx;

    batch->rows.members[batch->count] = *member;
    return added(batch);
}

static enum ves_status write_conflicts(struct batch *batch)
{
    struct ves_migrate *m = batch->m;
    struct batch *members = new_batch(m, batch->stream_no, write_members);
    enum ves_status status;

    if (!members)
        return ves_fail(m->error, VES_NOMEM, "out of memory");
    status = written(batch, m->to->ops->conflict_put(m->to, batch->stream_no,
                                                     batch->rows.conflicts,
                                                     batch->count));
    for (size_t i = 0; i < batch->count && !status; i++)
        status = m->from->ops->member_list(m->from, batch->stream_no,
                                           &batch->rows.conflicts[i].id,
                                           take_member, members);
    return end_batch(members, status);
}

static enum ves_status take_conflict(void *ctx,
                                     const struct ves_conflict_row *row)
{
    struct batch *batch = ctx;
    struct ves_conflict_row *own = &batch->rows.conflicts[batch->count];

    *own = *row;
    enum ves_status status = keep(batch, &own->sub_code);
    return status ? status : added(batch);
}

static enum ves_status copy_judged(struct ves_migrate *m, uint32_t stream_no)
{
    const struct ves_conflict_filter all = {.open_only = false};
    const struct ves_hash first = {{0}};
    struct batch *batch = new_batch(m, stream_no, write_entities);

    if (!batch)
        return ves_fail(m->error, VES_NOMEM, "out of memory");
    enum ves_status status =
        end_batch(batch, m->from->ops->entity_scan(m->from, stream_no, &first,
                                                   0, ves_bytes(NULL, 0),
                                                   take_entity, batch));
    if (status)
        return status;
    batch = new_batch(m, stream_no, write_conflicts);
    if (!batch)
        return ves_fail(m->error, VES_NOMEM, "out of memory");
    return end_batch(batch,
                     m->from->ops->conflict_list(m->from, stream_no, &all,
                                                 take_conflict, batch));
}

/* ---- records --------------------------------------------------------------
 */

static enum ves_status write_records(struct batch *batch)
{
    struct ves_store *to = batch->m->to;

    return written(batch,
                   to->ops->record_append(to, batch->kind, batch->stream_no,
                                          batch->rows.records, batch->count));
}

static enum ves_status take_record(void *ctx, const struct ves_record *row)
{
    struct batch *batch = ctx;
    struct ves_record *own = &batch->rows.records[batch->count];

    *own = *row;
    enum ves_status status = keep(batch, &own->code);
    if (!status)
        status = keep(batch, &own->detail);
    if (!status)
        status = keep(batch, &own->body);
    return status ? status : added(batch);
}

enum ves_status ves_migrate_records(struct ves_migrate *m, uint32_t stream_no)
{
    static const enum ves_record_kind kinds[] = {
        VES_RECORD_TRAIL, VES_RECORD_REFUSAL, VES_RECORD_ALERT};
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !status; i++) {
        struct batch *batch = new_batch(m, stream_no, write_records);

        if (!batch)
            return ves_fail(m->error, VES_NOMEM, "out of memory");
        batch->kind = kinds[i];
        status = end_batch(
            batch, m->from->ops->record_list(m->from, kinds[i], stream_no, 0,
                                             false, 0, take_record, batch));
    }
    return status;
}

/* ---- keys, cursors, commitments, cosignatures ------------------------------
 */

struct span_copy {
    struct ves_migrate *m;
    uint32_t stream_no;
};

static enum ves_status take_span(void *ctx, const struct ves_key_row *row,
                                 const struct ves_key_span *span)
{
    struct span_copy *copy = ctx;
    struct ves_store *to = copy->m->to;

    return span->is_found
               ? to->ops->key_span_put(to, copy->stream_no, &row->agent,
                                       row->key_id, span)
               : VES_OK;
}

static enum ves_status take_commitment(void *ctx,
                                       const struct ves_commitment_row *row)
{
    struct span_copy *copy = ctx;

    return copy->m->to->ops->commitment_put(copy->m->to, copy->stream_no, row);
}

static enum ves_status copy_cursors(struct ves_migrate *m,
                                    const struct ves_stream_row *stream)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < m->agent_count && !status; i++) {
        const struct ves_migrate_agent *agent = &m->agents[i];
        uint64_t sequence;
        int64_t updated_ms;

        if (!ves_uuid_equal(&agent->tenant, &stream->stream.tenant))
            continue;
        status = m->from->ops->cursor_get(
            m->from, stream->stream_no, &agent->agent, &sequence, &updated_ms);
        if (!status && (sequence || updated_ms))
            status = m->to->ops->cursor_put(
                m->to, stream->stream_no, &agent->agent, sequence, updated_ms);
    }
    return status;
}

static enum ves_status copy_policy(struct ves_migrate *m, uint32_t stream_no,
                                   struct ves_arena *arena)
{
    char name[VES_KEY_LOG_POLICY_NAME];
    struct ves_bytes value;

    ves_key_log_policy_name(stream_no, name);
    enum ves_status status =
        m->from->ops->meta_get(m->from, name, arena, &value);
    if (!status)
        status = m->to->ops->meta_put(m->to, name, value);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

static enum ves_status copy_beside(struct ves_migrate *m,
                                   const struct ves_stream_row *stream)
{
    struct span_copy copy = {m, stream->stream_no};
    struct ves_arena arena;
    struct ves_bytes notes;

    ves_arena_init(&arena, m->alloc, ARENA_MAX);
    enum ves_status status =
        m->from->ops->key_list(m->from, &stream->stream.tenant, NULL,
                               stream->stream_no, take_span, &copy);
    if (!status)
        status = m->from->ops->commitment_list(m->from, stream->stream_no, 0, 0,
                                               take_commitment, &copy);
    if (!status)
        status = copy_cursors(m, stream);
    if (!status)
        status = copy_policy(m, stream->stream_no, &arena);
    if (!status)
        status = m->from->ops->cosigned_get(m->from, stream->stream_no, &arena,
                                            &notes);
    if (!status && notes.len > 0)
        status = m->to->ops->cosigned_put(m->to, stream->stream_no, notes);
    ves_arena_free(&arena);
    if (status && !m->error->text[0])
        (void)ves_fail(m->error, status,
                       "keys, cursors or commitments could not be copied: %s",
                       m->to->error.text[0] ? m->to->error.text
                                            : m->from->error.text);
    return status;
}

/* ---- all of it ------------------------------------------------------------
 */

enum ves_status ves_migrate_stream(struct ves_migrate *m,
                                   const struct ves_stream_row *stream)
{
    struct ves_stream_row row;
    enum ves_status status =
        m->to->ops->stream_get(m->to, &stream->stream, true, &row);

    if (!status && row.stream_no != stream->stream_no)
        return ves_fail(m->error, VES_CONFLICT,
                        "the store to move to is not empty; nothing was "
                        "changed");
    row = *stream;
    row.head = 0;
    if (!status)
        status = m->to->ops->stream_put(m->to, &row);
    if (status)
        return ves_migrate_failed(m, m->to, status);
    status = copy_log(m, stream);
    if (!status)
        status = copy_judged(m, stream->stream_no);
    if (!status)
        status = ves_migrate_records(m, stream->stream_no);
    if (!status)
        status = copy_beside(m, stream);
    m->done.streams++;
    return status;
}
