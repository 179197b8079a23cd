/* sequencer_rejudge.c -- every stream judged again after a change of the
 * rules, so that the sequencer says of old events what its readers say.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/types.h"
#include "crypto/crypto.h"
#include "engine/log_tree.h"
#include "engine/rejudge.h"
#include "engine/sequencer.h"
#include "engine/streams.h"

#define META_VERSION "judge.version"

enum { ARENA_MAX = 256 * 1024 * 1024, VERSION_MAX = 24 };

struct slot {
    struct ves_verdict_entity entity; /* first: the judge knows it as this */
    struct ves_entity_name name;
    bool is_loaded;
    struct slot *next;
};

/* One stream, chunk by chunk. */
struct rejudge {
    struct ves_sequencer *sequencer;
    struct ves_stream_row stream;
    struct ves_uuid secret;
    struct ves_arena *arena; /* of the chunk */
    struct ves_map slots;
    struct slot *first;
    size_t count;
    struct ves_verdicts verdicts;
};

static enum ves_status find_slot(struct rejudge *rejudge,
                                 const struct ves_entity_name *name,
                                 struct slot **out)
{
    void **place = ves_map_slot(&rejudge->slots, name->key.b);

    if (!place)
        return VES_NOMEM;
    if (!*place) {
        struct slot *slot = ves_arena_alloc(rejudge->arena, sizeof(*slot));
        if (!slot)
            return VES_NOMEM;
        slot->name = *name;
        slot->next = rejudge->first;
        rejudge->first = slot;
        rejudge->count++;
        *place = slot;
    }
    *out = *place;
    return VES_OK;
}

static enum ves_status load_entity(struct rejudge *rejudge,
                                   const struct ves_entity_name *name,
                                   struct slot **out)
{
    struct ves_store *store = rejudge->sequencer->store;
    struct slot *slot;

    enum ves_status status = find_slot(rejudge, name, &slot);
    if (!status && !slot->is_loaded) {
        status = store->ops->entity_get(store, rejudge->stream.stream_no,
                                        &slot->name, 1, rejudge->arena,
                                        &slot->entity.row);
        if (status)
            return status;
        slot->entity.row.key = name->key;
        ves_verdict_entity_open(&slot->entity);
        slot->is_loaded = true;
    }
    *out = status ? NULL : slot;
    return status;
}

static enum ves_status get_entity(void *ctx, const struct ves_hash *key,
                                  struct ves_verdict_entity **out)
{
    const struct ves_entity_name name = {.key = *key};
    struct slot *slot;

    enum ves_status status = load_entity(ctx, &name, &slot);
    *out = status ? NULL : &slot->entity;
    return status;
}

static enum ves_status name_entity(void *ctx,
                                   const struct ves_entity_name *name)
{
    struct slot *slot;

    return load_entity(ctx, name, &slot);
}

static enum ves_status name_entities(struct rejudge *rejudge,
                                     const struct ves_rejudge_chunk *chunk)
{
    struct slot *slot;

    enum ves_status status =
        ves_map_init(&rejudge->slots, chunk->arena, VES_HASH_SIZE,
                     chunk->name_count, &rejudge->secret);
    for (size_t i = 0; !status && i < chunk->name_count; i++)
        status = find_slot(rejudge, &chunk->names[i], &slot);
    return status;
}

static enum ves_status begin(void *ctx, const struct ves_rejudge_chunk *chunk,
                             struct ves_verdicts **v)
{
    struct rejudge *rejudge = ctx;
    const struct ves_verdict_host host = {
        .ctx = rejudge, .entity = get_entity, .named = name_entity};

    rejudge->arena = chunk->arena;
    rejudge->first = NULL;
    rejudge->count = 0;
    *v = &rejudge->verdicts;
    enum ves_status status = name_entities(rejudge, chunk);
    return status ? status
                  : ves_verdicts_open(
                        &rejudge->verdicts, rejudge->sequencer->store,
                        rejudge->stream.stream_no, rejudge->sequencer->alloc,
                        chunk->arena, &host, chunk->rules, &rejudge->secret,
                        chunk->base, chunk->count);
}

static enum ves_status link(void *ctx, const struct ves_event *event,
                            const struct ves_log_row *row)
{
    struct ves_verdict_entity *entity;

    enum ves_status status = get_entity(ctx, &row->entity_key, &entity);
    if (status)
        return status;
    ves_rejudge_link(&entity->row, event, row);
    entity->is_changed = true;
    return VES_OK;
}

static enum ves_status save(struct rejudge *rejudge)
{
    struct ves_store *store = rejudge->sequencer->store;
    struct ves_entity_row *rows =
        ves_arena_alloc(rejudge->arena, rejudge->count * sizeof(*rows));
    size_t n = 0;

    if (!rows)
        return VES_NOMEM;
    for (const struct slot *s = rejudge->first; s; s = s->next) {
        if (s->entity.is_changed)
            rows[n++] = s->entity.row;
    }
    return store->ops->entity_put(store, rejudge->stream.stream_no, rows, n);
}

static enum ves_status end(void *ctx, enum ves_status status)
{
    struct rejudge *rejudge = ctx;

    if (!status)
        status = save(rejudge);
    ves_verdicts_close(&rejudge->verdicts);
    return status;
}

/* ---- all streams --------------------------------------------------------- */

static enum ves_status judge_stream(struct ves_sequencer *sequencer,
                                    const struct ves_stream_row *row)
{
    struct rejudge rejudge = {.sequencer = sequencer, .stream = *row};
    const struct ves_rejudge_host host = {&rejudge, begin, link, end};
    struct ves_store *store = sequencer->store;
    struct ves_hash hash;
    bool is_pruned;

    /* Nobody sends anything while this runs; what there is was accepted. */
    ves_sha256_one(row->stream.store.b, VES_UUID_SIZE, &hash);
    memcpy(rejudge.secret.b, hash.b, VES_UUID_SIZE);
    enum ves_status status =
        ves_rejudge(store, row->stream_no, sequencer->alloc,
                    row->has_owner_key ? &row->owner_key : NULL, row->head,
                    &host, &is_pruned);
    if (!status && is_pruned)
        return ves_fail(&store->error, VES_UNSUPPORTED,
                        "the log was pruned, so it cannot be judged by the "
                        "rules of this program; nothing was changed");
    return status;
}

static enum ves_status judge_streams(struct ves_sequencer *sequencer,
                                     struct ves_arena *arena)
{
    struct ves_store *store = sequencer->store;
    struct ves_stream_item *first;
    struct ves_buf buf;

    enum ves_status status = ves_streams_list(store, NULL, arena, &first);
    for (struct ves_stream_item *s = first; s && !status; s = s->next)
        status = judge_stream(sequencer, &s->row);
    if (status)
        return status;
    ves_buf_init(&buf, sequencer->alloc, VERSION_MAX);
    ves_buf_put_decimal(&buf, VES_JUDGE_VERSION);
    status = ves_buf_status(&buf);
    if (!status)
        status = store->ops->meta_put(store, META_VERSION, ves_buf_view(&buf));
    ves_buf_free(&buf);
    return status;
}

static enum ves_status read_version(struct ves_store *store,
                                    struct ves_arena *arena, uint64_t *version)
{
    struct ves_bytes text;

    *version = 0;
    enum ves_status status =
        store->ops->meta_get(store, META_VERSION, arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (!status && ves_decimal_parse(text, version))
        *version = 0;
    return status;
}

static enum ves_status upgrade(struct ves_sequencer *sequencer,
                               struct ves_arena *arena)
{
    struct ves_store *store = sequencer->store;
    uint64_t version;

    enum ves_status status = read_version(store, arena, &version);
    if (status || version == (uint64_t)VES_JUDGE_VERSION)
        return status;
    if (version > (uint64_t)VES_JUDGE_VERSION)
        return ves_fail(&store->error, VES_UNSUPPORTED,
                        "this log was judged by a newer program (judge %llu, "
                        "this one knows %d); nothing was changed. Update this "
                        "program",
                        (unsigned long long)version, (int)VES_JUDGE_VERSION);
    status = store->ops->begin(store);
    if (status)
        return status;
    status = judge_streams(sequencer, arena);
    if (!status)
        return store->ops->commit(store);
    struct ves_error words = store->error;
    store->ops->rollback(store);
    store->error = words;
    return status;
}

enum ves_status ves_sequencer_upgrade(struct ves_sequencer *sequencer)
{
    struct ves_arena arena;

    ves_arena_init(&arena, sequencer->alloc, ARENA_MAX);
    enum ves_status status = ves_log_tree_plant(sequencer);
    if (!status)
        status = upgrade(sequencer, &arena);
    ves_arena_free(&arena);
    return status;
}
