/* test_note.c -- signed notes, checkpoints, cosignatures, proofs and what a
 * witness is asked.
 *
 * Known values are those of test/vectors/tlog_golden.json.
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
#include "core/add_checkpoint.h"
#include "core/checkpoint.h"
#include "core/cosign.h"
#include "core/note.h"
#include "core/policy.h"
#include "core/tlog_proof.h"
#include "test/lib/test_log.h"

static struct test_log golden;
static struct ves_note note;

static int set_up(void **state)
{
    (void)state;
    test_log_open(&golden);
    test_log_grow(&golden, 300);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_log_close(&golden);
    return 0;
}

static void test_keys(void **state)
{
    (void)state;
    const struct ves_note_key *const keys[] = {&golden.log_key,
                                               &golden.witness_key};
    static const char *const names[] = {"log_vkey", "witness_vkey"};
    struct ves_note_key key;
    struct ves_buf buf;

    test_log_buf(&buf);
    for (size_t i = 0; i < 2; i++) {
        struct ves_bytes vkey = test_log_text(&golden, names[i]);
        ves_buf_reset(&buf);
        ves_note_key_write(&buf, keys[i]);
        assert_true(ves_bytes_equal(ves_buf_view(&buf), vkey));
        assert_int_equal(ves_note_key_read(vkey, &key, NULL), VES_OK);
        assert_int_equal(key.id, keys[i]->id);
        assert_int_equal(key.type, keys[i]->type);
        assert_true(ves_bytes_equal(key.name, keys[i]->name));
        assert_memory_equal(&key.key, &keys[i]->key, sizeof(key.key));
    }
    ves_buf_free(&buf);
    /* The signed-note specification's own example. */
    assert_int_equal(
        ves_note_key_read(ves_bytes_str("example.com/foo+530d903a+AekyeRrm56hAp"
                                        "GFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"),
                          &key, NULL),
        VES_OK);
}

static void test_wrong_keys(void **state)
{
    (void)state;
    static const struct {
        const char *vkey;
        enum ves_status status;
    } cases[] = {
        {"", VES_MALFORMED},
        {"example.com/foo", VES_MALFORMED},
        {"example.com/foo+530d903a", VES_MALFORMED},
        {"example.com/foo+530d903a+", VES_MALFORMED},
        {"+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         VES_MALFORMED},
        {"example com+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         VES_MALFORMED},
        /* Another name, another id, upper case, cut, stray bits. */
        {"example.com/"
         "fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         VES_MALFORMED},
        {"example.com/"
         "foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         VES_MALFORMED},
        {"example.com/"
         "foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         VES_MALFORMED},
        {"example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2",
         VES_MALFORMED},
        {"example.com/"
         "foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3Q==",
         VES_UNSUPPORTED},
        {"example.com/"
         "foo+530d903a+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
         VES_UNSUPPORTED}};
    struct ves_note_key key;
    struct ves_error error;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        error.status = VES_OK;
        enum ves_status status =
            ves_note_key_read(ves_bytes_str(cases[i].vkey), &key, &error);
        if (status != cases[i].status || error.status != status)
            fail_msg("%s: %s", cases[i].vkey, ves_status_name(status));
    }
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "example.com/log", "h\xC3\xA4ndler",
                                       "\xE2\x80\x94"};
    static const char *const bad[] = {"",
                                      "a b",
                                      "a+b",
                                      "a\tb",
                                      "a\nb",
                                      "a\xC2\xA0z",
                                      "a\xE2\x80\x83z",
                                      "\xE3\x80\x80",
                                      "\xFF",
                                      "\xC2\x85"};

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_true(ves_note_name_is_valid(ves_bytes_str(good[i])));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ves_note_name_is_valid(ves_bytes_str(bad[i])));
}

static void test_golden_checkpoint(void **state)
{
    (void)state;
    struct ves_bytes bytes = test_log_text(&golden, "checkpoint_7");
    struct ves_hash root = test_log_hash(&golden, "tlog_root", "7");
    struct ves_checkpoint checkpoint;
    struct ves_buf buf;

    assert_int_equal(ves_note_read(bytes, &note, NULL), VES_OK);
    assert_int_equal(note.count, 1);
    assert_int_equal(ves_note_check(&note, &golden.log_key, NULL),
                     VES_NOTE_GOOD);
    assert_int_equal(ves_note_check(&note, &golden.witness_key, NULL),
                     VES_NOTE_ABSENT);
    assert_int_equal(ves_checkpoint_read(note.text, &checkpoint, NULL), VES_OK);
    assert_true(ves_bytes_is(checkpoint.origin, TEST_LOG_ORIGIN));
    assert_int_equal(checkpoint.size, 7);
    assert_memory_equal(checkpoint.root.b, root.b, VES_HASH_SIZE);

    test_log_buf(&buf);
    test_log_checkpoint(&golden, &buf, 7);
    assert_true(ves_bytes_equal(ves_buf_view(&buf), bytes));
    /* And the cosigner's line, byte for byte. */
    size_t before = buf.len;
    test_log_cosign(&golden, &buf, 1700000000);
    assert_true(ves_bytes_equal(
        ves_bytes(buf.ptr + before, buf.len - before),
        test_log_text(&golden, "cosignature_v1_time_1700000000")));
    struct ves_note_times times;
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_OK);
    assert_int_equal(ves_note_check(&note, &golden.witness_key, &times),
                     VES_NOTE_GOOD);
    assert_int_equal(times.first, 1700000000);
    assert_int_equal(times.last, 1700000000);
    ves_buf_free(&buf);
}

static void test_origins(void **state)
{
    (void)state;
    struct ves_hash id = {{0xAB, 0xCD}}, got;
    struct ves_buf buf;

    test_log_buf(&buf);
    ves_origin_write(&buf, ves_bytes_str("shop.example:8443"), &id);
    assert_string_equal(test_log_str(&buf),
                        "shop.example:8443/ves/abcd0000000000000000000000000000"
                        "00000000000000000000000000000000");
    assert_true(ves_origin_stream(ves_buf_view(&buf), &got));
    assert_memory_equal(got.b, id.b, VES_HASH_SIZE);
    buf.ptr[buf.len - 64] = 'A';
    assert_false(ves_origin_stream(ves_buf_view(&buf), &got));
    assert_false(ves_origin_stream(ves_bytes_str(TEST_LOG_ORIGIN), &got));
    assert_false(
        ves_origin_stream(ves_bytes_str("/ves/abcd0000000000000000000000000000"
                                        "00000000000000000000000000000000"),
                          &got));
    ves_buf_free(&buf);
}

/* Text that is no note, and why each. */
static void test_wrong_notes(void **state)
{
    (void)state;
#define SIG "\xE2\x80\x94 a.b AAAAAAA=\n"
    static const char *const wrong[] = {"",
                                        "\n",
                                        "text\n",
                                        "text\n\n",
                                        "text\n" SIG,
                                        "text\n\n" SIG "\n",
                                        "text\r\n\n" SIG,
                                        "te\txt\n\n" SIG,
                                        "te\x1bxt\n\n" SIG,
                                        "te\xFFxt\n\n" SIG,
                                        "text\n\n- a.b AAAAAAA=\n",
                                        "text\n\n\xE2\x80\x94 a.b AAAAAAA=",
                                        "text\n\n\xE2\x80\x94 a.b AAAAAAA\n",
                                        "text\n\n\xE2\x80\x94 a.b AAAAAAB=\n",
                                        "text\n\n\xE2\x80\x94 a.b AAAAAA==\n",
                                        "text\n\n\xE2\x80\x94 a.b AAAAAAA= \n",
                                        "text\n\n\xE2\x80\x94 a.b  AAAAAAA=\n",
                                        "text\n\n\xE2\x80\x94  AAAAAAA=\n",
                                        "text\n\n\xE2\x80\x94 AAAAAAA=\n",
                                        "text\n\n\xE2\x80\x94 a+b AAAAAAA=\n",
                                        "text\n\n\xE2\x80\x94 a.b AAAA-AA=\n",
                                        "text\n\n" SIG "more\n",
                                        "text\n\n\xE2\x80\x94 a.b AAAAAAA=\r\n",
                                        "text\n\n\xE2\x80\x94\xC2\xA0"
                                        "a.b AAAAAAA=\n"};
    struct ves_error error;

    assert_int_equal(
        ves_note_read(ves_bytes_str("text\n\n" SIG SIG), &note, NULL), VES_OK);
    assert_int_equal(note.count, 2);
    assert_true(ves_bytes_is(note.text, "text\n"));
    assert_int_equal(
        ves_note_read(ves_bytes_str("te\n\nxt\n\n" SIG), &note, NULL), VES_OK);
    assert_true(ves_bytes_is(note.text, "te\n\nxt\n"));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        error.status = VES_OK;
        enum ves_status status =
            ves_note_read(ves_bytes_str(wrong[i]), &note, &error);
        if (status != VES_MALFORMED || error.status != status)
            fail_msg("note %zu: %s", i, ves_status_name(status));
    }
}

static void test_note_limits(void **state)
{
    (void)state;
    struct ves_buf buf;

    test_log_buf(&buf);
    ves_buf_put_str(&buf, "text\n\n");
    for (size_t i = 0; i < VES_NOTE_LINES_MAX; i++)
        ves_buf_put_str(&buf, SIG);
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_OK);
    ves_buf_put_str(&buf, SIG);
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_LIMIT);
    ves_buf_reset(&buf);
    for (size_t i = 0; i < VES_NOTE_MAX; i++)
        ves_buf_put_u8(&buf, 'x');
    ves_buf_put_str(&buf, "\n\n" SIG);
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_LIMIT);
    ves_buf_free(&buf);
}

/* A post-quantum cosignature is as long as this: carried, not judged. */
static void test_long_signatures_of_others(void **state)
{
    (void)state;
    struct ves_buf buf;

    test_log_buf(&buf);
    ves_buf_put_bytes(&buf, test_log_text(&golden, "checkpoint_7"));
    ves_buf_put_str(&buf, "\xE2\x80\x94 pq.example ");
    for (size_t i = 0; i < 3244; i++)
        ves_buf_put_u8(&buf, 'A');
    ves_buf_put_u8(&buf, '\n');
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_OK);
    assert_int_equal(note.count, 2);
    assert_int_equal(note.lines[1].payload_len, 2433 - 4);
    assert_int_equal(ves_note_check(&note, &golden.log_key, NULL),
                     VES_NOTE_GOOD);
    ves_buf_free(&buf);
}

/* Appends the log's line with byte at of its bytes (key id, signature)
 * changed. */
static void put_changed(struct ves_buf *buf, size_t at)
{
    struct ves_note_line *line = &note.lines[0];
    struct ves_note_key key = golden.log_key;

    assert_int_equal(
        ves_note_read(test_log_text(&golden, "checkpoint_7"), &note, NULL),
        VES_OK);
    key.id = line->key_id;
    if (at < 4)
        key.id ^= UINT32_C(1) << 8 * at;
    else
        line->payload[at - 4] ^= 1;
    ves_note_line_write(buf, &key, line->payload, line->payload_len);
}

static void test_verdicts(void **state)
{
    (void)state;
    struct ves_bytes good = test_log_text(&golden, "checkpoint_7");
    struct ves_buf buf;

    test_log_buf(&buf);
    for (size_t at = 0; at < 68; at++) {
        /* Behind a good line, the same key's wrong one spoils the note; a line
         * of another id says nothing. */
        ves_buf_reset(&buf);
        ves_buf_put_bytes(&buf, good);
        put_changed(&buf, at);
        assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL),
                         VES_OK);
        assert_int_equal(note.count, 2);
        assert_int_equal(ves_note_check(&note, &golden.log_key, NULL),
                         at < 4 ? VES_NOTE_GOOD : VES_NOTE_BAD);
    }
    /* The same line twice is as good as once. */
    ves_buf_reset(&buf);
    ves_buf_put_bytes(&buf, good);
    assert_int_equal(ves_note_read(good, &note, NULL), VES_OK);
    ves_buf_put_bytes(&buf, note.lines[0].text);
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_OK);
    assert_int_equal(note.count, 2);
    assert_int_equal(ves_note_check(&note, &golden.log_key, NULL),
                     VES_NOTE_GOOD);
    /* A signature of the wrong length under a known key. */
    ves_buf_reset(&buf);
    ves_buf_put_bytes(&buf, good);
    ves_note_line_write(&buf, &golden.log_key, "123", 3);
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_OK);
    assert_int_equal(ves_note_check(&note, &golden.log_key, NULL),
                     VES_NOTE_BAD);
    ves_buf_free(&buf);
}

/* Two cosignatures of one witness: the first and the last time count. */
static void test_times(void **state)
{
    (void)state;
    struct ves_note_times times;
    struct ves_buf buf;

    test_log_buf(&buf);
    test_log_checkpoint(&golden, &buf, 7);
    test_log_cosign(&golden, &buf, 1700000500);
    test_log_cosign(&golden, &buf, 0);
    test_log_cosign(&golden, &buf, VES_TLOG_SIZE_MAX);
    assert_int_equal(ves_note_read(ves_buf_view(&buf), &note, NULL), VES_OK);
    assert_int_equal(ves_note_check(&note, &golden.witness_key, &times),
                     VES_NOTE_GOOD);
    assert_int_equal(times.first, 0);
    assert_int_equal(times.last, VES_TLOG_SIZE_MAX);
    /* A cosignature is no log's signature and the other way round. */
    struct ves_note_key swapped = golden.witness_key;
    swapped.type = VES_NOTE_ED25519;
    assert_int_equal(ves_note_check(&note, &swapped, NULL), VES_NOTE_BAD);
    ves_buf_free(&buf);
}

static void test_wrong_checkpoints(void **state)
{
    (void)state;
#define ROOT "mgkAVxnCwAXFAweVgTelUSvJS1z0E+aECWgYOXDxLoM=\n"
    static const char *const wrong[] = {
        "",
        "a\n",
        "a\n7\n",
        "\n7\n" ROOT,
        "a\n07\n" ROOT,
        "a\n+7\n" ROOT,
        "a\n-7\n" ROOT,
        "a\n 7\n" ROOT,
        "a\n7 \n" ROOT,
        "a\n\n" ROOT,
        "a\n9223372036854775808\n" ROOT,
        "a\n18446744073709551616\n" ROOT,
        "a\n7\n" ROOT "extension\n",
        "a\n7\n" ROOT "\n",
        "a\n7\r\n" ROOT,
        "a\n7\nmgkAVxnCwAXFAweVgTelUSvJS1z0E+aECWgYOXDxLoN=\n",
        "a\n7\nmgkAVxnCwAXFAweVgTelUSvJS1z0E+aECWgYOXDxLoM\n",
        "a\n7\nmgkAVxnCwAXFAweVgTelUSvJS1z0E-aECWgYOXDxLoM=\n",
        "a\n7\nmgkAVxnCwAXFAweVgTelUSvJS1z0E+aECWgYOXDxLg==\n",
        "a\n7\nmgkAVxnCwAXFAweVgTelUSvJS1z0E+aECWgYOXDxLoM=",
        "\x7F\n7\n" ROOT};
    char origin[300];
    struct ves_checkpoint out;
    struct ves_buf buf;

    assert_int_equal(
        ves_checkpoint_read(ves_bytes_str("a b\n9223372036854775807\n" ROOT),
                            &out, NULL),
        VES_OK);
    assert_int_equal(out.size, VES_TLOG_SIZE_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (ves_checkpoint_read(ves_bytes_str(wrong[i]), &out, NULL) !=
            VES_MALFORMED)
            fail_msg("checkpoint %zu was read", i);
    }
    test_log_buf(&buf);
    memset(origin, 'o', sizeof(origin));
    for (size_t len = VES_ORIGIN_MAX; len <= VES_ORIGIN_MAX + 1; len++) {
        ves_buf_reset(&buf);
        out.origin = ves_bytes(origin, len);
        out.size = VES_TLOG_SIZE_MAX;
        ves_checkpoint_write(&buf, &out);
        enum ves_status status =
            ves_checkpoint_read(ves_buf_view(&buf), &out, NULL);
        if (len == VES_ORIGIN_MAX) {
            assert_int_equal(status, VES_OK);
            assert_int_equal(buf.len, VES_CHECKPOINT_TEXT_MAX);
        } else {
            assert_int_equal(status, VES_MALFORMED);
        }
    }
    ves_buf_free(&buf);
}

static void test_golden_proof(void **state)
{
    (void)state;
    struct ves_bytes file =
        test_log_text(&golden, "tlog_proof_index5_size7_cosigned");
    struct ves_tlog_proof proof;
    struct ves_tlog_node node = {0, 5};
    struct ves_tlog_path path;
    struct ves_buf buf;

    assert_int_equal(ves_tlog_proof_read(file, &proof, NULL), VES_OK);
    assert_int_equal(proof.index, 5);
    assert_false(proof.has_extra);
    assert_int_equal(
        ves_tlog_inclusion_make(test_log_source(&golden), node, 7, &path),
        VES_OK);
    test_log_buf(&buf);
    ves_tlog_proof_write(&buf, NULL, 5, &path, proof.note);
    assert_true(ves_bytes_equal(ves_buf_view(&buf), file));
    /* With something beside it, in front of the index. */
    const struct ves_bytes extra = ves_bytes_str("{}");
    ves_buf_reset(&buf);
    ves_tlog_proof_write(&buf, &extra, 5, &path, proof.note);
    assert_int_equal(ves_tlog_proof_read(ves_buf_view(&buf), &proof, NULL),
                     VES_OK);
    assert_true(proof.has_extra && ves_bytes_is(proof.extra, "e30="));
    ves_buf_free(&buf);
}

/* A proof out of 70,000 entries that others made and checked. */
static void test_proof_of_others(void **state)
{
    (void)state;
    struct ves_bytes file =
        test_read_shared("vectors/tlog/6.cosigned.tlog-proof");
    struct ves_tlog_proof proof;
    struct ves_checkpoint checkpoint;
    struct ves_tlog_node node = {0, 6};
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    if (!file.ptr)
        return; /* main() says so */
    assert_int_equal(ves_tlog_proof_read(file, &proof, NULL), VES_OK);
    assert_int_equal(ves_note_read(proof.note, &note, NULL), VES_OK);
    assert_int_equal(ves_note_check(&note, &golden.log_key, NULL),
                     VES_NOTE_GOOD);
    assert_int_equal(ves_checkpoint_read(note.text, &checkpoint, NULL), VES_OK);
    assert_int_equal(checkpoint.size, 70000);
    ves_leaf_write(&golden.leaves[6], entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    assert_int_equal(ves_tlog_inclusion_check(&proof.path, node,
                                              checkpoint.size, &hash,
                                              &checkpoint.root),
                     VES_OK);
    free((void *)(uintptr_t)file.ptr);
}

static void test_wrong_proofs(void **state)
{
    (void)state;
#define P "c2sp.org/tlog-proof@v1\n"
#define H "u0uMz9WBHpqQ2iK9rJijX4gvNSQN/fYJRSHWRUcM9/Q=\n"
    static const char *const wrong[] = {"",
                                        P,
                                        P "index 5\n",
                                        P "index 5\n" H,
                                        P "index 5\n\n",
                                        P "index 5\n" H "\n",
                                        P "index 05\n\nx",
                                        P "index -1\n\nx",
                                        P "index 5 \n\nx",
                                        P "index\n\nx",
                                        P "Index 5\n\nx",
                                        P "extra\nindex 5\n\nx",
                                        P "extra !\nindex 5\n\nx",
                                        P "extra e30\nindex 5\n\nx",
                                        P
                                        "extra e30=\nextra e30=\nindex 5\n\nx",
                                        P "index 5\nextra e30=\n\nx",
                                        P "\nindex 5\n\nx",
                                        "c2sp.org/tlog-proof@v2\nindex 5\n\nx",
                                        P "index 5\n" H " \nx",
                                        P "index 5\n " H "\nx",
                                        P "index 9223372036854775808\n\nx",
                                        P "index 5\nAAAA\n\nx"};
    struct ves_tlog_proof proof;
    struct ves_buf buf;

    assert_int_equal(
        ves_tlog_proof_read(ves_bytes_str(P "index 5\n" H "\nx"), &proof, NULL),
        VES_OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        if (ves_tlog_proof_read(ves_bytes_str(wrong[i]), &proof, NULL) !=
            VES_MALFORMED)
            fail_msg("proof %zu was read", i);
    }
    test_log_buf(&buf);
    for (size_t hashes = 63; hashes <= 64; hashes++) {
        ves_buf_reset(&buf);
        ves_buf_put_str(&buf, P "index 5\n");
        for (size_t i = 0; i < hashes; i++)
            ves_buf_put_str(&buf, H);
        ves_buf_put_str(&buf, "\nx");
        assert_int_equal(ves_tlog_proof_read(ves_buf_view(&buf), &proof, NULL),
                         hashes == 63 ? VES_OK : VES_LIMIT);
    }
    ves_buf_free(&buf);
}

/* Is entry 5 proven by file, and witnessed? */
static bool proves_five(struct ves_bytes file)
{
    struct ves_tlog_proof proof;
    struct ves_checkpoint checkpoint;
    struct ves_tlog_node node = {0, 5};
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_hash hash;

    if (ves_tlog_proof_read(file, &proof, NULL) ||
        ves_note_read(proof.note, &note, NULL) ||
        ves_checkpoint_read(note.text, &checkpoint, NULL) ||
        ves_note_check(&note, &golden.log_key, NULL) != VES_NOTE_GOOD ||
        ves_note_check(&note, &golden.witness_key, NULL) != VES_NOTE_GOOD ||
        !ves_bytes_equal(checkpoint.origin, golden.log_key.name) ||
        proof.index != 5)
        return false;
    ves_leaf_write(&golden.leaves[5], entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    return ves_tlog_inclusion_check(&proof.path, node, checkpoint.size, &hash,
                                    &checkpoint.root) == VES_OK;
}

/* Only what is said to be unauthenticated may be changed. */
static void test_flipped_bits(void **state)
{
    (void)state;
    struct ves_tlog_path path;
    struct ves_tlog_node node = {0, 5};
    struct ves_buf signed_note, file;
    const struct ves_bytes extra = ves_bytes_str("anything");
    size_t survived = 0;

    test_log_buf(&signed_note);
    test_log_buf(&file);
    test_log_checkpoint(&golden, &signed_note, 7);
    test_log_cosign(&golden, &signed_note, 1700000000);
    assert_int_equal(
        ves_tlog_inclusion_make(test_log_source(&golden), node, 7, &path),
        VES_OK);
    ves_tlog_proof_write(&file, &extra, 5, &path, ves_buf_view(&signed_note));
    assert_true(proves_five(ves_buf_view(&file)));
    size_t from = strlen("c2sp.org/tlog-proof@v1\nextra ");
    size_t to = from + strlen("YW55dGhpbmc=");
    for (size_t i = 0; i < file.len; i++) {
        for (uint8_t bit = 1; bit; bit = (uint8_t)(bit << 1)) {
            file.ptr[i] ^= bit;
            if (proves_five(ves_buf_view(&file))) {
                survived++;
                if (i < from || i >= to)
                    fail_msg("byte %zu may be changed by %u", i, bit);
            }
            file.ptr[i] ^= bit;
        }
    }
    assert_true(survived > 0); /* nobody vouches for extra */
    for (size_t cut = 1; cut < file.len; cut++)
        assert_false(proves_five(ves_bytes(file.ptr, file.len - cut)));
    ves_buf_free(&signed_note);
    ves_buf_free(&file);
}

/* ---- a witness ---- */

struct asked {
    struct ves_witness_head head;
    struct ves_buf body;
};

static enum ves_witness_answer decide(const struct asked *asked)
{
    static struct ves_add_checkpoint request;
    if (ves_add_checkpoint_read(ves_buf_view(&asked->body), &request, NULL))
        return VES_WITNESS_MALFORMED;
    return ves_witness_decide(&request, &golden.log_key, 1, &asked->head);
}

/* The honest request to go from one size to another. */
static void ask(struct asked *asked, uint64_t from, uint64_t to)
{
    struct ves_tlog_path path;
    struct ves_buf signed_note;

    test_log_buf(&asked->body);
    test_log_buf(&signed_note);
    asked->head.size = from;
    asked->head.root = test_log_root(&golden, from);
    assert_int_equal(
        ves_tlog_consistency_make(test_log_source(&golden), from, to, &path),
        VES_OK);
    test_log_checkpoint(&golden, &signed_note, to);
    ves_add_checkpoint_write(&asked->body, from, &path,
                             ves_buf_view(&signed_note));
    ves_buf_free(&signed_note);
}

static void test_witness_answers(void **state)
{
    (void)state;
    struct asked asked;
    static const uint64_t sizes[] = {0, 1, 3, 4, 7, 8, 100, 256, 300};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (size_t k = i; k < sizeof(sizes) / sizeof(sizes[0]); k++) {
            ask(&asked, sizes[i], sizes[k]);
            assert_int_equal(decide(&asked), VES_WITNESS_OK);
            /* Somebody was faster. */
            asked.head.size++;
            assert_int_equal(decide(&asked), VES_WITNESS_CONFLICT);
            ves_buf_free(&asked.body);
        }
    }
    /* A head that the log denies. */
    ask(&asked, 7, 8);
    asked.head.root.b[0] ^= 1;
    assert_int_equal(decide(&asked), VES_WITNESS_INCONSISTENT);
    ves_buf_free(&asked.body);
    ask(&asked, 7, 7);
    asked.head.root.b[0] ^= 1;
    assert_int_equal(decide(&asked), VES_WITNESS_INCONSISTENT);
    ves_buf_free(&asked.body);
}

/* A request around a signed note of any tree. */
static enum ves_witness_answer ask_about(const char *start, uint64_t old_head,
                                         uint64_t size,
                                         const struct ves_hash *root)
{
    struct asked asked = {.head = {.size = old_head}};
    test_log_buf(&asked.body);
    asked.head.root = test_log_root(&golden, old_head);
    ves_buf_put_str(&asked.body, start);
    test_log_sign(&golden, &asked.body, size, root);
    enum ves_witness_answer answer = decide(&asked);
    ves_buf_free(&asked.body);
    return answer;
}

static void test_witness_refusals(void **state)
{
    (void)state;
    struct ves_hash seven = test_log_root(&golden, 7), empty;
    struct ves_buf many;

    ves_tlog_empty_root(&empty);
    assert_int_equal(ask_about("old 7\n\n", 7, 7, &seven), VES_WITNESS_OK);
    assert_int_equal(ask_about("old 0\n\n", 0, 7, &seven), VES_WITNESS_OK);
    assert_int_equal(ask_about("old 0\n\n", 0, 0, &empty), VES_WITNESS_OK);
    assert_int_equal(ask_about("old 8\n\n", 8, 7, &seven),
                     VES_WITNESS_MALFORMED);
    assert_int_equal(ask_about("old 0\n\n", 0, 0, &seven),
                     VES_WITNESS_INCONSISTENT);
    assert_int_equal(ask_about("old 0\n" H "\n", 0, 7, &seven),
                     VES_WITNESS_INCONSISTENT);
    assert_int_equal(ask_about("old 7\n" H "\n", 7, 7, &seven),
                     VES_WITNESS_INCONSISTENT);
    assert_int_equal(ask_about("old 7\n\n", 7, 7, &empty),
                     VES_WITNESS_INCONSISTENT);
    assert_int_equal(ask_about("old 4\n\n", 4, 7, &seven),
                     VES_WITNESS_INCONSISTENT);
    static const char *const wrong[] = {"",
                                        "old\n\n",
                                        "old \n\n",
                                        "old 00\n\n",
                                        "old 07\n\n",
                                        "old +7\n\n",
                                        "old 7 \n\n",
                                        "old -7\n\n",
                                        "old 9223372036854775808\n\n",
                                        "Old 7\n\n",
                                        "old 7\nAAAA\n\n",
                                        ("old 7\n" H),
                                        "old 7\r\n\n",
                                        "old 7\n\n\n"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(ask_about(wrong[i], 7, 7, &seven),
                         VES_WITNESS_MALFORMED);
    /* Another origin, which nobody signed. */
    assert_int_equal(ask_about("old 7\n\nx", 7, 7, &seven),
                     VES_WITNESS_FORBIDDEN);
    test_log_buf(&many);
    ves_buf_put_str(&many, "old 7\n");
    for (size_t i = 0; i < 64; i++)
        ves_buf_put_str(&many, H);
    ves_buf_put_str(&many, "\n");
    assert_int_equal(ask_about(test_log_str(&many), 7, 7, &seven),
                     VES_WITNESS_MALFORMED);
    ves_buf_free(&many);
}

static void test_witness_signatures(void **state)
{
    (void)state;
    static struct ves_add_checkpoint request;
    struct asked asked;
    struct ves_note_key other = golden.log_key, keys[2];

    ask(&asked, 3, 7);
    assert_int_equal(
        ves_add_checkpoint_read(ves_buf_view(&asked.body), &request, NULL),
        VES_OK);
    other.id ^= 1;
    assert_int_equal(ves_witness_decide(&request, &other, 1, &asked.head),
                     VES_WITNESS_FORBIDDEN);
    assert_int_equal(ves_witness_decide(&request, NULL, 0, &asked.head),
                     VES_WITNESS_FORBIDDEN);
    /* Two keys of a log that changes them: one signature is enough, a wrong
     * one is too much. */
    keys[0] = other;
    keys[1] = golden.log_key;
    assert_int_equal(ves_witness_decide(&request, keys, 2, &asked.head),
                     VES_WITNESS_OK);
    request.note.lines[1] = request.note.lines[0];
    request.note.lines[1].payload[0] ^= 1;
    request.note.count = 2;
    assert_int_equal(ves_witness_decide(&request, keys, 2, &asked.head),
                     VES_WITNESS_FORBIDDEN);
    ves_buf_free(&asked.body);
}

static void test_witness_flips(void **state)
{
    (void)state;
    struct asked asked;
    ask(&asked, 3, 7);
    for (size_t i = 0; i < asked.body.len; i++) {
        for (uint8_t bit = 1; bit; bit = (uint8_t)(bit << 1)) {
            asked.body.ptr[i] ^= bit;
            if (decide(&asked) == VES_WITNESS_OK)
                fail_msg("byte %zu may be changed by %u", i, bit);
            asked.body.ptr[i] ^= bit;
        }
    }
    ves_buf_free(&asked.body);
}

static void test_witness_bodies(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "", "7", "07\n", "7\n\n", "7 \n", "-7\n", "9223372036854775808\n"};
    struct ves_buf buf;
    uint64_t size;

    test_log_buf(&buf);
    ves_witness_size_write(&buf, VES_TLOG_SIZE_MAX);
    assert_int_equal(ves_witness_size_read(ves_buf_view(&buf), &size), VES_OK);
    assert_int_equal(size, VES_TLOG_SIZE_MAX);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_int_equal(ves_witness_size_read(ves_bytes_str(wrong[i]), &size),
                         VES_MALFORMED);
    assert_int_equal(
        ves_note_lines_read(
            test_log_text(&golden, "cosignature_v1_time_1700000000"), &note,
            NULL),
        VES_OK);
    assert_int_equal(note.count, 1);
    assert_int_equal(ves_note_lines_read(ves_bytes_str(""), &note, NULL),
                     VES_MALFORMED);
    assert_int_equal(ves_note_lines_read(ves_bytes_str(SIG "\n"), &note, NULL),
                     VES_MALFORMED);
    ves_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_wrong_keys),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_golden_checkpoint),
        cmocka_unit_test(test_origins),
        cmocka_unit_test(test_wrong_notes),
        cmocka_unit_test(test_note_limits),
        cmocka_unit_test(test_long_signatures_of_others),
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_wrong_checkpoints),
        cmocka_unit_test(test_golden_proof),
        cmocka_unit_test(test_proof_of_others),
        cmocka_unit_test(test_wrong_proofs),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_witness_answers),
        cmocka_unit_test(test_witness_refusals),
        cmocka_unit_test(test_witness_signatures),
        cmocka_unit_test(test_witness_flips),
        cmocka_unit_test(test_witness_bodies),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    struct ves_bytes file =
        test_read_shared("vectors/tlog/6.cosigned.tlog-proof");
    if (!file.ptr)
        printf("ok %zu - a proof of others # SKIP NOT CHECKED: no vectors/tlog "
               "in the shared material (VES_SHARED)\n",
               1 + sizeof(tests) / sizeof(tests[0]));
    free((void *)(uintptr_t)file.ptr);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
