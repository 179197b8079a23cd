/* store_mem.c -- the store contract in memory: model and test double. */
#include "store/store_mem.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "store/store_mem_internal.h"

struct meta_row {
    struct ves_bytes value;
};

static const struct ves_mem_shape meta_shape = {
    sizeof(struct meta_row), 1, {offsetof(struct meta_row, value)}};
static const struct ves_mem_shape stream_shape = {
    sizeof(struct ves_stream_row), 0, {0}};
const struct ves_mem_shape ves_mem_u64_shape = {
    sizeof(struct ves_mem_u64), 0, {0}};

struct ves_mem_key ves_mem_key(unsigned table, uint32_t stream_no)
{
    struct ves_mem_key key;

    key.len = 1;
    key.b[0] = (uint8_t)table;
    ves_mem_key_add_u32(&key, stream_no);
    return key;
}

static struct ves_bytes *view_at(void *row, size_t offset)
{
    return (struct ves_bytes *)(void *)((uint8_t *)row + offset);
}

void *ves_mem_pack(const struct ves_alloc *alloc,
                   const struct ves_mem_shape *shape, const void *row)
{
    size_t size = shape->size;
    uint8_t *block, *end;

    for (size_t i = 0; i < shape->count; i++) {
        const struct ves_bytes *view =
            (const void *)((const uint8_t *)row + shape->offsets[i]);

        size += view->len;
    }
    block = alloc->realloc(alloc->ctx, NULL, size);
    if (!block)
        return NULL;
    memcpy(block, row, shape->size);
    end = block + shape->size;
    for (size_t i = 0; i < shape->count; i++) {
        struct ves_bytes *view = view_at(block, shape->offsets[i]);

        if (view->len)
            memcpy(end, view->ptr, view->len);
        view->ptr = end;
        end += view->len;
    }
    return block;
}

enum ves_status ves_mem_copy_out(const struct ves_mem_shape *shape,
                                 const void *row, struct ves_arena *arena,
                                 void *out)
{
    memcpy(out, row, shape->size);
    for (size_t i = 0; i < shape->count; i++) {
        struct ves_bytes *view = view_at(out, shape->offsets[i]);
        enum ves_status status = ves_arena_copy(arena, *view, view);

        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_mem_put_row(struct ves_mem_store *st,
                                const struct ves_mem_key *key,
                                const struct ves_mem_shape *shape,
                                const void *row)
{
    return ves_mem_put(&st->map, key, ves_mem_pack(st->alloc, shape, row));
}

enum ves_status ves_mem_end(struct ves_mem_store *st, size_t mark,
                            enum ves_status status, const char *what)
{
    if (!status)
        return VES_OK;
    ves_mem_undo(&st->map, mark);
    return ves_fail(&st->store.error, status,
                    "The store could not %s: %s. This call changed nothing.",
                    what, ves_status_message(status));
}

/* ---- transactions ---------------------------------------------------------
 */

static enum ves_status begin(struct ves_store *s)
{
    VES_ASSERT(!ves_mem_of(s)->is_writing);
    ves_mem_of(s)->is_writing = true;
    return VES_OK;
}

static enum ves_status begin_streams(struct ves_store *s,
                                     const struct ves_stream *streams,
                                     size_t count)
{
    (void)streams, (void)count;
    return begin(s);
}

static enum ves_status commit(struct ves_store *s)
{
    VES_ASSERT(ves_mem_of(s)->is_writing);
    struct ves_mem_store *st = ves_mem_of(s);

    if (st->is_kept)
        st->committed = ves_mem_mark(&st->map);
    else
        ves_mem_settle(&st->map);
    st->is_writing = false;
    return VES_OK;
}

static void rollback(struct ves_store *s)
{
    struct ves_mem_store *st = ves_mem_of(s);

    ves_mem_undo(&st->map, st->committed);
    st->is_writing = false;
}

/* ---- meta -----------------------------------------------------------------
 */

static struct ves_mem_key meta_key(const char *name)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_META, 0);

    ves_mem_key_add(&key, name, strlen(name));
    return key;
}

static enum ves_status meta_get(struct ves_store *s, const char *name,
                                struct ves_arena *arena,
                                struct ves_bytes *value)
{
    struct ves_mem_key key = meta_key(name);
    const struct meta_row *row = ves_mem_get(&ves_mem_of(s)->map, &key);

    *value = ves_bytes(NULL, 0);
    if (!row)
        return VES_NOT_FOUND;
    return ves_arena_copy(arena, row->value, value);
}

static enum ves_status meta_put(struct ves_store *s, const char *name,
                                struct ves_bytes value)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = meta_key(name);
    struct meta_row row = {value};
    size_t mark = ves_mem_mark(&st->map);

    VES_ASSERT(st->is_writing);
    return ves_mem_end(st, mark, ves_mem_put_row(st, &key, &meta_shape, &row),
                       "keep a value");
}

/* ---- streams --------------------------------------------------------------
 */

static struct ves_mem_key stream_key(const struct ves_stream *stream)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM, 0);

    ves_mem_key_add(&key, stream->tenant.b, sizeof stream->tenant.b);
    ves_mem_key_add(&key, stream->store.b, sizeof stream->store.b);
    return key;
}

static uint32_t last_stream_no(const struct ves_mem_store *st)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM_ROW, UINT32_MAX);
    const struct ves_mem_node *node = ves_mem_seek_below(&st->map, &key);

    if (!node || !ves_mem_key_leads(&key, 1, node))
        return 0;
    return ((const struct ves_stream_row *)node->value)->stream_no;
}

static enum ves_status stream_make(struct ves_mem_store *st,
                                   const struct ves_stream *stream,
                                   struct ves_stream_row *row)
{
    struct ves_mem_key key = stream_key(stream);
    struct ves_mem_u64 no = {last_stream_no(st) + UINT64_C(1)};
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status;

    memset(row, 0, sizeof *row);
    row->stream_no = (uint32_t)no.value;
    row->stream = *stream;
    status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &no);
    if (!status) {
        key = ves_mem_key(VES_MEM_STREAM_ROW, row->stream_no);
        status = ves_mem_put_row(st, &key, &stream_shape, row);
    }
    return ves_mem_end(st, mark, status, "add a stream");
}

static enum ves_status stream_get(struct ves_store *s,
                                  const struct ves_stream *stream, bool create,
                                  struct ves_stream_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = stream_key(stream);
    const struct ves_mem_u64 *no = ves_mem_get(&st->map, &key);

    VES_ASSERT(!create || st->is_writing);
    if (!no)
        return create ? stream_make(st, stream, row) : VES_NOT_FOUND;
    key = ves_mem_key(VES_MEM_STREAM_ROW, (uint32_t)no->value);
    *row = *(const struct ves_stream_row *)ves_mem_get(&st->map, &key);
    row->head = ves_mem_head(st, row->stream_no);
    return VES_OK;
}

static enum ves_status stream_put(struct ves_store *s,
                                  const struct ves_stream_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM_ROW, row->stream_no);
    const struct ves_stream_row *old = ves_mem_get(&st->map, &key);
    size_t mark = ves_mem_mark(&st->map);
    struct ves_stream_row new;

    VES_ASSERT(st->is_writing);
    if (!old)
        return ves_mem_end(st, mark, VES_NOT_FOUND, "change a stream");
    new = *old;
    new.has_owner_key = row->has_owner_key;
    memset(&new.owner_key, 0, sizeof new.owner_key);
    if (row->has_owner_key)
        new.owner_key = row->owner_key;
    new.committed_end = row->committed_end;
    new.state_root = row->state_root;
    return ves_mem_end(st, mark, ves_mem_put_row(st, &key, &stream_shape, &new),
                       "change a stream");
}

static enum ves_status stream_list(struct ves_store *s,
                                   ves_stream_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = ves_mem_key(VES_MEM_STREAM_ROW, 0);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);

    for (; node && ves_mem_key_leads(&key, 1, node); node = node->next[0]) {
        struct ves_stream_row row = *(const struct ves_stream_row *)node->value;
        enum ves_status status;

        row.head = ves_mem_head(st, row.stream_no);
        status = visit(ctx, &row);
        if (status)
            return status;
    }
    return VES_OK;
}

/* ---- the handle -----------------------------------------------------------
 */

/* Nobody else is there. */
static enum ves_status begin_read(struct ves_store *s)
{
    (void)s;
    return VES_OK;
}

static void end_read(struct ves_store *s)
{
    (void)s;
}

static const struct ves_store_ops ops = {
    .begin = begin,
    .begin_flat = begin,
    .begin_streams = begin_streams,
    .begin_read = begin_read,
    .end_read = end_read,
    .commit = commit,
    .rollback = rollback,
    .meta_get = meta_get,
    .meta_put = meta_put,
    .stream_get = stream_get,
    .stream_put = stream_put,
    .stream_list = stream_list,
    .log_head = ves_mem_log_head,
    .log_find_ids = ves_mem_log_find_ids,
    .log_find_commands = ves_mem_log_find_commands,
    .log_append = ves_mem_log_append,
    .log_read = ves_mem_log_read,
    .log_judge = ves_mem_log_judge,
    .log_prune = ves_mem_log_prune,
    .log_leaves = ves_mem_log_leaves,
    .log_links = ves_mem_log_links,
    .log_match = ves_mem_log_match,
    .waiting_list = ves_mem_waiting_list,
    .log_find_late = ves_mem_log_find_late,
    .conflict_get = ves_mem_conflict_get,
    .conflict_put = ves_mem_conflict_put,
    .conflict_list = ves_mem_conflict_list,
    .conflict_counts = ves_mem_conflict_counts,
    .member_add = ves_mem_member_add,
    .member_list = ves_mem_member_list,
    .member_find = ves_mem_member_find,
    .verdict_reset = ves_mem_verdict_reset,
    .entity_get = ves_mem_entity_get,
    .entity_put = ves_mem_entity_put,
    .entity_scan = ves_mem_entity_scan,
    .entity_reset = ves_mem_entity_reset,
    .bucket_get_all = ves_mem_bucket_get_all,
    .bucket_mark = ves_mem_bucket_mark,
    .bucket_read = ves_mem_bucket_read,
    .bucket_put = ves_mem_bucket_put,
    .outbox_append = ves_mem_outbox_append,
    .outbox_get = ves_mem_outbox_get,
    .outbox_list = ves_mem_outbox_list,
    .outbox_overlay = ves_mem_outbox_overlay,
    .outbox_promised = ves_mem_outbox_promised,
    .outbox_update = ves_mem_outbox_update,
    .outbox_resign = ves_mem_outbox_resign,
    .outbox_counts = ves_mem_outbox_counts,
    .outbox_prune = ves_mem_outbox_prune,
    .record_append = ves_mem_record_append,
    .record_list = ves_mem_record_list,
    .record_close = ves_mem_record_close,
    .record_count_open = ves_mem_record_count_open,
    .follow_get = ves_mem_follow_get,
    .follow_put = ves_mem_follow_put,
    .kept_head_put = ves_mem_kept_head_put,
    .kept_heads_cut = ves_mem_kept_heads_cut,
    .log_give_up = ves_mem_log_give_up,
    .given_up_read = ves_mem_given_up_read,
    .kept_heads_read = ves_mem_kept_heads_read,
    .key_get = ves_mem_key_get,
    .key_put = ves_mem_key_put,
    .key_find = ves_mem_key_find,
    .key_span_get = ves_mem_key_span_get,
    .key_span_put = ves_mem_key_span_put,
    .key_span_forget = ves_mem_key_span_forget,
    .key_list = ves_mem_key_list,
    .commitment_put = ves_mem_commitment_put,
    .commitment_get = ves_mem_commitment_get,
    .commitment_covering = ves_mem_commitment_covering,
    .commitment_list = ves_mem_commitment_list,
    .tlog_get = ves_mem_tlog_get,
    .tlog_find = ves_mem_tlog_find,
    .tlog_append = ves_mem_tlog_append,
    .tlog_sign = ves_mem_tlog_sign,
    .tlog_freeze = ves_mem_tlog_freeze,
    .cosigned_get = ves_mem_cosigned_get,
    .cosigned_put = ves_mem_cosigned_put,
    .tile_read = ves_mem_tile_read,
    .cursor_get = ves_mem_cursor_get,
    .cursor_put = ves_mem_cursor_put,
    .agent_policy_get = ves_mem_agent_policy_get,
    .agent_policy_put = ves_mem_agent_policy_put,
    .agent_policy_list = ves_mem_agent_policy_list,
    .credential_get = ves_mem_credential_get,
    .credential_put = ves_mem_credential_put,
    .credential_list = ves_mem_credential_list,
    .invitation_get = ves_mem_invitation_get,
    .invitation_put = ves_mem_invitation_put,
};

enum ves_status ves_store_mem_open(const struct ves_alloc *alloc,
                                   struct ves_store **out)
{
    struct ves_mem_store *st = alloc->realloc(alloc->ctx, NULL, sizeof *st);

    if (!st)
        return VES_NOMEM;
    memset(st, 0, sizeof *st);
    st->store.ops = &ops;
    st->alloc = alloc;
    ves_mem_map_init(&st->map, alloc);
    *out = &st->store;
    return VES_OK;
}

void ves_store_mem_close(struct ves_store *store)
{
    if (!store)
        return;
    ves_mem_map_free(&ves_mem_of(store)->map);
    ves_mem_of(store)->alloc->realloc(ves_mem_of(store)->alloc->ctx, store, 0);
}

void ves_store_mem_keep(struct ves_store *store)
{
    struct ves_mem_store *st = ves_mem_of(store);

    VES_ASSERT(!st->is_writing);
    ves_mem_settle(&st->map);
    st->is_kept = true;
    st->committed = 0;
}

void ves_store_mem_return(struct ves_store *store)
{
    struct ves_mem_store *st = ves_mem_of(store);

    VES_ASSERT(st->is_kept && !st->is_writing);
    ves_mem_undo(&st->map, 0);
    st->is_kept = false;
    st->committed = 0;
}

void ves_store_mem_crash(struct ves_store *store)
{
    rollback(store);
    memset(&store->error, 0, sizeof store->error);
}
