/* test_bundle.c -- bundles: written, read, verified, attacked, taken apart.
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
#include "core/tlog_proof.h"
#include "test/lib/test_bundle.h"

enum { EVENTS = 300, NOW = 1700000000 };

static struct test_bundle shop;
static struct ves_verify_report report;
static struct ves_bundle bundle;
static const struct ves_bytes no_entry = {NULL, 0};

static int set_up(void **state)
{
    (void)state;
    test_bundle_open(&shop, EVENTS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_bundle_close(&shop);
    return 0;
}

static uint64_t random_state = UINT64_C(0x2026000000000004);

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static enum ves_verify_verdict verify(struct ves_bytes file)
{
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    return test_bundle_verify(&anchors, file, no_entry, &report);
}

/* The line must be there, say this, and have this in its words. */
static void expect(const char *name, enum ves_verify_finding finding,
                   const char *says)
{
    const struct ves_verify_property *line = test_bundle_line(&report, name);
    if (!line)
        fail_msg("no line \"%s\"", name);
    if (line->finding != finding || !strstr(line->text, says))
        fail_msg("%s: %s: %s", ves_verify_finding_name(line->finding), name,
                 line->text);
}

static void expect_proven(void)
{
    for (size_t i = 0; i < report.count; i++) {
        if (report.properties[i].finding != VES_FINDING_PROVEN)
            fail_msg("%s: %s", report.properties[i].name,
                     report.properties[i].text);
    }
    assert_int_equal(report.verdict, VES_VERIFY_PROVEN);
}

static bool says_unprovable(const char *part)
{
    for (size_t i = 0; i < report.unprovable_count; i++) {
        if (strstr(report.unprovable[i], part))
            return true;
    }
    return false;
}

/* Version 2 signs command_id and base_version, version 1 does not. */
static void test_what_version_1_leaves_open(void **state)
{
    (void)state;
    const uint64_t sequences[] = {7, 8, 9};
    struct ves_buf file;

    for (size_t with_old = 0; with_old <= 1; with_old++) {
        test_log_buf(&file);
        test_bundle_write(&shop, &file, sequences + 2 * !with_old,
                          with_old ? 3 : 1, 11, NOW);
        assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_PROVEN);
        assert_true(says_unprovable("base_version") == (with_old == 1));
        ves_buf_free(&file);
    }
}

static void test_proven(void **state)
{
    (void)state;
    static const char *const names[] = {
        "format",   "log signature", "stream",           "events",
        "position", "agent keys",    "agent signatures", "witnesses"};
    const uint64_t sequences[] = {3, 4, 9};
    struct ves_buf file;

    test_log_buf(&file);
    test_bundle_write(&shop, &file, sequences, 3, 11, NOW);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_PROVEN);
    expect_proven();
    assert_string_equal(report.format, "bundle");
    assert_string_equal(report.origin, shop.origin);
    assert_int_equal(report.head.size, 11);
    assert_int_equal(report.events, 3);
    assert_int_equal(report.witnessed_at, NOW);
    assert_int_equal(report.count, sizeof(names) / sizeof(names[0]));
    for (size_t i = 0; i < report.count; i++)
        assert_string_equal(report.properties[i].name, names[i]);
    assert_true(report.unprovable_count >= 4);
    ves_buf_free(&file);
}

/* All kinds of gaps, and each event's own proof. */
static void check_selection(const uint64_t *sequences, size_t count,
                            uint64_t size)
{
    struct ves_buf file, proof, note, want;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);

    test_log_buf(&file);
    test_log_buf(&proof);
    test_log_buf(&note);
    test_log_buf(&want);
    test_bundle_write(&shop, &file, sequences, count, size, NOW);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_PROVEN);
    assert_int_equal(ves_bundle_read(ves_buf_view(&file), &bundle, NULL),
                     VES_OK);
    assert_int_equal(bundle.event_count, count);
    test_bundle_note(&shop, &note, size, NOW);
    size_t at = (size_t)(next_random() % count);
    struct ves_tlog_node node = {0, sequences[at] - VES_TLOG_FIRST};
    struct ves_tlog_path path;
    assert_int_equal(
        ves_bundle_extract(&bundle, ves_alloc_default(), sequences[at], &proof),
        VES_OK);
    /* The same as one made of the log itself. */
    struct ves_buf envelope;
    test_log_buf(&envelope);
    ves_event_write(&envelope, &shop.events[node.index]);
    const struct ves_bytes extra = ves_buf_view(&envelope);
    assert_int_equal(
        ves_tlog_inclusion_make(test_log_source(&shop.log), node, size, &path),
        VES_OK);
    ves_tlog_proof_write(&want, &extra, node.index, &path, ves_buf_view(&note));
    assert_true(ves_bytes_equal(ves_buf_view(&proof), ves_buf_view(&want)));
    /* Its key is not in it: the caller must know it. */
    const struct ves_verify_agent agent = {shop.agent_id, 1,
                                           shop.agent.signer.public_key, 0, 0};
    anchors.agents = &agent;
    anchors.agent_count = 1;
    test_bundle_verify(&anchors, ves_buf_view(&proof), no_entry, &report);
    expect_proven();
    assert_string_equal(report.format, "proof");
    ves_buf_free(&envelope);
    ves_buf_free(&file);
    ves_buf_free(&proof);
    ves_buf_free(&note);
    ves_buf_free(&want);
}

static void test_selections(void **state)
{
    (void)state;
    uint64_t sequences[EVENTS];

    for (uint64_t size = 1; size <= 9; size++) {
        for (uint64_t set = 1; set < UINT64_C(1) << size; set += 3) {
            size_t count = 0;
            for (uint64_t i = 0; i < size; i++) {
                if (set >> i & 1)
                    sequences[count++] = i + VES_TLOG_FIRST;
            }
            check_selection(sequences, count, size);
        }
    }
    for (size_t round = 0; round < 40; round++) {
        uint64_t size = 1 + next_random() % EVENTS;
        uint64_t step = 1 + next_random() % 40;
        size_t count = 0;
        for (uint64_t s = 1 + next_random() % step; s <= size;
             s += 1 + next_random() % step)
            sequences[count++] = s;
        if (count > 0)
            check_selection(sequences, count, size);
    }
}

static void test_extracting_nothing(void **state)
{
    (void)state;
    const uint64_t sequences[] = {3, 5};
    struct ves_buf file, proof;

    test_log_buf(&file);
    test_log_buf(&proof);
    test_bundle_write(&shop, &file, sequences, 2, 7, 0);
    assert_int_equal(ves_bundle_read(ves_buf_view(&file), &bundle, NULL),
                     VES_OK);
    assert_int_equal(
        ves_bundle_extract(&bundle, ves_alloc_default(), 4, &proof),
        VES_NOT_FOUND);
    assert_int_equal(proof.len, 0);
    ves_buf_free(&file);
    ves_buf_free(&proof);
}

/* Where one text of the file is; it has it once. */
static size_t find(const struct ves_buf *file, const char *text)
{
    const uint8_t *at = memmem(file->ptr, file->len, text, strlen(text));
    assert_non_null(at);
    return (size_t)(at - file->ptr);
}

static bool is_within(size_t i, const struct ves_buf *file, const char *text)
{
    size_t from = find(file, text);
    return i >= from && i < from + strlen(text);
}

/* One bit of each byte, and the bit that changes a letter's case. */
static void test_flipped_bits(void **state)
{
    (void)state;
    const uint64_t sequences[] = {2, 4};
    struct ves_buf file;
    size_t survived = 0;

    test_log_buf(&file);
    test_bundle_write(&shop, &file, sequences, 2, 5, NOW);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_PROVEN);
    for (size_t i = 0; i < file.len; i++) {
        const uint8_t bits[] = {(uint8_t)(1 << i % 8), 0x20};
        for (size_t k = 0; k < 2; k++) {
            file.ptr[i] ^= bits[k];
            enum ves_verify_verdict verdict = verify(ves_buf_view(&file));
            file.ptr[i] ^= bits[k];
            if (verdict != VES_VERIFY_PROVEN)
                continue;
            survived++;
            /* Nobody vouches for the name of a policy. */
            if (!is_within(i, &file, "the shop's"))
                fail_msg("byte %zu may be changed by %u", i, bits[k]);
        }
    }
    assert_true(survived > 0);
    for (size_t cut = 1; cut < file.len; cut += 7)
        assert_int_equal(verify(ves_bytes(file.ptr, file.len - cut)),
                         VES_VERIFY_INVALID);
    ves_buf_free(&file);
}

/* ---- attacks ---- */

/* A bundle of 3, 4 and 9 out of 11, and its text to change. */
static void make(struct ves_buf *file)
{
    const uint64_t sequences[] = {3, 4, 9};
    test_log_buf(file);
    test_bundle_write(&shop, file, sequences, 3, 11, NOW);
}

static void replace(struct ves_buf *file, const char *old, const char *new)
{
    size_t at = find(file, old), len = strlen(old);
    struct ves_buf out;

    test_log_buf(&out);
    ves_buf_put(&out, file->ptr, at);
    ves_buf_put_str(&out, new);
    ves_buf_put(&out, file->ptr + at + len, file->len - at - len);
    ves_buf_reset(file);
    ves_buf_put_bytes(file, ves_buf_view(&out));
    ves_buf_free(&out);
}

/* The line that begins with text, its LF included; copied. */
static char *line_of(const struct ves_buf *file, const char *text)
{
    size_t at = find(file, text);
    const uint8_t *end = memchr(file->ptr + at, '\n', file->len - at);
    assert_non_null(end);
    return strndup((const char *)file->ptr + at,
                   (size_t)(end + 1 - (file->ptr + at)));
}

static void test_changed_events(void **state)
{
    (void)state;
    struct ves_buf file;

    make(&file);
    replace(&file, "number 4", "number 5");
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("events", VES_FINDING_FAILED, "event 4 is not what it says");
    ves_buf_free(&file);

    /* Rightly hashed and signed by the agent, but not what is in the log. */
    make(&file);
    struct test_event made;
    struct ves_buf other;
    test_log_buf(&other);
    char *line = line_of(&file, "event 4 ");
    test_event_init(&made, &shop.log.stream, &shop.agent_id, 3);
    made.payload = "{\"note\":\"number 44\"}";
    ves_buf_put_str(&other, "event 4 ");
    test_event_write(&other, &made, &shop.agent, NULL);
    ves_buf_put_str(&other, "\n");
    replace(&file, line, test_log_str(&other));
    free(line);
    ves_buf_free(&other);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("events", VES_FINDING_PROVEN, "3 events");
    expect("agent signatures", VES_FINDING_PROVEN, "3 of 3");
    expect("position", VES_FINDING_FAILED, "does not have");
    ves_buf_free(&file);

    make(&file);
    replace(&file, "\"agent_key_id\":1,", "\"agent_key_id\":1,\"more\":1,");
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("events", VES_FINDING_FAILED, "spelling");
    ves_buf_free(&file);
}

static void test_changed_order(void **state)
{
    (void)state;
    struct ves_buf file;
    char *line;

    make(&file); /* dropped */
    line = line_of(&file, "event 4 ");
    replace(&file, line, "");
    free(line);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("format", VES_FINDING_FAILED, "imply");
    ves_buf_free(&file);

    make(&file); /* twice */
    line = line_of(&file, "event 4 ");
    char doubled[4096];
    snprintf(doubled, sizeof(doubled), "%s%s", line, line);
    replace(&file, line, doubled);
    free(line);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("format", VES_FINDING_FAILED, "ascend");
    ves_buf_free(&file);

    make(&file); /* in each other's places */
    replace(&file, "event 3 ", "event X ");
    replace(&file, "event 4 ", "event 3 ");
    replace(&file, "event X ", "event 4 ");
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("format", VES_FINDING_FAILED, "ascend");
    ves_buf_free(&file);

    make(&file); /* moved to a place of its own */
    replace(&file, "event 4 ", "event 5 ");
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    ves_buf_free(&file);

    make(&file); /* beyond the tree; before it */
    replace(&file, "event 9 ", "event 12 ");
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("format", VES_FINDING_FAILED, "beyond");
    replace(&file, "event 3 ", "event 0 ");
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    ves_buf_free(&file);
}

static void test_changed_hashes(void **state)
{
    (void)state;
    static const char hash[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    struct ves_buf file;

    for (size_t kind = 0; kind < 3; kind++) {
        make(&file);
        assert_int_equal(ves_bundle_read(ves_buf_view(&file), &bundle, NULL),
                         VES_OK);
        char first[64];
        memcpy(first, bundle.covers.ptr, 45);
        first[45] = '\0';
        char two[128];
        snprintf(two, sizeof(two), "%s%s", first, hash);
        replace(&file, first, kind == 0 ? "" : kind == 1 ? two : hash);
        assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
        if (kind < 2)
            expect("format", VES_FINDING_FAILED, "imply");
        else
            expect("position", VES_FINDING_FAILED, "does not have");
        ves_buf_free(&file);
    }
}

static void test_other_streams(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_stream other = shop.log.stream;
    struct ves_buf file;

    make(&file);
    anchors.stream = &shop.log.stream;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect_proven();
    other.store.b[0] ^= 1;
    anchors.stream = &other;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect("stream", VES_FINDING_FAILED, "you named");
    assert_int_equal(report.verdict, VES_VERIFY_INVALID);
    replace(&file, "stream 00112233", "stream 00112234");
    verify(ves_buf_view(&file));
    expect("stream", VES_FINDING_FAILED, "origin names");
    expect("events", VES_FINDING_FAILED, "another stream");
    replace(&file, "stream 00112234-4455-6677-8899-aabb",
            "stream 00112234-4455-6677-8899-AABB");
    verify(ves_buf_view(&file));
    expect("format", VES_FINDING_FAILED, "lower-case");
    ves_buf_free(&file);
}

/* verify() with a policy of its own. */
static enum ves_verify_verdict verify_under(struct ves_bytes file,
                                            const char *policy)
{
    struct ves_verify_anchors anchors = {.policy = ves_bytes_str(policy)};
    return test_bundle_verify(&anchors, file, no_entry, &report);
}

static void test_policies(void **state)
{
    (void)state;
    struct ves_buf file, text;
    struct ves_error error;
    const uint64_t one[] = {3};

    make(&file);
    assert_int_equal(verify_under(ves_buf_view(&file), shop.no_witness),
                     VES_VERIFY_PROVEN);
    expect("witnesses", VES_FINDING_PROVEN, "asks for none");
    assert_int_equal(verify_under(ves_buf_view(&file), "quorum none\n"),
                     VES_VERIFY_INVALID);
    expect("log signature", VES_FINDING_FAILED, "no log of your policy");
    struct ves_verify_anchors broken = {.policy =
                                            ves_bytes_str("quorum nobody\n")};
    assert_int_equal(ves_verify(NULL, ves_buf_view(&file), no_entry, &broken,
                                &report, &error),
                     VES_INVALID);
    assert_non_null(strstr(error.text, "line 1"));
    assert_int_equal(report.verdict, VES_VERIFY_INVALID);
    ves_buf_free(&file);

    /* Not witnessed. */
    test_log_buf(&file);
    test_bundle_write(&shop, &file, one, 1, 11, 0);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_BELOW_POLICY);
    expect("witnesses", VES_FINDING_NOT_PROVEN, "0 of your policy's 1");
    ves_buf_free(&file);

    /* The same key under another name is another log, and an id that is not
     * the key's is not this key. */
    make(&file);
    test_log_buf(&text);
    struct ves_note_key key = shop.log.log_key;
    ves_note_key_init(&key, ves_bytes_str("other.example"), VES_NOTE_ED25519,
                      &shop.log.log_key.key);
    ves_buf_put_str(&text, "log ");
    ves_note_key_write(&text, &key);
    ves_buf_put_str(&text, "\nquorum none\n");
    assert_int_equal(verify_under(ves_buf_view(&file), test_log_str(&text)),
                     VES_VERIFY_INVALID);
    expect("log signature", VES_FINDING_FAILED, "no log of your policy");
    ves_buf_free(&text);
    ves_buf_free(&file);
}

/* A known witness's wrong line is not one witness less: the note is refused.
 */
static void test_wrong_cosignature(void **state)
{
    (void)state;
    static const uint8_t wrong[72] = {0};
    struct ves_buf file;

    make(&file);
    ves_note_line_write(&file, &shop.log.witness_key, wrong, sizeof(wrong));
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("log signature", VES_FINDING_FAILED, "worth nothing");
    ves_buf_free(&file);
}

static void test_freshness(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_buf file;

    make(&file);
    anchors.stale_after_s = 60;
    anchors.now_s = NOW + 60;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect("freshness", VES_FINDING_PROVEN, "1700000000");
    anchors.now_s = NOW + 61;
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_BELOW_POLICY);
    expect("freshness", VES_FINDING_NOT_PROVEN, "stale");
    anchors.now_s = NOW - 61;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect("freshness", VES_FINDING_NOT_PROVEN, "ahead");
    ves_buf_free(&file);
}

static void test_known_heads(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_verify_head heads[2] = {
        {.size = 7, .root = test_log_root(&shop.log, 7)},
        {.size = 12, .root = test_log_root(&shop.log, 12)}};
    struct ves_buf file;

    make(&file);
    anchors.heads = heads;
    anchors.head_count = 2;
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_PROVEN);
    expect("known head", VES_FINDING_NOT_PROVEN, "no head of 11");
    heads[1].size = 11;
    heads[1].root = test_log_root(&shop.log, 11);
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect_proven();
    /* A history the log has signed for us and not for whoever made this. */
    heads[1].root.b[31] ^= 1;
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_CONTRADICTION);
    expect("known head", VES_FINDING_FAILED, "two histories");
    heads[1].origin = ves_bytes_str(shop.origin);
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_CONTRADICTION);
    /* Another log may have another tree of that size. */
    heads[1].origin = ves_bytes_str("other.example/log");
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_PROVEN);
    expect("known head", VES_FINDING_NOT_PROVEN, "no head of 11");
    heads[1].origin = no_entry;
    /* What is not even the log's contradicts nothing. */
    replace(&file, "number 4", "number 5");
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_INVALID);
    ves_buf_free(&file);
}

/* ---- keys ---- */

/* A bundle of event 3 with a directory made for the purpose. */
static void make_with_directory(struct ves_buf *file, uint64_t revoked_at,
                                const struct ves_uuid *store,
                                const struct ves_secret_key *secret)
{
    const uint64_t sequence = 3;
    struct ves_buf note, directory;

    test_log_buf(file);
    test_log_buf(&note);
    test_log_buf(&directory);
    test_bundle_note(&shop, &note, 11, NOW);
    test_bundle_directory_by(&shop, &directory, revoked_at, store, secret);
    ves_bundle_begin(file, &shop.log.stream, no_entry);
    assert_int_equal(ves_bundle_keys(file, ves_buf_view(&directory)), VES_OK);
    ves_bundle_event(file, sequence, &shop.events[2]);
    assert_int_equal(ves_bundle_end(file, test_log_source(&shop.log), &sequence,
                                    1, 11, ves_buf_view(&note)),
                     VES_OK);
    ves_buf_free(&note);
    ves_buf_free(&directory);
}

static void test_directories(void **state)
{
    (void)state;
    const struct ves_secret_key *log = &shop.log.log_secret;
    struct ves_uuid store = shop.log.stream.store;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct test_signer stranger;
    struct ves_buf file;

    make_with_directory(&file, 4, &store, log);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_PROVEN);
    ves_buf_free(&file);
    make_with_directory(&file, 3, &store, log);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("agent keys", VES_FINDING_FAILED, "event 3 was not valid");
    ves_buf_free(&file);

    test_signer_init(&stranger, 9);
    make_with_directory(&file, 0, &store, &stranger.secret);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_BELOW_POLICY);
    expect("key directories", VES_FINDING_NOT_PROVEN, "0 of 1");
    expect("agent keys", VES_FINDING_NOT_PROVEN, "neither one you gave");
    expect("agent signatures", VES_FINDING_NOT_PROVEN, "0 of 1");
    expect("position", VES_FINDING_PROVEN, "1 events");
    /* Unless that key is the sequencer's, for receipts and directories. */
    anchors.sequencer_keys = &stranger.signer.public_key;
    anchors.sequencer_key_count = 1;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect_proven();
    ves_buf_free(&file);

    store.b[5] ^= 1;
    make_with_directory(&file, 0, &store, log);
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_BELOW_POLICY);
    expect("key directories", VES_FINDING_NOT_PROVEN, "0 of 1");
    ves_buf_free(&file);
}

static void test_keys_of_the_caller(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_verify_agent agent = {shop.agent_id, 1,
                                     shop.agent.signer.public_key, 0, 0};
    struct test_signer stranger;
    struct ves_buf file;

    make(&file);
    anchors.agents = &agent;
    anchors.agent_count = 1;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect_proven();
    expect("agent keys", VES_FINDING_PROVEN, "you gave");
    agent.until_sequence = 9;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect("agent keys", VES_FINDING_FAILED, "event 9");
    agent.until_sequence = 10;
    agent.from_sequence = 4;
    test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    expect("agent keys", VES_FINDING_FAILED, "event 3");
    /* The caller's word counts more than the directory's. */
    agent.from_sequence = 0;
    test_signer_init(&stranger, 9);
    agent.key = stranger.signer.public_key;
    assert_int_equal(
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report),
        VES_VERIFY_INVALID);
    expect("agent signatures", VES_FINDING_FAILED, "event 3 is not signed");
    ves_buf_free(&file);
}

/* S and S + L sign the same; only one of them is a signature here, or the leaf
 * could be changed by anybody. */
static void test_malleable_signature(void **state)
{
    (void)state;
    static const uint8_t order[32] = {
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
        0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
        0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
    struct ves_sig sig = shop.events[0].signature;
    struct ves_bytes hash =
        ves_bytes(shop.events[0].event_hash.b, VES_HASH_SIZE);
    unsigned carry = 0;

    assert_true(ves_ed25519_verify(&shop.agent.signer.public_key, hash, &sig));
    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)sig.b[32 + i] + order[i];
        sig.b[32 + i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_false(ves_ed25519_verify(&shop.agent.signer.public_key, hash, &sig));
}

/* ---- proofs of one entry ---- */

static void test_entry_proofs(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_tlog_node node = {0, 4};
    struct ves_tlog_path path;
    struct ves_buf note, file;
    uint8_t entry[VES_LEAF_SIZE];

    test_log_buf(&note);
    test_log_buf(&file);
    test_bundle_note(&shop, &note, 7, NOW);
    assert_int_equal(
        ves_tlog_inclusion_make(test_log_source(&shop.log), node, 7, &path),
        VES_OK);
    ves_tlog_proof_write(&file, NULL, 4, &path, ves_buf_view(&note));
    ves_leaf_write(&shop.log.leaves[4], entry);
    test_bundle_verify(&anchors, ves_buf_view(&file),
                       ves_bytes(entry, sizeof(entry)), &report);
    expect_proven();
    /* Without it, of another entry, of padding. */
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("events", VES_FINDING_FAILED, "carries no event");
    ves_leaf_write(&shop.log.leaves[5], entry);
    test_bundle_verify(&anchors, ves_buf_view(&file),
                       ves_bytes(entry, sizeof(entry)), &report);
    expect("position", VES_FINDING_FAILED, "does not have");
    test_bundle_verify(&anchors, ves_buf_view(&file),
                       ves_bytes_str("VES_PAD_LEAF_V1"), &report);
    expect("events", VES_FINDING_FAILED, "not the 147 bytes");
    assert_int_equal(report.verdict, VES_VERIFY_INVALID);
    /* An index beyond the tree, and a hash too much. */
    ves_leaf_write(&shop.log.leaves[4], entry);
    for (size_t i = 0; i < 2; i++) {
        ves_buf_reset(&file);
        path.count += (uint32_t)i;
        ves_tlog_proof_write(&file, NULL, i == 0 ? 7 : 4, &path,
                             ves_buf_view(&note));
        test_bundle_verify(&anchors, ves_buf_view(&file),
                           ves_bytes(entry, sizeof(entry)), &report);
        expect("position", VES_FINDING_FAILED, "does not have");
    }
    ves_buf_free(&note);
    ves_buf_free(&file);
}

/* A log that put an entry where another number belongs proves nothing by it.
 */
static void test_misplaced_entry(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_tlog_path path = {0};
    struct ves_buf note, proof;
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    ves_leaf_write(&shop.log.leaves[1], entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    test_log_buf(&note);
    test_log_buf(&proof);
    test_log_sign(&shop.log, &note, 1, &hash);
    test_log_cosign(&shop.log, &note, NOW);
    ves_tlog_proof_write(&proof, NULL, 0, &path, ves_buf_view(&note));
    test_bundle_verify(&anchors, ves_buf_view(&proof),
                       ves_bytes(entry, sizeof(entry)), &report);
    expect("position", VES_FINDING_FAILED, "does not have");
    ves_buf_free(&note);
    ves_buf_free(&proof);
}

/* The empty tree has no entry, whatever a log signs. */
static void test_empty_tree(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_tlog_path path = {0};
    struct ves_buf note, file, proof;
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    ves_leaf_write(&shop.log.leaves[0], entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    test_log_buf(&note);
    test_log_buf(&proof);
    test_log_sign(&shop.log, &note, 0, &hash);
    test_log_cosign(&shop.log, &note, NOW);
    ves_tlog_proof_write(&proof, NULL, 0, &path, ves_buf_view(&note));
    test_bundle_verify(&anchors, ves_buf_view(&proof),
                       ves_bytes(entry, sizeof(entry)), &report);
    expect("log signature", VES_FINDING_PROVEN, "0 entries");
    expect("position", VES_FINDING_FAILED, "does not have");
    make(&file);
    assert_int_equal(ves_bundle_read(ves_buf_view(&file), &bundle, NULL),
                     VES_OK);
    file.len = (size_t)(bundle.note_bytes.ptr - file.ptr);
    ves_buf_put_bytes(&file, ves_buf_view(&note));
    assert_int_equal(verify(ves_buf_view(&file)), VES_VERIFY_INVALID);
    expect("format", VES_FINDING_FAILED, "beyond the 0 entries");
    ves_buf_free(&note);
    ves_buf_free(&proof);
    ves_buf_free(&file);
}

static void test_no_format(void **state)
{
    (void)state;
    static const char *const files[] = {"",
                                        "\n",
                                        "ves-bundle@v2\n",
                                        "ves-bundle@v1",
                                        "c2sp.org/tlog-proof@v1\n",
                                        "ves-evidence@v1\n",
                                        "{}"};
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_int_equal(verify(ves_bytes_str(files[i])), VES_VERIFY_INVALID);
        expect("format", VES_FINDING_FAILED, "");
    }
}

/* ---- memory ---- */

struct failing {
    size_t left;
    bool has_failed;
};

static void *fail_realloc(void *ctx, void *ptr, size_t size)
{
    struct failing *failing = ctx;
    const struct ves_alloc *heap = ves_alloc_default();
    if (size > 0) {
        if (failing->left == 0) {
            failing->has_failed = true;
            return NULL;
        }
        failing->left--;
    }
    return heap->realloc(heap->ctx, ptr, size);
}

/* Out of memory at every place: never "proven", never a wrong refusal. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct ves_verify_anchors anchors = test_bundle_anchors(&shop);
    struct ves_buf file;

    make(&file);
    for (size_t n = 0;; n++) {
        struct failing failing = {n, false};
        const struct ves_alloc alloc = {fail_realloc, &failing};
        struct ves_error error;
        enum ves_status status = ves_verify(
            &alloc, ves_buf_view(&file), no_entry, &anchors, &report, &error);
        if (!failing.has_failed)
            break;
        /* Memory for a directory may be what is missing: then less is shown. */
        assert_true(status == VES_NOMEM ||
                    report.verdict == VES_VERIFY_BELOW_POLICY);
        assert_true(report.verdict != VES_VERIFY_PROVEN);
        assert_true(n < 100);
    }
    expect_proven();
    ves_buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_proven),
        cmocka_unit_test(test_what_version_1_leaves_open),
        cmocka_unit_test(test_selections),
        cmocka_unit_test(test_extracting_nothing),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_changed_events),
        cmocka_unit_test(test_changed_order),
        cmocka_unit_test(test_changed_hashes),
        cmocka_unit_test(test_other_streams),
        cmocka_unit_test(test_policies),
        cmocka_unit_test(test_wrong_cosignature),
        cmocka_unit_test(test_freshness),
        cmocka_unit_test(test_known_heads),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_keys_of_the_caller),
        cmocka_unit_test(test_malleable_signature),
        cmocka_unit_test(test_entry_proofs),
        cmocka_unit_test(test_misplaced_entry),
        cmocka_unit_test(test_empty_tree),
        cmocka_unit_test(test_no_format),
        cmocka_unit_test(test_out_of_memory),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
