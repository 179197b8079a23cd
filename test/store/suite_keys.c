/* suite_keys.c -- the contract of keys and of the sequencer's tables. */
#include <string.h>

#include "test/store/suite.h"

/* ---- keys -----------------------------------------------------------------
 */

static struct ves_key_row key_row(struct suite *s, uint64_t tenant,
                                  uint64_t agent, uint32_t key_id)
{
    struct ves_key_row row;

    suite_fill_key(&row, &s->arena, 1000 * tenant + 10 * agent + key_id);
    row.tenant = suite_uuid('T', tenant);
    row.agent = suite_uuid('A', agent);
    row.key_id = key_id;
    return row;
}

static void keys_come_back_as_put(void **state)
{
    struct suite *s = *state;
    struct ves_key_row a = key_row(s, 1, 5, 2), b = key_row(s, 2, 5, 2), got;

    suite_begin(s);
    OK(CALL(s, key_put, &b));
    OK(CALL(s, key_put, &a));
    b.registrar = ves_bytes_str("somebody else");
    b.has_store = !b.has_store;
    memset(&b.store, b.has_store, sizeof b.store);
    OK(CALL(s, key_put, &b));
    suite_commit(s);
    OK(CALL(s, key_get, &a.tenant, &a.agent, 2, &s->arena, &got));
    suite_print_key(&s->got, &got, NULL);
    OK(CALL(s, key_get, &b.tenant, &b.agent, 2, &s->arena, &got));
    suite_print_key(&s->got, &got, NULL);
    suite_print_key(&s->want, &a, NULL);
    suite_print_key(&s->want, &b, NULL);
    suite_compare(s);
    assert_int_equal(CALL(s, key_get, &a.tenant, &a.agent, 3, &s->arena, &got),
                     VES_NOT_FOUND);
}

static void keys_are_listed_with_their_validity(void **state)
{
    struct suite *s = *state;
    struct ves_uuid tenant = suite_uuid('T', 1), agent = suite_uuid('A', 2);
    struct ves_key_span span = {true, 4, 9}, none = {0};
    struct ves_key_row rows[5] = {key_row(s, 1, 1, 1), key_row(s, 1, 2, 0),
                                  key_row(s, 1, 2, 7), key_row(s, 1, 3, 1),
                                  key_row(s, 2, 2, 7)};

    suite_begin(s);
    for (int i = 4; i >= 0; i--)
        OK(CALL(s, key_put, &rows[i]));
    OK(CALL(s, key_span_put, 1, &agent, 7, &span));
    suite_commit(s);
    OK(CALL(s, key_list, &tenant, NULL, 1, suite_see_key, &s->got));
    for (int i = 0; i < 4; i++)
        suite_print_key(&s->want, &rows[i], i == 2 ? &span : &none);
    suite_compare(s);
    OK(CALL(s, key_list, &tenant, &agent, 2, suite_see_key, &s->got));
    OK(CALL(s, key_list, &tenant, &agent, 0, suite_see_key, &s->got));
    for (int i = 0; i < 4; i++)
        suite_print_key(&s->want, &rows[1 + i % 2], &none);
    suite_compare(s);
}

static void spans_are_per_stream_agent_and_key(void **state)
{
    struct suite *s = *state;
    struct ves_uuid a = suite_uuid('A', 1), b = suite_uuid('A', 2);
    struct ves_key_span span = {false, 4, 0}, got;

    OK(CALL(s, key_span_get, 1, &a, 1, &got));
    assert_false(got.is_found);
    suite_begin(s);
    OK(CALL(s, key_span_put, 1, &a, 1, &span));
    span.revoked_at_sequence = 12;
    OK(CALL(s, key_span_put, 2, &a, 1, &span));
    OK(CALL(s, key_span_put, 1, &a, 1, &span));
    span.valid_from_sequence = 5;
    OK(CALL(s, key_span_put, 1, &b, 1, &span));
    OK(CALL(s, key_span_put, 1, &a, 2, &span));
    suite_commit(s);
    OK(CALL(s, key_span_get, 1, &a, 1, &got));
    assert_true(got.is_found);
    assert_int_equal(got.valid_from_sequence, 4);
    assert_int_equal(got.revoked_at_sequence, 12);
    OK(CALL(s, key_span_get, 3, &a, 1, &got));
    assert_false(got.is_found);
    assert_int_equal(got.valid_from_sequence, 0);
}

static void keys_are_found_with_their_spans(void **state)
{
    struct suite *s = *state;
    struct ves_key_row rows[] = {key_row(s, 1, 1, 1), key_row(s, 1, 2, 7),
                                 key_row(s, 2, 3, 1)};
    struct ves_key_span span = {true, 4, 9};
    const struct ves_key_name names[] = {{rows[1].agent, 7},
                                         {rows[2].agent, 1},
                                         {rows[0].agent, 1},
                                         {rows[0].agent, 2}};
    struct ves_key_found found[4];

    struct ves_uuid tenant = rows[0].tenant;
    suite_begin(s);
    for (int i = 0; i < 3; i++)
        OK(CALL(s, key_put, &rows[i]));
    OK(CALL(s, key_span_put, 1, &rows[1].agent, 7, &span));
    suite_commit(s);
    OK(CALL(s, key_find, 1, &tenant, names, 4, &s->arena, found));
    assert_true(found[0].is_found && found[2].is_found);
    /* Of another tenant, and of none. */
    assert_false(found[1].is_found || found[3].is_found);
    assert_false(found[1].span.is_found || found[3].span.is_found);
    suite_print_key(&s->want, &rows[1], &span);
    suite_print_key(&s->got, &found[0].row, &found[0].span);
    suite_print_key(&s->want, &rows[0],
                    &(struct ves_key_span){.is_found = false});
    suite_print_key(&s->got, &found[2].row, &found[2].span);
    suite_compare(s);
    OK(CALL(s, key_find, 2, &tenant, names, 1, &s->arena, found));
    assert_true(found[0].is_found && !found[0].span.is_found);
    OK(CALL(s, key_find, 1, &tenant, names, 0, &s->arena, found));
}

/* ---- agents' policies -----------------------------------------------------
 */

static enum ves_status see_policy(void *ctx,
                                  const struct ves_agent_policy_row *row)
{
    struct ves_buf *out = ctx;

    ves_buf_put_uuid(out, &row->tenant);
    ves_buf_put_u8(out, ' ');
    ves_buf_put_uuid(out, &row->agent);
    ves_buf_putf(out, " %lld ", (long long)row->updated_ms);
    ves_buf_put_bytes(out, row->document);
    ves_buf_put_u8(out, '\n');
    return VES_OK;
}

static struct ves_agent_policy_row policy_row(uint64_t tenant, uint64_t agent,
                                              const char *document)
{
    return (struct ves_agent_policy_row){.tenant = suite_uuid('T', tenant),
                                         .agent = suite_uuid('A', agent),
                                         .document = ves_bytes_str(document),
                                         .updated_ms =
                                             (int64_t)(100 * tenant + agent)};
}

static void policies_come_back_as_put(void **state)
{
    struct suite *s = *state;
    struct ves_agent_policy_row got,
        rows[] = {policy_row(1, 1, "{\"a\":\"\xe2\x82\xac\"}"),
                  policy_row(1, 2, "{}"), policy_row(2, 1, "{\"b\":1}")};

    assert_int_equal(CALL(s, agent_policy_get, &rows[0].tenant, &rows[0].agent,
                          &s->arena, &got),
                     VES_NOT_FOUND);
    suite_begin(s);
    for (int i = 2; i >= 0; i--)
        OK(CALL(s, agent_policy_put, &rows[i]));
    rows[1].document = ves_bytes_str("{\"second\":true}");
    rows[1].updated_ms++;
    OK(CALL(s, agent_policy_put, &rows[1]));
    suite_commit(s);
    for (int i = 0; i < 3; i++)
        (void)see_policy(&s->want, &rows[i]);
    OK(CALL(s, agent_policy_list, see_policy, &s->got));
    suite_compare(s);
    OK(CALL(s, agent_policy_get, &rows[1].tenant, &rows[1].agent, &s->arena,
            &got));
    (void)see_policy(&s->want, &rows[1]);
    (void)see_policy(&s->got, &got);
    suite_compare(s);
    suite_begin(s);
    rows[2].document = ves_bytes_str("{\"never\":1}");
    OK(CALL(s, agent_policy_put, &rows[2]));
    s->store->ops->rollback(s->store);
    OK(CALL(s, agent_policy_get, &rows[2].tenant, &rows[2].agent, &s->arena,
            &got));
    assert_true(ves_bytes_is(got.document, "{\"b\":1}"));
}

/* Of the agent, whichever of its keys is asked for; of this tenant only. */
static void keys_are_found_with_their_agents_policies(void **state)
{
    struct suite *s = *state;
    struct ves_key_row rows[] = {key_row(s, 1, 1, 1), key_row(s, 1, 1, 2),
                                 key_row(s, 1, 2, 1)};
    struct ves_agent_policy_row of_one = policy_row(1, 1, "{\"one\":1}"),
                                of_other = policy_row(2, 2, "{\"other\":1}"),
                                of_none = policy_row(1, 3, "{\"none\":1}");
    const struct ves_key_name names[] = {{rows[1].agent, 2},
                                         {rows[2].agent, 1},
                                         {rows[0].agent, 1},
                                         {of_none.agent, 1}};
    struct ves_key_found found[4];

    suite_begin(s);
    for (int i = 0; i < 3; i++)
        OK(CALL(s, key_put, &rows[i]));
    OK(CALL(s, agent_policy_put, &of_one));
    OK(CALL(s, agent_policy_put, &of_other));
    OK(CALL(s, agent_policy_put, &of_none));
    suite_commit(s);
    OK(CALL(s, key_find, 1, &rows[0].tenant, names, 4, &s->arena, found));
    assert_true(ves_bytes_is(found[0].policy, "{\"one\":1}"));
    assert_true(ves_bytes_is(found[2].policy, "{\"one\":1}"));
    assert_true(found[1].is_found && found[1].policy.len == 0);
    assert_true(!found[3].is_found && found[3].policy.len == 0);
}

/* ---- commitments ----------------------------------------------------------
 */

static struct ves_commitment_row commitment(uint64_t batch, uint64_t start,
                                            uint64_t end)
{
    struct ves_commitment_row row;

    suite_fill_commitment(&row, batch);
    row.batch_id = suite_uuid('B', batch);
    row.sequence_start = start;
    row.sequence_end = end;
    return row;
}

static void put_commitments(struct suite *s, struct ves_commitment_row rows[3])
{
    rows[0] = commitment(1, 1, 4);
    rows[1] = commitment(2, 5, 5);
    rows[2] = commitment(3, 8, 20);
    suite_begin(s);
    for (int i = 2; i >= 0; i--)
        OK(CALL(s, commitment_put, 7, &rows[i]));
    suite_commit(s);
}

static void expect_covering(struct suite *s, uint32_t stream_no,
                            uint64_t sequence,
                            const struct ves_commitment_row *want)
{
    struct ves_commitment_row got;

    assert_int_equal(CALL(s, commitment_covering, stream_no, sequence, &got),
                     want ? VES_OK : VES_NOT_FOUND);
    if (!want)
        return;
    suite_print_commitment(&s->got, &got);
    suite_print_commitment(&s->want, want);
    suite_compare(s);
}

static void commitments_are_found_by_what_they_cover(void **state)
{
    struct suite *s = *state;
    struct ves_commitment_row rows[3];

    put_commitments(s, rows);
    expect_covering(s, 7, 0, NULL);
    expect_covering(s, 7, 1, &rows[0]);
    expect_covering(s, 7, 4, &rows[0]);
    expect_covering(s, 7, 5, &rows[1]);
    expect_covering(s, 7, 6, NULL);
    expect_covering(s, 7, 20, &rows[2]);
    expect_covering(s, 7, 21, NULL);
    expect_covering(s, 6, 4, NULL);
    expect_covering(s, 8, 4, NULL);
}

static void commitments_are_listed_and_found_by_batch(void **state)
{
    struct suite *s = *state;
    struct ves_commitment_row rows[3], got;
    uint32_t stream_no = 0;
    struct ves_uuid unknown = suite_uuid('B', 9);

    put_commitments(s, rows);
    OK(CALL(s, commitment_list, 7, 0, 0, suite_see_commitment, &s->got));
    for (int i = 0; i < 3; i++)
        suite_print_commitment(&s->want, &rows[i]);
    suite_compare(s);
    OK(CALL(s, commitment_list, 7, 2, 1, suite_see_commitment, &s->got));
    suite_print_commitment(&s->want, &rows[1]);
    suite_compare(s);
    OK(CALL(s, commitment_list, 8, 0, 0, suite_see_commitment, &s->got));
    suite_compare(s);
    OK(CALL(s, commitment_get, &rows[2].batch_id, &stream_no, &got));
    assert_int_equal(stream_no, 7);
    suite_print_commitment(&s->got, &got);
    suite_print_commitment(&s->want, &rows[2]);
    suite_compare(s);
    assert_int_equal(CALL(s, commitment_get, &unknown, &stream_no, &got),
                     VES_NOT_FOUND);
}

static void a_commitment_is_put_once(void **state)
{
    struct suite *s = *state;
    struct ves_commitment_row rows[3], same_batch, same_start;

    put_commitments(s, rows);
    same_batch = commitment(1, 30, 40);
    same_start = commitment(5, 5, 6);
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    assert_int_equal(CALL(s, commitment_put, 7, &same_batch), VES_CONFLICT);
    assert_int_equal(CALL(s, commitment_put, 7, &same_start), VES_CONFLICT);
    suite_commit(s);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
    suite_begin(s);
    OK(CALL(s, commitment_put, 8, &same_start));
    suite_commit(s);
    expect_covering(s, 8, 6, &same_start);
}

/* ---- cursors, credentials, invitations ------------------------------------
 */

static void cursors_are_per_stream_and_agent(void **state)
{
    struct suite *s = *state;
    struct ves_uuid a = suite_uuid('A', 1), b = suite_uuid('A', 2);
    uint64_t sequence = 99;
    int64_t updated_ms = 99;

    OK(CALL(s, cursor_get, 1, &a, &sequence, &updated_ms));
    assert_int_equal(sequence, 0);
    assert_int_equal(updated_ms, 0);
    suite_begin(s);
    OK(CALL(s, cursor_put, 1, &a, 5, 50));
    OK(CALL(s, cursor_put, 1, &a, 3, 60));
    OK(CALL(s, cursor_put, 2, &a, 7, 70));
    OK(CALL(s, cursor_put, 1, &b, 8, 80));
    suite_commit(s);
    OK(CALL(s, cursor_get, 1, &a, &sequence, &updated_ms));
    assert_int_equal(sequence, 3);
    assert_int_equal(updated_ms, 60);
}

static void credentials_come_back_as_put(void **state)
{
    struct suite *s = *state;
    struct ves_credential_row rows[4], got;
    struct ves_hash unknown = suite_hash('H', 99);

    suite_begin(s);
    for (uint64_t i = 0; i < 4; i++) {
        suite_fill_credential(&rows[i], &s->arena, i);
        memset(&rows[i].key_hash, (int)i + 1, sizeof rows[i].key_hash);
    }
    for (int i = 3; i >= 0; i--)
        OK(CALL(s, credential_put, &rows[i]));
    rows[2].revoked_ms = 4711;
    rows[2].has_agent = !rows[2].has_agent;
    memset(&rows[2].agent, rows[2].has_agent, sizeof rows[2].agent);
    OK(CALL(s, credential_put, &rows[2]));
    suite_commit(s);
    for (int i = 0; i < 4; i++)
        suite_print_credential(&s->want, &rows[i]);
    OK(CALL(s, credential_list, suite_see_credential, &s->got));
    suite_compare(s);
    OK(CALL(s, credential_get, &rows[2].key_hash, &s->arena, &got));
    suite_print_credential(&s->want, &rows[2]);
    suite_print_credential(&s->got, &got);
    suite_compare(s);
    assert_int_equal(CALL(s, credential_get, &unknown, &s->arena, &got),
                     VES_NOT_FOUND);
}

static void invitations_come_back_as_put(void **state)
{
    struct suite *s = *state;
    struct ves_invitation_row rows[2], got;
    struct ves_uuid unknown = suite_uuid('I', 99);

    suite_begin(s);
    for (uint64_t i = 0; i < 2; i++) {
        suite_fill_invitation(&rows[i], i);
        rows[i].invitation_id = suite_uuid('I', i);
        OK(CALL(s, invitation_put, &rows[i]));
    }
    rows[0].uses++;
    OK(CALL(s, invitation_put, &rows[0]));
    suite_commit(s);
    for (int i = 0; i < 2; i++) {
        OK(CALL(s, invitation_get, &rows[i].invitation_id, &got));
        suite_print_invitation(&s->got, &got);
        suite_print_invitation(&s->want, &rows[i]);
    }
    suite_compare(s);
    assert_int_equal(CALL(s, invitation_get, &unknown, &got), VES_NOT_FOUND);
}

static const struct CMUnitTest keys_tests[] = {
    EITHER_TEST(keys_come_back_as_put),
    SEQUENCER_TEST(keys_are_listed_with_their_validity),
    SEQUENCER_TEST(keys_are_found_with_their_spans),
    SEQUENCER_TEST(policies_come_back_as_put),
    SEQUENCER_TEST(keys_are_found_with_their_agents_policies),
    SEQUENCER_TEST(spans_are_per_stream_agent_and_key),
    SEQUENCER_TEST(commitments_are_found_by_what_they_cover),
    SEQUENCER_TEST(commitments_are_listed_and_found_by_batch),
    SEQUENCER_TEST(a_commitment_is_put_once),
    SEQUENCER_TEST(cursors_are_per_stream_and_agent),
    SEQUENCER_TEST(credentials_come_back_as_put),
    SEQUENCER_TEST(invitations_come_back_as_put),
};

const struct CMUnitTest *suite_keys_tests(size_t *count)
{
    *count = sizeof keys_tests / sizeof keys_tests[0];
    return keys_tests;
}
