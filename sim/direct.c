/* direct.c -- sequencer and stores without a network between them: how they are
 * spoken to once a world has come to rest.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "engine/log_tree.h"
#include "sim/world.h"

enum { TEXT_MAX = 4 << 20, SCRATCH_MAX = 64 << 20 };

uint64_t sim_head_of(const struct sim_world *world, struct ves_store *disk)
{
    struct ves_stream_row row;

    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    return row.head;
}

/* ---- the sequencer ------------------------------------------------------- */

void sim_direct_sign(struct sim_world *world, const char *what)
{
    struct ves_sequencer *sequencer = &world->hub.sequencer;
    struct ves_error error = {.status = VES_OK};
    struct ves_log_head head;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    if (ves_log_head_make(sequencer, sequencer->store, &world->stream,
                          sim_now_ms(world), &arena, &head, &error))
        sim_fail(world, "%s cannot be signed: %s", what, error.text);
    if (head.is_due)
        VES_ASSERT(ves_log_head_keep(sequencer, &head, 1) == VES_OK);
    ves_arena_free(&arena);
}

static bool find_key(void *ctx, const struct ves_uuid *tenant,
                     const struct ves_uuid *agent, uint32_t key_id,
                     struct ves_public_key *out)
{
    struct sim_world *world = ctx;
    struct ves_store *disk = world->hub.disk;
    struct ves_key_row row;
    struct ves_arena arena;

    if (key_id > 1) { /* there are owners where keys are rotated */
        ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
        bool is_found = disk->ops->key_get(disk, tenant, agent, key_id, &arena,
                                           &row) == VES_OK;
        ves_arena_free(&arena);
        if (is_found)
            *out = row.public_key;
        return is_found;
    }
    for (size_t i = 0; i < world->agents; i++)
        if (key_id == 1 && ves_uuid_equal(tenant, &world->stream.tenant) &&
            ves_uuid_equal(agent, &world->devices[i].agent)) {
            *out = world->devices[i].key.signer.public_key;
            return true;
        }
    return false;
}

static void ingest(struct sim_world *world, size_t device,
                   struct ves_bytes body, struct ves_buf *answer)
{
    struct ves_key_source keys = {world, find_key};
    struct ves_caller caller = {.tenant = world->stream.tenant,
                                .has_store = true,
                                .store = world->stream.store,
                                .has_agent = true,
                                .agent = world->devices[device].agent,
                                .rights = VES_RIGHT_READ | VES_RIGHT_WRITE};
    struct ves_sequencer *sequencer = &world->hub.sequencer;
    struct ves_ingest request, *group[1] = {&request};
    struct ves_uuid id;

    sim_hub_batch_id(&world->hub, &id);
    VES_ASSERT(ves_ingest_read(&request, ves_alloc_default(), body, &caller) ==
                   VES_OK &&
               request.http_status == 200);
    VES_ASSERT(ves_ingest_prepare(&request, ves_alloc_default(), &keys,
                                  &world->verifier, false) == VES_OK);
    VES_ASSERT(ves_sequencer_commit(sequencer, group, 1, &id,
                                    sim_now_ms(world)) == VES_OK);
    VES_ASSERT(ves_ingest_answer(&request, sequencer, VES_DIALECT_JS, answer) ==
               VES_OK);
    ves_ingest_free(&request);
}

/* ---- pages --------------------------------------------------------------- */

struct listing {
    struct sim_world *world;
    struct ves_buf *out;
    uint64_t count;
};

static enum ves_status put_row(void *ctx, const struct ves_log_row *row)
{
    static const struct sim_message nobody;
    struct listing *list = ctx;

    ves_buf_put_str(list->out, list->count++ ? "," : "");
    sim_forge_item(list->world, &nobody, SIM_TRUTH, row, row->sequence_number,
                   list->out);
    return VES_OK;
}

uint64_t sim_direct_items(struct sim_world *world, uint32_t stream_no,
                          uint64_t from, uint32_t limit, struct ves_buf *out)
{
    struct ves_store *disk = world->hub.disk;
    struct listing list = {world, out, 0};

    VES_ASSERT(disk->ops->log_read(disk, stream_no, from, limit, put_row,
                                   &list) == VES_OK);
    return list.count;
}

void sim_direct_page(struct sim_world *world, uint32_t stream_no,
                     struct ves_bytes items, uint64_t from, uint64_t next,
                     uint64_t head, struct ves_buf *out)
{
    struct ves_arena arena;

    ves_buf_init(out, ves_alloc_default(), TEXT_MAX);
    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    ves_buf_put_str(out, "{\"events\":[");
    ves_buf_put_bytes(out, items);
    ves_buf_putf(out,
                 "],\"count\":%llu,\"next_sequence\":%llu,\"head_sequence\":"
                 "%llu,\"has_more\":%s",
                 (unsigned long long)(next - from), (unsigned long long)next,
                 (unsigned long long)head, next <= head ? "true" : "false");
    VES_ASSERT(ves_log_page_write(out, world->hub.disk, stream_no, next - 1,
                                  &arena) == VES_OK);
    ves_buf_put_str(out, "}");
    VES_ASSERT(ves_buf_status(out) == VES_OK);
    ves_arena_free(&arena);
}

/* ---- a store's push ------------------------------------------------------ */

static bool nobody_lives(const struct ves_lease *holder)
{
    (void)holder;
    return false;
}

enum sim_pushed sim_direct_push(struct sim_world *world, size_t device,
                                uint32_t limit)
{
    return sim_direct_send(world, device, limit, true);
}

enum sim_pushed sim_direct_send(struct sim_world *world, size_t device,
                                uint32_t limit, bool is_heard)
{
    struct sim_process *p = &world->devices[device].processes[0];
    struct ves_core_env env = sim_device_env(world, device);
    struct ves_push_result result = {.attempted = 0};
    struct ves_buf answer;
    struct ves_push push;

    if (ves_core_push_begin(&p->core, &p->lease, nobody_lives,
                            sim_now_ms(world), limit, true, &push))
        return SIM_NOTHING_TO_PUSH;
    enum sim_pushed pushed = SIM_NOTHING_TO_PUSH;
    if (push.count > 0) {
        ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
        ingest(world, device, ves_buf_view(&push.body), &answer);
        pushed = is_heard &&
                         ves_core_push_end(&p->core, &push, &env, 200,
                                           ves_buf_view(&answer), 0,
                                           &result) == VES_OK &&
                         result.accepted > 0
                     ? SIM_TAKEN
                     : SIM_NOTHING_TAKEN;
        ves_buf_free(&answer);
    }
    if (is_heard)
        ves_core_push_release(&p->core, &push);
    ves_push_free(&push, &p->alloc.alloc);
    return pushed;
}
