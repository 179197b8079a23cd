/* store_pg_keys.c -- agents' keys and their validity in PostgreSQL. */
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "pg/store_pg_internal.h"

#define KEY_COLUMNS                                                        \
    "k.tenant, k.agent, k.key_id, k.store, k.public_key, k.valid_from_ms," \
    " k.valid_to_ms, k.revoked_at_ms, k.algorithm, k.registrar, k.proof"

static void read_key(struct ves_pg_call *q, struct ves_key_row *row)
{
    memset(row, 0, sizeof *row);
    ves_pg_fixed(q, row->tenant.b, sizeof row->tenant.b);
    ves_pg_fixed(q, row->agent.b, sizeof row->agent.b);
    row->key_id = ves_pg_u32(q);
    row->has_store = ves_pg_fixed(q, row->store.b, sizeof row->store.b);
    ves_pg_fixed(q, row->public_key.b, sizeof row->public_key.b);
    row->valid_from_ms = ves_pg_i64(q);
    row->valid_to_ms = ves_pg_i64(q);
    row->revoked_at_ms = ves_pg_i64(q);
    row->algorithm = ves_pg_bytes(q);
    row->registrar = ves_pg_bytes(q);
    row->proof = ves_pg_bytes(q);
}

enum ves_status ves_pg_key_get(struct ves_store *s,
                               const struct ves_uuid *tenant,
                               const struct ves_uuid *agent, uint32_t key_id,
                               struct ves_arena *arena, struct ves_key_row *row)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_KEY_GET, "uui",
                "SELECT " KEY_COLUMNS " FROM ves_agent_keys k"
                " WHERE tenant = $1 AND agent = $2 AND key_id = $3");
    ves_pg_put_uuid(&q, tenant);
    ves_pg_put_uuid(&q, agent);
    ves_pg_put_i64(&q, key_id);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    read_key(&q, row);
    status = ves_pg_check(&q);
    if (!status)
        status = ves_arena_copy(arena, row->algorithm, &row->algorithm);
    if (!status)
        status = ves_arena_copy(arena, row->registrar, &row->registrar);
    if (!status)
        status = ves_arena_copy(arena, row->proof, &row->proof);
    ves_pg_close(&q);
    return status;
}

static enum ves_status take_found(struct ves_pg_call *q,
                                  struct ves_arena *arena,
                                  struct ves_key_found *found, size_t count)
{
    uint64_t at = ves_pg_u64(q) - 1;

    VES_ASSERT(at < count);
    found += at;
    found->is_found = true;
    read_key(q, &found->row);
    found->span.valid_from_sequence = ves_pg_u64(q);
    found->span.revoked_at_sequence = ves_pg_u64(q);
    found->span.is_found = ves_pg_bool(q);
    found->policy = ves_pg_bytes(q);
    enum ves_status status = ves_pg_check(q);
    if (!status)
        status =
            ves_arena_copy(arena, found->row.algorithm, &found->row.algorithm);
    if (!status)
        status =
            ves_arena_copy(arena, found->row.registrar, &found->row.registrar);
    if (!status)
        status = ves_arena_copy(arena, found->row.proof, &found->row.proof);
    if (!status)
        status = ves_arena_copy(arena, found->policy, &found->policy);
    return status;
}

enum ves_status ves_pg_key_find(struct ves_store *s, uint32_t stream_no,
                                const struct ves_uuid *tenant,
                                const struct ves_key_name *names, size_t count,
                                struct ves_arena *arena,
                                struct ves_key_found *found)
{
    struct ves_pg_call q;

    memset(found, 0, count * sizeof *found);
    if (count == 0)
        return VES_OK;
    ves_pg_open(ves_pg_of(s), &q, VES_PG_KEY_FIND, "iuUI",
                "SELECT i.n, " KEY_COLUMNS
                ", s.valid_from_sequence, s.revoked_at_sequence,"
                " s.agent IS NOT NULL, p.document"
                " FROM unnest($3, $4) WITH ORDINALITY i (agent, key_id, n)"
                " CROSS JOIN LATERAL (SELECT * FROM ves_agent_keys"
                "  WHERE tenant = $2 AND agent = i.agent"
                "  AND key_id = i.key_id OFFSET 0) k"
                " LEFT JOIN LATERAL (SELECT * FROM ves_key_spans"
                "  WHERE stream_no = $1 AND agent = i.agent"
                "  AND key_id = i.key_id OFFSET 0) s ON true"
                " LEFT JOIN LATERAL (SELECT * FROM ves_agent_policies"
                "  WHERE tenant = $2 AND agent = i.agent OFFSET 0) p ON true");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_uuid(&q, tenant);
    for (size_t i = 0; i < count; i++) {
        ves_pg_put_uuid(&q, &names[i].agent);
        ves_pg_put_i64(&q, names[i].key_id);
    }
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q))
        status = take_found(&q, arena, found, count);
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_key_put(struct ves_store *s,
                               const struct ves_key_row *row)
{
    struct ves_pg_call q;

    VES_ASSERT(!ves_pg_of(s)->is_partial);
    ves_pg_open(
        ves_pg_of(s), &q, VES_PG_KEY_PUT, "uuiubiiibbb",
        "INSERT INTO ves_agent_keys (tenant, agent, key_id, store,"
        " public_key, valid_from_ms, valid_to_ms, revoked_at_ms, algorithm,"
        " registrar, proof) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10,"
        " $11) ON CONFLICT (tenant, agent, key_id) DO UPDATE SET"
        " store = excluded.store, public_key = excluded.public_key,"
        " valid_from_ms = excluded.valid_from_ms,"
        " valid_to_ms = excluded.valid_to_ms,"
        " revoked_at_ms = excluded.revoked_at_ms,"
        " algorithm = excluded.algorithm, registrar = excluded.registrar,"
        " proof = excluded.proof");
    ves_pg_put_uuid(&q, &row->tenant);
    ves_pg_put_uuid(&q, &row->agent);
    ves_pg_put_i64(&q, row->key_id);
    ves_pg_put_uuid_if(&q, row->has_store, &row->store);
    ves_pg_put_blob(&q, row->public_key.b, sizeof row->public_key.b);
    ves_pg_put_i64(&q, row->valid_from_ms);
    ves_pg_put_i64(&q, row->valid_to_ms);
    ves_pg_put_i64(&q, row->revoked_at_ms);
    ves_pg_put_bytes(&q, row->algorithm);
    ves_pg_put_bytes(&q, row->registrar);
    ves_pg_put_bytes(&q, row->proof);
    return ves_pg_send(&q);
}

enum ves_status ves_pg_key_span_get(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id, struct ves_key_span *span)
{
    struct ves_pg_call q;

    memset(span, 0, sizeof *span);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_KEY_SPAN_GET, "iui",
                "SELECT valid_from_sequence, revoked_at_sequence"
                " FROM ves_key_spans"
                " WHERE stream_no = $1 AND agent = $2 AND key_id = $3");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_uuid(&q, agent);
    ves_pg_put_i64(&q, key_id);
    enum ves_status status = ves_pg_ask_row(&q);
    if (!status) {
        span->is_found = true;
        span->valid_from_sequence = ves_pg_u64(&q);
        span->revoked_at_sequence = ves_pg_u64(&q);
        status = ves_pg_check(&q);
        ves_pg_close(&q);
    }
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_pg_key_span_put(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id,
                                    const struct ves_key_span *span)
{
    struct ves_pg_call q;

    ves_pg_open(
        ves_pg_of(s), &q, VES_PG_KEY_SPAN_PUT, "iuiii",
        "INSERT INTO ves_key_spans (stream_no, agent, key_id,"
        " valid_from_sequence, revoked_at_sequence) VALUES ($1, $2, $3, $4,"
        " $5) ON CONFLICT (stream_no, agent, key_id) DO UPDATE SET"
        " valid_from_sequence = excluded.valid_from_sequence,"
        " revoked_at_sequence = excluded.revoked_at_sequence");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_uuid(&q, agent);
    ves_pg_put_i64(&q, key_id);
    ves_pg_put_u64(&q, span->valid_from_sequence);
    ves_pg_put_u64(&q, span->revoked_at_sequence);
    return ves_pg_send(&q);
}

/* Stream 0 has no spans, so that "not asked" needs no case of its own. */
#define KEY_LIST                                                            \
    "SELECT " KEY_COLUMNS ", s.valid_from_sequence, s.revoked_at_sequence," \
    " s.agent IS NOT NULL FROM ves_agent_keys k LEFT JOIN LATERAL"          \
    " (SELECT * FROM ves_key_spans WHERE stream_no = $1 AND $1 <> 0"        \
    "  AND agent = k.agent AND key_id = k.key_id OFFSET 0) s ON true"       \
    " WHERE k.tenant = $2"

enum ves_status ves_pg_key_list(struct ves_store *s,
                                const struct ves_uuid *tenant,
                                const struct ves_uuid *agent,
                                uint32_t stream_no, ves_key_visitor *visit,
                                void *ctx)
{
    struct ves_pg_call q;

    if (agent)
        ves_pg_open(ves_pg_of(s), &q, VES_PG_KEY_LIST_AGENT, "iuu",
                    KEY_LIST " AND k.agent = $3 ORDER BY k.key_id");
    else
        ves_pg_open(ves_pg_of(s), &q, VES_PG_KEY_LIST, "iu",
                    KEY_LIST " ORDER BY k.agent, k.key_id");
    ves_pg_put_i64(&q, stream_no);
    ves_pg_put_uuid(&q, tenant);
    if (agent)
        ves_pg_put_uuid(&q, agent);
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_key_row row;
        struct ves_key_span span;

        read_key(&q, &row);
        span.valid_from_sequence = ves_pg_u64(&q);
        span.revoked_at_sequence = ves_pg_u64(&q);
        span.is_found = ves_pg_bool(&q);
        status = ves_pg_check(&q);
        if (!status)
            status = visit(ctx, &row, &span);
    }
    ves_pg_close(&q);
    return status;
}

/* ---- agents' policies -----------------------------------------------------
 */

enum ves_status ves_pg_agent_policy_get(struct ves_store *s,
                                        const struct ves_uuid *tenant,
                                        const struct ves_uuid *agent,
                                        struct ves_arena *arena,
                                        struct ves_agent_policy_row *row)
{
    struct ves_pg_call q;

    *row = (struct ves_agent_policy_row){.tenant = *tenant, .agent = *agent};
    ves_pg_open(ves_pg_of(s), &q, VES_PG_AGENT_POLICY_GET, "uu",
                "SELECT document, updated_ms FROM ves_agent_policies"
                " WHERE tenant = $1 AND agent = $2");
    ves_pg_put_uuid(&q, tenant);
    ves_pg_put_uuid(&q, agent);
    enum ves_status status = ves_pg_ask_row(&q);
    if (status)
        return status;
    row->document = ves_pg_bytes(&q);
    row->updated_ms = ves_pg_i64(&q);
    status = ves_pg_check(&q);
    if (!status)
        status = ves_arena_copy(arena, row->document, &row->document);
    ves_pg_close(&q);
    return status;
}

enum ves_status ves_pg_agent_policy_put(struct ves_store *s,
                                        const struct ves_agent_policy_row *row)
{
    struct ves_pg_call q;

    VES_ASSERT(!ves_pg_of(s)->is_partial);
    ves_pg_open(ves_pg_of(s), &q, VES_PG_AGENT_POLICY_PUT, "uubi",
                "INSERT INTO ves_agent_policies (tenant, agent, document,"
                " updated_ms) VALUES ($1, $2, $3, $4)"
                " ON CONFLICT (tenant, agent) DO UPDATE SET"
                " document = excluded.document,"
                " updated_ms = excluded.updated_ms");
    ves_pg_put_uuid(&q, &row->tenant);
    ves_pg_put_uuid(&q, &row->agent);
    ves_pg_put_bytes(&q, row->document);
    ves_pg_put_i64(&q, row->updated_ms);
    return ves_pg_send(&q);
}

enum ves_status ves_pg_agent_policy_list(struct ves_store *s,
                                         ves_agent_policy_visitor *visit,
                                         void *ctx)
{
    struct ves_pg_call q;

    ves_pg_open(ves_pg_of(s), &q, VES_PG_AGENT_POLICY_LIST, "",
                "SELECT tenant, agent, document, updated_ms"
                " FROM ves_agent_policies ORDER BY tenant, agent");
    enum ves_status status = ves_pg_ask(&q);
    while (!status && ves_pg_next(&q)) {
        struct ves_agent_policy_row row;

        ves_pg_fixed(&q, row.tenant.b, sizeof row.tenant.b);
        ves_pg_fixed(&q, row.agent.b, sizeof row.agent.b);
        row.document = ves_pg_bytes(&q);
        row.updated_ms = ves_pg_i64(&q);
        status = ves_pg_check(&q);
        if (!status)
            status = visit(ctx, &row);
    }
    ves_pg_close(&q);
    return status;
}
