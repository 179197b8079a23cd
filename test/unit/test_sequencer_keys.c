/* test_sequencer_keys.c -- agent keys by sequence, and commitments. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/merkle.h"
#include "test/lib/test_desk.h"
#include "test/lib/test_ops.h"

static struct ves_key_row key_row(uint32_t key_id, uint8_t seed)
{
    struct test_signer signer;

    test_signer_init(&signer, seed);
    return (struct ves_key_row){.tenant = desk.hub.stream.tenant,
                                .agent = desk.hub.agent,
                                .key_id = key_id,
                                .public_key = signer.signer.public_key,
                                .algorithm = ves_bytes_str("ed25519"),
                                .registrar = ves_bytes_str("admin")};
}

static enum ves_status add_key(const struct ves_key_row *row,
                               struct ves_error *error)
{
    return ves_sequencer_register_key(&desk.hub.sequencer, row, 1, error);
}

static enum ves_status revoke(uint32_t key_id)
{
    return ves_sequencer_revoke_key(&desk.hub.sequencer,
                                    &desk.hub.stream.tenant, &desk.hub.agent,
                                    key_id, desk.hub.now_ms, NULL, NULL);
}

static struct ves_key_span span_of(const struct ves_stream *stream,
                                   uint32_t key_id)
{
    struct ves_stream_row row;
    struct ves_key_span span;

    assert_int_equal(
        desk.store->ops->stream_get(desk.store, stream, false, &row), VES_OK);
    assert_int_equal(desk.store->ops->key_span_get(desk.store, row.stream_no,
                                                   &desk.hub.agent, key_id,
                                                   &span),
                     VES_OK);
    return span;
}

static void assert_span(const struct ves_stream *stream, uint32_t key_id,
                        uint64_t from, uint64_t revoked)
{
    struct ves_key_span span = span_of(stream, key_id);

    assert_true(span.is_found);
    assert_int_equal(span.valid_from_sequence, from);
    assert_int_equal(span.revoked_at_sequence, revoked);
}

/* ---- registering --------------------------------------------------------- */

static void test_register(void **state)
{
    (void)state;
    struct ves_error error;
    struct ves_key_row row = key_row(2, 40), other = key_row(2, 41);
    struct ves_stream second = {desk.hub.stream.tenant, test_id(0xee)};

    desk_add_plain(0, 1, 3);
    desk_push(0);
    assert_span(&desk.hub.stream, 1, 1, 0); /* the stream is younger */
    assert_int_equal(add_key(&row, &error), VES_OK);
    assert_span(&desk.hub.stream, 2, 4, 0);
    desk_add_plain(1, 4, 3);
    desk_push(1);
    assert_int_equal(add_key(&row, &error), VES_OK); /* again: no change */
    assert_span(&desk.hub.stream, 2, 4, 0);
    assert_int_equal(add_key(&other, &error), VES_CONFLICT);
    assert_non_null(strstr(error.text, "another public key"));

    desk.hub.caller.store = desk.hub.stream.store = second.store;
    desk_add_plain(2, 1, 1);
    desk_push(2);
    assert_span(&second, 1, 1, 0);
    assert_span(&second, 2, 1, 0);
}

static void test_register_for_store(void **state)
{
    (void)state;
    struct ves_error error;
    struct ves_key_row row = key_row(2, 40);
    struct ves_stream second = {desk.hub.stream.tenant, test_id(0xee)};

    desk_add_plain(0, 1, 1);
    desk_push(0);
    row.has_store = true;
    row.store = second.store;
    assert_int_equal(add_key(&row, &error), VES_OK);
    assert_span(&second, 2, 1, 0);
    assert_span(&second, 1, 1, 0);
    assert_false(span_of(&desk.hub.stream, 2).is_found);
    row.store = desk.hub.stream.store;
    assert_int_equal(add_key(&row, &error), VES_CONFLICT);
    assert_non_null(strstr(error.text, "another store"));
    row.has_store = false;
    assert_int_equal(add_key(&row, &error), VES_CONFLICT);
}

static void test_register_nonsense(void **state)
{
    (void)state;
    struct ves_error error;
    struct ves_key_row row = key_row(2, 40);

    memset(row.public_key.b, 0, VES_KEY_SIZE);
    assert_int_equal(add_key(&row, &error), VES_INVALID);
    row = key_row(2, 40);
    row.valid_from_ms = row.valid_to_ms = 1000;
    assert_int_equal(add_key(&row, &error), VES_INVALID);
    assert_int_equal(revoke(2), VES_NOT_FOUND);
}

/* ---- validity by sequence ------------------------------------------------ */

static void add_by_key(size_t r, uint32_t n, uint32_t key_id,
                       const struct test_signer *signer)
{
    struct test_event event = desk_event(n);

    event.fields.agent_key_id = key_id;
    test_request_event(&desk.requests[r], &event, signer);
}

static void test_revoke(void **state)
{
    (void)state;
    struct ves_stream first = desk.hub.stream;
    struct ves_stream second = {first.tenant, test_id(0xee)};

    desk_add_plain(0, 1, 3);
    desk_push(0);
    assert_int_equal(revoke(1), VES_OK);
    assert_span(&first, 1, 1, 4);
    desk.hub.now_ms += 1000;
    assert_int_equal(revoke(1), VES_OK); /* stays as it is */
    assert_span(&first, 1, 1, 4);

    struct test_signer next;
    test_signer_init(&next, 40);
    test_hub_register(&desk.hub, &desk.hub.agent, 2, &next);
    desk_begin(1);
    add_by_key(1, 4, 1, &desk.hub.agent_key);
    add_by_key(1, 5, 2, &next);
    desk_push(1);
    assert_refused(1, 0, VES_REFUSAL_KEY_REVOKED);
    assert_outcome(1, 1, VES_OUTCOME_ACCEPTED);

    /* A stream that did not exist then never trusts it. */
    desk.hub.caller.store = desk.hub.stream.store = second.store;
    desk_begin(2);
    add_by_key(2, 1, 1, &desk.hub.agent_key);
    add_by_key(2, 2, 2, &next);
    desk_push(2);
    assert_refused(2, 0, VES_REFUSAL_KEY_REVOKED);
    assert_outcome(2, 1, VES_OUTCOME_ACCEPTED);
    assert_span(&second, 1, 1, 1);
}

/* A span whose first sequence lies ahead: valid from exactly there on. */
static void test_not_yet(void **state)
{
    (void)state;
    struct test_signer next;
    struct ves_key_span span = {true, 3, 5};

    desk_add_plain(0, 1, 1);
    desk_push(0);
    test_signer_init(&next, 40);
    test_hub_register(&desk.hub, &desk.hub.agent, 2, &next);
    assert_int_equal(desk.store->ops->begin(desk.store), VES_OK);
    assert_int_equal(desk.store->ops->key_span_put(desk.store,
                                                   desk_stream().stream_no,
                                                   &desk.hub.agent, 2, &span),
                     VES_OK);
    assert_int_equal(desk.store->ops->commit(desk.store), VES_OK);

    desk_begin(1);
    add_by_key(1, 2, 2, &next);               /* would be 2 */
    add_by_key(1, 3, 1, &desk.hub.agent_key); /* is 2 */
    for (uint32_t n = 4; n <= 6; n++)
        add_by_key(1, n, 2, &next); /* 3, 4, would be 5 */
    desk_push(1);
    assert_refused(1, 0, VES_REFUSAL_KEY_NOT_YET);
    assert_outcome(1, 1, VES_OUTCOME_ACCEPTED);
    assert_outcome(1, 2, VES_OUTCOME_ACCEPTED);
    assert_outcome(1, 3, VES_OUTCOME_ACCEPTED);
    assert_refused(1, 4, VES_REFUSAL_KEY_REVOKED);
    assert_int_equal(sequence_of(1, 3), 4);
}

/* A stream the host made itself, without spans: as if it were younger than
 * every key. */
static void test_no_span(void **state)
{
    (void)state;
    struct ves_stream_row row;

    assert_int_equal(desk.store->ops->begin(desk.store), VES_OK);
    assert_int_equal(
        desk.store->ops->stream_get(desk.store, &desk.hub.stream, true, &row),
        VES_OK);
    assert_int_equal(desk.store->ops->commit(desk.store), VES_OK);
    desk_add_plain(0, 1, 2);
    desk_push(0);
    assert_int_equal(desk.ingests[0].accepted, 2);
    assert_int_equal(revoke(1), VES_OK);
    assert_span(&desk.hub.stream, 1, 1, 3);
}

/* What prepare took for the key is not what is registered. */
static void test_key_differs(void **state)
{
    (void)state;
    struct test_signer thief;

    test_signer_init(&thief, 66);
    desk.hub.keys.keys[0].key = thief.signer.public_key;
    desk_begin(0);
    add_by_key(0, 1, 1, &thief);
    desk_push(0);
    assert_refused(0, 0, VES_REFUSAL_KEY_NOT_FOUND);
}

/* ---- commitments --------------------------------------------------------- */

static enum ves_status cut(uint64_t start, uint64_t end, uint32_t batch,
                           struct ves_commitment_row *out,
                           struct ves_error *error)
{
    struct ves_uuid id = test_id(batch);

    return ves_sequencer_commit_range(&desk.hub.sequencer, &desk.hub.stream,
                                      start, end, &id, desk.hub.now_ms, out,
                                      error);
}

static void expect_roots(const struct ves_commitment_row *row)
{
    struct ves_hash leaves[8], scratch[8], root, id, state_root;
    const struct test_log *log = desk_log();
    size_t count = 0;

    for (uint64_t s = row->sequence_start; s <= row->sequence_end; s++) {
        const struct ves_log_row *r = &log->rows[s - 1];
        ves_leaf_hash(&desk.hub.stream, s, &r->event_hash, &r->signature,
                      &leaves[count++]);
    }
    assert_int_equal(row->leaf_count, count);
    assert_int_equal(ves_merkle_root(leaves, count, scratch, &root), VES_OK);
    assert_true(ves_hash_equal(&root, &row->merkle_root));
    ves_stream_id(&desk.hub.stream, &id);
    ves_state_root(&id, &row->prev_state_root, &root, row->sequence_start,
                   row->sequence_end, row->leaf_count, &state_root);
    assert_true(ves_hash_equal(&state_root, &row->new_state_root));
}

static void test_commitments(void **state)
{
    (void)state;
    struct ves_commitment_row first, again, second;
    struct ves_error error;
    struct ves_uuid id = test_id(500);

    desk_add_plain(0, 1, 7);
    desk_push(0);
    assert_int_equal(cut(1, 3, 500, &first, &error), VES_OK);
    expect_roots(&first);
    assert_true(ves_hash_is_zero(&first.prev_state_root));
    assert_int_equal(cut(1, 3, 501, &again, &error), VES_OK);
    assert_true(ves_uuid_equal(&again.batch_id, &id));
    assert_memory_equal(&again.new_state_root, &first.new_state_root,
                        VES_HASH_SIZE);
    assert_int_equal(cut(4, 7, 502, &second, &error), VES_OK);
    expect_roots(&second);
    assert_true(ves_hash_equal(&second.prev_state_root, &first.new_state_root));
    struct ves_stream_row stream = desk_stream();
    assert_int_equal(stream.committed_end, 7);
    assert_true(ves_hash_equal(&stream.state_root, &second.new_state_root));
    /* Events go on as if nothing had been. */
    desk_add_plain(1, 20, 2);
    desk_push(1);
    assert_int_equal(desk_stream().committed_end, 7);
    assert_int_equal(desk_stream().head, 9);
}

static void test_commitments_refused(void **state)
{
    (void)state;
    struct ves_commitment_row row;
    struct ves_error error;
    static const struct {
        uint64_t start, end;
        const char *words;
    } bad[] = {
        {0, 3, "at least 1"},         {3, 2, "at least 1"},
        {2, 3, "starts at 4"},        {1, 4, "ends at 3"},
        {5, 6, "starts at 4"},        {4, 8, "ends at 7"},
        {4, UINT64_MAX, "ends at 7"},
    };

    assert_int_equal(cut(1, 1, 500, &row, &error), VES_INVALID);
    assert_non_null(strstr(error.text, "ends at 0"));
    desk_add_plain(0, 1, 7);
    desk_push(0);
    assert_int_equal(cut(1, 3, 500, &row, &error), VES_OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(cut(bad[i].start, bad[i].end, 600, &row, &error),
                         VES_INVALID);
        if (!strstr(error.text, bad[i].words))
            fail_msg("\"%s\" does not say \"%s\"", error.text, bad[i].words);
    }
    assert_int_equal(desk_stream().committed_end, 3);
}

static const struct ves_store_ops *honest;

static enum ves_status long_stream(struct ves_store *s,
                                   const struct ves_stream *stream, bool create,
                                   struct ves_stream_row *row)
{
    enum ves_status status = honest->stream_get(s, stream, create, row);

    row->head = VES_COMMITMENT_MAX + 1;
    return status;
}

static enum ves_status shifted_read(struct ves_store *s, uint32_t stream_no,
                                    uint64_t from, uint32_t limit,
                                    ves_log_visitor *visit, void *ctx)
{
    return honest->log_read(s, stream_no, from + 1, limit, visit, ctx);
}

/* A store that lies about its head: too long a range, a range with a hole; and
 * one that hands out other rows. */
static void test_commitments_corrupt(void **state)
{
    (void)state;
    struct ves_commitment_row row;
    struct ves_error error;

    desk_add_plain(0, 1, 2);
    desk_push(0);
    struct ves_store_ops ops = *desk.store->ops;
    honest = desk.store->ops;
    ops.stream_get = long_stream;
    desk.store->ops = &ops;
    assert_int_equal(cut(1, VES_COMMITMENT_MAX + 1, 500, &row, &error),
                     VES_INVALID);
    assert_non_null(strstr(error.text, "65536"));
    assert_int_equal(cut(1, 3, 500, &row, &error), VES_CORRUPT);
    assert_non_null(strstr(error.text, "gap after sequence 2"));
    ops.log_read = shifted_read;
    assert_int_equal(cut(1, 1, 500, &row, &error), VES_CORRUPT);
    assert_int_equal(desk_stream().committed_end, 0);
    desk.store->ops = honest;
}

/* ---- failures ------------------------------------------------------------ */

static enum ves_status do_step(size_t step)
{
    struct ves_commitment_row row;
    struct ves_key_row key = key_row(2, 40);

    if (step == 0)
        return add_key(&key, NULL);
    if (step == 1)
        return revoke(1);
    return cut(1, 3, 500, &row, NULL);
}

static void test_failures(void **state)
{
    (void)state;

    for (size_t step = 0; step < 3; step++) {
        bool has_failed = true;
        for (size_t n = 1; has_failed; n++) {
            assert_int_equal(desk_set_up(state), 0);
            desk_add_plain(0, 1, 3);
            desk_push(0);
            test_ops_install(desk.store);
            test_ops_arm(n, n % 2 == 0, VES_IO);
            has_failed = do_step(step) != VES_OK;
            bool is_late = has_failed && test_ops()->commits && n % 2 == 0;
            test_ops_remove(desk.store);
            if (has_failed) {
                if (!is_late) {
                    assert_false(span_of(&desk.hub.stream, 2).is_found);
                    assert_span(&desk.hub.stream, 1, 1, 0);
                    assert_int_equal(desk_stream().committed_end, 0);
                }
                assert_int_equal(do_step(step), VES_OK);
            } else {
                assert_true(n > 4);
            }
            assert_span(&desk.hub.stream, 1, 1, step == 1 ? 4 : 0);
            if (step == 0)
                assert_span(&desk.hub.stream, 2, 4, 0);
            assert_int_equal(desk_stream().committed_end, step == 2 ? 3 : 0);
            desk_tear_down(state);
        }
    }
}

int main(void)
{
#define TEST(name) \
    cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_register),
        TEST(test_register_for_store),
        TEST(test_register_nonsense),
        TEST(test_revoke),
        TEST(test_not_yet),
        TEST(test_no_span),
        TEST(test_key_differs),
        TEST(test_commitments),
        TEST(test_commitments_refused),
        TEST(test_commitments_corrupt),
        cmocka_unit_test(test_failures),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sequencer_keys", tests, NULL, NULL);
}
