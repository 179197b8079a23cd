/* store_pg_sequencer.c -- commitments, cursors, credentials, invitations. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

/* ---- commitments ----------------------------------------------------------
 */

#define COMMITMENT_COLUMNS                                           \
    "stream_no, sequence_start, sequence_end, batch_id, leaf_count," \
    " merkle_root, prev_state_root, new_state_root, committed_at_ms"

static enum ves_status read_commitment(struct ves_pg_call *q,
                                       uint32_t *stream_no,
                                       struct ves_commitment_row *row)
{
    memset(row, 0, sizeof *row);
    *stream_no = ves_pg_u32(q);
    row->sequence_start = ves_pg_u64(q);
    row->sequence_end = ves_pg_u64(q);
    ves_pg_fixed(q, row->batch_id.b, sizeof row->batch_id.b);
    row->leaf_count = ves_pg_u32(q);
    ves_pg_fixed(q, row->merkle_root.b, sizeof row->merkle_root.b);
    ves_pg_fixed(q, row->prev_state_root.b, sizeof row->prev_state_root.b);
    ves_pg_fixed(q, row->new_state_root.b, sizeof row->new_state_root.b);
    row->committed_at_ms = ves_pg_i64(q);
    return ves_pg_check(q);
}

static enum ves_status ask_commitment(struct ves_pg_call *q,
                                      uint32_t *stream_no,
                                      struct ves_commitment_row *row)
{
    enum ves_status status = ves_pg_ask_row(q);

    if (status)
        return status;
    status = read_commitment(q, stream_no, row);
    ves_pg_close(q);
    return status;
}

enum ves_status ves_pg_commitment_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_commitment_row *row)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_call q;
    uint64_t changed = 0;

    VES_ASSERT(!st->is_partial);
    ves_pg_open(st, &q, VES_PG_COMMITMENT_PUT, "iiiuibbbi",
                "INSERT INTO ves_commitments (" COMMITMENT_COLUMNS
                ") SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9"
                " WHERE NOT EXISTS (SELECT 1 FROM ves_commitments"
                "  WHERE batch_id = $4)"
                " ON CONFLICT (stream_no, sequence_start) DO NOTHING");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, row->sequence_start);
    ves_pg_put_u64(&q, row->sequence_end);
    ves_pg_put_uuid(&q, &row->batch_id);
    ves_pg_put_i64(&q, row->leaf_count);
    ves_pg_put_hash(&q, &row->merkle_root);
    ves_pg_put_hash(&q, &row->prev_state_root);
    ves_pg_put_hash(&q, &row->new_state_root);
    ves_pg_put_i64(&q, row->committed_at_ms);
    enum ves_status status = ves_pg_run(&q, &changed);
    if (status || changed > 0)
        return status;
    return ves_fail(&s->error, VES_CONFLICT,
                    "There is a commitment with this batch id or this start. "
                    "Nothing was changed.");
}

enum ves_status ves_pg_commitment_get(struct ves_store *s,
                                      const struct ves_uuid *batch_id,
                                      uint32_t *stream_no,
                                      struct ves_commitment_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_COMMITMENT_GET, "u",
                "SELECT " COMMITMENT_COLUMNS
                " FROM ves_commitments WHERE batch_id = $1");
    ves_pg_put_uuid(&q, batch_id);
    return ask_commitment(&q, stream_no, row);
}

enum ves_status ves_pg_commitment_covering(struct ves_store *s,
                                           uint32_t stream_no,
                                           uint64_t sequence,
                                           struct ves_commitment_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_COMMITMENT_COVERING, "ii",
                "SELECT " COMMITMENT_COLUMNS " FROM ves_commitments"
                " WHERE stream_no = $1 AND sequence_start <= $2"
                " ORDER BY sequence_start DESC LIMIT 1");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, sequence);
    enum ves_status status = ask_commitment(&q, &stream_no, row);
    return !status && row->sequence_end < sequence ? VES_NOT_FOUND : status;
}

static enum ves_status list_page(struct ves_pg *st, uint32_t stream_no,
                                 uint64_t *from, struct ves_pg_scan *scan,
                                 ves_commitment_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_COMMITMENT_LIST, "iii",
                "SELECT " COMMITMENT_COLUMNS " FROM ves_commitments"
                " WHERE stream_no = $1 AND sequence_start >= $2"
                " ORDER BY sequence_start LIMIT $3");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_u64(&q, *from);
    ves_pg_put_u64(&q, scan->rows);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_commitment_row row;

        status = read_commitment(&q, &stream_no, &row);
        scan->got++;
        *from = row.sequence_start + 1;
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_commitment_list(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, uint32_t limit,
                                       ves_commitment_visitor *visit, void *ctx)
{
    struct ves_pg *st = ves_pg_of(s);
    struct ves_pg_scan scan;
    enum ves_status status = ves_pg_scan_begin(st, &scan, limit);

    if (status)
        return status;
    do
        status = list_page(st, stream_no, &from, &scan, visit, ctx);
    while (!status && ves_pg_scan_more(&scan));
    ves_pg_scan_end(st, &scan);
    return status;
}

/* ---- cursors --------------------------------------------------------------
 */

enum ves_status ves_pg_cursor_get(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t *sequence, int64_t *updated_ms)
{
    struct ves_pg_call q;

    *sequence = 0;
    *updated_ms = 0;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_CURSOR_GET, "iu",
                "SELECT sequence_number, updated_ms FROM ves_cursors"
                " WHERE stream_no = $1 AND agent = $2");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_uuid(&q, agent);
    enum ves_status status = ves_pg_ask_row(&q);
    if (!status) {
        *sequence = ves_pg_u64(&q);
        *updated_ms = ves_pg_i64(&q);
        status = ves_pg_check(&q);
        ves_pg_close(&q);
    }
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_pg_cursor_put(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t sequence, int64_t updated_ms)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_CURSOR_PUT, "iuii",
                "INSERT INTO ves_cursors (stream_no, agent, sequence_number,"
                " updated_ms) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (stream_no, agent) DO UPDATE SET"
                " sequence_number = excluded.sequence_number,"
                " updated_ms = excluded.updated_ms");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_uuid(&q, agent);
    ves_pg_put_u64(&q, sequence);
    ves_pg_put_i64(&q, updated_ms);
    return ves_pg_send(&q);
}

/* ---- credentials ----------------------------------------------------------
 */

#define CREDENTIAL_COLUMNS                                            \
    "key_hash, tenant, store, agent, rights, created_ms, expires_ms," \
    " revoked_ms, label"

static enum ves_status read_credential(struct ves_pg_call *q,
                                       struct ves_credential_row *row)
{
    memset(row, 0, sizeof *row);
    ves_pg_fixed(q, row->key_hash.b, sizeof row->key_hash.b);
    ves_pg_fixed(q, row->tenant.b, sizeof row->tenant.b);
    row->has_store = ves_pg_fixed(q, row->store.b, sizeof row->store.b);
    row->has_agent = ves_pg_fixed(q, row->agent.b, sizeof row->agent.b);
    row->rights = ves_pg_u32(q);
    row->created_ms = ves_pg_i64(q);
    row->expires_ms = ves_pg_i64(q);
    row->revoked_ms = ves_pg_i64(q);
    row->label = ves_pg_bytes(q);
    return ves_pg_check(q);
}

enum ves_status ves_pg_credential_get(struct ves_store *s,
                                      const struct ves_hash *key_hash,
                                      struct ves_arena *arena,
                                      struct ves_credential_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_CREDENTIAL_GET, "b",
                "SELECT " CREDENTIAL_COLUMNS
                " FROM ves_api_keys WHERE key_hash = $1");
    ves_pg_put_hash(&q, key_hash);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    status = read_credential(&q, row);
    if (!status)
        status = ves_arena_copy(arena, row->label, &row->label);
    ves_pg_close(&q);
    return status;
}

static enum ves_status mark_credentials(struct ves_pg *st)
{
    struct ves_pg_call q;

    ves_pg_open(st, &q, VES_PG_CREDENTIAL_MARK, "w",
                "INSERT INTO ves_meta (name, value)"
                " VALUES ($1, gen_random_uuid()::text::bytea)"
                " ON CONFLICT (name) DO UPDATE SET value = excluded.value");
    ves_pg_put_word(&q, VES_STORE_PG_CREDENTIALS);
    return ves_pg_send(&q);
}

enum ves_status ves_pg_credential_put(struct ves_store *s,
                                      const struct ves_credential_row *row)
{
    struct ves_pg_call q;

    VES_ASSERT(!ves_pg_of(s)->is_partial);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_CREDENTIAL_PUT, "buuuiiiib",
                "INSERT INTO ves_api_keys (" CREDENTIAL_COLUMNS
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
                " ON CONFLICT (key_hash) DO UPDATE SET"
                " tenant = excluded.tenant, store = excluded.store,"
                " agent = excluded.agent, rights = excluded.rights,"
                " created_ms = excluded.created_ms,"
                " expires_ms = excluded.expires_ms,"
                " revoked_ms = excluded.revoked_ms, label = excluded.label");
    ves_pg_put_hash(&q, &row->key_hash);
    ves_pg_put_uuid(&q, &row->tenant);
    ves_pg_put_uuid_if(&q, row->has_store, &row->store);
    ves_pg_put_uuid_if(&q, row->has_agent, &row->agent);
    ves_pg_put_i64(&q, row->rights);
    ves_pg_put_i64(&q, row->created_ms);
    ves_pg_put_i64(&q, row->expires_ms);
    ves_pg_put_i64(&q, row->revoked_ms);
    ves_pg_put_bytes(&q, row->label);
    enum ves_status status = ves_pg_send(&q);
    return status ? status : mark_credentials(ves_pg_of(s));
}

enum ves_status ves_pg_credential_list(struct ves_store *s,
                                       ves_credential_visitor *visit, void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_CREDENTIAL_LIST, "",
                "SELECT " CREDENTIAL_COLUMNS
                " FROM ves_api_keys ORDER BY key_hash");
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_credential_row row;

        status = read_credential(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}

/* ---- invitations ----------------------------------------------------------
 */

#define INVITATION_COLUMNS                                               \
    "invitation_id, tenant, store, public_key, owner_signature, rights," \
    " uses_max, uses, created_ms, expires_ms"

enum ves_status ves_pg_invitation_get(struct ves_store *s,
                                      const struct ves_uuid *invitation_id,
                                      struct ves_invitation_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_INVITATION_GET, "u",
                "SELECT " INVITATION_COLUMNS
                " FROM ves_invitations WHERE invitation_id = $1");
    ves_pg_put_uuid(&q, invitation_id);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    memset(row, 0, sizeof *row);
    ves_pg_fixed(&q, row->invitation_id.b, sizeof row->invitation_id.b);
    ves_pg_fixed(&q, row->stream.tenant.b, sizeof row->stream.tenant.b);
    ves_pg_fixed(&q, row->stream.store.b, sizeof row->stream.store.b);
    ves_pg_fixed(&q, row->public_key.b, sizeof row->public_key.b);
    ves_pg_fixed(&q, row->owner_signature.b, sizeof row->owner_signature.b);
    row->rights = ves_pg_u32(&q);
    row->uses_max = ves_pg_u32(&q);
    row->uses = ves_pg_u32(&q);
    row->created_ms = ves_pg_i64(&q);
    row->expires_ms = ves_pg_i64(&q);
    status = ves_pg_check(&q);
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_invitation_put(struct ves_store *s,
                                      const struct ves_invitation_row *row)
{
    struct ves_pg_call q;

    VES_ASSERT(!ves_pg_of(s)->is_partial);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_INVITATION_PUT, "uuubbiiiii",
                "INSERT INTO ves_invitations (" INVITATION_COLUMNS
                ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
                " ON CONFLICT (invitation_id) DO UPDATE SET"
                " tenant = excluded.tenant, store = excluded.store,"
                " public_key = excluded.public_key,"
                " owner_signature = excluded.owner_signature,"
                " rights = excluded.rights, uses_max = excluded.uses_max,"
                " uses = excluded.uses, created_ms = excluded.created_ms,"
                " expires_ms = excluded.expires_ms");
    ves_pg_put_uuid(&q, &row->invitation_id);
    ves_pg_put_uuid(&q, &row->stream.tenant);
    ves_pg_put_uuid(&q, &row->stream.store);
    ves_pg_put_blob(&q, row->public_key.b, sizeof row->public_key.b);
    ves_pg_put_blob(&q, row->owner_signature.b, sizeof row->owner_signature.b);
    ves_pg_put_i64(&q, row->rights);
    ves_pg_put_i64(&q, row->uses_max);
    ves_pg_put_i64(&q, row->uses);
    ves_pg_put_i64(&q, row->created_ms);
    ves_pg_put_i64(&q, row->expires_ms);
    return ves_pg_send(&q);
}
