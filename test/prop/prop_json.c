/* prop_json.c -- random trees: whatever way they are spelled, they read as
 * the same value and have one canonical form.
 *
 * $VES_SEED chooses the trees; the seed is printed.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "json/jcs.h"
#include "json/json.h"
#include "json/number.h"

enum { TREES = 4000, CHILDREN_MAX = 40, DEPTH_MAX = 5 };

static uint64_t seed;
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static uint64_t below(uint64_t n)
{
    return (next_random() >> 11) % n;
}

/* A value of the model; the tests write and compare it by themselves. */
struct model {
    char type; /* n t f d s a o */
    double number;
    uint32_t text[12]; /* code points, of a string or of a member's name */
    size_t text_len;
    uint32_t key[12];
    size_t key_len;
    size_t count;
    struct model *child[CHILDREN_MAX];
};

static struct ves_arena arena;

static uint32_t pick_point(void)
{
    static const uint32_t edges[] = {0,       8,       0x1F,    ' ',    '"',
                                     '\\',    '/',     0x7F,    0x80,   0x7FF,
                                     0x800,   0xD7FF,  0xE000,  0xFFFD, 0xFFFF,
                                     0x10000, 0x1F600, 0x10FFFF};
    if (below(2))
        return (uint32_t)('a' + below(4));
    return edges[below(sizeof(edges) / sizeof(edges[0]))];
}

static size_t pick_text(uint32_t *out)
{
    size_t len = below(12);
    for (size_t i = 0; i < len; i++)
        out[i] = pick_point();
    return len;
}

static double pick_number(void)
{
    switch (below(4)) {
    case 0:
        return (double)below(1000);
    case 1:
        return -(double)below(1000000) / 100;
    case 2:
        return (double)(int64_t)next_random();
    default: {
        double value;
        uint64_t bits = next_random();
        memcpy(&value, &bits, sizeof(value));
        return isfinite(value) ? value : 0;
    }
    }
}

static bool same_key(const struct model *a, const struct model *b)
{
    return a->key_len == b->key_len &&
           memcmp(a->key, b->key, a->key_len * sizeof(a->key[0])) == 0;
}

static struct model *make(size_t depth)
{
    struct model *m = ves_arena_alloc(&arena, sizeof(*m));
    assert_non_null(m);
    m->type = "ntfdsao"[below(depth < DEPTH_MAX ? 7 : 5)];
    if (depth == 0)
        m->type = below(2) ? 'a' : 'o';
    m->number = m->type == 'd' ? pick_number() : 0;
    m->text_len = m->type == 's' ? pick_text(m->text) : 0;
    if (m->type != 'a' && m->type != 'o')
        return m;
    size_t count = below(8) ? below(5) : below(CHILDREN_MAX + 1);
    while (m->count < count) {
        struct model *child = make(depth + 1);
        bool doubled = false;
        if (m->type == 'o') {
            child->key_len = pick_text(child->key);
            for (size_t i = 0; i < m->count; i++)
                doubled |= same_key(m->child[i], child);
        }
        if (doubled)
            count--;
        else
            m->child[m->count++] = child;
    }
    return m;
}

static void put_blanks(struct ves_buf *buf)
{
    for (uint64_t n = below(4); n > 1; n--)
        ves_buf_put_u8(buf, (uint8_t) " \t\r\n"[below(4)]);
}

static void put_unit(struct ves_buf *buf, uint32_t unit)
{
    ves_buf_putf(buf, below(2) ? "\\u%04x" : "\\u%04X", unit);
}

static void put_point(struct ves_buf *buf, uint32_t c)
{
    if (c < 0x20 || c == '"' || c == '\\' || below(4) == 0) {
        if (c == '\n' && below(2)) {
            ves_buf_put_str(buf, "\\n");
        } else if ((c == '"' || c == '\\' || c == '/') && below(2)) {
            ves_buf_put_u8(buf, '\\');
            ves_buf_put_u8(buf, (uint8_t)c);
        } else if (c >= 0x10000) {
            put_unit(buf, 0xD800 + ((c - 0x10000) >> 10));
            put_unit(buf, 0xDC00 + ((c - 0x10000) & 1023));
        } else {
            put_unit(buf, c);
        }
        return;
    }
    if (c < 0x80) {
        ves_buf_put_u8(buf, (uint8_t)c);
        return;
    }
    if (c < 0x800) {
        ves_buf_put_u8(buf, (uint8_t)(0xC0 | c >> 6));
    } else {
        if (c < 0x10000) {
            ves_buf_put_u8(buf, (uint8_t)(0xE0 | c >> 12));
        } else {
            ves_buf_put_u8(buf, (uint8_t)(0xF0 | c >> 18));
            ves_buf_put_u8(buf, (uint8_t)(0x80 | (c >> 12 & 63)));
        }
        ves_buf_put_u8(buf, (uint8_t)(0x80 | (c >> 6 & 63)));
    }
    ves_buf_put_u8(buf, (uint8_t)(0x80 | (c & 63)));
}

static void put_text(struct ves_buf *buf, const uint32_t *text, size_t len)
{
    ves_buf_put_u8(buf, '"');
    for (size_t i = 0; i < len; i++)
        put_point(buf, text[i]);
    ves_buf_put_u8(buf, '"');
}

/* Spells the model at random: blanks, escapes, the order of members, the way
 * a number is written. */
static void spell(struct ves_buf *buf, struct model *m)
{
    put_blanks(buf);
    switch (m->type) {
    case 'n':
        ves_buf_put_str(buf, "null");
        break;
    case 't':
        ves_buf_put_str(buf, "true");
        break;
    case 'f':
        ves_buf_put_str(buf, "false");
        break;
    case 'd':
        ves_buf_putf(buf, below(2) ? "%.17g" : "%.20E", m->number);
        break;
    case 's':
        put_text(buf, m->text, m->text_len);
        break;
    default:
        for (size_t i = m->count; m->type == 'o' && i > 1; i--) {
            size_t j = below(i);
            struct model *swap = m->child[i - 1];
            m->child[i - 1] = m->child[j];
            m->child[j] = swap;
        }
        ves_buf_put_u8(buf, m->type == 'o' ? '{' : '[');
        for (size_t i = 0; i < m->count; i++) {
            if (i)
                ves_buf_put_u8(buf, ',');
            put_blanks(buf);
            if (m->type == 'o') {
                put_text(buf, m->child[i]->key, m->child[i]->key_len);
                put_blanks(buf);
                ves_buf_put_u8(buf, ':');
            }
            spell(buf, m->child[i]);
        }
        put_blanks(buf);
        ves_buf_put_u8(buf, m->type == 'o' ? '}' : ']');
    }
    put_blanks(buf);
}

static const struct ves_json *must_read(struct ves_bytes text)
{
    const struct ves_json *root = NULL;
    struct ves_json_where where = {0, NULL};
    if (ves_json_read(&arena, text, NULL, &root, &where))
        fail_msg("seed %llu: refused at %zu: %s: %.*s",
                 (unsigned long long)seed, where.offset, where.reason,
                 (int)text.len, (const char *)text.ptr);
    return root;
}

/* Is the tree what the model says?  Recursion is fine for a test. */
static bool is_model(const struct ves_json *node, const struct model *m)
{
    static const char types[] = "nftdsao";
    if (types[node->type] != m->type || node->count != m->count)
        return false;
    if (m->type == 'd' && node->number != m->number)
        return false;
    if (m->type == 's') {
        struct ves_buf want;
        ves_buf_init(&want, ves_alloc_default(), 4096);
        for (size_t i = 0; i < m->text_len; i++) {
            uint32_t c = m->text[i];
            /* The plain branch of put_point, without its dice. */
            uint8_t utf8[4];
            size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
            for (size_t k = len; k-- > 1; c >>= 6)
                utf8[k] = (uint8_t)(0x80 | (c & 63));
            utf8[0] = (uint8_t)(len == 1 ? c : (0xF00u >> len & 0xF0) | c);
            ves_buf_put(&want, utf8, len);
        }
        bool same = ves_bytes_equal(ves_buf_view(&want), node->string);
        ves_buf_free(&want);
        return same;
    }
    size_t i = 0;
    for (const struct ves_json *c = node->first; c; c = c->next, i++) {
        if (!is_model(c, m->child[i]))
            return false;
    }
    return i == m->count;
}

/* Changes one thing somewhere in the model. */
static void mutate(struct model *m)
{
    while (m->count > 0 && below(3))
        m = m->child[below(m->count)];
    if (m->type == 's' && m->text_len > 0) {
        uint32_t *c = &m->text[below(m->text_len)];
        *c = *c == 'x' ? 'y' : 'x';
    } else if (m->type == 'd') {
        m->number = m->number == 1 ? 2 : 1;
    } else if (m->count > 0) {
        m->count--;
    } else {
        m->type = m->type == 't' ? 'f' : 't';
        m->text_len = 0;
    }
}

static void test_round_trips(void **state)
{
    (void)state;
    struct ves_buf text[2];
    struct ves_buf canon[3];
    for (size_t i = 0; i < 2; i++)
        ves_buf_init(&text[i], ves_alloc_default(), 16u << 20);
    for (size_t i = 0; i < 3; i++)
        ves_buf_init(&canon[i], ves_alloc_default(), 16u << 20);
    for (int n = 0; n < TREES; n++) {
        ves_arena_init(&arena, ves_alloc_default(), 64u << 20);
        struct model *m = make(0);
        const struct ves_json *root[2];
        for (size_t i = 0; i < 2; i++) {
            ves_buf_reset(&text[i]);
            spell(&text[i], m);
            assert_int_equal(ves_buf_status(&text[i]), VES_OK);
            root[i] = must_read(ves_buf_view(&text[i]));
            if (!is_model(root[i], m))
                fail_msg("seed %llu, tree %d: read as something else: %.*s",
                         (unsigned long long)seed, n, (int)text[i].len,
                         (const char *)text[i].ptr);
            ves_buf_reset(&canon[i]);
            assert_int_equal(ves_jcs_write(&canon[i], &arena, root[i]), VES_OK);
            size_t end = 0;
            assert_int_equal(ves_json_skip(ves_buf_view(&canon[i]), &end, NULL),
                             VES_OK);
            assert_int_equal(end, canon[i].len);
        }
        assert_true(ves_json_equal(root[0], root[1]));
        assert_true(ves_json_equal(root[1], root[0]));
        struct ves_bytes canonical = ves_buf_view(&canon[0]);
        assert_true(ves_bytes_equal(canonical, ves_buf_view(&canon[1])));
        const struct ves_json *again = must_read(canonical);
        assert_true(ves_json_equal(again, root[0]));
        ves_buf_reset(&canon[2]);
        assert_int_equal(ves_jcs_write(&canon[2], &arena, again), VES_OK);
        assert_true(ves_bytes_equal(canonical, ves_buf_view(&canon[2])));
        mutate(m);
        ves_buf_reset(&text[1]);
        spell(&text[1], m);
        const struct ves_json *other = must_read(ves_buf_view(&text[1]));
        assert_false(ves_json_equal(root[0], other));
        assert_false(ves_json_equal(other, root[0]));
        ves_buf_reset(&canon[2]);
        assert_int_equal(ves_jcs_write(&canon[2], &arena, other), VES_OK);
        assert_false(ves_bytes_equal(canonical, ves_buf_view(&canon[2])));
        ves_arena_free(&arena);
    }
    for (size_t i = 0; i < 2; i++)
        ves_buf_free(&text[i]);
    for (size_t i = 0; i < 3; i++)
        ves_buf_free(&canon[i]);
}

/* A byte changed, lost or added: refused with a place inside the input, or
 * read as something that has a canonical form. */
static void test_damaged_texts(void **state)
{
    (void)state;
    struct ves_buf text;
    struct ves_buf canon;
    ves_buf_init(&text, ves_alloc_default(), 16u << 20);
    ves_buf_init(&canon, ves_alloc_default(), 16u << 20);
    size_t refused = 0;
    for (int n = 0; n < TREES; n++) {
        ves_arena_init(&arena, ves_alloc_default(), 64u << 20);
        ves_buf_reset(&text);
        spell(&text, make(1));
        size_t at = below(text.len);
        switch (below(3)) {
        case 0:
            text.ptr[at] = (uint8_t)next_random();
            break;
        case 1:
            text.len--;
            memmove(text.ptr + at, text.ptr + at + 1, text.len - at);
            break;
        default:
            text.ptr[at] ^= (uint8_t)(1u << below(8));
        }
        const struct ves_json *root = NULL;
        struct ves_json_where where = {SIZE_MAX, NULL};
        struct ves_bytes view = ves_buf_view(&text);
        if (ves_json_read(&arena, view, NULL, &root, &where)) {
            assert_true(where.offset <= view.len);
            assert_non_null(where.reason);
            refused++;
        } else {
            ves_buf_reset(&canon);
            assert_int_equal(ves_jcs_write(&canon, &arena, root), VES_OK);
            assert_true(ves_json_equal(root, must_read(ves_buf_view(&canon))));
        }
        ves_arena_free(&arena);
    }
    assert_true(refused > TREES / 10);
    ves_buf_free(&text);
    ves_buf_free(&canon);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_damaged_texts),
    };
    const char *text = getenv("VES_SEED");
    seed = text ? strtoull(text, NULL, 10) : 20260101;
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) | 1;
    printf("# prop_json: seed %llu, VES_SEED=n for another\n",
           (unsigned long long)seed);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
