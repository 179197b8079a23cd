/* prop_tlog_cover.c -- parts of the log against RFC 6962 read literally.
 *
 * Sizes up to 300 with random ranges and random choices of entries; the covers
 * are those the recursion over the tree finds, the edge is the one of all
 * entries, and every other number, order or content of hashes is refused or
 * leads to another root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/tlog_cover.h"
#include "crypto/crypto.h"

enum { SIZES = 300, COVERS = 400 };

static struct ves_hash leaves[SIZES];
static uint64_t random_state;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static int set_up(void **state)
{
    (void)state;
    const char *text = getenv("VES_SEED");
    uint64_t seed = text ? strtoull(text, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)seed);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (uint64_t i = 0; i < SIZES; i++) {
        const uint64_t words[2] = {seed, i};
        ves_sha256_one(words, sizeof(words), &leaves[i]);
    }
    return 0;
}

/* MTH(D[from:to]) of RFC 6962 2.1; remembered. */
static struct ves_hash naive_root(size_t from, size_t to)
{
    static struct {
        bool is_known;
        struct ves_hash hash;
    } known[SIZES + 1][SIZES + 1];
    struct ves_hash out;

    if (known[from][to].is_known)
        return known[from][to].hash;
    if (to == from) {
        ves_sha256_one("", 0, &out);
    } else if (to - from == 1) {
        out = leaves[from];
    } else {
        size_t k = 1;
        while (2 * k < to - from)
            k *= 2;
        struct ves_hash left = naive_root(from, from + k);
        struct ves_hash right = naive_root(from + k, to);
        uint8_t preimage[65] = {1};
        memcpy(preimage + 1, left.b, 32);
        memcpy(preimage + 33, right.b, 32);
        ves_sha256_one(preimage, sizeof(preimage), &out);
    }
    known[from][to].is_known = true;
    known[from][to].hash = out;
    return out;
}

static enum ves_status read_naive(void *ctx, const struct ves_tlog_node *nodes,
                                  size_t count, struct ves_hash *out)
{
    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        size_t width = (size_t)1 << nodes[i].level;
        out[i] = naive_root((size_t)nodes[i].index * width,
                            (size_t)(nodes[i].index + 1) * width);
    }
    return VES_OK;
}

static const struct ves_tlog_source naive_source = {read_naive, NULL};

/* A choice of entries of a range. */
struct part {
    uint64_t from, to;
    bool has[SIZES]; /* outside the range: false */
    uint64_t index[SIZES];
    struct ves_hash leaf[SIZES];
    size_t count;
};

static struct ves_tlog_kept kept_of(const struct part *part)
{
    return (struct ves_tlog_kept){part->index, part->count};
}

static void choose(struct part *part, uint64_t from, uint64_t to)
{
    /* From nearly nothing to everything. */
    uint64_t one_in = UINT64_C(1) << next_random() % 8;

    memset(part, 0, sizeof(*part));
    part->from = from;
    part->to = to;
    for (uint64_t i = from; i < to; i++) {
        if (next_random() % one_in != 0)
            continue;
        part->has[i] = true;
        part->leaf[part->count] = leaves[i];
        part->index[part->count++] = i;
    }
}

static bool is_skipped(const struct part *part, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (i < part->from || i >= part->to || part->has[i])
            return false;
    return true;
}

/* The largest complete subtrees of skipped entries only, found from the top:
 * there is no shorter list. */
static void naive_covers(const struct part *part, size_t from, size_t width,
                         struct ves_hash *out, size_t *count)
{
    if (from >= part->to || from + width <= part->from)
        return;
    if (is_skipped(part, from, from + width)) {
        out[(*count)++] = naive_root(from, from + width);
    } else if (width > 1) {
        naive_covers(part, from, width / 2, out, count);
        naive_covers(part, from + width / 2, width / 2, out, count);
    }
}

static void expect_edge(const struct ves_tlog_edge *edge, uint64_t size)
{
    struct ves_hash root, want = naive_root(0, size);

    assert_int_equal(edge->size, size);
    ves_tlog_edge_root(edge, &root);
    assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
}

static void check_part(const struct part *part)
{
    struct ves_hash want[COVERS], got[COVERS];
    size_t wanted = 0, count;
    uint64_t counted;
    struct ves_tlog_edge edge;

    naive_covers(part, 0, 512, want, &wanted);
    assert_int_equal(
        ves_tlog_cover_count(part->from, part->to, kept_of(part), &counted),
        VES_OK);
    assert_int_equal(counted, wanted);
    assert_int_equal(ves_tlog_cover_make(&naive_source, part->from, part->to,
                                         kept_of(part), got, wanted, &count),
                     VES_OK);
    assert_int_equal(count, wanted);
    assert_memory_equal(got, want, count * sizeof(*got));
    if (wanted > 0)
        assert_int_equal(ves_tlog_cover_make(&naive_source, part->from,
                                             part->to, kept_of(part), got,
                                             wanted - 1, &count),
                         VES_LIMIT);
    assert_int_equal(ves_tlog_edge_at(&naive_source, part->from, &edge),
                     VES_OK);
    assert_int_equal(ves_tlog_edge_extend(&edge, part->to, kept_of(part),
                                          part->leaf, want, wanted),
                     VES_OK);
    expect_edge(&edge, part->to);
}

static void test_parts(void **state)
{
    (void)state;
    static struct part part;

    for (size_t to = 0; to <= SIZES; to++) {
        for (size_t round = 0; round < 60; round++) {
            choose(&part, round == 0 ? 0 : next_random() % (to + 1), to);
            check_part(&part);
        }
    }
}

/* Neither a hash too many nor too few, nor any other, nor other places. */
static void check_lies(const struct part *part)
{
    struct ves_hash covers[COVERS + 1];
    struct ves_tlog_edge start, edge;
    struct ves_hash root, want = naive_root(0, part->to);
    size_t count;

    assert_int_equal(ves_tlog_cover_make(&naive_source, part->from, part->to,
                                         kept_of(part), covers, COVERS, &count),
                     VES_OK);
    covers[count] = leaves[0];
    assert_int_equal(ves_tlog_edge_at(&naive_source, part->from, &start),
                     VES_OK);
    edge = start;
    for (size_t other = 0; other <= count + 1; other++) {
        if (other == count)
            continue;
        assert_int_equal(ves_tlog_edge_extend(&edge, part->to, kept_of(part),
                                              part->leaf, covers, other),
                         VES_REFUSED);
        assert_memory_equal(&edge, &start, sizeof(edge));
    }
    for (size_t i = 0; i < count; i++) {
        size_t byte = next_random() % 32;
        covers[i].b[byte] ^= 0x10;
        edge = start;
        assert_int_equal(ves_tlog_edge_extend(&edge, part->to, kept_of(part),
                                              part->leaf, covers, count),
                         VES_OK);
        covers[i].b[byte] ^= 0x10;
        ves_tlog_edge_root(&edge, &root);
        assert_memory_not_equal(root.b, want.b, VES_HASH_SIZE);
    }
}

/* One entry is claimed to stand one further to the right: another number of
 * covers, or another root. */
static void check_moved(struct part *part)
{
    struct ves_hash covers[COVERS], root, want = naive_root(0, part->to);
    struct ves_tlog_edge edge;
    size_t count, last = part->count - 1;

    if (part->count == 0 || part->index[last] + 1 >= part->to)
        return;
    assert_int_equal(ves_tlog_cover_make(&naive_source, part->from, part->to,
                                         kept_of(part), covers, COVERS, &count),
                     VES_OK);
    assert_int_equal(ves_tlog_edge_at(&naive_source, part->from, &edge),
                     VES_OK);
    part->index[last]++;
    enum ves_status status = ves_tlog_edge_extend(
        &edge, part->to, kept_of(part), part->leaf, covers, count);
    part->index[last]--;
    if (status) {
        assert_int_equal(status, VES_REFUSED);
        return;
    }
    ves_tlog_edge_root(&edge, &root);
    assert_memory_not_equal(root.b, want.b, VES_HASH_SIZE);
}

static void test_lies(void **state)
{
    (void)state;
    static struct part part;

    for (size_t to = 1; to <= SIZES; to++) {
        choose(&part, next_random() % to, to);
        check_lies(&part);
        check_moved(&part);
    }
}

static void test_what_is_no_part(void **state)
{
    (void)state;
    static const uint64_t twice[] = {3, 3}, back[] = {4, 3}, beyond[] = {9},
                          before[] = {1};
    static const struct {
        struct ves_tlog_kept kept;
        uint64_t from, to;
    } bad[] = {
        {{twice, 2}, 2, 9},  {{back, 2}, 2, 9},
        {{beyond, 1}, 2, 9}, {{before, 1}, 2, 9},
        {{NULL, 0}, 9, 2},   {{NULL, 0}, 0, VES_TLOG_SIZE_MAX + 1},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct ves_hash hash[COVERS] = {{{0}}};
        struct ves_tlog_edge edge, before_it;
        uint64_t counted;
        size_t count;

        assert_int_equal(
            ves_tlog_cover_count(bad[i].from, bad[i].to, bad[i].kept, &counted),
            VES_INVALID);
        assert_int_equal(ves_tlog_cover_make(&naive_source, bad[i].from,
                                             bad[i].to, bad[i].kept, hash,
                                             COVERS, &count),
                         VES_INVALID);
        assert_int_equal(ves_tlog_edge_at(&naive_source, bad[i].from, &edge),
                         VES_OK);
        before_it = edge;
        assert_int_equal(
            ves_tlog_edge_extend(&edge, bad[i].to, bad[i].kept, hash, hash, 6),
            VES_REFUSED);
        assert_memory_equal(&edge, &before_it, sizeof(edge));
    }
}

/* The widest range there is: bounded, and no arithmetic wraps. */
static void test_the_largest_tree(void **state)
{
    (void)state;
    static const uint64_t middle[] = {VES_TLOG_SIZE_MAX / 2};
    uint64_t count;

    assert_int_equal(ves_tlog_cover_count(1, VES_TLOG_SIZE_MAX,
                                          (struct ves_tlog_kept){NULL, 0},
                                          &count),
                     VES_OK);
    assert_int_equal(count, VES_TLOG_RUN_MAX - 2);
    assert_int_equal(ves_tlog_cover_count(1, VES_TLOG_SIZE_MAX,
                                          (struct ves_tlog_kept){middle, 1},
                                          &count),
                     VES_OK);
    assert_true(count <= 2 * VES_TLOG_RUN_MAX);
}

/* A run met in pieces is the run met at once. */
static void test_runs(void **state)
{
    (void)state;
    for (size_t to = 1; to <= SIZES; to++) {
        uint64_t from = next_random() % to, at = from;
        struct ves_tlog_run run = {0};
        struct ves_tlog_node node;
        size_t count = 0;

        while (at < to) {
            uint64_t end = at + 1 + next_random() % (to - at);
            while (ves_tlog_cover_next(&at, end, &node)) {
                size_t first = (size_t)(node.index << node.level);
                struct ves_hash hash =
                    naive_root(first, first + ((size_t)1 << node.level));
                assert_int_equal(ves_tlog_run_add(&run, node, &hash), VES_OK);
            }
        }
        for (at = from; ves_tlog_cover_next(&at, to, &node); count++) {
            size_t first = (size_t)(node.index << node.level);
            struct ves_hash hash =
                naive_root(first, first + ((size_t)1 << node.level));
            assert_true(count < run.count);
            assert_int_equal(run.node[count].level, node.level);
            assert_int_equal(run.node[count].index, node.index);
            assert_memory_equal(run.hash[count].b, hash.b, VES_HASH_SIZE);
        }
        assert_int_equal(count, run.count);
        node = (struct ves_tlog_node){0, to + 1};
        assert_int_equal(ves_tlog_run_add(&run, node, &leaves[0]), VES_INVALID);
        node = (struct ves_tlog_node){VES_TLOG_LEVEL_MAX + 1, 0};
        assert_int_equal(ves_tlog_run_add(&run, node, &leaves[0]), VES_INVALID);
        assert_int_equal(count, run.count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_lies),
        cmocka_unit_test(test_what_is_no_part),
        cmocka_unit_test(test_the_largest_tree),
        cmocka_unit_test(test_runs),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, NULL);
}
