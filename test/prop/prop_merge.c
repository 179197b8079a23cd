/* prop_merge.c -- laws of the three-way merges, over random states.
 *
 * semantics.md 3.5: merge(B,L,R) = merge(B,R,L) but for declared ties,
 * merge(B,X,X) = X, merge(B,B,X) = X; what one side changed alone arrives; a
 * merge that is not clean names places where all three differ.
 *
 * VES_SEED and VES_RUNS change the seed and the number of states.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/merge.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

enum { RUNS = 20000 };

static const char *const functions[] = {"fields/1", "order/1", "customer/1",
                                        "deltas/1"};
enum { FUNCTIONS = sizeof(functions) / sizeof(functions[0]) };

static struct ves_arena arena;
static struct ves_buf text;
static uint64_t random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(next_random() % n);
}

/* ---- random states ------------------------------------------------------- */

static void put_scalar(void)
{
    static const char *const values[] = {"null",  "true", "false", "\"a\"",
                                         "\"b\"", "1",    "2.5",   "\"3\"",
                                         "{}",    "[]"};
    ves_buf_put_str(&text, values[below(10)]);
}

static void put_items(const char *key, const char *word, bool may_repeat)
{
    unsigned n = below(4), id = 0;

    ves_buf_put_u8(&text, '[');
    for (unsigned i = 0; i < n; i++) {
        id = may_repeat ? below(4) : id + 1 + below(2);
        ves_buf_putf(&text, "%s{\"%s\":\"%c\",\"total_minor\":%u", i ? "," : "",
                     key, (char)('a' + id), below(3) * 100);
        if (below(2))
            ves_buf_putf(&text, ",\"state\":\"%s\"",
                         below(2) ? word : "withdrawn");
        ves_buf_put_u8(&text, '}');
    }
    ves_buf_put_u8(&text, ']');
}

static void put_member(const char *name, unsigned depth);

static void put_object(unsigned depth)
{
    static const char *const names[] = {"a", "b/c", "d~"};
    bool is_first = true;

    ves_buf_put_u8(&text, '{');
    for (unsigned i = 0; i < 3; i++) {
        if (below(3) == 0)
            continue;
        ves_buf_put_str(&text, is_first ? "\"" : ",\"");
        ves_buf_put_str(&text, names[i]);
        ves_buf_put_str(&text, "\":");
        put_member("", depth + 1);
        is_first = false;
    }
    ves_buf_put_u8(&text, '}');
}

static void put_tags(void)
{
    unsigned n = below(4);

    ves_buf_put_u8(&text, '[');
    for (unsigned i = 0; i < n; i++)
        ves_buf_putf(&text, "%s\"%c\"", i ? "," : "", (char)('p' + below(5)));
    ves_buf_put_u8(&text, ']');
}

static void put_member(const char *name, unsigned depth)
{
    if (strcmp(name, "tags") == 0 || strcmp(name, "notes") == 0)
        put_tags();
    else if (strcmp(name, "lines") == 0)
        put_items("line_uid", "x", below(8) == 0);
    else if (strcmp(name, "consents") == 0 && below(2))
        put_items("purpose", below(4) ? "granted" : "perhaps", false);
    else if (strcmp(name, "totals") == 0)
        ves_buf_putf(&text, "{\"total\":%u}", below(4) * 100);
    else if (strcmp(name, "loyalty_points") == 0)
        ves_buf_putf(&text, "%u", below(9));
    else if (depth < 3 && below(3) == 0)
        put_object(depth);
    else
        put_scalar();
}

/* Sometimes the state before with a member or two changed. */
static const struct ves_json *random_state_of(void)
{
    static const char *const names[] = {"consents",       "email", "lines",
                                        "loyalty_points", "notes", "tags",
                                        "totals",         "x"};
    bool is_first = true;

    ves_buf_reset(&text);
    ves_buf_put_u8(&text, '{');
    for (unsigned i = 0; i < 8; i++) {
        if (below(3) == 0)
            continue;
        ves_buf_putf(&text, "%s\"%s\":", is_first ? "" : ",", names[i]);
        put_member(names[i], 0);
        is_first = false;
    }
    ves_buf_put_u8(&text, '}');
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    struct ves_bytes copy;
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&text), &copy),
                     VES_OK);
    return test_json(&arena, (const char *)copy.ptr);
}

/* Mostly like base, so that merges are often clean. */
static const struct ves_json *changed(const struct ves_json *base)
{
    const struct ves_json *other = random_state_of();
    bool is_first = true;

    ves_buf_reset(&text);
    ves_buf_put_u8(&text, '{');
    for (unsigned pass = 0; pass < 2; pass++) {
        const struct ves_json *from = pass ? other : base;
        for (const struct ves_json *m = from->first; m; m = m->next) {
            bool is_both = ves_json_member_bytes(pass ? base : other, m->key);
            bool takes = pass ? (!is_both && below(4) == 0)
                              : (!is_both ? below(6) > 0 : true);
            const struct ves_json *value =
                !pass && is_both && below(3) == 0
                    ? ves_json_member_bytes(other, m->key)
                    : m;
            if (!takes)
                continue;
            if (!is_first)
                ves_buf_put_u8(&text, ',');
            ves_jcs_write_string(&text, m->key);
            ves_buf_put_u8(&text, ':');
            assert_int_equal(ves_jcs_write(&text, &arena, value), VES_OK);
            is_first = false;
        }
    }
    ves_buf_put_str(&text, "}");
    ves_buf_put_u8(&text, 0);
    assert_int_equal(ves_buf_status(&text), VES_OK);
    struct ves_bytes copy;
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&text), &copy),
                     VES_OK);
    return test_json(&arena, (const char *)copy.ptr);
}

/* ---- laws ---------------------------------------------------------------- */

static struct ves_merge_result merged(const char *function,
                                      const struct ves_json *base,
                                      const struct ves_json *local,
                                      const struct ves_json *remote)
{
    struct ves_merge_result result;
    assert_int_equal(ves_merge(&arena, function, base, local, remote, &result),
                     VES_OK);
    return result;
}

static bool same(const struct ves_json *a, const struct ves_json *b)
{
    return a && b ? ves_json_equal(a, b) : a == b;
}

static void explain(const char *law, const char *function,
                    const struct ves_json *list[], size_t count)
{
    print_error("%s, %s\n", law, function);
    for (size_t i = 0; i < count; i++) {
        ves_buf_reset(&text);
        if (list[i])
            assert_int_equal(ves_jcs_write(&text, &arena, list[i]), VES_OK);
        print_error("  %.*s\n", (int)text.len, (const char *)text.ptr);
    }
    fail();
}

static void check_laws(const char *function, const struct ves_json *base,
                       const struct ves_json *local,
                       const struct ves_json *remote, unsigned *clean)
{
    struct ves_merge_result one = merged(function, base, local, remote);
    struct ves_merge_result two = merged(function, base, remote, local);
    const struct ves_json *all[] = {base, local, remote, one.value, two.value};

    if (one.is_clean != two.is_clean ||
        one.overlap_count != two.overlap_count ||
        (one.is_clean && !same(one.value, two.value)))
        explain("order of sides", function, all, 5);
    for (size_t i = 0; i < one.overlap_count; i++) {
        const struct ves_merge_overlap *o = &one.overlaps[i];
        const struct ves_merge_overlap *p = &two.overlaps[i];
        if (!ves_bytes_equal(o->path, p->path) || !same(o->local, p->remote) ||
            !same(o->remote, p->local) || same(o->local, o->remote) ||
            same(o->local, o->base) || same(o->remote, o->base))
            explain("overlaps", function, all, 5);
    }
    if (!one.is_clean && one.overlap_count == 0)
        explain("unclean without a place", function, all, 5);
    *clean += one.is_clean;

    struct ves_merge_result x = merged(function, base, local, local);
    all[3] = x.value;
    if (!x.is_clean || !same(x.value, local))
        explain("merge(B,X,X) = X", function, all, 4);
    x = merged(function, base, base, remote);
    all[3] = x.value;
    if (!x.is_clean || !same(x.value, remote))
        explain("merge(B,B,X) = X", function, all, 4);
    if (!one.is_clean)
        return;
    /* Once merged, merging again changes nothing. */
    x = merged(function, one.value, one.value, one.value);
    if (!x.is_clean || !same(x.value, one.value))
        explain("idempotence", function, all, 3);
}

static uint64_t number_from(const char *name, uint64_t fallback)
{
    const char *value = getenv(name);
    return value ? strtoull(value, NULL, 0) : fallback;
}

static void laws(void **state)
{
    uint64_t seed = number_from("VES_SEED", 1);
    uint64_t runs = number_from("VES_RUNS", RUNS);
    unsigned clean[FUNCTIONS] = {0};

    (void)state;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)seed);
    random_state = seed;
    for (uint64_t i = 0; i < runs; i++) {
        const struct ves_json *base = below(10) ? random_state_of() : NULL;
        const struct ves_json *local =
            base && below(8) ? changed(base) : random_state_of();
        const struct ves_json *remote =
            base && below(8) ? changed(base) : random_state_of();
        for (size_t f = 0; f < FUNCTIONS; f++)
            check_laws(functions[f], base, local, remote, &clean[f]);
        ves_arena_reset(&arena);
    }
    /* A generator gone poor would prove nothing. */
    for (size_t f = 0; f < FUNCTIONS; f++) {
        assert_true(clean[f] > runs / 20);
        assert_true(clean[f] < runs * 19 / 20);
    }
}

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 28);
    ves_buf_init(&text, ves_alloc_default(), (size_t)1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    ves_buf_free(&text);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(laws)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
