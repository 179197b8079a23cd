/* test_ingest.c -- requests that fail as a whole, and what senders are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "test/lib/test_desk.h"
#include "test/lib/test_util.h"

/* ---- failing as a whole -------------------------------------------------- */

static void assert_fails_bytes(struct ves_bytes body, uint32_t http_status,
                               const char *words)
{
    struct ves_ingest ingest;

    assert_int_equal(
        ves_ingest_read(&ingest, ves_alloc_default(), body, &desk.hub.caller),
        VES_OK);
    assert_int_equal(ingest.http_status, http_status);
    if (http_status != 200 && !strstr(ingest.error.text, words))
        fail_msg("\"%s\" does not say \"%s\"", ingest.error.text, words);
    ves_ingest_free(&ingest);
    ves_ingest_free(&ingest); /* twice is harmless */
}

static void assert_fails(const char *body, uint32_t http_status,
                         const char *words)
{
    assert_fails_bytes(ves_bytes_str(body), http_status, words);
}

#define AGENT "\"agentId\":\"01930000-0000-7000-8000-0000000000a3\""

static void test_cannot_be_cut(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *words; /* with the offset, counted by hand from 0 */
    } cases[] = {
        {"", "at byte 0"},
        {"   ", "at byte 3"},
        {"[]", "at byte 0"},
        {"{" AGENT ",\"events\":[{}", "at byte 62"},
        {"{" AGENT ",\"events\":[{]}", "at byte 61"},
        {"{" AGENT ",\"events\":[{} {}]}", "at byte 63"},
        {"{" AGENT ",\"events\":[{},]}", "at byte 63"},
        {"{" AGENT ",\"events\":[,{}]}", "at byte 60"},
        {"{" AGENT ",\"events\":[{}]} x", "at byte 65"},
        {"{" AGENT ",\"events\":[{\"a\":\"b}]}", "at byte 70"},
        {"{" AGENT ",\"events\":{}}", "at byte 59"},
        {"{" AGENT ",\"events\":[{}],\"events\":[{}]}", "twice"},
        {"{" AGENT "," AGENT ",\"events\":[{}]}", "twice"},
        {"{" AGENT ",\"agent_id\":\"01930000-0000-7000-8000-0000000000a3\","
         "\"events\":[{}]}",
         "twice"},
        {"{\"agentId\":\"till 1\",\"events\":[{}]}", "at byte 11"},
        {"{\"agentId\" \"x\",\"events\":[{}]}", "at byte 11"},
        {"{agentId:1}", "at byte 1"},
    };

    /* The offsets above hang on this. */
    assert_int_equal(strlen("{" AGENT ",\"events\":["), 60);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_fails(cases[i].body, 400, cases[i].words);
}

static void test_empty(void **state)
{
    (void)state;

    assert_fails("{" AGENT ",\"events\":[]}", 400, "no events");
    assert_fails("{" AGENT "}", 400, "no events");
    assert_fails("{\"events\":[{}]}", 400, "agentId is missing");
    assert_fails(" { \"agent_id\" : \"01930000-0000-7000-8000-0000000000A3\" "
                 ",\n\"events\" : [ {} , {} ] , \"more\" : { } } ",
                 200, "");
}

static void test_too_much(void **state)
{
    (void)state;
    struct test_request request;

    for (size_t count = 999; count <= 1002; count++) {
        test_request_begin(&request, &desk.hub.agent);
        for (size_t i = 0; i < count; i++)
            test_request_raw(&request, "{}");
        assert_fails_bytes(test_request_end(&request),
                           count <= VES_EVENTS_PER_REQUEST_MAX ? 200 : 413,
                           "1000");
        test_request_free(&request);
    }
    struct ves_buf body;
    ves_buf_init(&body, ves_alloc_default(), VES_BODY_MAX + 64);
    ves_buf_put_str(&body, "{" AGENT ",\"events\":[{}]}");
    while (body.len < VES_BODY_MAX)
        ves_buf_put_u8(&body, ' ');
    assert_fails_bytes(ves_buf_view(&body), 200, "");
    ves_buf_put_u8(&body, ' ');
    assert_fails_bytes(ves_buf_view(&body), 413, "10485760");
    ves_buf_free(&body);
}

/* The first event names a stream; the others must name the same. */
static void test_mixed(void **state)
{
    (void)state;
    struct test_event a = desk_event(1), b = desk_event(2), c = desk_event(3);
    struct test_request request;

    b.fields.stream.store = test_id(0xee);
    test_request_begin(&request, &desk.hub.agent);
    test_request_event(&request, &a, &desk.hub.agent_key);
    test_request_raw(&request, "{\"store_id\":\"?\"}");
    test_request_event(&request, &b, &desk.hub.agent_key);
    assert_fails_bytes(test_request_end(&request), 400,
                       "event 2 is of another");
    test_request_free(&request);

    c.fields.agent = test_id(0xee);
    test_request_begin(&request, &desk.hub.agent);
    test_request_event(&request, &a, &desk.hub.agent_key);
    test_request_event(&request, &c, &desk.hub.agent_key);
    assert_fails_bytes(test_request_end(&request), 400,
                       "source_agent_id of event 1");
    test_request_free(&request);
}

static void test_rights(void **state)
{
    (void)state;
    struct ves_caller *caller = &desk.hub.caller;
    struct ves_caller whole = *caller;
    struct test_event event = desk_event(1);
    struct test_request request;

    test_request_begin(&request, &desk.hub.agent);
    test_request_event(&request, &event, &desk.hub.agent_key);
    struct ves_bytes body = test_request_end(&request);
    assert_fails_bytes(body, 200, "");

    caller->agent = test_id(0xee);
    assert_fails_bytes(body, 403, "Agent mismatch");
    *caller = whole;
    caller->has_agent = false;
    assert_fails_bytes(body, 200, "");
    caller->rights = VES_RIGHT_READ;
    assert_fails_bytes(body, 403, "may not write");
    *caller = whole;
    caller->tenant = test_id(0xee);
    assert_fails_bytes(body, 403, "another tenant");
    *caller = whole;
    caller->store = test_id(0xee);
    assert_fails_bytes(body, 403, "another store");
    caller->has_store = false;
    assert_fails_bytes(body, 200, "");
    caller->tenant = (struct ves_uuid){{0}};
    assert_fails_bytes(body, 403, "another tenant");
    caller->rights = VES_RIGHT_WRITE | VES_RIGHT_ADMIN;
    assert_fails_bytes(body, 200, "");
    test_request_free(&request);
}

/* Where the stream comes from when no event says. */
static void test_illegible_stream(void **state)
{
    (void)state;
    const char *body = "{" AGENT ",\"events\":[{\"tenant_id\":1}, 7]}";

    desk_begin(0);
    test_request_raw(&desk.requests[0], "{\"tenant_id\":1}");
    test_request_raw(&desk.requests[0], "7");
    desk_push(0);
    assert_refused(0, 0, VES_REFUSAL_SCHEMA_VALIDATION);
    assert_refused(0, 1, VES_REFUSAL_SCHEMA_VALIDATION);
    assert_int_equal(desk_count_refusals(), 2);
    desk.hub.caller.has_store = false;
    assert_fails(body, 400, "legibly");
}

/* ---- answers ------------------------------------------------------------- */

static struct ves_arena arena;

static int set_up(void **state)
{
    ves_arena_init(&arena, ves_alloc_default(), 1 << 24);
    return desk_set_up(state);
}

static int tear_down(void **state)
{
    ves_arena_free(&arena);
    return desk_tear_down(state);
}

static const struct ves_json *answer(size_t r, enum ves_dialect dialect)
{
    struct ves_buf out;
    const struct ves_json *root;
    struct ves_bytes text;

    ves_buf_init(&out, ves_alloc_default(), 1 << 24);
    assert_int_equal(
        ves_ingest_answer(&desk.ingests[r], &desk.hub.sequencer, dialect, &out),
        VES_OK);
    assert_int_equal(ves_arena_copy(&arena, ves_buf_view(&out), &text), VES_OK);
    ves_buf_free(&out);
    assert_int_equal(ves_json_read(&arena, text, NULL, &root, NULL), VES_OK);
    return root;
}

/* Exactly these members, in this order, comma between. */
static void assert_members(const struct ves_json *object, const char *names)
{
    char have[512];
    size_t len = 0;

    for (const struct ves_json *m = object->first; m; m = m->next) {
        assert_true(len + m->key.len + 2 < sizeof(have));
        if (len > 0)
            have[len++] = ',';
        memcpy(have + len, m->key.ptr, m->key.len);
        len += m->key.len;
    }
    have[len] = '\0';
    assert_string_equal(have, names);
}

static void assert_number(const struct ves_json *object, const char *name,
                          uint64_t expected)
{
    uint64_t value;

    assert_true(ves_json_get_u64(object, name, &value));
    assert_int_equal(value, expected);
}

static void assert_counts(const struct ves_json *a, uint64_t accepted,
                          uint64_t rejected, uint64_t start, uint64_t end,
                          uint64_t head)
{
    assert_number(a, "eventsAccepted", accepted);
    assert_number(a, "eventsRejected", rejected);
    assert_number(a, "headSequence", head);
    if (start == 0) {
        assert_int_equal(ves_json_member(a, "sequenceStart")->type,
                         VES_JSON_NULL);
        assert_int_equal(ves_json_member(a, "sequenceEnd")->type,
                         VES_JSON_NULL);
    } else {
        assert_number(a, "sequenceStart", start);
        assert_number(a, "sequenceEnd", end);
    }
}

static const struct ves_json *item(const struct ves_json *object,
                                   const char *name, size_t index)
{
    const struct ves_json *node = ves_json_member(object, name);

    assert_non_null(node);
    assert_int_equal(node->type, VES_JSON_ARRAY);
    for (node = node->first; node && index > 0; index--)
        node = node->next;
    assert_non_null(node);
    return node;
}

static void assert_text(const struct ves_json *object, const char *name,
                        const char *expected)
{
    struct ves_bytes text;

    assert_true(ves_json_get_string(object, name, &text));
    assert_true(ves_bytes_is(text, expected));
}

/* Two new ones, one replay before them, one refused and one illegible. */
static void fill(void)
{
    struct test_event bad = desk_event(9);

    desk_add_plain(0, 1, 2);
    desk_push(0);
    bad.has_bad_signature = true;
    desk_add_plain(1, 3, 1);
    test_request_raw(&desk.requests[1], "{}");
    struct test_event replay = desk_event(1), fresh = desk_event(4);
    desk_add(1, &replay);
    desk_add(1, &bad);
    desk_add(1, &fresh);
    desk_push(1);
}

#define COMMON                                             \
    "batchId,eventsAccepted,eventsRejected,sequenceStart," \
    "sequenceEnd,headSequence"

static void test_answer_rust(void **state)
{
    (void)state;
    struct ves_bytes hex;
    struct ves_sig sig;
    struct ves_hash hash;
    struct ves_receipt receipt;

    fill();
    const struct ves_json *a = answer(0, VES_DIALECT_RUST);
    assert_members(a, COMMON ",receipts,verdicts");
    assert_counts(a, 2, 0, 1, 2, 2);
    assert_text(a, "batchId", "01930000-0000-7000-8000-0000b0000001");

    a = answer(1, VES_DIALECT_RUST);
    assert_members(a, COMMON ",rejections,receipts,verdicts");
    assert_counts(a, 2, 2, 3, 4, 4);
    const struct ves_json *r = item(a, "rejections", 0);
    assert_members(r, "reason,message,index,refusalSignature,"
                      "sequencerKeyVersion");
    assert_number(r, "index", 1);
    r = item(a, "rejections", 1);
    assert_members(r, "event_id,reason,message,index,refusalSignature,"
                      "sequencerKeyVersion");
    assert_text(r, "event_id", "01930000-0000-7000-8000-000000000009");
    assert_text(r, "reason", "invalid_signature");
    assert_number(r, "index", 3);
    assert_number(r, "sequencerKeyVersion", 1);
    assert_true(ves_json_get_string(r, "refusalSignature", &hex));
    assert_int_equal(hex.len, 128);
    assert_int_equal(ves_hex_decode(hex, sig.b, VES_SIG_SIZE), VES_OK);
    ves_refusal_hash(&desk.hub.stream, desk.ingests[1].events[3].element,
                     ves_bytes_str("invalid_signature"), &hash);
    assert_true(test_verify(&desk.hub.key.signer.public_key, &hash, &sig));

    const uint64_t order[] = {1, 3, 4}; /* replays first */
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(ves_receipt_read(item(a, "receipts", i), &receipt),
                         VES_OK);
        assert_int_equal(receipt.sequence_number, order[i]);
    }
    assert_int_equal(ves_json_member(a, "receipts")->count, 3);
    assert_int_equal(ves_json_member(a, "verdicts")->count, 3);
    const struct ves_json *v = item(a, "verdicts", 0);
    assert_members(v, "eventId,verdict");
    assert_text(v, "eventId", "01930000-0000-7000-8000-000000000003");
    assert_text(v, "verdict", "applied");
}

/* C.5, G.3: one spelling of each member, no message beside reason. */
static void test_answer_js(void **state)
{
    (void)state;

    fill();
    const struct ves_json *a = answer(1, VES_DIALECT_JS);
    assert_members(a, COMMON ",rejections,receipts,verdicts");
    /* 3, 1, 4 is no range: the plain counts. */
    assert_counts(a, 2, 2, 3, 4, 4);
    assert_members(item(a, "rejections", 0),
                   "reason,index,refusalSignature,sequencerKeyVersion");
    assert_members(item(a, "rejections", 1),
                   "eventId,reason,index,refusalSignature,"
                   "sequencerKeyVersion");
}

/* C.1: replays that make one range count as accepted, for that caller only. */
static void test_answer_replays(void **state)
{
    (void)state;
    struct test_event bad = desk_event(9);

    fill();
    desk_add_plain(2, 1, 4);
    desk_push(2);
    assert_counts(answer(2, VES_DIALECT_RUST), 0, 0, 0, 0, 4);
    assert_counts(answer(2, VES_DIALECT_JS), 4, 0, 1, 4, 4);

    desk_add_plain(3, 3, 3); /* two replays, one new behind them */
    bad.has_bad_hash = true;
    desk_add(3, &bad);
    desk_push(3);
    assert_counts(answer(3, VES_DIALECT_RUST), 1, 1, 5, 5, 5);
    assert_counts(answer(3, VES_DIALECT_JS), 3, 1, 3, 5, 5);

    static const uint32_t no_range[][2] = {{4, 3}, {1, 3}};
    for (size_t i = 0; i < 2; i++) {
        struct test_event a = desk_event(no_range[i][0]);
        struct test_event b = desk_event(no_range[i][1]);
        desk_begin(4);
        desk_add(4, &a);
        desk_add(4, &b);
        desk_push(4);
        assert_int_equal(desk.ingests[4].replayed, 2);
        assert_counts(answer(4, VES_DIALECT_JS), 0, 0, 0, 0, 5);
    }
}

static void test_answer_all_refused(void **state)
{
    (void)state;

    desk_begin(0);
    test_request_raw(&desk.requests[0], "{}");
    desk_push(0);
    const struct ves_json *a = answer(0, VES_DIALECT_RUST);
    assert_members(a, COMMON ",rejections,verdicts");
    assert_counts(a, 0, 1, 0, 0, 0);
    assert_int_equal(ves_json_member(a, "verdicts")->count, 0);
    assert_counts(answer(0, VES_DIALECT_JS), 0, 1, 0, 0, 0);
}

static void test_answer_limit(void **state)
{
    (void)state;
    struct ves_buf out;

    fill();
    ves_buf_init(&out, ves_alloc_default(), 100);
    assert_int_equal(ves_ingest_answer(&desk.ingests[1], &desk.hub.sequencer,
                                       VES_DIALECT_RUST, &out),
                     VES_LIMIT);
    ves_buf_free(&out);
}

/* ---- memory -------------------------------------------------------------- */

struct failing {
    size_t calls, fail_at, blocks;
};

static void *failing_realloc(void *ctx, void *ptr, size_t size)
{
    struct failing *failing = ctx;

    if (size > 0 && ++failing->calls == failing->fail_at)
        return NULL;
    if (size == 0)
        failing->blocks--;
    else if (!ptr)
        failing->blocks++;
    return ves_alloc_default()->realloc(NULL, ptr, size);
}

/* Out of memory at every single allocation: the request can be tried again,
 * and nothing happened twice. */
static void test_out_of_memory(void **state)
{
    (void)state;
    struct failing failing = {0};
    struct ves_alloc alloc = {failing_realloc, &failing};
    size_t steps[3] = {0};

    for (uint32_t n = 1; n < 10000; n++) {
        desk_add_plain(0, 10 * n, 3);
        struct test_event member = desk_member(10 * n + 4, 10 * n, 0, 1);
        desk_add(0, &member);
        test_request_raw(&desk.requests[0], "{\"a\":[1,2,3]}");
        struct ves_bytes body = test_request_end(&desk.requests[0]);
        struct ves_ingest *ingest = &desk.ingests[0];
        failing.calls = 0;
        failing.fail_at = n;
        if (ves_ingest_read(ingest, &alloc, body, &desk.hub.caller)) {
            steps[0]++;
            assert_int_equal(failing.blocks, 0);
            assert_int_equal(
                ves_ingest_read(ingest, &alloc, body, &desk.hub.caller),
                VES_OK);
        }
        if (ves_ingest_prepare(ingest, &alloc, &desk.hub.keys.source,
                               &desk.hub.verifier.verifier, false)) {
            steps[1]++;
            assert_int_equal(
                ves_ingest_prepare(ingest, &alloc, &desk.hub.keys.source,
                                   &desk.hub.verifier.verifier, false),
                VES_OK);
        }
        desk.hub.sequencer.alloc = &alloc;
        if (test_hub_commit(&desk.hub, desk.group, 1)) {
            steps[2]++;
            desk_commit(1);
        }
        desk.hub.sequencer.alloc = ves_alloc_default();
        assert_int_equal(ingest->accepted, 4);
        assert_int_equal(ingest->refused, 1);
        assert_int_equal(ingest->sequence_end, 4 * n);
        ves_ingest_free(ingest);
        assert_int_equal(failing.blocks, 0);
        if (failing.calls < n)
            break;
    }
    for (size_t i = 0; i < 3; i++)
        assert_true(steps[i] > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_cannot_be_cut),  TEST(test_empty),
        TEST(test_too_much),       TEST(test_mixed),
        TEST(test_rights),         TEST(test_illegible_stream),
        TEST(test_answer_rust),    TEST(test_answer_js),
        TEST(test_answer_replays), TEST(test_answer_all_refused),
        TEST(test_answer_limit),   TEST(test_out_of_memory),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("ingest", tests, NULL, NULL);
}
