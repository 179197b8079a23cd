/* test_store_counting.c -- a store that counts what is asked of another. */
#include "test/lib/test_store_counting.h"

#include <string.h>

#define UNWRAP(...) __VA_ARGS__

static enum ves_status count_begin(struct ves_store *s)
{
    struct test_counting *c = (struct test_counting *)s;
    enum ves_status status = c->inner->ops->begin(c->inner);

    c->calls.begin++;
    s->error = c->inner->error;
    return status;
}

static enum ves_status count_begin_flat(struct ves_store *s)
{
    struct test_counting *c = (struct test_counting *)s;
    enum ves_status status = c->inner->ops->begin_flat(c->inner);

    c->calls.begin++;
    s->error = c->inner->error;
    return status;
}

static enum ves_status count_begin_streams(struct ves_store *s,
                                           const struct ves_stream *streams,
                                           size_t count)
{
    struct test_counting *c = (struct test_counting *)s;
    enum ves_status status =
        c->inner->ops->begin_streams(c->inner, streams, count);

    c->calls.begin++;
    s->error = c->inner->error;
    return status;
}

static enum ves_status count_begin_read(struct ves_store *s)
{
    struct test_counting *c = (struct test_counting *)s;
    enum ves_status status = c->inner->ops->begin_read(c->inner);

    s->error = c->inner->error;
    return status;
}

static void count_end_read(struct ves_store *s)
{
    struct test_counting *c = (struct test_counting *)s;

    c->inner->ops->end_read(c->inner);
}

static enum ves_status count_commit(struct ves_store *s)
{
    struct test_counting *c = (struct test_counting *)s;
    enum ves_status status = c->inner->ops->commit(c->inner);

    c->calls.commit++;
    s->error = c->inner->error;
    return status;
}

static void count_rollback(struct ves_store *s)
{
    struct test_counting *c = (struct test_counting *)s;

    c->calls.rollback++;
    c->inner->ops->rollback(c->inner);
}

#define X(name, parameters, arguments)                       \
    static enum ves_status count_##name(struct ves_store *s, \
                                        UNWRAP parameters)   \
    {                                                        \
        struct test_counting *c = (struct test_counting *)s; \
        enum ves_status status =                             \
            c->inner->ops->name(c->inner, UNWRAP arguments); \
                                                             \
        c->calls.name++;                                     \
        s->error = c->inner->error;                          \
        return status;                                       \
    }
TEST_STORE_OPS(X)
#undef X

static const struct ves_store_ops ops = {.begin = count_begin,
                                         .begin_flat = count_begin_flat,
                                         .begin_streams = count_begin_streams,
                                         .begin_read = count_begin_read,
                                         .end_read = count_end_read,
                                         .commit = count_commit,
                                         .rollback = count_rollback,
#define X(name, parameters, arguments) .name = count_##name,
                                         TEST_STORE_OPS(X)
#undef X
};

void test_counting_init(struct test_counting *counting, struct ves_store *inner)
{
    memset(counting, 0, sizeof *counting);
    counting->store.ops = &ops;
    counting->inner = inner;
}

void test_counting_reset(struct test_counting *counting)
{
    memset(&counting->calls, 0, sizeof counting->calls);
}

uint64_t test_counting_total(const struct test_counting *counting)
{
    uint64_t total = 0;

#define X(name, parameters, arguments) total += counting->calls.name;
    TEST_STORE_OPS(X)
#undef X
    return total;
}
