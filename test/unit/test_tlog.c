/* test_tlog.c -- the provable log's tree and tiles, with known values.
 *
 * The values are those of test/vectors/tlog_golden.json; prop_tlog.c compares
 * with a model, test/go with another implementation.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/tlog.h"
#include "core/tlog_tile.h"
#include "test/lib/test_log.h"

static struct test_log golden;

static int set_up(void **state)
{
    (void)state;
    test_log_open(&golden);
    test_log_grow(&golden, 3000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_log_close(&golden);
    return 0;
}

static void expect(const struct ves_hash *got, struct ves_bytes hex)
{
    assert_true(test_is_hex(hex, got->b, VES_HASH_SIZE));
}

static void test_entry(void **state)
{
    (void)state;
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_leaf again;
    struct ves_hash hash;

    ves_leaf_write(&golden.leaves[0], entry);
    assert_true(test_is_hex(test_log_text(&golden, "entry_seq1_hex"), entry,
                            sizeof(entry)));
    ves_leaf_hash(&golden.stream, 1, &golden.leaves[0].event_hash,
                  &golden.leaves[0].signature, &hash);
    expect(&hash, test_log_text(&golden, "ves_leaf_seq1"));
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    expect(&hash, test_log_text(&golden, "tlog_leaf_seq1"));

    assert_int_equal(ves_leaf_read(ves_bytes(entry, sizeof(entry)), &again),
                     VES_OK);
    assert_memory_equal(&again, &golden.leaves[0], sizeof(again));
    assert_int_equal(ves_leaf_read(ves_bytes(entry, sizeof(entry) - 1), &again),
                     VES_MALFORMED);
    entry[3] ^= 1;
    assert_int_equal(ves_leaf_read(ves_bytes(entry, sizeof(entry)), &again),
                     VES_MALFORMED);
}

static void test_roots(void **state)
{
    (void)state;
    static const char *const sizes[] = {"1",   "2",   "3",   "7",    "8",
                                        "255", "256", "257", "1000", "3000"};
    struct ves_hash root;

    ves_tlog_empty_root(&root);
    expect(&root, test_log_text(&golden, "empty_tree_root"));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct ves_hash want = test_log_hash(&golden, "tlog_root", sizes[i]);
        root = test_log_root(&golden, strtoull(sizes[i], NULL, 10));
        assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
    }
    struct ves_hash want = test_log_hash(&golden, "tlog_root", "3000");
    ves_tlog_edge_root(&golden.edge, &root);
    assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
}

/* The two trees have the same entries. */
static void test_batch_roots(void **state)
{
    (void)state;
    static struct ves_hash leaves[1024], scratch[1024];
    const struct {
        const char *range;
        size_t count;
    } cases[] = {{"1..1", 1}, {"1..2", 2}, {"1..3", 3},
                 {"1..7", 7}, {"1..8", 8}, {"1..1000", 1000}};

    for (size_t i = 0; i < 1000; i++) {
        uint8_t entry[VES_LEAF_SIZE];
        ves_leaf_write(&golden.leaves[i], entry);
        ves_sha256_one(entry, sizeof(entry), &leaves[i]);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_hash root,
            want = test_log_hash(&golden, "ves_events_root", cases[i].range);
        assert_int_equal(
            ves_merkle_root(leaves, cases[i].count, scratch, &root), VES_OK);
        assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
    }
}

static void expect_path(const struct ves_tlog_path *path, const char *name)
{
    const struct ves_json *list = ves_json_member(golden.golden, name);
    assert_non_null(list);
    assert_int_equal(path->count, list->count);
    const struct ves_json *item = list->first;
    for (uint32_t i = 0; i < path->count; i++, item = item->next)
        expect(&path->hash[i], item->string);
}

static void test_paths(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint64_t at, size;
    } inclusions[] = {{"inclusion_5_in_7", 5, 7}, {"inclusion_6_in_7", 6, 7}},
      consistencies[] = {{"consistency_3_7", 3, 7},
                         {"consistency_4_7", 4, 7},
                         {"consistency_6_8", 6, 8}};
    struct ves_tlog_path path;

    for (size_t i = 0; i < 2; i++) {
        struct ves_tlog_node node = {0, inclusions[i].at};
        assert_int_equal(ves_tlog_inclusion_make(test_log_source(&golden), node,
                                                 inclusions[i].size, &path),
                         VES_OK);
        expect_path(&path, inclusions[i].name);
    }
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ves_tlog_consistency_make(
                             test_log_source(&golden), consistencies[i].at,
                             consistencies[i].size, &path),
                         VES_OK);
        expect_path(&path, consistencies[i].name);
    }
}

static void test_edge_of_seven(void **state)
{
    (void)state;
    struct ves_tlog_edge edge;
    struct ves_tlog_path low_to_high = {.count = 3};

    assert_int_equal(ves_tlog_edge_at(test_log_source(&golden), 7, &edge),
                     VES_OK);
    assert_int_equal(edge.count, 3);
    for (size_t i = 0; i < 3; i++)
        low_to_high.hash[i] = edge.hash[2 - i];
    expect_path(&low_to_high, "right_edge_7_low_to_high");
}

/* What the tiles were told of, in the order of levels and places. */
struct told {
    struct ves_tlog_made made[1200];
    size_t count;
};

static void take_told(void *ctx, struct ves_tlog_node first,
                      const struct ves_hash *hashes, size_t count)
{
    struct told *told = ctx;

    for (size_t i = 0; i < count; i++) {
        assert_true(told->count < 1200);
        told->made[told->count++] =
            (struct ves_tlog_made){{first.level, first.index + i}, hashes[i]};
    }
}

static void test_append_all_at(uint64_t size, size_t count,
                               struct ves_tlog_edge singly)
{
    static struct told one, all;
    static struct ves_hash leaves[600];
    struct ves_tlog_edge together = singly;

    one.count = all.count = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t n = size + i;
        ves_sha256_one(&n, sizeof(n), &leaves[i]);
    }
    for (size_t i = 0; i < count; i++) {
        struct ves_tlog_made made[VES_TLOG_MADE_MAX];
        size_t gained;
        assert_int_equal(
            ves_tlog_edge_append(&singly, &leaves[i], made, &gained), VES_OK);
        for (size_t k = 0; k < gained; k++)
            one.made[one.count++] = made[k];
    }
    assert_int_equal(
        ves_tlog_edge_append_all(&together, leaves, count, take_told, &all),
        VES_OK);
    assert_int_equal(together.size, size + count);
    assert_int_equal(together.count, singly.count);
    assert_memory_equal(together.hash, singly.hash,
                        singly.count * sizeof(*singly.hash));
    assert_int_equal(all.count, one.count);
    for (size_t i = 0, at = 0; i < all.count; i++, at = 0) {
        while (at < one.count &&
               (one.made[at].node.level != all.made[i].node.level ||
                one.made[at].node.index != all.made[i].node.index))
            at++;
        assert_true(at < one.count);
        assert_memory_equal(one.made[at].hash.b, all.made[i].hash.b,
                            VES_HASH_SIZE);
        assert_true(i == 0 ||
                    all.made[i - 1].node.level < all.made[i].node.level ||
                    (all.made[i - 1].node.level == all.made[i].node.level &&
                     all.made[i - 1].node.index < all.made[i].node.index));
    }
}

/* Many at once come to the same as one by one, from every size. */
static void test_append_all(void **state)
{
    static const size_t counts[] = {0,  1,  2,  3,   5,   31,  32,  33,
                                    63, 64, 65, 100, 255, 256, 257, 600};
    struct ves_tlog_edge edge = {0};
    (void)state;

    for (uint64_t size = 0; size < 70; size++) {
        for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
            test_append_all_at(size, counts[i], edge);
        struct ves_hash leaf;
        ves_sha256_one(&size, sizeof(size), &leaf);
        assert_int_equal(ves_tlog_edge_add(&edge, 0, &leaf), VES_OK);
    }
}

static void test_bounds(void **state)
{
    (void)state;
    struct ves_tlog_edge edge = {.size = 3, .count = 2}, before;
    struct ves_tlog_made made[VES_TLOG_MADE_MAX];
    struct ves_hash hash = {{1}};
    struct ves_tlog_path path = {0};
    struct ves_tlog_node node = {63, 0};
    uint8_t bytes[8 + 64 * VES_HASH_SIZE];
    size_t count;

    before = edge;
    assert_int_equal(ves_tlog_edge_add(&edge, 1, &hash), VES_INVALID);
    assert_int_equal(ves_tlog_edge_add(&edge, 63, &hash), VES_INVALID);
    assert_int_equal(ves_tlog_edge_add(&edge, UINT32_MAX, &hash), VES_INVALID);
    assert_memory_equal(&edge, &before, sizeof(edge));
    /* The largest tree takes nothing more, and the one before one entry. */
    memset(bytes, 0xFF, sizeof(bytes));
    bytes[0] = 0x7F;
    assert_int_equal(ves_tlog_edge_read(ves_bytes(bytes, 8 + 63 * 32), &edge),
                     VES_OK);
    assert_int_equal(ves_tlog_edge_add(&edge, 0, &hash), VES_LIMIT);
    assert_int_equal(ves_tlog_edge_append(&edge, &hash, made, &count),
                     VES_LIMIT);
    before = edge;
    assert_int_equal(ves_tlog_edge_append_all(&edge, &hash, 1, NULL, NULL),
                     VES_LIMIT);
    assert_memory_equal(&edge, &before, sizeof(edge));
    bytes[7] = 0xFE;
    assert_int_equal(ves_tlog_edge_read(ves_bytes(bytes, 8 + 62 * 32), &edge),
                     VES_OK);
    assert_int_equal(ves_tlog_edge_append(&edge, &hash, made, &count), VES_OK);
    assert_int_equal(edge.size, VES_TLOG_SIZE_MAX);
    bytes[0] = 0x80;
    assert_int_equal(ves_tlog_edge_read(ves_bytes(bytes, 8 + 62 * 32), &edge),
                     VES_MALFORMED);
    /* An entry that fills every level at once. */
    memset(bytes, 0, 8);
    bytes[1] = 0xFF;
    memset(bytes + 2, 0xFF, 6);
    assert_int_equal(ves_tlog_edge_read(ves_bytes(bytes, 8 + 56 * 32), &edge),
                     VES_OK);
    assert_int_equal(ves_tlog_edge_append(&edge, &hash, made, &count), VES_OK);
    assert_int_equal(count, VES_TLOG_MADE_MAX);
    assert_int_equal(made[7].node.level, 56);
    assert_int_equal(made[7].node.index, 0);

    assert_int_equal(
        ves_tlog_inclusion_check(&path, node, UINT64_MAX, &hash, &hash),
        VES_REFUSED);
    node.level = 0;
    assert_int_equal(ves_tlog_inclusion_check(&path, node, 0, &hash, &hash),
                     VES_REFUSED);
    assert_int_equal(ves_tlog_inclusion_check(&path, node, 1, &hash, &hash),
                     VES_OK);
    assert_int_equal(
        ves_tlog_consistency_check(&path, UINT64_MAX, &hash, UINT64_MAX, &hash),
        VES_REFUSED);
    assert_int_equal(ves_tlog_consistency_check(&path, 0, &hash, 1, &hash),
                     VES_REFUSED);
    struct ves_hash empty;
    ves_tlog_empty_root(&empty);
    path.count = 0;
    assert_int_equal(ves_tlog_consistency_check(&path, 0, &empty, 0, &hash),
                     VES_REFUSED);
    assert_int_equal(ves_tlog_consistency_check(&path, 0, &empty, 0, &empty),
                     VES_OK);
}

static void test_tile_paths(void **state)
{
    (void)state;
    const struct {
        struct ves_tile tile;
        const char *path;
    } cases[] = {
        {{false, 0, 0, 256}, "tile/0/000"},
        {{false, 0, 1000, 256}, "tile/0/x001/000"},
        {{false, 0, 1234067, 256}, "tile/0/x001/x234/067"},
        {{false, 0, 273, 112}, "tile/0/273.p/112"},
        {{false, 1, 1, 17}, "tile/1/001.p/17"},
        {{false, 63, 999, 1}, "tile/63/999.p/1"},
        {{true, 0, 273, 255}, "tile/entries/273.p/255"},
        {{true, 0, VES_TLOG_SIZE_MAX, 1},
         "tile/entries/x009/x223/x372/x036/x854/x775/807.p/1"},
    };
    static const char *const wrong[] = {
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/x000/001",
        "tile/0/x000/x001/000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x001/x000",
        "tile/0/X001/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/1 ",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000.p/+1",
        "tile/entry/000",
        "tile/entries/000.P/1",
        "tile/0/x009/x223/x372/x036/x854/x775/808",
        "tile//000",
        "tile/0/x010/x000/x000/x000/x000/x000/x000/000",
        "tile/0/000\n"};
    struct ves_buf buf;
    struct ves_tile tile;

    test_log_buf(&buf);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ves_buf_reset(&buf);
        ves_tile_path_write(&buf, &cases[i].tile);
        assert_string_equal(test_log_str(&buf), cases[i].path);
        assert_true(buf.len <= VES_TILE_PATH_TEXT);
        assert_int_equal(ves_tile_path_read(ves_buf_view(&buf), &tile), VES_OK);
        assert_int_equal(tile.is_entries, cases[i].tile.is_entries);
        assert_int_equal(tile.level, cases[i].tile.level);
        assert_int_equal(tile.index, cases[i].tile.index);
        assert_int_equal(tile.width, cases[i].tile.width);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (ves_tile_path_read(ves_bytes_str(wrong[i]), &tile) != VES_MALFORMED)
            fail_msg("\"%s\" was read", wrong[i]);
    }
    ves_buf_free(&buf);
}

/* verifiability.md 2.5 has these of 70,000 entries. */
static void test_tile_widths(void **state)
{
    (void)state;
    assert_int_equal(ves_tile_width(0, 272, 70000), 256);
    assert_int_equal(ves_tile_width(0, 273, 70000), 112);
    assert_int_equal(ves_tile_width(0, 274, 70000), 0);
    assert_int_equal(ves_tile_width(1, 0, 70000), 256);
    assert_int_equal(ves_tile_width(1, 1, 70000), 17);
    assert_int_equal(ves_tile_width(2, 0, 70000), 1);
    assert_int_equal(ves_tile_width(3, 0, 70000), 0);
    assert_int_equal(ves_tile_width(0, 1, 256), 0);
    assert_int_equal(ves_tile_width(8, 0, VES_TLOG_SIZE_MAX), 0);
    assert_int_equal(ves_tile_width(63, 0, VES_TLOG_SIZE_MAX), 0);
    assert_int_equal(ves_tile_width(0, UINT64_MAX, 70000), 0);
    const struct ves_tile part = {false, 0, 273, 112},
                          more = {false, 0, 273, 113};
    assert_true(ves_tile_is_within(&part, 70000));
    assert_false(ves_tile_is_within(&more, 70000));
    assert_true(ves_tile_is_within(&part, 80000));
}

static void test_tile_bytes(void **state)
{
    (void)state;
    struct ves_hash out[2];
    uint8_t bytes[64];

    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)i;
    assert_int_equal(ves_tile_read(ves_bytes(bytes, 64), 2, out), VES_OK);
    assert_memory_equal(out, bytes, 64);
    assert_int_equal(ves_tile_read(ves_bytes(bytes, 63), 2, out),
                     VES_MALFORMED);
    assert_int_equal(ves_tile_read(ves_bytes(bytes, 64), 1, out),
                     VES_MALFORMED);
}

static void test_entry_bundles(void **state)
{
    (void)state;
    struct ves_buf buf;
    struct ves_bytes rest, entry;

    test_log_buf(&buf);
    for (size_t i = 0; i < VES_TILE_WIDTH; i++) {
        uint8_t bytes[VES_LEAF_SIZE];
        ves_leaf_write(&golden.leaves[i], bytes);
        ves_tile_entry_write(&buf, ves_bytes(bytes, sizeof(bytes)));
    }
    assert_int_equal(buf.len, 38144);
    rest = ves_buf_view(&buf);
    for (size_t i = 0; i < VES_TILE_WIDTH; i++) {
        struct ves_leaf leaf;
        assert_int_equal(ves_tile_entry_next(&rest, &entry), VES_OK);
        assert_int_equal(ves_leaf_read(entry, &leaf), VES_OK);
        assert_memory_equal(&leaf, &golden.leaves[i], sizeof(leaf));
    }
    assert_int_equal(ves_tile_entry_next(&rest, &entry), VES_NOT_FOUND);
    for (size_t cut = 1; cut < 149; cut++) {
        rest = ves_bytes(buf.ptr, cut);
        assert_int_equal(ves_tile_entry_next(&rest, &entry), VES_MALFORMED);
        assert_int_equal(rest.len, cut);
    }
    ves_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry),         cmocka_unit_test(test_roots),
        cmocka_unit_test(test_batch_roots),   cmocka_unit_test(test_paths),
        cmocka_unit_test(test_edge_of_seven), cmocka_unit_test(test_append_all),
        cmocka_unit_test(test_bounds),        cmocka_unit_test(test_tile_paths),
        cmocka_unit_test(test_tile_widths),   cmocka_unit_test(test_tile_bytes),
        cmocka_unit_test(test_entry_bundles),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
