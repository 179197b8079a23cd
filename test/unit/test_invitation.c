/* test_invitation.c -- one spelling, everything else refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/invitation.h"

static struct ves_arena arena;
static struct ves_error error;
static struct ves_secret_key owner;

static void fill(void *out, size_t len, uint8_t value)
{
    memset(out, value, len);
}

static void make_key(uint8_t seed, struct ves_public_key *out)
{
    struct ves_secret_key secret;
    uint8_t bytes[VES_SEED_SIZE];
    fill(bytes, sizeof(bytes), seed);
    ves_ed25519_keypair(bytes, &secret, out);
}

static void sign(struct ves_invitation *invitation)
{
    struct ves_hash hash;
    ves_invitation_hash(invitation, &hash);
    ves_ed25519_sign(&owner, ves_bytes(hash.b, VES_HASH_SIZE),
                     &invitation->owner_signature);
}

static struct ves_invitation good(void)
{
    struct ves_invitation invitation;
    memset(&invitation, 0, sizeof(invitation));
    invitation.url = ves_bytes_str("https://sync.example:8443/ves");
    fill(invitation.stream.tenant.b, VES_UUID_SIZE, 0x11);
    fill(invitation.stream.store.b, VES_UUID_SIZE, 0x22);
    fill(invitation.sequencer_id.b, VES_UUID_SIZE, 0x33);
    fill(invitation.invitation_id.b, VES_UUID_SIZE, 0xAB);
    invitation.sequencer_key_count = 2;
    invitation.sequencer_keys[0].version = 1;
    make_key(1, &invitation.sequencer_keys[0].public_key);
    invitation.sequencer_keys[1].version = 4;
    make_key(2, &invitation.sequencer_keys[1].public_key);
    invitation.has_tls_key = true;
    fill(invitation.tls_key.b, VES_HASH_SIZE, 0xCD);
    uint8_t seed[VES_SEED_SIZE];
    fill(seed, sizeof(seed), 3);
    ves_ed25519_keypair(seed, &owner, &invitation.owner_key);
    fill(invitation.seed, VES_SEED_SIZE, 0xEF);
    make_key(0xEF, &invitation.public_key);
    invitation.rights = 3;
    invitation.expires_ms = 1790000000000;
    sign(&invitation);
    return invitation;
}

/* The text, NUL-terminated; free it. */
static char *write_text(const struct ves_invitation *invitation)
{
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), VES_INVITATION_MAX);
    assert_int_equal(
        ves_invitation_write(&buf, ves_alloc_default(), invitation), VES_OK);
    char *text = calloc(1, buf.len + 1);
    assert_non_null(text);
    memcpy(text, buf.ptr, buf.len);
    ves_buf_free(&buf);
    return text;
}

static enum ves_status read_text(const char *text, struct ves_invitation *out)
{
    memset(&error, 0, sizeof(error));
    ves_arena_reset(&arena);
    enum ves_status status =
        ves_invitation_read(&arena, ves_bytes_str(text), out, &error);
    assert_int_equal(error.status, status);
    return status;
}

static char *decode(const char *text)
{
    size_t len = VES_INVITATION_MAX;
    char *json = calloc(1, len + 1);
    assert_non_null(json);
    assert_int_equal(
        ves_b64u_decode(ves_bytes_str(text + 5), (uint8_t *)json, &len),
        VES_OK);
    json[len] = '\0';
    return json;
}

static char *encode(const char *json)
{
    size_t len = strlen(json);
    char *text = calloc(1, 5 + ves_b64u_len(len) + 1);
    assert_non_null(text);
    memcpy(text, "ves1.", 5);
    ves_b64u_encode((const uint8_t *)json, len, text + 5);
    return text;
}

/* The good invitation's JSON with one piece of text replaced. */
static char *replaced(const char *from, const char *to)
{
    struct ves_invitation invitation = good();
    char *text = write_text(&invitation);
    char *json = decode(text);
    char *at = strstr(json, from);
    assert_non_null(at);
    char *changed = calloc(1, strlen(json) + strlen(to) + 1);
    assert_non_null(changed);
    memcpy(changed, json, (size_t)(at - json));
    memcpy(changed + (at - json), to, strlen(to));
    memcpy(changed + (at - json) + strlen(to), at + strlen(from),
           strlen(at + strlen(from)));
    free(text);
    text = encode(changed);
    free(json);
    free(changed);
    return text;
}

static void expect_replaced(const char *from, const char *to,
                            enum ves_status status)
{
    struct ves_invitation out;
    char *text = replaced(from, to);
    assert_int_equal(read_text(text, &out), status);
    assert_true(strlen(error.text) > 0);
    free(text);
}

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    return ves_crypto_init() != VES_OK;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    for (int has_tls = 0; has_tls < 2; has_tls++) {
        struct ves_invitation in = good(), out;
        in.has_tls_key = has_tls;
        if (!has_tls)
            memset(&in.tls_key, 0, sizeof(in.tls_key));
        char *text = write_text(&in);
        assert_int_equal(read_text(text, &out), VES_OK);
        assert_true(ves_bytes_equal(out.url, in.url));
        out.url = in.url;
        char *again = write_text(&out);
        assert_string_equal(again, text);
        assert_memory_equal(&out.stream, &in.stream, sizeof(in.stream));
        assert_memory_equal(out.sequencer_keys, in.sequencer_keys,
                            sizeof(in.sequencer_keys));
        assert_int_equal(out.sequencer_key_count, 2);
        assert_int_equal(out.has_tls_key, has_tls);
        assert_memory_equal(&out.tls_key, &in.tls_key, sizeof(in.tls_key));
        assert_memory_equal(&out.owner_key, &in.owner_key, VES_KEY_SIZE);
        assert_memory_equal(&out.public_key, &in.public_key, VES_KEY_SIZE);
        assert_memory_equal(out.seed, in.seed, VES_SEED_SIZE);
        assert_memory_equal(&out.invitation_id, &in.invitation_id,
                            VES_UUID_SIZE);
        assert_memory_equal(&out.sequencer_id, &in.sequencer_id, VES_UUID_SIZE);
        assert_int_equal(out.rights, 3);
        assert_int_equal(out.expires_ms, 1790000000000);
        free(text);
        free(again);
    }
}

/* The header's preimages, put together by hand, hashed by EVP. */
static void hashes_are_those_of_the_header(void **state)
{
    struct ves_invitation in = good();
    uint8_t preimage[256];
    uint8_t expected[VES_HASH_SIZE];
    struct ves_hash hash;
    unsigned size;
    (void)state;

    memcpy(preimage, "VES_INVITATION_V1", 17);
    memcpy(preimage + 17, in.stream.tenant.b, 16);
    memcpy(preimage + 33, in.stream.store.b, 16);
    memcpy(preimage + 49, in.invitation_id.b, 16);
    memcpy(preimage + 65, in.public_key.b, 32);
    memcpy(preimage + 97, "\0\0\0\3", 4);
    /* 1790000000000 is 0x1a0c4506c00. */
    memcpy(preimage + 101, "\0\0\x01\xa0\xc4\x50\x6c\0", 8);
    assert_int_equal(
        EVP_Digest(preimage, 109, expected, &size, EVP_sha256(), NULL), 1);
    ves_invitation_hash(&in, &hash);
    assert_memory_equal(hash.b, expected, VES_HASH_SIZE);

    struct ves_uuid agent;
    fill(agent.b, VES_UUID_SIZE, 0x77);
    memcpy(preimage, "VES_REDEEM_V1", 13);
    memcpy(preimage + 13, in.stream.tenant.b, 16);
    memcpy(preimage + 29, in.stream.store.b, 16);
    memcpy(preimage + 45, in.invitation_id.b, 16);
    memcpy(preimage + 61, agent.b, 16);
    memcpy(preimage + 77, "\1\2\3\4", 4);
    memcpy(preimage + 81, in.owner_key.b, 32);
    assert_int_equal(
        EVP_Digest(preimage, 113, expected, &size, EVP_sha256(), NULL), 1);
    ves_redeem_hash(&in.stream, &in.invitation_id, &agent, 0x01020304,
                    &in.owner_key, NULL, NULL, &hash);
    assert_memory_equal(hash.b, expected, VES_HASH_SIZE);

    uint8_t nonce[VES_REDEEM_NONCE_SIZE];
    fill(nonce, sizeof(nonce), 0x55);
    preimage[12] = '2';
    memcpy(preimage + 113, nonce, sizeof(nonce));
    assert_int_equal(
        EVP_Digest(preimage, 129, expected, &size, EVP_sha256(), NULL), 1);
    ves_redeem_hash(&in.stream, &in.invitation_id, &agent, 0x01020304,
                    &in.owner_key, nonce, NULL, &hash);
    assert_memory_equal(hash.b, expected, VES_HASH_SIZE);
}

/* Is everything the owner signed as in the original? */
static bool has_signed_values_of(const struct ves_invitation *out,
                                 const struct ves_invitation *in)
{
    return memcmp(&out->stream, &in->stream, sizeof(in->stream)) == 0 &&
           ves_uuid_equal(&out->invitation_id, &in->invitation_id) &&
           memcmp(&out->public_key, &in->public_key, VES_KEY_SIZE) == 0 &&
           memcmp(&out->owner_key, &in->owner_key, VES_KEY_SIZE) == 0 &&
           out->rights == in->rights && out->expires_ms == in->expires_ms;
}

/* url, tls key and sequencer are not under the signature: whoever can alter
 * the string has the secret anyway. */
static void changes_of_a_character_do_not_touch_what_is_signed(void **state)
{
    struct ves_invitation in = good(), out;
    static const struct ves_invitation wiped;
    (void)state;
    char *text = write_text(&in);
    size_t len = strlen(text);
    size_t refused = 0;
    for (size_t i = 0; i < len; i++) {
        char kept = text[i];
        for (int step = 0; step < 2; step++) {
            text[i] = step ? (kept == 'A' ? 'B' : 'A') : '=';
            if (read_text(text, &out) == VES_OK) {
                assert_true(has_signed_values_of(&out, &in));
                continue;
            }
            refused++;
            assert_memory_equal(&out, &wiped, sizeof(out));
            assert_null(strstr(error.text, "efef"));
        }
        text[i] = kept;
    }
    assert_int_equal(read_text(text, &out), VES_OK);
    assert_true(refused > len);

    for (size_t cut = 0; cut < len; cut++) {
        char kept = text[cut];
        text[cut] = '\0';
        assert_int_not_equal(read_text(text, &out), VES_OK);
        text[cut] = kept;
    }
    free(text);
}

static void other_spellings_are_malformed(void **state)
{
    (void)state;
    expect_replaced("{", "{ ", VES_MALFORMED);
    expect_replaced("\"v\":1}", "\"v\":1.0}", VES_MALFORMED);
    expect_replaced("\"v\":1}", "\"v\":1,\"w\":2}", VES_MALFORMED);
    expect_replaced("\"v\":1}", "\"v\":1}\n", VES_MALFORMED);
    expect_replaced("\"expires\":1790000000000",
                    "\"a\":null,\"expires\":1790000000000", VES_MALFORMED);
    expect_replaced("cdcdcd", "CDcdcd", VES_MALFORMED);
    expect_replaced("abababab-", "ABababab-", VES_MALFORMED);
    expect_replaced("\"tlsKey\":\"", "\"tlsKey\":\"0x", VES_MALFORMED);
    expect_replaced("https:", "\\u0068ttps:", VES_MALFORMED);
    expect_replaced("\"v\":1}", "\"v\":1,\"v\":1}", VES_MALFORMED);
    expect_replaced("\"version\":1", "\"version\":1,\"x\":1", VES_MALFORMED);
}

static void bad_values_are_malformed(void **state)
{
    static const char *const names[] = {"\"expires\":1790000000000",
                                        "\"invitationId\"",
                                        "\"ownerKey\"",
                                        "\"ownerSignature\"",
                                        "\"rights\"",
                                        "\"secret\"",
                                        "\"sequencerId\"",
                                        "\"sequencerKeys\"",
                                        "\"store\"",
                                        "\"tenant\"",
                                        "\"url\"",
                                        "\"v\"",
                                        "\"publicKey\"",
                                        "\"version\""};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char other[64];
        (void)snprintf(other, sizeof(other), "\"x%s", names[i] + 1);
        expect_replaced(names[i], other, VES_MALFORMED);
    }
    expect_replaced("\"rights\":3", "\"rights\":0", VES_MALFORMED);
    expect_replaced("\"rights\":3", "\"rights\":8", VES_MALFORMED);
    expect_replaced("\"rights\":3", "\"rights\":4294967299", VES_MALFORMED);
    expect_replaced("1790000000000", "0", VES_MALFORMED);
    expect_replaced("1790000000000", "-1", VES_MALFORMED);
    expect_replaced("1790000000000", "9007199254740993", VES_MALFORMED);
    expect_replaced("\"version\":1", "\"version\":0", VES_MALFORMED);
    expect_replaced("\"version\":1", "\"version\":4", VES_MALFORMED);
    expect_replaced("https://sync.example:8443/ves", "ftp://x", VES_MALFORMED);
    expect_replaced("https://sync.example:8443/ves", "https://", VES_MALFORMED);
    expect_replaced("/ves\"", "/v?s\"", VES_MALFORMED);
    expect_replaced("/ves\"", "/v s\"", VES_MALFORMED);
    expect_replaced("/ves\"", "/v\xc3\xa9s\"", VES_MALFORMED);
    expect_replaced("22222222-2222-2222-2222-222222222222",
                    "00000000-0000-0000-0000-000000000000", VES_MALFORMED);
}

static void other_versions_are_unsupported(void **state)
{
    struct ves_invitation out;
    (void)state;
    expect_replaced("\"v\":1}", "\"v\":2}", VES_UNSUPPORTED);
    assert_int_equal(read_text("ves2.AAAA", &out), VES_UNSUPPORTED);
    assert_int_equal(read_text("ves1.", &out), VES_MALFORMED);
    assert_int_equal(read_text("", &out), VES_MALFORMED);
    assert_int_equal(read_text("hello", &out), VES_MALFORMED);
    assert_int_equal(read_text("ves1.e30", &out), VES_MALFORMED); /* {} */
    assert_int_equal(read_text("ves1.W10", &out), VES_MALFORMED); /* [] */
}

static void white_space_and_length(void **state)
{
    struct ves_invitation in = good(), out;
    (void)state;
    char *text = write_text(&in);
    size_t len = strlen(text);
    char *longer = calloc(1, VES_INVITATION_MAX + 2);
    assert_non_null(longer);
    memcpy(longer, text, len);
    longer[len] = '\n';
    assert_int_equal(read_text(longer, &out), VES_MALFORMED);
    assert_non_null(strstr(error.text, "white space"));
    memset(longer + len, 'A', VES_INVITATION_MAX + 1 - len);
    assert_int_equal(read_text(longer, &out), VES_LIMIT);
    free(longer);
    free(text);
}

static void wrong_signatures_are_refused(void **state)
{
    struct ves_invitation in, out;
    (void)state;
    /* Signed values, then another value under the old signature. */
    for (int i = 0; i < 6; i++) {
        in = good();
        uint8_t *targets[] = {in.stream.tenant.b, in.stream.store.b,
                              in.invitation_id.b, in.seed};
        if (i < 4)
            targets[i][0] ^= 1;
        else if (i == 4)
            in.rights = 7;
        else
            in.expires_ms++;
        char *text = write_text(&in);
        assert_int_equal(read_text(text, &out), VES_REFUSED);
        free(text);
    }
    in = good();
    make_key(9, &in.owner_key);
    char *text = write_text(&in);
    assert_int_equal(read_text(text, &out), VES_REFUSED);
    free(text);
}

static void writing_checks_content(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        struct ves_invitation in = good();
        struct ves_buf buf;
        switch (i) {
        case 0:
            in.url = ves_bytes_str("localhost");
            break;
        case 1:
            in.url = ves_bytes_str("http://a\"b");
            break;
        case 2:
            in.sequencer_key_count = 0;
            break;
        case 3:
            in.sequencer_keys[1].version = 1;
            break;
        case 4:
            memset(&in.owner_key, 0, VES_KEY_SIZE);
            break;
        case 5:
            in.rights = 0;
            break;
        case 6:
            in.expires_ms = 0;
            break;
        default:
            memset(&in.invitation_id, 0, VES_UUID_SIZE);
            break;
        }
        ves_buf_init(&buf, ves_alloc_default(), VES_INVITATION_MAX);
        assert_int_equal(ves_invitation_write(&buf, ves_alloc_default(), &in),
                         VES_INVALID);
        assert_int_equal(buf.len, 0);
        ves_buf_free(&buf);
    }
}

/* The longest there is fits the limit. */
static void longest_fits(void **state)
{
    struct ves_invitation in = good(), out;
    static char url[2048 + 1];
    (void)state;
    memset(url, 'a', sizeof(url) - 1);
    memcpy(url, "https://", 8);
    in.url = ves_bytes_str(url);
    in.sequencer_key_count = VES_SEQUENCER_KEYS_MAX;
    for (uint32_t i = 0; i < VES_SEQUENCER_KEYS_MAX; i++) {
        in.sequencer_keys[i].version = 0xFFFFFFF0u + i;
        make_key((uint8_t)(i + 1), &in.sequencer_keys[i].public_key);
    }
    in.expires_ms = 9007199254740991;
    sign(&in);
    char *text = write_text(&in);
    assert_int_equal(read_text(text, &out), VES_OK);
    assert_int_equal(out.sequencer_key_count, VES_SEQUENCER_KEYS_MAX);
    free(text);
}

/* Remembers every block the arena ever had. */
struct recorder {
    struct {
        uint8_t *ptr;
        size_t size;
    } blocks[64];
    size_t count;
};

static void *record_realloc(void *ctx, void *ptr, size_t size)
{
    struct recorder *recorder = ctx;
    if (size == 0)
        return NULL; /* freed by the test, which looks at it first */
    assert_null(ptr);
    ptr = malloc(size);
    assert_non_null(ptr);
    assert_in_range(recorder->count, 0, 63);
    recorder->blocks[recorder->count].ptr = ptr;
    recorder->blocks[recorder->count++].size = size;
    return ptr;
}

/* Reads text and looks for the secret, the bytes 0xEF, in all its forms. */
static void expect_no_secret_left(const char *text, enum ves_status expected)
{
    static const char hex[] = "efefefefefefefef";
    const uint8_t seed[16] = {0xEF, 0xEF, 0xEF, 0xEF, 0xEF, 0xEF, 0xEF, 0xEF,
                              0xEF, 0xEF, 0xEF, 0xEF, 0xEF, 0xEF, 0xEF, 0xEF};
    struct recorder recorder = {.count = 0};
    const struct ves_alloc alloc = {record_realloc, &recorder};
    struct ves_invitation out;
    struct ves_arena local;
    ves_arena_init(&local, &alloc, 1 << 20);
    assert_int_equal(
        ves_invitation_read(&local, ves_bytes_str(text), &out, NULL), expected);
    assert_true(recorder.count > 0);
    for (size_t i = 0; i < recorder.count; i++) {
        uint8_t *ptr = recorder.blocks[i].ptr;
        size_t size = recorder.blocks[i].size;
        assert_null(memmem(ptr, size, hex, 16));
        assert_null(memmem(ptr, size, seed, 16));
        /* base64url of "efefef": whatever its phase. */
        assert_null(memmem(ptr, size, "ZWZlZmVm", 8));
        free(ptr);
    }
}

static void the_arena_keeps_no_secret(void **state)
{
    struct ves_invitation in = good();
    (void)state;
    char *text = write_text(&in);
    expect_no_secret_left(text, VES_OK);
    free(text);
    /* A text with an escape would be unescaped into memory of its own. */
    text = replaced("\"secret\":\"e", "\"secret\":\"\\u0065");
    expect_no_secret_left(text, VES_MALFORMED);
    free(text);
    text = replaced("\"rights\":3", "\"rights\":7");
    expect_no_secret_left(text, VES_REFUSED);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(hashes_are_those_of_the_header),
        cmocka_unit_test(changes_of_a_character_do_not_touch_what_is_signed),
        cmocka_unit_test(other_spellings_are_malformed),
        cmocka_unit_test(bad_values_are_malformed),
        cmocka_unit_test(other_versions_are_unsupported),
        cmocka_unit_test(white_space_and_length),
        cmocka_unit_test(wrong_signatures_are_refused),
        cmocka_unit_test(writing_checks_content),
        cmocka_unit_test(longest_fits),
        cmocka_unit_test(the_arena_keeps_no_secret),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("invitation", tests, set_up, tear_down);
}
