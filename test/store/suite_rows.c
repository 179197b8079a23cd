/* suite_rows.c -- rows from seeds, and rows as text. */
#include <stdio.h>
#include <string.h>

#include "test/store/suite.h"

/* ---- from seeds -----------------------------------------------------------
 */

uint64_t suite_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void fill(uint64_t *seed, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)suite_random(seed);
}

struct ves_uuid suite_uuid(char kind, uint64_t n)
{
    struct ves_uuid id = {{0}};

    id.b[0] = (uint8_t)kind;
    for (int i = 0; i < 8; i++)
        id.b[15 - i] = (uint8_t)(n >> 8 * i);
    return id;
}

struct ves_hash suite_hash(char kind, uint64_t n)
{
    struct ves_hash hash = {{0}};

    /* Spread, so that order by key is not order by n. */
    hash.b[0] = (uint8_t)(n * 151);
    hash.b[1] = (uint8_t)kind;
    for (int i = 0; i < 8; i++)
        hash.b[31 - i] = (uint8_t)(n >> 8 * i);
    return hash;
}

struct ves_stream suite_stream(uint64_t n)
{
    struct ves_stream stream = {suite_uuid('T', n), suite_uuid('S', n)};

    return stream;
}

static uint64_t number(uint64_t *seed)
{
    return suite_random(seed) >> (1 + suite_random(seed) % 63);
}

static int64_t time_ms(uint64_t *seed)
{
    return suite_random(seed) % 4 ? (int64_t)(number(seed) >> 20) : 0;
}

static bool chance(uint64_t *seed)
{
    return suite_random(seed) % 2;
}

static struct ves_bytes text(uint64_t *seed, struct ves_arena *arena,
                             size_t max)
{
    static const char *const pieces[] = {
        "a", "order", "\"", "\xc3\xa9", "\xe2\x82\xac", "'", " ", "0", "}"};
    size_t want = suite_random(seed) % (max + 1), len = 0;
    uint8_t *out = ves_arena_bytes(arena, max + 1);

    assert_non_null(out);
    while (len < want) {
        const char *piece =
            pieces[suite_random(seed) % (sizeof pieces / sizeof pieces[0])];
        size_t n = strlen(piece);

        if (len + n > max)
            break;
        memcpy(out + len, piece, n);
        len += n;
    }
    return ves_bytes(out, len);
}

static struct ves_bytes blob(uint64_t *seed, struct ves_arena *arena,
                             size_t max)
{
    size_t len = chance(seed) ? suite_random(seed) % (max + 1) : 0;
    uint8_t *out = ves_arena_bytes(arena, max + 1);

    assert_non_null(out);
    fill(seed, out, len);
    return ves_bytes(out, len);
}

void suite_fill_log(struct ves_log_row *row, struct ves_arena *arena,
                    uint64_t seed)
{
    memset(row, 0, sizeof *row);
    fill(&seed, &row->event_hash, sizeof row->event_hash);
    fill(&seed, &row->fingerprint, sizeof row->fingerprint);
    fill(&seed, &row->signature, sizeof row->signature);
    fill(&seed, &row->agent, sizeof row->agent);
    row->agent_key_id = (uint32_t)suite_random(&seed);
    row->agent_seq = number(&seed);
    row->has_command_id = chance(&seed);
    if (row->has_command_id)
        row->command_id = suite_uuid('C', suite_random(&seed) % SUITE_POOL);
    fill(&seed, &row->entity_key, sizeof row->entity_key);
    row->entity_index = number(&seed);
    row->entity_prev = number(&seed);
    row->entity_jump = number(&seed);
    row->verdict = (uint32_t)(suite_random(&seed) % 5);
    row->applied_at = number(&seed);
    row->version = number(&seed);
    row->sub_code = text(&seed, arena, 12);
    row->note = text(&seed, arena, 40);
    row->is_fact = chance(&seed);
    row->has_waited = chance(&seed);
    row->has_conflict_id = chance(&seed);
    if (row->has_conflict_id)
        fill(&seed, &row->conflict_id, sizeof row->conflict_id);
    if (chance(&seed))
        row->waits_for = suite_hash('W', suite_random(&seed) % SUITE_POOL);
    row->effects = blob(&seed, arena, 60);
    row->opposite = text(&seed, arena, 60);
    row->sequenced_at_ms = time_ms(&seed);
    if (chance(&seed))
        fill(&seed, &row->sequencer_id, sizeof row->sequencer_id);
    row->has_receipt = chance(&seed);
    if (row->has_receipt) {
        fill(&seed, &row->receipt, sizeof row->receipt);
        row->receipt_key_version = (uint32_t)suite_random(&seed);
    }
    row->envelope = text(&seed, arena, 300);
    row->raw = blob(&seed, arena, 300);
}

struct ves_entity_name suite_entity_name(uint64_t n)
{
    enum { NAMES = 400 };
    static const char *const ids[] = {"a", "\"b\\", "c d", "\xC3\xA4"};
    static char texts[NAMES][32];

    assert_true(n < NAMES);
    snprintf(texts[n], sizeof texts[n], "%s-%d", ids[n / 3 % 4], (int)n);
    return (struct ves_entity_name){suite_hash('K', n),
                                    ves_bytes_str(n % 3 ? "order" : "customer"),
                                    ves_bytes_str(texts[n])};
}

void suite_fill_entity(struct ves_entity_row *row, struct ves_arena *arena,
                       uint64_t n, uint64_t seed)
{
    struct ves_entity_name name = suite_entity_name(n);

    memset(row, 0, sizeof *row);
    row->is_found = true;
    row->key = name.key;
    row->entity_type = name.type;
    row->entity_id = name.id;
    row->count = number(&seed);
    row->last = number(&seed);
    row->last_jump = number(&seed);
    row->version = number(&seed);
    if (chance(&seed))
        fill(&seed, &row->head, sizeof row->head);
    row->head_applied_at = number(&seed);
    row->state = text(&seed, arena, 200);
    if (row->state.len > 0)
        fill(&seed, &row->state_hash, sizeof row->state_hash);
    row->own_count = number(&seed);
    if (chance(&seed))
        fill(&seed, &row->own_head, sizeof row->own_head);
    row->own_last = number(&seed);
    row->written_at = number(&seed);
    row->tombstone = number(&seed);
}

void suite_fill_moving(struct ves_outbox_row *row, struct ves_arena *arena,
                       uint64_t seed)
{
    row->status =
        (enum ves_outbox_status)(suite_random(&seed) % VES_OUTBOX_STATUSES);
    row->claim = suite_random(&seed);
    row->attempts = (uint32_t)suite_random(&seed);
    row->next_attempt_ms = time_ms(&seed);
    row->error_class =
        (uint32_t)(suite_random(&seed) % (VES_ERROR_REFUSED + 1));
    row->error = text(&seed, arena, 40);
    row->is_refused = chance(&seed);
    memset(&row->refusal_signature, 0, sizeof row->refusal_signature);
    if (row->is_refused)
        fill(&seed, &row->refusal_signature, sizeof row->refusal_signature);
    row->sequence_number = number(&seed);
    memset(&row->sequencer_id, 0, sizeof row->sequencer_id);
    if (chance(&seed))
        fill(&seed, &row->sequencer_id, sizeof row->sequencer_id);
    row->sequenced_at_ms = time_ms(&seed);
    row->has_receipt = chance(&seed);
    memset(&row->receipt, 0, sizeof row->receipt);
    row->receipt_key_version = 0;
    if (row->has_receipt) {
        fill(&seed, &row->receipt, sizeof row->receipt);
        row->receipt_key_version = (uint32_t)suite_random(&seed);
    }
    row->has_verdict = chance(&seed);
    row->verdict = row->has_verdict ? (uint32_t)(suite_random(&seed) % 5) : 0;
    row->disposition = ves_bytes_str(chance(&seed) ? "applied" : "");
    row->pushed_ms = time_ms(&seed);
    row->synced_ms = (int64_t)(suite_random(&seed) % 100);
    row->is_in_overlay = chance(&seed);
    row->is_likely_conflict = chance(&seed);
}

void suite_fill_outbox(struct ves_outbox_row *row, struct ves_arena *arena,
                       uint64_t seed)
{
    memset(row, 0, sizeof *row);
    suite_fill_moving(row, arena, seed);
    fill(&seed, &row->event_hash, sizeof row->event_hash);
    row->agent_seq = number(&seed);
    row->entity_key = suite_hash('K', suite_random(&seed) % 3);
    row->entity_type = text(&seed, arena, 20);
    row->entity_id = text(&seed, arena, 20);
    row->event_type = text(&seed, arena, 20);
    row->created_at = text(&seed, arena, 30);
    row->created_ms = time_ms(&seed);
    row->has_command_id = chance(&seed);
    if (row->has_command_id)
        row->command_id = suite_uuid('C', suite_random(&seed) % SUITE_POOL);
    row->cmd_index = (uint32_t)suite_random(&seed);
    row->cmd_count = (uint32_t)suite_random(&seed);
    row->entity_prev = number(&seed);
    row->envelope = text(&seed, arena, 300);
}

void suite_fill_record(struct ves_record *row, struct ves_arena *arena,
                       uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->at_ms = time_ms(&seed);
    row->sequence_number = number(&seed);
    row->has_event_id = chance(&seed);
    if (row->has_event_id)
        fill(&seed, &row->event_id, sizeof row->event_id);
    row->code = text(&seed, arena, 12);
    row->detail = text(&seed, arena, 60);
    row->body = blob(&seed, arena, 200);
    row->has_signature = chance(&seed);
    if (row->has_signature)
        fill(&seed, &row->signature, sizeof row->signature);
}

void suite_fill_key(struct ves_key_row *row, struct ves_arena *arena,
                    uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->tenant = suite_uuid('T', suite_random(&seed) % 2);
    row->agent = suite_uuid('A', suite_random(&seed) % SUITE_POOL);
    row->key_id = (uint32_t)(suite_random(&seed) % 3);
    row->has_store = chance(&seed);
    if (row->has_store)
        fill(&seed, &row->store, sizeof row->store);
    fill(&seed, &row->public_key, sizeof row->public_key);
    row->valid_from_ms = time_ms(&seed);
    row->valid_to_ms = time_ms(&seed);
    row->revoked_at_ms = time_ms(&seed);
    row->algorithm = text(&seed, arena, 10);
    row->registrar = text(&seed, arena, 20);
    row->proof = text(&seed, arena, 60);
}

void suite_fill_commitment(struct ves_commitment_row *row, uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->sequence_start = 1 + suite_random(&seed) % 40;
    row->sequence_end = row->sequence_start + suite_random(&seed) % 10;
    row->batch_id = suite_uuid('B', suite_random(&seed) % SUITE_POOL);
    row->leaf_count = (uint32_t)suite_random(&seed);
    fill(&seed, &row->merkle_root, sizeof row->merkle_root);
    fill(&seed, &row->prev_state_root, sizeof row->prev_state_root);
    fill(&seed, &row->new_state_root, sizeof row->new_state_root);
    row->committed_at_ms = time_ms(&seed);
}

void suite_fill_credential(struct ves_credential_row *row,
                           struct ves_arena *arena, uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->key_hash = suite_hash('H', suite_random(&seed) % SUITE_POOL);
    fill(&seed, &row->tenant, sizeof row->tenant);
    row->has_store = chance(&seed);
    if (row->has_store)
        fill(&seed, &row->store, sizeof row->store);
    row->has_agent = chance(&seed);
    if (row->has_agent)
        fill(&seed, &row->agent, sizeof row->agent);
    row->rights = (uint32_t)suite_random(&seed);
    row->created_ms = time_ms(&seed);
    row->expires_ms = time_ms(&seed);
    row->revoked_ms = time_ms(&seed);
    row->label = text(&seed, arena, 30);
}

void suite_fill_follow(struct ves_follow_row *row, struct ves_arena *arena,
                       uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->edge = text(&seed, arena, 40);
    row->origin = text(&seed, arena, 20);
    row->note = text(&seed, arena, 60);
    row->key_version = (uint32_t)suite_random(&seed);
    row->logged = suite_random(&seed) % 1000;
    row->witnessed = suite_random(&seed) % 1000;
    row->verified_ms = time_ms(&seed);
}

void suite_fill_invitation(struct ves_invitation_row *row, uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->invitation_id = suite_uuid('I', suite_random(&seed) % SUITE_POOL);
    fill(&seed, &row->stream, sizeof row->stream);
    fill(&seed, &row->public_key, sizeof row->public_key);
    fill(&seed, &row->owner_signature, sizeof row->owner_signature);
    row->rights = (uint32_t)suite_random(&seed);
    row->uses_max = (uint32_t)suite_random(&seed);
    row->uses = (uint32_t)suite_random(&seed);
    row->created_ms = time_ms(&seed);
    row->expires_ms = time_ms(&seed);
}

void suite_fill_conflict(struct ves_conflict_row *row, struct ves_arena *arena,
                         uint64_t seed)
{
    memset(row, 0, sizeof *row);
    row->is_found = true;
    row->opened = 1 + suite_random(&seed) % 30;
    row->id = suite_hash('Q', row->opened);
    fill(&seed, &row->entity_key, sizeof row->entity_key);
    row->kind = 1 + (uint32_t)(suite_random(&seed) % (VES_CONFLICT_KINDS - 1));
    row->kinds = (uint32_t)(suite_random(&seed) % 16);
    row->sub_code = text(&seed, arena, 20);
    row->branch_count = number(&seed);
    fill(&seed, &row->branch_digest, sizeof row->branch_digest);
    row->has_branch_fact = chance(&seed);
    row->has_applied_fact = chance(&seed);
    if (chance(&seed))
        return;
    row->closed = number(&seed) | 1;
    fill(&seed, &row->closed_by, sizeof row->closed_by);
    row->winner = 1 + (uint32_t)(suite_random(&seed) % 3);
}

void suite_fill_member(struct ves_conflict_member *member, uint64_t seed)
{
    memset(member, 0, sizeof *member);
    member->conflict_id = suite_hash('Q', 1 + suite_random(&seed) % 4);
    member->side = (uint32_t)(suite_random(&seed) % 2);
    member->place = 1 + suite_random(&seed) % 4;
    member->sequence_number = 1 + suite_random(&seed) % SUITE_POOL;
    fill(&seed, &member->event_hash, sizeof member->event_hash);
}

/* ---- as text --------------------------------------------------------------
 */

#define U64(x) print_u64(out, #x, (uint64_t)row->x)
#define HEX(x) print_hex(out, #x, &row->x, sizeof row->x)
#define TXT(x) print_bytes(out, #x, row->x)

static void print_u64(struct ves_buf *out, const char *name, uint64_t value)
{
    ves_buf_putf(out, " %s=%llu", name, (unsigned long long)value);
}

static void print_hex(struct ves_buf *out, const char *name, const void *data,
                      size_t len)
{
    ves_buf_putf(out, " %s=", name);
    ves_buf_put_hex(out, data, len);
}

static void print_bytes(struct ves_buf *out, const char *name,
                        struct ves_bytes bytes)
{
    print_hex(out, name, bytes.ptr, bytes.len);
}

void suite_print_stream(struct ves_buf *out, const struct ves_stream_row *row)
{
    ves_buf_put_str(out, "stream");
    U64(stream_no);
    HEX(stream);
    U64(head);
    U64(has_owner_key);
    HEX(owner_key);
    U64(committed_end);
    HEX(state_root);
    ves_buf_put_str(out, "\n");
}

void suite_print_log(struct ves_buf *out, const struct ves_log_row *row)
{
    ves_buf_put_str(out, "log");
    U64(sequence_number);
    HEX(event_id);
    HEX(event_hash);
    HEX(fingerprint);
    HEX(signature);
    HEX(agent);
    U64(agent_key_id);
    U64(agent_seq);
    U64(has_command_id);
    HEX(command_id);
    HEX(entity_key);
    U64(entity_index);
    U64(entity_prev);
    U64(entity_jump);
    U64(verdict);
    U64(applied_at);
    U64(version);
    TXT(sub_code);
    TXT(note);
    U64(is_fact);
    U64(has_waited);
    U64(has_conflict_id);
    HEX(conflict_id);
    HEX(waits_for);
    TXT(effects);
    TXT(opposite);
    U64(sequenced_at_ms);
    HEX(sequencer_id);
    U64(has_receipt);
    HEX(receipt);
    U64(receipt_key_version);
    TXT(envelope);
    TXT(raw);
    ves_buf_put_str(out, "\n");
}

void suite_print_entity(struct ves_buf *out, const struct ves_entity_row *row)
{
    ves_buf_put_str(out, "entity");
    HEX(key);
    U64(is_found);
    TXT(entity_type);
    TXT(entity_id);
    U64(count);
    U64(last);
    U64(last_jump);
    U64(version);
    HEX(head);
    U64(head_applied_at);
    TXT(state);
    HEX(state_hash);
    U64(own_count);
    HEX(own_head);
    U64(own_last);
    U64(written_at);
    U64(tombstone);
    ves_buf_put_str(out, "\n");
}

void suite_print_conflict(struct ves_buf *out,
                          const struct ves_conflict_row *row)
{
    ves_buf_put_str(out, "conflict");
    HEX(id);
    U64(is_found);
    U64(opened);
    HEX(entity_key);
    U64(kind);
    U64(kinds);
    TXT(sub_code);
    U64(branch_count);
    HEX(branch_digest);
    U64(has_branch_fact);
    U64(has_applied_fact);
    U64(closed);
    HEX(closed_by);
    U64(winner);
    ves_buf_put_str(out, "\n");
}

void suite_print_member(struct ves_buf *out,
                        const struct ves_conflict_member *row)
{
    ves_buf_put_str(out, "member");
    HEX(conflict_id);
    U64(side);
    U64(place);
    U64(sequence_number);
    HEX(event_hash);
    ves_buf_put_str(out, "\n");
}

void suite_print_outbox(struct ves_buf *out, const struct ves_outbox_row *row)
{
    ves_buf_put_str(out, "outbox");
    U64(local_seq);
    HEX(event_id);
    HEX(event_hash);
    U64(agent_seq);
    HEX(entity_key);
    TXT(entity_type);
    TXT(entity_id);
    TXT(event_type);
    TXT(created_at);
    U64(created_ms);
    U64(has_command_id);
    HEX(command_id);
    U64(cmd_index);
    U64(cmd_count);
    U64(entity_prev);
    TXT(envelope);
    U64(status);
    U64(claim);
    U64(attempts);
    U64(next_attempt_ms);
    U64(error_class);
    TXT(error);
    U64(is_refused);
    HEX(refusal_signature);
    U64(sequence_number);
    HEX(sequencer_id);
    U64(sequenced_at_ms);
    U64(has_receipt);
    HEX(receipt);
    U64(receipt_key_version);
    U64(has_verdict);
    U64(verdict);
    TXT(disposition);
    U64(pushed_ms);
    U64(synced_ms);
    U64(is_in_overlay);
    U64(is_likely_conflict);
    ves_buf_put_str(out, "\n");
}

void suite_print_record(struct ves_buf *out, const struct ves_record *row)
{
    ves_buf_put_str(out, "record");
    U64(no);
    U64(at_ms);
    U64(sequence_number);
    U64(has_event_id);
    HEX(event_id);
    TXT(code);
    TXT(detail);
    TXT(body);
    U64(has_signature);
    HEX(signature);
    U64(closed_ms);
    ves_buf_put_str(out, "\n");
}

void suite_print_key(struct ves_buf *out, const struct ves_key_row *row,
                     const struct ves_key_span *span)
{
    ves_buf_put_str(out, "key");
    HEX(tenant);
    U64(has_store);
    HEX(store);
    HEX(agent);
    U64(key_id);
    HEX(public_key);
    U64(valid_from_ms);
    U64(valid_to_ms);
    U64(revoked_at_ms);
    TXT(algorithm);
    TXT(registrar);
    TXT(proof);
    if (span)
        ves_buf_putf(out, " span=%d %llu %llu", span->is_found,
                     (unsigned long long)span->valid_from_sequence,
                     (unsigned long long)span->revoked_at_sequence);
    ves_buf_put_str(out, "\n");
}

void suite_print_commitment(struct ves_buf *out,
                            const struct ves_commitment_row *row)
{
    ves_buf_put_str(out, "commitment");
    HEX(batch_id);
    U64(sequence_start);
    U64(sequence_end);
    U64(leaf_count);
    HEX(merkle_root);
    HEX(prev_state_root);
    HEX(new_state_root);
    U64(committed_at_ms);
    ves_buf_put_str(out, "\n");
}

void suite_print_credential(struct ves_buf *out,
                            const struct ves_credential_row *row)
{
    ves_buf_put_str(out, "credential");
    HEX(key_hash);
    HEX(tenant);
    U64(has_store);
    HEX(store);
    U64(has_agent);
    HEX(agent);
    U64(rights);
    U64(created_ms);
    U64(expires_ms);
    U64(revoked_ms);
    TXT(label);
    ves_buf_put_str(out, "\n");
}

void suite_print_tlog(struct ves_buf *out, const struct ves_tlog_row *row)
{
    ves_buf_put_str(out, "tlog ");
    ves_buf_put_hex(out, row->stream_id.b, sizeof row->stream_id.b);
    ves_buf_put_str(out, " edge=");
    ves_buf_put_hex(out, row->edge.ptr, row->edge.len);
    ves_buf_putf(out, " signed=%llu ", (unsigned long long)row->signed_size);
    ves_buf_put_hex(out, row->signed_root.b, sizeof row->signed_root.b);
    ves_buf_put_str(out, " note=");
    ves_buf_put_hex(out, row->note.ptr, row->note.len);
    ves_buf_putf(out, " at=%lld frozen=%lld ", (long long)row->signed_at_ms,
                 (long long)row->frozen_at_ms);
    ves_buf_put(out, row->frozen_why.ptr, row->frozen_why.len);
    ves_buf_put_str(out, "\n");
}

void suite_print_follow(struct ves_buf *out, const struct ves_follow_row *row)
{
    ves_buf_put_str(out, "follow");
    TXT(edge);
    TXT(origin);
    TXT(note);
    U64(key_version);
    U64(logged);
    U64(witnessed);
    U64(verified_ms);
    ves_buf_put_str(out, "\n");
}

void suite_print_invitation(struct ves_buf *out,
                            const struct ves_invitation_row *row)
{
    ves_buf_put_str(out, "invitation");
    HEX(invitation_id);
    HEX(stream);
    HEX(public_key);
    HEX(owner_signature);
    U64(rights);
    U64(uses_max);
    U64(uses);
    U64(created_ms);
    U64(expires_ms);
    ves_buf_put_str(out, "\n");
}

/* ---- visitors -------------------------------------------------------------
 */

enum ves_status suite_see_stream(void *ctx, const struct ves_stream_row *row)
{
    suite_print_stream(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_log(void *ctx, const struct ves_log_row *row)
{
    suite_print_log(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_entity(void *ctx, const struct ves_entity_row *row)
{
    suite_print_entity(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_waiting(void *ctx, uint64_t sequence,
                                  const struct ves_hash *waits_for)
{
    ves_buf_putf(ctx, "%llu waits for ", (unsigned long long)sequence);
    ves_buf_put_hex(ctx, waits_for->b, sizeof waits_for->b);
    ves_buf_put_str(ctx, "\n");
    return VES_OK;
}

enum ves_status suite_see_conflict(void *ctx,
                                   const struct ves_conflict_row *row)
{
    suite_print_conflict(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_member(void *ctx,
                                 const struct ves_conflict_member *member)
{
    suite_print_member(ctx, member);
    return VES_OK;
}

enum ves_status suite_see_outbox(void *ctx, const struct ves_outbox_row *row)
{
    suite_print_outbox(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_record(void *ctx, const struct ves_record *row)
{
    suite_print_record(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_key(void *ctx, const struct ves_key_row *row,
                              const struct ves_key_span *span)
{
    suite_print_key(ctx, row, span);
    return VES_OK;
}

enum ves_status suite_see_commitment(void *ctx,
                                     const struct ves_commitment_row *row)
{
    suite_print_commitment(ctx, row);
    return VES_OK;
}

enum ves_status suite_see_credential(void *ctx,
                                     const struct ves_credential_row *row)
{
    suite_print_credential(ctx, row);
    return VES_OK;
}
