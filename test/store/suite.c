/* suite.c -- running the suite; transactions, named values, streams. */
#include "test/store/suite.h"

#include <stdio.h>
#include <string.h>

static const struct suite_backend *current;

/* ---- what every test works with -------------------------------------------
 */

static int set_up(void **state, enum suite_role role)
{
    static struct suite s;

    memset(&s, 0, sizeof s);
    s.backend = current;
    s.role = role;
    s.store = current->open(role, &s.handle);
    ves_arena_init(&s.arena, ves_alloc_default(), 1 << 28);
    ves_buf_init(&s.got, ves_alloc_default(), 1 << 28);
    ves_buf_init(&s.want, ves_alloc_default(), 1 << 28);
    *state = &s;
    return s.store ? 0 : -1;
}

int suite_setup_device(void **state)
{
    return set_up(state, SUITE_DEVICE);
}

int suite_setup_either(void **state)
{
    return set_up(state,
                  current->is_sequencer_only ? SUITE_SEQUENCER : SUITE_DEVICE);
}

int suite_setup_sequencer(void **state)
{
    return set_up(state, SUITE_SEQUENCER);
}

int suite_teardown(void **state)
{
    struct suite *s = *state;

    current->close(s->handle);
    ves_arena_free(&s->arena);
    ves_buf_free(&s->got);
    ves_buf_free(&s->want);
    return 0;
}

void suite_begin(struct suite *s)
{
    assert_int_equal(s->store->ops->begin(s->store), VES_OK);
}

void suite_commit(struct suite *s)
{
    assert_int_equal(s->store->ops->commit(s->store), VES_OK);
}

void suite_rollback(struct suite *s)
{
    s->store->ops->rollback(s->store);
}

/* The line in which a and b begin to differ. */
static void print_difference(struct ves_bytes a, struct ves_bytes b)
{
    size_t i = 0, line = 0;

    for (; i < a.len && i < b.len && a.ptr[i] == b.ptr[i]; i++)
        if (a.ptr[i] == '\n')
            line = i + 1;
    printf("# got  ...%.*s\n# want ...%.*s\n",
           (int)(a.len - line < 1500 ? a.len - line : 1500),
           (const char *)a.ptr + line,
           (int)(b.len - line < 1500 ? b.len - line : 1500),
           (const char *)b.ptr + line);
}

void suite_compare(struct suite *s)
{
    struct ves_bytes got = ves_buf_view(&s->got), want = ves_buf_view(&s->want);
    bool is_equal = ves_bytes_equal(got, want);

    assert_int_equal(ves_buf_status(&s->got), VES_OK);
    assert_int_equal(ves_buf_status(&s->want), VES_OK);
    if (!is_equal)
        print_difference(got, want);
    assert_true(is_equal);
    ves_buf_reset(&s->got);
    ves_buf_reset(&s->want);
}

void suite_log_row(struct suite *s, struct ves_log_row *row, uint64_t sequence)
{
    suite_fill_log(row, &s->arena, sequence);
    row->sequence_number = sequence;
    row->event_id = suite_uuid('E', sequence);
}

uint32_t suite_append_log(struct suite *s, uint64_t stream, uint64_t count)
{
    struct ves_stream id = suite_stream(stream);
    struct ves_stream_row row;
    struct ves_log_row *rows =
        ves_arena_alloc(&s->arena, (size_t)count * sizeof *rows);

    assert_non_null(rows);
    suite_begin(s);
    OK(CALL(s, stream_get, &id, true, &row));
    for (uint64_t i = 0; i < count; i++)
        suite_log_row(s, &rows[i], row.head + 1 + i);
    OK(CALL(s, log_append, row.stream_no, rows, (size_t)count));
    suite_commit(s);
    return row.stream_no;
}

/* ---- transactions ---------------------------------------------------------
 */

/* One write of every kind there is, by number; false: no such number. */
static bool write_something(struct suite *s, unsigned which)
{
    bool device = s->role == SUITE_DEVICE;
    struct ves_stream stream = suite_stream(1);
    struct ves_uuid agent = suite_uuid('A', 1);
    struct ves_stream_row stream_row;
    struct ves_log_row log;
    struct ves_entity_row entity;
    struct ves_outbox_row outbox;
    struct ves_record record;
    struct ves_key_row key;
    struct ves_key_span span = {true, 3, 9};
    struct ves_commitment_row commitment;
    struct ves_follow_row follow;
    struct ves_kept_head kept = {7, suite_hash('r', 7)};
    struct ves_credential_row credential;
    struct ves_invitation_row invitation;
    struct ves_conflict_row conflict;
    struct ves_conflict_member member;
    struct ves_hash hash = suite_hash('X', 7);
    const struct ves_tile_hash tile = {0, 1, hash};
    const struct ves_head_row head = {1, hash, ves_bytes_str("note\n"), 8};
    uint16_t buckets[] = {0, 4095};
    uint64_t count;

    switch (which) {
    case 0:
        OK(CALL(s, meta_put, "cursor", ves_bytes_str("changed")));
        return true;
    case 1:
        stream = suite_stream(2);
        OK(CALL(s, stream_get, &stream, true, &stream_row));
        return true;
    case 2:
        OK(CALL(s, stream_get, &stream, false, &stream_row));
        stream_row.committed_end++;
        OK(CALL(s, stream_put, &stream_row));
        return true;
    case 3:
        suite_log_row(s, &log, 3);
        OK(CALL(s, log_append, 1, &log, 1));
        return true;
    case 4:
        suite_log_row(s, &log, 1);
        log.note = ves_bytes_str("judged again");
        OK(CALL(s, log_judge, 1, &log, 1));
        return true;
    case 5:
        OK(CALL(s, log_prune, 1, 3, NULL, 0, &count));
        return true;
    case 6:
        suite_fill_entity(&entity, &s->arena, 5, 77);
        OK(CALL(s, entity_put, 1, &entity, 1));
        return true;
    case 7:
        OK(CALL(s, entity_reset, 1));
        return true;
    case 8:
        suite_fill_record(&record, &s->arena, 5);
        OK(CALL(s, record_append, VES_RECORD_TRAIL, 1, &record, 1));
        return true;
    case 9:
        OK(CALL(s, record_close, VES_RECORD_ALERT, 1, 1, 99));
        return true;
    case 10:
        suite_fill_key(&key, &s->arena, 123);
        OK(CALL(s, key_put, &key));
        return true;
    case 11:
        OK(CALL(s, key_span_put, 1, &agent, 1, &span));
        return true;
    case 12:
        if (device) {
            OK(CALL(s, bucket_mark, 1, buckets, 2));
        } else {
            suite_fill_commitment(&commitment, 9);
            OK(CALL(s, commitment_put, 1, &commitment));
        }
        return true;
    case 13:
        if (device)
            OK(CALL(s, bucket_put, 1, 17, &hash));
        else
            OK(CALL(s, cursor_put, 1, &agent, 5, 6));
        return true;
    case 14:
        if (device) {
            suite_fill_outbox(&outbox, &s->arena, 99);
            outbox.event_id = suite_uuid('E', 99);
            OK(CALL(s, outbox_append, &outbox, 1));
        } else {
            suite_fill_credential(&credential, &s->arena, 8);
            OK(CALL(s, credential_put, &credential));
        }
        return true;
    case 15:
        if (device) {
            suite_fill_outbox(&outbox, &s->arena, 98);
            outbox.local_seq = 1;
            OK(CALL(s, outbox_update, &outbox, 1));
        } else {
            suite_fill_invitation(&invitation, 8);
            OK(CALL(s, invitation_put, &invitation));
        }
        return true;
    case 16:
        suite_fill_conflict(&conflict, &s->arena, 3);
        conflict.opened = 1;
        conflict.id = suite_hash('Q', 1);
        conflict.closed = conflict.winner = 0;
        OK(CALL(s, conflict_put, 1, &conflict, 1));
        return true;
    case 17:
        suite_fill_member(&member, 3);
        member.place = 9;
        OK(CALL(s, member_add, 1, &member, 1));
        return true;
    case 18:
        OK(CALL(s, verdict_reset, 1));
        return true;
    case 19:
        if (device)
            OK(CALL(s, outbox_prune, 1000, &count));
        else
            OK(CALL(s, tlog_append, 1, &hash, ves_bytes_str("edge 2"), &tile,
                    1));
        return true;
    case 20:
        if (device) {
            suite_fill_follow(&follow, &s->arena, 4);
            OK(CALL(s, follow_put, 1, &follow));
        } else {
            OK(CALL(s, tlog_sign, 1, 0, &head));
        }
        return true;
    case 21:
        if (device)
            OK(CALL(s, kept_head_put, 1, &kept, 5));
        else
            OK(CALL(s, tlog_freeze, 1, 7, ves_bytes_str("a fork")));
        return true;
    case 22:
        if (!device)
            OK(CALL(s, cosigned_put, 1, ves_bytes_str("notes")));
        return !device;
    default:
        return false;
    }
}

/* Something of everything, so that writes also replace. */
static void prepare(struct suite *s)
{
    struct ves_record record;
    struct ves_entity_row entity;
    struct ves_outbox_row outbox;
    struct ves_log_row logs[2];
    struct ves_conflict_row conflict;
    struct ves_stream stream = suite_stream(1);
    struct ves_stream_row row;

    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("before")));
    OK(CALL(s, stream_get, &stream, true, &row));
    assert_int_equal(row.stream_no, 1);
    for (uint64_t i = 0; i < 2; i++) {
        suite_log_row(s, &logs[i], i + 1);
        logs[i].envelope = ves_bytes_str("{");
    }
    OK(CALL(s, log_append, 1, logs, 2));
    suite_fill_entity(&entity, &s->arena, 5, 78);
    OK(CALL(s, entity_put, 1, &entity, 1));
    suite_fill_conflict(&conflict, &s->arena, 2);
    conflict.opened = 1;
    conflict.id = suite_hash('Q', 1);
    OK(CALL(s, conflict_put, 1, &conflict, 1));
    suite_fill_record(&record, &s->arena, 5);
    OK(CALL(s, record_append, VES_RECORD_ALERT, 1, &record, 1));
    if (s->role == SUITE_SEQUENCER) {
        struct ves_hash id = suite_hash('S', 1);
        struct ves_tile_hash tile = {0, 0, suite_hash('X', 1)};

        OK(CALL(s, tlog_append, 1, &id, ves_bytes_str("edge"), &tile, 1));
    }
    if (s->role == SUITE_DEVICE) {
        suite_fill_outbox(&outbox, &s->arena, 97);
        outbox.event_id = suite_uuid('E', 97);
        outbox.status = VES_OUTBOX_SYNCED;
        outbox.is_in_overlay = false;
        outbox.envelope = ves_bytes_str("{}");
        OK(CALL(s, outbox_append, &outbox, 1));
    }
    suite_commit(s);
}

static void rollback_undoes_every_write(void **state)
{
    struct suite *s = *state;
    unsigned which = 0;

    prepare(s);
    suite_dump(s->store, s->role, &s->want);
    for (;; which++) {
        struct ves_bytes got;
        bool is_there;

        suite_begin(s);
        is_there = write_something(s, which);
        ves_buf_reset(&s->got);
        suite_dump(s->store, s->role, &s->got);
        got = ves_buf_view(&s->got);
        if (is_there && ves_bytes_equal(got, ves_buf_view(&s->want)))
            fail_msg("write %u is not seen inside its transaction", which);
        suite_rollback(s);
        ves_buf_reset(&s->got);
        suite_dump(s->store, s->role, &s->got);
        got = ves_buf_view(&s->got);
        if (!ves_bytes_equal(got, ves_buf_view(&s->want)))
            fail_msg("write %u was not undone", which);
        if (!is_there)
            break;
    }
    assert_int_equal(which, s->role == SUITE_DEVICE ? 22 : 23);
}

static void rollback_undoes_all_writes_together(void **state)
{
    struct suite *s = *state;

    prepare(s);
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    for (unsigned i = 0; write_something(s, i); i++)
        ;
    suite_rollback(s);
    suite_rollback(s); /* idempotent */
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void commit_keeps_all_writes(void **state)
{
    struct suite *s = *state;

    prepare(s);
    suite_begin(s);
    for (unsigned i = 0; write_something(s, i); i++)
        ;
    suite_dump(s->store, s->role, &s->want);
    suite_commit(s);
    suite_rollback(s); /* without a transaction: nothing */
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void committed_writes_survive_closing(void **state)
{
    struct suite *s = *state;

    if (!s->backend->reopen)
        return;
    prepare(s);
    suite_begin(s);
    for (unsigned i = 0; write_something(s, i); i++)
        ;
    suite_commit(s);
    suite_dump(s->store, s->role, &s->want);
    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("never committed")));
    s->store = s->backend->reopen(s->handle);
    assert_non_null(s->store);
    suite_dump(s->store, s->role, &s->got);
    suite_compare(s);
}

static void a_transaction_may_be_empty(void **state)
{
    struct suite *s = *state;

    suite_begin(s);
    suite_commit(s);
    suite_begin(s);
    suite_rollback(s);
    suite_begin(s);
    suite_commit(s);
}

/* ---- named values ---------------------------------------------------------
 */

static void expect_meta(struct suite *s, const char *name,
                        enum ves_status status, struct ves_bytes value)
{
    struct ves_bytes got = ves_bytes_str("unset");

    assert_int_equal(CALL(s, meta_get, name, &s->arena, &got), status);
    assert_true(ves_bytes_equal(got, value));
}

static void meta_gives_back_what_was_put(void **state)
{
    static const uint8_t binary[] = {0xff, 0x00, 0x80, 'a', 0xc3};
    struct suite *s = *state;

    expect_meta(s, "cursor", VES_NOT_FOUND, ves_bytes_str(""));
    suite_begin(s);
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("17")));
    OK(CALL(s, meta_put, "blob", ves_bytes(binary, sizeof binary)));
    OK(CALL(s, meta_put, "empty", ves_bytes_str("")));
    OK(CALL(s, meta_put, "nul", ves_bytes("a\0b", 3)));
    expect_meta(s, "cursor", VES_OK, ves_bytes_str("17"));
    OK(CALL(s, meta_put, "cursor", ves_bytes_str("18")));
    suite_commit(s);
    expect_meta(s, "cursor", VES_OK, ves_bytes_str("18"));
    expect_meta(s, "blob", VES_OK, ves_bytes(binary, sizeof binary));
    expect_meta(s, "empty", VES_OK, ves_bytes_str(""));
    expect_meta(s, "nul", VES_OK, ves_bytes("a\0b", 3));
    expect_meta(s, "cursors", VES_NOT_FOUND, ves_bytes_str(""));
}

/* ---- streams --------------------------------------------------------------
 */

static void streams_get_numbers_in_order(void **state)
{
    struct suite *s = *state;
    struct ves_stream_row row;

    for (uint64_t i = 1; i <= 3; i++) {
        struct ves_stream stream = suite_stream(10 - i);

        assert_int_equal(CALL(s, stream_get, &stream, false, &row),
                         VES_NOT_FOUND);
        suite_begin(s);
        OK(CALL(s, stream_get, &stream, true, &row));
        assert_int_equal(row.stream_no, i);
        assert_true(ves_stream_equal(&row.stream, &stream));
        assert_int_equal(row.head, 0);
        assert_false(row.has_owner_key);
        assert_true(ves_hash_is_zero(&row.state_root));
        OK(CALL(s, stream_get, &stream, true, &row));
        assert_int_equal(row.stream_no, i);
        suite_commit(s);
        suite_print_stream(&s->want, &row);
    }
    OK(CALL(s, stream_list, suite_see_stream, &s->got));
    suite_compare(s);
}

static void stream_put_changes_all_but_the_head(void **state)
{
    struct suite *s = *state;
    uint32_t no = suite_append_log(s, 1, 2);
    struct ves_stream stream = suite_stream(1);
    struct ves_stream_row row, got;

    OK(CALL(s, stream_get, &stream, false, &row));
    assert_int_equal(row.head, 2);
    row.has_owner_key = true;
    memset(row.owner_key.b, 0x5a, sizeof row.owner_key.b);
    row.committed_end = 2;
    row.state_root = suite_hash('R', 3);
    row.head = 999;
    suite_begin(s);
    OK(CALL(s, stream_put, &row));
    suite_commit(s);
    OK(CALL(s, stream_get, &stream, false, &got));
    row.head = 2;
    suite_print_stream(&s->want, &row);
    suite_print_stream(&s->got, &got);
    suite_compare(s);
    row.stream_no = no + 1;
    suite_begin(s);
    assert_int_equal(CALL(s, stream_put, &row), VES_NOT_FOUND);
    suite_rollback(s);
}

static void the_head_moves_with_each_stream(void **state)
{
    struct suite *s = *state;
    struct ves_stream one = suite_stream(1), two = suite_stream(2);
    struct ves_stream_row row;

    suite_append_log(s, 1, 5);
    suite_append_log(s, 2, 1);
    suite_append_log(s, 3, 0);
    suite_append_log(s, 1, 2);
    OK(CALL(s, stream_get, &one, false, &row));
    assert_int_equal(row.head, 7);
    OK(CALL(s, stream_get, &two, false, &row));
    assert_int_equal(row.head, 1);
    OK(CALL(s, stream_list, suite_see_stream, &s->got));
    assert_non_null(strstr((const char *)s->got.ptr, "head=0"));
}

static const struct CMUnitTest base_tests[] = {
    DEVICE_TEST(rollback_undoes_every_write),
    SEQUENCER_TEST(rollback_undoes_every_write),
    DEVICE_TEST(rollback_undoes_all_writes_together),
    SEQUENCER_TEST(rollback_undoes_all_writes_together),
    DEVICE_TEST(commit_keeps_all_writes),
    SEQUENCER_TEST(commit_keeps_all_writes),
    DEVICE_TEST(committed_writes_survive_closing),
    SEQUENCER_TEST(committed_writes_survive_closing),
    EITHER_TEST(a_transaction_may_be_empty),
    EITHER_TEST(meta_gives_back_what_was_put),
    EITHER_TEST(streams_get_numbers_in_order),
    SEQUENCER_TEST(stream_put_changes_all_but_the_head),
    SEQUENCER_TEST(the_head_moves_with_each_stream),
};

const struct CMUnitTest *suite_base_tests(size_t *count)
{
    *count = sizeof base_tests / sizeof base_tests[0];
    return base_tests;
}

/* ---- running --------------------------------------------------------------
 */

/* Those that the back end is for; how many. */
static size_t choose(const struct suite_backend *backend,
                     const struct CMUnitTest *tests, size_t count,
                     struct CMUnitTest *chosen)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        if (!backend->is_sequencer_only ||
            tests[i].setup_func != suite_setup_device)
            chosen[n++] = tests[i];
    return n;
}

int suite_run(const struct suite_backend *backend)
{
    enum { PART_MAX = 32 };

    static const struct CMUnitTest *(*const parts[])(size_t *) = {
        suite_base_tests,     suite_log_tests,    suite_entity_tests,
        suite_conflict_tests, suite_outbox_tests, suite_record_tests,
        suite_keys_tests,     suite_tlog_tests,   suite_follow_tests};
    int failed = 0;

    current = backend;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        size_t count;
        const struct CMUnitTest *tests = parts[i](&count);

        struct CMUnitTest chosen[PART_MAX];

        assert_true(count <= PART_MAX);
        count = choose(backend, tests, count, chosen);
        if (count > 0)
            failed += _cmocka_run_group_tests(backend->name, chosen, count,
                                              NULL, NULL);
    }
    return failed;
}
