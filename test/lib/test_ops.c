/* test_ops.c -- counts a store's calls and makes the n-th one fail. */
#include "test/lib/test_ops.h"

#include "base/assert.h"
#include "base/error.h"

static struct test_ops state;
static const struct ves_store_ops *real;
static struct ves_store_ops table;

static bool is_failing(struct ves_store *s)
{
    if (++state.calls != state.fail_at)
        return false;
    (void)ves_fail(&s->error, state.failure, "the test says so");
    return true;
}

/* One wrapper each; the first parameter is the store. */
#define OPS(X)                                                                 \
    X(begin, (struct ves_store * s), (s))                                      \
    X(commit, (struct ves_store * s), (s))                                     \
    X(stream_get,                                                              \
      (struct ves_store * s, const struct ves_stream *a, bool b,               \
       struct ves_stream_row *c),                                              \
      (s, a, b, c))                                                            \
    X(stream_put, (struct ves_store * s, const struct ves_stream_row *a),      \
      (s, a))                                                                  \
    X(stream_list, (struct ves_store * s, ves_stream_visitor * a, void *b),    \
      (s, a, b))                                                               \
    X(log_find_ids,                                                            \
      (struct ves_store * s, uint32_t a, const struct ves_uuid *b, size_t c,   \
       struct ves_id_row *d),                                                  \
      (s, a, b, c, d))                                                         \
    X(log_find_commands,                                                       \
      (struct ves_store * s, uint32_t a, const struct ves_uuid *b, size_t c,   \
       struct ves_id_row *d),                                                  \
      (s, a, b, c, d))                                                         \
    X(log_append,                                                              \
      (struct ves_store * s, uint32_t a, const struct ves_log_row *b,          \
       size_t c),                                                              \
      (s, a, b, c))                                                            \
    X(log_read,                                                                \
      (struct ves_store * s, uint32_t a, uint64_t b, uint32_t c,               \
       ves_log_visitor * d, void *e),                                          \
      (s, a, b, c, d, e))                                                      \
    X(entity_get,                                                              \
      (struct ves_store * s, uint32_t a, const struct ves_hash *b, size_t c,   \
       struct ves_arena *d, struct ves_entity_row *e),                         \
      (s, a, b, c, d, e))                                                      \
    X(entity_put,                                                              \
      (struct ves_store * s, uint32_t a, const struct ves_entity_row *b,       \
       size_t c),                                                              \
      (s, a, b, c))                                                            \
    X(record_append,                                                           \
      (struct ves_store * s, enum ves_record_kind a, uint32_t b,               \
       const struct ves_record *c, size_t d),                                  \
      (s, a, b, c, d))                                                         \
    X(key_get,                                                                 \
      (struct ves_store * s, const struct ves_uuid *a,                         \
       const struct ves_uuid *b, uint32_t c, struct ves_arena *d,              \
       struct ves_key_row *e),                                                 \
      (s, a, b, c, d, e))                                                      \
    X(key_put, (struct ves_store * s, const struct ves_key_row *a), (s, a))    \
    X(key_span_get,                                                            \
      (struct ves_store * s, uint32_t a, const struct ves_uuid *b, uint32_t c, \
       struct ves_key_span *d),                                                \
      (s, a, b, c, d))                                                         \
    X(key_span_put,                                                            \
      (struct ves_store * s, uint32_t a, const struct ves_uuid *b, uint32_t c, \
       const struct ves_key_span *d),                                          \
      (s, a, b, c, d))                                                         \
    X(key_list,                                                                \
      (struct ves_store * s, const struct ves_uuid *a,                         \
       const struct ves_uuid *b, uint32_t c, ves_key_visitor *d, void *e),     \
      (s, a, b, c, d, e))                                                      \
    X(commitment_put,                                                          \
      (struct ves_store * s, uint32_t a, const struct ves_commitment_row *b),  \
      (s, a, b))                                                               \
    X(commitment_covering,                                                     \
      (struct ves_store * s, uint32_t a, uint64_t b,                           \
       struct ves_commitment_row * c),                                         \
      (s, a, b, c))

enum op {
#define X(name, params, args) OP_##name,
    OPS(X)
#undef X
};

static void note(enum op op)
{
    state.log_reads += op == OP_log_read;
    state.log_appends += op == OP_log_append;
    state.commits += op == OP_commit;
}

#define X(name, params, args)                                         \
    static enum ves_status wrap_##name params                         \
    {                                                                 \
        bool fails = is_failing(s);                                   \
        note(OP_##name);                                              \
        if (fails && (!state.is_late || OP_##name == OP_begin))       \
            return state.failure;                                     \
        enum ves_status status = real->name args;                     \
        return fails ? ves_fail(&s->error, state.failure, "too late") \
                     : status;                                        \
    }
OPS(X)
#undef X

void test_ops_install(struct ves_store *store)
{
    VES_ASSERT(!real);
    real = store->ops;
    table = *real;
#define X(name, params, args) table.name = wrap_##name;
    OPS(X)
#undef X
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
