/* test_key_event.c -- keys in the log: what is written is read, and who may
 * say what of a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/key_event.h"
#include "core/receipt.h"
#include "test/lib/test_signer.h"
#include "test/lib/test_util.h"

static struct ves_arena arena;
static struct test_signer owner, invitation, keys[4], stranger;
static struct ves_key_world world;
static struct ves_key_state state;
static const struct ves_uuid agent = {{7, 7}};

static int set_up(void **unused)
{
    (void)unused;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    if (ves_crypto_init())
        return -1;
    test_signer_init(&owner, 1);
    test_signer_init(&invitation, 2);
    test_signer_init(&stranger, 3);
    for (uint8_t i = 0; i < 4; i++)
        test_signer_init(&keys[i], (uint8_t)(10 + i));
    world = (struct ves_key_world){.stream = {{{1}}, {{2}}},
                                   .has_owner = true,
                                   .owner = owner.signer.public_key};
    state = (struct ves_key_state){.agent = agent};
    return 0;
}

static int tear_down(void **unused)
{
    (void)unused;
    ves_arena_free(&arena);
    return 0;
}

static struct ves_sig sign(const struct test_signer *key,
                           const struct ves_hash *hash)
{
    struct ves_sig sig;
    test_signer_sign(key, hash, &sig);
    return sig;
}

static const struct ves_public_key *public_of(const struct test_signer *key)
{
    return &key->signer.public_key;
}

/* Key number i + 1 of the agent, committing to the one after it. */
static struct ves_key_event registered(size_t i)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REGISTERED,
                              .agent = agent,
                              .key_id = (uint32_t)i + 1,
                              .public_key = *public_of(&keys[i])};
    if (i + 1 < 4) {
        e.has_next = true;
        ves_key_next_hash(public_of(&keys[i + 1]), &e.next);
    }
    return e;
}

static struct ves_key_event owned(size_t i)
{
    struct ves_key_event e = registered(i);
    struct ves_hash hash;
    ves_key_register_hash(&world.stream, &e, &hash);
    e.has_statement = true;
    e.statement.owner_signature = sign(&owner, &hash);
    return e;
}

static struct ves_key_event invited(size_t i)
{
    struct ves_key_event e = registered(i);
    struct ves_key_statement *s = &e.statement;
    struct ves_invitation words = {.stream = world.stream,
                                   .invitation_id = {{9}},
                                   .public_key = *public_of(&invitation),
                                   .rights = 3,
                                   .expires_ms = 12345};
    struct ves_hash hash;
    ves_invitation_hash(&words, &hash);
    e.has_statement = true;
    *s = (struct ves_key_statement){.owner_signature = sign(&owner, &hash),
                                    .has_invitation = true,
                                    .invitation_id = words.invitation_id,
                                    .invitation_key = words.public_key,
                                    .rights = words.rights,
                                    .expires_ms = words.expires_ms,
                                    .has_nonce = true,
                                    .nonce = {5}};
    ves_redeem_hash(&world.stream, &s->invitation_id, &agent, e.key_id,
                    &e.public_key, s->nonce, e.has_next ? &e.next : NULL,
                    &hash);
    s->invitation_signature = sign(&invitation, &hash);
    s->agent_signature = sign(&keys[i], &hash);
    return e;
}

static struct ves_key_event rotated(size_t from, size_t to)
{
    struct ves_key_event e = registered(to);
    struct ves_hash hash;
    e.kind = VES_KEY_EVENT_ROTATED;
    e.previous_id = (uint32_t)from + 1;
    ves_key_rotate_hash(&world.stream, &e, &hash);
    e.previous_signature = sign(&keys[from], &hash);
    e.signature = sign(&keys[to], &hash);
    return e;
}

static struct ves_key_event revoked(size_t i, const struct test_signer *by)
{
    struct ves_key_event e = {.kind = VES_KEY_EVENT_REVOKED,
                              .agent = agent,
                              .key_id = (uint32_t)i + 1};
    struct ves_hash hash;
    if (by) {
        ves_key_revoke_hash(&world.stream, &e, &hash);
        e.has_statement = true;
        e.statement.owner_signature = sign(by, &hash);
    }
    return e;
}

static enum ves_key_fault apply(struct ves_key_event e, uint64_t sequence)
{
    enum ves_key_fault fault;
    assert_int_equal(
        ves_key_event_apply(&arena, &world, &e, sequence, &state, &fault),
        VES_OK);
    return fault;
}

/* ---- bytes --------------------------------------------------------------- */

static struct ves_event event_of(const struct ves_key_event *e)
{
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), VES_KEY_EVENT_MAX);
    ves_key_event_write(&buf, e);
    ves_buf_put_u8(&buf, 0);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    char *text = ves_arena_alloc(&arena, buf.len);
    memcpy(text, buf.ptr, buf.len);
    ves_buf_free(&buf);
    return (struct ves_event){.event_type =
                                  ves_bytes_str(ves_key_event_type(e->kind)),
                              .entity_type = ves_bytes_str(VES_KEY_ENTITY_TYPE),
                              .entity_id = ves_bytes_str(VES_KEY_ENTITY_ID),
                              .payload = test_json(&arena, text)};
}

static void check_round(struct ves_key_event e)
{
    struct ves_event event = event_of(&e);
    struct ves_key_event back;
    assert_int_equal(ves_key_event_read(&event, &back, NULL), VES_OK);
    assert_memory_equal(&back, &e, sizeof(e));
}

static void test_written_is_read(void **unused)
{
    (void)unused;
    struct ves_key_event late = owned(0), policy = {0}, sequencer = {0};
    late.at_sequence = 3;
    policy.kind = VES_KEY_EVENT_POLICY;
    policy.is_strict = true;
    policy.number = 4;
    sequencer.kind = VES_KEY_EVENT_SEQUENCER;
    sequencer.agent = agent;
    sequencer.key_id = 2;
    sequencer.public_key = *public_of(&keys[1]);
    check_round(registered(0));
    check_round(registered(3));
    check_round(late);
    check_round(invited(0));
    check_round(rotated(0, 1));
    check_round(revoked(0, NULL));
    check_round(revoked(0, &owner));
    check_round(policy);
    check_round(sequencer);
}

static void test_unreadable(void **unused)
{
    (void)unused;
    struct ves_error why;
    struct ves_key_event e = invited(0), back;
    struct ves_event event = event_of(&e);
    static const char *const bad[] = {
        "{}", "{\"agent_id\":\"07070000-0000-0000-0000-000000000000\"}",
        ("{\"agent_id\":\"07070000-0000-0000-0000-000000000000\",\"key_id\":"
         "4294967296,\"public_key\":\"0x00\"}"),
        "7"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        event.payload = test_json(&arena, bad[i]);
        assert_int_equal(ves_key_event_read(&event, &back, &why), VES_INVALID);
    }
    event = event_of(&e);
    event.entity_id = ves_bytes_str("rules");
    assert_int_equal(ves_key_event_read(&event, &back, &why), VES_INVALID);
    assert_non_null(strstr(why.text, "another entity"));
    /* Nobody else's types. */
    event.event_type = ves_bytes_str("ves.key.registered2");
    assert_int_equal(ves_key_event_kind_of(&event), VES_KEY_EVENT_NONE);
}

/* ---- who may say what ---------------------------------------------------- */

static void test_registered(void **unused)
{
    (void)unused;
    assert_int_equal(apply(registered(0), 5), VES_KEY_FAULT_NONE);
    const struct ves_logged_key *key = ves_key_state_find(&state, 1);
    assert_non_null(key);
    assert_int_equal(key->author, VES_KEY_BY_SEQUENCER);
    assert_int_equal(key->valid_from, 5);
    assert_int_equal(apply(registered(0), 6), VES_KEY_FAULT_EXISTS);
    struct ves_key_event e = registered(1);
    e.at_sequence = 8; /* in the future of its place */
    assert_int_equal(apply(e, 7), VES_KEY_FAULT_SEQUENCE);
    e.at_sequence = 2;
    assert_int_equal(apply(e, 7), VES_KEY_FAULT_NONE);
    assert_int_equal(ves_key_state_find(&state, 2)->valid_from, 2);
    e = registered(2);
    memset(e.public_key.b, 0, VES_KEY_SIZE);
    assert_int_equal(apply(e, 9), VES_KEY_FAULT_KEY);
    assert_int_equal(state.count, 2);
}

static void test_owner(void **unused)
{
    (void)unused;
    struct ves_key_event e = owned(0);
    e.key_id = 9; /* signed for 1 */
    assert_int_equal(apply(e, 1), VES_KEY_FAULT_OWNER);
    e = owned(0);
    e.has_next = false; /* signed with one */
    assert_int_equal(apply(e, 1), VES_KEY_FAULT_OWNER);
    e = owned(0);
    world.has_owner = false;
    assert_int_equal(apply(e, 1), VES_KEY_FAULT_NO_OWNER);
    world.has_owner = true;
    assert_int_equal(apply(e, 1), VES_KEY_FAULT_NONE);
    assert_int_equal(state.keys[0].author, VES_KEY_BY_OWNER);
    /* Through an invitation: every link of the chain counts. */
    for (int link = 0; link < 4; link++) {
        struct ves_sig *sigs[] = {&e.statement.owner_signature,
                                  &e.statement.invitation_signature,
                                  &e.statement.agent_signature};
        e = invited(1);
        if (link < 3)
            sigs[link]->b[0] ^= 1;
        else
            e.statement.has_nonce = false;
        assert_int_equal(apply(e, 2), VES_KEY_FAULT_OWNER);
    }
    assert_int_equal(apply(invited(1), 2), VES_KEY_FAULT_NONE);
    world.owner = *public_of(&stranger);
    assert_int_equal(apply(invited(2), 3), VES_KEY_FAULT_OWNER);
}

static void test_rotated(void **unused)
{
    (void)unused;
    assert_int_equal(apply(rotated(0, 1), 1), VES_KEY_FAULT_UNKNOWN);
    assert_int_equal(apply(owned(0), 1), VES_KEY_FAULT_NONE);
    /* A thief of the current key has no preimage of what it committed to. */
    assert_int_equal(apply(rotated(0, 2), 2), VES_KEY_FAULT_NOT_NEXT);
    struct ves_key_event e = rotated(0, 1);
    e.signature.b[1] ^= 1;
    assert_int_equal(apply(e, 2), VES_KEY_FAULT_SIGNATURE);
    e = rotated(0, 1);
    e.previous_signature.b[1] ^= 1;
    assert_int_equal(apply(e, 2), VES_KEY_FAULT_SIGNATURE);
    e = rotated(0, 1);
    e.has_next = false; /* both signed the one to come */
    assert_int_equal(apply(e, 2), VES_KEY_FAULT_SIGNATURE);
    assert_int_equal(state.count, 1);
    assert_int_equal(apply(rotated(0, 1), 2), VES_KEY_FAULT_NONE);
    assert_int_equal(state.keys[0].revoked_at, 2);
    assert_int_equal(state.keys[1].valid_from, 2);
    assert_int_equal(state.keys[1].author, VES_KEY_BY_ROTATION);
    assert_int_equal(apply(rotated(0, 1), 3), VES_KEY_FAULT_REVOKED);
    assert_int_equal(apply(rotated(1, 2), 3), VES_KEY_FAULT_NONE);
    assert_int_equal(apply(rotated(2, 3), 4), VES_KEY_FAULT_NONE);
    /* The last one committed to nothing. */
    assert_int_equal(apply(rotated(3, 0), 5), VES_KEY_FAULT_UNCOMMITTED);
}

static void test_revoked(void **unused)
{
    (void)unused;
    assert_int_equal(apply(revoked(0, NULL), 1), VES_KEY_FAULT_UNKNOWN);
    assert_int_equal(apply(owned(0), 1), VES_KEY_FAULT_NONE);
    assert_int_equal(apply(revoked(0, &stranger), 2), VES_KEY_FAULT_OWNER);
    assert_int_equal(apply(revoked(0, &owner), 4), VES_KEY_FAULT_NONE);
    assert_int_equal(state.keys[0].revoked_at, 4);
    assert_int_equal(state.keys[0].ended_by, VES_KEY_BY_OWNER);
    assert_int_equal(apply(revoked(0, &owner), 5), VES_KEY_FAULT_REVOKED);
    assert_int_equal(apply(rotated(0, 1), 6), VES_KEY_FAULT_REVOKED);
    assert_int_equal(apply(owned(0), 7), VES_KEY_FAULT_EXISTS);
    struct ves_agent_key shown;
    ves_logged_key_show(&agent, &state.keys[0], &shown);
    assert_true(ves_agent_key_covers(&shown, 3));
    assert_false(ves_agent_key_covers(&shown, 4));
    assert_true(ves_logged_key_covers(&state.keys[0], 3));
    assert_false(ves_logged_key_covers(&state.keys[0], 4));
    assert_string_equal(shown.registrar, "owner");
}

/* Nobody's signature covers another number than that of its place. */
static void test_revoked_where_it_stands(void **unused)
{
    (void)unused;
    const struct test_signer *words[] = {&owner, NULL};
    for (size_t i = 0; i < 2; i++) {
        struct ves_key_event e = revoked(i, words[i]);
        assert_int_equal(apply(registered(i), 1), VES_KEY_FAULT_NONE);
        e.at_sequence = 10;
        assert_int_equal(apply(e, 9), VES_KEY_FAULT_SEQUENCE);
        e.at_sequence = 2;
        assert_int_equal(apply(e, 9), VES_KEY_FAULT_NONE);
        assert_int_equal(state.keys[i].revoked_at, 9);
        assert_int_equal(state.keys[i].claimed_at, 2);
        assert_true(ves_logged_key_covers(&state.keys[i], 8));
        assert_false(ves_logged_key_covers(&state.keys[i], 9));
    }
}

static void test_strict(void **unused)
{
    (void)unused;
    struct ves_key_event e = {
        .kind = VES_KEY_EVENT_POLICY, .is_strict = true, .number = 2};
    struct ves_hash hash;
    assert_int_equal(apply(registered(0), 1), VES_KEY_FAULT_NONE);
    ves_key_policy_hash(&world.stream, &e, &hash);
    e.signature = sign(&stranger, &hash);
    assert_int_equal(ves_key_policy_apply(&world, &e, 2, &world.policy),
                     VES_KEY_FAULT_OWNER);
    e.signature = sign(&owner, &hash);
    assert_int_equal(ves_key_policy_apply(&world, &e, 2, &world.policy),
                     VES_KEY_FAULT_NONE);
    assert_true(world.policy.is_strict);
    /* An older word of his is no news. */
    assert_int_equal(ves_key_policy_apply(&world, &e, 3, &world.policy),
                     VES_KEY_FAULT_NUMBER);
    assert_int_equal(apply(registered(2), 3), VES_KEY_FAULT_STRICT);
    assert_int_equal(apply(rotated(0, 1), 3), VES_KEY_FAULT_STRICT);
    assert_int_equal(apply(owned(2), 3), VES_KEY_FAULT_NONE);
    assert_int_equal(apply(rotated(2, 3), 4), VES_KEY_FAULT_NONE);
}

static void test_sequencer_key(void **unused)
{
    (void)unused;
    struct ves_key_event e = {.kind = VES_KEY_EVENT_SEQUENCER,
                              .agent = agent,
                              .key_id = 2,
                              .public_key = *public_of(&keys[1])};
    struct ves_hash hash;
    ves_seqkey_hash(public_of(&keys[0]), &e.public_key, 2, &hash);
    e.signature = sign(&keys[1], &hash);
    assert_int_equal(ves_sequencer_key_check(&e, public_of(&keys[0])),
                     VES_KEY_FAULT_SIGNATURE);
    e.signature = sign(&keys[0], &hash);
    assert_int_equal(ves_sequencer_key_check(&e, public_of(&keys[0])),
                     VES_KEY_FAULT_NONE);
    e.key_id = 3;
    assert_int_equal(ves_sequencer_key_check(&e, public_of(&keys[0])),
                     VES_KEY_FAULT_SIGNATURE);
}

static void test_words(void **unused)
{
    (void)unused;
    for (int fault = 1; fault <= VES_KEY_FAULT_LIMIT; fault++) {
        assert_true(strlen(ves_key_fault_code((enum ves_key_fault)fault)) > 0);
        assert_true(strlen(ves_key_fault_words((enum ves_key_fault)fault)) >
                    10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_is_read, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_unreadable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_registered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rotated, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revoked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_revoked_where_it_stands, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_strict, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sequencer_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_words, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
