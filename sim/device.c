/* device.c -- a store and the one or two processes that work on it. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "sim/world.h"
#include "store/store_mem.h"

enum {
    DEADLINE = 60,
    PAGE_MAX = 40,
    ENTITIES = 5,
    PAYLOAD_MAX = 256,
    UNSIGNED_WORDS = 2 /* then a push does not take it up again */
};

/* Processes that run, of all stores; a lease names one of them. */
static uint64_t alive[SIM_STORES_MAX][SIM_PROCESSES];

/* Two containers with one file do not see each other's processes. */
static bool is_gone(const struct ves_lease *holder)
{
    (void)holder;
    return false;
}

static bool is_alive(const struct ves_lease *holder)
{
    for (size_t i = 0; i < SIM_STORES_MAX; i++)
        for (size_t k = 0; k < SIM_PROCESSES; k++)
            if (alive[i][k] == holder->pid)
                return true;
    return false;
}

static int64_t now_ms(const struct sim_world *world, size_t device)
{
    return INT64_C(1770000000000) + (int64_t)world->tick * 10 +
           world->devices[device].clock_offset_ms;
}

struct ves_core_env sim_device_env(struct sim_world *world, size_t device)
{
    struct ves_core_env env = {.now_ms = now_ms(world, device)};

    for (size_t i = 0; i < sizeof(env.random); i++)
        env.random[i] = (uint8_t)sim_rng(&world->rng);
    return env;
}

/* ---- life and death ------------------------------------------------------ */

static void forget_push(struct sim_process *process)
{
    ves_push_free(&process->push, &process->alloc.alloc);
    process->push_request = 0;
}

void sim_device_kill(struct sim_world *world, size_t device, size_t process)
{
    struct sim_process *dead = &world->devices[device].processes[process];

    forget_push(dead);
    dead->pull_request = 0;
    dead->holds_lease = false;
    dead->is_loaded = false;
    dead->faults.is_dead = true;
    alive[device][process] = 0;
    ves_store_mem_crash(world->devices[device].disk);
    sim_trace(world, 'k', device);
}

/* Takes dead processes away, with the transaction they left open. */
static void bury(struct sim_world *world, size_t device)
{
    for (size_t k = 0; k < SIM_PROCESSES; k++)
        if (world->devices[device].processes[k].faults.is_dead &&
            alive[device][k])
            sim_device_kill(world, device, k);
}

static bool revive(struct sim_world *world, size_t device, size_t process)
{
    struct sim_device *owner = &world->devices[device];
    struct sim_process *self = &owner->processes[process];

    if (self->faults.is_dead)
        sim_device_kill(world, device, process);
    if (self->is_loaded)
        return true;
    self->faults.is_dead = false;
    memset(&self->core, 0, sizeof(self->core));
    self->core.store = &self->store.store;
    self->core.alloc = &self->alloc.alloc;
    self->core.signer = &owner->key.signer;
    self->core.verifier = &world->verifier;
    self->lease.pid = ++world->pids;
    self->lease.process_start = world->tick;
    alive[device][process] = self->lease.pid;
    self->is_loaded = ves_core_load(&self->core) == VES_OK;
    return self->is_loaded;
}

bool sim_device_revive(struct sim_world *world, size_t device)
{
    bool all = true;

    if (!world->devices[device].disk)
        return false;
    for (size_t k = 0; k < world->options.processes; k++)
        all &= revive(world, device, k);
    return all;
}

void sim_device_start(struct sim_world *world, size_t device)
{
    struct sim_device *self = &world->devices[device];
    struct sim_process *first = &self->processes[0];
    struct ves_core_identity identity = {
        .stream = world->stream,
        .agent = self->agent,
        .key_id = 1,
        .sequencer_id = world->hub.id,
        .sequencer_key_count = world->hub.key_count,
        .owner_key = world->owner_key,
    };

    for (size_t i = 0; i < world->hub.key_count; i++) {
        identity.sequencer_keys[i].version = (uint32_t)i + 1;
        identity.sequencer_keys[i].public_key =
            world->hub.keys[i].signer.public_key;
    }
    VES_ASSERT(ves_store_mem_open(ves_alloc_default(), &self->disk) == VES_OK);
    for (size_t k = 0; k < SIM_PROCESSES; k++) {
        struct sim_process *p = &self->processes[k];
        p->faults.rng = &world->rng;
        sim_store_init(&p->store, self->disk, &p->faults);
        sim_alloc_init(&p->alloc, &p->faults);
        ves_buf_init(&p->push.body, &p->alloc.alloc, VES_BODY_MAX);
    }
    /* Joining is done with a person watching: it is repeated until it works. */
    bool is_on = first->faults.is_on;
    first->faults.is_on = false;
    first->core.store = &first->store.store;
    first->core.alloc = &first->alloc.alloc;
    VES_ASSERT(ves_core_create(&first->core, &identity) == VES_OK);
    first->faults.is_on = is_on;
}

static enum ves_status keep_id(void *ctx, const struct ves_outbox_row *row)
{
    struct sim_world *world = ctx;

    for (size_t i = 0; i < world->event_count; i++)
        if (ves_uuid_equal(&world->events[i].id, &row->event_id))
            world->events[i].is_kept = true;
    return VES_OK;
}

/* Appended after the backup and not sequenced: nobody has it any more. */
static void lose_events(struct sim_world *world, size_t device)
{
    struct ves_store *disk = world->devices[device].disk;
    const struct ves_outbox_filter all = {.status_mask = 0};

    for (size_t i = 0; i < world->event_count; i++)
        world->events[i].is_kept = false;
    VES_ASSERT(disk->ops->outbox_list(disk, &all, keep_id, world) == VES_OK);
    for (size_t i = 0; i < world->event_count; i++)
        if (world->events[i].device == device && !world->events[i].is_kept)
            world->events[i].is_certain = false;
}

static bool hub_has_of(const struct sim_world *world, size_t device)
{
    for (size_t i = 0; i < world->hub.queued; i++)
        if (world->hub.queue[i].request.device == device)
            return true;
    return world->hub.faults.is_dead;
}

/* The machine dies, with what it had under way: a request of it that arrived
 * later would be one of two stores that write as one agent. */
void sim_device_restore(struct sim_world *world, size_t device)
{
    struct sim_device *self = &world->devices[device];
    struct ves_stream_row row;

    bury(world, device);
    for (size_t k = 0; k < SIM_PROCESSES; k++)
        if (self->processes[k].faults.is_dead)
            return;
    if (!self->has_backup) {
        ves_store_mem_keep(self->disk);
        self->has_backup = true;
        return;
    }
    if (hub_has_of(world, device))
        return;
    sim_check_log(world);
    for (size_t k = 0; k < SIM_PROCESSES; k++)
        sim_device_kill(world, device, k);
    sim_network_forget(world, device);
    ves_store_mem_return(self->disk);
    VES_ASSERT(self->disk->ops->begin(self->disk) == VES_OK &&
               self->disk->ops->meta_put(self->disk, VES_STORE_BACKUP,
                                         ves_bytes_str("1")) == VES_OK &&
               self->disk->ops->commit(self->disk) == VES_OK &&
               self->disk->ops->stream_get(self->disk, &world->stream, false,
                                           &row) == VES_OK);
    self->checked = row.head;
    self->has_backup = false;
    self->was_restored = true;
    world->restored++;
    lose_events(world, device);
    sim_trace(world, 'R', device);
}

void sim_device_free(struct sim_world *world, size_t device)
{
    struct sim_device *self = &world->devices[device];

    for (size_t k = 0; k < SIM_PROCESSES; k++)
        forget_push(&self->processes[k]);
    ves_store_mem_close(self->disk);
    self->disk = NULL;
    memset(alive[device], 0, sizeof(alive[device]));
}

/* ---- append -------------------------------------------------------------- */

static const char *draw_event(struct sim_world *world, char *id,
                              char payload[PAYLOAD_MAX])
{
    uint64_t n = sim_below(&world->rng, ENTITIES);
    uint64_t kind = sim_below(&world->rng, 10);
    unsigned v = (unsigned)sim_below(&world->rng, 100);
    struct ves_buf out;
    const char *type;

    ves_buf_init(&out, ves_alloc_default(), PAYLOAD_MAX - 1);
    if (kind < 5) {
        type = "inventory.adjusted";
        ves_buf_putf(&out, "{\"delta\":\"-%u\"}", v);
    } else if (kind < 7) {
        type = "order.created";
        ves_buf_putf(&out, "{\"currency\":\"GBP\",\"total\":%u}", v);
    } else if (kind < 8) {
        type = "order.updated";
        ves_buf_putf(&out, "{\"note\":\"n%u\",\"v\":%u}", v, v);
    } else if (kind < 9) {
        type = "customer.updated";
        ves_buf_putf(&out, "{\"name\":\"N%u\"}", v);
    } else {
        type = "loyalty.earned";
        ves_buf_putf(&out, "{\"points\":%u}", v);
    }
    memcpy(payload, out.ptr, out.len);
    payload[out.len] = '\0';
    ves_buf_free(&out);
    id[0] = 'E';
    id[1] = (char)('0' + n);
    id[2] = '\0';
    return type;
}

/* Things that others do to the same few entities at the same time. */
static const char *draw_quarrel(struct sim_world *world, char *id,
                                char payload[PAYLOAD_MAX])
{
    static const struct {
        const char *type, *payload; /* %u: a small number */
    } kinds[] = {
        {"customer.created", "{\"name\":\"N%u\"}"},
        {"customer.updated", "{\"patch\":{\"name\":\"N%u\"}}"},
        {"customer.updated", "{\"patch\":{\"email\":\"E%u\"}}"},
        {"customer.updated", "{\"patch\":{\"name\":\"the same\"}}"},
        {"customer.consent_changed",
         "{\"purpose\":\"mail\",\"state\":\"s%u\"}"},
        {"customer.deleted", "{\"reason\":\"r%u\"}"},
        {"order.created", "{\"origin\":\"web\",\"note\":\"n%u\"}"},
        {"order.updated", "{\"patch\":{\"note\":\"n%u\"}}"},
        {"order.updated", "{\"patch\":{\"customer_id\":\"E%u\"}}"},
        {"order.tagged", "{\"tags\":[\"t%u\"]}"},
        {"order.cancelled", "{\"reason_code\":\"r%u\"}"},
        {"order.shipped", "{\"tracking_number\":\"T%u\"}"},
        {"order.delivered", "{\"signed_by\":\"S%u\"}"},
        {"return.approved", "{\"by\":\"b%u\"}"},
        {"return.rejected", "{\"reason\":\"b%u\"}"},
        {"inventory.counted", "{\"counted\":\"%u\"}"},
        {"inventory.adjusted", "{\"delta\":\"%u\"}"},
    };
    size_t kind = sim_below(&world->rng, sizeof(kinds) / sizeof(kinds[0]));
    unsigned v = (unsigned)sim_below(&world->rng, 8);
    struct ves_buf out;

    ves_buf_init(&out, ves_alloc_default(), PAYLOAD_MAX - 1);
    for (const char *c = kinds[kind].payload; *c; c++) {
        if (c[0] == '%')
            ves_buf_put_decimal(&out, v);
        else if (c[0] != 'u' || c[-1] != '%')
            ves_buf_put_u8(&out, (uint8_t)*c);
    }
    memcpy(payload, out.ptr, out.len);
    payload[out.len] = '\0';
    ves_buf_free(&out);
    id[0] = strncmp(kinds[kind].type, "inventory.counted", 17) == 0 ? 'C' : 'E';
    id[1] = (char)('0' + sim_below(&world->rng, 3));
    id[2] = '\0';
    return kinds[kind].type;
}

/* Some event, of anybody, made before: what a paper slip may tell. */
static void draw_dep(struct sim_world *world, struct ves_core_append *what,
                     struct ves_uuid *dep)
{
    if (!sim_chance(&world->rng, 250))
        return;
    *dep = world->events[sim_below(&world->rng, world->event_count)].id;
    what->deps = dep;
    what->dep_count = 1;
}

static bool append(struct sim_world *world, size_t device, size_t process,
                   struct ves_core_append *what)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct ves_core_env env = sim_device_env(world, device);
    struct sim_event *event = sim_event_new(world, device);
    char id[8], payload[PAYLOAD_MAX];
    struct ves_uuid made;

    if (!event)
        return false;
    struct ves_uuid dep;
    const char *type;
    if (sim_chance(&world->rng, world->options.quarrel)) {
        type = draw_quarrel(world, id, payload);
        draw_dep(world, what, &dep);
    } else {
        type = draw_event(world, id, payload);
    }
    what->event_type = ves_bytes_str(type);
    what->entity_id = ves_bytes_str(id);
    what->payload = ves_bytes_str(payload);
    what->has_event_id = true;
    what->event_id = event->id;
    enum ves_status status = ves_core_append(&p->core, &env, what, &made);
    sim_trace(world, 'a', (uint64_t)status);
    /* A group another process wrote into is that process's fault. */
    bool is_allowed = status == VES_IO || status == VES_NOMEM ||
                      (status == VES_INVALID && what->cmd_index > 0);
    if (status && !is_allowed)
        sim_fail(world, "append on store %zu: %s", device, p->core.error.text);
    event->is_certain = status == VES_OK;
    return status == VES_OK;
}

void sim_device_append(struct sim_world *world, size_t device, size_t process)
{
    struct ves_core_append what = {.cmd_count = 0};
    uint64_t number;

    if (world->is_quiet || !sim_chance(&world->rng, world->options.group)) {
        (void)append(world, device, process, &what);
        return;
    }
    number = ++world->commands;
    what.has_command_id = true;
    memset(&what.command_id, 0xcc, sizeof(what.command_id));
    memcpy(what.command_id.b, &number, sizeof(number));
    what.cmd_count = 2 + (uint32_t)sim_below(&world->rng, SIM_GROUP_MAX - 1);
    for (; what.cmd_index < what.cmd_count; what.cmd_index++)
        if (!append(world, device, process, &what))
            return;
}

/* ---- push, pull, acknowledge --------------------------------------------- */

static void send(struct sim_world *world, size_t device, size_t process,
                 struct sim_message message, struct ves_bytes body)
{
    message.device = device;
    message.process = process;
    message.bytes = malloc(body.len ? body.len : 1);
    VES_ASSERT(message.bytes != NULL);
    message.len = body.len;
    if (body.len)
        memcpy(message.bytes, body.ptr, body.len);
    sim_send(world, &message);
}

static void release(struct sim_process *p)
{
    ves_core_push_release(&p->core, &p->push);
    p->holds_lease = false;
}

/* decision 12: one pusher at a time. */
static void take_lease(struct sim_world *world, size_t device, size_t process)
{
    struct sim_device *self = &world->devices[device];

    for (size_t k = 0; k < SIM_PROCESSES; k++)
        if (k != process && self->processes[k].holds_lease)
            sim_fail(world, "both processes of store %zu push", device);
    self->processes[process].holds_lease = true;
}

static bool draw_blindness(struct sim_world *world, size_t device)
{
    struct sim_device *self = &world->devices[device];

    if (!sim_chance(&world->rng, world->options.blind))
        return false;
    /* Whatever comes of it, the lease may be gone. */
    for (size_t k = 0; k < SIM_PROCESSES; k++)
        self->processes[k].holds_lease = false;
    return true;
}

static enum ves_status see_unsigned(void *ctx, const struct ves_outbox_row *row)
{
    struct ves_uuid *id = ctx;

    if (row->sequence_number > 0 || row->is_refused ||
        row->attempts < UNSIGNED_WORDS)
        return VES_OK;
    *id = row->event_id;
    return VES_AGAIN;
}

/* A conflict on the repeated word of somebody who signed nothing rests until a
 * person asks again. */
static void ask_again(struct sim_world *world, size_t device,
                      struct sim_process *p)
{
    static const struct ves_uuid nil;
    const struct ves_outbox_filter filter = {.status_mask =
                                                 1U << VES_OUTBOX_CONFLICT};
    struct ves_store *store = p->core.store;
    struct ves_uuid id = nil;
    uint64_t retried;

    (void)store->ops->outbox_list(store, &filter, see_unsigned, &id);
    if (!ves_uuid_equal(&id, &nil))
        (void)!ves_core_retry(&p->core, &id, 1, now_ms(world, device),
                              &retried);
}

/* ---- before a push (src/sync/own.c) -------------------------------------- */

struct author {
    struct ves_uuid agent;
    uint64_t count;
};

static enum ves_status count_author(void *ctx, const struct ves_log_row *row)
{
    struct author *author = ctx;

    author->count += ves_uuid_equal(&row->agent, &author->agent);
    return VES_OK;
}

/* The one question that is answered truly: a sequencer that hides own events
 * in both answers makes a restored store fork its chain (doc/adr/0018). */
static enum ves_status is_behind(struct sim_world *world, struct sim_process *p,
                                 const struct ves_core_own *own, bool *behind)
{
    struct ves_store *hub = world->hub.disk;
    struct author author = {.agent = p->core.agent};
    struct ves_stream_row row;
    bool is_known;

    *behind = false;
    VES_ASSERT(hub->ops->stream_get(hub, &world->stream, false, &row) ==
               VES_OK);
    if (row.head <= own->known)
        return VES_OK;
    VES_ASSERT(hub->ops->log_read(hub, row.stream_no, own->known + 1,
                                  (uint32_t)(row.head - own->known),
                                  count_author, &author) == VES_OK);
    enum ves_status status = ves_core_own_counted(
        &p->core, own->known, row.head, author.count, &is_known);
    *behind = !status && !is_known;
    return status;
}

/* May a store that was restored push? */
static bool is_whole(struct sim_world *world, size_t device,
                     struct sim_process *p)
{
    struct ves_core_own own;
    bool behind = false;

    enum ves_status status = ves_core_own(&p->core, &own);
    if (!status && own.was_backup && !own.needs_pull) {
        status = is_behind(world, p, &own, &behind);
        if (!status && !behind)
            status = ves_core_own_whole(&p->core);
    }
    if (!status && !behind && own.needs_rechain && !own.needs_pull) {
        status = ves_core_rechain(&p->core, now_ms(world, device));
        sim_trace(world, 'r', (uint64_t)status);
    }
    return !status && !behind;
}

void sim_device_push(struct sim_world *world, size_t device, size_t process)
{
    struct sim_process *p = &world->devices[device].processes[process];

    if (p->push_request || !p->is_loaded)
        return;
    if (world->is_quiet)
        ask_again(world, device, p);
    if (world->devices[device].was_restored && !is_whole(world, device, p))
        return;
    bool is_explicit = world->is_quiet || sim_chance(&world->rng, 300);
    bool is_blind = draw_blindness(world, device);
    enum ves_status status = ves_core_push_begin(
        &p->core, &p->lease, is_blind ? is_gone : is_alive,
        now_ms(world, device), (uint32_t)(1 + sim_below(&world->rng, 20)),
        is_explicit, &p->push);
    sim_trace(world, 'p', (uint64_t)status);
    if (status || p->push.count == 0) {
        if (!status)
            release(p);
        forget_push(p);
        return;
    }
    take_lease(world, device, process);
    p->push_request = ++world->requests;
    p->push_deadline = world->tick + DEADLINE;
    struct sim_message message = {.kind = SIM_INGEST,
                                  .request = p->push_request};
    send(world, device, process, message, ves_buf_view(&p->push.body));
}

static void ask(struct sim_world *world, size_t device, size_t process,
                enum sim_kind kind)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct sim_message message = {
        .kind = kind,
        .request = ++world->requests,
        .from = p->pull_from,
        .limit = 1 + sim_below(&world->rng, PAGE_MAX),
    };

    p->pull_kind = kind;
    p->pull_request = message.request;
    p->pull_deadline = world->tick + DEADLINE;
    send(world, device, process, message, ves_bytes(NULL, 0));
}

static void end_push(struct sim_world *world, size_t device, size_t process,
                     uint32_t http_status, struct ves_bytes bytes)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct ves_core_env env = sim_device_env(world, device);
    struct ves_push_result result;

    memset(&result, 0, sizeof(result));
    enum ves_status status = ves_core_push_end(&p->core, &p->push, &env,
                                               http_status, bytes, 0, &result);
    sim_trace(world, 'P', (uint64_t)status * 1000 + result.accepted);
    if (sim_chance(&world->rng, 500))
        release(p);
    forget_push(p);
    sim_check_device(world, device, false);
    /* Perhaps signed with a key not pinned yet. */
    if (status == VES_AGAIN && http_status == 200 && !p->pull_request)
        ask(world, device, process, SIM_SEQUENCER_KEYS);
}

void sim_device_pull(struct sim_world *world, size_t device, size_t process)
{
    struct sim_process *p = &world->devices[device].processes[process];

    if (p->pull_request || !p->is_loaded)
        return;
    enum ves_status status = ves_core_pull_from(&p->core, &p->pull_from);
    sim_trace(world, 'l', (uint64_t)status);
    if (status)
        return;
    /* Now and then a host looks at the directories without being asked. */
    bool is_refresh =
        !world->is_quiet && sim_chance(&world->rng, world->options.refresh);
    ask(world, device, process, is_refresh ? SIM_SEQUENCER_KEYS : SIM_PULL);
}

static void end_page(struct sim_world *world, size_t device, size_t process,
                     struct ves_bytes bytes, bool has_false_head)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct ves_pull_result result;
    struct ves_page *page = NULL;
    bool needs_keys = false;

    memset(&result, 0, sizeof(result));
    enum ves_status status =
        ves_core_page_read(&p->core, bytes, p->pull_from, &page, &needs_keys);
    if (!status && needs_keys) {
        ves_page_free(page);
        ask(world, device, process, SIM_SEQUENCER_KEYS);
        return;
    }
    if (!status) {
        ves_core_page_verify(&p->core, page);
        status =
            ves_core_page_apply(&p->core, page, now_ms(world, device), &result);
    }
    ves_page_free(page);
    if (has_false_head && result.applied > 0)
        sim_fail(world,
                 "store %zu applied %llu events that came with a false head",
                 device, (unsigned long long)result.applied);
    sim_trace(world, 'L', (uint64_t)status * 1000 + result.applied);
    sim_check_device(world, device, false);
}

static void end_pull(struct sim_world *world, size_t device, size_t process,
                     uint32_t http_status, struct ves_bytes bytes,
                     bool has_false_head)
{
    struct sim_process *p = &world->devices[device].processes[process];
    enum ves_status status;

    p->pull_request = 0;
    if (http_status != 200)
        return;
    switch (p->pull_kind) {
    case SIM_PULL:
        end_page(world, device, process, bytes, has_false_head);
        break;
    case SIM_SEQUENCER_KEYS:
        status =
            ves_core_sequencer_keys(&p->core, bytes, now_ms(world, device));
        sim_trace(world, 's', (uint64_t)status);
        if (!status)
            ask(world, device, process, SIM_KEYS);
        break;
    default:
        status = ves_core_keys(&p->core, bytes, now_ms(world, device));
        sim_trace(world, 'y', (uint64_t)status);
    }
}

static enum ves_status take_code(void *ctx, const struct ves_record *row)
{
    char *out = ctx;
    size_t len = row->code.len < 63 ? row->code.len : 63;

    memcpy(out, row->code.ptr, len);
    out[len] = '\0';
    return VES_OK;
}

/* What a true reply may not bring about. */
_Noreturn static void fail_alert(struct sim_world *world, size_t device)
{
    struct ves_store *disk = world->devices[device].disk;
    char code[64] = "";

    VES_ASSERT(disk->ops->record_list(disk, VES_RECORD_ALERT, 1, 0, true, 1,
                                      take_code, code) == VES_OK);
    sim_fail(world, "a true reply raised an alert on store %zu: %s", device,
             code);
}

static uint64_t open_alerts(struct ves_store *disk)
{
    uint64_t count;

    VES_ASSERT(disk->ops->record_count_open(disk, VES_RECORD_ALERT, 1,
                                            &count) == VES_OK);
    return count;
}

void sim_device_take(struct sim_world *world, const struct sim_message *reply)
{
    struct sim_device *self = &world->devices[reply->device];
    struct sim_process *p = &self->processes[reply->process];
    struct ves_bytes bytes = ves_bytes(reply->bytes, reply->len);

    bury(world, reply->device);
    if (!p->is_loaded || p->faults.is_dead)
        return;
    uint64_t alerts = open_alerts(self->disk);
    if (reply->kind == SIM_INGEST && reply->request == p->push_request)
        end_push(world, reply->device, reply->process, reply->http_status,
                 bytes);
    else if (reply->kind == p->pull_kind && reply->request == p->pull_request)
        end_pull(world, reply->device, reply->process, reply->http_status,
                 bytes, reply->has_false_head);
    /* Who is told the truth suspects nobody, unless somebody lied before. */
    if (!reply->is_false && alerts == 0 && open_alerts(self->disk) > 0)
        fail_alert(world, reply->device);
}

void sim_device_timeouts(struct sim_world *world)
{
    for (size_t i = 0; i < world->options.stores; i++)
        for (size_t k = 0; k < world->options.processes; k++) {
            struct sim_process *p = &world->devices[i].processes[k];
            bury(world, i);
            if (p->push_request && world->tick > p->push_deadline)
                end_push(world, i, k, 0, ves_bytes(NULL, 0));
            if (p->pull_request && world->tick > p->pull_deadline)
                p->pull_request = 0;
        }
}

void sim_device_ack(struct sim_world *world, size_t device, size_t process)
{
    struct sim_process *p = &world->devices[device].processes[process];
    struct ves_ack_result result;

    memset(&result, 0, sizeof(result));
    enum ves_status status =
        ves_core_acknowledge(&p->core, NULL, 0, now_ms(world, device), &result);
    sim_trace(world, 'A', (uint64_t)status * 1000 + result.acknowledged);
    sim_check_device(world, device, false);
}

/* Stops at a row that failed on a word nobody signed for: it goes again. */
static enum ves_status find_unsettled(void *ctx,
                                      const struct ves_outbox_row *row)
{
    (void)ctx;
    return row->is_refused || row->sequence_number > 0 ? VES_OK : VES_AGAIN;
}

bool sim_device_is_settled(struct sim_world *world, size_t device)
{
    struct sim_device *self = &world->devices[device];
    struct ves_store *hub = world->hub.disk;
    uint64_t counts[VES_OUTBOX_STATUSES];
    const struct ves_outbox_filter failed = {
        .status_mask = 1U << VES_OUTBOX_FAILED | 1U << VES_OUTBOX_CONFLICT};
    struct ves_stream_row mine, theirs;

    VES_ASSERT(self->disk->ops->outbox_counts(self->disk, counts) == VES_OK);
    VES_ASSERT(self->disk->ops->stream_get(self->disk, &world->stream, false,
                                           &mine) == VES_OK);
    VES_ASSERT(hub->ops->stream_get(hub, &world->stream, false, &theirs) ==
               VES_OK);
    return mine.head == theirs.head && counts[VES_OUTBOX_PENDING] == 0 &&
           counts[VES_OUTBOX_SYNCING] == 0 &&
           self->disk->ops->outbox_list(self->disk, &failed, find_unsettled,
                                        NULL) == VES_OK;
}
