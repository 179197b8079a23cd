/* test_bundle_keys.c -- the validity of keys proven from the key events that a
 * bundle carries, by a sequencer that may lie (ADR 0034). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/key_event.h"
#include "test/lib/test_bundle.h"

#define LINE "keys in the log"

enum { ROOM = 16 };

static struct test_bundle shop;
static struct test_signer owner, sequencer, keys[4];
static struct ves_uuid agent, other, own;
static struct ves_verify_report report;
static const struct ves_bytes no_entry = {NULL, 0};

static int set_up(void **state)
{
    (void)state;
    test_bundle_open(&shop, 0);
    shop.events = realloc(shop.events, ROOM * sizeof(*shop.events));
    assert_non_null(shop.events);
    test_signer_init(&owner, 40);
    for (uint8_t i = 0; i < 4; i++)
        test_signer_init(&keys[i], (uint8_t)(50 + i));
    /* One key signs heads and the sequencer's own events, as it does there. */
    test_signer_init(&sequencer, 41);
    sequencer.secret = shop.log.log_secret;
    sequencer.signer.public_key = shop.log.log_key.key;
    agent = test_id(0xa1);
    other = test_id(0xa2);
    own = test_id(0x5e);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_bundle_close(&shop);
    return 0;
}

/* ---- the log ------------------------------------------------------------- */

static void append(struct test_event *made, const struct test_signer *by)
{
    struct ves_event *event = &shop.events[shop.count];
    struct ves_refusal refusal;
    struct ves_bytes kept;
    struct ves_buf buf;
    test_log_buf(&buf);
    test_event_write(&buf, made, by, NULL);
    assert_int_equal(ves_arena_copy(&shop.arena, ves_buf_view(&buf), &kept),
                     VES_OK);
    ves_buf_free(&buf);
    assert_int_equal(ves_event_read(&shop.arena, kept, event, &refusal),
                     VES_OK);
    assert_int_equal(ves_event_check(&shop.arena, event, &refusal), VES_OK);
    const struct ves_leaf leaf = {event->stream, ++shop.count,
                                  event->event_hash, event->signature};
    test_log_append(&shop.log, &leaf);
}

static void append_sale(const struct ves_uuid *of, uint32_t key_id,
                        const struct test_signer *by)
{
    struct test_event made;
    test_event_init(&made, &shop.log.stream, of, (uint32_t)shop.count);
    made.fields.agent_key_id = key_id;
    append(&made, by);
}

static void append_key_event_by(const struct ves_key_event *event,
                                const struct test_signer *by)
{
    struct test_event made;
    struct ves_buf payload;
    test_log_buf(&payload);
    ves_key_event_write(&payload, event);
    test_event_init(&made, &shop.log.stream, &own, (uint32_t)shop.count);
    made.fields.agent_key_id = 1;
    made.fields.entity_type = ves_bytes_str(VES_KEY_ENTITY_TYPE);
    made.fields.entity_id = ves_bytes_str(VES_KEY_ENTITY_ID);
    made.fields.event_type = ves_bytes_str(ves_key_event_type(event->kind));
    made.payload = test_log_str(&payload);
    append(&made, by);
    ves_buf_free(&payload);
}

static void append_key_event(const struct ves_key_event *event)
{
    append_key_event_by(event, &sequencer);
}

static struct ves_sig sign(const struct test_signer *by,
                           const struct ves_hash *hash)
{
    struct ves_sig sig;
    test_signer_sign(by, hash, &sig);
    return sig;
}

/* Key 1 of the agent by the owner's word, or nobody's; it commits to key 2. */
static struct ves_key_event registered(const struct ves_uuid *of,
                                       const struct test_signer *by)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REGISTERED,
                              .agent = *of,
                              .key_id = 1,
                              .public_key = keys[0].signer.public_key,
                              .has_next = true,
                              .has_statement = by != NULL};
    struct ves_hash hash;
    ves_key_next_hash(&keys[1].signer.public_key, &e.next);
    ves_key_register_hash(&shop.log.stream, &e, &hash);
    if (by)
        e.statement.owner_signature = sign(by, &hash);
    return e;
}

static struct ves_key_event rotated(const struct test_signer *to)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_ROTATED,
                              .agent = agent,
                              .key_id = 2,
                              .previous_id = 1,
                              .public_key = to->signer.public_key};
    struct ves_hash hash;
    ves_key_rotate_hash(&shop.log.stream, &e, &hash);
    e.previous_signature = sign(&keys[0], &hash);
    e.signature = sign(to, &hash);
    return e;
}

static struct ves_key_event revoked(uint32_t key_id)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REVOKED,
                              .agent = agent,
                              .key_id = key_id,
                              .has_statement = true};
    struct ves_hash hash;
    ves_key_revoke_hash(&shop.log.stream, &e, &hash);
    e.statement.owner_signature = sign(&owner, &hash);
    return e;
}

/* 1 registered, 2 a sale, 3 rotated, 4 a sale with the new key, 5 the owner
 * revokes it, 6 a sale that a lying sequencer took all the same. */
static void fill(void)
{
    struct ves_key_event e = registered(&agent, &owner);
    append_key_event(&e);
    append_sale(&agent, 1, &keys[0]);
    e = rotated(&keys[1]);
    append_key_event(&e);
    append_sale(&agent, 2, &keys[1]);
    e = revoked(2);
    append_key_event(&e);
    append_sale(&agent, 2, &keys[1]);
}

/* ---- bundles ------------------------------------------------------------- */

static struct ves_verify_agent known;
static bool has_known, has_owner = true;

static enum ves_verify_verdict
verify_by(const struct test_signer *by, const uint64_t *sequences, size_t count)
{
    struct ves_verify_anchors anchors = {
        .policy = ves_bytes_str(shop.no_witness),
        .owner_key = has_owner ? &by->signer.public_key : NULL,
        .agents = &known,
        .agent_count = has_known};
    struct ves_buf file, note;
    test_log_buf(&file);
    test_log_buf(&note);
    test_bundle_note(&shop, &note, shop.count, 0);
    ves_bundle_begin(&file, &shop.log.stream, ves_bytes(NULL, 0));
    for (size_t i = 0; i < count; i++)
        ves_bundle_event(&file, sequences[i], &shop.events[sequences[i] - 1]);
    assert_int_equal(ves_bundle_end(&file, test_log_source(&shop.log),
                                    sequences, count, shop.count,
                                    ves_buf_view(&note)),
                     VES_OK);
    enum ves_verify_verdict verdict =
        test_bundle_verify(&anchors, ves_buf_view(&file), no_entry, &report);
    ves_buf_free(&file);
    ves_buf_free(&note);
    return verdict;
}

#define VERIFY(...)                                    \
    verify_by(&owner, (const uint64_t[]){__VA_ARGS__}, \
              sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

static void expect_line(const char *name, enum ves_verify_finding finding,
                        const char *says)
{
    const struct ves_verify_property *line = test_bundle_line(&report, name);
    if (!line)
        fail_msg("no line \"%s\"", name);
    if (line->finding != finding || !strstr(line->text, says))
        fail_msg("%s: %s: %s", ves_verify_finding_name(line->finding), name,
                 line->text);
}

static void expect(enum ves_verify_finding finding, const char *says)
{
    expect_line(LINE, finding, says);
}

/* ---- tests --------------------------------------------------------------- */

static void the_owners_word_proves_a_key(void **state)
{
    (void)state;
    fill();
    /* Nothing but the owner's key and the log's: no directory, no key of an
     * agent. */
    assert_int_equal(VERIFY(1, 2), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "1 key events");
    expect_line("agent keys", VES_FINDING_PROVEN, "key events");
    expect_line("agent signatures", VES_FINDING_PROVEN, "2 of 2");
    assert_int_equal(VERIFY(1, 2, 3, 4), VES_VERIFY_PROVEN);
    expect(VES_FINDING_PROVEN, "2 key events");
    assert_int_equal(VERIFY(1, 3, 4), VES_VERIFY_PROVEN);
    bool is_said = false;
    for (size_t i = 0; i < report.unprovable_count; i++)
        is_said |= strstr(report.unprovable[i], "ended a key") != NULL;
    assert_true(is_said);
}

static void a_key_that_was_ended_is_seen(void **state)
{
    (void)state;
    fill();
    assert_int_equal(VERIFY(1, 3, 4, 5, 6), VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "event 6 does not hold");
    expect(VES_FINDING_FAILED, "key_not_valid");
    /* Key 1 after the rotation. */
    append_sale(&agent, 1, &keys[0]);
    assert_int_equal(VERIFY(1, 3, 7), VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "event 7");
}

static void what_is_not_shown_is_not_proven(void **state)
{
    (void)state;
    fill();
    known =
        (struct ves_verify_agent){agent, 2, keys[1].signer.public_key, 0, 0};
    has_known = true;
    assert_int_equal(VERIFY(4), VES_VERIFY_BELOW_POLICY);
    expect(VES_FINDING_NOT_PROVEN, "event 4");
    expect_line("agent keys", VES_FINDING_PROVEN, "you gave");
    /* A rotation without what it goes back to. */
    assert_int_equal(VERIFY(3, 4), VES_VERIFY_BELOW_POLICY);
    expect(VES_FINDING_NOT_PROVEN, "event 4");
    has_known = false;
    assert_int_equal(VERIFY(4), VES_VERIFY_BELOW_POLICY);
    /* Without an owner nobody is asked for. */
    has_owner = false;
    has_known = true;
    assert_int_equal(VERIFY(3, 4), VES_VERIFY_PROVEN);
    expect(VES_FINDING_NOT_PROVEN, "you named no key of the stream's owner");
    has_owner = true;
    has_known = false;
}

static void the_sequencers_word_is_not_the_owners(void **state)
{
    (void)state;
    struct ves_key_event e = registered(&other, NULL);
    append_key_event(&e);
    append_sale(&other, 1, &keys[0]);
    assert_int_equal(VERIFY(1, 2), VES_VERIFY_BELOW_POLICY);
    expect(VES_FINDING_NOT_PROVEN, "event 2");
}

static void another_owners_word_is_false(void **state)
{
    (void)state;
    fill();
    assert_int_equal(verify_by(&keys[3], (const uint64_t[]){1, 2}, 2),
                     VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "owner_signature_invalid");
}

static void a_rotation_to_another_key_is_false(void **state)
{
    (void)state;
    struct ves_key_event e = registered(&agent, &owner);
    append_key_event(&e);
    e = rotated(&keys[2]); /* a thief's, with a sequencer that takes it */
    append_key_event(&e);
    append_sale(&agent, 2, &keys[2]);
    assert_int_equal(VERIFY(1, 2, 3), VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "not_the_committed_next_key");
}

static void nobody_else_says_it(void **state)
{
    (void)state;
    struct ves_key_event e = registered(&agent, &owner);
    append_key_event_by(&e, &keys[3]);
    append_sale(&agent, 1, &keys[0]);
    assert_int_equal(VERIFY(1, 2), VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "not_the_sequencer");
}

static void two_words_about_one_key_contradict(void **state)
{
    (void)state;
    fill();
    known =
        (struct ves_verify_agent){agent, 1, keys[3].signer.public_key, 0, 0};
    has_known = true;
    assert_int_equal(VERIFY(1, 2), VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "directory_contradicts_log");
    has_known = false;
}

/* Entered behind what it is about: true, perhaps, and shown by nothing. */
static void what_is_entered_late_proves_nothing_before(void **state)
{
    (void)state;
    append_sale(&agent, 1, &keys[0]);
    struct ves_key_event e = registered(&agent, &owner);
    e.at_sequence = 1;
    append_key_event(&e);
    append_sale(&agent, 1, &keys[0]);
    assert_int_equal(VERIFY(1, 2), VES_VERIFY_BELOW_POLICY);
    expect(VES_FINDING_NOT_PROVEN, "event 1");
    assert_int_equal(VERIFY(2, 3), VES_VERIFY_PROVEN);
}

/* The owner signed that the key ends, and no number. */
static void a_revocation_takes_nothing_back(void **state)
{
    (void)state;
    struct ves_key_event e = registered(&agent, &owner);
    append_key_event(&e);
    append_sale(&agent, 1, &keys[0]);
    e = revoked(1);
    e.at_sequence = 2;
    append_key_event(&e);
    append_sale(&agent, 1, &keys[0]);
    assert_int_equal(VERIFY(1, 2, 3), VES_VERIFY_PROVEN);
    assert_int_equal(VERIFY(1, 2, 3, 4), VES_VERIFY_INVALID);
    expect(VES_FINDING_FAILED, "event 4");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_owners_word_proves_a_key),
        TEST(a_key_that_was_ended_is_seen),
        TEST(what_is_not_shown_is_not_proven),
        TEST(the_sequencers_word_is_not_the_owners),
        TEST(another_owners_word_is_false),
        TEST(a_rotation_to_another_key_is_false),
        TEST(nobody_else_says_it),
        TEST(two_words_about_one_key_contradict),
        TEST(what_is_entered_late_proves_nothing_before),
        TEST(a_revocation_takes_nothing_back),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
