/* test_log_part.c -- parts of a log, chosen by type and id, against a list of
 * everything; what they and their covers add up to is the log's own root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/entity.h"
#include "core/merkle.h"
#include "engine/chain.h"
#include "engine/log_part.h"
#include "engine/log_tree.h"
#include "store/store_mem.h"
#include "test/lib/test_events.h"
#include "test/lib/test_ops.h"

enum { EVENTS = 21500, SIGNED = 21450, ENTITIES = 5, LIMIT = 1000 };

static const char *const names[ENTITIES][2] = {{"order", "a"},
                                               {"order", "b"},
                                               {"customer", "a"},
                                               {"rare", "r"},
                                               {"order", "late"}};

static struct ves_store *store;
static struct ves_stream_row stream;
static struct ves_arena arena;
static struct ves_hash leaves[EVENTS];
static size_t entity_of[EVENTS + 1]; /* by sequence number */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static size_t choose_entity(uint64_t sequence)
{
    if (sequence == 7 || sequence == EVENTS - 3)
        return 3;
    if (sequence > SIGNED - 20 && sequence % 4 == 0)
        return 4;
    return next_random() % 16 ? 2 : next_random() % 2;
}

static struct ves_bytes text(const char *word)
{
    return ves_bytes_str(word);
}

static void fill_entities(struct ves_entity_row *rows)
{
    memset(rows, 0, ENTITIES * sizeof(*rows));
    for (size_t e = 0; e < ENTITIES; e++) {
        rows[e].entity_type = text(names[e][0]);
        rows[e].entity_id = text(names[e][1]);
        ves_entity_key(rows[e].entity_type, rows[e].entity_id, &rows[e].key);
    }
}

static struct ves_log_row make_row(uint64_t sequence,
                                   const struct ves_entity_row *entity)
{
    struct ves_log_row row = {.sequence_number = sequence,
                              .event_id = test_id((uint32_t)sequence),
                              .entity_key = entity->key};
    uint8_t entry[VES_LEAF_SIZE];

    ves_sha256_one(&sequence, sizeof(sequence), &row.event_hash);
    const struct ves_leaf leaf = {stream.stream, sequence, row.event_hash,
                                  row.signature};
    ves_leaf_write(&leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &leaves[sequence - 1]);
    return row;
}

static enum ves_status fill(void)
{
    struct ves_entity_row entities[ENTITIES];
    struct ves_log_tree tree;

    fill_entities(entities);
    enum ves_status status = ves_log_tree_open(
        &tree, store, &stream, ves_bytes(NULL, 0), EVENTS, &arena);
    for (uint64_t s = 1; s <= EVENTS && !status; s++) {
        struct ves_entity_row *entity =
            &entities[entity_of[s] = choose_entity(s)];
        struct ves_log_row row = make_row(s, entity);
        status = ves_chain_push(store, stream.stream_no, entity, &row);
        if (!status)
            status = store->ops->log_append(store, stream.stream_no, &row, 1);
        if (!status)
            status =
                ves_log_tree_add(&tree, s, &row.event_hash, &row.signature);
    }
    if (!status)
        status =
            store->ops->entity_put(store, stream.stream_no, entities, ENTITIES);
    return status ? status : ves_log_tree_save(&tree);
}

static int set_up(void **state)
{
    (void)state;
    const struct ves_stream id = {test_id(1), test_id(2)};

    ves_arena_init(&arena, ves_alloc_default(), 1 << 28);
    if (ves_store_mem_open(ves_alloc_default(), &store) ||
        store->ops->begin(store) ||
        store->ops->stream_get(store, &id, true, &stream) || fill())
        return -1;
    return store->ops->commit(store) == VES_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ves_store_mem_close(store);
    ves_arena_free(&arena);
    return 0;
}

static bool is_match(const struct ves_log_filter *filter, uint64_t sequence)
{
    const char *const *name = names[entity_of[sequence]];
    return (filter->entity_type.len == 0 ||
            ves_bytes_is(filter->entity_type, name[0])) &&
           (filter->entity_id.len == 0 ||
            ves_bytes_is(filter->entity_id, name[1]));
}

/* The part is exactly what the list has in its range. */
static void expect_part(const struct ves_log_filter *filter,
                        const struct ves_log_part *part)
{
    size_t at = 0;

    for (uint64_t s = part->from; s < part->to; s++) {
        if (!is_match(filter, s))
            continue;
        assert_true(at < part->count);
        assert_int_equal(part->sequences[at++], s);
    }
    assert_int_equal(at, part->count);
}

static void extend(struct ves_tlog_edge *edge, const struct ves_log_part *part,
                   uint64_t size)
{
    static uint64_t index[LIMIT];
    static struct ves_hash kept[LIMIT];
    struct ves_hash *covers;
    size_t count;

    for (size_t i = 0; i < part->count; i++) {
        index[i] = part->sequences[i] - 1;
        kept[i] = leaves[index[i]];
    }
    assert_int_equal(ves_log_part_cover(store, stream.stream_no, size, part,
                                        &arena, &covers, &count),
                     VES_OK);
    assert_true(count <= VES_LOG_PART_COVERS_MAX);
    assert_int_equal(
        ves_tlog_edge_extend(edge, part->to - 1,
                             (struct ves_tlog_kept){index, part->count}, kept,
                             covers, count),
        VES_OK);
}

/* Everything that matches, part after part; how many parts it took. */
static size_t read_all(const char *type, const char *id, uint64_t size,
                       size_t limit)
{
    const struct ves_log_filter filter = {text(type), text(id)};
    struct ves_tlog_edge edge = {0};
    struct ves_hash root, want;
    size_t parts = 0;

    for (uint64_t from = 1; from <= size; parts++) {
        struct ves_log_part part;
        assert_int_equal(ves_log_part_find(store, stream.stream_no, &filter,
                                           from, size, limit, &arena, &part),
                         VES_OK);
        assert_int_equal(part.from, from);
        assert_true(part.to > from && part.to <= size + 1);
        assert_true(part.count <= limit);
        expect_part(&filter, &part);
        extend(&edge, &part, size);
        from = part.to;
    }
    ves_tlog_edge_root(&edge, &root);
    assert_int_equal(ves_log_root_at(store, stream.stream_no, size, &want),
                     VES_OK);
    assert_memory_equal(root.b, want.b, VES_HASH_SIZE);
    return parts;
}

static void test_everything_that_matches(void **state)
{
    (void)state;
    assert_int_equal(read_all("order", "a", SIGNED, LIMIT), 1);
    assert_int_equal(read_all("rare", "r", SIGNED, LIMIT), 1);
    assert_int_equal(read_all("rare", "r", EVENTS, 1), 2);
    assert_int_equal(read_all("order", "none", SIGNED, LIMIT), 1);
    assert_int_equal(read_all("order", "late", SIGNED, LIMIT), 1);
    assert_int_equal(read_all("order", "late", SIGNED, 2), 3);
    assert_int_equal(read_all("none", "", SIGNED, LIMIT), 2);
    assert_int_equal(read_all("rare", "", SIGNED, LIMIT), 2);
    assert_true(read_all("order", "", SIGNED, 100) > 10);
    read_all("", "a", SIGNED, LIMIT);
    read_all("", "", 3000, 77);
    for (uint64_t size = 1; size < 100; size++)
        read_all("order", size % 2 ? "b" : "", size, 1 + size % 3);
}

/* Any beginning; a part that is cut is a part. */
static void test_anywhere(void **state)
{
    (void)state;
    for (size_t round = 0; round < 200; round++) {
        const char *const *name = names[next_random() % ENTITIES];
        const struct ves_log_filter filter = {text(name[0]),
                                              text(round % 2 ? name[1] : "")};
        uint64_t size = 1 + next_random() % EVENTS;
        uint64_t from = 1 + next_random() % (size + 1);
        struct ves_log_part part;
        assert_int_equal(
            ves_log_part_find(store, stream.stream_no, &filter, from, size,
                              1 + next_random() % LIMIT, &arena, &part),
            VES_OK);
        expect_part(&filter, &part);
        assert_true(from == size + 1 || part.to > part.from);
        if (part.count == 0)
            continue;
        ves_log_part_cut(&part, 1 + next_random() % part.count);
        expect_part(&filter, &part);
        assert_int_equal(part.to, part.sequences[part.count - 1] + 1);
    }
}

/* An entity is found without reading what lies between its events. */
static void test_work_is_bounded(void **state)
{
    (void)state;
    const struct ves_log_filter filter = {text("rare"), text("r")};
    struct ves_log_part part;

    test_ops_install(store);
    size_t before = test_ops()->log_reads;
    assert_int_equal(ves_log_part_find(store, stream.stream_no, &filter, 1,
                                       EVENTS, LIMIT, &arena, &part),
                     VES_OK);
    assert_int_equal(part.count, 2);
    assert_true(test_ops()->log_reads - before < 10);
    test_ops_remove(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_that_matches),
        cmocka_unit_test(test_anywhere),
        cmocka_unit_test(test_work_is_bounded),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
