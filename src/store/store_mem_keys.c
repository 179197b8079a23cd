/* store_mem_keys.c -- keys and the sequencer's tables of the memory store. */
#include "base/assert.h"
#include "base/bytes.h"
#include "store/store_mem_internal.h"

struct place {
    uint32_t stream_no;
    uint64_t sequence;
};

struct cursor {
    uint64_t sequence;
    int64_t updated_ms;
};

static const struct ves_mem_shape key_shape = {
    sizeof(struct ves_key_row),
    3,
    {offsetof(struct ves_key_row, algorithm),
     offsetof(struct ves_key_row, registrar),
     offsetof(struct ves_key_row, proof)}};
static const struct ves_mem_shape span_shape = {
    sizeof(struct ves_key_span), 0, {0}};
static const struct ves_mem_shape commitment_shape = {
    sizeof(struct ves_commitment_row), 0, {0}};
static const struct ves_mem_shape place_shape = {sizeof(struct place), 0, {0}};
static const struct ves_mem_shape cursor_shape = {
    sizeof(struct cursor), 0, {0}};
static const struct ves_mem_shape credential_shape = {
    sizeof(struct ves_credential_row),
    1,
    {offsetof(struct ves_credential_row, label)}};
static const struct ves_mem_shape agent_policy_shape = {
    sizeof(struct ves_agent_policy_row),
    1,
    {offsetof(struct ves_agent_policy_row, document)}};
static const struct ves_mem_shape invitation_shape = {
    sizeof(struct ves_invitation_row), 0, {0}};

static struct ves_mem_key key_with_uuid(unsigned table, uint32_t stream_no,
                                        const struct ves_uuid *id)
{
    struct ves_mem_key key = ves_mem_key(table, stream_no);

    ves_mem_key_add(&key, id->b, sizeof id->b);
    return key;
}

/* One call that writes one row. */
static enum ves_status put_one(struct ves_mem_store *st,
                               const struct ves_mem_key *key,
                               const struct ves_mem_shape *shape,
                               const void *row, const char *what)
{
    size_t mark = ves_mem_mark(&st->map);

    VES_ASSERT(st->is_writing);
    return ves_mem_end(st, mark, ves_mem_put_row(st, key, shape, row), what);
}

/* ---- keys -----------------------------------------------------------------
 */

static struct ves_mem_key key_key(const struct ves_uuid *tenant,
                                  const struct ves_uuid *agent, uint32_t key_id)
{
    struct ves_mem_key key = key_with_uuid(VES_MEM_KEY, 0, tenant);

    ves_mem_key_add(&key, agent->b, sizeof agent->b);
    ves_mem_key_add_u32(&key, key_id);
    return key;
}

static struct ves_mem_key
span_key(uint32_t stream_no, const struct ves_uuid *agent, uint32_t key_id)
{
    struct ves_mem_key key = key_with_uuid(VES_MEM_SPAN, stream_no, agent);

    ves_mem_key_add_u32(&key, key_id);
    return key;
}

enum ves_status ves_mem_key_get(struct ves_store *s,
                                const struct ves_uuid *tenant,
                                const struct ves_uuid *agent, uint32_t key_id,
                                struct ves_arena *arena,
                                struct ves_key_row *row)
{
    struct ves_mem_key key = key_key(tenant, agent, key_id);
    const struct ves_key_row *kept = ves_mem_get(&ves_mem_of(s)->map, &key);

    if (!kept)
        return VES_NOT_FOUND;
    return ves_mem_copy_out(&key_shape, kept, arena, row);
}

enum ves_status ves_mem_key_put(struct ves_store *s,
                                const struct ves_key_row *row)
{
    struct ves_mem_key key = key_key(&row->tenant, &row->agent, row->key_id);
    struct ves_key_row kept = *row;

    if (!row->has_store)
        memset(&kept.store, 0, sizeof kept.store);
    return put_one(ves_mem_of(s), &key, &key_shape, &kept, "keep a key");
}

enum ves_status ves_mem_key_span_get(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_uuid *agent,
                                     uint32_t key_id, struct ves_key_span *span)
{
    struct ves_mem_key key = span_key(stream_no, agent, key_id);
    const struct ves_key_span *kept = ves_mem_get(&ves_mem_of(s)->map, &key);

    memset(span, 0, sizeof *span);
    if (kept)
        *span = *kept;
    return VES_OK;
}

static struct ves_mem_key agent_policy_key(const struct ves_uuid *tenant,
                                           const struct ves_uuid *agent)
{
    struct ves_mem_key key = key_with_uuid(VES_MEM_AGENT_POLICY, 0, tenant);

    ves_mem_key_add(&key, agent->b, sizeof agent->b);
    return key;
}

enum ves_status ves_mem_agent_policy_get(struct ves_store *s,
                                         const struct ves_uuid *tenant,
                                         const struct ves_uuid *agent,
                                         struct ves_arena *arena,
                                         struct ves_agent_policy_row *row)
{
    struct ves_mem_key key = agent_policy_key(tenant, agent);
    const struct ves_agent_policy_row *kept =
        ves_mem_get(&ves_mem_of(s)->map, &key);

    if (!kept)
        return VES_NOT_FOUND;
    return ves_mem_copy_out(&agent_policy_shape, kept, arena, row);
}

enum ves_status ves_mem_key_find(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_uuid *tenant,
                                 const struct ves_key_name *names, size_t count,
                                 struct ves_arena *arena,
                                 struct ves_key_found *found)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < count && !status; i++) {
        memset(&found[i], 0, sizeof found[i]);
        status = ves_mem_key_get(s, tenant, &names[i].agent, names[i].key_id,
                                 arena, &found[i].row);
        found[i].is_found = !status;
        if (!status)
            status = ves_mem_key_span_get(s, stream_no, &names[i].agent,
                                          names[i].key_id, &found[i].span);
        if (!status) {
            struct ves_agent_policy_row policy;
            status = ves_mem_agent_policy_get(s, tenant, &names[i].agent, arena,
                                              &policy);
            if (!status)
                found[i].policy = policy.document;
        }
        if (status == VES_NOT_FOUND)
            status = VES_OK;
    }
    return status;
}

enum ves_status ves_mem_key_span_put(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_uuid *agent,
                                     uint32_t key_id,
                                     const struct ves_key_span *span)
{
    struct ves_mem_key key = span_key(stream_no, agent, key_id);
    struct ves_key_span kept = *span;

    kept.is_found = true;
    return put_one(ves_mem_of(s), &key, &span_shape, &kept,
                   "keep a key's validity");
}

enum ves_status ves_mem_key_span_forget(struct ves_store *s, uint32_t stream_no,
                                        const struct ves_uuid *agent,
                                        uint32_t key_id)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = span_key(stream_no, agent, key_id);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    if (ves_mem_get(&st->map, &key))
        status = ves_mem_remove(&st->map, &key);
    return ves_mem_end(st, mark, status, "forget a key's validity");
}

enum ves_status ves_mem_key_list(struct ves_store *s,
                                 const struct ves_uuid *tenant,
                                 const struct ves_uuid *agent,
                                 uint32_t stream_no, ves_key_visitor *visit,
                                 void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = key_with_uuid(VES_MEM_KEY, 0, tenant);
    const struct ves_mem_node *node;

    if (agent)
        ves_mem_key_add(&key, agent->b, sizeof agent->b);
    node = ves_mem_seek(&st->map, &key);
    for (; node && ves_mem_key_leads(&key, key.len, node);
         node = node->next[0]) {
        const struct ves_key_row *row = node->value;
        struct ves_key_span span = {0};
        enum ves_status status = VES_OK;

        if (stream_no)
            status = ves_mem_key_span_get(s, stream_no, &row->agent,
                                          row->key_id, &span);
        if (!status)
            status = visit(ctx, row, &span);
        if (status)
            return status;
    }
    return VES_OK;
}

/* ---- agents' policies -----------------------------------------------------
 */

enum ves_status ves_mem_agent_policy_put(struct ves_store *s,
                                         const struct ves_agent_policy_row *row)
{
    struct ves_mem_key key = agent_policy_key(&row->tenant, &row->agent);

    return put_one(ves_mem_of(s), &key, &agent_policy_shape, row,
                   "keep an agent's policy");
}

enum ves_status ves_mem_agent_policy_list(struct ves_store *s,
                                          ves_agent_policy_visitor *visit,
                                          void *ctx)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_AGENT_POLICY, 0);
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);

    for (; node && ves_mem_key_leads(&key, key.len, node);
         node = node->next[0]) {
        enum ves_status status = visit(ctx, node->value);

        if (status)
            return status;
    }
    return VES_OK;
}

/* ---- commitments ----------------------------------------------------------
 */

static struct ves_mem_key commitment_key(uint32_t stream_no, uint64_t sequence)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_COMMITMENT, stream_no);

    ves_mem_key_add_u64(&key, sequence);
    return key;
}

enum ves_status ves_mem_commitment_put(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_commitment_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = commitment_key(stream_no, row->sequence_start);
    struct ves_mem_key id_key =
        key_with_uuid(VES_MEM_COMMITMENT_ID, 0, &row->batch_id);
    struct place place = {stream_no, row->sequence_start};
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status;

    VES_ASSERT(st->is_writing);
    if (ves_mem_get(&st->map, &key) || ves_mem_get(&st->map, &id_key))
        return ves_mem_end(st, mark, VES_CONFLICT, "keep a commitment");
    status = ves_mem_put_row(st, &key, &commitment_shape, row);
    if (!status)
        status = ves_mem_put_row(st, &id_key, &place_shape, &place);
    return ves_mem_end(st, mark, status, "keep a commitment");
}

enum ves_status ves_mem_commitment_get(struct ves_store *s,
                                       const struct ves_uuid *batch_id,
                                       uint32_t *stream_no,
                                       struct ves_commitment_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = key_with_uuid(VES_MEM_COMMITMENT_ID, 0, batch_id);
    const struct place *place = ves_mem_get(&st->map, &key);

    if (!place)
        return VES_NOT_FOUND;
    key = commitment_key(place->stream_no, place->sequence);
    *stream_no = place->stream_no;
    *row = *(const struct ves_commitment_row *)ves_mem_get(&st->map, &key);
    return VES_OK;
}

enum ves_status ves_mem_commitment_covering(struct ves_store *s,
                                            uint32_t stream_no,
                                            uint64_t sequence,
                                            struct ves_commitment_row *row)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = commitment_key(stream_no, sequence + 1);
    const struct ves_mem_node *node = ves_mem_seek_below(&st->map, &key);

    if (!node || !ves_mem_key_leads(&key, 5, node))
        return VES_NOT_FOUND;
    *row = *(const struct ves_commitment_row *)node->value;
    return row->sequence_end >= sequence ? VES_OK : VES_NOT_FOUND;
}

enum ves_status ves_mem_commitment_list(struct ves_store *s, uint32_t stream_no,
                                        uint64_t from, uint32_t limit,
                                        ves_commitment_visitor *visit,
                                        void *ctx)
{
    struct ves_mem_key key = commitment_key(stream_no, from);
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);
    uint32_t done = 0;

    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        enum ves_status status = visit(ctx, node->value);

        if (status)
            return status;
        if (++done == limit)
            break;
    }
    return VES_OK;
}

/* ---- cursors, credentials, invitations ------------------------------------
 */

enum ves_status ves_mem_cursor_get(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_uuid *agent,
                                   uint64_t *sequence, int64_t *updated_ms)
{
    struct ves_mem_key key = key_with_uuid(VES_MEM_CURSOR, stream_no, agent);
    const struct cursor *row = ves_mem_get(&ves_mem_of(s)->map, &key);

    *sequence = row ? row->sequence : 0;
    *updated_ms = row ? row->updated_ms : 0;
    return VES_OK;
}

enum ves_status ves_mem_cursor_put(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_uuid *agent,
                                   uint64_t sequence, int64_t updated_ms)
{
    struct ves_mem_key key = key_with_uuid(VES_MEM_CURSOR, stream_no, agent);
    struct cursor row = {sequence, updated_ms};

    return put_one(ves_mem_of(s), &key, &cursor_shape, &row, "keep a cursor");
}

static struct ves_mem_key credential_key(const struct ves_hash *hash)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_CREDENTIAL, 0);

    ves_mem_key_add(&key, hash->b, sizeof hash->b);
    return key;
}

enum ves_status ves_mem_credential_get(struct ves_store *s,
                                       const struct ves_hash *key_hash,
                                       struct ves_arena *arena,
                                       struct ves_credential_row *row)
{
    struct ves_mem_key key = credential_key(key_hash);
    const struct ves_credential_row *kept =
        ves_mem_get(&ves_mem_of(s)->map, &key);

    if (!kept)
        return VES_NOT_FOUND;
    return ves_mem_copy_out(&credential_shape, kept, arena, row);
}

enum ves_status ves_mem_credential_put(struct ves_store *s,
                                       const struct ves_credential_row *row)
{
    struct ves_mem_key key = credential_key(&row->key_hash);
    struct ves_credential_row kept = *row;

    if (!row->has_store)
        memset(&kept.store, 0, sizeof kept.store);
    if (!row->has_agent)
        memset(&kept.agent, 0, sizeof kept.agent);
    return put_one(ves_mem_of(s), &key, &credential_shape, &kept,
                   "keep a credential");
}

enum ves_status ves_mem_credential_list(struct ves_store *s,
                                        ves_credential_visitor *visit,
                                        void *ctx)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_CREDENTIAL, 0);
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);

    for (; node && ves_mem_key_leads(&key, 5, node); node = node->next[0]) {
        enum ves_status status = visit(ctx, node->value);

        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_mem_invitation_get(struct ves_store *s,
                                       const struct ves_uuid *invitation_id,
                                       struct ves_invitation_row *row)
{
    struct ves_mem_key key =
        key_with_uuid(VES_MEM_INVITATION, 0, invitation_id);
    const struct ves_invitation_row *kept =
        ves_mem_get(&ves_mem_of(s)->map, &key);

    if (!kept)
        return VES_NOT_FOUND;
    *row = *kept;
    return VES_OK;
}

enum ves_status ves_mem_invitation_put(struct ves_store *s,
                                       const struct ves_invitation_row *row)
{
    struct ves_mem_key key =
        key_with_uuid(VES_MEM_INVITATION, 0, &row->invitation_id);

    return put_one(ves_mem_of(s), &key, &invitation_shape, row,
                   "keep an invitation");
}
