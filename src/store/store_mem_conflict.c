/* store_mem_conflict.c -- conflicts and waiting events of the memory store.
 *
 * The map forgets nothing, so what is gone is a row that says so: an index
 * entry with 0, a conflict not found, a member without a place.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "core/judge.h"
#include "store/store_mem_internal.h"

static const struct ves_mem_shape conflict_shape = {
    sizeof(struct ves_conflict_row),
    1,
    {offsetof(struct ves_conflict_row, sub_code)}};
static const struct ves_mem_shape member_shape = {
    sizeof(struct ves_conflict_member), 0, {0}};

/* ---- waiting, late --------------------------------------------------------
 */

static struct ves_mem_key waiting_key(uint32_t stream_no,
                                      const struct ves_hash *waits_for,
                                      uint64_t sequence)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_WAITING, stream_no);

    ves_mem_key_add(&key, waits_for->b, sizeof waits_for->b);
    ves_mem_key_add_u64(&key, sequence);
    return key;
}

static struct ves_mem_key late_key(uint32_t stream_no,
                                   const struct ves_hash *entity_key,
                                   uint64_t version)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_LATE, stream_no);

    ves_mem_key_add(&key, entity_key->b, sizeof entity_key->b);
    ves_mem_key_add_u64(&key, version);
    return key;
}

enum ves_status ves_mem_index_row(struct ves_mem_store *st, uint32_t stream_no,
                                  const struct ves_log_row *row, bool is_in)
{
    struct ves_mem_u64 at = {is_in ? row->sequence_number : 0};
    struct ves_mem_key key;
    enum ves_status status = VES_OK;

    if (!ves_hash_is_zero(&row->waits_for)) {
        key = waiting_key(stream_no, &row->waits_for, row->sequence_number);
        status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &at);
    }
    if (!status && row->has_waited) {
        key = late_key(stream_no, &row->entity_key, row->version);
        status = ves_mem_put_row(st, &key, &ves_mem_u64_shape, &at);
    }
    return status;
}

enum ves_status ves_mem_waiting_list(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *waits_for,
                                     uint32_t limit, ves_waiting_visitor *visit,
                                     void *ctx)
{
    static const struct ves_hash zeros;
    struct ves_mem_key key =
        waiting_key(stream_no, waits_for ? waits_for : &zeros, 0);
    size_t leads = waits_for ? 5 + sizeof *waits_for : 5;
    const struct ves_mem_node *node = ves_mem_seek(&ves_mem_of(s)->map, &key);
    uint32_t done = 0;

    for (; node && ves_mem_key_leads(&key, leads, node); node = node->next[0]) {
        const struct ves_mem_u64 *at = node->value;
        struct ves_mem_key row_key;
        const struct ves_log_row *row;
        enum ves_status status;

        if (at->value == 0)
            continue;
        row_key = ves_mem_key(VES_MEM_LOG, stream_no);
        ves_mem_key_add_u64(&row_key, at->value);
        row = ves_mem_get(&ves_mem_of(s)->map, &row_key);
        status = visit(ctx, at->value, &row->waits_for);
        if (status)
            return status;
        if (++done == limit)
            break;
    }
    return VES_OK;
}

enum ves_status ves_mem_log_find_late(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_hash *entity_key,
                                      uint64_t version, uint64_t *sequence)
{
    struct ves_mem_key key = late_key(stream_no, entity_key, version);
    const struct ves_mem_u64 *at = ves_mem_get(&ves_mem_of(s)->map, &key);

    *sequence = at ? at->value : 0;
    return VES_OK;
}

/* ---- conflicts ------------------------------------------------------------
 */

static struct ves_mem_key conflict_key(uint32_t stream_no, uint64_t opened)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_CONFLICT, stream_no);

    ves_mem_key_add_u64(&key, opened);
    return key;
}

static struct ves_mem_key conflict_id_key(uint32_t stream_no,
                                          const struct ves_hash *id)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_CONFLICT_ID, stream_no);

    ves_mem_key_add(&key, id->b, sizeof id->b);
    return key;
}

enum ves_status ves_mem_conflict_get(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *ids, size_t count,
                                     struct ves_arena *arena,
                                     struct ves_conflict_row *rows)
{
    const struct ves_mem_map *map = &ves_mem_of(s)->map;

    for (size_t i = 0; i < count; i++) {
        struct ves_mem_key key = conflict_id_key(stream_no, &ids[i]);
        const struct ves_mem_u64 *at = ves_mem_get(map, &key);
        enum ves_status status;

        memset(&rows[i], 0, sizeof rows[i]);
        rows[i].id = ids[i];
        if (!at || at->value == 0)
            continue;
        key = conflict_key(stream_no, at->value);
        status = ves_mem_copy_out(&conflict_shape, ves_mem_get(map, &key),
                                  arena, &rows[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status put_one(struct ves_mem_store *st, uint32_t stream_no,
                               const struct ves_conflict_row *row)
{
    struct ves_mem_key key = conflict_key(stream_no, row->opened);
    struct ves_mem_key id_key = conflict_id_key(stream_no, &row->id);
    const struct ves_conflict_row *there = ves_mem_get(&st->map, &key);
    const struct ves_mem_u64 *at = ves_mem_get(&st->map, &id_key);
    struct ves_mem_u64 opened = {row->opened};
    struct ves_conflict_row kept = *row;
    enum ves_status status;

    VES_ASSERT(row->kind > 0 && row->kind < VES_CONFLICT_KINDS);
    VES_ASSERT(row->winner <= VES_WINNER_MERGE && row->opened > 0);
    if (there && there->is_found && !ves_hash_equal(&there->id, &row->id))
        return VES_CONFLICT;
    VES_ASSERT(!at || at->value == 0 || at->value == row->opened);
    kept.is_found = true;
    status = ves_mem_put_row(st, &id_key, &ves_mem_u64_shape, &opened);
    return status ? status : ves_mem_put_row(st, &key, &conflict_shape, &kept);
}

enum ves_status ves_mem_conflict_put(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_conflict_row *rows,
                                     size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    for (size_t i = 0; i < count && !status; i++)
        status = put_one(st, stream_no, &rows[i]);
    return ves_mem_end(st, mark, status, "keep conflicts");
}

static const struct ves_mem_node *
first_listed(const struct ves_mem_store *st, uint32_t stream_no,
             const struct ves_conflict_filter *filter)
{
    uint64_t after = filter->after;
    struct ves_mem_key key;

    if (!filter->is_descending) {
        key = conflict_key(stream_no, after < UINT64_MAX ? after + 1 : after);
        return ves_mem_seek(&st->map, &key);
    }
    key = conflict_key(stream_no, after ? after : UINT64_MAX);
    return ves_mem_seek_below(&st->map, &key);
}

enum ves_status ves_mem_conflict_list(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_conflict_filter *filter,
                                      ves_conflict_visitor *visit, void *ctx)
{
    struct ves_mem_store *st = ves_mem_of(s);
    struct ves_mem_key key = conflict_key(stream_no, 0);
    const struct ves_mem_node *node = first_listed(st, stream_no, filter);
    uint32_t done = 0;

    while (node && ves_mem_key_leads(&key, 5, node)) {
        const struct ves_conflict_row *row = node->value;

        if (row->is_found && !(filter->open_only && row->closed)) {
            enum ves_status status = visit(ctx, row);

            if (status)
                return status;
            if (++done == filter->limit)
                break;
        }
        if (filter->is_descending) {
            key = conflict_key(stream_no, row->opened);
            node = ves_mem_seek_below(&st->map, &key);
        } else {
            node = node->next[0];
        }
    }
    return VES_OK;
}

static enum ves_status count_one(void *ctx, const struct ves_conflict_row *row)
{
    uint64_t *counts = ctx;

    counts[row->kind]++;
    return VES_OK;
}

enum ves_status ves_mem_conflict_counts(struct ves_store *s, uint32_t stream_no,
                                        uint64_t counts[VES_CONFLICT_KINDS])
{
    const struct ves_conflict_filter open = {.open_only = true};

    memset(counts, 0, VES_CONFLICT_KINDS * sizeof *counts);
    return ves_mem_conflict_list(s, stream_no, &open, count_one, counts);
}

/* ---- members --------------------------------------------------------------
 */

static struct ves_mem_key member_key(uint32_t stream_no,
                                     const struct ves_conflict_member *member)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_MEMBER, stream_no);

    ves_mem_key_add(&key, member->conflict_id.b, sizeof member->conflict_id.b);
    ves_mem_key_add_u32(&key, member->side);
    ves_mem_key_add_u64(&key, member->place);
    return key;
}

static struct ves_mem_key
member_of_key(uint32_t stream_no, const struct ves_conflict_member *member)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_MEMBER_OF, stream_no);

    ves_mem_key_add_u64(&key, member->sequence_number);
    ves_mem_key_add(&key, member->conflict_id.b, sizeof member->conflict_id.b);
    ves_mem_key_add_u32(&key, member->side);
    ves_mem_key_add_u64(&key, member->place);
    return key;
}

static enum ves_status add_one(struct ves_mem_store *st, uint32_t stream_no,
                               const struct ves_conflict_member *member)
{
    struct ves_mem_key key = member_key(stream_no, member);
    const struct ves_conflict_member *old = ves_mem_get(&st->map, &key);
    enum ves_status status;

    VES_ASSERT(member->side <= VES_SIDE_APPLIED && member->place > 0);
    if (old && old->place > 0)
        return VES_CONFLICT;
    status = ves_mem_put_row(st, &key, &member_shape, member);
    key = member_of_key(stream_no, member);
    return status ? status : ves_mem_put_row(st, &key, &member_shape, member);
}

enum ves_status ves_mem_member_add(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_conflict_member *members,
                                   size_t count)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status = VES_OK;

    VES_ASSERT(st->is_writing);
    for (size_t i = 0; i < count && !status; i++)
        status = add_one(st, stream_no, &members[i]);
    return ves_mem_end(st, mark, status, "keep a conflict's events");
}

/* Members whose key begins as this one. */
static enum ves_status visit_members(struct ves_mem_store *st,
                                     const struct ves_mem_key *key,
                                     ves_member_visitor *visit, void *ctx)
{
    const struct ves_mem_node *node = ves_mem_seek(&st->map, key);

    for (; node && ves_mem_key_leads(key, key->len, node);
         node = node->next[0]) {
        const struct ves_conflict_member *member = node->value;
        enum ves_status status = VES_OK;

        if (member->place > 0)
            status = visit(ctx, member);
        if (status)
            return status;
    }
    return VES_OK;
}

enum ves_status ves_mem_member_list(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *conflict_id,
                                    ves_member_visitor *visit, void *ctx)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_MEMBER, stream_no);

    ves_mem_key_add(&key, conflict_id->b, sizeof conflict_id->b);
    return visit_members(ves_mem_of(s), &key, visit, ctx);
}

enum ves_status ves_mem_member_find(struct ves_store *s, uint32_t stream_no,
                                    uint64_t sequence,
                                    ves_member_visitor *visit, void *ctx)
{
    struct ves_mem_key key = ves_mem_key(VES_MEM_MEMBER_OF, stream_no);

    ves_mem_key_add_u64(&key, sequence);
    return visit_members(ves_mem_of(s), &key, visit, ctx);
}

/* ---- forgetting -----------------------------------------------------------
 */

/* value is a row of the area asked for. */
typedef enum ves_status forget_row(struct ves_mem_store *st, uint32_t stream_no,
                                   const void *value);

static enum ves_status forget_conflict(struct ves_mem_store *st,
                                       uint32_t stream_no, const void *value)
{
    struct ves_conflict_row row = *(const struct ves_conflict_row *)value;
    struct ves_mem_key at = conflict_key(stream_no, row.opened);
    struct ves_mem_key id = conflict_id_key(stream_no, &row.id);
    struct ves_mem_u64 none = {0};

    row.is_found = false;
    row.sub_code = ves_bytes(NULL, 0);
    enum ves_status status = ves_mem_put_row(st, &at, &conflict_shape, &row);
    return status ? status
                  : ves_mem_put_row(st, &id, &ves_mem_u64_shape, &none);
}

static enum ves_status forget_member(struct ves_mem_store *st,
                                     uint32_t stream_no, const void *value)
{
    struct ves_conflict_member member =
        *(const struct ves_conflict_member *)value;
    struct ves_mem_key at = member_key(stream_no, &member);
    struct ves_mem_key of = member_of_key(stream_no, &member);

    if (member.place == 0)
        return VES_OK;
    member.place = 0;
    enum ves_status status = ves_mem_put_row(st, &at, &member_shape, &member);
    return status ? status : ves_mem_put_row(st, &of, &member_shape, &member);
}

static enum ves_status forget_wait(struct ves_mem_store *st, uint32_t stream_no,
                                   const void *value)
{
    struct ves_log_row row = *(const struct ves_log_row *)value;
    struct ves_mem_key at = ves_mem_key(VES_MEM_LOG, stream_no);

    if (ves_hash_is_zero(&row.waits_for) && !row.has_waited)
        return VES_OK;
    enum ves_status status = ves_mem_index_row(st, stream_no, &row, false);
    memset(&row.waits_for, 0, sizeof row.waits_for);
    row.has_waited = false;
    ves_mem_key_add_u64(&at, row.sequence_number);
    return status ? status : ves_mem_put_row(st, &at, &ves_mem_log_shape, &row);
}

static enum ves_status forget_area(struct ves_mem_store *st, unsigned area,
                                   uint32_t stream_no, forget_row *forget)
{
    struct ves_mem_key key = ves_mem_key(area, stream_no);
    const struct ves_mem_node *node = ves_mem_seek(&st->map, &key);
    enum ves_status status = VES_OK;

    for (; node && ves_mem_key_leads(&key, 5, node) && !status;
         node = node->next[0])
        status = forget(st, stream_no, node->value);
    return status;
}

enum ves_status ves_mem_verdict_reset(struct ves_store *s, uint32_t stream_no)
{
    struct ves_mem_store *st = ves_mem_of(s);
    size_t mark = ves_mem_mark(&st->map);
    enum ves_status status;

    VES_ASSERT(st->is_writing);
    status = forget_area(st, VES_MEM_CONFLICT, stream_no, forget_conflict);
    if (!status)
        status = forget_area(st, VES_MEM_MEMBER, stream_no, forget_member);
    if (!status)
        status = forget_area(st, VES_MEM_LOG, stream_no, forget_wait);
    return ves_mem_end(st, mark, status, "forget verdicts");
}
