/* export.c -- a history and what the product said of it, as one line of JSON.
 *
 * test/lib/judge_sim.py holds it against the executable model.  The events are
 * as their authors signed them: what they do is read from their payloads by
 * whoever reads the line.
 *
 * {"seed","stream":[tenant, store],
 *  "events":[{"hash","verdict","sub","applied","version","conflict","event"}],
 *  "conflicts":[{"id","branch":[numbers],"applied":[numbers],"closed","type"}],
 *  "entities":[{"type","id","version","head","tombstone","state"}]}
 *
 * The n-th event has the number n; conflict is null unless the row names one;
 * closed and tombstone are numbers, 0 for none; state is the sequenced state
 * of the first store, null for none.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/event.h"
#include "core/judge.h"
#include "sim/world.h"
#include "ves/json.h"

enum { TEXT_MAX = 64 << 20, ARENA_MAX = 64 << 20 };

struct line {
    struct sim_world *world;
    struct ves_store *disk;
    uint32_t stream_no;
    struct ves_jw *jw;
    struct ves_conflict_row conflicts[SIM_EVENTS_MAX];
    size_t conflict_count;
    uint64_t firsts[SIM_ENTITIES_MAX]; /* of an entity's events */
    size_t first_count;
    uint32_t side; /* of members being written */
};

static void put_u64(struct ves_jw *jw, const char *name, uint64_t value)
{
    ves_jw_key(jw, name);
    ves_jw_u64(jw, value);
}

static void put_hash(struct ves_jw *jw, const char *name,
                     const struct ves_hash *hash)
{
    ves_jw_key(jw, name);
    ves_jw_hex(jw, "", hash->b, VES_HASH_SIZE);
}

/* ---- events -------------------------------------------------------------- */

static enum ves_status put_event(void *ctx, const struct ves_log_row *row)
{
    struct line *line = ctx;
    struct ves_jw *jw = line->jw;
    struct ves_buf envelope;

    if (row->entity_index == 1) {
        VES_ASSERT(line->first_count < SIM_ENTITIES_MAX);
        line->firsts[line->first_count++] = row->sequence_number;
    }
    ves_buf_init(&envelope, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_bytes(&envelope, row->envelope);
    ves_buf_put_str(&envelope, "}");
    VES_ASSERT(ves_buf_status(&envelope) == VES_OK);
    ves_jw_object(jw);
    put_hash(jw, "hash", &row->event_hash);
    ves_jw_key(jw, "verdict");
    ves_jw_str(jw, ves_verdict_name((enum ves_verdict)row->verdict));
    ves_jw_key(jw, "sub");
    ves_jw_bytes(jw, row->sub_code);
    put_u64(jw, "applied", row->applied_at);
    put_u64(jw, "version", row->version);
    ves_jw_key(jw, "conflict");
    if (row->has_conflict_id)
        ves_jw_hex(jw, "", row->conflict_id.b, VES_HASH_SIZE);
    else
        ves_jw_null(jw);
    ves_jw_key(jw, "event");
    ves_jw_raw(jw, ves_buf_view(&envelope));
    ves_jw_end(jw);
    ves_buf_free(&envelope);
    return VES_OK;
}

/* ---- conflicts ----------------------------------------------------------- */

static enum ves_status take_conflict(void *ctx,
                                     const struct ves_conflict_row *row)
{
    struct line *line = ctx;

    VES_ASSERT(line->conflict_count < SIM_EVENTS_MAX);
    line->conflicts[line->conflict_count++] = *row;
    return VES_OK;
}

static enum ves_status put_member(void *ctx,
                                  const struct ves_conflict_member *member)
{
    struct line *line = ctx;

    if (member->side == line->side)
        ves_jw_u64(line->jw, member->sequence_number);
    return VES_OK;
}

static void put_side(struct line *line, const char *name, uint32_t side,
                     const struct ves_hash *id)
{
    ves_jw_key(line->jw, name);
    ves_jw_array(line->jw);
    line->side = side;
    VES_ASSERT(line->disk->ops->member_list(line->disk, line->stream_no, id,
                                            put_member, line) == VES_OK);
    ves_jw_end(line->jw);
}

static void put_conflict(struct line *line, const struct ves_conflict_row *row)
{
    struct ves_jw *jw = line->jw;

    ves_jw_object(jw);
    put_hash(jw, "id", &row->id);
    put_side(line, "branch", VES_SIDE_BRANCH, &row->id);
    put_side(line, "applied", VES_SIDE_APPLIED, &row->id);
    put_u64(jw, "closed", row->closed);
    ves_jw_key(jw, "type");
    ves_jw_str(jw, ves_conflict_kind_name((enum ves_conflict_kind)row->kind));
    ves_jw_end(jw);
}

/* ---- entities ------------------------------------------------------------ */

static enum ves_status take_key(void *ctx, const struct ves_log_row *row)
{
    *(struct ves_hash *)ctx = row->entity_key;
    return VES_OK;
}

static void put_entity(struct line *line, uint64_t first)
{
    struct ves_agent_core *core = &line->world->devices[0].processes[0].core;
    struct ves_store *disk = line->disk;
    struct ves_jw *jw = line->jw;
    struct ves_core_entity found;
    struct ves_entity_row row;
    struct ves_arena arena;
    struct ves_entity_name name = {.type = {NULL, 0}};

    ves_arena_init(&arena, ves_alloc_default(), ARENA_MAX);
    VES_ASSERT(disk->ops->log_read(disk, line->stream_no, first, 1, take_key,
                                   &name.key) == VES_OK &&
               disk->ops->entity_get(disk, line->stream_no, &name, 1, &arena,
                                     &row) == VES_OK &&
               row.is_found);
    VES_ASSERT(ves_core_entity(core, row.entity_type, row.entity_id, &arena,
                               &found) == VES_OK);
    ves_jw_object(jw);
    ves_jw_key(jw, "type");
    ves_jw_bytes(jw, row.entity_type);
    ves_jw_key(jw, "id");
    ves_jw_bytes(jw, row.entity_id);
    put_u64(jw, "version", row.version);
    put_hash(jw, "head", &row.head);
    put_u64(jw, "tombstone", row.tombstone);
    ves_jw_key(jw, "state");
    if (found.state.len > 0)
        ves_jw_raw(jw, found.state);
    else
        ves_jw_null(jw);
    ves_jw_end(jw);
    ves_arena_free(&arena);
}

/* ---- the line ------------------------------------------------------------ */

static void put_head(struct line *line)
{
    struct ves_jw *jw = line->jw;

    put_u64(jw, "seed", line->world->seed);
    ves_jw_key(jw, "stream");
    ves_jw_array(jw);
    ves_jw_uuid(jw, &line->world->stream.tenant);
    ves_jw_uuid(jw, &line->world->stream.store);
    ves_jw_end(jw);
}

static void put_all(struct line *line)
{
    const struct ves_conflict_filter all = {.after = 0};
    const struct ves_store_ops *ops = line->disk->ops;
    struct ves_jw *jw = line->jw;

    ves_jw_object(jw);
    put_head(line);
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    VES_ASSERT(ops->log_read(line->disk, line->stream_no, 1, 0, put_event,
                             line) == VES_OK &&
               ops->conflict_list(line->disk, line->stream_no, &all,
                                  take_conflict, line) == VES_OK);
    ves_jw_end(jw);
    ves_jw_key(jw, "conflicts");
    ves_jw_array(jw);
    for (size_t i = 0; i < line->conflict_count; i++)
        put_conflict(line, &line->conflicts[i]);
    ves_jw_end(jw);
    ves_jw_key(jw, "entities");
    ves_jw_array(jw);
    for (size_t i = 0; i < line->first_count; i++)
        put_entity(line, line->firsts[i]);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

void sim_export(struct sim_world *world, FILE *out)
{
    static struct line line;
    struct ves_stream_row stream;

    memset(&line, 0, sizeof(line));
    line.world = world;
    line.disk = world->hub.disk;
    VES_ASSERT(line.disk->ops->stream_get(line.disk, &world->stream, false,
                                          &stream) == VES_OK);
    line.stream_no = stream.stream_no;
    line.jw = ves_jw_new(ves_alloc_default(), TEXT_MAX);
    VES_ASSERT(line.jw != NULL);
    put_all(&line);
    VES_ASSERT(ves_jw_status(line.jw) == VES_OK);
    struct ves_bytes text = ves_jw_view(line.jw);
    if (fwrite(text.ptr, 1, text.len, out) != text.len ||
        fputc('\n', out) == EOF)
        sim_fail(world, "the history cannot be written");
    ves_jw_free(line.jw);
}
