/* test_store_model.c -- SQLite against the model, from a seed.
 *
 * Random calls go to the memory store and to SQLite; every answer and, now and
 * then, everything both hold must be equal.  VES_SEED=n runs one history.
 */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/entity.h"
#include "store/store_mem.h"
#include "store/store_sqlite.h"
#include "test/store/suite.h"

enum { HISTORIES = 40, STEPS = 400, BATCH = 4 };

/* One call: its arguments come from seed alone, so that both stores get the
 * same ones; its answer goes to out. */
struct call {
    struct ves_store *store;
    enum suite_role role;
    uint64_t seed;
    struct ves_arena arena;
    struct ves_buf *out;
};

#define DO(c, op, ...) ((c)->store->ops->op((c)->store, __VA_ARGS__))

static uint64_t pick(struct call *c, uint64_t below)
{
    return suite_random(&c->seed) % below;
}

static void say(struct call *c, enum ves_status status)
{
    ves_buf_putf(c->out, "status %d\n", status);
}

static uint32_t pick_stream(struct call *c)
{
    return 1 + (uint32_t)pick(c, 3);
}

/* ---- writes ---------------------------------------------------------------
 */

static void do_meta_put(struct call *c)
{
    static const char *const names[] = {"cursor", "claim", "blob", "agent"};
    uint8_t value[20];
    size_t len = (size_t)pick(c, sizeof value);

    for (size_t i = 0; i < len; i++)
        value[i] = (uint8_t)pick(c, c->seed % 2 ? 256 : 128);
    say(c, DO(c, meta_put, names[pick(c, 4)], ves_bytes(value, len)));
}

static void do_stream_create(struct call *c)
{
    struct ves_stream stream = suite_stream(pick(c, 3));
    struct ves_stream_row row;

    say(c, DO(c, stream_get, &stream, true, &row));
    suite_print_stream(c->out, &row);
}

static void do_stream_put(struct call *c)
{
    struct ves_stream_row row = {.stream_no = pick_stream(c)};

    row.head = pick(c, 100);
    row.has_owner_key = pick(c, 2);
    memset(row.owner_key.b, (int)pick(c, 256), sizeof row.owner_key.b);
    row.committed_end = pick(c, 100);
    row.state_root = suite_hash('R', pick(c, 100));
    if (!row.has_owner_key)
        memset(row.owner_key.b, 0, sizeof row.owner_key.b);
    say(c, DO(c, stream_put, &row));
}

static enum ves_status see_last(void *ctx, const struct ves_log_row *row)
{
    *(uint64_t *)ctx = row->sequence_number;
    return VES_OK;
}

static void do_log_append(struct call *c)
{
    struct ves_log_row rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);
    uint32_t no = pick_stream(c);
    uint64_t next = 0;

    say(c, DO(c, log_read, no, 1, 0, see_last, &next));
    next += pick(c, 10) ? 1 : 2;
    if (next > 1 && pick(c, 10) == 0)
        next--;
    for (size_t i = 0; i < count; i++) {
        suite_fill_log(&rows[i], &c->arena, suite_random(&c->seed));
        rows[i].sequence_number = next + i;
        rows[i].event_id = suite_uuid('E', pick(c, 60));
        rows[i].entity_key = suite_hash('K', pick(c, 30));
    }
    say(c, DO(c, log_append, no, rows, count));
}

static void do_log_judge(struct call *c)
{
    struct ves_log_row rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);

    for (size_t i = 0; i < count; i++) {
        suite_fill_log(&rows[i], &c->arena, suite_random(&c->seed));
        rows[i].sequence_number = pick(c, 12);
    }
    say(c, DO(c, log_judge, pick_stream(c), rows, count));
}

static void do_log_prune(struct call *c)
{
    uint64_t count = 0;

    say(c, DO(c, log_prune, pick_stream(c), pick(c, 20), NULL, 0, &count));
    ves_buf_putf(c->out, "count %llu\n", (unsigned long long)count);
}

static void do_log_give_up(struct call *c)
{
    uint64_t count = 0;

    say(c, DO(c, log_give_up, pick_stream(c), 4 + pick(c, 16), pick(c, 3),
              &count));
    ves_buf_putf(c->out, "count %llu\n", (unsigned long long)count);
}

static void do_entity_put(struct call *c)
{
    struct ves_entity_row rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);

    for (size_t i = 0; i < count; i++) {
        uint64_t n = pick(c, 30);

        suite_fill_entity(&rows[i], &c->arena, n, suite_random(&c->seed));
    }
    say(c, DO(c, entity_put, pick_stream(c), rows, count));
}

static void do_entity_reset(struct call *c)
{
    say(c, DO(c, entity_reset, pick_stream(c)));
}

static void do_conflict_put(struct call *c)
{
    struct ves_conflict_row rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);

    for (size_t i = 0; i < count; i++)
        suite_fill_conflict(&rows[i], &c->arena, suite_random(&c->seed));
    if (count > 0 && pick(c, 6) == 0)
        rows[0].id = suite_hash('Q', 99 + rows[0].opened);
    say(c, DO(c, conflict_put, pick_stream(c), rows, count));
}

static void do_member_add(struct call *c)
{
    struct ves_conflict_member members[BATCH];
    size_t count = (size_t)pick(c, BATCH);

    for (size_t i = 0; i < count; i++)
        suite_fill_member(&members[i], suite_random(&c->seed));
    say(c, DO(c, member_add, pick_stream(c), members, count));
}

static void do_verdict_reset(struct call *c)
{
    if (pick(c, 4) == 0)
        say(c, DO(c, verdict_reset, pick_stream(c)));
    else
        do_conflict_put(c);
}

static void do_record(struct call *c)
{
    struct ves_record rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);
    enum ves_record_kind kind = (enum ves_record_kind)pick(c, VES_RECORD_KINDS);
    uint32_t no = (uint32_t)pick(c, 3);

    if (kind == VES_RECORD_QUARANTINE && c->role != SUITE_DEVICE)
        kind = VES_RECORD_REFUSAL;
    else if (kind == VES_RECORD_REFUSAL && c->role == SUITE_DEVICE)
        kind = VES_RECORD_QUARANTINE;
    if (pick(c, 3) == 0) {
        say(c,
            DO(c, record_close, kind, no, pick(c, 8), (int64_t)pick(c, 1000)));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        suite_fill_record(&rows[i], &c->arena, suite_random(&c->seed));
        rows[i].closed_ms = (int64_t)pick(c, 2);
    }
    say(c, DO(c, record_append, kind, no, rows, count));
}

static void do_key_put(struct call *c)
{
    struct ves_key_row row;

    suite_fill_key(&row, &c->arena, suite_random(&c->seed));
    say(c, DO(c, key_put, &row));
}

static void do_span_put(struct call *c)
{
    struct ves_uuid agent = suite_uuid('A', pick(c, SUITE_POOL));
    struct ves_key_span span = {true, 1 + pick(c, 9), pick(c, 9)};

    say(c, DO(c, key_span_put, pick_stream(c), &agent, (uint32_t)pick(c, 3),
              &span));
}

static void do_bucket(struct call *c)
{
    uint16_t buckets[BATCH];
    struct ves_hash hash = suite_hash('B', pick(c, 100));

    for (size_t i = 0; i < BATCH; i++)
        buckets[i] = (uint16_t)(pick(c, 10) * 455);
    if (pick(c, 2))
        say(c, DO(c, bucket_mark, pick_stream(c), buckets, BATCH));
    else
        say(c, DO(c, bucket_put, pick_stream(c), buckets[0], &hash));
}

static void do_outbox_append(struct call *c)
{
    struct ves_outbox_row rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);
    enum ves_status status;

    for (size_t i = 0; i < count; i++) {
        suite_fill_outbox(&rows[i], &c->arena, suite_random(&c->seed));
        rows[i].event_id = suite_uuid('E', pick(c, 200));
        rows[i].entity_prev = pick(c, 30);
    }
    status = DO(c, outbox_append, rows, count);
    say(c, status);
    for (size_t i = 0; i < count && !status; i++)
        suite_print_outbox(c->out, &rows[i]);
}

static void do_outbox_update(struct call *c)
{
    struct ves_outbox_row rows[BATCH];
    size_t count = (size_t)pick(c, BATCH + 1);

    for (size_t i = 0; i < count; i++) {
        suite_fill_outbox(&rows[i], &c->arena, suite_random(&c->seed));
        rows[i].local_seq = 1 + pick(c, 30);
    }
    say(c, DO(c, outbox_update, rows, count));
}

static void do_outbox_prune(struct call *c)
{
    uint64_t count = 0;

    say(c, DO(c, outbox_prune, (int64_t)pick(c, 100), &count));
    ves_buf_putf(c->out, "count %llu\n", (unsigned long long)count);
}

static void do_commitment_put(struct call *c)
{
    struct ves_commitment_row row;

    suite_fill_commitment(&row, suite_random(&c->seed));
    say(c, DO(c, commitment_put, pick_stream(c), &row));
}

static void do_cursor_put(struct call *c)
{
    struct ves_uuid agent = suite_uuid('A', pick(c, SUITE_POOL));

    say(c, DO(c, cursor_put, pick_stream(c), &agent, pick(c, 99),
              (int64_t)pick(c, 99)));
}

static void do_credential_put(struct call *c)
{
    struct ves_credential_row row;

    suite_fill_credential(&row, &c->arena, suite_random(&c->seed));
    say(c, DO(c, credential_put, &row));
}

static void do_invitation_put(struct call *c)
{
    struct ves_invitation_row row;

    suite_fill_invitation(&row, suite_random(&c->seed));
    say(c, DO(c, invitation_put, &row));
}

static void do_follow_put(struct call *c)
{
    struct ves_follow_row row;

    suite_fill_follow(&row, &c->arena, suite_random(&c->seed));
    say(c, DO(c, follow_put, pick_stream(c), &row));
}

static void do_kept_head_put(struct call *c)
{
    uint64_t size = 1 + pick(c, 40);
    struct ves_kept_head head = {size,
                                 suite_hash('r', size + (pick(c, 9) == 0))};

    say(c, DO(c, kept_head_put, pick_stream(c), &head, 6));
}

static void do_tlog_append(struct call *c)
{
    struct ves_tile_hash hashes[80];
    struct ves_hash hashes_there[VES_STORE_TILE_WIDTH];
    uint32_t no = pick_stream(c);
    uint32_t level = pick(c, 4) ? 0 : (uint32_t)pick(c, VES_STORE_TILE_LEVELS);
    struct ves_hash id = suite_hash('S', no);
    size_t count = (size_t)pick(c, 80), there = 0;
    uint64_t tile = 0, first = 0;

    do {
        say(c, DO(c, tile_read, no, level, tile++, hashes_there, &there));
        first += there;
    } while (there == VES_STORE_TILE_WIDTH);
    if (pick(c, 8) == 0)
        first += pick(c, 3);
    else if (first > 0 && pick(c, 8) == 0)
        first--;
    for (size_t i = 0; i < count; i++)
        hashes[i] = (struct ves_tile_hash){level, first + i,
                                           suite_hash('h', first + i)};
    size_t edge = count < VES_HASH_SIZE ? count : VES_HASH_SIZE;
    say(c, DO(c, tlog_append, no, &id, ves_bytes(id.b, edge), hashes, count));
}

static void do_tlog_sign(struct call *c)
{
    uint32_t no = pick_stream(c);
    struct ves_tlog_row row = {0};
    struct ves_head_row head = {
        1 + pick(c, 99), suite_hash('R', pick(c, 9)),
        ves_bytes_str(pick(c, 2) ? "note\n" : "another note\n"),
        (int64_t)pick(c, 99)};

    say(c, DO(c, tlog_get, no, &c->arena, &row));
    say(c, DO(c, tlog_sign, no, row.signed_size + (pick(c, 4) == 0), &head));
    if (pick(c, 3) == 0)
        say(c, DO(c, cosigned_put, no,
                  ves_bytes_str(pick(c, 2) ? "note 1\n" : "")));
    if (pick(c, 3) == 0)
        say(c,
            DO(c, tlog_freeze, no, (int64_t)pick(c, 3), ves_bytes_str("why")));
}

/* ---- reads ----------------------------------------------------------------
 */

static void do_log_read(struct call *c)
{
    say(c, DO(c, log_read, pick_stream(c), pick(c, 10), (uint32_t)pick(c, 6),
              suite_see_log, c->out));
}

static void do_log_find(struct call *c)
{
    struct ves_uuid ids[BATCH];
    struct ves_id_row rows[BATCH];
    bool commands = pick(c, 2);
    uint32_t no = pick_stream(c);

    for (size_t i = 0; i < BATCH; i++)
        ids[i] = commands ? suite_uuid('C', pick(c, SUITE_POOL + 1))
                          : suite_uuid('E', pick(c, 60));
    say(c, commands ? DO(c, log_find_commands, no, ids, BATCH, rows)
                    : DO(c, log_find_ids, no, ids, BATCH, rows));
    for (size_t i = 0; i < BATCH; i++) {
        ves_buf_putf(c->out, "%llu ",
                     (unsigned long long)rows[i].sequence_number);
        ves_buf_put_hex(c->out, rows[i].fingerprint.b,
                        sizeof rows[i].fingerprint.b);
    }
}

static void do_match(struct call *c)
{
    static const char *const types[] = {"", "order", "customer", "none"};
    struct ves_log_match match = {.entity_type =
                                      ves_bytes_str(types[pick(c, 4)]),
                                  .from = pick(c, 10),
                                  .to = pick(c, 14)};
    uint64_t sequences[BATCH];
    size_t found = 0;

    say(c, DO(c, log_match, pick_stream(c), &match, sequences,
              (size_t)pick(c, BATCH + 1), &found));
    for (size_t i = 0; i < found; i++)
        ves_buf_putf(c->out, "match %llu ", (unsigned long long)sequences[i]);
}

static void do_leaves_read(struct call *c)
{
    struct ves_leaf_row rows[BATCH];
    size_t found = 0;

    uint64_t numbers[BATCH];
    struct ves_link_row links[BATCH];
    size_t wanted = (size_t)pick(c, BATCH + 1);
    for (size_t i = 0; i < wanted; i++)
        numbers[i] = pick(c, 10);
    say(c, DO(c, log_links, pick_stream(c), numbers, wanted, links));
    for (size_t i = 0; i < wanted; i++) {
        ves_buf_putf(c->out, "link %llu %llu %llu %llu ",
                     (unsigned long long)links[i].sequence_number,
                     (unsigned long long)links[i].entity_index,
                     (unsigned long long)links[i].entity_prev,
                     (unsigned long long)links[i].entity_jump);
        ves_buf_put_hex(c->out, links[i].entity_key.b,
                        sizeof links[i].entity_key.b);
    }
    say(c, DO(c, log_leaves, pick_stream(c), pick(c, 10),
              (size_t)pick(c, BATCH + 1), rows, &found));
    for (size_t i = 0; i < found; i++) {
        ves_buf_putf(c->out, "leaf %llu ",
                     (unsigned long long)rows[i].sequence_number);
        ves_buf_put_hex(c->out, rows[i].event_hash.b,
                        sizeof rows[i].event_hash.b);
        ves_buf_put_hex(c->out, rows[i].signature.b,
                        sizeof rows[i].signature.b);
    }
}

static void do_entity_get(struct call *c)
{
    struct ves_entity_name names[BATCH];
    struct ves_entity_row rows[BATCH];

    for (size_t i = 0; i < BATCH; i++) {
        names[i] = suite_entity_name(pick(c, 30));
        if (pick(c, 2))
            names[i].type = names[i].id = ves_bytes(NULL, 0);
    }
    say(c, DO(c, entity_get, pick_stream(c), names, BATCH, &c->arena, rows));
    for (size_t i = 0; i < BATCH; i++)
        suite_print_entity(c->out, &rows[i]);
}

static void do_bucket_read(struct call *c)
{
    struct ves_hash key = suite_hash('K', pick(c, 30));
    struct ves_state_pair *pairs = NULL;
    size_t count = 0;

    say(c, DO(c, bucket_read, pick_stream(c), ves_entity_bucket(&key),
              &c->arena, &pairs, &count));
    for (size_t i = 0; i < count; i++)
        ves_buf_put_hex(c->out, pairs[i].key.b, 2 * VES_HASH_SIZE);
}

static void do_entity_scan(struct call *c)
{
    struct ves_hash from = suite_hash('K', pick(c, 30));

    say(c,
        DO(c, entity_scan, pick_stream(c), &from, (uint32_t)pick(c, 6),
           ves_bytes_str(pick(c, 2) ? "order" : ""), suite_see_entity, c->out));
}

static void do_conflict_read(struct call *c)
{
    struct ves_conflict_filter f = {.open_only = pick(c, 2),
                                    .after = pick(c, 32),
                                    .is_descending = pick(c, 2),
                                    .limit = (uint32_t)pick(c, 6)};
    struct ves_hash ids[BATCH], waits_for = suite_hash('W', pick(c, 9));
    struct ves_conflict_row rows[BATCH];
    uint32_t no = pick_stream(c);

    say(c, DO(c, conflict_list, no, &f, suite_see_conflict, c->out));
    say(c, DO(c, waiting_list, no, &waits_for, (uint32_t)pick(c, 3),
              suite_see_waiting, c->out));
    for (size_t i = 0; i < BATCH; i++)
        ids[i] = suite_hash('Q', pick(c, 32));
    say(c, DO(c, conflict_get, no, ids, BATCH, &c->arena, rows));
    for (size_t i = 0; i < BATCH; i++)
        suite_print_conflict(c->out, &rows[i]);
}

/* Every row that waited is found by its entity and version. */
struct late {
    struct call *c;
    uint32_t no;
};

static enum ves_status see_late(void *ctx, const struct ves_log_row *row)
{
    struct late *late = ctx;
    uint64_t sequence;
    enum ves_status status = late->c->store->ops->log_find_late(
        late->c->store, late->no, &row->entity_key, row->version, &sequence);

    assert_int_equal(sequence, row->has_waited ? row->sequence_number : 0);
    return status;
}

static void do_late_read(struct call *c)
{
    struct late late = {c, pick_stream(c)};

    say(c, DO(c, log_read, late.no, 1, 0, see_late, &late));
}

static void do_record_list(struct call *c)
{
    say(c, DO(c, record_list, pick(c, 2) ? VES_RECORD_TRAIL : VES_RECORD_ALERT,
              (uint32_t)pick(c, 3), pick(c, 8), pick(c, 2),
              (uint32_t)pick(c, 5), suite_see_record, c->out));
}

static void do_key_read(struct call *c)
{
    struct ves_uuid tenant = suite_uuid('T', pick(c, 2));
    struct ves_uuid agent = suite_uuid('A', pick(c, SUITE_POOL));
    struct ves_key_row row;
    enum ves_status status;

    if (pick(c, 2)) {
        say(c, DO(c, key_list, &tenant, pick(c, 2) ? &agent : NULL,
                  (uint32_t)pick(c, 4), suite_see_key, c->out));
        return;
    }
    status =
        DO(c, key_get, &tenant, &agent, (uint32_t)pick(c, 3), &c->arena, &row);
    say(c, status);
    if (!status)
        suite_print_key(c->out, &row, NULL);
}

static void do_outbox_promised(struct call *c)
{
    struct ves_promise_row rows[BATCH];
    uint64_t first = pick(c, 40);
    size_t found;

    say(c, DO(c, outbox_promised, first, first + pick(c, 40),
              1 + pick(c, BATCH), rows, &found));
    for (size_t i = 0; i < found; i++)
        ves_buf_putf(c->out, "promised %llu %llu\n",
                     (unsigned long long)rows[i].sequence_number,
                     (unsigned long long)rows[i].local_seq);
}

static void do_outbox_list(struct call *c)
{
    struct ves_outbox_filter f = {.status_mask = (uint32_t)pick(c, 32),
                                  .has_entity = pick(c, 2),
                                  .entity_key = suite_hash('K', pick(c, 3)),
                                  .after_local_seq = pick(c, 30),
                                  .is_descending = pick(c, 2),
                                  .limit = (uint32_t)pick(c, 6)};

    if (pick(c, 3) == 0)
        do_outbox_promised(c);
    else if (pick(c, 3) == 0)
        say(c, DO(c, outbox_overlay, pick(c, 40), pick(c, 5), suite_see_outbox,
                  c->out));
    else
        say(c, DO(c, outbox_list, &f, suite_see_outbox, c->out));
}

static void do_outbox_get(struct call *c)
{
    struct ves_uuid ids[BATCH];
    struct ves_outbox_row rows[BATCH];

    for (size_t i = 0; i < BATCH; i++)
        ids[i] = suite_uuid('E', pick(c, 200));
    say(c, DO(c, outbox_get, ids, BATCH, &c->arena, rows));
    for (size_t i = 0; i < BATCH; i++)
        suite_print_outbox(c->out, &rows[i]);
}

static void do_commitment_read(struct call *c)
{
    struct ves_uuid batch = suite_uuid('B', pick(c, SUITE_POOL));
    struct ves_commitment_row row;
    uint32_t no = 0;
    enum ves_status status;

    if (pick(c, 3) == 0) {
        say(c, DO(c, commitment_list, pick_stream(c), pick(c, 40),
                  (uint32_t)pick(c, 4), suite_see_commitment, c->out));
        return;
    }
    status = pick(c, 2) ? DO(c, commitment_get, &batch, &no, &row)
                        : DO(c, commitment_covering, pick_stream(c),
                             pick(c, 50), &row);
    say(c, status);
    ves_buf_putf(c->out, "stream %u\n", no);
    if (!status)
        suite_print_commitment(c->out, &row);
}

static void do_credential_get(struct call *c)
{
    struct ves_hash hash = suite_hash('H', pick(c, SUITE_POOL));
    struct ves_credential_row row;
    enum ves_status status = DO(c, credential_get, &hash, &c->arena, &row);

    say(c, status);
    if (!status)
        suite_print_credential(c->out, &row);
}

/* ---- histories ------------------------------------------------------------
 */

typedef void action(struct call *c);

enum { WRITES = 23, READS = 13 };

static action *const writes[2][WRITES] = {
    {do_meta_put,      do_stream_create, do_stream_put,    do_log_append,
     do_log_append,    do_log_judge,     do_log_prune,     do_entity_put,
     do_entity_reset,  do_record,        do_bucket,        do_span_put,
     do_outbox_append, do_outbox_append, do_outbox_update, do_outbox_prune,
     do_conflict_put,  do_member_add,    do_verdict_reset, do_log_give_up,
     do_log_append,    do_follow_put,    do_kept_head_put},
    {do_meta_put,       do_stream_create, do_stream_put,     do_log_append,
     do_log_append,     do_log_judge,     do_log_prune,      do_entity_put,
     do_key_put,        do_record,        do_span_put,       do_key_put,
     do_commitment_put, do_cursor_put,    do_credential_put, do_invitation_put,
     do_conflict_put,   do_member_add,    do_verdict_reset,  do_tlog_append,
     do_tlog_sign,      do_log_append,    do_tlog_append}};

static action *const reads[2][READS] = {
    {do_log_read, do_log_find, do_entity_get, do_entity_scan, do_record_list,
     do_key_read, do_outbox_list, do_outbox_get, do_conflict_read, do_late_read,
     do_leaves_read, do_match, do_bucket_read},
    {do_log_read, do_log_find, do_entity_get, do_entity_scan, do_record_list,
     do_key_read, do_commitment_read, do_credential_get, do_conflict_read,
     do_late_read, do_leaves_read, do_match, do_entity_scan}};

struct history {
    struct suite s; /* got is the model's, want SQLite's */
    struct ves_store *stores[2];
    sqlite3 *db;
    uint64_t seed;
    bool is_writing;
};

static void open_history(struct history *h, enum suite_role role)
{
    struct ves_store_sqlite_options o = {
        .create = true,
        .role = role == SUITE_DEVICE ? VES_STORE_DEVICE : VES_STORE_SEQUENCER};

    ves_buf_init(&h->s.got, ves_alloc_default(), 1 << 26);
    ves_buf_init(&h->s.want, ves_alloc_default(), 1 << 26);
    h->s.role = role;
    assert_int_equal(sqlite3_open(":memory:", &h->db), SQLITE_OK);
    o.connection = h->db;
    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &h->stores[0]),
                     VES_OK);
    assert_int_equal(
        ves_store_sqlite_open(&o, ves_alloc_default(), &h->stores[1], NULL),
        VES_OK);
}

static void close_history(struct history *h)
{
    ves_store_mem_close(h->stores[0]);
    ves_store_sqlite_close(h->stores[1]);
    assert_int_equal(sqlite3_close(h->db), SQLITE_OK);
    ves_buf_free(&h->s.got);
    ves_buf_free(&h->s.want);
}

static void call_both(struct history *h, action *what, uint64_t seed)
{
    struct ves_buf *outs[2] = {&h->s.got, &h->s.want};

    for (int i = 0; i < 2; i++) {
        struct call c = {h->stores[i], h->s.role, seed, {0}, outs[i]};

        ves_arena_init(&c.arena, ves_alloc_default(), 1 << 22);
        what(&c);
        ves_arena_free(&c.arena);
    }
    suite_compare(&h->s);
}

static void begin_both(struct history *h)
{
    for (int i = 0; i < 2; i++)
        assert_int_equal(h->stores[i]->ops->begin(h->stores[i]), VES_OK);
    h->is_writing = true;
}

static void end_both(struct history *h, bool keep, bool crash)
{
    for (int i = 0; i < 2; i++) {
        struct ves_store *store = h->stores[i];

        if (keep)
            assert_int_equal(store->ops->commit(store), VES_OK);
        else if (crash && i == 0)
            ves_store_mem_crash(store);
        else
            store->ops->rollback(store);
    }
    h->is_writing = false;
}

static void step(struct history *h)
{
    uint64_t toss = suite_random(&h->seed) % 100;
    uint64_t seed = suite_random(&h->seed);

    if (toss < 8 && h->is_writing) {
        end_both(h, toss < 5, toss < 7);
    } else if (toss < 8) {
        begin_both(h);
    } else if (toss < 12) {
        suite_dump(h->stores[0], h->s.role, &h->s.got);
        suite_dump(h->stores[1], h->s.role, &h->s.want);
        suite_compare(&h->s);
    } else if (toss < 45 || !h->is_writing) {
        call_both(h, reads[h->s.role][seed % READS], seed / READS);
    } else {
        call_both(h, writes[h->s.role][seed % WRITES], seed / WRITES);
    }
}

static void run_history(uint64_t seed, enum suite_role role)
{
    struct history h;

    memset(&h, 0, sizeof h);
    h.seed = seed;
    open_history(&h, role);
    for (int i = 0; i < STEPS; i++)
        step(&h);
    if (h.is_writing)
        end_both(&h, true, false);
    suite_dump(h.stores[0], role, &h.s.got);
    suite_dump(h.stores[1], role, &h.s.want);
    suite_compare(&h.s);
    close_history(&h);
}

static void run_histories(enum suite_role role)
{
    const char *one = getenv("VES_SEED");
    uint64_t first = one ? strtoull(one, NULL, 10) : 1;
    uint64_t count = one ? 1 : HISTORIES;

    for (uint64_t i = 0; i < count; i++) {
        fprintf(stderr, "# seed %llu\n", (unsigned long long)(first + i));
        run_history(first + i, role);
    }
}

static void a_device_equals_the_model(void **state)
{
    (void)state;
    run_histories(SUITE_DEVICE);
}

static void a_sequencer_equals_the_model(void **state)
{
    (void)state;
    run_histories(SUITE_SEQUENCER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_device_equals_the_model),
        cmocka_unit_test(a_sequencer_equals_the_model),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("store_sqlite against store_mem", tests,
                                       NULL, NULL);
}
