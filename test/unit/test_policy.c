/* test_policy.c -- policies: reading, quorums, and what a checkpoint is worth.
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
#include "core/cosign.h"
#include "core/policy.h"
#include "test/lib/test_log.h"

enum { WITNESSES = 8 };

static struct test_log golden;
static struct ves_policy policy;
static struct {
    char name[16];
    struct ves_note_key key;
    struct ves_secret_key secret;
    char vkey[96];
} witness[WITNESSES];

static int set_up(void **state)
{
    (void)state;
    struct ves_buf buf;

    test_log_open(&golden);
    test_log_grow(&golden, 20);
    test_log_buf(&buf);
    for (size_t i = 0; i < WITNESSES; i++) {
        uint8_t seed[VES_SEED_SIZE] = {(uint8_t)i, 1};
        struct ves_public_key key;
        snprintf(witness[i].name, sizeof(witness[i].name), "w%zu.example", i);
        ves_ed25519_keypair(seed, &witness[i].secret, &key);
        ves_note_key_init(&witness[i].key, ves_bytes_str(witness[i].name),
                          VES_NOTE_COSIGNATURE, &key);
        ves_buf_reset(&buf);
        ves_note_key_write(&buf, &witness[i].key);
        snprintf(witness[i].vkey, sizeof(witness[i].vkey), "%s",
                 test_log_str(&buf));
    }
    ves_buf_free(&buf);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_log_close(&golden);
    return 0;
}

/* A policy's text: "$L" is the log's key, "$0" to "$7" a witness's. */
static char text[16384];

static struct ves_bytes expand(const char *template)
{
    struct ves_bytes log = test_log_text(&golden, "log_vkey");
    size_t at = 0;
    for (const char *p = template; *p; p++) {
        const char *put = p;
        size_t len = 1;
        if (*p == '$' && p[1] == 'L') {
            put = (const char *)log.ptr;
            len = log.len;
            p++;
        } else if (*p == '$') {
            put = witness[*++p - '0'].vkey;
            len = strlen(put);
        }
        assert_true(at + len < sizeof(text));
        memcpy(text + at, put, len);
        at += len;
    }
    return ves_bytes(text, at);
}

static enum ves_status read(const char *template, struct ves_error *error)
{
    return ves_policy_read(expand(template), &policy, error);
}

static void test_of_the_specification(void **state)
{
    (void)state;
    assert_int_equal(read("# who we trust\n"
                          "log $L https://log.example/\n\n"
                          "witness X1 $0\nwitness\tX2 \t $1  https://x2/ \n"
                          "  witness X3 $2\n"
                          "group X-witnesses 2 X1 X2 X3\n"
                          "witness Y1 $3\nwitness Y2 $4\nwitness Y3 $5\n"
                          "group Y-witnesses any Y1 Y2 Y3\n"
                          "group X-and-Y all X-witnesses Y-witnesses\n"
                          " \t \n\t# that is all\nquorum X-and-Y\n",
                          NULL),
                     VES_OK);
    assert_int_equal(policy.log_count, 1);
    assert_int_equal(policy.witness_count, 6);
    assert_int_equal(policy.group_count, 3);
    assert_true(ves_bytes_is(policy.logs[0].url, "https://log.example/"));
    assert_true(ves_bytes_is(policy.witnesses[1].url, "https://x2/"));
    for (uint64_t set = 0; set < 64; set++) {
        int x = __builtin_popcountll(set & 7);
        int y = __builtin_popcountll(set >> 3);
        assert_true(ves_policy_is_met(&policy, set) == (x >= 2 && y >= 1));
    }
}

static void test_quorums(void **state)
{
    (void)state;
    assert_int_equal(read("quorum none\n", NULL), VES_OK);
    assert_true(ves_policy_is_met(&policy, 0));
    assert_int_equal(read("witness a $0\nwitness b $1\nquorum b\n", NULL),
                     VES_OK);
    assert_false(ves_policy_is_met(&policy, 1));
    assert_true(ves_policy_is_met(&policy, 2));
    /* Bytes beyond ASCII are names like any other; a witness and a log may be
     * one key. */
    assert_int_equal(
        read("witness \xFF $0\ngroup \xC3\xA4 all \xFF\nquorum \xC3\xA4\n",
             NULL),
        VES_OK);
    assert_true(ves_policy_is_met(&policy, 1));
    assert_int_equal(
        read("witness a $0\ngroup none2 1 a\nquorum none2\n", NULL), VES_OK);
}

static void test_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *says;
    } cases[] = {
        {"", "no quorum"},
        {"# quorum none\n", "no quorum"},
        {"quorum none", "line 1"},
        {"quorum none\nquorum none\n", "line 2"},
        {"quorum\n", "line 1"},
        {"quorum a\n", "a"},
        {"quorum none x\n", "one name"},
        {"quorum w\nwitness w $0\n", "line 1"},
        {"log\nquorum none\n", "line 1"},
        {"log $0\nquorum none\n", "cosigner"},
        {"log $L a b\nquorum none\n", "URL"},
        {"log $L\nlog $L\nquorum none\n", "line 2"},
        {"witness\nquorum none\n", "name is missing"},
        {"witness none $0\nquorum none\n", "taken"},
        {"witness w $L\nquorum none\n", "type 4"},
        {"witness w $0\nwitness w $1\nquorum w\n", "line 2"},
        {"witness v $0\nwitness w $0\nquorum w\n", "this key"},
        {"witness w\nquorum w\n", "line 1"},
        {"witness w $0 u v\nquorum w\n", "URL"},
        {"group g all\nquorum g\n", "at least one member"},
        {"group g\nquorum g\n", "line 1"},
        {"group g all g\nquorum g\n", "stands above"},
        {"group g all none\nquorum g\n", "stands above"},
        {"witness w $0\ngroup w all w\nquorum w\n", "taken"},
        {"witness w $0\ngroup g 0 w\nquorum g\n", "1 to"},
        {"witness w $0\ngroup g 2 w\nquorum g\n", "1 to"},
        {"witness w $0\ngroup g 01 w\nquorum g\n", "1 to"},
        {"witness w $0\ngroup g +1 w\nquorum g\n", "1 to"},
        {"witness w $0\ngroup g ALL w\nquorum g\n", "1 to"},
        {"witness w $0\ngroup g 1 w w\nquorum g\n", "once"},
        {"witness w $0\ngroup g 1 w\ngroup h 1 w\nquorum g\n", "line 3"},
        {"quorum none\r\n", "control"},
        {"#\v\nquorum none\n", "control"},
        {"#\x7F\nquorum none\n", "control"},
        {"Quorum none\n", "line 1"},
        {"quorum none\nnonsense\n", "line 2"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct ves_error error = {.status = VES_OK};
        enum ves_status status = read(cases[i].text, &error);
        if (status != VES_MALFORMED || error.status != status ||
            !strstr(error.text, cases[i].says))
            fail_msg("policy %zu: %s: %s", i, ves_status_name(status),
                     error.text);
    }
    struct ves_error error;
    assert_int_equal(
        read("witness w pq.example+00000000+BgAA\nquorum w\n", &error),
        VES_UNSUPPORTED);
    assert_non_null(strstr(error.text, "line 1"));
    assert_int_equal(
        ves_policy_read(ves_bytes_str("log nonsense\n"), &policy, NULL),
        VES_MALFORMED);
}

/* Sixty-four of each fit, and one more does not. */
static void test_limits(void **state)
{
    (void)state;
    struct ves_buf buf;

    test_log_buf(&buf);
    for (size_t n = 64; n <= 65; n++) {
        ves_buf_reset(&buf);
        for (size_t i = 0; i < n; i++) {
            uint8_t seed[VES_SEED_SIZE] = {(uint8_t)i, 2};
            struct ves_secret_key secret;
            struct ves_public_key key;
            struct ves_note_key note_key;
            ves_ed25519_keypair(seed, &secret, &key);
            ves_note_key_init(&note_key, ves_bytes_str("n"),
                              VES_NOTE_COSIGNATURE, &key);
            ves_buf_putf(&buf, "witness w%zu ", i);
            ves_note_key_write(&buf, &note_key);
            ves_buf_put_u8(&buf, '\n');
        }
        ves_buf_put_str(&buf, "group g all");
        for (size_t i = 0; i < n; i++)
            ves_buf_putf(&buf, " w%zu", i);
        ves_buf_put_str(&buf, "\nquorum g\n");
        assert_int_equal(ves_policy_read(ves_buf_view(&buf), &policy, NULL),
                         n == 64 ? VES_OK : VES_LIMIT);
        if (n > 64)
            break;
        assert_true(ves_policy_is_met(&policy, UINT64_MAX));
        assert_false(ves_policy_is_met(&policy, UINT64_MAX >> 1));
    }
    ves_buf_free(&buf);
}

static void cosign(struct ves_buf *buf, size_t i, uint64_t time_s)
{
    static struct ves_note note;
    char copy[VES_CHECKPOINT_TEXT_MAX];
    assert_int_equal(ves_note_read(ves_buf_view(buf), &note, NULL), VES_OK);
    size_t len = note.text.len;
    memcpy(copy, note.text.ptr, len);
    ves_cosign(buf, ves_bytes(copy, len), time_s, &witness[i].key,
               &witness[i].secret);
}

static void check(struct ves_buf *buf, struct ves_policy_verdict *verdict)
{
    static struct ves_note note;
    struct ves_checkpoint checkpoint;
    assert_int_equal(ves_note_read(ves_buf_view(buf), &note, NULL), VES_OK);
    assert_int_equal(ves_checkpoint_read(note.text, &checkpoint, NULL), VES_OK);
    ves_policy_check(&policy, &note, &checkpoint, verdict);
}

static void test_verdict(void **state)
{
    (void)state;
    struct ves_policy_verdict verdict;
    struct ves_buf buf;

    assert_int_equal(read("log $L\nwitness a $0\nwitness b $1\nwitness c $2\n"
                          "group g 2 a b c\nquorum g\n",
                          NULL),
                     VES_OK);
    test_log_buf(&buf);
    test_log_checkpoint(&golden, &buf, 7);
    check(&buf, &verdict);
    assert_int_equal(verdict.log, 0);
    assert_false(verdict.is_met || verdict.has_bad);
    cosign(&buf, 0, 100);
    cosign(&buf, 5, 50); /* not in the policy */
    check(&buf, &verdict);
    assert_int_equal(verdict.witness_count, 1);
    assert_false(verdict.is_met);
    cosign(&buf, 1, 300);
    cosign(&buf, 2, 200);
    check(&buf, &verdict);
    assert_true(verdict.is_met);
    assert_int_equal(verdict.witnesses, 7);
    /* The second of three is what makes the quorum, from either side. */
    assert_int_equal(verdict.witnessed_at, 200);
    assert_int_equal(verdict.fresh_at, 200);
    cosign(&buf, 0, 400);
    check(&buf, &verdict);
    assert_int_equal(verdict.witnessed_at, 200);
    assert_int_equal(verdict.fresh_at, 300);

    /* One known witness's wrong line makes all of it worthless. */
    ves_note_line_write(&buf, &witness[2].key,
                        "0123456789012345678901234567890123456789"
                        "01234567890123456789012345678901",
                        72);
    check(&buf, &verdict);
    assert_true(verdict.has_bad);
    assert_false(verdict.is_met);
    assert_true(ves_bytes_is(verdict.bad, witness[2].name));
    ves_buf_free(&buf);
}

/* The log's name must be the origin: a log cannot speak for another. */
static void test_other_origin(void **state)
{
    (void)state;
    struct ves_policy_verdict verdict;
    struct ves_buf text_of, buf;
    struct ves_checkpoint checkpoint = {
        ves_bytes_str("other.example"), 7, {{0}}};

    assert_int_equal(read("log $L\nquorum none\n", NULL), VES_OK);
    test_log_buf(&text_of);
    test_log_buf(&buf);
    ves_checkpoint_write(&text_of, &checkpoint);
    ves_buf_put_bytes(&buf, ves_buf_view(&text_of));
    ves_buf_put_u8(&buf, '\n');
    ves_note_sign(&buf, ves_buf_view(&text_of), &golden.log_key,
                  &golden.log_secret);
    check(&buf, &verdict);
    assert_int_equal(verdict.log, VES_POLICY_NONE);
    assert_false(verdict.has_bad);
    ves_buf_free(&text_of);
    ves_buf_free(&buf);
}

/* Against every size and time there could be. */
static void test_reach(void **state)
{
    uint64_t seed = 7;

    (void)state;
    assert_int_equal(read("witness a $0\nwitness b $1\nwitness c $2\n"
                          "witness d $3\ngroup ab all a b\n"
                          "group any2 2 ab c d\nquorum any2\n",
                          NULL),
                     VES_OK);
    for (int round = 0; round < 2000; round++) {
        struct ves_policy_word words[VES_POLICY_ITEMS_MAX] = {{0, 0}};
        struct ves_policy_reach got;
        uint64_t size = 0, fresh = 0;
        for (size_t i = 0; i < 4; i++) {
            seed = seed * UINT64_C(6364136223846793005) + 1;
            words[i].size = (seed >> 40) % 6;
            words[i].time_s = words[i].size ? 1 + (seed >> 50) % 6 : 0;
        }
        for (uint64_t s = 1; s < 6; s++) {
            uint64_t who = 0;
            for (size_t i = 0; i < 4; i++)
                who |= (uint64_t)(words[i].size >= s) << i;
            if (ves_policy_is_met(&policy, who))
                size = s;
        }
        for (uint64_t t = 1; size > 0 && t < 8; t++) {
            uint64_t who = 0;
            for (size_t i = 0; i < 4; i++)
                who |= (uint64_t)(words[i].size >= size && words[i].time_s >= t)
                       << i;
            if (ves_policy_is_met(&policy, who))
                fresh = t;
        }
        ves_policy_reach(&policy, words, &got);
        assert_int_equal(got.size, size);
        assert_int_equal(got.fresh_at, fresh);
    }
    assert_int_equal(read("quorum none\n", NULL), VES_OK);
    struct ves_policy_word none = {0, 0};
    struct ves_policy_reach got;
    ves_policy_reach(&policy, &none, &got);
    assert_true(got.size == UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_the_specification),
        cmocka_unit_test(test_quorums),
        cmocka_unit_test(test_wrong),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_verdict),
        cmocka_unit_test(test_reach),
        cmocka_unit_test(test_other_origin),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
