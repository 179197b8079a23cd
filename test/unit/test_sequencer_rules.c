/* test_sequencer_rules.c -- rules that users declare, at the sequencer: whose
 * they must be, and from which number on they count.
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
#include "core/rules.h"
#include "test/lib/test_desk.h"

static struct test_signer owner;
static struct ves_buf payload;

static int set_up(void **state)
{
    int code = desk_set_up(state);
    test_signer_init(&owner, 0x77);
    ves_buf_init(&payload, ves_alloc_default(), (size_t)1 << 20);
    return code;
}

static int tear_down(void **state)
{
    ves_buf_free(&payload);
    return desk_tear_down(state);
}

/* The stream exists and belongs to somebody. */
static void have_owner(void)
{
    struct ves_stream_row row;

    assert_int_equal(desk.store->ops->begin(desk.store), VES_OK);
    assert_int_equal(
        desk.store->ops->stream_get(desk.store, &desk.hub.stream, true, &row),
        VES_OK);
    row.has_owner_key = true;
    row.owner_key = owner.signer.public_key;
    assert_int_equal(desk.store->ops->stream_put(desk.store, &row), VES_OK);
    assert_int_equal(desk.store->ops->commit(desk.store), VES_OK);
}

#define RULES(operation)                                                   \
    "{\"rules\":1,\"types\":[{\"name\":\"repair.assigned\",\"version\":1," \
    "\"class\":\"intent\",\"operations\":[" operation "]}]}"

/* Event n: it registers those rules under that signature. */
static struct test_event registration(uint32_t n, const char *document,
                                      const struct test_signer *signer)
{
    struct test_event event = desk_event(n);
    struct ves_rules *rules;
    struct ves_hash hash;
    struct ves_sig sig;

    assert_int_equal(ves_rules_read(ves_alloc_default(), NULL,
                                    ves_bytes_str(document), 0, &rules, NULL),
                     VES_OK);
    ves_rules_hash(&desk.hub.stream, rules, &hash);
    test_signer_sign(signer, &hash, &sig);
    ves_buf_reset(&payload);
    ves_rules_write(&payload, rules, &sig);
    ves_buf_put_u8(&payload, 0);
    assert_int_equal(ves_buf_status(&payload), VES_OK);
    ves_rules_free(rules);
    event.fields.event_type = ves_bytes_str(VES_TYPE_SCHEMA);
    event.fields.entity_type = ves_bytes_str(VES_SCHEMA_ENTITY_TYPE);
    event.fields.entity_id = ves_bytes_str(VES_SCHEMA_ENTITY_ID);
    event.payload = (const char *)payload.ptr;
    test_event_context(&event, n, 0);
    return event;
}

/* A wish of that type on an entity, without the base the rules want. */
static struct test_event wish(uint32_t n)
{
    struct test_event event = desk_event(n);

    event.fields.event_type = ves_bytes_str("repair.assigned");
    event.fields.entity_type = ves_bytes_str("repair");
    event.fields.entity_id = ves_bytes_str("R-1");
    test_event_context(&event, n, 0);
    return event;
}

static enum ves_verdict verdict_of(size_t r, size_t i)
{
    assert_outcome(r, i, VES_OUTCOME_ACCEPTED);
    return desk.ingests[r].events[i].judgement.verdict;
}

static void push(size_t r, struct test_event event)
{
    desk_begin(r);
    desk_add(r, &event);
    desk_push(r);
}

/* Also within one request, and in the next. */
static void rules_count_behind_their_number(void **state)
{
    (void)state;
    have_owner();
    struct test_event events[] = {
        wish(1), registration(2, RULES("{\"op\":\"edit\"}"), &owner), wish(3)};
    desk_begin(0);
    for (size_t i = 0; i < 3; i++)
        desk_add(0, &events[i]);
    desk_push(0);
    assert_int_equal(verdict_of(0, 0), VES_VERDICT_APPLIED);
    assert_int_equal(verdict_of(0, 1), VES_VERDICT_APPLIED);
    /* An edit of what is there, on no base. */
    assert_int_equal(verdict_of(0, 2), VES_VERDICT_CONFLICT);
    push(1, wish(4));
    assert_int_equal(verdict_of(1, 0), VES_VERDICT_CONFLICT);
    (void)desk_log();
}

static void only_the_owner_makes_rules(void **state)
{
    struct test_signer other;
    (void)state;
    test_signer_init(&other, 0x78);
    push(0, registration(1, RULES("{\"op\":\"edit\"}"), &owner));
    assert_refused(0, 0, VES_REFUSAL_RESERVED_TYPE); /* no owner yet */
    have_owner();
    push(1, registration(2, RULES("{\"op\":\"edit\"}"), &other));
    assert_refused(1, 0, VES_REFUSAL_RESERVED_TYPE);
    assert_non_null(strstr(desk.ingests[1].events[0].refusal.message,
                           "not signed by the owner"));
    push(2, registration(3, RULES("{\"op\":\"edit\"}"), &owner));
    assert_outcome(2, 0, VES_OUTCOME_ACCEPTED);
    /* Another rule under the same version. */
    push(3, registration(4, RULES("{\"op\":\"delete\"}"), &owner));
    assert_refused(3, 0, VES_REFUSAL_RESERVED_TYPE);
    push(4, registration(5, RULES("{\"op\":\"edit\"}"), &owner));
    assert_outcome(4, 0, VES_OUTCOME_ACCEPTED);
    assert_int_equal(desk_count_refusals(), 3);
}

/* What did not get into the log is in force nowhere. */
static void rules_of_a_refused_group_are_forgotten(void **state)
{
    (void)state;
    have_owner();
    struct test_event first =
        registration(1, RULES("{\"op\":\"edit\"}"), &owner);
    struct test_event second = desk_member(2, 50, 1, 2);
    const struct ves_uuid command = test_id(50);
    test_event_group(&first, &command, 0, 2);
    second.has_bad_signature = true;
    struct test_event third = wish(3);
    struct test_event fourth = wish(4);
    desk_begin(0);
    desk_add(0, &first);
    desk_add(0, &second);
    desk_add(0, &third);
    desk_add(0, &fourth);
    desk_push(0);
    assert_outcome(0, 0, VES_OUTCOME_REFUSED);
    assert_int_equal(verdict_of(0, 2), VES_VERDICT_APPLIED);
    assert_int_equal(verdict_of(0, 3), VES_VERDICT_APPLIED);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(rules_count_behind_their_number),
        CASE(only_the_owner_makes_rules),
        CASE(rules_of_a_refused_group_are_forgotten),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sequencer_rules", tests, NULL, NULL);
}
