/* store_sqlite_sequencer.c -- tables only a sequencer's SQLite file has. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "store/store_sqlite_internal.h"

/* Opens a statement on a sequencer's table. */
static enum ves_status open_here(struct ves_store *s, struct ves_sql *q,
                                 enum ves_sql_id id, const char *text)
{
    enum ves_status status =
        ves_sqlite_need(ves_sqlite_of(s), VES_STORE_SEQUENCER);

    return status ? status : ves_sql_open(ves_sqlite_of(s), q, id, text);
}

static enum ves_status open_to_write(struct ves_store *s, struct ves_sql *q,
                                     enum ves_sql_id id, const char *text)
{
    VES_ASSERT(ves_sqlite_of(s)->tx != VES_TX_NONE);
    return open_here(s, q, id, text);
}

static enum ves_status run_and_close(struct ves_sql *q)
{
    enum ves_status status = ves_sql_run(q);

    ves_sql_close(q);
    return status;
}

/* ---- commitments ----------------------------------------------------------
 */

#define COMMITMENT_COLUMNS                                           \
    "stream_no, sequence_start, sequence_end, batch_id, leaf_count," \
    " merkle_root, prev_state_root, new_state_root, committed_at_ms"

static enum ves_status commitment_read(struct ves_sql *q, uint32_t *stream_no,
                                       struct ves_commitment_row *row)
{
    memset(row, 0, sizeof *row);
    *stream_no = ves_sql_u32(q);
    row->sequence_start = ves_sql_u64(q);
    row->sequence_end = ves_sql_u64(q);
    ves_sql_fixed(q, row->batch_id.b, sizeof row->batch_id.b);
    row->leaf_count = ves_sql_u32(q);
    ves_sql_fixed(q, row->merkle_root.b, sizeof row->merkle_root.b);
    ves_sql_fixed(q, row->prev_state_root.b, sizeof row->prev_state_root.b);
    ves_sql_fixed(q, row->new_state_root.b, sizeof row->new_state_root.b);
    row->committed_at_ms = ves_sql_i64(q);
    return ves_sql_check(q);
}

enum ves_status ves_sqlite_commitment_put(struct ves_store *s,
                                          uint32_t stream_no,
                                          const struct ves_commitment_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_to_write(s, &q, VES_SQL_COMMITMENT_PUT,
                      "INSERT INTO ves_commitments (" COMMITMENT_COLUMNS
                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_u64(&q, row->sequence_start);
    ves_sql_put_u64(&q, row->sequence_end);
    ves_sql_put_uuid(&q, &row->batch_id);
    ves_sql_put_i64(&q, row->leaf_count);
    ves_sql_put_hash(&q, &row->merkle_root);
    ves_sql_put_hash(&q, &row->prev_state_root);
    ves_sql_put_hash(&q, &row->new_state_root);
    ves_sql_put_i64(&q, row->committed_at_ms);
    return run_and_close(&q);
}

enum ves_status ves_sqlite_commitment_get(struct ves_store *s,
                                          const struct ves_uuid *batch_id,
                                          uint32_t *stream_no,
                                          struct ves_commitment_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_COMMITMENT_GET,
                  "SELECT " COMMITMENT_COLUMNS
                  " FROM ves_commitments WHERE batch_id = ?");

    if (status)
        return status;
    ves_sql_put_uuid(&q, batch_id);
    status = ves_sql_row(&q);
    if (!status)
        status = commitment_read(&q, stream_no, row);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_commitment_covering(struct ves_store *s,
                                               uint32_t stream_no,
                                               uint64_t sequence,
                                               struct ves_commitment_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_COMMITMENT_COVERING,
                  "SELECT " COMMITMENT_COLUMNS " FROM ves_commitments"
                  " WHERE stream_no = ? AND sequence_start <= ?"
                  " ORDER BY sequence_start DESC LIMIT 1");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_u64(&q, sequence);
    status = ves_sql_row(&q);
    if (!status)
        status = commitment_read(&q, &stream_no, row);
    if (!status && row->sequence_end < sequence)
        status = VES_NOT_FOUND;
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_commitment_list(struct ves_store *s,
                                           uint32_t stream_no, uint64_t from,
                                           uint32_t limit,
                                           ves_commitment_visitor *visit,
                                           void *ctx)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_COMMITMENT_LIST,
                  "SELECT " COMMITMENT_COLUMNS " FROM ves_commitments"
                  " WHERE stream_no = ? AND sequence_start >= ?"
                  " ORDER BY sequence_start LIMIT ?");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_u64(&q, from);
    ves_sql_put_i64(&q, limit ? (int64_t)limit : -1);
    while (!status && ves_sql_next(&q)) {
        struct ves_commitment_row row;

        status = commitment_read(&q, &stream_no, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- cursors --------------------------------------------------------------
 */

enum ves_status ves_sqlite_cursor_get(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_uuid *agent,
                                      uint64_t *sequence, int64_t *updated_ms)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_CURSOR_GET,
                  "SELECT sequence_number, updated_ms FROM ves_cursors"
                  " WHERE stream_no = ? AND agent = ?");

    *sequence = 0;
    *updated_ms = 0;
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_uuid(&q, agent);
    status = ves_sql_row(&q);
    if (!status) {
        *sequence = ves_sql_u64(&q);
        *updated_ms = ves_sql_i64(&q);
    }
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_sqlite_cursor_put(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_uuid *agent,
                                      uint64_t sequence, int64_t updated_ms)
{
    struct ves_sql q;
    enum ves_status status = open_to_write(
        s, &q, VES_SQL_CURSOR_PUT,
        "INSERT INTO ves_cursors (stream_no, agent, sequence_number,"
        " updated_ms) VALUES (?, ?, ?, ?) ON CONFLICT (stream_no, agent)"
        " DO UPDATE SET sequence_number = excluded.sequence_number,"
        " updated_ms = excluded.updated_ms");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_uuid(&q, agent);
    ves_sql_put_u64(&q, sequence);
    ves_sql_put_i64(&q, updated_ms);
    return run_and_close(&q);
}

/* ---- credentials ----------------------------------------------------------
 */

#define CREDENTIAL_COLUMNS                                            \
    "key_hash, tenant, store, agent, rights, created_ms, expires_ms," \
    " revoked_ms, label"

static enum ves_status credential_read(struct ves_sql *q,
                                       struct ves_credential_row *row)
{
    memset(row, 0, sizeof *row);
    ves_sql_fixed(q, row->key_hash.b, sizeof row->key_hash.b);
    ves_sql_fixed(q, row->tenant.b, sizeof row->tenant.b);
    row->has_store = ves_sql_fixed(q, row->store.b, sizeof row->store.b);
    row->has_agent = ves_sql_fixed(q, row->agent.b, sizeof row->agent.b);
    row->rights = ves_sql_u32(q);
    row->created_ms = ves_sql_i64(q);
    row->expires_ms = ves_sql_i64(q);
    row->revoked_ms = ves_sql_i64(q);
    row->label = ves_sql_bytes(q);
    return ves_sql_check(q);
}

enum ves_status ves_sqlite_credential_get(struct ves_store *s,
                                          const struct ves_hash *key_hash,
                                          struct ves_arena *arena,
                                          struct ves_credential_row *row)
{
    struct ves_sql q;
    enum ves_status status = open_here(s, &q, VES_SQL_CREDENTIAL_GET,
                                       "SELECT " CREDENTIAL_COLUMNS
                                       " FROM ves_api_keys WHERE key_hash = ?");

    if (status)
        return status;
    ves_sql_put_hash(&q, key_hash);
    status = ves_sql_row(&q);
    if (!status)
        status = credential_read(&q, row);
    if (!status)
        status = ves_arena_copy(arena, row->label, &row->label);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_credential_put(struct ves_store *s,
                                          const struct ves_credential_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_to_write(s, &q, VES_SQL_CREDENTIAL_PUT,
                      "INSERT INTO ves_api_keys (" CREDENTIAL_COLUMNS
                      ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
                      " ON CONFLICT (key_hash) DO UPDATE SET"
                      " tenant = excluded.tenant, store = excluded.store,"
                      " agent = excluded.agent, rights = excluded.rights,"
                      " created_ms = excluded.created_ms,"
                      " expires_ms = excluded.expires_ms,"
                      " revoked_ms = excluded.revoked_ms,"
                      " label = excluded.label");

    if (status)
        return status;
    ves_sql_put_hash(&q, &row->key_hash);
    ves_sql_put_uuid(&q, &row->tenant);
    ves_sql_put_blob_if(&q, row->has_store, row->store.b, sizeof row->store.b);
    ves_sql_put_blob_if(&q, row->has_agent, row->agent.b, sizeof row->agent.b);
    ves_sql_put_i64(&q, row->rights);
    ves_sql_put_i64(&q, row->created_ms);
    ves_sql_put_i64(&q, row->expires_ms);
    ves_sql_put_i64(&q, row->revoked_ms);
    ves_sql_put_text(&q, row->label);
    return run_and_close(&q);
}

enum ves_status ves_sqlite_credential_list(struct ves_store *s,
                                           ves_credential_visitor *visit,
                                           void *ctx)
{
    struct ves_sql q;
    enum ves_status status = open_here(s, &q, VES_SQL_CREDENTIAL_LIST,
                                       "SELECT " CREDENTIAL_COLUMNS
                                       " FROM ves_api_keys ORDER BY key_hash");

    if (status)
        return status;
    while (!status && ves_sql_next(&q)) {
        struct ves_credential_row row;

        status = credential_read(&q, &row);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- invitations ----------------------------------------------------------
 */

#define INVITATION_COLUMNS                                               \
    "invitation_id, tenant, store, public_key, owner_signature, rights," \
    " uses_max, uses, created_ms, expires_ms"

enum ves_status ves_sqlite_invitation_get(struct ves_store *s,
                                          const struct ves_uuid *invitation_id,
                                          struct ves_invitation_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        open_here(s, &q, VES_SQL_INVITATION_GET,
                  "SELECT " INVITATION_COLUMNS
                  " FROM ves_invitations WHERE invitation_id = ?");

    if (status)
        return status;
    ves_sql_put_uuid(&q, invitation_id);
    status = ves_sql_row(&q);
    if (!status) {
        memset(row, 0, sizeof *row);
        ves_sql_fixed(&q, row->invitation_id.b, sizeof row->invitation_id.b);
        ves_sql_fixed(&q, row->stream.tenant.b, sizeof row->stream.tenant.b);
        ves_sql_fixed(&q, row->stream.store.b, sizeof row->stream.store.b);
        ves_sql_fixed(&q, row->public_key.b, sizeof row->public_key.b);
        ves_sql_fixed(&q, row->owner_signature.b,
                      sizeof row->owner_signature.b);
        row->rights = ves_sql_u32(&q);
        row->uses_max = ves_sql_u32(&q);
        row->uses = ves_sql_u32(&q);
        row->created_ms = ves_sql_i64(&q);
        row->expires_ms = ves_sql_i64(&q);
        status = ves_sql_check(&q);
    }
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_invitation_put(struct ves_store *s,
                                          const struct ves_invitation_row *row)
{
    struct ves_sql q;
    enum ves_status status = open_to_write(
        s, &q, VES_SQL_INVITATION_PUT,
        "INSERT INTO ves_invitations (" INVITATION_COLUMNS
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (invitation_id) DO UPDATE SET tenant = excluded.tenant,"
        " store = excluded.store, public_key = excluded.public_key,"
        " owner_signature = excluded.owner_signature,"
        " rights = excluded.rights, uses_max = excluded.uses_max,"
        " uses = excluded.uses, created_ms = excluded.created_ms,"
        " expires_ms = excluded.expires_ms");

    if (status)
        return status;
    ves_sql_put_uuid(&q, &row->invitation_id);
    ves_sql_put_uuid(&q, &row->stream.tenant);
    ves_sql_put_uuid(&q, &row->stream.store);
    ves_sql_put_blob(&q, row->public_key.b, sizeof row->public_key.b);
    ves_sql_put_blob(&q, row->owner_signature.b, sizeof row->owner_signature.b);
    ves_sql_put_i64(&q, row->rights);
    ves_sql_put_i64(&q, row->uses_max);
    ves_sql_put_i64(&q, row->uses);
    ves_sql_put_i64(&q, row->created_ms);
    ves_sql_put_i64(&q, row->expires_ms);
    return run_and_close(&q);
}
