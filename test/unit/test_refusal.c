/* test_refusal.c -- reasons, and what a refusal signature covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "core/refusal.h"
#include "crypto/crypto.h"
#include "test/lib/test_envelope.h"

static void test_refusals(void **state)
{
    (void)state;
    struct ves_refusal r;
    static char longer[1000];
    memset(longer, 'a', sizeof(longer) - 1);

    assert_int_equal(ves_refuse(&r, VES_REFUSAL_KEY_REVOKED, NULL, "%d", 7),
                     VES_REFUSED);
    assert_string_equal(r.reason,
                        "agent_key_invalid: Agent key has been revoked");
    assert_string_equal(r.message, "7");
    assert_false(r.has_event_id);
    ves_refuse(&r, VES_REFUSAL_VERSION_CONFLICT, "expected 2, actual 3", "x");
    assert_string_equal(r.reason, "version_conflict: expected 2, actual 3");
    assert_string_equal(ves_refusal_reason(VES_REFUSAL_INCOMPLETE_GROUP),
                        "incomplete_group");
    assert_string_equal(ves_refusal_reason(VES_REFUSAL_NONE), "");

    /* Cut whole characters only: 255 bytes hold an odd number of them. */
    for (size_t i = 0; i + 1 < sizeof(longer); i += 2)
        memcpy(longer + i, "\xc3\xa9", 2);
    longer[998] = '\0';
    ves_refuse(&r, VES_REFUSAL_SCHEMA_VALIDATION, longer, "%s", longer);
    assert_int_equal(strlen(r.message), 254);
    assert_int_equal(strlen(r.reason), 255);
    assert_memory_equal(r.reason + 253, "\xc3\xa9", 3);
}

/* semantics.md decision 5, preimage written out. */
static void test_refusal_hash(void **state)
{
    (void)state;
    struct ves_stream stream = {{{1}}, {{2}}};
    struct ves_hash hash, expected, part;
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    ves_buf_put(&buf, "VES_STREAM_V1", 13);
    ves_buf_put(&buf, &stream, 32);
    ves_sha256_one(buf.ptr, buf.len, &part);
    ves_buf_reset(&buf);
    ves_buf_put(&buf, "VES_REFUSAL_V1", 14);
    ves_buf_put(&buf, part.b, 32);
    ves_sha256_one("{}", 2, &part);
    ves_buf_put(&buf, part.b, 32);
    ves_buf_put(&buf, "\0\0\0\3bad", 7);
    ves_sha256_one(buf.ptr, buf.len, &expected);
    ves_refusal_hash(&stream, ves_bytes_str("{}"), ves_bytes_str("bad"), &hash);
    assert_memory_equal(hash.b, expected.b, 32);
    ves_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusal_hash),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, test_env_set_up, test_env_tear_down);
}
