/* test_envelope.c -- an envelope as a list of members that a test changes. */
#include "test/lib/test_envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

struct ves_arena test_arena;
struct ves_refusal test_refusal;

int test_env_set_up(void **state)
{
    (void)state;
    ves_arena_init(&test_arena, ves_alloc_default(), 64 << 20);
    return ves_crypto_init() == VES_OK ? 0 : -1;
}

int test_env_tear_down(void **state)
{
    (void)state;
    ves_arena_free(&test_arena);
    return 0;
}

/* An envelope as a list of members, so that a test can change one. */
struct member {
    const char *name;
    const char *value; /* JSON; NULL leaves the member out */
};

enum { MEMBER_COUNT = 22, TEXT_MAX = 3 * 1024 * 1024 };

static struct member members[MEMBER_COUNT];
static char text[TEXT_MAX];

void test_env_reset(void)
{
    static const struct member good[MEMBER_COUNT] = {
        {"ves_version", "2"},
        {"event_id", "\"" EVENT "\""},
        {"tenant_id", "\"64527dd3-a654-4410-9327-e58a1492ce77\""},
        {"store_id", "\"91def158-819a-4461-b5c9-7759750ad157\""},
        {"source_agent_id", "\"80441726-74e2-430a-95ae-97ce21c6351b\""},
        {"agent_key_id", "1"},
        {"entity_type", "\"order\""},
        {"entity_id", "\"ORD-001\""},
        {"event_type", "\"order.created\""},
        {"created_at", "\"2025-12-20T17:51:10.243Z\""},
        {"payload_kind", "0"},
        {"payload", "{\"b\":1,\"a\":[1.0,\"\\u00e9\"]}"},
        {"payload_encrypted", NULL},
        {"payload_plain_hash", NULL}, /* computed */
        {"payload_cipher_hash", "\"" ZERO "\""},
        {"agent_signature", NULL}, /* computed */
        {"agent_signature_scheme", NULL},
        {"agent_signature_bundle", NULL},
        {"command_id", NULL},
        {"base_version", NULL},
        {"sequence_number", NULL},
        {"sequenced_at", NULL},
    };
    memcpy(members, good, sizeof(members));
}

void test_env_set(const char *name, const char *value)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (strcmp(members[i].name, name) == 0) {
            members[i].value = value;
            return;
        }
    }
    fail_msg("no member %s", name);
}

const char *test_env_get(const char *name)
{
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (strcmp(members[i].name, name) == 0)
            return members[i].value;
    }
    return NULL;
}

/* Fills payload_plain_hash and agent_signature where the test did not. */
void test_env_fill(void)
{
    static char hash_text[80], sig_text[160];
    char hex[2 * VES_HASH_SIZE + 1];

    if (!test_env_get("agent_signature")) {
        memset(sig_text, '7', sizeof(sig_text));
        memcpy(sig_text, "\"0x", 3);
        memcpy(sig_text + 3 + 128, "\"", 2);
        test_env_set("agent_signature", sig_text);
    }
    if (test_env_get("payload_plain_hash") || !test_env_get("payload"))
        return;
    struct ves_buf buf;
    struct ves_hash hash;
    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(
        ves_jcs_write(&buf, &test_arena,
                      test_json(&test_arena, test_env_get("payload"))),
        VES_OK);
    ves_payload_plain_hash(ves_buf_view(&buf), NULL, &hash);
    ves_buf_free(&buf);
    for (size_t i = 0; i < VES_HASH_SIZE; i++)
        snprintf(hex + 2 * i, 3, "%02x", hash.b[i]);
    snprintf(hash_text, sizeof(hash_text), "\"0x%s\"", hex);
    test_env_set("payload_plain_hash", hash_text);
}

struct ves_bytes test_env_text(void)
{
    size_t len = 0;
    test_env_fill();
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (!members[i].value)
            continue;
        len += (size_t)snprintf(text + len, TEXT_MAX - len, "%c\"%s\":%s",
                                len ? ',' : '{', members[i].name,
                                members[i].value);
        assert_true(len < TEXT_MAX - 2);
    }
    text[len++] = '}';
    return ves_bytes(text, len);
}

/* Reads and checks the envelope as it is set. */
enum ves_status test_env_take(struct ves_event *event)
{
    memset(&test_refusal, 0x5a, sizeof(test_refusal));
    enum ves_status status =
        ves_event_read(&test_arena, test_env_text(), event, &test_refusal);
    if (status == VES_OK)
        status = ves_event_check(&test_arena, event, &test_refusal);
    return status;
}

void test_env_expect_ok(void)
{
    struct ves_event event;
    if (test_env_take(&event))
        fail_msg("%s (%s)", test_refusal.reason, test_refusal.message);
    test_env_reset();
}

void test_env_expect_refused(enum ves_refusal_code code, const char *reason)
{
    struct ves_event event;
    assert_int_equal(test_env_take(&event), VES_REFUSED);
    assert_string_equal(test_refusal.reason, reason);
    assert_int_equal(test_refusal.code, code);
    assert_true(strlen(test_refusal.message) > 10);
    test_env_reset();
}

void test_env_expect_bad(const char *name, const char *value)
{
    char reason[300];
    test_env_set(name, value);
    snprintf(reason, sizeof(reason), "schema_validation: %s", name);
    test_env_expect_refused(VES_REFUSAL_SCHEMA_VALIDATION, reason);
}
