/* world.h -- a sequencer, its stores and the network between them, from one
 * seed.
 *
 * One thread, one source of chance, one clock that counts ticks.  A tick is
 * one step of one node or the delivery of one message.  First everything may
 * fail, then it is quiet and everybody must agree.  checks.c says what must
 * hold at every moment; whatever does not is sim_fail().
 */
#ifndef VES_SIM_WORLD_H
#define VES_SIM_WORLD_H

#include "engine/agent.h"
#include "engine/sequencer.h"
#include "sim/faults.h"
#include "sim/rng.h"

enum {
    SIM_STORES_MAX = 16,
    SIM_PROCESSES = 2, /* of one store file */
    SIM_EVENTS_MAX = 2048,
    SIM_MESSAGES_MAX = 256,
    SIM_QUEUE_MAX = 32,
    SIM_OLD_REPLIES = 8
};

/* All chances, drawn from the seed. */
struct sim_options {
    size_t stores;
    size_t processes; /* per store: 1 or 2 */
    size_t events;    /* to append, all stores together */
    uint32_t ticks;   /* of the hostile phase */
    uint32_t lose, twice, delay, spoil, swap;     /* per mille of messages */
    uint32_t partition, clock_jump, kill, revoke; /* per mille of ticks */
    uint32_t store_fail, store_late, store_crash,
        nomem; /* per mille of calls */
};

enum sim_kind { SIM_INGEST, SIM_PULL, SIM_KEYS, SIM_SEQUENCER_KEYS, SIM_KINDS };

struct sim_message {
    enum sim_kind kind;
    bool is_reply;
    size_t device, process;
    uint64_t request;     /* number of the request, its own reply has it too */
    uint64_t from, limit; /* SIM_PULL */
    uint32_t http_status;
    uint8_t *bytes; /* owned */
    size_t len;
    uint64_t due; /* not before this tick */
};

/* What the world knows of an event, whoever appended it. */
struct sim_event {
    struct ves_uuid id;
    size_t device;
    bool is_certain;   /* append returned VES_OK */
    uint64_t sequence; /* in the sequencer's log; 0: not there */
};

struct sim_process {
    struct sim_faults faults;
    struct sim_store store;
    struct sim_alloc alloc;
    struct ves_agent_core core;
    struct ves_lease lease;
    bool is_loaded;
    uint64_t push_request, pull_request; /* under way, 0: none */
    enum sim_kind pull_kind;
    uint64_t pull_from;
    uint64_t push_deadline, pull_deadline;
    struct ves_push push;
};

struct sim_signer {
    struct ves_signer signer;
    uint8_t secret[64];
};

struct sim_device {
    struct ves_store *disk; /* survives processes */
    struct sim_process processes[SIM_PROCESSES];
    struct sim_signer key;
    struct ves_uuid agent;
    int64_t clock_offset_ms;
    bool is_cut_off;
    bool is_revoked;
    uint64_t checked; /* log rows compared with the sequencer's so far */
    uint64_t certain; /* events appended for sure */
};

/* The sequencer's process. */
struct sim_hub {
    struct ves_store *disk;
    struct sim_faults faults;
    struct sim_store store;
    struct sim_alloc alloc;
    struct ves_sequencer sequencer;
    struct sim_signer key;
    struct ves_uuid id;
    struct {
        struct sim_message request;
        struct ves_ingest ingest;
    } queue[SIM_QUEUE_MAX];
    size_t queued;
    uint64_t checked; /* sequence numbers looked at */
    uint64_t batches;
};

struct sim_world {
    struct sim_options options;
    uint64_t seed, rng, tick, trace;
    bool is_quiet;
    struct ves_stream stream;
    struct sim_hub hub;
    struct sim_device devices[SIM_STORES_MAX];
    struct sim_message messages[SIM_MESSAGES_MAX];
    size_t message_count;
    struct sim_message old_replies[SIM_OLD_REPLIES]; /* for replays */
    uint64_t requests;
    uint64_t pids;
    struct sim_event events[SIM_EVENTS_MAX];
    size_t event_count;
    struct ves_hash log[SIM_EVENTS_MAX]; /* event hash by sequence number - 1 */
    uint64_t log_event[SIM_EVENTS_MAX];  /* index into events */
    struct ves_verifier verifier;
    uint64_t delivered, lost, spoiled, replayed; /* counted, for the summary */
};

struct sim_summary {
    uint64_t trace, events, ticks, crashes, failures, refused;
};

/* Runs the seed from start to agreement.  Ends the program when something
 * does not hold. */
void sim_run(uint64_t seed, const struct sim_options *options,
             struct sim_summary *out);
void sim_options_draw(uint64_t seed, struct sim_options *out);

/* Says seed, tick and what is wrong, and ends the program. */
_Noreturn void sim_fail(const struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Mixes numbers into the trace two runs of one seed must share. */
void sim_trace(struct sim_world *world, uint64_t a, uint64_t b);

/* -- network -- */
/* Takes bytes over; loses, doubles, delays, spoils as the options say. */
void sim_send(struct sim_world *world, const struct sim_message *message);
/* Delivers one message that is due, if there is one. */
bool sim_deliver(struct sim_world *world);
void sim_network_free(struct sim_world *world);

/* -- sequencer -- */
void sim_hub_start(struct sim_world *world);
void sim_hub_register(struct sim_world *world, size_t device);
void sim_hub_take(struct sim_world *world, const struct sim_message *request);
/* Commits some of what is queued, then answers. */
void sim_hub_commit(struct sim_world *world);
void sim_hub_revoke(struct sim_world *world, size_t device);
/* Kills the process and starts the next. */
void sim_hub_restart(struct sim_world *world);
void sim_hub_free(struct sim_world *world);
bool sim_pid_is_alive(const struct ves_lease *holder);

/* -- devices -- */
void sim_device_start(struct sim_world *world, size_t device);
void sim_device_append(struct sim_world *world, size_t device, size_t process);
void sim_device_push(struct sim_world *world, size_t device, size_t process);
void sim_device_pull(struct sim_world *world, size_t device, size_t process);
void sim_device_ack(struct sim_world *world, size_t device, size_t process);
void sim_device_take(struct sim_world *world, const struct sim_message *reply);
/* Gives up requests whose time is over. */
void sim_device_timeouts(struct sim_world *world);
void sim_device_kill(struct sim_world *world, size_t device, size_t process);
/* Starts processes that died; true if all run. */
bool sim_device_revive(struct sim_world *world, size_t device);
void sim_device_free(struct sim_world *world, size_t device);
/* Nothing to push, nothing to pull, everything acknowledged? */
bool sim_device_is_settled(struct sim_world *world, size_t device);

/* -- checks -- */
void sim_check_log(struct sim_world *world);
void sim_check_device(struct sim_world *world, size_t device, bool is_thorough);
void sim_check_end(struct sim_world *world, struct sim_summary *out);

void sim_signer_init(struct sim_signer *signer, uint8_t kind, uint8_t number);

#endif
