/* test_receipt.c -- receipts and the statements that introduce keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "core/receipt.h"
#include "crypto/crypto.h"
#include "test/lib/test_util.h"

/* The first event of test/vectors/derived_ves_vectors.json. */
static const char known[] =
    "{\"sequencerId\":\"00000000-0000-4000-8000-0000000000aa\","
    "\"eventId\":\"861910c9-7a1d-4b6f-83d6-51bbf4ae2849\","
    "\"sequenceNumber\":1,\"sequencedAt\":\"2025-12-20T17:51:11.500Z\","
    "\"receiptHash\":"
    "\"57941f8c49066ebc7ed09ab774e8b1f406488be7002531f99a50ff0e057a8292\","
    "\"signatureAlg\":\"ed25519\",\"sequencerSignature\":"
    "\"9d9a89a1bee178e3c5793042d59dda7a0a9481836585d00a88a9a49d769ce2f4"
    "3a5b63415b8e7ffc99a8464c2a25e23f3aa16cb62c07bfa04713ff35e62e410b\","
    "\"sequencerKeyVersion\":3}";

static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    return ves_crypto_init() == VES_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

static enum ves_status read_text(const char *text, struct ves_receipt *out)
{
    return ves_receipt_read(test_json(&arena, text), out);
}

static void test_known(void **state)
{
    (void)state;
    struct ves_receipt receipt;
    struct ves_public_key key;
    struct ves_stream stream = {
        test_uuid("64527dd3-a654-4410-9327-e58a1492ce77"),
        test_uuid("91def158-819a-4461-b5c9-7759750ad157")};
    struct ves_hash hash, event = test_hash("dddac2cbe5ccf8e7e007e60bd17439ca"
                                            "28ac47a7a4d1b02ac4b406f694d263b6");

    assert_int_equal(read_text(known, &receipt), VES_OK);
    assert_int_equal(receipt.sequence_number, 1);
    assert_int_equal(receipt.key_version, 3);
    assert_true(receipt.sequenced_at_ms == INT64_C(1766253071500));
    ves_receipt_hash(&stream, &receipt.event_id, 1, &event, &hash);
    assert_memory_equal(hash.b, receipt.receipt_hash.b, VES_HASH_SIZE);
    test_hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
             key.b, 32);
    assert_true(ves_ed25519_verify(&key, ves_bytes(hash.b, VES_HASH_SIZE),
                                   &receipt.signature));

    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    ves_receipt_write(&buf, &receipt);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    assert_true(ves_bytes_is(ves_buf_view(&buf), known));
    ves_buf_free(&buf);
}

/* known with the first occurrence of old replaced. */
static const char *with(const char *old, const char *new_text)
{
    static char text[2048];
    const char *at = strstr(known, old);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - known), known, new_text,
             at + strlen(old));
    return text;
}

static void test_accepted_forms(void **state)
{
    (void)state;
    struct ves_receipt receipt;
    const struct {
        const char *old;
        const char *now;
    } good[] = {
        {",\"sequencerKeyVersion\":3", ""},
        {"\"sequencerKeyVersion\":3", "\"sequencerKeyVersion\":null"},
        {"\"sequencerKeyVersion\":3",
         "\"sequencerKeyVersion\":3,\"receiptSignatureScheme\":1"},
        {"\"sequencerKeyVersion\":3",
         "\"sequencerKeyVersion\":3,\"receiptSignatureScheme\":null"},
        {"\"sequencerKeyVersion\":3", "\"sequencerKeyVersion\":3,\"x\":[]"},
        {"\"57941f8c", "\"0x57941F8C"},
        {"11.500Z", "11.500123456+00:00"},
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
        assert_int_equal(read_text(with(good[i].old, good[i].now), &receipt),
                         VES_OK);
    assert_int_equal(
        read_text(with(",\"sequencerKeyVersion\":3", ""), &receipt), VES_OK);
    assert_int_equal(receipt.key_version, 0);
}

static void test_refused_forms(void **state)
{
    (void)state;
    const struct {
        const char *old;
        const char *now;
        enum ves_status status;
    } bad[] = {
        {"\"sequencerId\"", "\"x\"", VES_MALFORMED},
        {"\"eventId\"", "\"x\"", VES_MALFORMED},
        {"\"sequenceNumber\"", "\"x\"", VES_MALFORMED},
        {"\"sequencedAt\"", "\"x\"", VES_MALFORMED},
        {"\"receiptHash\"", "\"x\"", VES_MALFORMED},
        {"\"signatureAlg\"", "\"x\"", VES_MALFORMED},
        {"\"sequencerSignature\"", "\"x\"", VES_MALFORMED},
        {"00000000-0000-4000", "00000000-0000-400", VES_MALFORMED},
        {"Number\":1", "Number\":0", VES_MALFORMED},
        {"Number\":1", "Number\":-1", VES_MALFORMED},
        {"Number\":1", "Number\":1.5", VES_MALFORMED},
        {"Number\":1", "Number\":\"1\"", VES_MALFORMED},
        {"11.500Z", "11.500", VES_MALFORMED},
        {"57941f8c", "57941f8", VES_MALFORMED},
        {"57941f8c", "57941f8g", VES_MALFORMED},
        {"9d9a89a1", "9d9a89", VES_MALFORMED},
        {"Version\":3", "Version\":4294967296", VES_MALFORMED},
        {"Version\":3", "Version\":\"3\"", VES_MALFORMED},
        {"\"ed25519\"", "\"none\"", VES_UNSUPPORTED},
        {"\"ed25519\"", "\"ed25519-fallback\"", VES_UNSUPPORTED},
        {"\"ed25519\"", "\"Ed25519MlDsa65\"", VES_UNSUPPORTED},
        {"Version\":3", "Version\":3,\"receiptSignatureScheme\":2",
         VES_UNSUPPORTED},
        {"Version\":3", "Version\":3,\"receiptSignatureScheme\":\"1\"",
         VES_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ves_receipt receipt, untouched;
        memset(&receipt, 0x5a, sizeof(receipt));
        untouched = receipt;
        assert_int_equal(read_text(with(bad[i].old, bad[i].now), &receipt),
                         bad[i].status);
        assert_memory_equal(&receipt, &untouched, sizeof(receipt));
    }
    struct ves_receipt receipt;
    assert_int_equal(ves_receipt_read(NULL, &receipt), VES_MALFORMED);
    assert_int_equal(read_text("[]", &receipt), VES_MALFORMED);
}

/* design.md D18, preimage written out. */
static void test_key_statement(void **state)
{
    (void)state;
    struct ves_public_key old_key, new_key;
    struct ves_hash hash, expected;
    uint8_t preimage[13 + 32 + 32 + 4];

    memset(old_key.b, 1, sizeof(old_key.b));
    memset(new_key.b, 2, sizeof(new_key.b));
    memcpy(preimage, "VES_SEQKEY_V1", 13);
    memcpy(preimage + 13, old_key.b, 32);
    memcpy(preimage + 45, new_key.b, 32);
    memcpy(preimage + 77, "\x01\x02\x03\x04", 4);
    ves_sha256_one(preimage, sizeof(preimage), &expected);
    ves_seqkey_hash(&old_key, &new_key, 0x01020304, &hash);
    assert_memory_equal(hash.b, expected.b, VES_HASH_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_accepted_forms),
        cmocka_unit_test(test_refused_forms),
        cmocka_unit_test(test_key_statement),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
