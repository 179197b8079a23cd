/* store_sqlite_keys.c -- agents' keys and their validity in SQLite. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "store/store_sqlite_internal.h"

#define KEY_COLUMNS                                                        \
    "k.tenant, k.agent, k.key_id, k.store, k.public_key, k.valid_from_ms," \
    " k.valid_to_ms, k.revoked_at_ms, k.algorithm, k.registrar, k.proof"

static void key_read(struct ves_sql *q, struct ves_key_row *row)
{
    memset(row, 0, sizeof *row);
    ves_sql_fixed(q, row->tenant.b, sizeof row->tenant.b);
    ves_sql_fixed(q, row->agent.b, sizeof row->agent.b);
    row->key_id = ves_sql_u32(q);
    row->has_store = ves_sql_fixed(q, row->store.b, sizeof row->store.b);
    ves_sql_fixed(q, row->public_key.b, sizeof row->public_key.b);
    row->valid_from_ms = ves_sql_i64(q);
    row->valid_to_ms = ves_sql_i64(q);
    row->revoked_at_ms = ves_sql_i64(q);
    row->algorithm = ves_sql_bytes(q);
    row->registrar = ves_sql_bytes(q);
    row->proof = ves_sql_bytes(q);
}

static enum ves_status key_keep(struct ves_arena *arena,
                                struct ves_key_row *row)
{
    enum ves_status status =
        ves_arena_copy(arena, row->algorithm, &row->algorithm);

    if (!status)
        status = ves_arena_copy(arena, row->registrar, &row->registrar);
    if (!status)
        status = ves_arena_copy(arena, row->proof, &row->proof);
    return status;
}

static void span_read(struct ves_sql *q, struct ves_key_span *span)
{
    span->valid_from_sequence = ves_sql_u64(q);
    span->revoked_at_sequence = ves_sql_u64(q);
    span->is_found = ves_sql_bool(q);
}

enum ves_status ves_sqlite_key_get(struct ves_store *s,
                                   const struct ves_uuid *tenant,
                                   const struct ves_uuid *agent,
                                   uint32_t key_id, struct ves_arena *arena,
                                   struct ves_key_row *row)
{
    struct ves_sql q;
    enum ves_status status =
        ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_KEY_GET,
                     "SELECT " KEY_COLUMNS " FROM ves_agent_keys k"
                     " WHERE tenant = ? AND agent = ? AND key_id = ?");

    if (status)
        return status;
    ves_sql_put_uuid(&q, tenant);
    ves_sql_put_uuid(&q, agent);
    ves_sql_put_i64(&q, key_id);
    status = ves_sql_row(&q);
    if (!status) {
        key_read(&q, row);
        status = ves_sql_check(&q);
    }
    if (!status)
        status = key_keep(arena, row);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_key_put(struct ves_store *s,
                                   const struct ves_key_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    status = ves_sql_open(
        st, &q, VES_SQL_KEY_PUT,
        "INSERT INTO ves_agent_keys (tenant, agent, key_id, store,"
        " public_key, valid_from_ms, valid_to_ms, revoked_at_ms, algorithm,"
        " registrar, proof) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (tenant, agent, key_id) DO UPDATE SET"
        " store = excluded.store, public_key = excluded.public_key,"
        " valid_from_ms = excluded.valid_from_ms,"
        " valid_to_ms = excluded.valid_to_ms,"
        " revoked_at_ms = excluded.revoked_at_ms,"
        " algorithm = excluded.algorithm, registrar = excluded.registrar,"
        " proof = excluded.proof");
    if (status)
        return status;
    ves_sql_put_uuid(&q, &row->tenant);
    ves_sql_put_uuid(&q, &row->agent);
    ves_sql_put_i64(&q, row->key_id);
    ves_sql_put_blob_if(&q, row->has_store, row->store.b, sizeof row->store.b);
    ves_sql_put_blob(&q, row->public_key.b, sizeof row->public_key.b);
    ves_sql_put_i64(&q, row->valid_from_ms);
    ves_sql_put_i64(&q, row->valid_to_ms);
    ves_sql_put_i64(&q, row->revoked_at_ms);
    ves_sql_put_text(&q, row->algorithm);
    ves_sql_put_text(&q, row->registrar);
    ves_sql_put_text(&q, row->proof);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_key_span_get(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *agent,
                                        uint32_t key_id,
                                        struct ves_key_span *span)
{
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        ves_sqlite_of(s), &q, VES_SQL_KEY_SPAN_GET,
        "SELECT valid_from_sequence, revoked_at_sequence FROM ves_key_spans"
        " WHERE stream_no = ? AND agent = ? AND key_id = ?");

    memset(span, 0, sizeof *span);
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_uuid(&q, agent);
    ves_sql_put_i64(&q, key_id);
    status = ves_sql_row(&q);
    if (!status) {
        span->is_found = true;
        span->valid_from_sequence = ves_sql_u64(&q);
        span->revoked_at_sequence = ves_sql_u64(&q);
    }
    ves_sql_close(&q);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* ---- agents' policies -----------------------------------------------------
 */

enum ves_status ves_sqlite_agent_policy_get(struct ves_store *s,
                                            const struct ves_uuid *tenant,
                                            const struct ves_uuid *agent,
                                            struct ves_arena *arena,
                                            struct ves_agent_policy_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;

    *row = (struct ves_agent_policy_row){.tenant = *tenant, .agent = *agent};
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_AGENT_POLICY_GET,
                              "SELECT document, updated_ms FROM"
                              " ves_agent_policies WHERE tenant = ?"
                              " AND agent = ?");
    if (status)
        return status;
    ves_sql_put_uuid(&q, tenant);
    ves_sql_put_uuid(&q, agent);
    status = ves_sql_row(&q);
    if (!status) {
        row->document = ves_sql_bytes(&q);
        row->updated_ms = ves_sql_i64(&q);
        status = ves_sql_check(&q);
    }
    if (!status)
        status = ves_arena_copy(arena, row->document, &row->document);
    ves_sql_close(&q);
    return status;
}

enum ves_status
ves_sqlite_agent_policy_put(struct ves_store *s,
                            const struct ves_agent_policy_row *row)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;

    VES_ASSERT(st->tx != VES_TX_NONE);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    if (!status)
        status = ves_sql_open(
            st, &q, VES_SQL_AGENT_POLICY_PUT,
            "INSERT INTO ves_agent_policies (tenant, agent, document,"
            " updated_ms) VALUES (?, ?, ?, ?) ON CONFLICT (tenant, agent)"
            " DO UPDATE SET document = excluded.document,"
            " updated_ms = excluded.updated_ms");
    if (status)
        return status;
    ves_sql_put_uuid(&q, &row->tenant);
    ves_sql_put_uuid(&q, &row->agent);
    ves_sql_put_text(&q, row->document);
    ves_sql_put_i64(&q, row->updated_ms);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_agent_policy_list(struct ves_store *s,
                                             ves_agent_policy_visitor *visit,
                                             void *ctx)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;

    enum ves_status status = ves_sqlite_need(st, VES_STORE_SEQUENCER);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_AGENT_POLICY_LIST,
                              "SELECT tenant, agent, document, updated_ms FROM"
                              " ves_agent_policies ORDER BY tenant, agent");
    if (status)
        return status;
    while (!status && ves_sql_next(&q)) {
        struct ves_agent_policy_row row;

        ves_sql_fixed(&q, row.tenant.b, sizeof row.tenant.b);
        ves_sql_fixed(&q, row.agent.b, sizeof row.agent.b);
        row.document = ves_sql_bytes(&q);
        row.updated_ms = ves_sql_i64(&q);
        status = ves_sql_check(&q);
        if (!status)
            status = visit(ctx, &row);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}

/* ---- keys as a commit needs them ------------------------------------------
 */

#define KEY_FOUND                                    \
    "SELECT " KEY_COLUMNS ", s.valid_from_sequence," \
    " s.revoked_at_sequence, s.agent IS NOT NULL"
#define KEY_FOUND_FROM                                                    \
    " FROM ves_agent_keys k LEFT JOIN ves_key_spans s ON s.stream_no = ?" \
    " AND s.agent = k.agent AND s.key_id = k.key_id"
#define KEY_FOUND_WHERE " WHERE k.tenant = ? AND k.agent = ? AND k.key_id = ?"

static enum ves_status found_read(struct ves_sql *q, bool has_policies,
                                  struct ves_arena *arena,
                                  struct ves_key_found *found)
{
    key_read(q, &found->row);
    span_read(q, &found->span);
    if (has_policies)
        found->policy = ves_sql_bytes(q);
    enum ves_status status = ves_sql_check(q);
    if (!status)
        status = key_keep(arena, &found->row);
    if (!status)
        status = ves_arena_copy(arena, found->policy, &found->policy);
    found->is_found = !status;
    return status;
}

enum ves_status ves_sqlite_key_find(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *tenant,
                                    const struct ves_key_name *names,
                                    size_t count, struct ves_arena *arena,
                                    struct ves_key_found *found)
{
    /* What a device knows of keys it knows of keys only. */
    bool has_policies = ves_sqlite_of(s)->role == VES_STORE_SEQUENCER;
    struct ves_sql q;
    enum ves_status status = ves_sql_open(
        ves_sqlite_of(s), &q, VES_SQL_KEY_FIND,
        has_policies ? KEY_FOUND ", p.document" KEY_FOUND_FROM
                                 " LEFT JOIN ves_agent_policies p"
                                 " ON p.tenant = k.tenant"
                                 " AND p.agent = k.agent" KEY_FOUND_WHERE
                     : KEY_FOUND KEY_FOUND_FROM KEY_FOUND_WHERE);

    if (status)
        return status;
    for (size_t i = 0; i < count && !status; i++) {
        memset(&found[i], 0, sizeof found[i]);
        q.param = 0;
        ves_sql_put_i64(&q, stream_no);
        ves_sql_put_uuid(&q, tenant);
        ves_sql_put_uuid(&q, &names[i].agent);
        ves_sql_put_i64(&q, names[i].key_id);
        status = ves_sql_row(&q);
        if (!status)
            status = found_read(&q, has_policies, arena, &found[i]);
        else if (status == VES_NOT_FOUND)
            status = VES_OK;
        sqlite3_reset(q.stmt);
    }
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_key_span_put(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *agent,
                                        uint32_t key_id,
                                        const struct ves_key_span *span)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    struct ves_sql q;
    enum ves_status status;

    VES_ASSERT(st->tx != VES_TX_NONE);
    status = ves_sql_open(
        st, &q, VES_SQL_KEY_SPAN_PUT,
        "INSERT INTO ves_key_spans (stream_no, agent, key_id,"
        " valid_from_sequence, revoked_at_sequence) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (stream_no, agent, key_id) DO UPDATE SET"
        " valid_from_sequence = excluded.valid_from_sequence,"
        " revoked_at_sequence = excluded.revoked_at_sequence");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_uuid(&q, agent);
    ves_sql_put_i64(&q, key_id);
    ves_sql_put_u64(&q, span->valid_from_sequence);
    ves_sql_put_u64(&q, span->revoked_at_sequence);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

enum ves_status ves_sqlite_key_span_forget(struct ves_store *s,
                                           uint32_t stream_no,
                                           const struct ves_uuid *agent,
                                           uint32_t key_id)
{
    struct ves_sqlite *st = ves_sqlite_of(s);
    enum ves_status status = ves_sqlite_need(st, VES_STORE_DEVICE);
    struct ves_sql q;

    VES_ASSERT(st->tx != VES_TX_NONE);
    if (!status)
        status = ves_sql_open(st, &q, VES_SQL_KEY_SPAN_FORGET,
                              "DELETE FROM ves_key_spans WHERE stream_no = ?"
                              " AND agent = ? AND key_id = ?");
    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_uuid(&q, agent);
    ves_sql_put_i64(&q, key_id);
    status = ves_sql_run(&q);
    ves_sql_close(&q);
    return status;
}

/* Stream 0 has no spans, so that "not asked" needs no case of its own. */
#define KEY_LIST                                                            \
    "SELECT " KEY_COLUMNS ", s.valid_from_sequence, s.revoked_at_sequence," \
    " s.agent IS NOT NULL FROM ves_agent_keys k"                            \
    " LEFT JOIN ves_key_spans s ON s.stream_no = nullif(?1, 0)"             \
    " AND s.agent = k.agent AND s.key_id = k.key_id WHERE k.tenant = ?2"

enum ves_status ves_sqlite_key_list(struct ves_store *s,
                                    const struct ves_uuid *tenant,
                                    const struct ves_uuid *agent,
                                    uint32_t stream_no, ves_key_visitor *visit,
                                    void *ctx)
{
    struct ves_sql q;
    enum ves_status status =
        agent ? ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_KEY_LIST_AGENT,
                             KEY_LIST " AND k.agent = ?3 ORDER BY k.key_id")
              : ves_sql_open(ves_sqlite_of(s), &q, VES_SQL_KEY_LIST,
                             KEY_LIST " ORDER BY k.agent, k.key_id");

    if (status)
        return status;
    ves_sql_put_i64(&q, stream_no);
    ves_sql_put_uuid(&q, tenant);
    if (agent)
        ves_sql_put_uuid(&q, agent);
    while (!status && ves_sql_next(&q)) {
        struct ves_key_row row;
        struct ves_key_span span;

        key_read(&q, &row);
        span_read(&q, &span);
        status = ves_sql_check(&q);
        if (!status)
            status = visit(ctx, &row, &span);
    }
    if (!status)
        status = ves_sql_check(&q);
    ves_sql_close(&q);
    return status;
}
