/* test_sealed.c -- encrypted payloads: structure and cipher hash.
 *
 * The good event is the one of encryption_rust_layout in
 * test/vectors/derived_ves_vectors.json.
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
#include "base/limits.h"
#include "base/text.h"
#include "core/event.h"
#include "core/sealed.h"
#include "crypto/crypto.h"
#include "test/lib/test_envelope.h"
#include "test/lib/test_util.h"

#define CIPHERTEXT                                                          \
    "RgDVH8DjxROES5yHvOd3ffj041GcDz5eAlbVtTFLbN1icdqVwK9N-h3KXdeqxgUJ3HtMr" \
    "yizwqlQ-QgjOpCdh4BRoxSnjlQEfzHDGIqtcw"
#define ENC    "N_2jVnvb1ijohmjDyNfpfR0SU7bU6m1EwVD3QfG_RDE"
#define WRAP   "xy3GoD--Nnn9DKryNpq5Z5nQCP9ArgsDPEueULBkkSroNwEdCkS1sHMbEMGwZDhX"
#define WRAPJS "AAECAwQFBgcICQoL" WRAP /* 12 bytes more in front */
#define HPKE                                                     \
    "{\"mode\":\"base\",\"kem\":\"X25519-HKDF-SHA256\",\"kdf\":" \
    "\"HKDF-SHA256\",\"aead\":\"AES-256-GCM\"}"
#define CIPHER_HASH \
    "24c192b1ecb4a8f27e073f60fab95d10b4cc81d307e7c26ae3b10db1776308ef"

/* Members of payload_encrypted, JSON each. */
static const char *enc_version, *aead, *nonce, *ciphertext, *tag, *hpke,
    *recipients, *more;

static char payload[VES_BODY_MAX];

static void reset(void)
{
    test_env_reset();
    test_env_set("ves_version", "1");
    test_env_set("tenant_id", "\"00000000-0000-0000-0000-000000000001\"");
    test_env_set("store_id", "\"00000000-0000-0000-0000-000000000002\"");
    test_env_set("event_id", "\"11111111-1111-1111-1111-111111111111\"");
    test_env_set("source_agent_id", "\"22222222-2222-2222-2222-222222222222\"");
    test_env_set("entity_type", "\"InventoryItem\"");
    test_env_set("entity_id", "\"WIDGET-001\"");
    test_env_set("event_type", "\"InventoryAdjusted\"");
    test_env_set("created_at", "\"2025-01-01T00:00:00Z\"");
    test_env_set("payload_kind", "1");
    test_env_set("payload", NULL);
    test_env_set("payload_plain_hash", "\"fd317f62d6d9a953f7b405776a2061ef"
                                       "400a606c9de38d21c6fe83a500a1f355\"");
    test_env_set("payload_cipher_hash", "\"" CIPHER_HASH "\"");
    enc_version = "1";
    aead = "\"AES-256-GCM\"";
    nonce = "\"AAECAwQFBgcICQoL\"";
    ciphertext = "\"" CIPHERTEXT "\"";
    tag = "\"VgiETHH1hYEuuMHvBZuEHA\"";
    hpke = HPKE;
    recipients = "[{\"recipient_kid\":1,\"enc_b64u\":\"" ENC
                 "\",\"ct_b64u\":\"" WRAP "\"}]";
    more = "";
}

static enum ves_status take(struct ves_event *event)
{
    int n = snprintf(payload, sizeof(payload),
                     "{\"enc_version\":%s,\"aead\":%s,\"nonce_b64u\":%s,"
                     "\"ciphertext_b64u\":%s,\"tag_b64u\":%s,\"hpke\":%s,"
                     "\"recipients\":%s%s}",
                     enc_version, aead, nonce, ciphertext, tag, hpke,
                     recipients, more);
    assert_true(n > 0 && (size_t)n < sizeof(payload));
    test_env_set("payload_encrypted", payload);
    return test_env_take(event);
}

static void expect(enum ves_refusal_code code, const char *reason)
{
    struct ves_event event;
    enum ves_status status = take(&event);
    assert_int_equal(status, code == VES_REFUSAL_NONE ? VES_OK : VES_REFUSED);
    if (status) {
        assert_string_equal(test_refusal.reason, reason);
        assert_int_equal(test_refusal.code, code);
        assert_true(test_refusal.has_event_id);
    }
    reset();
}

static void expect_ok(void)
{
    expect(VES_REFUSAL_NONE, "");
}

static void expect_bad(const char *field)
{
    char reason[300];
    snprintf(reason, sizeof(reason), "schema_validation: payload_encrypted%s",
             field);
    expect(VES_REFUSAL_SCHEMA_VALIDATION, reason);
}

static void expect_bad_hash(void)
{
    expect(VES_REFUSAL_INVALID_CIPHER_HASH, "invalid_cipher_hash");
}

static void test_rust_layout(void **state)
{
    (void)state;
    struct ves_event event, again;
    struct ves_buf buf;
    reset();
    assert_int_equal(take(&event), VES_OK);
    assert_null(event.payload);
    assert_non_null(event.payload_encrypted);
    assert_false(event.context.is_present);
    struct ves_hash hash;
    ves_event_signing_hash(&event, &hash);
    assert_memory_equal(hash.b, event.event_hash.b, VES_HASH_SIZE);

    /* It goes through our own spelling unharmed. */
    ves_buf_init(&buf, ves_alloc_default(), 65536);
    ves_event_write(&buf, &event);
    assert_int_equal(
        ves_event_read(&test_arena, ves_buf_view(&buf), &again, &test_refusal),
        VES_OK);
    assert_int_equal(ves_event_check(&test_arena, &again, &test_refusal),
                     VES_OK);
    assert_true(
        ves_json_equal(event.payload_encrypted, again.payload_encrypted));
    assert_true(ves_hash_equal(&event.event_hash, &again.event_hash));
    ves_buf_free(&buf);
}

/* Each input of the Rust cipher hash, one at a time. */
static void test_rust_hash_covers(void **state)
{
    (void)state;
    reset();
    nonce = "\"AAECAwQFBgcICQoM\"";
    expect_bad_hash();
    tag = "\"VgiETHH1hYEuuMHvBZuEHQ\"";
    expect_bad_hash();
    ciphertext = "\"SgDVH8DjxROES5yHvOd3ffj041GcDz5eAlbVtTFLbN1icdqVwK9N\"";
    expect_bad_hash();
    recipients = "[{\"recipient_kid\":2,\"enc_b64u\":\"" ENC
                 "\",\"ct_b64u\":\"" WRAP "\"}]";
    expect_bad_hash();
    recipients = "[{\"recipient_kid\":1,\"enc_b64u\":\"" ENC
                 "\",\"ct_b64u\":\"" WRAP "\"},{\"recipient_kid\":2,"
                 "\"enc_b64u\":\"" ENC "\",\"ct_b64u\":\"" WRAP "\"}]";
    expect_bad_hash();
    test_env_set("entity_id", "\"WIDGET-002\"");
    expect_bad_hash();
    test_env_set("payload_plain_hash", "\"" HASH_A "\"");
    expect_bad_hash();
    test_env_set("payload_cipher_hash", "\"" ZERO "\"");
    expect_bad_hash();
    /* Not covered in the Rust layout: the version, names of algorithms, what
     * others put beside them. */
    test_env_set("ves_version", "2");
    expect_ok();
    enc_version = "3";
    expect_ok();
    more = ",\"key_wrap_params\":{\"x\":null}";
    expect_ok();
    /* Padding is tolerated. */
    tag = "\"VgiETHH1hYEuuMHvBZuEHA==\"";
    expect_ok();
}

static void test_structure(void **state)
{
    (void)state;
    static const char *const not_objects[] = {"[]", "\"x\"", "1", "true"};
    reset();
    for (size_t i = 0; i < 4; i++) {
        struct ves_event event;
        test_env_set("payload_encrypted", not_objects[i]);
        assert_int_equal(test_env_take(&event), VES_REFUSED);
        assert_string_equal(test_refusal.reason,
                            "schema_validation: payload_encrypted");
    }
    struct ves_event event;
    test_env_set("payload_encrypted", NULL);
    assert_int_equal(test_env_take(&event), VES_REFUSED);
    assert_string_equal(test_refusal.reason,
                        "schema_validation: payload_encrypted");
    reset();

    /* payload beside it: absent, null or {}. */
    test_env_set("payload", "null");
    expect_ok();
    test_env_set("payload", "{}");
    expect_ok();
    test_env_set("payload", "{\"a\":1}");
    expect(VES_REFUSAL_SCHEMA_VALIDATION, "schema_validation: payload");
    test_env_set("payload", "[]");
    expect(VES_REFUSAL_SCHEMA_VALIDATION, "schema_validation: payload");

    more = ",\"x\":[9007199254740992]";
    expect_bad("");
}

static void test_algorithms(void **state)
{
    (void)state;
    reset();
    static const char *const versions[] = {"0", "4", "\"1\"", "null", "1.5"};
    for (size_t i = 0; i < 5; i++) {
        enc_version = versions[i];
        expect_bad(".enc_version");
    }
    aead = "\"aes-256-gcm\"";
    expect_bad(".aead");
    aead = "null";
    expect_bad(".aead");
    hpke = "[]";
    expect_bad(".hpke");
    hpke = "null";
    expect_bad(".hpke");
    hpke = "{}";
    expect_bad(".hpke.mode");
#define HPKE_OF(mode, kem, kdf, alg)                            \
    "{\"mode\":\"" mode "\",\"kem\":\"" kem "\",\"kdf\":\"" kdf \
    "\",\"aead\":\"" alg "\"}"
    hpke = HPKE_OF("psk", "X25519-HKDF-SHA256", "HKDF-SHA256", "AES-256-GCM");
    expect_bad(".hpke.mode");
    hpke = HPKE_OF("base", "X25519", "HKDF-SHA256", "AES-256-GCM");
    expect_bad(".hpke.kem");
    hpke = HPKE_OF("base", "X25519-HKDF-SHA256", "HKDF", "AES-256-GCM");
    expect_bad(".hpke.kdf");
    hpke = HPKE_OF("base", "X25519-HKDF-SHA256", "HKDF-SHA256", "AES");
    expect_bad(".hpke.aead");
    hpke =
        HPKE_OF("hybrid-base", "x25519+mlkem768", "HKDF-SHA256", "AES-256-GCM");
    expect_ok();
    hpke = HPKE_OF("pqc-base", "mlkem768", "HKDF-SHA256", "AES-256-GCM");
    expect_ok();
}

static void test_sizes(void **state)
{
    (void)state;
    reset();
    static const char *const nonces[] = {
        "\"AAECAwQFBgcICQ\"",   "\"AAECAwQFBgcICQoLDA\"", "\"\"", "1",
        "\"AAECAwQFBgcICQo!\"", "\"AAECAwQFBgcICQo+\""};
    for (size_t i = 0; i < sizeof(nonces) / sizeof(nonces[0]); i++) {
        nonce = nonces[i];
        expect_bad(".nonce_b64u");
    }
    tag = "\"VgiETHH1hYEuuMHvBZuE\"";
    expect_bad(".tag_b64u");
    tag = "\"VgiETHH1hYEuuMHvBZuEHAAA\"";
    expect_bad(".tag_b64u");
    tag = "\"VgiETHH1hYEuuMHvBZuEHB\""; /* stray bits */
    expect_bad(".tag_b64u");
    ciphertext = "\"\"";
    expect_bad(".ciphertext_b64u");
    ciphertext = "null";
    expect_bad(".ciphertext_b64u");
    ciphertext = "\"A\"";
    expect_bad(".ciphertext_b64u");
    ciphertext = "\"=\"";
    expect_bad(".ciphertext_b64u");
}

#define RECIPIENT(kid, enc, wrap)                                             \
    "{\"recipient_kid\":" kid ",\"enc_b64u\":\"" enc "\",\"ct_b64u\":\"" wrap \
    "\"}"

static void test_recipients(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        const char *field;
    } bad[] = {
        {"[]", ""},
        {"null", ""},
        {"{}", ""},
        {"[1]", ".recipient_kid"},
        {"[{}]", ".recipient_kid"},
        {"[" RECIPIENT("-1", ENC, WRAP) "]", ".recipient_kid"},
        {"[" RECIPIENT("\"1\"", ENC, WRAP) "]", ".recipient_kid"},
        {"[" RECIPIENT("4294967296", ENC, WRAP) "]", ".recipient_kid"},
        {"[" RECIPIENT("1", "AAEC", WRAP) "]", ".enc_b64u"},
        {"[" RECIPIENT("1", ENC "AA", WRAP) "]", ".enc_b64u"},
        {"[" RECIPIENT("1", ENC, "AAEC") "]", ".ct_b64u"},
        {"[" RECIPIENT("1", ENC, WRAP "AAAA") "]", ".ct_b64u"},
        {"[" RECIPIENT("1", ENC, WRAPJS "AAAA") "]", ".ct_b64u"},
        {"[" RECIPIENT("1", ENC, WRAP) "," RECIPIENT("1", ENC, WRAP) "]", ""},
        {"[" RECIPIENT("2", ENC, WRAP) "," RECIPIENT("1", ENC, WRAP) "]", ""},
        {"[" RECIPIENT("1", ENC, WRAPJS) "," RECIPIENT("1", ENC, WRAPJS) "]",
         ""},
        /* One dialect in one payload. */
        {"[" RECIPIENT("1", ENC, WRAP) "," RECIPIENT("2", ENC, WRAPJS) "]",
         ".ct_b64u"},
    };
    reset();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char field[100];
        snprintf(field, sizeof(field), ".recipients%s", bad[i].field);
        recipients = bad[i].list;
        expect_bad(field);
    }
}

/* The hash of this many recipients, by the reference in test_util.c. */
static void set_hash(bool is_js, struct ves_hash *recipients_hash)
{
    static char hex[2 * VES_HASH_SIZE + 3];
    struct ves_event event;
    struct ves_hash aad, hash;
    uint8_t text[128], iv[12], mac[16];
    size_t len = sizeof(text), iv_len = 12, mac_len = 16;

    (void)take(&event); /* for the members of the envelope */
    ves_sealed_aad(&event, is_js, &aad);
    assert_int_equal(ves_b64u_decode(ves_bytes_str(CIPHERTEXT), text, &len),
                     VES_OK);
    assert_int_equal(
        ves_b64u_decode(ves_bytes_str("AAECAwQFBgcICQoL"), iv, &iv_len),
        VES_OK);
    assert_int_equal(
        ves_b64u_decode(ves_bytes_str("VgiETHH1hYEuuMHvBZuEHA"), mac, &mac_len),
        VES_OK);
    test_cipher_hash(is_js, ves_bytes(iv, 12), &aad, ves_bytes(text, len),
                     ves_bytes(mac, 16), recipients_hash, &hash);
    hex[0] = '"';
    ves_hex_encode(hash.b, VES_HASH_SIZE, hex + 1);
    hex[2 * VES_HASH_SIZE + 1] = '"';
    test_env_set("payload_cipher_hash", hex);
}

/* Several recipients and the most there may be, in the Rust layout. */
static void test_many_recipients(void **state)
{
    (void)state;
    static char list[64 * 1024];
    static struct test_recipient reference[VES_RECIPIENTS_MAX + 1];
    uint8_t enc[32], wrap[48];
    size_t enc_len = 32, wrap_len = 48;
    assert_int_equal(ves_b64u_decode(ves_bytes_str(ENC), enc, &enc_len),
                     VES_OK);
    assert_int_equal(ves_b64u_decode(ves_bytes_str(WRAP), wrap, &wrap_len),
                     VES_OK);
    for (size_t n = 2; n <= VES_RECIPIENTS_MAX + 1; n += n == 2 ? 254 : 1) {
        size_t len = 0;
        for (size_t i = 0; i < n; i++) {
            reference[i].kid = (uint32_t)(3 * i);
            reference[i].enc = ves_bytes(enc, 32);
            reference[i].wrap = ves_bytes(wrap, 48);
            len += (size_t)snprintf(list + len, sizeof(list) - len,
                                    "%c{\"ct_b64u\":\"" WRAP
                                    "\",\"enc_b64u\":\"" ENC
                                    "\",\"recipient_kid\":%zu}",
                                    i ? ',' : '[', 3 * i);
            assert_true(len < sizeof(list) - 2);
        }
        memcpy(list + len, "]", 2);
        reset();
        recipients = list;
        struct ves_hash hash;
        test_rust_recipients_hash(reference, n, &hash);
        set_hash(false, &hash);
        if (n <= VES_RECIPIENTS_MAX)
            expect_ok();
        else
            expect_bad(".recipients");
    }
}

/* Refused as new under that code; `logged`: what a log may hold of it. */
static void expect_in_log(enum ves_refusal_code code, enum ves_status logged)
{
    struct ves_event event;

    assert_int_equal(take(&event), VES_REFUSED);
    assert_int_equal(test_refusal.code, code);
    assert_int_equal(
        ves_event_read(&test_arena, test_env_text(), &event, &test_refusal),
        VES_OK);
    assert_int_equal(ves_event_check_logged(&test_arena, &event, &test_refusal),
                     logged);
    if (logged)
        assert_int_equal(test_refusal.code, VES_REFUSAL_INVALID_CIPHER_HASH);
}

/* Another sequencer may have taken what the hash does not cover, or says
 * all the same: names of algorithms, one key twice, more recipients. */
static void test_in_a_log(void **state)
{
    (void)state;
    static char list[128 * 1024];
    static struct test_recipient reference[2 * VES_RECIPIENTS_MAX];
    const size_t count = sizeof(reference) / sizeof(reference[0]);
    uint8_t enc[32], wrap[48];
    size_t enc_len = 32, wrap_len = 48, len = 0;
    struct ves_hash hash;

    assert_int_equal(ves_b64u_decode(ves_bytes_str(ENC), enc, &enc_len),
                     VES_OK);
    assert_int_equal(ves_b64u_decode(ves_bytes_str(WRAP), wrap, &wrap_len),
                     VES_OK);
    for (size_t i = 0; i < count; i++) {
        reference[i].kid = (uint32_t)(i / 2);
        reference[i].enc = ves_bytes(enc, 32);
        reference[i].wrap = ves_bytes(wrap, 48);
        len +=
            (size_t)snprintf(list + len, sizeof(list) - len,
                             "%c{\"ct_b64u\":\"" WRAP "\",\"enc_b64u\":\"" ENC
                             "\",\"recipient_kid\":%zu}",
                             i ? ',' : '[', i / 2);
        assert_true(len < sizeof(list) - 2);
    }
    memcpy(list + len, "]", 2);
    reset();
    recipients = list;
    aead = "\"AES-512\"";
    test_rust_recipients_hash(reference, count, &hash);
    set_hash(false, &hash);
    expect_in_log(VES_REFUSAL_SCHEMA_VALIDATION, VES_OK);

    /* What the hash does cover is another thing. */
    reference[7].kid++;
    test_rust_recipients_hash(reference, count, &hash);
    set_hash(false, &hash);
    expect_in_log(VES_REFUSAL_SCHEMA_VALIDATION, VES_REFUSED);
    reset();
}

/* The JS layout: version in the associated data, recipients as canonical
 * JSON sorted by key id in whatever order they came, whole objects. */
static void test_js_layout(void **state)
{
    (void)state;
    struct ves_hash hash;
    static const char canonical[] =
        "[{\"ct_b64u\":\"" WRAPJS "\",\"enc_b64u\":\"" ENC
        "\",\"recipient_kid\":1,\"x\":[1]},"
        "{\"ct_b64u\":\"" WRAPJS "\",\"enc_b64u\":\"" ENC
        "\",\"recipient_kid\":2}]";
    static const char one[] = "{\"enc_b64u\":\"" ENC "\",\"ct_b64u\":\"" WRAPJS
                              "\",\"x\":[1.0], \"recipient_kid\":1}";
    static char list[2][1024];
    snprintf(list[0], sizeof(list[0]), "[%s,%s]", one,
             RECIPIENT("2", ENC, WRAPJS));
    snprintf(list[1], sizeof(list[1]), "[%s,%s]", RECIPIENT("2", ENC, WRAPJS),
             one);

    for (size_t order = 0; order < 2; order++) {
        reset();
        recipients = list[order];
        test_js_recipients_hash(ves_bytes_str(canonical), &hash);
        set_hash(true, &hash);
        expect_ok();
        /* Here the version is covered, and so are other members. */
        recipients = list[order];
        set_hash(true, &hash);
        test_env_set("ves_version", "2");
        expect_bad_hash();
        recipients =
            "[" RECIPIENT("1", ENC, WRAPJS) "," RECIPIENT("2", ENC, WRAPJS) "]";
        set_hash(true, &hash);
        expect_bad_hash();
    }
}

/* payload_encrypted is bounded like a payload. */
static void test_payload_size(void **state)
{
    (void)state;
    char *text = malloc(VES_PAYLOAD_MAX + 3);
    assert_non_null(text);
    memset(text, 'A', VES_PAYLOAD_MAX + 2);
    text[0] = text[VES_PAYLOAD_MAX + 1] = '"';
    text[VES_PAYLOAD_MAX + 2] = '\0';
    reset();
    ciphertext = text;
    expect_bad("");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rust_layout),
        cmocka_unit_test(test_rust_hash_covers),
        cmocka_unit_test(test_structure),
        cmocka_unit_test(test_algorithms),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_recipients),
        cmocka_unit_test(test_many_recipients),
        cmocka_unit_test(test_in_a_log),
        cmocka_unit_test(test_js_layout),
        cmocka_unit_test(test_payload_size),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_env_set_up, test_env_tear_down);
}
