/* heads.c -- the sequencer signs heads of its log, and dies in between;
 * restore.c: backups of its disk come back.
 *
 * No two heads that were ever signed may be inconsistent, whatever crashed
 * when.  The checks know every head and the root of every size, which they
 * compute themselves from the rows on the disk.  The head file is what the
 * product has in src/server/head_file.c: written after signing, before anybody
 * can read the head.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/merkle.h"
#include "engine/log_tree.h"
#include "sim/world.h"
#include "store/store_mem.h"
#include "json/jcs.h"

enum { SCRATCH_MAX = 64 << 20 };

/* ---- what is true -------------------------------------------------------- */

void sim_heads_row(struct sim_world *world, const struct ves_log_row *row)
{
    const struct ves_leaf leaf = {world->stream, row->sequence_number,
                                  row->event_hash, row->signature};
    struct ves_hash hash;
    uint8_t entry[VES_LEAF_SIZE];

    ves_leaf_write(&leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    VES_ASSERT(ves_tlog_edge_add(&world->tree, 0, &hash) == VES_OK);
    ves_tlog_edge_root(&world->tree,
                       &world->log[row->sequence_number - 1].root);
}

/* A head that was signed, whether or not anybody got to see it.  Heads of one
 * tree, which only grows, are consistent with each other. */
void sim_heads_check(struct sim_world *world, uint64_t size,
                     const struct ves_hash *root)
{
    if (size == 0 || size > world->hub.checked)
        sim_fail(world, "a head of %llu events is signed, %llu are durable",
                 (unsigned long long)size,
                 (unsigned long long)world->hub.checked);
    if (!ves_hash_equal(root, &world->log[size - 1].root))
        sim_fail(world, "the head signed at %llu is not the log's",
                 (unsigned long long)size);
}

static void read_log(struct sim_world *world, struct ves_arena *arena,
                     struct ves_stream_row *stream, struct ves_tlog_row *log)
{
    struct ves_store *disk = world->hub.disk;

    memset(log, 0, sizeof(*log));
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, stream) ==
               VES_OK);
    enum ves_status status =
        disk->ops->tlog_get(disk, stream->stream_no, arena, log);
    VES_ASSERT(status == VES_OK || status == VES_NOT_FOUND);
}

/* What lies on the disk is what was signed, and no more than the file has. */
static void check_disk(struct sim_world *world)
{
    struct ves_arena arena;
    struct ves_stream_row stream;
    struct ves_tlog_row log;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    read_log(world, &arena, &stream, &log);
    if (log.signed_size > 0)
        sim_heads_check(world, log.signed_size, &log.signed_root);
    if (log.signed_size > world->hub.file_size)
        sim_fail(world, "a head of %llu is to be read, the file has %llu",
                 (unsigned long long)log.signed_size,
                 (unsigned long long)world->hub.file_size);
    if (log.signed_size < world->hub.published_size)
        sim_fail(world, "a head of %llu was read, now it is %llu",
                 (unsigned long long)world->hub.published_size,
                 (unsigned long long)log.signed_size);
    world->hub.published_size = log.signed_size;
    if (log.frozen_at_ms)
        sim_fail(world, "the stream is frozen: %.*s", (int)log.frozen_why.len,
                 (const char *)log.frozen_why.ptr);
    ves_arena_free(&arena);
}

/* ---- signing ------------------------------------------------------------- */

static void sign(struct sim_world *world)
{
    struct sim_hub *hub = &world->hub;
    struct ves_arena arena;
    struct ves_log_head head;
    struct ves_error error = {0};

    ves_arena_init(&arena, &hub->alloc.alloc, SCRATCH_MAX);
    enum ves_status status =
        ves_log_head_make(&hub->sequencer, hub->sequencer.store, &world->stream,
                          (int64_t)world->tick, &arena, &head, &error);
    if (status == VES_CORRUPT)
        sim_fail(world, "the log is not what it was: %s", error.text);
    if (!status && head.is_due) {
        sim_heads_check(world, head.row.size, &head.row.root);
        world->heads++;
        /* It may die before, and after; the file is written whole or not. */
        if (!sim_chance(&world->heads_rng, world->options.kill)) {
            hub->file_size = head.row.size;
            hub->file_root = head.row.root;
            if (sim_chance(&world->heads_rng, world->options.kill))
                hub->faults.is_dead = hub->faults.is_on;
            else
                status = ves_log_head_keep(&hub->sequencer, &head, 1);
        }
    }
    sim_trace(world, 'h', head.is_due ? head.row.size : 0);
    ves_arena_free(&arena);
    if (!hub->faults.is_dead)
        check_disk(world);
    if (!hub->faults.is_on && status)
        sim_fail(world, "heads cannot be signed any more (%s)",
                 ves_status_name(status));
}

/* With chances of its own, so that the rest of a history is what it is without
 * heads, unless the sequencer dies here. */
void sim_heads_sign(struct sim_world *world)
{
    if (!world->is_quiet && !sim_chance(&world->heads_rng, 600))
        return;
    world->hub.faults.rng = &world->heads_rng;
    sign(world);
    world->hub.faults.rng = &world->rng;
}

/* ---- telling ------------------------------------------------------------- */

/* The same head with another root, signed by the sequencer itself. */
static void put_forged(struct sim_world *world, struct ves_bytes told,
                       struct ves_buf *out)
{
    const struct sim_hub *hub = &world->hub;
    struct ves_signer *signer = hub->sequencer.signer;
    struct ves_checkpoint head;
    struct ves_note_key key;
    struct ves_note note;
    struct ves_buf text;
    struct ves_sig sig;

    VES_ASSERT(ves_note_read(told, &note, NULL) == VES_OK &&
               ves_checkpoint_read(note.text, &head, NULL) == VES_OK);
    head.root.b[sim_below(&world->told_rng, VES_HASH_SIZE)] ^= 1;
    ves_buf_init(&text, ves_alloc_default(), SCRATCH_MAX);
    ves_checkpoint_write(&text, &head);
    signer->sign_text(signer, ves_buf_view(&text), &sig);
    ves_note_key_init(&key, head.origin, VES_NOTE_ED25519, &signer->public_key);
    ves_buf_put_u8(&text, '\n');
    ves_note_line_write(&text, &key, sig.b, VES_SIG_SIZE);
    ves_jcs_write_string(out, ves_buf_view(&text));
    ves_buf_free(&text);
}

void sim_heads_tell(struct sim_world *world, uint32_t stream_no, uint64_t end,
                    struct ves_buf *out)
{
    struct ves_store *disk = world->hub.disk;
    struct ves_tlog_row log = {.signed_size = 0};
    size_t from = out->len;
    struct ves_arena arena;
    struct ves_buf forged;

    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    VES_ASSERT(ves_log_page_write(out, disk, stream_no, end, &arena) == VES_OK);
    if (disk->ops->tlog_get(disk, stream_no, &arena, &log) ||
        log.signed_size == 0 || world->is_quiet ||
        !sim_chance(&world->told_rng, world->options.forge)) {
        ves_arena_free(&arena);
        return;
    }
    ves_buf_init(&forged, ves_alloc_default(), SCRATCH_MAX);
    ves_jcs_write_string(&forged, log.note);
    size_t old = forged.len;
    const uint8_t *at =
        memmem(out->ptr + from, out->len - from, forged.ptr, old);
    VES_ASSERT(at != NULL);
    size_t before = (size_t)(at - out->ptr);
    ves_buf_reset(&forged);
    put_forged(world, log.note, &forged);
    ves_buf_put(&forged, at + old, out->len - before - old);
    out->len = before;
    ves_buf_put_bytes(out, ves_buf_view(&forged));
    ves_buf_free(&forged);
    ves_arena_free(&arena);
    world->lies++;
    world->hub.is_lying = world->hub.has_false_head = true;
}

/* ---- starting again ------------------------------------------------------ */

/* What the product does with the head file when it starts. */
bool sim_heads_may_start(struct sim_world *world, struct ves_store *store,
                         uint64_t file_size)
{
    struct ves_stream_row stream;
    struct ves_checkpoint head = {.size = file_size};
    enum ves_log_claim claim;

    if (head.size == 0)
        return true;
    head.root = world->log[file_size - 1].root;
    VES_ASSERT(store->ops->stream_get(store, &world->stream, false, &stream) ==
               VES_OK);
    VES_ASSERT(ves_log_claim_compare(store, &stream, &head, &claim) == VES_OK);
    return claim == VES_LOG_AGREES;
}

void sim_heads_restart(struct sim_world *world)
{
    check_disk(world);
    if (!sim_heads_may_start(world, world->hub.disk, world->hub.file_size))
        sim_fail(world, "the sequencer does not start on its own disk");
    if (sim_chance(&world->heads_rng, 300))
        sim_restore(world);
}
