/* test_ops.c -- counts a store's calls and makes the n-th one fail. */
#include "test/lib/test_ops.h"

#include "base/assert.h"
#include "base/error.h"
#include "test/lib/test_store_counting.h"

#define UNWRAP(...) __VA_ARGS__

static struct test_ops state;
static const struct ves_store_ops *real;
static struct ves_store_ops table;

static bool is_next_failing(void)
{
    return ++state.calls == state.fail_at;
}

static enum ves_status fail(struct ves_store *s)
{
    return ves_fail(&s->error, state.failure, "the test says so");
}

static enum ves_status wrap_begin(struct ves_store *s)
{
    return is_next_failing() ? fail(s) : real->begin(s);
}

static enum ves_status wrap_commit(struct ves_store *s)
{
    bool fails = is_next_failing();

    state.commits++;
    if (fails && !state.is_late)
        return fail(s);
    enum ves_status status = real->commit(s);
    return fails ? fail(s) : status;
}

enum op {
#define X(name, parameters, arguments) OP_##name,
    TEST_STORE_OPS(X)
#undef X
};

static bool is_failing(enum op op)
{
    state.log_reads += op == OP_log_read;
    state.log_appends += op == OP_log_append;
    return is_next_failing();
}

#define X(name, parameters, arguments)                                         \
    static enum ves_status wrap_##name(struct ves_store *s, UNWRAP parameters) \
    {                                                                          \
        bool fails = is_failing(OP_##name);                                    \
                                                                               \
        if (fails && !state.is_late)                                           \
            return fail(s);                                                    \
        enum ves_status status = real->name(s, UNWRAP arguments);              \
        return fails ? fail(s) : status;                                       \
    }
TEST_STORE_OPS(X)
#undef X

static enum ves_status count_names(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_entity_name *names,
                                   size_t count, struct ves_arena *arena,
                                   struct ves_entity_row *rows)
{
    for (size_t i = 0; i < count; i++)
        state.nameless += names[i].type.len == 0;
    return wrap_entity_get(s, stream_no, names, count, arena, rows);
}

void test_ops_install(struct ves_store *store)
{
    VES_ASSERT(!real);
    real = store->ops;
    table = *real;
    table.begin = wrap_begin;
    table.commit = wrap_commit;
#define X(name, parameters, arguments) table.name = wrap_##name;
    TEST_STORE_OPS(X)
#undef X
    table.entity_get = count_names;
    store->ops = &table;
    test_ops_arm(0, false, VES_OK);
}

void test_ops_remove(struct ves_store *store)
{
    VES_ASSERT(store->ops == &table);
    store->ops = real;
    real = NULL;
}

void test_ops_arm(size_t fail_at, bool is_late, enum ves_status failure)
{
    state = (struct test_ops){
        .fail_at = fail_at, .is_late = is_late, .failure = failure};
}

const struct test_ops *test_ops(void)
{
    return &state;
}
