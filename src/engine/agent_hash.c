/* agent_hash.c -- the state hash (semantics.md decision 14).
 *
 * Only buckets that changed since last time are hashed again.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/entity.h"
#include "engine/agent_internal.h"

enum { TRIES = 3 };

/* Hashes of all buckets, being brought up to date. */
struct buckets {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_hash *hashes;
    bool *is_dirty;
};

static enum ves_status load(struct buckets *buckets, bool *has_dirty)
{
    struct ves_agent_core *core = buckets->core;

    enum ves_status status = core->store->ops->bucket_get_all(
        core->store, core->stream_no, buckets->hashes, buckets->is_dirty);
    *has_dirty = !status && memchr(buckets->is_dirty, true, VES_STATE_BUCKETS);
    return status;
}

/* An entity without a state is outside the state hash. */
static enum ves_status hash_bucket(struct buckets *buckets, unsigned bucket,
                                   struct ves_arena *arena)
{
    struct ves_agent_core *core = buckets->core;
    struct ves_state_pair *pairs;
    size_t count;

    ves_arena_reset(arena);
    enum ves_status status = core->store->ops->bucket_read(
        core->store, core->stream_no, (uint16_t)bucket, arena, &pairs, &count);
    if (!status)
        ves_state_bucket_hash(pairs, count, &buckets->hashes[bucket]);
    return status;
}

static enum ves_status hash_dirty(struct buckets *buckets)
{
    struct ves_arena arena;
    enum ves_status status = VES_OK;

    ves_arena_init(&arena, buckets->core->alloc, VES_DEVICE_ARENA_MAX);
    for (unsigned b = 0; b < VES_STATE_BUCKETS && !status; b++) {
        if (buckets->is_dirty[b])
            status = hash_bucket(buckets, b, &arena);
    }
    ves_arena_free(&arena);
    return status;
}

static enum ves_status store_dirty(struct buckets *buckets)
{
    struct ves_agent_core *core = buckets->core;
    enum ves_status status = VES_OK;

    for (unsigned b = 0; b < VES_STATE_BUCKETS && !status; b++) {
        if (buckets->is_dirty[b])
            status = core->store->ops->bucket_put(
                core->store, core->stream_no, (uint16_t)b, &buckets->hashes[b]);
    }
    return status;
}

/* Brings the store's bucket hashes up to date. */
static enum ves_status clean(struct buckets *buckets)
{
    bool has_dirty;

    enum ves_status status = ves_device_begin(buckets->core);
    if (status)
        return status;
    status = load(buckets, &has_dirty);
    if (!status && has_dirty)
        status = hash_dirty(buckets);
    if (!status && has_dirty)
        status = store_dirty(buckets);
    return ves_device_end(buckets->core, status);
}

/* Without a transaction the reads may straddle somebody's commit; then the
 * cursor has moved and they are done again. */
static enum ves_status read_all(struct buckets *buckets, uint64_t *cursor)
{
    struct ves_agent_core *core = buckets->core;
    uint64_t after = 0;
    bool has_dirty;

    for (int i = 0; i < TRIES; i++) {
        enum ves_status status = ves_device_cursor(core, cursor);
        if (!status)
            status = load(buckets, &has_dirty);
        /* Somebody else may be writing, or nobody may write at all: then it
         * is hashed for this once. */
        if (!status && has_dirty && i == 0 && clean(buckets) == VES_OK)
            status = load(buckets, &has_dirty);
        if (!status && has_dirty)
            status = hash_dirty(buckets);
        if (!status)
            status = ves_device_cursor(core, &after);
        if (status || after == *cursor)
            return status;
    }
    return ves_fail(&core->error, VES_AGAIN,
                    "the store kept changing while its state was hashed");
}

static enum ves_status hash_state(struct buckets *buckets, uint64_t *cursor,
                                  struct ves_hash *out)
{
    buckets->hashes = ves_arena_list(buckets->arena, VES_STATE_BUCKETS,
                                     sizeof(*buckets->hashes));
    buckets->is_dirty = ves_arena_list(buckets->arena, VES_STATE_BUCKETS,
                                       sizeof(*buckets->is_dirty));
    if (!buckets->hashes || !buckets->is_dirty)
        return VES_NOMEM;
    enum ves_status status = read_all(buckets, cursor);
    if (!status)
        ves_state_root_hash(buckets->hashes, out);
    return status;
}

enum ves_status ves_device_unknown_schema(struct ves_agent_core *core,
                                          uint64_t *sequence)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, 4096);
    enum ves_status status = ves_device_number_get(
        core, &arena, VES_DEVICE_UNKNOWN_SCHEMA, 0, 0, INT64_MAX, sequence);
    ves_arena_free(&arena);
    return status;
}

/* decision 5: what is folded without a rule that others have is no state to
 * compare with theirs. */
static enum ves_status check_schemas(struct ves_agent_core *core)
{
    uint64_t sequence;

    enum ves_status status = ves_device_unknown_schema(core, &sequence);
    if (status || sequence == 0)
        return status;
    return ves_fail(&core->error, VES_UNSUPPORTED,
                    "the state hash cannot be computed: event %llu names a "
                    "rule that this program lacks; it is kept. Update this "
                    "program",
                    (unsigned long long)sequence);
}

enum ves_status ves_device_state_hash(struct ves_agent_core *core,
                                      uint64_t *cursor, struct ves_hash *out)
{
    struct ves_arena arena;
    struct buckets buckets = {.core = core, .arena = &arena};

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = check_schemas(core);
    if (!status)
        status = hash_state(&buckets, cursor, out);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

enum ves_status ves_core_state_hash(struct ves_agent_core *core,
                                    struct ves_hash *out)
{
    uint64_t cursor;
    return ves_device_state_hash(core, &cursor, out);
}
