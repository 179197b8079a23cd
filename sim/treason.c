/* treason.c -- the sequencer itself lies: two histories, each whole and signed.
 *
 * When a world has come to rest, its sequencer takes some events and tells of
 * them (here), goes back to where it was, and takes others in their place
 * (there).  Every signature is its own and true.
 *
 *   fork       a store that followed here is told how there goes on
 *   promise    a store whose events were taken here is told only there
 *   heads      true events of here come with a head of there
 *   apart      a store that is behind both is shown true events of before, with
 *              a head of here, and then with one of there
 *
 * Whoever sees one history alone suspects nothing.  The store that sees both
 * applies nothing of what it is told, whatever fails or dies meanwhile, says
 * so, and gets evidence that anybody reads with the log's key alone.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/merkle.h"
#include "crypto/crypto.h"
#include "engine/log_tree.h"
#include "sim/world.h"
#include "store/store_mem.h"
#include "ves/verify.h"

enum { TEXT_MAX = 4 << 20, SCRATCH_MAX = 64 << 20, FAILING_CALLS = 30 };

enum betrayal { FORK, PROMISE, HEADS, APART, BETRAYALS };

/* What was told of one history, from the moment on at which they part. */
struct told {
    struct ves_buf items;
    uint64_t end; /* of the log there */
};

struct treason {
    struct sim_world *world;
    enum betrayal kind;
    size_t victim, other, third; /* two may be one, never the first two */
    uint64_t start;              /* the last number all stores have */
    uint64_t common_end;         /* the last number of both histories */
    uint32_t stream_no;
    uint64_t rng;
    struct told here;
    struct ves_buf truth; /* a page of here, as it was told */
};

static struct sim_process *process(struct treason *t, size_t device)
{
    return &t->world->devices[device].processes[0];
}

/* ---- pages --------------------------------------------------------------- */

/* The log's events after a number, as they are now. */
static void take_items(struct treason *t, uint64_t after, struct told *out)
{
    ves_buf_init(&out->items, ves_alloc_default(), TEXT_MAX);
    out->end = sim_head_of(t->world, t->world->hub.disk);
    (void)sim_direct_items(t->world, t->stream_no, after + 1, 0, &out->items);
}

/* A page of those events, with the head there is now. */
static void write_page(struct treason *t, const struct told *told,
                       uint64_t after, struct ves_buf *out)
{
    uint64_t end = told->end > after ? told->end : after;

    sim_direct_page(t->world, t->stream_no, ves_buf_view(&told->items),
                    after + 1, end + 1, end, out);
}

/* GET /ves/STREAM/inclusion of an entry in the tree of size. */
static void write_inclusion(struct treason *t, uint64_t sequence, uint64_t size,
                            struct ves_buf *out)
{
    const struct ves_tlog_node node = {0, sequence - VES_TLOG_FIRST};
    struct ves_log_source source;
    struct ves_tlog_path path;
    struct ves_hash leaf;

    ves_log_source_init(&source, t->world->hub.disk, t->stream_no, size);
    const struct ves_tlog_source *nodes = &source.tiles.source;
    VES_ASSERT(nodes->read(nodes->ctx, &node, 1, &leaf) == VES_OK);
    VES_ASSERT(ves_tlog_inclusion_make(nodes, node, size, &path) == VES_OK);
    ves_buf_init(out, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_str(out, "{\"leafHash\":\"");
    ves_buf_put_hex(out, leaf.b, VES_HASH_SIZE);
    ves_buf_put_str(out, "\",\"path\":[");
    for (uint32_t i = 0; i < path.count; i++) {
        ves_buf_put_str(out, i ? ",\"" : "\"");
        ves_buf_put_hex(out, path.hash[i].b, VES_HASH_SIZE);
        ves_buf_put_str(out, "\"");
    }
    ves_buf_put_str(out, "]}");
}

/* ---- the stores ---------------------------------------------------------- */

/* Writes and pushes some events; false: this store has other worries. */
static bool write_events(struct treason *t, size_t device)
{
    for (uint64_t left = 1 + sim_below(&t->rng, 3); left > 0; left--)
        sim_device_append(t->world, device, 0);
    return sim_direct_push(t->world, device, 0) == SIM_TAKEN;
}

static uint64_t cursor_of(struct treason *t, size_t device)
{
    return sim_head_of(t->world, t->world->devices[device].disk);
}

static uint64_t alerts_of(struct treason *t, size_t device)
{
    struct ves_store *disk = t->world->devices[device].disk;
    uint64_t count;

    VES_ASSERT(disk->ops->record_count_open(disk, VES_RECORD_ALERT, 1,
                                            &count) == VES_OK);
    return count;
}

/* *page stays, for what is asked about it.  VES_AGAIN: a key is unknown. */
static enum ves_status show_page(struct treason *t, size_t device,
                                 struct ves_bytes text, uint64_t after,
                                 struct ves_page **page)
{
    struct sim_process *p = process(t, device);
    struct ves_pull_result result = {.received = 0};
    bool needs_keys;

    *page = NULL;
    enum ves_status status =
        ves_core_page_read(&p->core, text, after + 1, page, &needs_keys);
    if (status || needs_keys)
        return status ? status : VES_AGAIN;
    ves_core_page_verify(&p->core, *page);
    return ves_core_page_apply(&p->core, *page, sim_now_ms(t->world), &result);
}

/* What is there now, told truly: nobody is suspected.  false: not now. */
static bool follow(struct treason *t, size_t device)
{
    uint64_t after = cursor_of(t, device), alerts = alerts_of(t, device);
    struct ves_page *page;
    struct ves_buf text;
    struct told told;

    take_items(t, after, &told);
    write_page(t, &told, after, &text);
    enum ves_status status =
        show_page(t, device, ves_buf_view(&text), after, &page);
    ves_page_free(page);
    ves_buf_free(&text);
    ves_buf_free(&told.items);
    if (status == VES_AGAIN)
        return false;
    if (status ||
        cursor_of(t, device) != sim_head_of(t->world, t->world->hub.disk))
        sim_fail(t->world, "store %zu does not take one history alone: %s",
                 device, process(t, device)->core.error.text);
    if (alerts_of(t, device) > alerts)
        sim_fail(t->world, "store %zu suspects one history alone", device);
    return true;
}

/* ---- what is caught ------------------------------------------------------ */

/* What must not move: how far the log goes, its tree, and the outbox. */
struct standing {
    uint64_t cursor, logged, counts[VES_OUTBOX_STATUSES];
    struct ves_hash edge;
};

static void stand(struct treason *t, struct standing *out)
{
    struct ves_store *disk = t->world->devices[t->victim].disk;
    struct ves_follow_row row = {.logged = 0};
    struct ves_arena arena;

    memset(out, 0, sizeof(*out));
    ves_arena_init(&arena, ves_alloc_default(), SCRATCH_MAX);
    out->cursor = cursor_of(t, t->victim);
    enum ves_status status = disk->ops->follow_get(disk, 1, &arena, &row);
    VES_ASSERT(status == VES_OK || status == VES_NOT_FOUND);
    out->logged = row.logged;
    ves_sha256_one(row.edge.ptr, row.edge.len, &out->edge);
    VES_ASSERT(disk->ops->outbox_counts(disk, out->counts) == VES_OK);
    ves_arena_free(&arena);
}

static void expect_standing(struct treason *t, const struct standing *before)
{
    struct standing after;

    stand(t, &after);
    if (memcmp(&after, before, sizeof(after)) != 0)
        sim_fail(t->world,
                 "store %zu took something of two histories: it was at %llu, "
                 "logged to %llu, and is at %llu, logged to %llu",
                 t->victim, (unsigned long long)before->cursor,
                 (unsigned long long)before->logged,
                 (unsigned long long)after.cursor,
                 (unsigned long long)after.logged);
}

/* With the log's keys, and nothing of the store's. */
static enum ves_verify_verdict judge_evidence(struct treason *t,
                                              struct ves_bytes file)
{
    static struct ves_verify_report report;
    const struct sim_hub *hub = &t->world->hub;
    struct ves_verify_anchors anchors = {.stream = &t->world->stream};
    struct ves_buf origin, policy;
    struct ves_hash stream_id;

    ves_buf_init(&origin, ves_alloc_default(), VES_ORIGIN_MAX);
    ves_buf_init(&policy, ves_alloc_default(), TEXT_MAX);
    ves_stream_id(&t->world->stream, &stream_id);
    ves_origin_write(&origin, hub->sequencer.log_host, &stream_id);
    for (size_t i = 0; i < hub->key_count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, ves_buf_view(&origin), VES_NOTE_ED25519,
                          &hub->keys[i].signer.public_key);
        ves_buf_put_str(&policy, "log ");
        ves_note_key_write(&policy, &key);
        ves_buf_put_str(&policy, "\n");
    }
    ves_buf_put_str(&policy, "quorum none\n");
    anchors.policy = ves_buf_view(&policy);
    enum ves_status status = ves_verify(
        ves_alloc_default(), file, ves_bytes(NULL, 0), &anchors, &report, NULL);
    ves_buf_free(&origin);
    ves_buf_free(&policy);
    return status ? VES_VERIFY_INVALID : report.verdict;
}

static void expect_verdict(struct treason *t, struct ves_bytes file,
                           enum ves_verify_verdict wanted)
{
    enum ves_verify_verdict verdict = judge_evidence(t, file);

    if (verdict != wanted)
        sim_fail(t->world,
                 "store %zu has evidence with verdict %d where %d was "
                 "expected: %.*s",
                 t->victim, (int)verdict, (int)wanted, (int)file.len,
                 (const char *)file.ptr);
}

/* Two heads that cannot both be of one log. */
static enum ves_status show_fork(struct treason *t, struct ves_bytes theirs,
                                 struct ves_buf *out)
{
    struct ves_agent_core *core = &process(t, t->victim)->core;
    struct ves_buf inclusion;
    uint64_t size, common;

    enum ves_status status = ves_core_dispute(core, theirs, &size, &common);
    if (status)
        return status;
    write_inclusion(t, common, size, &inclusion);
    status = ves_core_fork_evidence(core, theirs, ves_buf_view(&inclusion),
                                    sim_now_ms(t->world), out);
    ves_buf_free(&inclusion);
    return status;
}

/* A receipt of this store's, and a log that does not keep it. */
static enum ves_status show_promise(struct treason *t,
                                    const struct ves_page *page,
                                    struct ves_buf *out)
{
    struct ves_agent_core *core = &process(t, t->victim)->core;
    struct ves_buf inclusion;
    uint64_t sequence, size;

    if (!ves_page_breaks(page, &sequence, &size))
        return VES_NOT_FOUND;
    write_inclusion(t, sequence, size, &inclusion);
    enum ves_status status = ves_core_promise_evidence(
        core, page, ves_buf_view(&inclusion), sim_now_ms(t->world), out);
    ves_buf_free(&inclusion);
    return status;
}

/* A receipt of the page's, and the entry that the log of its head has there. */
static enum ves_status show_receipt(struct treason *t,
                                    const struct ves_page *page,
                                    struct ves_buf *out)
{
    struct ves_agent_core *core = &process(t, t->victim)->core;
    struct ves_store *disk = t->world->hub.disk;
    struct ves_stream_row stream;
    struct ves_buf entries, inclusion;
    uint64_t first, end, size, sequence;

    if (!ves_page_range(page, &first, &end, &size))
        return VES_NOT_FOUND;
    VES_ASSERT(disk->ops->stream_get(disk, &t->world->stream, false, &stream) ==
               VES_OK);
    ves_buf_init(&entries, ves_alloc_default(), TEXT_MAX);
    VES_ASSERT(ves_log_entries_write(disk, &stream, first - VES_TLOG_FIRST,
                                     (uint32_t)(end - first + 1),
                                     &entries) == VES_OK);
    struct ves_bytes bundle = ves_buf_view(&entries);
    enum ves_status status = VES_NOT_FOUND;
    if (ves_page_differs(page, bundle, first, &sequence)) {
        size_t at = (size_t)(sequence - first) * (2 + VES_LEAF_SIZE) + 2;
        write_inclusion(t, sequence, size, &inclusion);
        status = ves_core_receipt_evidence(
            core, page, sequence, ves_bytes(bundle.ptr + at, VES_LEAF_SIZE),
            ves_buf_view(&inclusion), sim_now_ms(t->world), out);
        ves_buf_free(&inclusion);
    }
    ves_buf_free(&entries);
    return status;
}

static void expect_evidence(struct treason *t, const struct ves_page *page)
{
    struct ves_bytes theirs;
    struct ves_buf file;

    ves_buf_init(&file, ves_alloc_default(), TEXT_MAX);
    enum ves_status status = show_promise(t, page, &file);
    if (status && ves_page_is_disputed(page, &theirs))
        status = show_fork(t, theirs, &file);
    if (status)
        status = show_receipt(t, page, &file);
    if (status)
        sim_fail(t->world, "store %zu has no evidence of betrayal %d: %s",
                 t->victim, (int)t->kind, ves_status_name(status));
    expect_verdict(t, ves_buf_view(&file), VES_VERIFY_PROVEN);
    ves_buf_free(&file);
}

/* The same while calls fail and the process dies. */
static void show_badly(struct treason *t, struct ves_bytes text, uint64_t after)
{
    struct sim_faults *faults = &process(t, t->victim)->faults;
    struct ves_page *page;

    faults->rng = &t->rng;
    faults->is_on = true;
    faults->fail_per_mille = faults->late_per_mille = FAILING_CALLS;
    faults->crash_per_mille = faults->nomem_per_mille = FAILING_CALLS;
    (void)show_page(t, t->victim, text, after, &page);
    faults->is_on = false;
    ves_page_free(page);
    sim_device_kill(t->world, t->victim, 0);
    VES_ASSERT(sim_device_revive(t->world, t->victim));
}

/* ---- all of it ----------------------------------------------------------- */

/* What it was told is forgotten when the sequencer keeps to one history; what
 * is proven is not. */
static void go_on(struct treason *t)
{
    uint64_t alerts = alerts_of(t, t->victim);
    struct ves_page *page;

    if (t->kind == FORK)
        return; /* it has all of here */
    enum ves_status status =
        show_page(t, t->victim, ves_buf_view(&t->truth), t->start, &page);
    ves_page_free(page);
    if (status || cursor_of(t, t->victim) != t->here.end)
        sim_fail(t->world, "store %zu does not go on: %s", t->victim,
                 process(t, t->victim)->core.error.text);
    if (alerts > 0 && alerts_of(t, t->victim) == 0)
        sim_fail(t->world, "store %zu forgets that it was betrayed", t->victim);
}

static void be_found_out(struct treason *t)
{
    uint64_t after = cursor_of(t, t->victim);
    struct standing before;
    struct ves_page *page;
    struct ves_buf text;
    struct told there;

    take_items(t, after, &there);
    write_page(t, t->kind == HEADS ? &t->here : &there, after, &text);
    stand(t, &before);
    show_badly(t, ves_buf_view(&text), after);
    expect_standing(t, &before);
    enum ves_status status =
        show_page(t, t->victim, ves_buf_view(&text), after, &page);
    expect_standing(t, &before);
    if (status == VES_REFUSED) {
        if (alerts_of(t, t->victim) == 0)
            sim_fail(t->world, "store %zu does not say that it is betrayed",
                     t->victim);
        expect_evidence(t, page);
        expect_standing(t, &before);
        go_on(t);
        t->world->betrayals++;
    } else if (status != VES_AGAIN) { /* a key that it has to ask for first */
        sim_fail(t->world, "store %zu does not see betrayal %d: %s", t->victim,
                 (int)t->kind, ves_status_name(status));
    }
    ves_page_free(page);
    ves_buf_free(&text);
    ves_buf_free(&there.items);
}

/* Shows what lies between the cursor and end, true events, with the head there
 * is now.  VES_AGAIN: a key is unknown. */
static enum ves_status show_before(struct treason *t, uint64_t end,
                                   struct ves_buf *text, struct ves_page **page)
{
    uint64_t after = cursor_of(t, t->victim), alerts = alerts_of(t, t->victim);
    struct ves_buf items;

    ves_buf_init(&items, ves_alloc_default(), TEXT_MAX);
    (void)sim_direct_items(t->world, t->stream_no, after + 1,
                           (uint32_t)(end - after), &items);
    sim_direct_page(t->world, t->stream_no, ves_buf_view(&items), after + 1,
                    end + 1, sim_head_of(t->world, t->world->hub.disk), text);
    ves_buf_free(&items);
    enum ves_status status =
        show_page(t, t->victim, ves_buf_view(text), after, page);
    if (status != VES_AGAIN && (status || cursor_of(t, t->victim) != end ||
                                alerts_of(t, t->victim) > alerts))
        sim_fail(t->world,
                 "store %zu does not take true events with a head beyond: %s",
                 t->victim, process(t, t->victim)->core.error.text);
    return status;
}

/* The two heads do not join: that they are signed is all that is known of them
 * alone, and with the log's answer that they are of two histories. */
static void expect_apart(struct treason *t, const struct ves_page *page)
{
    struct ves_agent_core *core = &process(t, t->victim)->core;
    uint64_t alerts = alerts_of(t, t->victim);
    struct ves_bytes theirs;
    struct ves_buf heads, fork;
    bool is_apart = false;

    if (!ves_page_signed_head(page, &theirs) ||
        ves_core_apart(core, theirs, &is_apart) || !is_apart)
        sim_fail(t->world, "store %zu takes two heads for one history",
                 t->victim);
    ves_buf_init(&heads, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&fork, ves_alloc_default(), TEXT_MAX);
    if (ves_core_apart_evidence(core, theirs, sim_now_ms(t->world), &heads) ||
        alerts_of(t, t->victim) == alerts)
        sim_fail(t->world, "store %zu keeps not both heads", t->victim);
    expect_verdict(t, ves_buf_view(&heads), VES_VERIFY_BELOW_POLICY);
    if (show_fork(t, theirs, &fork))
        sim_fail(t->world, "store %zu has no evidence of two heads", t->victim);
    expect_verdict(t, ves_buf_view(&fork), VES_VERIFY_PROVEN);
    ves_buf_free(&heads);
    ves_buf_free(&fork);
}

/* What the victim is told of before the histories part, with a head of here;
 * false: not now. */
static bool begin_apart(struct treason *t)
{
    struct ves_page *page;
    struct ves_buf text;

    enum ves_status status = show_before(t, t->start + 1, &text, &page);
    ves_page_free(page);
    ves_buf_free(&text);
    return status == VES_OK;
}

/* The rest of it, with a head of there, after a crash. */
static void end_apart(struct treason *t)
{
    struct ves_page *page;
    struct ves_buf text;

    sim_device_kill(t->world, t->victim, 0);
    VES_ASSERT(sim_device_revive(t->world, t->victim));
    if (show_before(t, t->common_end, &text, &page) == VES_OK) {
        expect_apart(t, page);
        t->world->betrayals++;
    }
    ves_page_free(page);
    ves_buf_free(&text);
}

/* Stores that have no other worries. */
static bool choose(struct treason *t)
{
    struct sim_world *world = t->world;

    t->victim = sim_below(&t->rng, world->options.stores);
    t->other = (t->victim + 1 + sim_below(&t->rng, world->options.stores - 1)) %
               world->options.stores;
    t->third = sim_below(&t->rng, world->options.stores);
    if (t->third == t->other)
        t->third = t->victim;
    const size_t all[] = {t->victim, t->other, t->third};
    for (size_t i = 0; i < 3; i++)
        if (world->devices[all[i]].is_revoked ||
            world->devices[all[i]].was_restored ||
            cursor_of(t, all[i]) != t->start)
            return false;
    return true;
}

/* Events of both histories that the victim has not seen. */
static bool live_before(struct treason *t)
{
    while (t->kind == APART && t->common_end < t->start + 2) {
        if (!write_events(t, t->other))
            return false;
        t->common_end = sim_head_of(t->world, t->world->hub.disk);
    }
    return true;
}

/* What the victim knows before the sequencer goes back. */
static bool live_here(struct treason *t)
{
    bool is_victims = t->kind == FORK || t->kind == PROMISE;

    if (!write_events(t, is_victims ? t->victim : t->third))
        return false;
    sim_direct_sign(t->world, "a second history");
    take_items(t, t->start, &t->here);
    write_page(t, &t->here, t->start, &t->truth);
    if (t->kind == APART)
        return begin_apart(t);
    return t->kind != FORK || follow(t, t->victim);
}

/* There goes on until it is longer, so that no end of the log gives it away. */
static bool live_there(struct treason *t)
{
    do {
        if (!write_events(t, t->other))
            return false;
        if (sim_chance(&t->rng, 500))
            sim_direct_sign(t->world, "a second history");
    } while (sim_head_of(t->world, t->world->hub.disk) <=
             t->here.end + sim_below(&t->rng, 2));
    sim_direct_sign(t->world, "a second history");
    return true;
}

void sim_treason(struct sim_world *world)
{
    struct treason t = {.world = world,
                        .rng = world->seed ^ UINT64_C(0x545245414e)};

    ves_buf_init(&t.here.items, ves_alloc_default(), TEXT_MAX);
    ves_buf_init(&t.truth, ves_alloc_default(), TEXT_MAX);
    t.kind = (enum betrayal)sim_below(&t.rng, BETRAYALS);
    t.start = t.common_end = sim_head_of(world, world->hub.disk);
    struct ves_stream_row row;
    struct ves_store *disk = world->hub.disk;
    VES_ASSERT(disk->ops->stream_get(disk, &world->stream, false, &row) ==
               VES_OK);
    t.stream_no = row.stream_no;
    if (!choose(&t) || !live_before(&t))
        return;
    ves_store_mem_keep(disk);
    bool is_told = live_here(&t);
    ves_store_mem_return(disk);
    bool is_over = is_told && live_there(&t);
    if (is_over && t.kind == APART)
        end_apart(&t);
    else if (is_over)
        be_found_out(&t);
    ves_buf_free(&t.here.items);
    ves_buf_free(&t.truth);
}
