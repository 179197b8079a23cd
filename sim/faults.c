/* faults.c -- a store and a heap that fail when chance says so. */
#include "sim/faults.h"

#include "base/error.h"
#include "sim/rng.h"
#include "test/lib/test_store_counting.h"

#define UNWRAP(...) __VA_ARGS__

static struct sim_store *own(struct ves_store *s)
{
    return (struct sim_store *)(void *)s;
}

static enum ves_status refuse(struct ves_store *s, const char *why)
{
    return ves_fail(&s->error, VES_IO, "simulated: %s", why);
}

/* VES_OK if the call may go on to the real store. */
static enum ves_status trouble(struct ves_store *s)
{
    struct sim_faults *faults = own(s)->faults;

    if (faults->is_dead)
        return refuse(s, "the process is dead");
    if (!faults->is_on)
        return VES_OK;
    if (sim_chance(faults->rng, faults->crash_per_mille)) {
        faults->is_dead = true;
        faults->crashes++;
        return refuse(s, "the process died");
    }
    if (sim_chance(faults->rng, faults->fail_per_mille)) {
        faults->failures++;
        return refuse(s, "the disk failed");
    }
    return VES_OK;
}

static enum ves_status sim_begin(struct ves_store *s)
{
    enum ves_status status = trouble(s);

    return status ? status : own(s)->inner->ops->begin(own(s)->inner);
}

static enum ves_status sim_begin_flat(struct ves_store *s)
{
    enum ves_status status = trouble(s);

    return status ? status : own(s)->inner->ops->begin_flat(own(s)->inner);
}

static enum ves_status sim_begin_streams(struct ves_store *s,
                                         const struct ves_stream *streams,
                                         size_t count)
{
    struct ves_store *inner = own(s)->inner;
    enum ves_status status = trouble(s);

    return status ? status : inner->ops->begin_streams(inner, streams, count);
}

static enum ves_status sim_begin_read(struct ves_store *s)
{
    enum ves_status status = trouble(s);

    return status ? status : own(s)->inner->ops->begin_read(own(s)->inner);
}

static void sim_end_read(struct ves_store *s)
{
    own(s)->inner->ops->end_read(own(s)->inner);
}

/* The three ways a commit can go wrong: nothing done, all done but nobody
 * told, all done and the process dead. */
static enum ves_status sim_commit(struct ves_store *s)
{
    struct sim_faults *faults = own(s)->faults;
    enum ves_status status = trouble(s);

    if (status)
        return status;
    status = own(s)->inner->ops->commit(own(s)->inner);
    if (status || !faults->is_on ||
        !sim_chance(faults->rng, faults->late_per_mille))
        return status;
    faults->failures++;
    if (sim_chance(faults->rng, 500)) {
        faults->is_dead = true;
        faults->crashes++;
    }
    return refuse(s, "durable, but the answer was lost");
}

static void sim_rollback(struct ves_store *s)
{
    if (!own(s)->faults->is_dead)
        own(s)->inner->ops->rollback(own(s)->inner);
}

#define X(name, parameters, arguments)                                        \
    static enum ves_status sim_##name(struct ves_store *s, UNWRAP parameters) \
    {                                                                         \
        struct ves_store *inner = own(s)->inner;                              \
        enum ves_status status = trouble(s);                                  \
                                                                              \
        if (status)                                                           \
            return status;                                                    \
        status = inner->ops->name(inner, UNWRAP arguments);                   \
        if (status)                                                           \
            s->error = inner->error;                                          \
        return status;                                                        \
    }
TEST_STORE_OPS(X)
#undef X

static const struct ves_store_ops ops = {.begin = sim_begin,
                                         .begin_flat = sim_begin_flat,
                                         .begin_streams = sim_begin_streams,
                                         .begin_read = sim_begin_read,
                                         .end_read = sim_end_read,
                                         .commit = sim_commit,
                                         .rollback = sim_rollback,
#define X(name, parameters, arguments) .name = sim_##name,
                                         TEST_STORE_OPS(X)
#undef X
};

void sim_store_init(struct sim_store *store, struct ves_store *inner,
                    struct sim_faults *faults)
{
    *store = (struct sim_store){{&ops, {VES_OK, ""}}, inner, faults};
}

static void *sim_realloc(void *ctx, void *ptr, size_t size)
{
    struct sim_alloc *self = ctx;
    struct sim_faults *faults = self->faults;
    const struct ves_alloc *heap = ves_alloc_default();

    if (size > 0 && faults->is_on && !faults->is_dead &&
        sim_chance(faults->rng, faults->nomem_per_mille)) {
        faults->nomems++;
        return NULL;
    }
    return heap->realloc(heap->ctx, ptr, size);
}

void sim_alloc_init(struct sim_alloc *alloc, struct sim_faults *faults)
{
    *alloc = (struct sim_alloc){{sim_realloc, alloc}, faults};
}
