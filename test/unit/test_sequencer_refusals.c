/* test_sequencer_refusals.c -- every reason to refuse one event, signed and
 * kept, while the events around it go through.
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
#include "test/lib/test_desk.h"

enum { CODES = VES_REFUSAL_POLICY_VIOLATION + 1 };

/* Sealed in form only: the cipher hash is not the one of this. */
#define SEALED                                                              \
    ",\"payload_encrypted\":{\"enc_version\":1,\"aead\":\"AES-256-GCM\","   \
    "\"nonce_b64u\":\"AAAAAAAAAAAAAAAA\",\"ciphertext_b64u\":\"AAAA\","     \
    "\"tag_b64u\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"hpke\":{\"mode\":\"base\","  \
    "\"kem\":\"X25519-HKDF-SHA256\",\"kdf\":\"HKDF-SHA256\",\"aead\":"      \
    "\"AES-256-GCM\"},\"recipients\":[{\"recipient_kid\":1,\"enc_b64u\":\"" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"ct_b64u\":\""          \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"      \
    "\"}]}"

#define LONG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void have_policy(const char *document)
{
    const struct ves_agent_policy_row row = {.tenant = desk.hub.stream.tenant,
                                             .agent = desk.hub.agent,
                                             .document =
                                                 ves_bytes_str(document)};
    struct ves_store *store = desk.store;

    assert_int_equal(store->ops->begin(store), VES_OK);
    assert_int_equal(store->ops->agent_policy_put(store, &row), VES_OK);
    assert_int_equal(store->ops->commit(store), VES_OK);
}

/* ---- one bad event of each kind ------------------------------------------ */

struct bad {
    enum ves_refusal_code code;
    const char *reason; /* begins so */
    struct test_event event;
};

static struct bad make(enum ves_refusal_code code, const char *reason,
                       uint32_t n)
{
    return (struct bad){code, reason, desk_event(n)};
}

static size_t fill_content(struct bad *bads)
{
    struct bad *b = bads;

    *b = make(VES_REFUSAL_DUPLICATE_EVENT_ID, "duplicate_event_id", 1);
    b++->event.payload = "{\"note\":\"not the first\"}";
    *b = make(VES_REFUSAL_DUPLICATE_COMMAND_ID, "duplicate_command_id", 12);
    b->event.fields.has_command_id = true;
    b++->event.fields.command_id = test_id(77);
    *b = make(VES_REFUSAL_INVALID_PAYLOAD_HASH, "invalid_payload_hash", 13);
    b++->event.has_bad_hash = true;
    *b = make(VES_REFUSAL_INVALID_CIPHER_HASH, "invalid_cipher_hash", 14);
    b->event.fields.payload_kind = VES_PAYLOAD_ENCRYPTED;
    b->event.payload = "{}";
    b++->event.extra = SEALED;
    *b = make(VES_REFUSAL_INVALID_SIGNATURE, "invalid_signature", 15);
    b++->event.has_bad_signature = true;
    *b = make(VES_REFUSAL_UNSUPPORTED_VERSION, "unsupported_version", 16);
    b++->event.fields.ves_version = 3;
    *b = make(VES_REFUSAL_SCHEMA_VALIDATION, "schema_validation: created_at",
              17);
    b++->event.fields.created_at = ves_bytes_str("yesterday");
    *b = make(VES_REFUSAL_VERSION_CONFLICT,
              "version_conflict: expected 7, actual 3", 18);
    b->event.fields.has_base_version = true;
    b++->event.fields.base_version = 7;
    *b = make(VES_REFUSAL_SEEN_BEYOND_HEAD, "seen_beyond_head", 19);
    test_event_context(&b++->event, 1, 99);
    *b = make(VES_REFUSAL_SCHEMA_VALIDATION, "schema_validation: _ves", 22);
    test_event_context(&b->event, 1, 0);
    b++->event.fields.ves_version = 1;
    *b = make(VES_REFUSAL_INCOMPLETE_GROUP, "incomplete_group", 20);
    b++->event = desk_member(20, 78, 0, 2);
    *b = make(VES_REFUSAL_RESERVED_TYPE, "reserved_type", 21);
    b++->event.fields.event_type = ves_bytes_str("ves.conflict.resolved");
    *b = make(VES_REFUSAL_POLICY_VIOLATION,
              "policy_violation: payload too large", 23);
    b++->event.payload = "{\"note\":\"" LONG LONG LONG LONG "\"}";
    return (size_t)(b - bads);
}

/* Keys 2 to 6 of the same agent, each with another fault. */
static void register_keys(void)
{
    struct ves_key_row row = {.tenant = desk.hub.stream.tenant,
                              .agent = desk.hub.agent,
                              .public_key =
                                  desk.hub.agent_key.signer.public_key};
    struct ves_uuid others[] = {desk.hub.stream.tenant, test_id(0xee)};

    for (row.key_id = 2; row.key_id <= 5; row.key_id++) {
        row.valid_from_ms = row.key_id == 2 ? desk.hub.now_ms + 1 : 0;
        row.valid_to_ms = row.key_id == 3 ? desk.hub.now_ms : 0;
        row.has_store = row.key_id == 5;
        row.store = others[1];
        assert_int_equal(
            ves_sequencer_register_key(&desk.hub.sequencer, &row, 1, NULL),
            VES_OK);
        test_keys_add(&desk.hub.keys, &others[0], &row.agent, row.key_id,
                      &row.public_key);
    }
    assert_int_equal(ves_sequencer_revoke_key(&desk.hub.sequencer, &others[0],
                                              &row.agent, 4, desk.hub.now_ms,
                                              NULL, NULL),
                     VES_OK);
}

static size_t fill_keys(struct bad *bads)
{
    static const struct {
        enum ves_refusal_code code;
        const char *reason;
    } faults[] = {
        {VES_REFUSAL_KEY_NOT_YET,
         "agent_key_invalid: Agent key is not yet valid"},
        {VES_REFUSAL_KEY_EXPIRED, "agent_key_invalid: Agent key has expired"},
        {VES_REFUSAL_KEY_REVOKED,
         "agent_key_invalid: Agent key has been revoked"},
        {VES_REFUSAL_KEY_NOT_FOUND, "agent_key_invalid: Agent key not found"},
        {VES_REFUSAL_KEY_NOT_FOUND, "agent_key_invalid: Agent key not found"},
    };

    for (uint32_t i = 0; i < 5; i++) { /* 5: another store's; 6: nobody's */
        bads[i] = make(faults[i].code, faults[i].reason, 30 + i);
        bads[i].event.fields.agent_key_id = 2 + i;
    }
    return 5;
}

struct kept {
    size_t count;
    const struct ves_ingest *ingest;
    size_t index[64]; /* of the refused, in order */
};

/* S5: bytes, reason and signature can be listed. */
static enum ves_status check_record(void *ctx, const struct ves_record *record)
{
    struct kept *kept = ctx;
    size_t index = kept->index[kept->count++];
    const struct ves_ingest_event *event = &kept->ingest->events[index];
    struct ves_hash hash;
    char start[32];

    assert_true(ves_bytes_equal(record->body, event->element));
    assert_true(ves_bytes_is(record->code, event->refusal.reason));
    assert_true(record->has_signature);
    ves_refusal_hash(&desk.hub.stream, record->body, record->code, &hash);
    assert_true(test_verify(&desk.hub.key.signer.public_key, &hash,
                            &record->signature));
    assert_memory_equal(&record->signature, &event->refusal_signature,
                        VES_SIG_SIZE);
    assert_int_equal(record->has_event_id, event->refusal.has_event_id);
    assert_int_equal(record->at_ms, desk.hub.now_ms);
    int n =
        snprintf(start, sizeof(start), "{\"index\":%zu,\"message\":\"", index);
    assert_true(record->detail.len > (size_t)n);
    assert_memory_equal(record->detail.ptr, start, (size_t)n);
    return VES_OK;
}

static void check_records(size_t r, size_t expected)
{
    struct kept kept = {.ingest = &desk.ingests[r]};
    size_t count = 0;

    for (size_t i = 0; i < desk.ingests[r].count; i++) {
        if (desk.ingests[r].events[i].outcome == VES_OUTCOME_REFUSED)
            kept.index[count++] = i;
    }
    assert_int_equal(count, expected);
    assert_int_equal(
        desk.store->ops->record_list(desk.store, VES_RECORD_REFUSAL,
                                     desk_stream().stream_no, 1, false, 0,
                                     check_record, &kept),
        VES_OK);
    assert_int_equal(kept.count, expected);
}

static void test_every_reason(void **state)
{
    (void)state;
    struct bad bads[CODES + 8];
    bool has_code[CODES] = {true}; /* NONE */
    struct test_event first = desk_event(1), last = desk_event(99);

    register_keys();
    have_policy("{\"allowedEventTypes\":[\"*\"],\"allowedEntityTypes\":[\"*\"],"
                "\"requireBaseVersion\":false,\"maxPayloadBytes\":256}");
    size_t count = fill_content(bads);
    count += fill_keys(bads + count);
    first.fields.has_command_id = true;
    first.fields.command_id = test_id(77);
    desk_begin(0);
    desk_add(0, &first);
    for (size_t i = 0; i < count; i++) {
        struct test_event between = desk_event((uint32_t)(200 + i));
        between.fields.entity_id = ves_bytes_str(i < 2 ? "A-1" : "B-2");
        desk_add(0, &bads[i].event);
        desk_add(0, &between);
    }
    desk_add(0, &last);
    desk_push(0);

    assert_int_equal(desk.ingests[0].refused, count);
    assert_int_equal(desk.ingests[0].accepted, count + 2);
    for (size_t i = 0; i < count; i++) {
        const struct ves_ingest_event *e = &desk.ingests[0].events[2 * i + 1];
        assert_refused(0, 2 * i + 1, bads[i].code);
        assert_memory_equal(e->refusal.reason, bads[i].reason,
                            strlen(bads[i].reason));
        assert_true(e->refusal.message[0] != '\0');
        assert_true(e->refusal.has_event_id);
        assert_true(ves_uuid_equal(&e->refusal.event_id,
                                   &bads[i].event.fields.event_id));
        has_code[bads[i].code] = true;
    }
    for (size_t code = 0; code < CODES; code++)
        assert_true(has_code[code]);
    assert_int_equal(desk_log()->count, count + 2);
    check_records(0, count);
}

/* ---- what an agent may send ---------------------------------------------- */

#define NOTHING "{\"allowedEventTypes\":[],\"allowedEntityTypes\":[]}"

/* It is asked of what is new; what the log has was allowed when it came, and a
 * key that is bad is the first thing to say. */
static void test_policy_is_for_new_events(void **state)
{
    (void)state;
    struct test_event old = desk_event(1), new = desk_event(2),
                      forged = desk_event(3), of_group = desk_event(4);

    new.fields.has_command_id = of_group.fields.has_command_id = true;
    new.fields.command_id = of_group.fields.command_id = test_id(77);
    forged.has_bad_signature = true;
    desk_begin(0);
    desk_add(0, &old);
    desk_push(0);
    have_policy(NOTHING);
    desk_begin(1);
    desk_add(1, &old);
    desk_add(1, &new);
    desk_add(1, &forged);
    desk_push(1);
    assert_outcome(1, 0, VES_OUTCOME_REPLAYED);
    assert_refused(1, 1, VES_REFUSAL_POLICY_VIOLATION);
    assert_refused(1, 2, VES_REFUSAL_INVALID_SIGNATURE);
    assert_int_equal(desk_log()->count, 1);
    /* Its command id was not used up, and a policy that is off is none. */
    have_policy("{\"allowedEventTypes\":[],\"allowedEntityTypes\":[],"
                "\"enabled\":false}");
    desk_begin(2);
    desk_add(2, &of_group);
    desk_push(2);
    assert_outcome(2, 0, VES_OUTCOME_ACCEPTED);
}

/* A group stands or falls together here, too; another tenant's policy for the
 * same agent is none of this one's. */
static void test_policy_and_groups(void **state)
{
    (void)state;
    const struct ves_uuid tenant = desk.hub.stream.tenant;

    desk.hub.stream.tenant = test_id(0xee);
    have_policy(NOTHING);
    desk.hub.stream.tenant = tenant;
    desk_begin(0);
    desk_add_group(0, 1, 70, 3);
    desk_push(0);
    for (size_t i = 0; i < 3; i++)
        assert_outcome(0, i, VES_OUTCOME_ACCEPTED);
    have_policy(NOTHING);
    desk_begin(1);
    desk_add_group(1, 11, 71, 2);
    desk_push(1);
    assert_refused(1, 0, VES_REFUSAL_POLICY_VIOLATION);
    assert_refused(1, 1, VES_REFUSAL_INCOMPLETE_GROUP);
}

/* ---- bytes that are hardly events ---------------------------------------- */

static void test_illegible(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool has_id;
    } raws[] = {
        {"{}", false},
        {"null", false},
        {"[1,2]", false},
        {"\"text\"", false},
        {"{\"event_id\":7}", false},
        {"truth", false},
        {"{\"a\":\"\\ud800\"}", false},
        {"{\"a\":\"\xff\"}", false},
        {"{\"event_id\":\"01930000-0000-7000-8000-0000000000ff\",\"a\":1,"
         "\"a\":2}",
         true},
        {"{\"event_id\":\"01930000-0000-7000-8000-0000000000ff\","
         "\"event_id\":\"01930000-0000-7000-8000-0000000000fe\"}",
         false},
        {"{\"event_id\":\"01930000-0000-7000-8000-0000000000ff\","
         "\"n\":123456789012345678901234567890,\"x\":1e}",
         true},
    };
    size_t count = sizeof(raws) / sizeof(raws[0]);
    struct test_event good = desk_event(1);

    desk_begin(0);
    for (size_t i = 0; i < count; i++)
        test_request_raw(&desk.requests[0], raws[i].text);
    desk_add(0, &good);
    desk_push(0);
    for (size_t i = 0; i < count; i++) {
        assert_refused(0, i, VES_REFUSAL_SCHEMA_VALIDATION);
        assert_int_equal(desk.ingests[0].events[i].refusal.has_event_id,
                         raws[i].has_id);
    }
    assert_outcome(0, count, VES_OUTCOME_ACCEPTED);
    check_records(0, count);
}

/* One payload with something in it that strict reading refuses. */
static void test_bad_payload(void **state)
{
    (void)state;
    static const char *const payloads[] = {
        "\"payload\":{\"a\":1,\"a\":1}", "\"payload\":{\"a\":9007199254740992}",
        "\"payload\":{\"a\":\"\\udc00\"}", "\"payload\":null"};
    struct test_event good = desk_event(1), other = desk_event(2);

    for (size_t i = 0; i < 4; i++) {
        struct ves_buf text, bad;
        ves_buf_init(&text, ves_alloc_default(), 1 << 20);
        ves_buf_init(&bad, ves_alloc_default(), 1 << 20);
        test_event_write(&text, &good, &desk.hub.agent_key, NULL);
        ves_buf_put_u8(&text, 0);
        const char *at = strstr((char *)text.ptr, "\"payload\":{\"note\"");
        assert_non_null(at);
        ves_buf_put(&bad, text.ptr, (size_t)(at - (char *)text.ptr));
        ves_buf_put_str(&bad, payloads[i]);
        ves_buf_put_str(&bad, strchr(at, '}') + 1);
        ves_buf_put_u8(&bad, 0);
        desk_begin(0);
        test_request_raw(&desk.requests[0], (const char *)bad.ptr);
        desk_add(0, &other);
        desk_push(0);
        assert_refused(0, 0, VES_REFUSAL_SCHEMA_VALIDATION);
        assert_true(desk.ingests[0].events[0].refusal.has_event_id);
        assert_outcome(0, 1,
                       i == 0 ? VES_OUTCOME_ACCEPTED : VES_OUTCOME_REPLAYED);
        ves_buf_free(&text);
        ves_buf_free(&bad);
    }
}

static char *repeat(const char *before, char c, size_t count, const char *after)
{
    size_t a = strlen(before), b = strlen(after);
    char *text = malloc(a + count + b + 1);

    assert_non_null(text);
    memcpy(text, before, a);
    memset(text + a, c, count);
    memcpy(text + a + count, after, b + 1);
    return text;
}

/* The limits of design.md 5: at the limit taken, over it refused. */
static void test_sizes(void **state)
{
    (void)state;
    /* {"note":"..."} is 11 bytes around the text. */
    char *fits = repeat("{\"note\":\"", 'x', VES_PAYLOAD_MAX - 11, "\"}");
    char *over = repeat("{\"note\":\"", 'x', VES_PAYLOAD_MAX - 10, "\"}");
    char *huge = repeat("{\"note\":\"", 'x', 3 * VES_PAYLOAD_MAX, "\"}");
    char *deep = repeat("{\"note\":", '[', 70, "");
    char *deeper = repeat(deep, ']', 70, "}");
    struct test_event events[5];

    for (uint32_t i = 0; i < 5; i++)
        events[i] = desk_event(i + 1);
    events[0].payload = fits;
    events[1].payload = over;
    events[2].payload = huge;
    desk_begin(0);
    for (size_t i = 0; i < 3; i++)
        desk_add(0, &events[i]);
    test_request_raw(&desk.requests[0], deeper);
    desk_add(0, &events[4]);
    desk_push(0);
    assert_outcome(0, 0, VES_OUTCOME_ACCEPTED);
    for (size_t i = 1; i < 4; i++)
        assert_refused(0, i, VES_REFUSAL_SCHEMA_VALIDATION);
    assert_outcome(0, 4, VES_OUTCOME_ACCEPTED);
    assert_true(desk.ingests[0].events[2].refusal.has_event_id);
    check_records(0, 3);
    free(fits);
    free(over);
    free(huge);
    free(deep);
    free(deeper);
}

/* A member spelled with an escape slips past the look at the whole request;
 * reading the event finds it. */
static void test_disguised_ids(void **state)
{
    (void)state;
    static const char *const members[] = {"store_id", "source_agent_id"};

    for (size_t i = 0; i < 2; i++) {
        struct test_event foreign = desk_event(1), good = desk_event(2);
        struct ves_buf text;
        if (i == 0)
            foreign.fields.stream.store = test_id(0xee);
        else
            foreign.fields.agent = test_id(0xee);
        ves_buf_init(&text, ves_alloc_default(), 1 << 20);
        test_event_write(&text, &foreign, &desk.hub.agent_key, NULL);
        ves_buf_put_u8(&text, 0);
        char *at = strstr((char *)text.ptr, members[i]);
        assert_non_null(at);
        desk_begin(0);
        struct ves_buf *body = &desk.requests[0].body;
        ves_buf_put(body, text.ptr, (size_t)(at - (char *)text.ptr));
        ves_buf_put_str(body, "\\u0073"); /* s */
        ves_buf_put_str(body, at + 1);
        desk.requests[0].count++;
        desk_add(0, &good);
        desk_push(0);
        assert_refused(0, 0, VES_REFUSAL_SCHEMA_VALIDATION);
        assert_non_null(
            strstr(desk.ingests[0].events[0].refusal.reason, members[i]));
        assert_int_equal(desk_log()->count, 1);
        ves_buf_free(&text);
    }
}

/* B.3 step 1: the later of two equal ids, though the first is refused. */
static void test_repeated_id(void **state)
{
    (void)state;
    struct test_event bad = desk_event(1), good = desk_event(1);

    bad.has_bad_signature = true;
    desk_begin(0);
    desk_add(0, &bad);
    desk_add(0, &good);
    desk_push(0);
    assert_refused(0, 0, VES_REFUSAL_INVALID_SIGNATURE);
    assert_refused(0, 1, VES_REFUSAL_DUPLICATE_EVENT_ID);
    desk_begin(1);
    desk_add(1, &good);
    desk_add(1, &good);
    desk_push(1);
    assert_outcome(1, 0, VES_OUTCOME_ACCEPTED);
    assert_refused(1, 1, VES_REFUSAL_DUPLICATE_EVENT_ID);
    desk_begin(2);
    desk_add(2, &good);
    desk_add(2, &good);
    desk_push(2);
    assert_outcome(2, 0, VES_OUTCOME_REPLAYED);
    assert_refused(2, 1, VES_REFUSAL_DUPLICATE_EVENT_ID);
}

static void test_version_1(void **state)
{
    (void)state;
    struct test_event old = desk_event(1), older = desk_event(2);

    old.fields.ves_version = older.fields.ves_version = 1;
    desk_begin(0);
    desk_add(0, &old);
    desk_push(0);
    assert_outcome(0, 0, VES_OUTCOME_ACCEPTED);
    desk.hub.sequencer.require_v2 = true;
    desk_begin(1);
    desk_add(1, &old);
    desk_add(1, &older);
    desk_push(1);
    assert_outcome(1, 0, VES_OUTCOME_REPLAYED);
    assert_refused(1, 1, VES_REFUSAL_UNSUPPORTED_VERSION);
    /* Not under a version-1 signature, but part of what the event is. */
    desk.hub.sequencer.require_v2 = false;
    old.fields.has_base_version = true;
    desk_begin(2);
    desk_add(2, &old);
    desk_push(2);
    assert_refused(2, 0, VES_REFUSAL_DUPLICATE_EVENT_ID);
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_every_reason),      TEST(test_illegible),
        TEST(test_bad_payload),       TEST(test_sizes),
        TEST(test_disguised_ids),     TEST(test_repeated_id),
        TEST(test_version_1),         TEST(test_policy_is_for_new_events),
        TEST(test_policy_and_groups),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sequencer_refusals", tests, NULL, NULL);
}
