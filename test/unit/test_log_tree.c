/* test_log_tree.c -- the provable log over a store: growing, planting, proving,
 * signing, freezing.
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
#include "core/merkle.h"
#include "engine/log_recover.h"
#include "engine/log_tree.h"
#include "store/store_mem.h"
#include "test/lib/test_desk.h"
#include "test/lib/test_ops.h"
#include "test/lib/test_util.h"

enum { PAIRS = 300, PUSH = 60 };

/* MTH of RFC 6962 2.1, read literally, over what the rows say. */
static struct ves_hash naive_leaves[PAIRS + 1];

static struct ves_hash naive_root(size_t from, size_t to)
{
    struct ves_hash out, left, right;
    uint8_t preimage[65] = {1};
    size_t k = 1;

    if (to - from == 1)
        return naive_leaves[from];
    while (2 * k < to - from)
        k *= 2;
    left = naive_root(from, from + k);
    right = naive_root(from + k, to);
    memcpy(preimage + 1, left.b, 32);
    memcpy(preimage + 33, right.b, 32);
    ves_sha256_one(preimage, sizeof(preimage), &out);
    return out;
}

static enum ves_status take_leaf(void *ctx, const struct ves_log_row *row)
{
    uint8_t bytes[1 + VES_LEAF_SIZE] = {0};
    const struct ves_leaf leaf = {desk.hub.stream, row->sequence_number,
                                  row->event_hash, row->signature};

    (void)ctx;
    ves_leaf_write(&leaf, bytes + 1);
    ves_sha256_one(bytes, sizeof(bytes),
                   &naive_leaves[row->sequence_number - 1]);
    return VES_OK;
}

static uint64_t head_now(void)
{
    struct ves_stream_row row = {.head = 0};

    (void)!desk.store->ops->stream_get(desk.store, &desk.hub.stream, false,
                                       &row);
    return row.head;
}

static void push_up_to(uint64_t head)
{
    while (head_now() < head) {
        uint64_t left = head - head_now();
        desk_add_plain(0, (uint32_t)head_now() + 1,
                       left < PUSH ? (uint32_t)left : PUSH);
        desk_push(0);
        assert_int_equal(desk.ingests[0].refused, 0);
    }
    assert_int_equal(desk.store->ops->log_read(desk.store,
                                               desk_stream().stream_no, 1,
                                               PAIRS, take_leaf, NULL),
                     VES_OK);
}

static struct ves_arena arena;

static int begin(void **state)
{
    ves_arena_init(&arena, ves_alloc_default(), 1 << 26);
    return desk_set_up(state);
}

static int end(void **state)
{
    ves_arena_free(&arena);
    return desk_tear_down(state);
}

static struct ves_tlog_row tlog_row(void)
{
    struct ves_tlog_row row;

    assert_int_equal(desk.store->ops->tlog_get(
                         desk.store, desk_stream().stream_no, &arena, &row),
                     VES_OK);
    return row;
}

/* ---- growing ------------------------------------------------------------- */

static void test_every_size_and_pair(void **state)
{
    static struct ves_hash roots[PAIRS + 1];
    static struct ves_log_source source;
    struct ves_tlog_path path;

    (void)state;
    push_up_to(PAIRS);
    uint32_t no = desk_stream().stream_no;
    for (uint64_t n = 1; n <= PAIRS; n++) {
        roots[n] = naive_root(0, (size_t)n);
        struct ves_hash root;
        assert_int_equal(ves_log_root_at(desk.store, no, n, &root), VES_OK);
        assert_true(ves_hash_equal(&root, &roots[n]));
        ves_log_source_init(&source, desk.store, no, n);
        for (uint64_t m = 1; m <= n; m++) {
            assert_int_equal(
                ves_tlog_consistency_make(&source.tiles.source, m, n, &path),
                VES_OK);
            assert_int_equal(
                ves_tlog_consistency_check(&path, m, &roots[m], n, &roots[n]),
                VES_OK);
            if ((n + m) % 5 != 0)
                continue; /* inclusion: every fifth pair */
            const struct ves_tlog_node leaf = {0, m - 1};
            assert_int_equal(
                ves_tlog_inclusion_make(&source.tiles.source, leaf, n, &path),
                VES_OK);
            assert_int_equal(ves_tlog_inclusion_check(&path, leaf, n,
                                                      &naive_leaves[m - 1],
                                                      &roots[n]),
                             VES_OK);
        }
    }
}

static void test_entries(void **state)
{
    struct ves_buf buf;
    struct ves_bytes rest, entry;
    uint64_t n = 0;

    (void)state;
    push_up_to(70);
    struct ves_stream_row row = desk_stream();
    ves_buf_init(&buf, ves_alloc_default(), 1 << 20);
    assert_int_equal(ves_log_entries_write(desk.store, &row, 0, 71, &buf),
                     VES_NOT_FOUND);
    ves_buf_reset(&buf);
    assert_int_equal(ves_log_entries_write(desk.store, &row, 10, 60, &buf),
                     VES_OK);
    rest = ves_buf_view(&buf);
    while (ves_tile_entry_next(&rest, &entry) == VES_OK) {
        struct ves_hash hash;
        ves_tlog_leaf_hash(entry, &hash);
        assert_true(ves_hash_equal(&hash, &naive_leaves[10 + n++]));
    }
    assert_int_equal(n, 60);
    ves_buf_free(&buf);
}

/* A commit that fails leaves the tree as it was, whatever call fails. */
static void test_failing_commit(void **state)
{
    (void)state;
    push_up_to(5);
    struct ves_tlog_row before = tlog_row();
    for (size_t n = 1;; n++) {
        desk_add_plain(1, 100, 3);
        desk_prepare(1);
        desk.group[0] = &desk.ingests[1];
        test_ops_install(desk.store);
        test_ops_arm(n, n % 2, VES_IO);
        enum ves_status status = test_hub_commit(&desk.hub, desk.group, 1);
        size_t calls = test_ops()->calls;
        test_ops_remove(desk.store);
        desk.group[0] = &desk.ingests[0];
        if (calls < n)
            break;
        struct ves_tlog_row after = tlog_row();
        if (desk_stream().head == 5)
            assert_true(ves_bytes_equal(before.edge, after.edge));
        else
            break; /* a late failure of the commit itself */
        assert_int_equal(status, VES_IO);
    }
    push_up_to(desk_stream().head);
    struct ves_hash root, naive;
    assert_int_equal(ves_log_root_at(desk.store, desk_stream().stream_no,
                                     desk_stream().head, &root),
                     VES_OK);
    naive = naive_root(0, (size_t)desk_stream().head);
    assert_true(ves_hash_equal(&root, &naive));
}

/* A tree that is behind its events, or before them, is not grown. */
static void test_not_the_next(void **state)
{
    const struct ves_hash hash = {{1}};
    const struct ves_sig signature = {{2}};
    struct ves_log_tree tree;

    (void)state;
    push_up_to(5);
    const struct ves_stream_row row = desk_stream();
    assert_int_equal(
        ves_log_tree_open(&tree, desk.store, &row, tlog_row().edge, 3, &arena),
        VES_OK);
    assert_int_equal(ves_log_tree_add(&tree, 5, &hash, &signature),
                     VES_CORRUPT);
    assert_int_equal(ves_log_tree_add(&tree, 7, &hash, &signature),
                     VES_CORRUPT);
    assert_int_equal(ves_log_tree_add(&tree, 6, &hash, &signature), VES_OK);
}

/* ---- planting ------------------------------------------------------------ */

/* A database from before there were trees. */
static void test_plant(void **state)
{
    struct ves_store *old;
    struct ves_stream_row row;

    (void)state;
    push_up_to(PAIRS);
    const struct test_log *log = desk_log();
    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &old), VES_OK);
    assert_int_equal(old->ops->begin(old), VES_OK);
    assert_int_equal(old->ops->stream_get(old, &desk.hub.stream, true, &row),
                     VES_OK);
    assert_int_equal(
        old->ops->log_append(old, row.stream_no, log->rows, log->count),
        VES_OK);
    assert_int_equal(old->ops->commit(old), VES_OK);
    struct ves_sequencer sequencer = desk.hub.sequencer;
    sequencer.store = old;
    assert_int_equal(ves_log_tree_plant(&sequencer), VES_OK);
    assert_int_equal(ves_log_tree_plant(&sequencer), VES_OK); /* once */
    for (uint64_t n = 1; n <= PAIRS; n += 37) {
        struct ves_hash root, naive = naive_root(0, (size_t)n);
        assert_int_equal(ves_log_root_at(old, row.stream_no, n, &root), VES_OK);
        assert_true(ves_hash_equal(&root, &naive));
    }
    struct ves_tlog_row planted, grown = tlog_row();
    assert_int_equal(old->ops->tlog_get(old, row.stream_no, &arena, &planted),
                     VES_OK);
    assert_true(ves_bytes_equal(planted.edge, grown.edge));
    assert_true(ves_hash_equal(&planted.stream_id, &grown.stream_id));
    ves_store_mem_close(old);
}

/* ---- signed heads -------------------------------------------------------- */

static struct ves_log_head make_head(enum ves_status expected)
{
    struct ves_error error = {0};
    struct ves_log_head head;

    assert_int_equal(ves_log_head_make(&desk.hub.sequencer, desk.store,
                                       &desk.hub.stream, 77, &arena, &head,
                                       &error),
                     expected);
    return head;
}

static void keep_head(const struct ves_log_head *head)
{
    assert_int_equal(ves_log_head_keep(&desk.hub.sequencer, head, 1), VES_OK);
}

static void test_signed_head(void **state)
{
    struct ves_checkpoint checkpoint;
    static struct ves_note note;
    struct ves_note_key key;
    struct ves_hash stream_id, naive;

    (void)state;
    assert_false(make_head(VES_OK).is_due); /* no stream yet */
    push_up_to(9);
    struct ves_log_head head = make_head(VES_OK);
    assert_true(head.is_due);
    keep_head(&head);
    assert_int_equal(ves_log_head_keep(&desk.hub.sequencer, &head, 1),
                     VES_CONFLICT); /* somebody signed: we did */
    assert_false(make_head(VES_OK).is_due);
    struct ves_tlog_row row = tlog_row();
    assert_int_equal(row.signed_size, 9);
    assert_int_equal(row.signed_at_ms, 77);
    assert_int_equal(ves_note_read(row.note, &note, NULL), VES_OK);
    assert_int_equal(ves_checkpoint_read(note.text, &checkpoint, NULL), VES_OK);
    ves_stream_id(&desk.hub.stream, &stream_id);
    struct ves_hash named;
    assert_true(ves_origin_stream(checkpoint.origin, &named));
    assert_true(ves_hash_equal(&named, &stream_id));
    ves_note_key_init(&key, checkpoint.origin, VES_NOTE_ED25519,
                      &desk.hub.key.signer.public_key);
    assert_int_equal(ves_note_check(&note, &key, NULL), VES_NOTE_GOOD);
    naive = naive_root(0, 9);
    assert_int_equal(checkpoint.size, 9);
    assert_true(ves_hash_equal(&checkpoint.root, &naive));
    /* Another key signs the same head again, and only once. */
    struct test_signer other;
    test_signer_init(&other, 99);
    desk.hub.sequencer.signer = &other.signer;
    head = make_head(VES_OK);
    assert_true(head.is_due);
    assert_int_equal(head.row.size, 9);
    keep_head(&head);
    assert_false(make_head(VES_OK).is_due);
    desk.hub.sequencer.signer = &desk.hub.key.signer;
}

/* ---- what a page of events says of the log ------------------------------- */

static const struct ves_json *page_words(uint64_t end)
{
    const struct ves_json *root;
    struct ves_bytes text;
    struct ves_buf buf;

    ves_buf_init(&buf, ves_alloc_default(), 1 << 16);
    ves_buf_put_str(&buf, "{\"events\":[]");
    assert_int_equal(ves_log_page_write(&buf, desk.store,
                                        desk_stream().stream_no, end, &arena),
                     VES_OK);
    ves_buf_put_u8(&buf, '}');
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&buf), &text), VES_OK);
    ves_buf_free(&buf);
    assert_int_equal(ves_json_read(&arena, text, NULL, &root, NULL), VES_OK);
    return root;
}

static void take_path(const struct ves_json *root, struct ves_tlog_path *path)
{
    const struct ves_json *list = ves_json_member(root, "consistency");

    assert_non_null(list);
    path->count = 0;
    for (const struct ves_json *e = list->first; e; e = e->next)
        assert_int_equal(ves_hex_decode(e->string, path->hash[path->count++].b,
                                        VES_HASH_SIZE),
                         VES_OK);
}

static void test_page(void **state)
{
    enum { SIGNED = 21, MORE = 25 };
    struct ves_tlog_path path;
    struct ves_bytes note;

    (void)state;
    push_up_to(SIGNED);
    assert_true(ves_json_member(page_words(3), "checkpoint")->type ==
                VES_JSON_NULL);
    struct ves_log_head head = make_head(VES_OK);
    keep_head(&head);
    push_up_to(MORE);
    struct ves_hash whole = naive_root(0, SIGNED);
    for (uint64_t end = 0; end <= MORE; end++) {
        const struct ves_json *root = page_words(end);
        assert_true(ves_json_get_string(root, "checkpoint", &note));
        assert_true(ves_bytes_equal(note, tlog_row().note));
        take_path(root, &path);
        if (end == 0 || end >= SIGNED) {
            assert_int_equal(path.count, 0);
            continue;
        }
        struct ves_hash part = naive_root(0, (size_t)end);
        assert_int_equal(
            ves_tlog_consistency_check(&path, end, &part, SIGNED, &whole),
            VES_OK);
    }
}

/* The store gives back other leaves than were appended: nothing is signed. */
static enum ves_status (*real_leaves)(struct ves_store *s, uint32_t stream_no,
                                      uint64_t from, size_t count,
                                      struct ves_leaf_row *rows, size_t *found);
static size_t lie_at, lie_short;

static enum ves_status lying_leaves(struct ves_store *s, uint32_t stream_no,
                                    uint64_t from, size_t count,
                                    struct ves_leaf_row *rows, size_t *found)
{
    enum ves_status status =
        real_leaves(s, stream_no, from, count, rows, found);

    if (!status && lie_short && *found > 0)
        *found -= 1;
    if (!status && !lie_short && lie_at < *found)
        rows[lie_at].signature.b[63] ^= 1;
    return status;
}

static void test_bad_leaf_is_not_signed(void **state)
{
    struct ves_store_ops ops = *desk.store->ops;
    const struct ves_store_ops *real = desk.store->ops;

    (void)state;
    push_up_to(3);
    struct ves_log_head head = make_head(VES_OK);
    keep_head(&head);
    push_up_to(9);
    real_leaves = ops.log_leaves;
    ops.log_leaves = lying_leaves;
    desk.store->ops = &ops;
    for (lie_at = 0; lie_at < 6; lie_at++)
        make_head(VES_CORRUPT);
    lie_short = 1;
    make_head(VES_CORRUPT);
    lie_short = 0;
    desk.store->ops = real;
    assert_true(make_head(VES_OK).is_due);
}

/* A row that is not there is named by its number, not taken for the next. */
static enum ves_status skipping_leaves(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, size_t count,
                                       struct ves_leaf_row *rows, size_t *found)
{
    enum ves_status status =
        real_leaves(s, stream_no, from, count, rows, found);

    if (!status && lie_at + 1 < *found) {
        *found -= 1;
        memmove(&rows[lie_at], &rows[lie_at + 1],
                (*found - lie_at) * sizeof(*rows));
    }
    return status;
}

static void test_gap_is_named(void **state)
{
    struct ves_store_ops ops = *desk.store->ops;
    const struct ves_store_ops *real = desk.store->ops;
    struct ves_log_head head;
    struct ves_error error = {VES_OK, ""};

    (void)state;
    push_up_to(9);
    real_leaves = ops.log_leaves;
    ops.log_leaves = skipping_leaves;
    desk.store->ops = &ops;
    lie_at = 4;
    assert_int_equal(ves_log_head_make(&desk.hub.sequencer, desk.store,
                                       &desk.hub.stream, 77, &arena, &head,
                                       &error),
                     VES_CORRUPT);
    desk.store->ops = real;
    assert_string_equal(error.text, "event 5 is missing in the log");
    assert_false(head.is_due);
}

/* A tile that has fewer hashes than the tree is not filled up with nothing. */
static enum ves_status (*real_tile)(struct ves_store *s, uint32_t stream_no,
                                    uint32_t level, uint64_t index,
                                    struct ves_hash *hashes, size_t *count);

static enum ves_status short_tile(struct ves_store *s, uint32_t stream_no,
                                  uint32_t level, uint64_t index,
                                  struct ves_hash *hashes, size_t *count)
{
    enum ves_status status =
        real_tile(s, stream_no, level, index, hashes, count);

    if (!status && *count > 0)
        *count -= 1;
    return status;
}

static void test_short_tile_is_named(void **state)
{
    struct ves_store_ops ops = *desk.store->ops;
    const struct ves_store_ops *real = desk.store->ops;
    struct ves_hash root;

    (void)state;
    push_up_to(40);
    real_tile = ops.tile_read;
    ops.tile_read = short_tile;
    desk.store->ops = &ops;
    enum ves_status status =
        ves_log_root_at(desk.store, desk_stream().stream_no, 40, &root);
    desk.store->ops = real;
    assert_int_equal(status, VES_CORRUPT);
    assert_non_null(strstr(desk.store->error.text,
                           "tile 0 of level 0 of the log's tree has 39 hashes, "
                           "not 40"));
}

/* A head signed by a history that is not the log's. */
static void test_foreign_head_is_not_built_on(void **state)
{
    struct ves_store *store = desk.store;
    struct ves_head_row foreign = {
        .size = 4, .note = ves_bytes_str("note\n"), .signed_at_ms = 1};

    (void)state;
    push_up_to(6);
    foreign.root = naive_leaves[0];
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->tlog_sign(store, desk_stream().stream_no, 0, &foreign),
        VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    make_head(VES_CORRUPT);
    foreign.size = 7;
    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(
        store->ops->tlog_sign(store, desk_stream().stream_no, 4, &foreign),
        VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
    make_head(VES_CORRUPT);
}

/* ---- what others know, and freezing -------------------------------------- */

static enum ves_log_claim claim(uint64_t size, struct ves_hash root)
{
    struct ves_stream_row row = desk_stream();
    struct ves_checkpoint head = {.size = size, .root = root};
    enum ves_log_claim out;

    assert_int_equal(ves_log_claim_compare(desk.store, &row, &head, &out),
                     VES_OK);
    return out;
}

static void test_claims(void **state)
{
    struct ves_hash empty;

    (void)state;
    push_up_to(40);
    ves_tlog_empty_root(&empty);
    assert_int_equal(claim(0, empty), VES_LOG_AGREES);
    assert_int_equal(claim(0, naive_leaves[0]), VES_LOG_CONTRADICTS);
    for (size_t n = 1; n <= 40; n++) {
        assert_int_equal(claim(n, naive_root(0, n)), VES_LOG_AGREES);
        assert_int_equal(claim(n, naive_root(1, n + 1 + (n == 1))),
                         VES_LOG_CONTRADICTS);
    }
    assert_int_equal(claim(41, naive_root(0, 40)), VES_LOG_CONTRADICTS);
}

static void test_frozen(void **state)
{
    (void)state;
    push_up_to(4);
    assert_int_equal(ves_log_freeze(&desk.hub.sequencer, &desk.hub.stream,
                                    ves_bytes_str("a store knows more"),
                                    ves_bytes_str("evidence"), 5),
                     VES_OK);
    /* Said once. */
    assert_int_equal(ves_log_freeze(&desk.hub.sequencer, &desk.hub.stream,
                                    ves_bytes_str("again"), ves_bytes_str(""),
                                    6),
                     VES_OK);
    struct ves_tlog_row row = tlog_row();
    assert_int_equal(row.frozen_at_ms, 5);
    assert_true(ves_bytes_is(row.frozen_why, "a store knows more"));
    uint64_t open;
    assert_int_equal(
        desk.store->ops->record_count_open(desk.store, VES_RECORD_ALERT,
                                           desk_stream().stream_no, &open),
        VES_OK);
    assert_int_equal(open, 1);
    assert_false(make_head(VES_OK).is_due);
    desk_add_plain(0, 50, 2);
    desk_push(0);
    assert_int_equal(desk.ingests[0].http_status, 503);
    assert_non_null(strstr(desk.ingests[0].error.text, "a store knows more"));
    assert_int_equal(desk.ingests[0].accepted + desk.ingests[0].refused, 0);
    assert_int_equal(desk_stream().head, 4);
}

/* ---- a lost tail --------------------------------------------------------- */

struct copying {
    struct ves_store *to;
    uint32_t stream_no;
    uint64_t end, spoilt, bare; /* last row; whose receipt is bad, missing */
    uint64_t forged;            /* has another event's envelope */
    bool is_unnumbered;         /* no receipt says by which key it is */
    bool is_other;              /* row 40 is of another history */
    bool is_torn;        /* all that follows from the envelope is false */
    uint8_t other[4096]; /* the envelope before */
    size_t other_len;
};

static enum ves_status copy_row(void *ctx, const struct ves_log_row *row)
{
    struct copying *copying = ctx;
    struct ves_log_row copy = *row;

    if (row->sequence_number > copying->end)
        return VES_OK;
    if (row->sequence_number == copying->spoilt)
        copy.receipt.b[0] ^= 1;
    if (row->sequence_number == copying->bare)
        copy.has_receipt = false;
    if (row->sequence_number == copying->forged)
        copy.envelope = ves_bytes(copying->other, copying->other_len);
    if (copying->is_unnumbered)
        copy.receipt_key_version = 0;
    if (copying->is_other && row->sequence_number == 40)
        copy.event_hash.b[0] ^= 1;
    if (copying->is_torn) {
        copy.fingerprint.b[0] ^= 1;
        copy.entity_key.b[0] ^= 1;
        copy.entity_index += 7;
        copy.entity_prev = copy.entity_jump = 1;
        copy.agent_seq += 7;
        copy.signature.b[0] ^= 1;
        copy.has_command_id = !copy.has_command_id;
    }
    enum ves_status status =
        copying->to->ops->log_append(copying->to, copying->stream_no, &copy, 1);
    assert_true(row->envelope.len <= sizeof(copying->other));
    memcpy(copying->other, row->envelope.ptr, row->envelope.len);
    copying->other_len = row->envelope.len;
    return status;
}

static struct ves_store *copy_as(struct copying copying)
{
    struct ves_stream_row row;

    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &copying.to),
                     VES_OK);
    struct ves_store *to = copying.to;
    assert_int_equal(to->ops->begin(to), VES_OK);
    assert_int_equal(to->ops->stream_get(to, &desk.hub.stream, true, &row),
                     VES_OK);
    copying.stream_no = row.stream_no;
    assert_int_equal(desk.store->ops->log_read(desk.store,
                                               desk_stream().stream_no, 1, 0,
                                               copy_row, &copying),
                     VES_OK);
    assert_int_equal(to->ops->commit(to), VES_OK);
    return to;
}

/* A store of the first end events of the desk's log. */
static struct ves_store *copy_of_log(uint64_t end, uint64_t spoilt,
                                     uint64_t bare)
{
    return copy_as(
        (struct copying){.end = end, .spoilt = spoilt, .bare = bare});
}

/* Is it the very row of the desk's log? */
static enum ves_status same_row(void *ctx, const struct ves_log_row *row)
{
    const struct ves_log_row *was = ctx;

    assert_memory_equal(&row->signature, &was->signature, VES_SIG_SIZE);
    assert_int_equal(row->receipt_key_version, was->receipt_key_version);
    assert_memory_equal(&row->fingerprint, &was->fingerprint, VES_HASH_SIZE);
    assert_memory_equal(&row->entity_key, &was->entity_key, VES_HASH_SIZE);
    assert_int_equal(row->entity_index, was->entity_index);
    assert_int_equal(row->entity_prev, was->entity_prev);
    assert_int_equal(row->entity_jump, was->entity_jump);
    assert_int_equal(row->agent_seq, was->agent_seq);
    assert_int_equal(row->has_command_id, was->has_command_id);
    assert_true(ves_bytes_equal(row->envelope, was->envelope));
    return VES_OK;
}

static enum ves_status look_up(void *ctx, const struct ves_log_row *row)
{
    struct ves_store *recovered = ctx;
    struct ves_log_row was = *row;

    return row->sequence_number > 40
               ? VES_OK
               : recovered->ops->log_read(recovered, 1, row->sequence_number, 1,
                                          same_row, &was);
}

static bool find_receipt_key(void *ctx, uint32_t version,
                             struct ves_public_key *out)
{
    (void)ctx;
    *out = desk.hub.key.signer.public_key;
    return version == 1;
}

/* How far a recovery goes, when it takes more than the head asks for; 0: it
 * does not. */
static uint64_t more_up_to;

/* A backup of have events, made whole up to 40 from the stores given. */
static enum ves_status recover(uint64_t have, struct ves_store **stores,
                               size_t count, const struct ves_hash *root)
{
    const uint64_t end = more_up_to ? more_up_to : 40;
    struct ves_store *backup = copy_of_log(have, 0, 0);
    struct ves_sequencer sequencer = desk.hub.sequencer;
    struct ves_log_recovery what = {.size = 40,
                                    .root = *root,
                                    .stores = stores,
                                    .store_count = count,
                                    .keys = {find_receipt_key, NULL},
                                    .takes_more = more_up_to > 0};
    struct ves_stream_row row;
    struct ves_error error;
    uint64_t events;

    sequencer.store = backup;
    assert_int_equal(ves_log_tree_plant(&sequencer), VES_OK);
    ves_stream_id(&desk.hub.stream, &what.stream_id);
    test_ops_install(backup);
    enum ves_status status =
        ves_log_recover(&sequencer, &what, &events, &error);
    assert_int_equal(test_ops()->nameless, 0);
    test_ops_remove(backup);
    assert_int_equal(
        backup->ops->stream_get(backup, &desk.hub.stream, false, &row), VES_OK);
    assert_int_equal(row.head, status ? have : end);
    if (!status) {
        struct ves_hash got;
        assert_int_equal(events, end - have);
        assert_int_equal(ves_log_root_at(backup, row.stream_no, 40, &got),
                         VES_OK);
        assert_true(ves_hash_equal(&got, root));
        assert_int_equal(desk.store->ops->log_read(desk.store,
                                                   desk_stream().stream_no, 1,
                                                   0, look_up, backup),
                         VES_OK);
        assert_int_equal(ves_sequencer_upgrade(&sequencer), VES_OK);
    }
    ves_store_mem_close(backup);
    for (size_t i = 0; i < count; i++)
        ves_store_mem_close(stores[i]);
    return status;
}

static void test_recover(void **state)
{
    struct ves_store *stores[2];

    (void)state;
    push_up_to(45);
    struct ves_hash root = naive_root(0, 40);
    stores[0] = copy_of_log(45, 0, 0);
    assert_int_equal(recover(10, stores, 1, &root), VES_OK);
    /* One after the other, each as far as it goes. */
    stores[0] = copy_of_log(25, 0, 0);
    stores[1] = copy_of_log(41, 0, 0);
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    /* A whole log, from nothing but its stores. */
    stores[0] = copy_of_log(40, 0, 0);
    assert_int_equal(recover(0, stores, 1, &root), VES_OK);
    stores[0] = copy_of_log(39, 0, 0);
    assert_int_equal(recover(10, stores, 1, &root), VES_NOT_FOUND);
    stores[0] = copy_of_log(45, 30, 0);
    assert_int_equal(recover(10, stores, 1, &root), VES_NOT_FOUND);
    stores[0] = copy_of_log(45, 0, 11);
    assert_int_equal(recover(10, stores, 1, &root), VES_NOT_FOUND);
    /* What one store lacks, another one has. */
    stores[0] = copy_of_log(45, 30, 0);
    stores[1] = copy_of_log(45, 0, 11);
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    stores[0] = copy_of_log(45, 0, 11);
    stores[1] = copy_of_log(45, 30, 0);
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    /* An envelope that is not the event of the receipt is of no use. */
    stores[0] = copy_as((struct copying){.end = 45, .forged = 30});
    assert_int_equal(recover(10, stores, 1, &root), VES_NOT_FOUND);
    stores[0] = copy_as((struct copying){.end = 45, .forged = 30});
    stores[1] = copy_of_log(45, 0, 0);
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    /* What else a row says is not believed. */
    stores[0] = copy_as((struct copying){.end = 45, .is_torn = true});
    assert_int_equal(recover(10, stores, 1, &root), VES_OK);
    /* The number of a key is not signed; which key it was the signature says.
     */
    stores[0] = copy_as((struct copying){.end = 45, .is_unnumbered = true});
    assert_int_equal(recover(10, stores, 1, &root), VES_OK);
    root.b[0] ^= 1;
    stores[0] = copy_of_log(45, 0, 0);
    assert_int_equal(recover(10, stores, 1, &root), VES_CORRUPT);
}

/* What has a receipt and no head yet is taken, too, of the same history. */
static void test_recover_more(void **state)
{
    struct ves_store *stores[2];

    (void)state;
    push_up_to(45);
    struct ves_hash root = naive_root(0, 40);
    more_up_to = 43;
    stores[0] = copy_of_log(38, 0, 0);
    stores[1] = copy_of_log(43, 0, 0);
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    /* Although the database has all that was signed. */
    stores[0] = copy_of_log(43, 0, 0);
    assert_int_equal(recover(40, stores, 1, &root), VES_OK);
    more_up_to = 42;
    stores[0] = copy_of_log(42, 0, 0);
    stores[1] = copy_of_log(45, 43, 0);
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    /* Of a store that has another event in the last place of both: none. */
    more_up_to = 40;
    stores[0] = copy_of_log(40, 0, 0);
    stores[1] = copy_as((struct copying){.end = 45, .is_other = true});
    assert_int_equal(recover(10, stores, 2, &root), VES_OK);
    more_up_to = 0;
}

static void put_key(struct ves_store *store, const struct ves_uuid *agent,
                    uint32_t key_id, const struct ves_public_key *key)
{
    const struct ves_key_row row = {.tenant = desk.hub.stream.tenant,
                                    .agent = *agent,
                                    .key_id = key_id,
                                    .public_key = *key,
                                    .algorithm = ves_bytes_str("ed25519"),
                                    .registrar = ves_bytes_str("admin")};

    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->key_put(store, &row), VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
}

/* The file of a store may say anything: only a key that signed what this
 * sequencer gave a receipt for is learnt, and for this stream only. */
static void test_recover_keys(void **state)
{
    const struct ves_public_key *theirs = &desk.hub.key.signer.public_key;
    const struct ves_public_key *ours = &desk.hub.agent_key.signer.public_key;
    struct ves_log_recovery what = {
        .size = 40, .store_count = 2, .keys = {find_receipt_key, NULL}};
    struct ves_sequencer sequencer = desk.hub.sequencer;
    struct ves_uuid agent = desk.hub.agent, other = agent;
    struct ves_store *stores[2];
    struct ves_key_span span;
    struct ves_key_row key;
    struct ves_error error;
    struct ves_arena memory;
    uint64_t events;

    (void)state;
    push_up_to(45);
    what.root = naive_root(0, 40);
    ves_stream_id(&desk.hub.stream, &what.stream_id);
    other.b[0] ^= 1;
    stores[0] = copy_of_log(25, 0, 0);
    put_key(stores[0], &agent, 1, theirs);
    put_key(stores[0], &agent, 2, theirs);
    put_key(stores[0], &other, 1, theirs);
    stores[1] = copy_of_log(45, 0, 0);
    put_key(stores[1], &agent, 1, ours);
    what.stores = stores;
    sequencer.store = copy_of_log(10, 0, 0);
    assert_int_equal(ves_log_tree_plant(&sequencer), VES_OK);
    assert_int_equal(ves_log_recover(&sequencer, &what, &events, &error),
                     VES_OK);
    ves_arena_init(&memory, ves_alloc_default(), 1 << 20);
    struct ves_store *store = sequencer.store;
    const struct ves_uuid *tenant = &desk.hub.stream.tenant;
    assert_int_equal(
        store->ops->key_get(store, tenant, &agent, 1, &memory, &key), VES_OK);
    assert_memory_equal(key.public_key.b, ours->b, VES_KEY_SIZE);
    assert_true(key.has_store);
    assert_true(ves_uuid_equal(&key.store, &desk.hub.stream.store));
    assert_int_equal(store->ops->key_span_get(store, 1, &agent, 1, &span),
                     VES_OK);
    assert_int_equal(span.valid_from_sequence, 26);
    assert_int_equal(
        store->ops->key_get(store, tenant, &agent, 2, &memory, &key),
        VES_NOT_FOUND);
    assert_int_equal(
        store->ops->key_get(store, tenant, &other, 1, &memory, &key),
        VES_NOT_FOUND);
    ves_arena_free(&memory);
    ves_store_mem_close(store);
    ves_store_mem_close(stores[0]);
    ves_store_mem_close(stores[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
        T(test_every_size_and_pair),
        T(test_entries),
        T(test_failing_commit),
        T(test_not_the_next),
        T(test_plant),
        T(test_signed_head),
        T(test_page),
        T(test_bad_leaf_is_not_signed),
        T(test_gap_is_named),
        T(test_short_tile_is_named),
        T(test_foreign_head_is_not_built_on),
        T(test_claims),
        T(test_frozen),
        T(test_recover),
        T(test_recover_more),
        T(test_recover_keys),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("log_tree", tests, NULL, NULL);
}
