/* sequencer_keys.c -- agent keys and where in a stream they are valid (D17), as
 * the tables have it. */
#include "engine/sequencer_keys.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/streams.h"

enum { LISTS_MAX = 256 * 1024 * 1024 };

/* Says in *error what the store said. */
static enum ves_status store_failed(const struct ves_store *store,
                                    enum ves_status status,
                                    struct ves_error *error)
{
    return ves_fail(error, status, "%s; nothing was changed",
                    store->error.status == status ? store->error.text
                                                  : ves_status_message(status));
}

/* ---- lists, because a visitor may not write ------------------------------ */

struct key_item {
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_key_span span;
    struct key_item *next;
};

struct key_list {
    struct ves_arena *arena;
    const struct ves_stream *stream;
    struct key_item *first;
};

bool ves_key_is_for(const struct ves_key_row *key,
                    const struct ves_stream *stream)
{
    return ves_uuid_equal(&key->tenant, &stream->tenant) &&
           (!key->has_store || ves_uuid_equal(&key->store, &stream->store));
}

/* In a stream that is younger than the registration. */
static struct ves_key_span span_of_younger(const struct ves_key_row *key)
{
    return (struct ves_key_span){.is_found = true,
                                 .valid_from_sequence = 1,
                                 .revoked_at_sequence =
                                     key->revoked_at_ms != 0 ? 1 : 0};
}

void ves_key_span_in(const struct ves_stream *stream,
                     const struct ves_key_row *key, struct ves_key_span *span)
{
    if (!ves_key_is_for(key, stream))
        *span = (struct ves_key_span){.is_found = false};
    else if (!span->is_found)
        *span = span_of_younger(key);
}

static enum ves_status take_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct key_list *list = ctx;
    (void)span;

    if (!ves_key_is_for(row, list->stream))
        return VES_OK;
    struct key_item *item = ves_arena_alloc(list->arena, sizeof(*item));
    if (!item)
        return VES_NOMEM;
    item->agent = row->agent;
    item->key_id = row->key_id;
    item->span = span_of_younger(row);
    item->next = list->first;
    list->first = item;
    return VES_OK;
}

/* ---- streams ------------------------------------------------------------- */

static enum ves_status write_first_spans(struct ves_sequencer *sequencer,
                                         const struct ves_stream_row *stream)
{
    struct ves_store *store = sequencer->store;
    struct ves_arena arena;
    struct key_list list = {.arena = &arena, .stream = &stream->stream};

    ves_arena_init(&arena, sequencer->alloc, LISTS_MAX);
    enum ves_status status = store->ops->key_list(store, &stream->stream.tenant,
                                                  NULL, 0, take_key, &list);
    for (struct key_item *key = list.first; !status && key; key = key->next)
        status = store->ops->key_span_put(store, stream->stream_no, &key->agent,
                                          key->key_id, &key->span);
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_sequencer_stream(struct ves_sequencer *sequencer,
                                     const struct ves_stream *stream,
                                     struct ves_stream_row *row)
{
    struct ves_store *store = sequencer->store;

    enum ves_status status = store->ops->stream_get(store, stream, false, row);
    if (status != VES_NOT_FOUND)
        return status;
    status = store->ops->stream_get(store, stream, true, row);
    if (status)
        return status;
    return write_first_spans(sequencer, row);
}

enum ves_status ves_sequencer_key_span(struct ves_sequencer *sequencer,
                                       const struct ves_stream_row *stream,
                                       const struct ves_key_row *key,
                                       struct ves_key_span *span)
{
    struct ves_store *store = sequencer->store;
    enum ves_status status = store->ops->key_span_get(
        store, stream->stream_no, &key->agent, key->key_id, span);

    if (!status)
        ves_key_span_in(&stream->stream, key, span);
    return status;
}

/* ---- registering --------------------------------------------------------- */

static enum ves_status compare_key(const struct ves_key_row *row,
                                   const struct ves_key_row *old,
                                   struct ves_error *error)
{
    if (!ves_bytes_equal(ves_bytes(row->public_key.b, VES_KEY_SIZE),
                         ves_bytes(old->public_key.b, VES_KEY_SIZE)))
        return ves_fail(error, VES_CONFLICT,
                        "key %u of this agent is registered with another "
                        "public key, which stays; use the next key id",
                        (unsigned)row->key_id);
    if (old->revoked_at_ms != 0)
        return ves_fail(error, VES_CONFLICT,
                        "key %u of this agent is revoked and stays so; use the "
                        "next key id",
                        (unsigned)row->key_id);
    if (old->has_store &&
        (!row->has_store || !ves_uuid_equal(&row->store, &old->store)))
        return ves_fail(error, VES_CONFLICT,
                        "key %u of this agent is registered for another store "
                        "only; use the next key id",
                        (unsigned)row->key_id);
    return VES_OK;
}

static enum ves_status write_new_spans(struct ves_sequencer *sequencer,
                                       const struct ves_key_row *row,
                                       struct ves_arena *arena)
{
    struct ves_store *store = sequencer->store;
    struct ves_stream_item *first;
    enum ves_status status = VES_OK;

    if (row->has_store) {
        struct ves_stream id = {row->tenant, row->store};
        first = ves_arena_alloc(arena, sizeof(*first));
        if (!first)
            return VES_NOMEM;
        status = ves_sequencer_stream(sequencer, &id, &first->row);
    } else {
        status = ves_streams_list(store, &row->tenant, arena, &first);
    }
    for (struct ves_stream_item *s = first; !status && s; s = s->next) {
        struct ves_key_span span = {.is_found = true,
                                    .valid_from_sequence = s->row.head + 1};
        status = store->ops->key_span_put(store, s->row.stream_no, &row->agent,
                                          row->key_id, &span);
    }
    return status;
}

enum ves_status ves_keys_register(struct ves_sequencer *sequencer,
                                  const struct ves_key_row *row,
                                  struct ves_arena *arena,
                                  struct ves_error *error)
{
    struct ves_store *store = sequencer->store;
    struct ves_key_row old;

    enum ves_status status = store->ops->key_get(
        store, &row->tenant, &row->agent, row->key_id, arena, &old);
    if (!status)
        return compare_key(row, &old, error);
    if (status == VES_NOT_FOUND)
        status = store->ops->key_put(store, row);
    if (!status)
        status = write_new_spans(sequencer, row, arena);
    return status ? store_failed(store, status, error) : VES_OK;
}

/* ---- revoking ------------------------------------------------------------ */

static enum ves_status revoke_in(struct ves_sequencer *sequencer,
                                 const struct ves_stream_row *stream,
                                 const struct ves_key_row *key)
{
    struct ves_store *store = sequencer->store;
    struct ves_key_span span;

    /* key is the row before it is revoked, so a younger stream's span is one
     * that is open. */
    enum ves_status status =
        ves_sequencer_key_span(sequencer, stream, key, &span);
    if (status || !span.is_found || span.revoked_at_sequence != 0)
        return status;
    span.revoked_at_sequence = stream->head + 1;
    return store->ops->key_span_put(store, stream->stream_no, &key->agent,
                                    key->key_id, &span);
}

enum ves_status ves_keys_revoke(struct ves_sequencer *sequencer,
                                struct ves_key_row *key, int64_t now_ms,
                                struct ves_arena *arena)
{
    struct ves_store *store = sequencer->store;
    struct ves_stream_item *first;

    enum ves_status status =
        ves_streams_list(store, &key->tenant, arena, &first);
    for (struct ves_stream_item *s = first; !status && s; s = s->next)
        status = revoke_in(sequencer, &s->row, key);
    if (status)
        return status;
    key->revoked_at_ms = now_ms > 0 ? now_ms : 1; /* 0 would say: not */
    return store->ops->key_put(store, key);
}
