/* test_evidence.c -- evidence: each kind proven, and honest logs not accused.
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
#include "test/lib/test_bundle.h"

enum { EVENTS = 20 };

/* The log as it is, and the one a dishonest sequencer shows to others: the
 * same up to event 12. */
static struct test_bundle shop;
static struct test_log forked;
static struct ves_evidence evidence;
static struct ves_verify_report report;
static struct ves_buf notes[2];
static struct ves_buf file;

static int set_up(void **state)
{
    (void)state;
    test_bundle_open(&shop, EVENTS);
    test_log_open(&forked);
    forked.log_key = shop.log.log_key;
    for (size_t i = 0; i < EVENTS; i++) {
        struct ves_leaf leaf = shop.log.leaves[i];
        if (i == 12)
            leaf = (struct ves_leaf){leaf.stream, leaf.sequence_number,
                                     shop.log.leaves[0].event_hash,
                                     shop.log.leaves[0].signature};
        test_log_append(&forked, &leaf);
    }
    test_log_buf(&notes[0]);
    test_log_buf(&notes[1]);
    test_log_buf(&file);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_bundle_close(&shop);
    test_log_close(&forked);
    ves_buf_free(&notes[0]);
    ves_buf_free(&notes[1]);
    ves_buf_free(&file);
    return 0;
}

static int start(void **state)
{
    (void)state;
    memset(&evidence, 0, sizeof(evidence));
    ves_buf_reset(&notes[0]);
    ves_buf_reset(&notes[1]);
    return 0;
}

static enum ves_verify_verdict verify_file(void)
{
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    return test_bundle_verify(&anchors, ves_buf_view(&file), ves_bytes(NULL, 0),
                              &report);
}

/* Writes, reads again, verifies. */
static enum ves_verify_verdict verify(void)
{
    static struct ves_evidence again;
    struct ves_buf twice;

    ves_buf_reset(&file);
    ves_evidence_write(&file, &evidence);
    assert_int_equal(ves_buf_status(&file), VES_OK);
    if (ves_evidence_read(ves_buf_view(&file), ves_alloc_default(), &again,
                          NULL) == VES_OK) {
        test_log_buf(&twice);
        ves_evidence_write(&twice, &again);
        assert_true(ves_bytes_equal(ves_buf_view(&file), ves_buf_view(&twice)));
        ves_buf_free(&twice);
    }
    return verify_file();
}

static void expect(enum ves_verify_finding finding, const char *says)
{
    const struct ves_verify_property *line =
        test_bundle_line(&report, "contradiction");
    if (!line || line->finding != finding || !strstr(line->text, says))
        fail_msg("%s", line ? line->text : "no line");
    static const enum ves_verify_verdict verdicts[] = {
        VES_VERIFY_PROVEN, VES_VERIFY_BELOW_POLICY, VES_VERIFY_INVALID};
    assert_int_equal(report.verdict, verdicts[finding]);
    assert_string_equal(report.format, "evidence");
}

/* Head i is that of a log at a size. */
static void set_head(size_t i, struct test_log *log, uint64_t size)
{
    ves_buf_reset(&notes[i]);
    test_log_checkpoint(log, &notes[i], size);
    evidence.heads[i].note_bytes = ves_buf_view(&notes[i]);
}

/* What head i's tree has at the node. */
static void show_node(size_t i, struct test_log *log, uint64_t size)
{
    const struct ves_tlog_source *source = test_log_source(log);

    evidence.has_node = true;
    assert_int_equal(
        source->read(source->ctx, &evidence.node, 1, &evidence.heads[i].hash),
        VES_OK);
    assert_int_equal(ves_tlog_inclusion_make(source, evidence.node, size,
                                             &evidence.heads[i].path),
                     VES_OK);
}

static void test_fork_of_one_size(void **state)
{
    (void)state;
    set_head(0, &shop.log, 17);
    set_head(1, &forked, 17);
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "same size");
    /* The same head twice, and heads before the fork. */
    set_head(1, &shop.log, 17);
    verify();
    expect(VES_FINDING_FAILED, "same tree");
    set_head(0, &shop.log, 12);
    set_head(1, &forked, 12);
    verify();
    expect(VES_FINDING_FAILED, "same tree");
}

static void test_fork_of_two_sizes(void **state)
{
    (void)state;
    set_head(0, &shop.log, 15);
    set_head(1, &forked, 19);
    verify();
    expect(VES_FINDING_NOT_PROVEN, "no place where they differ");
    /* The entry that differs, and subtrees with it. */
    for (uint32_t level = 0; level < 3; level++) {
        if ((UINT64_C(12) >> level) + 1 > UINT64_C(15) >> level)
            continue;
        evidence.node = (struct ves_tlog_node){level, 12 >> level};
        show_node(0, &shop.log, 15);
        show_node(1, &forked, 19);
        verify();
        expect(VES_FINDING_PROVEN, "two histories");
    }
    /* One that does not. */
    evidence.node = (struct ves_tlog_node){3, 0};
    show_node(0, &shop.log, 15);
    show_node(1, &forked, 19);
    verify();
    expect(VES_FINDING_FAILED, "agree in the place");
    /* A hash that is not in the tree. */
    evidence.heads[0].hash.b[0] ^= 1;
    verify();
    expect(VES_FINDING_FAILED, "not in them");
}

/* An honest log cannot be made to look like one that forked. */
static void test_honest_log(void **state)
{
    (void)state;
    for (uint64_t small = 1; small < 19; small++) {
        set_head(0, &shop.log, small);
        set_head(1, &shop.log, 19);
        for (uint32_t level = 0; level < 5; level++) {
            for (uint64_t i = 0; i < small >> level; i++) {
                evidence.node = (struct ves_tlog_node){level, i};
                show_node(0, &shop.log, small);
                show_node(1, &shop.log, 19);
                verify();
                expect(VES_FINDING_FAILED, "agree in the place");
            }
        }
    }
}

static void test_fork_of_nobody(void **state)
{
    (void)state;
    /* Signed by a key that is not the log's. */
    struct test_log other = forked;
    other.log_secret = forked.agent_secret;
    set_head(0, &shop.log, 17);
    set_head(1, &other, 17);
    verify();
    expect(VES_FINDING_FAILED, "did not sign both");
}

/* Two logs that one policy trusts are two logs, even with one key each. */
static void test_fork_of_two_logs(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    static const uint8_t seed[VES_SEED_SIZE] = {8};
    struct test_log other = forked;
    struct ves_public_key key;
    struct ves_buf policy;

    ves_ed25519_keypair(seed, &other.log_secret, &key);
    ves_note_key_init(&other.log_key, ves_bytes_str("other.example"),
                      VES_NOTE_ED25519, &key);
    set_head(0, &shop.log, 17);
    set_head(1, &other, 17);
    verify();
    expect(VES_FINDING_FAILED, "did not sign both");
    test_log_buf(&policy);
    ves_buf_put_str(&policy, shop.no_witness);
    ves_buf_put_str(&policy, "log ");
    ves_note_key_write(&policy, &other.log_key);
    ves_buf_put_str(&policy, "\n");
    anchors.policy = ves_buf_view(&policy);
    test_bundle_verify(&anchors, ves_buf_view(&file), ves_bytes(NULL, 0),
                       &report);
    expect(VES_FINDING_FAILED, "of different logs");
    ves_buf_free(&policy);
}

/* What is flipped of byte i: one bit, and the one that changes case. */
static uint8_t bits_of(size_t i, size_t k)
{
    return k == 0 ? (uint8_t)(1 << i % 8) : 0x20;
}

static void test_fork_flips(void **state)
{
    (void)state;
    set_head(0, &shop.log, 15);
    set_head(1, &forked, 19);
    evidence.node = (struct ves_tlog_node){0, 12};
    show_node(0, &shop.log, 15);
    show_node(1, &forked, 19);
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    for (size_t i = 0; i < file.len; i++) {
        for (size_t k = 0; k < 2; k++) {
            uint8_t bit = bits_of(i, k);
            file.ptr[i] ^= bit;
            if (verify_file() == VES_VERIFY_PROVEN)
                fail_msg("byte %zu may be changed by %u", i, bit);
            file.ptr[i] ^= bit;
        }
    }
    for (size_t cut = 1; cut < file.len; cut++) {
        file.len -= cut;
        assert_int_equal(verify_file(), VES_VERIFY_INVALID);
        file.len += cut;
    }
}

/* ---- receipts ---- */

static void promise(struct ves_evidence_receipt *out,
                    const struct ves_uuid *event_id, uint64_t sequence,
                    const struct ves_hash *event_hash)
{
    struct ves_receipt *receipt = &out->receipt;

    memset(out, 0, sizeof(*out));
    out->event_hash = *event_hash;
    receipt->sequencer_id = test_id(7);
    receipt->event_id = *event_id;
    receipt->sequence_number = sequence;
    receipt->sequenced_at_ms = INT64_C(1767323045678);
    receipt->key_version = 1;
    ves_receipt_hash(&shop.log.stream, event_id, sequence, event_hash,
                     &receipt->receipt_hash);
    ves_ed25519_sign(&shop.log.log_secret,
                     ves_bytes(receipt->receipt_hash.b, VES_HASH_SIZE),
                     &receipt->signature);
}

/* The event that stands at sequence in the honest log is promised. */
static void promise_honestly(size_t i, uint64_t sequence)
{
    const struct ves_event *event = &shop.events[sequence - 1];
    promise(&evidence.receipts[i], &event->event_id, sequence,
            &event->event_hash);
}

/* The entry a log has at an index, with its path. */
static void show_entry(struct test_log *log, uint64_t index, uint64_t size)
{
    evidence.node = (struct ves_tlog_node){0, index};
    ves_leaf_write(&log->leaves[index], evidence.entry);
    evidence.entry_len = VES_LEAF_SIZE;
    assert_int_equal(ves_tlog_inclusion_make(test_log_source(log),
                                             evidence.node, size,
                                             &evidence.heads[0].path),
                     VES_OK);
}

static void test_broken_promise(void **state)
{
    (void)state;
    evidence.kind = VES_EVIDENCE_RECEIPT;
    promise_honestly(0, 13);
    set_head(0, &forked, 18);
    show_entry(&forked, 12, 18);
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "another event where");
    /* Kept. */
    set_head(0, &shop.log, 18);
    show_entry(&shop.log, 12, 18);
    verify();
    expect(VES_FINDING_FAILED, "has the event that was promised");
    /* Of another place. */
    promise_honestly(0, 14);
    verify();
    expect(VES_FINDING_FAILED, "not everything");
    /* Not the sequencer's. */
    promise_honestly(0, 13);
    set_head(0, &forked, 18);
    show_entry(&forked, 12, 18);
    evidence.receipts[0].receipt.signature.b[3] ^= 1;
    verify();
    expect(VES_FINDING_FAILED, "not everything");
    promise_honestly(0, 13);
    evidence.receipts[0].event_hash.b[3] ^= 1;
    verify();
    expect(VES_FINDING_FAILED, "not everything");
}

/* A sequencer whose receipts have a key of their own. */
static void test_receipt_key(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct test_signer sequencer;

    evidence.kind = VES_EVIDENCE_RECEIPT;
    promise_honestly(0, 13);
    test_signer_init(&sequencer, 77);
    test_signer_sign(&sequencer, &evidence.receipts[0].receipt.receipt_hash,
                     &evidence.receipts[0].receipt.signature);
    set_head(0, &forked, 18);
    show_entry(&forked, 12, 18);
    assert_int_equal(verify(), VES_VERIFY_INVALID);
    anchors.sequencer_keys = &sequencer.signer.public_key;
    anchors.sequencer_key_count = 1;
    assert_int_equal(test_bundle_verify(&anchors, ves_buf_view(&file),
                                        ves_bytes(NULL, 0), &report),
                     VES_VERIFY_PROVEN);
}

/* Flips that leave the evidence proven lie in these members only: nobody
 * signs them (protocol.md A.9). */
static bool is_unsigned(size_t i)
{
    static const char *const members[] = {
        "\"sequencerId\":\"", "\"sequencedAt\":\"", "\"sequencerKeyVersion\":"};
    for (size_t k = 0; k < 3; k++) {
        for (size_t at = 0; at < file.len;) {
            const uint8_t *found = memmem(file.ptr + at, file.len - at,
                                          members[k], strlen(members[k]));
            if (!found)
                break;
            size_t from = (size_t)(found - file.ptr) + strlen(members[k]);
            size_t to = from;
            while (file.ptr[to] != '"' && file.ptr[to] != '}')
                to++;
            if (i >= from && i < to)
                return true;
            at = to;
        }
    }
    return false;
}

static void check_receipt_flips(void)
{
    size_t survived = 0;
    for (size_t i = 0; i < file.len; i++) {
        for (size_t k = 0; k < 2; k++) {
            uint8_t bit = bits_of(i, k);
            file.ptr[i] ^= bit;
            enum ves_verify_verdict verdict = verify_file();
            file.ptr[i] ^= bit;
            if (verdict != VES_VERIFY_PROVEN)
                continue;
            survived++;
            if (!is_unsigned(i))
                fail_msg("byte %zu may be changed by %u", i, bit);
        }
    }
    assert_true(survived > 0);
}

static void test_receipt_flips(void **state)
{
    (void)state;
    evidence.kind = VES_EVIDENCE_RECEIPT;
    promise_honestly(0, 13);
    set_head(0, &forked, 18);
    show_entry(&forked, 12, 18);
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    check_receipt_flips();
}

static void test_two_receipts(void **state)
{
    (void)state;
    const struct ves_event *e = shop.events;

    evidence.kind = VES_EVIDENCE_RECEIPTS;
    evidence.stream = shop.log.stream;
    promise(&evidence.receipts[0], &e[3].event_id, 4, &e[3].event_hash);
    promise(&evidence.receipts[1], &e[5].event_id, 4, &e[5].event_hash);
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "one place to two events");
    check_receipt_flips();
    promise(&evidence.receipts[1], &e[3].event_id, 9, &e[3].event_hash);
    verify();
    expect(VES_FINDING_PROVEN, "two places to one event");
    promise(&evidence.receipts[1], &e[3].event_id, 4, &e[5].event_hash);
    verify();
    expect(VES_FINDING_PROVEN, "one place to two events");
    /* Honest: the same receipt twice, two events in two places. */
    promise_honestly(1, 4);
    verify();
    expect(VES_FINDING_FAILED, "can be kept");
    promise_honestly(1, 5);
    verify();
    expect(VES_FINDING_FAILED, "can be kept");
    /* Of another stream. */
    promise(&evidence.receipts[1], &e[5].event_id, 4, &e[5].event_hash);
    evidence.stream.store.b[0] ^= 1;
    verify();
    expect(VES_FINDING_FAILED, "did not sign both");
}

/* A policy that trusts another sequencer's log, too. */
static struct ves_verify_anchors
two_logs(struct ves_buf *policy, struct test_log *other, const char *origin)
{
    static const uint8_t seed[VES_SEED_SIZE] = {8};
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_public_key key;

    *other = forked;
    ves_ed25519_keypair(seed, &other->log_secret, &key);
    ves_note_key_init(&other->log_key, ves_bytes_str(origin), VES_NOTE_ED25519,
                      &key);
    test_log_buf(policy);
    ves_buf_put_str(policy, shop.no_witness);
    ves_buf_put_str(policy, "log ");
    ves_note_key_write(policy, &other->log_key);
    ves_buf_put_str(policy, "\n");
    anchors.policy = ves_buf_view(policy);
    return anchors;
}

static void sign_again(struct ves_evidence_receipt *out,
                       const struct test_log *log)
{
    ves_ed25519_sign(&log->log_secret,
                     ves_bytes(out->receipt.receipt_hash.b, VES_HASH_SIZE),
                     &out->receipt.signature);
}

/* Who is trusted for one log cannot make another's sequencer a liar. */
static void test_framed(void **state)
{
    (void)state;
    const struct ves_event *e = shop.events;
    const struct ves_bytes none = ves_bytes(NULL, 0);
    char names[2][256];
    struct test_log other;
    struct ves_buf policy;

    /* By a log that names no stream, and by one that names the same. */
    snprintf(names[0], sizeof(names[0]), "other.example/log");
    snprintf(names[1], sizeof(names[1]), "other.example%s",
             strstr(shop.origin, "/ves/"));
    for (size_t i = 0; i < 2; i++) {
        struct ves_verify_anchors anchors = two_logs(&policy, &other, names[i]);
        evidence.kind = VES_EVIDENCE_RECEIPTS;
        evidence.stream = shop.log.stream;
        promise(&evidence.receipts[0], &e[3].event_id, 4, &e[3].event_hash);
        promise(&evidence.receipts[1], &e[5].event_id, 4, &e[5].event_hash);
        verify();
        test_bundle_verify(&anchors, ves_buf_view(&file), none, &report);
        expect(VES_FINDING_PROVEN, "one place to two events");
        for (size_t k = 0; k < 2; k++) {
            sign_again(&evidence.receipts[k], &other);
            sign_again(&evidence.receipts[1 - k], &shop.log);
            verify();
            test_bundle_verify(&anchors, ves_buf_view(&file), none, &report);
            expect(VES_FINDING_FAILED, "did not sign both");
        }

        evidence.kind = VES_EVIDENCE_RECEIPT;
        promise_honestly(0, 13);
        set_head(0, &other, 18);
        show_entry(&other, 12, 18);
        verify();
        test_bundle_verify(&anchors, ves_buf_view(&file), none, &report);
        expect(VES_FINDING_FAILED, "not everything");
        /* Its own promise is its own to break. */
        sign_again(&evidence.receipts[0], &other);
        verify();
        test_bundle_verify(&anchors, ves_buf_view(&file), none, &report);
        expect(VES_FINDING_PROVEN, "another event where");
        ves_buf_free(&policy);
    }
}

/* A new epoch of a log is another name of the same sequencer's. */
static void test_broken_in_an_epoch(void **state)
{
    (void)state;
    struct test_log other;
    struct ves_buf policy;
    char name[256];

    snprintf(name, sizeof(name), "%.*s/epoch/2%s",
             (int)(strstr(shop.origin, "/ves/") - shop.origin), shop.origin,
             strstr(shop.origin, "/ves/"));
    struct ves_verify_anchors anchors = two_logs(&policy, &other, name);
    evidence.kind = VES_EVIDENCE_RECEIPT;
    promise_honestly(0, 13);
    set_head(0, &other, 18);
    show_entry(&other, 12, 18);
    verify();
    test_bundle_verify(&anchors, ves_buf_view(&file), ves_bytes(NULL, 0),
                       &report);
    expect(VES_FINDING_PROVEN, "another event where");
    ves_buf_free(&policy);
}

/* ---- entries in wrong places ---- */

/* A log whose third entry is this. */
static void open_with(struct test_log *log, const struct ves_leaf *third)
{
    test_log_open(log);
    log->log_key = shop.log.log_key;
    for (size_t i = 0; i < 5; i++)
        test_log_append(log, i == 2 ? third : &shop.log.leaves[i]);
}

static void test_misplaced_entries(void **state)
{
    (void)state;
    struct ves_leaf leaf = shop.log.leaves[2];
    struct test_log log;

    evidence.kind = VES_EVIDENCE_ENTRY;
    set_head(0, &shop.log, 5);
    show_entry(&shop.log, 2, 5);
    verify();
    expect(VES_FINDING_FAILED, "may stand where it stands");

    leaf.sequence_number = 4;
    open_with(&log, &leaf);
    set_head(0, &log, 5);
    show_entry(&log, 2, 5);
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "another place");
    evidence.node.index = 3;
    verify();
    expect(VES_FINDING_FAILED, "not everything");
    test_log_close(&log);

    leaf = shop.log.leaves[2];
    leaf.stream.store.b[0] ^= 1;
    open_with(&log, &leaf);
    set_head(0, &log, 5);
    show_entry(&log, 2, 5);
    verify();
    expect(VES_FINDING_PROVEN, "another stream");
    test_log_close(&log);
}

/* A log with an entry of another kind. */
static void test_foreign_entry(void **state)
{
    (void)state;
    struct ves_tlog_edge edge = {0};
    struct ves_hash root;
    static const char text[] = "VES_PAD_LEAF_V1";

    ves_tlog_leaf_hash(ves_bytes_str(text), &root);
    assert_int_equal(ves_tlog_edge_add(&edge, 0, &root), VES_OK);
    test_log_sign(&shop.log, &notes[0], 1, &root);
    evidence.kind = VES_EVIDENCE_ENTRY;
    evidence.heads[0].note_bytes = ves_buf_view(&notes[0]);
    memcpy(evidence.entry, text, sizeof(text) - 1);
    evidence.entry_len = sizeof(text) - 1;
    assert_int_equal(verify(), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "no leaf of VES");
    for (size_t i = 0; i < file.len; i++) {
        for (size_t k = 0; k < 2; k++) {
            uint8_t bit = bits_of(i, k);
            file.ptr[i] ^= bit;
            if (verify_file() == VES_VERIFY_PROVEN)
                fail_msg("byte %zu may be changed by %u", i, bit);
            file.ptr[i] ^= bit;
        }
    }
}

static void test_wrong_files(void **state)
{
    (void)state;
#define E "ves-evidence@v1\n"
#define R "receipt {}\n"
    static const char *const wrong[] = {
        "",
        E,
        E "kind\n",
        E "kind nothing\n",
        E "kind Fork\n",
        E "kind fork\n",
        E "kind fork\n\n",
        E "kind fork\nnode 0\n\n",
        E "kind fork\nnode 63 0\n",
        E "kind fork\nnode 00 0\n",
        E "kind fork\nnode 0 -1\n",
        E "kind fork\nnode 0 0\nfirst x\n",
        E "kind receipt\n",
        E "kind receipt\n" R,
        E "kind receipts\n" R,
        E "kind receipts\nstream 00112233-4455-6677-8899-aabbccddeeff\n" R,
        E "kind entry\n",
        E "kind entry\nindex 1\n",
        E "kind entry\nindex 1\nentry \n",
        E "kind entry\nindex 1\nentry AA==\n",
        E "kind entry\nindex 1\nentry AA==\n\n",
        E "kind entry\nindex 01\nentry AA==\n\n"};
    struct ves_error error;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        error.text[0] = '\0';
        if (ves_evidence_read(ves_bytes_str(wrong[i]), ves_alloc_default(),
                              &evidence, &error) != VES_MALFORMED ||
            error.text[0] == '\0')
            fail_msg("file %zu was read", i);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, start)
    const struct CMUnitTest tests[] = {
        TEST(test_fork_of_one_size),
        TEST(test_fork_of_two_sizes),
        TEST(test_honest_log),
        TEST(test_fork_of_nobody),
        TEST(test_fork_of_two_logs),
        TEST(test_fork_flips),
        TEST(test_broken_promise),
        TEST(test_receipt_key),
        TEST(test_receipt_flips),
        TEST(test_two_receipts),
        TEST(test_framed),
        TEST(test_broken_in_an_epoch),
        TEST(test_misplaced_entries),
        TEST(test_foreign_entry),
        TEST(test_wrong_files),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
