/* test_agent_log.c -- a store that follows the provable log: true heads raise
 * nothing, false ones let nothing in.
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
#include "core/evidence.h"
#include "core/merkle.h"
#include "engine/log_tree.h"
#include "test/lib/test_fleet.h"
#include "json/jcs.h"

enum { TEXT_MAX = 16 * 1024 * 1024, READER = 1 };

/* Two sequencers with one key: the second tells another history. */
static struct test_fleet fleet, other;
static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    test_fleet_open(&fleet, 2);
    test_fleet_open(&other, 2);
    fleet.has_receipts = fleet.has_log = true;
    other.has_receipts = other.has_log = true;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_fleet_close(&fleet);
    test_fleet_close(&other);
    ves_arena_free(&arena);
    return 0;
}

static void grow(struct test_fleet *at, size_t count)
{
    for (size_t i = 0; i < count; i++)
        test_fleet_adjust(at, 0, "MUG", "1");
    assert_int_equal(test_fleet_push(at, 0, NULL), VES_OK);
}

static struct ves_store *store(void)
{
    return fleet.devices[READER].core.store;
}

static struct ves_follow_row follow(void)
{
    struct ves_follow_row row = {.logged = 0};
    enum ves_status status = store()->ops->follow_get(
        store(), fleet.devices[READER].core.stream_no, &arena, &row);

    assert_true(status == VES_OK || status == VES_NOT_FOUND);
    return row;
}

static uint64_t cursor(void)
{
    return test_fleet_status(&fleet, READER).cursor;
}

static size_t alerts(const char *code)
{
    return test_fleet_open_records(&fleet, READER, VES_RECORD_ALERT, code);
}

/* The root of the sequencer's log at a size. */
static struct ves_hash root_at(struct test_fleet *at, uint64_t size)
{
    struct ves_stream_row row;
    struct ves_hash root;

    assert_int_equal(at->hub_store->ops->stream_get(
                         at->hub_store, &at->hub.stream, false, &row),
                     VES_OK);
    assert_int_equal(ves_log_root_at(at->hub_store, row.stream_no, size, &root),
                     VES_OK);
    return root;
}

/* The edge that is kept is that of the events that are here. */
static void expect_edge(uint64_t size)
{
    struct ves_tlog_edge edge;
    struct ves_hash root, want = root_at(&fleet, size);

    assert_int_equal(ves_tlog_edge_read(follow().edge, &edge), VES_OK);
    assert_int_equal(edge.size, size);
    ves_tlog_edge_root(&edge, &root);
    assert_true(ves_hash_equal(&root, &want));
}

/* ---- true pages ---------------------------------------------------------- */

static void heads_anywhere_in_a_page(void **state)
{
    uint64_t logged = 0;

    (void)state;
    for (uint32_t round = 0; round < 12; round++) {
        grow(&fleet, 1 + round % 4);
        if (round % 3 != 1)
            test_fleet_sign(&fleet);
        if (round % 4 == 2)
            grow(&fleet, 2); /* events that no head covers yet */
        do
            assert_int_equal(
                test_fleet_pull(&fleet, READER, 1 + round % 3, NULL), VES_OK);
        while (cursor() < test_fleet_status(&fleet, READER).remote_head);
        expect_edge(cursor());
        assert_true(follow().logged >= logged);
        logged = follow().logged;
    }
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(follow().logged, cursor());
    assert_int_equal(alerts(NULL), 0);
    struct ves_bytes note;
    assert_int_equal(
        ves_core_known_head(&fleet.devices[READER].core, &arena, &note),
        VES_OK);
    assert_true(ves_bytes_equal(note, follow().note));
}

/* A head beyond the page: what is here is in it, and is logged. */
static void a_head_that_is_ahead(void **state)
{
    (void)state;
    grow(&fleet, 23);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 5, NULL), VES_OK);
    assert_int_equal(cursor(), 5);
    assert_int_equal(follow().logged, 23);
    /* The server forgets to offer heads: nothing is taken back. */
    fleet.has_log = false;
    assert_int_equal(test_fleet_pull(&fleet, READER, 5, NULL), VES_OK);
    expect_edge(10);
    assert_int_equal(follow().logged, 23);
    fleet.has_log = true;
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    expect_edge(23);
    assert_int_equal(alerts(NULL), 0);
}

/* A store from before there was an edge makes it from its events. */
static void an_edge_that_was_not_kept(void **state)
{
    struct ves_follow_row none = {.logged = 0};

    (void)state;
    fleet.has_log = false;
    grow(&fleet, 13);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(follow().logged, 0);
    assert_int_equal(store()->ops->begin(store()), VES_OK);
    assert_int_equal(store()->ops->follow_put(
                         store(), fleet.devices[READER].core.stream_no, &none),
                     VES_OK);
    assert_int_equal(store()->ops->commit(store()), VES_OK);
    fleet.has_log = true;
    grow(&fleet, 4);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    expect_edge(17);
    assert_int_equal(follow().logged, 17);
    assert_int_equal(alerts(NULL), 0);
}

/* ---- false pages --------------------------------------------------------- */

/* A checkpoint as the log, or somebody else, might sign it. */
static struct ves_bytes note_of(const char *host, uint64_t size,
                                const struct ves_hash *root,
                                const struct test_signer *key)
{
    struct ves_checkpoint checkpoint = {.size = size, .root = *root};
    struct ves_note_key name;
    struct ves_hash stream_id;
    struct ves_buf origin, note;
    struct ves_bytes out;

    ves_buf_init(&origin, ves_alloc_default(), 1024);
    ves_buf_init(&note, ves_alloc_default(), 4096);
    ves_stream_id(&fleet.hub.stream, &stream_id);
    ves_origin_write(&origin, ves_bytes_str(host), &stream_id);
    checkpoint.origin = ves_buf_view(&origin);
    ves_checkpoint_write(&note, &checkpoint);
    ves_note_key_init(&name, checkpoint.origin, VES_NOTE_ED25519,
                      &key->signer.public_key);
    struct ves_bytes text;
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&note), &text),
                     VES_OK);
    ves_buf_put_u8(&note, '\n');
    ves_note_sign(&note, text, &name, &key->secret);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&note), &out), VES_OK);
    ves_buf_free(&origin);
    ves_buf_free(&note);
    return out;
}

/* What the second fleet would answer, with another checkpoint and proof; NULL:
 * those it has. */
static enum ves_status take(struct test_fleet *teller, uint64_t from,
                            uint32_t limit, const struct ves_bytes *note,
                            const char *proof)
{
    struct ves_pull_result result = {0};
    struct ves_buf page;
    bool had_log = teller->has_log;

    ves_buf_init(&page, ves_alloc_default(), TEXT_MAX);
    teller->has_log = had_log && !note;
    test_fleet_page(teller, from, limit, &page);
    teller->has_log = had_log;
    if (note) {
        page.len--;
        ves_buf_put_str(&page, ",\"checkpoint\":");
        ves_jcs_write_string(&page, *note);
        ves_buf_putf(&page, ",\"consistency\":[%s]}", proof);
    }
    enum ves_status status =
        test_fleet_take(&fleet, READER, ves_buf_view(&page), from, &result);
    ves_buf_free(&page);
    return status;
}

/* Refused, for this reason, and nothing has moved; told again, it is not
 * recorded again. */
static void expect_false(struct test_fleet *teller, uint64_t from,
                         uint32_t limit, const struct ves_bytes *note,
                         const char *proof, const char *code)
{
    uint64_t at = cursor(), logged = follow().logged;
    size_t before = alerts(code);

    for (int i = 0; i < 2; i++) {
        assert_int_equal(take(teller, from, limit, note, proof), VES_REFUSED);
        assert_int_equal(cursor(), at);
        assert_int_equal(follow().logged, logged);
        assert_int_equal(alerts(code), before + 1);
    }
    assert_true(test_fleet_open_records(&fleet, READER, VES_RECORD_QUARANTINE,
                                        code) >= 1);
}

static void heads_that_are_none(void **state)
{
    struct test_signer rogue;
    struct ves_hash root, wrong;

    (void)state;
    test_signer_init(&rogue, 66);
    grow(&fleet, 6);
    root = wrong = root_at(&fleet, 6);
    wrong.b[0] ^= 1;
    const struct ves_bytes bad[] = {
        note_of("log.test", 6, &root, &rogue),
        note_of("log.test", 6, &wrong, &fleet.hub.key),
        note_of("log.test", 0, &root, &fleet.hub.key),
        note_of("log.test", UINT64_C(1) << 40, &root, &fleet.hub.key),
        ves_bytes_str("log.test\n6\n"),
    };
    expect_false(&fleet, 1, 0, &bad[0], "", "checkpoint_invalid");
    for (size_t i = 2; i < 5; i++) {
        assert_int_equal(take(&fleet, 1, 0, &bad[i], ""), VES_REFUSED);
        assert_int_equal(cursor(), 0);
    }
    expect_false(&fleet, 1, 0, &bad[1], "", "log_mismatch");
    /* A proof that nobody needs, and one that is none. */
    struct ves_bytes good = note_of("log.test", 6, &root, &fleet.hub.key);
    assert_int_equal(take(&fleet, 1, 0, &good,
                          "\"0000000000000000000000000000000000000000000000000"
                          "000000000000000\""),
                     VES_REFUSED);
    assert_int_equal(take(&fleet, 1, 0, &good, "7"), VES_REFUSED);
    assert_int_equal(take(&fleet, 1, 3, &good, ""), VES_REFUSED);
    assert_int_equal(cursor(), 0);
    /* The truth settles what was false by itself. */
    assert_int_equal(take(&fleet, 1, 0, &good, ""), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(alerts(NULL), 0);
    /* From now on it has this name. */
    struct ves_bytes renamed = note_of("log.else", 6, &root, &fleet.hub.key);
    expect_false(&fleet, 6, 0, &renamed, "", "checkpoint_invalid");
}

/* One altered byte of the signature. */
static void a_signature_that_does_not_verify(void **state)
{
    (void)state;
    grow(&fleet, 3);
    struct ves_hash root = root_at(&fleet, 3);
    struct ves_bytes note = note_of("log.test", 3, &root, &fleet.hub.key);
    uint8_t *last = (uint8_t *)(uintptr_t)(note.ptr + note.len - 12);
    *last = *last == 'A' ? 'B' : 'A';
    expect_false(&fleet, 1, 0, &note, "", "checkpoint_invalid");
}

static void two_heads_of_one_size(void **state)
{
    (void)state;
    grow(&fleet, 5);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    struct ves_hash root = root_at(&fleet, 5);
    root.b[3] ^= 1;
    struct ves_bytes note = note_of("log.test", 5, &root, &fleet.hub.key);
    expect_false(&fleet, 5, 0, &note, "", "log_fork");
    /* The same about a smaller size that was never a head here. */
    note = note_of("log.test", 4, &root, &fleet.hub.key);
    assert_int_equal(take(&fleet, 5, 0, &note, ""), VES_REFUSED);
    /* No later truth makes one history of two. */
    grow(&fleet, 1);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(alerts("log_fork"), 2);
}

/* An older head that is true is no news. */
static void a_smaller_head(void **state)
{
    (void)state;
    grow(&fleet, 9);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    for (uint64_t size = 1; size < 9; size++) {
        struct ves_hash root = root_at(&fleet, size);
        struct ves_bytes note =
            note_of("log.test", size, &root, &fleet.hub.key);
        assert_int_equal(take(&fleet, 9, 0, &note, ""), VES_OK);
    }
    assert_int_equal(follow().logged, 9);
    assert_int_equal(alerts(NULL), 0);
}

/* Another history from the first event on, whole and signed with the same key:
 * whoever has seen the first one does not take it. */
static void another_history(void **state)
{
    (void)state;
    grow(&fleet, 7);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 4, NULL), VES_OK);
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 11);
    test_fleet_sign(&other);
    /* The events by themselves are good, and so is their head. */
    expect_false(&other, 5, 0, NULL, "", "log_mismatch");
    assert_int_equal(take(&other, 5, 2, NULL, ""), VES_REFUSED);
    assert_int_equal(cursor(), 4);
    /* Without a head nobody can tell yet; the head seen before can. */
    other.has_log = false;
    assert_int_equal(take(&other, 5, 2, NULL, ""), VES_OK);
    assert_int_equal(cursor(), 6);
    assert_int_equal(take(&other, 7, 0, NULL, ""), VES_REFUSED);
    assert_int_equal(cursor(), 6);
}

/* ---- evidence ------------------------------------------------------------ */

/* What a log answers about one of its entries. */
static struct ves_bytes inclusion_of(struct test_fleet *at, uint64_t sequence,
                                     uint64_t size)
{
    const struct ves_tlog_node node = {0, sequence - 1};
    struct ves_log_source source;
    struct ves_stream_row row;
    struct ves_tlog_path path;
    struct ves_hash leaf;
    struct ves_bytes out;
    struct ves_buf buf;

    assert_int_equal(at->hub_store->ops->stream_get(
                         at->hub_store, &at->hub.stream, false, &row),
                     VES_OK);
    ves_log_source_init(&source, at->hub_store, row.stream_no, size);
    const struct ves_tlog_source *nodes = &source.tiles.source;
    assert_int_equal(nodes->read(nodes->ctx, &node, 1, &leaf), VES_OK);
    assert_int_equal(ves_tlog_inclusion_make(nodes, node, size, &path), VES_OK);
    ves_buf_init(&buf, ves_alloc_default(), 1 << 16);
    ves_buf_put_str(&buf, "{\"leafHash\":\"");
    ves_buf_put_hex(&buf, leaf.b, VES_HASH_SIZE);
    ves_buf_put_str(&buf, "\",\"path\":[");
    for (uint32_t i = 0; i < path.count; i++) {
        ves_buf_put_str(&buf, i ? ",\"" : "\"");
        ves_buf_put_hex(&buf, path.hash[i].b, VES_HASH_SIZE);
        ves_buf_put_u8(&buf, '"');
    }
    ves_buf_put_str(&buf, "]}");
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&buf), &out), VES_OK);
    ves_buf_free(&buf);
    return out;
}

static struct ves_bytes head_of(struct test_fleet *at, uint64_t size)
{
    struct ves_hash root = root_at(at, size);

    return note_of("log.test", size, &root, &at->hub.key);
}

static enum ves_status fork(struct ves_bytes theirs, struct ves_bytes inclusion)
{
    struct ves_buf out;

    ves_buf_init(&out, ves_alloc_default(), VES_EVIDENCE_MAX);
    enum ves_status status = ves_core_fork_evidence(
        &fleet.devices[READER].core, theirs, inclusion, fleet.hub.now_ms, &out);
    ves_buf_free(&out);
    return status;
}

/* Of every pair of sizes, wherever the two histories part, the proof of one
 * entry is enough; and nobody is accused who tells the truth. */
static void two_histories_are_shown(void **state)
{
    struct ves_agent_core *core = &fleet.devices[READER].core;
    uint64_t size, common;

    (void)state;
    grow(&fleet, 21);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    grow(&other, 13);
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 19);
    size_t shown = 0;
    for (uint64_t theirs = 1; theirs <= 32; theirs++) {
        struct ves_bytes head = head_of(&other, theirs);
        assert_int_equal(ves_core_dispute(core, head, &size, &common), VES_OK);
        assert_int_equal(size, theirs);
        assert_int_equal(common, theirs < 21 ? theirs : 21);
        enum ves_status status = fork(head, inclusion_of(&other, common, size));
        assert_int_equal(status, theirs < 14 ? VES_NOT_FOUND : VES_OK);
        shown += status == VES_OK;
    }
    assert_int_equal(shown, 19);
    /* Against one head of ours one is enough. */
    assert_int_equal(alerts("log_fork"), 1);
    for (uint64_t theirs = 1; theirs <= 21; theirs++) {
        struct ves_bytes head = head_of(&fleet, theirs);
        assert_int_equal(fork(head, inclusion_of(&fleet, theirs, theirs)),
                         VES_NOT_FOUND);
    }
    /* A proof of something else is no proof. */
    assert_int_equal(fork(head_of(&other, 30), inclusion_of(&other, 20, 30)),
                     VES_REFUSED);
    assert_int_equal(fork(head_of(&other, 30), ves_bytes_str("{}")),
                     VES_REFUSED);
    struct test_signer rogue;
    struct ves_hash root = root_at(&other, 30);
    test_signer_init(&rogue, 66);
    assert_int_equal(ves_core_dispute(core,
                                      note_of("log.test", 30, &root, &rogue),
                                      &size, &common),
                     VES_REFUSED);
    /* Nor is the same sequencer's head of a log of another name. */
    struct ves_bytes named = note_of("other.test", 30, &root, &other.hub.key);
    assert_int_equal(ves_core_dispute(core, named, &size, &common),
                     VES_REFUSED);
}

static struct ves_bytes apart_evidence(struct ves_bytes theirs)
{
    struct ves_buf out;
    struct ves_bytes copy;

    ves_buf_init(&out, ves_alloc_default(), VES_EVIDENCE_MAX);
    assert_int_equal(ves_core_apart_evidence(&fleet.devices[READER].core,
                                             theirs, fleet.hub.now_ms, &out),
                     VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&out), &copy), VES_OK);
    ves_buf_free(&out);
    return copy;
}

static bool are_apart(struct ves_bytes theirs)
{
    bool is_apart;

    assert_int_equal(
        ves_core_apart(&fleet.devices[READER].core, theirs, &is_apart), VES_OK);
    return is_apart;
}

/* The reader has four events of a log of 21, whose head it verified. */
static void pull_four_of_21(void)
{
    grow(&fleet, 21);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 4, NULL), VES_OK);
    assert_int_equal(follow().logged, 21);
    grow(&other, 13);
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 19);
}

/* Neither head's entries are here, and one path is enough all the same. */
static void two_heads_beyond_the_cursor(void **state)
{
    struct ves_agent_core *core = &fleet.devices[READER].core;
    uint64_t size, common;

    (void)state;
    pull_four_of_21();
    for (uint64_t theirs = 22; theirs <= 32; theirs++) {
        struct ves_bytes head = head_of(&other, theirs);
        assert_true(are_apart(head));
        assert_int_equal(ves_core_dispute(core, head, &size, &common), VES_OK);
        assert_int_equal(size, theirs);
        assert_int_equal(common, 21);
        assert_int_equal(fork(head, inclusion_of(&other, 21, theirs)), VES_OK);
    }
    assert_int_equal(alerts("log_fork"), 1);
    /* A smaller one has to be in ours, which only the log could show. */
    struct ves_bytes head = head_of(&other, 17);
    assert_true(are_apart(head));
    assert_int_equal(ves_core_dispute(core, head, &size, &common), VES_OK);
    assert_int_equal(size, 21);
    assert_int_equal(common, 17);
    assert_int_equal(fork(head, inclusion_of(&fleet, 17, 21)), VES_OK);
    assert_int_equal(fork(head, inclusion_of(&other, 17, 21)), VES_REFUSED);
    /* Nobody is accused who tells the truth. */
    grow(&fleet, 11);
    for (uint64_t theirs = 1; theirs <= 32; theirs++) {
        head = head_of(&fleet, theirs);
        assert_int_equal(are_apart(head), theirs != 21);
        uint64_t end = theirs < 21 ? 21 : theirs;
        uint64_t last = theirs < 21 ? theirs : 21;
        assert_int_equal(fork(head, inclusion_of(&fleet, last, end)),
                         VES_NOT_FOUND);
    }
}

/* Of one size they need no path. */
static void two_heads_of_one_size_beyond_the_cursor(void **state)
{
    (void)state;
    grow(&fleet, 21);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 4, NULL), VES_OK);
    grow(&other, 13);
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 7);
    test_fleet_sign(&other);
    expect_false(&other, 5, 4, NULL, "", "log_fork");
}

/* A head that was verified says nothing of events that are not here. */
static void what_is_not_here_is_not_logged(void **state)
{
    struct ves_agent_core *core = &fleet.devices[READER].core;
    struct ves_core_finality finality;

    (void)state;
    pull_four_of_21();
    struct ves_follow_row row = follow();
    row.witnessed = row.logged;
    assert_int_equal(store()->ops->begin(store()), VES_OK);
    assert_int_equal(store()->ops->follow_put(store(), core->stream_no, &row),
                     VES_OK);
    assert_int_equal(store()->ops->commit(store()), VES_OK);
    assert_int_equal(ves_core_finality(core, &finality), VES_OK);
    assert_int_equal(finality.logged, 4);
    assert_int_equal(finality.witnessed, 4);
    assert_string_equal(ves_finality_name(&finality, 5, true), "received");
}

/* ... and where nothing is shown, both stay signed, for others, until the
 * events have passed them. */
static void two_heads_that_nobody_joins(void **state)
{
    struct ves_evidence evidence;
    struct ves_bytes file, head;

    (void)state;
    pull_four_of_21();
    head = head_of(&other, 30);
    assert_int_equal(fork(head, ves_bytes_str("{}")), VES_REFUSED);
    file = apart_evidence(head);
    assert_int_equal(
        ves_evidence_read(file, ves_alloc_default(), &evidence, NULL), VES_OK);
    assert_int_equal(evidence.kind, VES_EVIDENCE_FORK);
    assert_false(evidence.has_node || evidence.has_last);
    assert_int_equal(evidence.heads[0].checkpoint.size, 21);
    assert_int_equal(evidence.heads[1].checkpoint.size, 30);
    (void)apart_evidence(head);
    assert_int_equal(alerts("heads_apart"), 1);
    struct ves_buf kept;
    ves_buf_init(&kept, ves_alloc_default(), VES_EVIDENCE_MAX);
    assert_int_equal(ves_core_kept_evidence(&fleet.devices[READER].core, &kept),
                     VES_NOT_FOUND);
    ves_buf_free(&kept);
    assert_int_equal(test_fleet_pull(&fleet, READER, 4, NULL), VES_OK);
    assert_int_equal(alerts("heads_apart"), 1);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(cursor(), 21);
    assert_int_equal(alerts(NULL), 0);
}

/* A later head does not take the place of one whose entries have not come:
 * when they do, and are others, its signature is what shows it. */
static void a_head_is_kept_until_it_is_passed(void **state)
{
    (void)state;
    pull_four_of_21();
    struct ves_bytes first;
    assert_int_equal(ves_arena_copy(&arena, follow().note, &first), VES_OK);
    test_fleet_sign(&other);
    assert_int_equal(take(&other, 5, 4, NULL, ""), VES_OK);
    assert_int_equal(cursor(), 8);
    assert_true(ves_bytes_equal(follow().note, first));
    assert_int_equal(take(&other, 9, 0, NULL, ""), VES_REFUSED);
    assert_int_equal(cursor(), 8);
    assert_int_equal(alerts("log_mismatch"), 1);
    struct ves_bytes head = head_of(&other, 33);
    assert_int_equal(fork(head, inclusion_of(&other, 21, 33)), VES_OK);
    assert_int_equal(alerts("log_fork"), 1);
}

/* ---- receipts and the log ------------------------------------------------ */

/* The reader has a receipt for number 4, and the log came there with another
 * event, as the other sequencer, which has the same key, tells it. */
static void break_promise(void)
{
    grow(&fleet, 3);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    test_fleet_adjust(&fleet, READER, "BOWL", "1");
    assert_int_equal(test_fleet_push(&fleet, READER, NULL), VES_OK);
    grow(&other, 3);
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 4);
    test_fleet_sign(&other);
}

static void a_promise_that_is_broken(void **state)
{
    (void)state;
    break_promise();
    /* With a head, or without one, which nothing else would notice. */
    expect_false(&other, 4, 0, NULL, "", "receipt_broken");
    assert_int_equal(take(&other, 4, 1, NULL, ""), VES_REFUSED);
    assert_int_equal(take(&other, 1, 0, NULL, ""), VES_REFUSED);
    other.has_log = false;
    assert_int_equal(take(&other, 4, 2, NULL, ""), VES_REFUSED);
    assert_int_equal(cursor(), 3);
    /* The truth is taken, and does not undo what was signed. */
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(cursor(), 4);
    assert_int_equal(follow().logged, 4);
    assert_int_equal(alerts("receipt_broken"), 1);
}

static enum ves_status first_broken(void *ctx, const struct ves_record *row)
{
    uint64_t *no = ctx;

    if (!ves_bytes_is(row->code, "receipt_broken") || !row->has_event_id)
        return VES_OK;
    *no = row->no;
    return VES_AGAIN;
}

static enum ves_status has_receipt(void *ctx, const struct ves_record *row)
{
    static const char words[] = "\"receipt\":{\"sequencerId\"";
    bool *is_there = ctx;

    for (size_t i = 0; i + sizeof(words) <= row->detail.len; i++)
        *is_there |= memcmp(row->detail.ptr + i, words, sizeof(words) - 1) == 0;
    return VES_OK;
}

/* Its owner lets the receipt go: then the log goes on, with the event to be
 * sent again, and the trail keeps the receipt. */
static void a_promise_that_is_let_go(void **state)
{
    struct ves_agent_core *core = &fleet.devices[READER].core;
    struct ves_store *s = store();
    bool is_kept = false;
    uint64_t no = 0;

    (void)state;
    break_promise();
    expect_false(&other, 4, 0, NULL, "", "receipt_broken");
    assert_non_null(strstr(core->error.text, "lets the receipt go"));
    assert_int_equal(s->ops->record_list(s, VES_RECORD_ALERT, core->stream_no,
                                         0, false, 0, first_broken, &no),
                     VES_AGAIN);
    assert_int_equal(ves_core_settle(core, no, ves_bytes_str("it is gone"),
                                     fleet.hub.now_ms),
                     VES_OK);
    assert_int_equal(s->ops->record_list(s, VES_RECORD_TRAIL, core->stream_no,
                                         0, true, 1, has_receipt, &is_kept),
                     VES_OK);
    assert_true(is_kept);
    assert_int_equal(
        test_fleet_status(&fleet, READER).counts[VES_OUTBOX_PENDING], 1);
    assert_int_equal(take(&other, 4, 0, NULL, ""), VES_OK);
    assert_int_equal(cursor(), 8);
    assert_int_equal(follow().logged, 8);
    assert_int_equal(alerts("receipt_broken"), 0);
    assert_string_equal(
        test_fleet_member(&fleet, READER, "inventory", "BOWL", "on_hand", true),
        "1");
}

/* A verified head says that the log goes on: a page of before that ends earlier
 * is not all there is, however it says so, nor is what was counted up to there.
 */
static void an_old_end_is_not_the_end(void **state)
{
    struct ves_agent_core *core = &fleet.devices[READER].core;
    struct ves_pull_result result = {0};
    struct ves_buf old;
    bool is_known;

    (void)state;
    grow(&fleet, 3);
    ves_buf_init(&old, ves_alloc_default(), TEXT_MAX);
    fleet.has_log = false;
    test_fleet_page(&fleet, 1, 0, &old);
    fleet.has_log = true;
    grow(&fleet, 3);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 2, &result), VES_OK);
    assert_int_equal(follow().logged, 6);
    memset(&result, 0, sizeof(result));
    assert_int_equal(
        test_fleet_take(&fleet, READER, ves_buf_view(&old), 1, &result),
        VES_OK);
    assert_int_equal(cursor(), 3);
    assert_true(result.has_more);
    assert_int_equal(test_fleet_status(&fleet, READER).remote_head, 6);
    assert_int_equal(ves_core_own_counted(core, 0, 3, 0, &is_known), VES_OK);
    assert_false(is_known);
    assert_int_equal(ves_core_own_counted(core, 0, 6, 0, &is_known), VES_OK);
    assert_true(is_known);
    memset(&result, 0, sizeof(result));
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, &result), VES_OK);
    assert_false(result.has_more);
    ves_buf_free(&old);
}

static enum ves_status copy_row(void *ctx, const struct ves_outbox_row *row)
{
    struct ves_outbox_row *out = ctx;

    *out = *row;
    out->error = out->disposition = ves_bytes(NULL, 0);
    return VES_OK;
}

/* A damaged file accuses nobody. */
static void a_promise_that_nobody_signed(void **state)
{
    const struct ves_outbox_filter all = {.status_mask = 0};
    struct ves_store *s = store();
    struct ves_promise_row promise;
    struct ves_outbox_row row;
    size_t found;

    (void)state;
    break_promise();
    assert_int_equal(s->ops->outbox_promised(s, 1, 99, 1, &promise, &found),
                     VES_OK);
    assert_int_equal(found, 1);
    assert_int_equal(promise.sequence_number, 4);
    assert_int_equal(s->ops->outbox_list(s, &all, copy_row, &row), VES_OK);
    row.receipt.b[7] ^= 1;
    assert_int_equal(s->ops->begin(s), VES_OK);
    assert_int_equal(s->ops->outbox_update(s, &row, 1), VES_OK);
    assert_int_equal(s->ops->commit(s), VES_OK);
    assert_int_equal(take(&other, 4, 0, NULL, ""), VES_OK);
    assert_int_equal(alerts("receipt_broken"), 0);
}

/* The kind of the evidence; what is proven is read by whoever has the file. */
static enum ves_status show(struct ves_page *page, struct ves_bytes inclusion,
                            const char *kind)
{
    struct ves_evidence *read = ves_arena_alloc(&arena, sizeof(*read));
    struct ves_buf out;

    assert_non_null(read);
    ves_buf_init(&out, ves_alloc_default(), VES_EVIDENCE_MAX);
    enum ves_status status = ves_core_promise_evidence(
        &fleet.devices[READER].core, page, inclusion, fleet.hub.now_ms, &out);
    if (!status) {
        assert_int_equal(ves_evidence_read(ves_buf_view(&out),
                                           ves_alloc_default(), read, NULL),
                         VES_OK);
        assert_string_equal(ves_evidence_kind_name(read->kind), kind);
    }
    ves_buf_free(&out);
    return status;
}

/* Refused, so that the page can be asked for what it broke. */
static struct ves_page *refused_page(void)
{
    struct ves_agent_core *core = &fleet.devices[READER].core;
    struct ves_pull_result result = {0};
    struct ves_page *page;
    struct ves_buf buf;
    bool needs_keys;

    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(&other, 4, 2, &buf);
    assert_int_equal(
        ves_core_page_read(core, ves_buf_view(&buf), 4, &page, &needs_keys),
        VES_OK);
    ves_buf_free(&buf);
    assert_false(needs_keys);
    ves_core_page_verify(core, page);
    assert_int_equal(ves_core_page_apply(core, page, fleet.hub.now_ms, &result),
                     VES_REFUSED);
    return page;
}

static void a_broken_promise_is_shown(void **state)
{
    uint64_t sequence, size;

    (void)state;
    break_promise();
    struct ves_page *page = refused_page();
    assert_true(ves_page_breaks(page, &sequence, &size));
    assert_int_equal(sequence, 4);
    assert_int_equal(size, 8);
    assert_int_equal(show(page, inclusion_of(&other, 4, 8), "receipt"), VES_OK);
    /* A log that does not answer, or beside the point. */
    assert_int_equal(show(page, ves_bytes(NULL, 0), ""), VES_NOT_FOUND);
    assert_int_equal(show(page, inclusion_of(&other, 5, 8), ""), VES_REFUSED);
    ves_page_free(page);
    /* Events without receipts. */
    other.has_receipts = false;
    page = refused_page();
    assert_int_equal(show(page, ves_bytes(NULL, 0), ""), VES_NOT_FOUND);
    assert_int_equal(show(page, inclusion_of(&other, 5, 8), ""), VES_REFUSED);
    assert_int_equal(show(page, inclusion_of(&other, 4, 8), "receipt"), VES_OK);
    ves_page_free(page);
}

/* What a page of a sequencer shows by its receipts alone: the kind of the
 * evidence, "" for none. */
static void expect_rival(const struct test_fleet *from, uint64_t first,
                         uint32_t limit, const char *kind)
{
    struct ves_evidence *read = ves_arena_alloc(&arena, sizeof(*read));
    struct ves_agent_core *core = &fleet.devices[READER].core;
    struct ves_buf reply, out, kept;

    assert_non_null(read);
    ves_buf_init(&reply, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&out, ves_alloc_default(), VES_EVIDENCE_MAX);
    ves_buf_init(&kept, ves_alloc_default(), VES_EVIDENCE_MAX);
    test_fleet_page((struct test_fleet *)(uintptr_t)from, first, limit, &reply);
    enum ves_status status = ves_core_rival_evidence(core, ves_buf_view(&reply),
                                                     fleet.hub.now_ms, &out);
    if (kind[0] == '\0') {
        assert_int_equal(status, VES_NOT_FOUND);
    } else {
        assert_int_equal(status, VES_OK);
        assert_int_equal(ves_evidence_read(ves_buf_view(&out),
                                           ves_alloc_default(), read, NULL),
                         VES_OK);
        assert_string_equal(ves_evidence_kind_name(read->kind), kind);
        assert_int_equal(ves_core_kept_evidence(core, &kept), VES_OK);
        assert_true(ves_bytes_equal(ves_buf_view(&kept), ves_buf_view(&out)));
    }
    ves_buf_free(&kept);
    ves_buf_free(&out);
    ves_buf_free(&reply);
}

/* The reader knows no head that the other history contradicts, but it has
 * events with receipts, and so has that one. */
static void rivals_by_receipts(void **state)
{
    (void)state;
    grow(&fleet, 3);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    grow(&fleet, 2);
    fleet.has_log = false;
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    assert_int_equal(follow().logged, 3);
    expect_rival(&fleet, 1, 0, "");
    grow(&other, 3);
    other.has_log = false;
    expect_rival(&other, 1, 0, "");
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 2);
    expect_rival(&other, 6, 0, "");
    expect_rival(&other, 1, 0, "receipts");
    expect_rival(&other, 5, 1, "receipts");
    other.has_receipts = false;
    struct ves_buf kept;
    ves_buf_init(&kept, ves_alloc_default(), VES_EVIDENCE_MAX);
    assert_int_equal(ves_core_kept_evidence(&fleet.devices[READER].core, &kept),
                     VES_OK);
    ves_buf_free(&kept);
    expect_rival(&other, 1, 0, "");
}

/* Its own events came without receipts; the head that covers them is as good.
 */
static void rivals_by_a_head(void **state)
{
    (void)state;
    fleet.has_receipts = false;
    grow(&fleet, 5);
    test_fleet_sign(&fleet);
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    grow(&fleet, 1);
    fleet.has_log = false;
    assert_int_equal(test_fleet_pull(&fleet, READER, 0, NULL), VES_OK);
    grow(&other, 3);
    test_fleet_adjust(&other, 0, "CUP", "5");
    grow(&other, 3);
    expect_rival(&other, 6, 0, "");
    expect_rival(&other, 1, 0, "receipt");
}

static void rivals_by_an_own_receipt(void **state)
{
    (void)state;
    break_promise();
    other.has_log = false;
    expect_rival(&other, 1, 0, "receipts");
    expect_rival(&other, 5, 0, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(heads_anywhere_in_a_page),
        T(a_head_that_is_ahead),
        T(an_edge_that_was_not_kept),
        T(heads_that_are_none),
        T(a_signature_that_does_not_verify),
        T(two_heads_of_one_size),
        T(a_smaller_head),
        T(another_history),
        T(two_histories_are_shown),
        T(two_heads_beyond_the_cursor),
        T(two_heads_of_one_size_beyond_the_cursor),
        T(what_is_not_here_is_not_logged),
        T(two_heads_that_nobody_joins),
        T(a_head_is_kept_until_it_is_passed),
        T(a_promise_that_is_broken),
        T(a_promise_that_is_let_go),
        T(an_old_end_is_not_the_end),
        T(a_promise_that_nobody_signed),
        T(a_broken_promise_is_shown),
        T(rivals_by_receipts),
        T(rivals_by_a_head),
        T(rivals_by_an_own_receipt),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("agent_log", tests, NULL, NULL);
}
