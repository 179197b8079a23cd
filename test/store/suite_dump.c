/* suite_dump.c -- everything a store answers, as text. */
#include "core/entity.h"
#include "test/store/suite.h"

struct dump {
    struct ves_store *store;
    const struct ves_store_ops *ops;
    struct ves_buf *out;
    struct ves_arena arena;
};

static void dump_buckets(struct dump *d, uint32_t stream_no)
{
    static struct ves_hash hashes[VES_STATE_BUCKETS];
    static bool is_dirty[VES_STATE_BUCKETS];

    assert_int_equal(
        d->ops->bucket_get_all(d->store, stream_no, hashes, is_dirty), VES_OK);
    for (unsigned i = 0; i < VES_STATE_BUCKETS; i++) {
        if (!is_dirty[i] && ves_hash_is_zero(&hashes[i]))
            continue;
        ves_buf_putf(d->out, "bucket %u %d ", i, is_dirty[i]);
        ves_buf_put_hex(d->out, hashes[i].b, sizeof hashes[i].b);
        ves_buf_put_str(d->out, "\n");
    }
}

static void dump_records(struct dump *d, enum suite_role role,
                         uint32_t stream_no)
{
    for (unsigned kind = 0; kind < VES_RECORD_KINDS; kind++) {
        uint64_t open = 0;

        if (kind ==
            (role == SUITE_DEVICE ? VES_RECORD_REFUSAL : VES_RECORD_QUARANTINE))
            continue;
        assert_int_equal(d->ops->record_count_open(d->store,
                                                   (enum ves_record_kind)kind,
                                                   stream_no, &open),
                         VES_OK);
        ves_buf_putf(d->out, "records %u stream %u open %llu\n", kind,
                     stream_no, (unsigned long long)open);
        assert_int_equal(
            d->ops->record_list(d->store, (enum ves_record_kind)kind, stream_no,
                                0, false, 0, suite_see_record, d->out),
            VES_OK);
    }
}

static void dump_log(struct dump *d, uint32_t stream_no)
{
    struct ves_uuid ids[SUITE_POOL], commands[SUITE_POOL];
    struct ves_id_row rows[2 * SUITE_POOL];
    uint64_t head = 0;

    for (unsigned i = 0; i < SUITE_POOL; i++) {
        ids[i] = suite_uuid('E', i);
        commands[i] = suite_uuid('C', i);
    }
    ves_buf_putf(d->out, "head %d",
                 d->ops->log_head(d->store, stream_no, &head));
    ves_buf_putf(d->out, " %llu\n", (unsigned long long)head);
    assert_int_equal(
        d->ops->log_find_ids(d->store, stream_no, ids, SUITE_POOL, rows),
        VES_OK);
    assert_int_equal(d->ops->log_find_commands(d->store, stream_no, commands,
                                               SUITE_POOL, rows + SUITE_POOL),
                     VES_OK);
    for (unsigned i = 0; i < 2 * SUITE_POOL; i++) {
        ves_buf_putf(d->out, "found %u at %llu ", i,
                     (unsigned long long)rows[i].sequence_number);
        ves_buf_put_hex(d->out, rows[i].fingerprint.b,
                        sizeof rows[i].fingerprint.b);
        ves_buf_put_str(d->out, "\n");
    }
    assert_int_equal(
        d->ops->log_read(d->store, stream_no, 0, 0, suite_see_log, d->out),
        VES_OK);
}

static void dump_conflicts(struct dump *d, uint32_t stream_no)
{
    const struct ves_conflict_filter open = {.open_only = true};
    const struct ves_conflict_filter all = {.is_descending = true};
    uint64_t counts[VES_CONFLICT_KINDS];

    assert_int_equal(d->ops->waiting_list(d->store, stream_no, NULL, 0,
                                          suite_see_waiting, d->out),
                     VES_OK);
    assert_int_equal(d->ops->conflict_list(d->store, stream_no, &open,
                                           suite_see_conflict, d->out),
                     VES_OK);
    assert_int_equal(d->ops->conflict_list(d->store, stream_no, &all,
                                           suite_see_conflict, d->out),
                     VES_OK);
    assert_int_equal(d->ops->conflict_counts(d->store, stream_no, counts),
                     VES_OK);
    for (unsigned i = 0; i < VES_CONFLICT_KINDS; i++)
        ves_buf_putf(d->out, "kind %u %llu\n", i,
                     (unsigned long long)counts[i]);
    for (unsigned i = 0; i < SUITE_POOL; i++) {
        struct ves_hash id = suite_hash('Q', i);

        assert_int_equal(d->ops->member_list(d->store, stream_no, &id,
                                             suite_see_member, d->out),
                         VES_OK);
        assert_int_equal(d->ops->member_find(d->store, stream_no, i,
                                             suite_see_member, d->out),
                         VES_OK);
    }
}

static void dump_sequencer(struct dump *d, uint32_t stream_no)
{
    assert_int_equal(d->ops->commitment_list(d->store, stream_no, 0, 0,
                                             suite_see_commitment, d->out),
                     VES_OK);
    for (unsigned i = 0; i < SUITE_POOL; i++) {
        struct ves_uuid agent = suite_uuid('A', i);
        uint64_t sequence;
        int64_t updated_ms;

        assert_int_equal(d->ops->cursor_get(d->store, stream_no, &agent,
                                            &sequence, &updated_ms),
                         VES_OK);
        ves_buf_putf(d->out, "cursor %u %llu %lld\n", i,
                     (unsigned long long)sequence, (long long)updated_ms);
    }
}

static enum ves_status see_given_up(void *ctx, uint64_t epoch,
                                    const struct ves_log_row *row)
{
    ves_buf_putf(ctx, "epoch %llu ", (unsigned long long)epoch);
    return suite_see_log(ctx, row);
}

static void dump_follow(struct dump *d, uint32_t stream_no)
{
    struct ves_kept_head heads[64];
    struct ves_follow_row row;
    size_t found;
    enum ves_status status =
        d->ops->follow_get(d->store, stream_no, &d->arena, &row);

    assert_true(status == VES_OK || status == VES_NOT_FOUND);
    if (!status)
        suite_print_follow(d->out, &row);
    assert_int_equal(
        d->ops->kept_heads_read(d->store, stream_no, 0, 64, heads, &found),
        VES_OK);
    for (size_t i = 0; i < found; i++) {
        ves_buf_putf(d->out, "kept %llu ", (unsigned long long)heads[i].size);
        ves_buf_put_hex(d->out, heads[i].root.b, sizeof heads[i].root.b);
        ves_buf_put_str(d->out, "\n");
    }
    assert_int_equal(
        d->ops->given_up_read(d->store, stream_no, 0, 0, see_given_up, d->out),
        VES_OK);
}

static void dump_tlog(struct dump *d, uint32_t stream_no)
{
    struct ves_hash hashes[VES_STORE_TILE_WIDTH];
    struct ves_tlog_row row;
    enum ves_status status =
        d->ops->tlog_get(d->store, stream_no, &d->arena, &row);

    struct ves_bytes notes;

    assert_true(status == VES_OK || status == VES_NOT_FOUND);
    if (!status)
        suite_print_tlog(d->out, &row);
    assert_int_equal(
        d->ops->cosigned_get(d->store, stream_no, &d->arena, &notes), VES_OK);
    ves_buf_put_str(d->out, "cosigned ");
    ves_buf_put_bytes(d->out, notes);
    ves_buf_put_str(d->out, "\n");
    for (uint32_t i = 0; i < 2 * VES_STORE_TILE_LEVELS; i++) {
        size_t count;

        assert_int_equal(d->ops->tile_read(d->store, stream_no, i / 2, i % 2,
                                           hashes, &count),
                         VES_OK);
        ves_buf_putf(d->out, "tile %u %u ", i / 2, i % 2);
        ves_buf_put_hex(d->out, hashes, count * VES_HASH_SIZE);
        ves_buf_put_str(d->out, "\n");
    }
    for (unsigned i = 0; i < SUITE_POOL; i++) {
        struct ves_hash id = suite_hash('S', i);
        struct ves_stream_row stream;

        status = d->ops->tlog_find(d->store, &id, &stream);
        assert_true(status == VES_OK || status == VES_NOT_FOUND);
        if (!status)
            suite_print_stream(d->out, &stream);
    }
}

static void dump_spans(struct dump *d, uint32_t stream_no)
{
    for (unsigned i = 0; i < 3 * SUITE_POOL; i++) {
        struct ves_uuid agent = suite_uuid('A', i / 3);
        struct ves_key_span span;

        assert_int_equal(
            d->ops->key_span_get(d->store, stream_no, &agent, i % 3, &span),
            VES_OK);
        if (span.is_found)
            ves_buf_putf(d->out, "span %u %llu %llu\n", i,
                         (unsigned long long)span.valid_from_sequence,
                         (unsigned long long)span.revoked_at_sequence);
    }
}

static void dump_stream(struct dump *d, enum suite_role role,
                        uint32_t stream_no)
{
    struct ves_hash zero = {{0}};

    dump_log(d, stream_no);
    dump_conflicts(d, stream_no);
    assert_int_equal(d->ops->entity_scan(d->store, stream_no, &zero, 0,
                                         ves_bytes(NULL, 0), suite_see_entity,
                                         d->out),
                     VES_OK);
    for (unsigned i = 0; i < 2; i++) {
        struct ves_uuid tenant = suite_uuid('T', i);

        assert_int_equal(d->ops->key_list(d->store, &tenant, NULL, stream_no,
                                          suite_see_key, d->out),
                         VES_OK);
    }
    dump_spans(d, stream_no);
    if (role == SUITE_DEVICE)
        dump_buckets(d, stream_no);
    else
        dump_sequencer(d, stream_no);
    if (role == SUITE_SEQUENCER)
        dump_tlog(d, stream_no);
    else
        dump_follow(d, stream_no);
    dump_records(d, role, stream_no);
}

static void dump_outbox(struct dump *d)
{
    struct ves_outbox_filter all = {0};
    uint64_t counts[VES_OUTBOX_STATUSES];

    assert_int_equal(
        d->ops->outbox_list(d->store, &all, suite_see_outbox, d->out), VES_OK);
    assert_int_equal(d->ops->outbox_counts(d->store, counts), VES_OK);
    for (unsigned i = 0; i < VES_OUTBOX_STATUSES; i++)
        ves_buf_putf(d->out, "count %u %llu\n", i,
                     (unsigned long long)counts[i]);
}

static void dump_invitations(struct dump *d)
{
    assert_int_equal(
        d->ops->credential_list(d->store, suite_see_credential, d->out),
        VES_OK);
    for (unsigned i = 0; i < SUITE_POOL; i++) {
        struct ves_uuid id = suite_uuid('I', i);
        struct ves_invitation_row row;
        enum ves_status status = d->ops->invitation_get(d->store, &id, &row);

        assert_true(status == VES_OK || status == VES_NOT_FOUND);
        if (!status)
            suite_print_invitation(d->out, &row);
    }
}

static const char *const meta_names[] = {"cursor", "claim", "blob", "agent"};

void suite_dump(struct ves_store *store, enum suite_role role,
                struct ves_buf *out)
{
    struct dump d = {store, store->ops, out, {0}};

    ves_arena_init(&d.arena, ves_alloc_default(), 1 << 24);
    for (size_t i = 0; i < sizeof meta_names / sizeof meta_names[0]; i++) {
        struct ves_bytes value;
        enum ves_status status =
            d.ops->meta_get(store, meta_names[i], &d.arena, &value);

        ves_buf_putf(out, "meta %s %d ", meta_names[i], status);
        ves_buf_put_hex(out, value.ptr, value.len);
        ves_buf_put_str(out, "\n");
    }
    assert_int_equal(d.ops->stream_list(store, suite_see_stream, out), VES_OK);
    for (uint32_t no = 0; no <= 3; no++)
        dump_stream(&d, role, no);
    if (role == SUITE_DEVICE)
        dump_outbox(&d);
    else
        dump_invitations(&d);
    ves_arena_free(&d.arena);
}
