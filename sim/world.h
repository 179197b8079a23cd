/* world.h -- a sequencer, its stores and the network between them, from one
 * seed.
 *
 * One thread, one source of chance, one clock that counts ticks.  A tick is
 * one step of one node or the delivery of one message.  First everything may
 * fail and some lie, then it is quiet and everybody must agree.  checks.c says
 * what must hold at every moment; whatever does not is sim_fail().
 */
#ifndef VES_SIM_WORLD_H
#define VES_SIM_WORLD_H

#include <stdio.h>

#include "core/resolution.h"
#include "core/tlog.h"
#include "engine/agent.h"
#include "engine/sequencer.h"
#include "sim/faults.h"
#include "sim/rng.h"

enum {
    SIM_STORES_MAX = 16,
    SIM_STRANGERS_MAX = 2,
    SIM_AGENTS_MAX = SIM_STORES_MAX + SIM_STRANGERS_MAX,
    SIM_PROCESSES = 2, /* of one store file */
    SIM_EVENTS_MAX = 2048,
    SIM_MESSAGES_MAX = 256,
    SIM_QUEUE_MAX = 32,
    SIM_OLD_REPLIES = 8,
    SIM_ENTITIES_MAX = 64,
    SIM_HUB_KEYS = 3, /* the sequencer's, one after the other */
    SIM_GROUP_MAX = 4,
    SIM_POLICY_TYPES = 4 /* types of entities with a strategy of their own */
};

/* All chances, drawn from the seed. */
struct sim_options {
    size_t stores;
    size_t strangers; /* agents of another implementation, without a store */
    size_t processes; /* per store: 1 or 2 */
    size_t late;      /* stores that join in the middle */
    size_t events;    /* to append, all agents together */
    uint32_t ticks;   /* of the hostile phase */
    uint32_t lose, twice, delay, spoil;           /* per mille of messages */
    uint32_t forge;                               /* per mille of replies */
    uint32_t partition, clock_jump, kill, revoke; /* per mille of ticks */
    uint32_t rotate;                              /* per mille of ticks */
    uint32_t group;                               /* per mille of appends */
    uint32_t refresh;                             /* per mille of pulls */
    uint32_t blind;                               /* per mille of pushes */
    uint32_t quarrel; /* per mille of appends that meet others' */
    uint32_t decide;  /* per mille of steps */
    uint32_t policy;  /* per mille of steps; 0: all stores leave it to people */
    uint32_t restore; /* per mille of ticks */
    uint32_t store_fail, store_late, store_crash,
        nomem;    /* per mille of calls */
    FILE *export; /* where the history goes at the end; NULL: nowhere */
};

enum sim_kind { SIM_INGEST, SIM_PULL, SIM_KEYS, SIM_SEQUENCER_KEYS, SIM_KINDS };

struct sim_message {
    enum sim_kind kind;
    bool is_reply;
    bool is_false;          /* of a reply: a lie, or spoilt on the way */
    bool has_false_head;    /* its events are true, its signed head is not */
    size_t device, process; /* device: place in sim_world.devices */
    uint64_t request;       /* its number; its own reply has it too */
    uint64_t from, limit;   /* SIM_PULL */
    struct ves_hash sent;   /* of a stranger's only event, zeros else */
    uint32_t http_status;
    uint8_t *bytes; /* owned */
    size_t len;
    uint64_t due; /* not before this tick */
};

/* What the world knows of an event, whoever made it. */
struct sim_event {
    struct ves_uuid id;
    size_t device;
    bool is_certain;   /* append returned VES_OK */
    bool is_false;     /* no sequencer may ever take it */
    bool is_kept;      /* in the backup a store goes back to */
    uint64_t sequence; /* in the sequencer's log; 0: not there */
};

/* The sequencer's log as it was when it was checked, by number - 1. */
struct sim_entry {
    struct ves_hash event_hash, envelope;
    struct ves_hash root; /* of the tree that ends with it */
    struct ves_sig receipt;
    uint32_t receipt_key_version;
};

/* An entity as the log makes it, counted by the checks themselves. */
struct sim_entity {
    struct ves_hash key, head;
    uint64_t count, version, head_version;
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
    bool holds_lease; /* begun for sure and not released since */
};

struct sim_signer {
    struct ves_signer signer;
    uint8_t secret[64];
};

/* What a store decides without being asked, by places in policies.c. */
struct sim_policies {
    enum ves_strategy now[SIM_POLICY_TYPES];
    uint32_t ever[SIM_POLICY_TYPES]; /* bit 1u << strategy: was set once */
};

/* A store, or a stranger, which has a key and nothing else. */
struct sim_device {
    struct ves_store *disk; /* survives processes; NULL: not joined */
    struct sim_process processes[SIM_PROCESSES];
    struct sim_signer key;
    struct ves_uuid agent;
    bool is_stranger;
    bool is_registered;
    uint64_t joins_at; /* tick */
    int64_t clock_offset_ms;
    bool is_cut_off;
    bool is_revoked;
    uint64_t checked; /* log rows compared with the sequencer's so far */
    bool has_backup, was_restored;
    struct sim_policies policies;
};

/* The sequencer's process. */
struct sim_hub {
    struct ves_store *disk;
    struct sim_faults faults;
    struct sim_store store;
    struct sim_alloc alloc;
    struct ves_sequencer sequencer;
    struct sim_signer keys[SIM_HUB_KEYS]; /* version 1, 2 ... */
    size_t key_count;
    struct ves_uuid id;
    struct {
        struct sim_message request;
        struct ves_ingest ingest;
    } queue[SIM_QUEUE_MAX];
    size_t queued;
    bool is_lying;       /* the reply now written is false */
    bool has_false_head; /* ... because of the head in it */
    uint64_t checked;    /* sequence numbers looked at */
    uint64_t batches;
    uint64_t file_size; /* of the head in the head file; 0: none */
    struct ves_hash file_root;
    uint64_t published_size; /* of the head that could be read last */
};

struct sim_world {
    struct sim_options options;
    uint64_t seed, rng, heads_rng, told_rng, policy_rng, tick, trace;
    bool is_quiet;
    struct ves_stream stream;
    struct ves_public_key owner_key; /* zeros: the stream has no owner */
    struct sim_hub hub;
    struct sim_signer rogue; /* nobody has pinned or registered its key */
    struct sim_device devices[SIM_AGENTS_MAX]; /* stores, then strangers */
    size_t agents;
    struct sim_message messages[SIM_MESSAGES_MAX];
    size_t message_count;
    struct sim_message old_replies[SIM_OLD_REPLIES]; /* for replays */
    uint64_t requests;
    uint64_t pids;
    struct sim_event events[SIM_EVENTS_MAX];
    size_t event_count;
    uint64_t commands;
    struct sim_entry log[SIM_EVENTS_MAX];
    struct sim_entity entities[SIM_ENTITIES_MAX];
    size_t entity_count;
    struct ves_uuid used_commands[SIM_EVENTS_MAX];
    size_t used_command_count;
    struct { /* places in the chains of agents that the log has seen */
        size_t device;
        uint64_t agent_seq;
    } used_places[SIM_EVENTS_MAX];
    size_t used_place_count;
    struct { /* atomic group whose end the log still owes */
        struct ves_uuid id, agent;
        uint32_t next, count; /* next 0: none */
    } group;
    struct ves_verifier verifier;
    uint64_t delivered, lost, spoiled, replayed, lies;     /* counted */
    uint64_t decided, conflicts, freed, restored;          /* counted */
    uint64_t by_policy, taken_back;                        /* counted */
    uint64_t heads, backups, recovered, epochs, betrayals; /* counted */
    uint64_t key_worlds, key_rotations, key_revocations;   /* counted */
    uint64_t followed;         /* counted: epochs that stores went back for */
    struct ves_tlog_edge tree; /* over log, by the checks themselves */
};

struct sim_summary {
    uint64_t trace, events, ticks, crashes, failures, refused, lies;
    uint64_t conflicts, decided, by_policy, taken_back, freed, restored;
    uint64_t heads, backups, recovered, epochs, betrayals, followed;
    uint64_t key_worlds, key_rotations, key_revocations;
};

/* Runs the seed from start to agreement.  Ends the program when something
 * does not hold. */
void sim_run(uint64_t seed, const struct sim_options *options,
             struct sim_summary *out);
void sim_options_draw(uint64_t seed, struct sim_options *out);
/* Few stores that nearly always meet, and decide: histories of a kind that the
 * model of the judge knows whole, so no groups. */
void sim_options_quarrel(struct sim_options *out);

/* Says seed, tick, what is wrong and how the stores stand, and ends the
 * program. */
_Noreturn void sim_fail(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Mixes numbers into the trace two runs of one seed must share. */
void sim_trace(struct sim_world *world, uint64_t a, uint64_t b);

/* A new event of an agent; its id names its place in world->events.  NULL
 * when there are too many. */
struct sim_event *sim_event_new(struct sim_world *world, size_t device);
/* One that the library gave its id: a decision.  Made when it is met first:
 * whoever appended it may not have been told. */
struct sim_event *sim_event_known(struct sim_world *world,
                                  const struct ves_uuid *id, size_t device);

/* -- network -- */
/* Takes bytes over; loses, doubles, delays, spoils as the options say. */
void sim_send(struct sim_world *world, const struct sim_message *message);
/* Delivers one message that is due, if there is one. */
bool sim_deliver(struct sim_world *world);
/* What is under way from and to a machine that is no more. */
void sim_network_forget(struct sim_world *world, size_t device);
void sim_network_free(struct sim_world *world);

/* -- sequencer -- */
/* Its clock. */
int64_t sim_now_ms(const struct sim_world *world);
/* A request of a new batch has a fresh UUID; here a number is fresh enough. */
void sim_hub_batch_id(struct sim_hub *hub, struct ves_uuid *out);
void sim_hub_start(struct sim_world *world);
/* Registers the agent's key; false: not now. */
bool sim_hub_register(struct sim_world *world, size_t device);
void sim_hub_take(struct sim_world *world, const struct sim_message *request);
/* Commits some of what is queued, then answers. */
void sim_hub_commit(struct sim_world *world);
void sim_hub_revoke(struct sim_world *world, size_t device);
/* Goes on with the next receipt key, signed by the last (design.md D18). */
void sim_hub_rotate(struct sim_world *world);
/* Of struct ves_receipt_keys; ctx is the world. */
bool sim_hub_receipt_key(void *ctx, uint32_t version,
                         struct ves_public_key *out);
/* Kills the process and starts the next. */
void sim_hub_restart(struct sim_world *world);
/* Forgets which rules the log was judged by and starts again. */
void sim_hub_rejudge(struct sim_world *world);
void sim_hub_free(struct sim_world *world);
/* The stream's key directory as it is now, true and signed; what the list holds
 * is appended. */
void sim_hub_directory(struct sim_world *world, struct ves_buf *out);

/* -- without a network: direct.c -- */
/* Of the log on that disk. */
uint64_t sim_head_of(const struct sim_world *world, struct ves_store *disk);
/* Signs the log's head, where one is due; what: for people. */
void sim_direct_sign(struct sim_world *world, const char *what);
/* Appends true items of a page, at most limit (0: all) from a number on; how
 * many. */
uint64_t sim_direct_items(struct sim_world *world, uint32_t stream_no,
                          uint64_t from, uint32_t limit, struct ves_buf *out);
/* The page of those items, which end before next, with the head there is now;
 * *out is made. */
void sim_direct_page(struct sim_world *world, uint32_t stream_no,
                     struct ves_bytes items, uint64_t from, uint64_t next,
                     uint64_t head, struct ves_buf *out);
enum sim_pushed {
    SIM_NOTHING_TO_PUSH, /* or not now */
    SIM_NOTHING_TAKEN,
    SIM_TAKEN /* some of it, or all */
};

/* The store's first process pushes, and hears the answer. */
enum sim_pushed sim_direct_push(struct sim_world *world, size_t device,
                                uint32_t limit);
/* The same; unless is_heard, the answer is lost, and the process has to be
 * killed then: SIM_NOTHING_TAKEN, as far as it knows. */
enum sim_pushed sim_direct_send(struct sim_world *world, size_t device,
                                uint32_t limit, bool is_heard);

/* -- lies: forger.c says what each is -- */
enum sim_lie {
    SIM_TRUTH,
    SIM_LIE_HOLE,
    SIM_LIE_SWAP,
    SIM_LIE_EVENT,
    SIM_LIE_PAYLOAD,
    SIM_LIE_RECEIPT,
    SIM_LIE_BORROWED,
    SIM_LIE_TWICE,
    SIM_LIE_REVOKED,
    SIM_LIE_STREAM,
    SIM_LIE_STRIPPED,
    SIM_LIES
};

/* Does this reply lie?  Then the next one sent counts as false. */
bool sim_forge_wants(struct sim_world *world);
/* One item of a page, true or not, as number. */
void sim_forge_item(struct sim_world *world, const struct sim_message *request,
                    enum sim_lie lie, const struct ves_log_row *row,
                    uint64_t number, struct ves_buf *out);
/* An answer to a request that never reached the sequencer. */
void sim_forge_answer(struct sim_world *world, struct ves_ingest *ingest,
                      struct ves_buf *out);
/* Another verdict in a true answer. */
void sim_forge_verdict(struct ves_buf *out);

/* -- devices -- */
/* Joins: the store is made.  The agent is registered. */
void sim_device_start(struct sim_world *world, size_t device);
struct ves_core_env sim_device_env(struct sim_world *world, size_t device);
void sim_device_append(struct sim_world *world, size_t device, size_t process);
/* Decides some conflict, or takes a decision back. */
void sim_device_decide(struct sim_world *world, size_t device, size_t process);
void sim_device_push(struct sim_world *world, size_t device, size_t process);
void sim_device_pull(struct sim_world *world, size_t device, size_t process);
void sim_device_ack(struct sim_world *world, size_t device, size_t process);
void sim_device_take(struct sim_world *world, const struct sim_message *reply);
/* Gives up requests whose time is over. */
void sim_device_timeouts(struct sim_world *world);
void sim_device_kill(struct sim_world *world, size_t device, size_t process);
/* Starts processes that died; true if all run. */
bool sim_device_revive(struct sim_world *world, size_t device);
/* Makes a backup, or goes back to the one there is. */
void sim_device_restore(struct sim_world *world, size_t device);
void sim_device_free(struct sim_world *world, size_t device);
/* Nothing to push, nothing to pull, everything acknowledged? */
bool sim_device_is_settled(struct sim_world *world, size_t device);

/* -- strangers -- */
/* Sends something, good or bad. */
void sim_stranger_step(struct sim_world *world, size_t device);
/* An answer to a stranger, before it goes out: its receipts must speak of
 * what was sent. */
void sim_stranger_check(struct sim_world *world,
                        const struct sim_message *request,
                        struct ves_bytes answer);

/* -- checks -- */
void sim_check_log(struct sim_world *world);
/* Of what somebody signed: two envelopes with one hash are one event. */
void sim_envelope_hash(const struct ves_log_row *row, struct ves_hash *out);

/* heads.c: what a page that ends with number end says of the log, true or not.
 */
void sim_heads_tell(struct sim_world *world, uint32_t stream_no, uint64_t end,
                    struct ves_buf *out);
/* heads.c: signs the head of the log, with whatever goes wrong; takes the next
 * row of the log into account; looks at heads when the sequencer starts. */
void sim_heads_sign(struct sim_world *world);
void sim_heads_row(struct sim_world *world, const struct ves_log_row *row);
void sim_heads_restart(struct sim_world *world);
/* A head somebody signed must be one of the log's. */
void sim_heads_check(struct sim_world *world, uint64_t size,
                     const struct ves_hash *root);
/* Does a sequencer with this disk start, with a head of the log in its file? */
bool sim_heads_may_start(struct sim_world *world, struct ves_store *disk,
                         uint64_t file_size);
/* restore.c: an older copy of its disk comes back. */
void sim_restore(struct sim_world *world);
/* epochs.c: at the end of everything, in some seeds, the sequencer lost what
 * all have, and goes on without it; false: not in this one. */
bool sim_epochs(struct sim_world *world);
/* keys.c: in some seeds a world of its own, whose keys are rotated and revoked.
 */
void sim_keys(struct sim_world *outer);
/* treason.c: at the end of everything the sequencer tells two histories. */
void sim_treason(struct sim_world *world);
void sim_check_device(struct sim_world *world, size_t device, bool is_thorough);
void sim_check_end(struct sim_world *world, struct sim_summary *out);
/* The sequencer and every store say the same of every event and conflict, and
 * say it again when they judge again. */
void sim_check_verdicts(struct sim_world *world);
bool sim_is_in_open_conflict(struct sim_world *world, uint64_t sequence);
void sim_check_refolded(struct sim_world *world, size_t device);
/* export.c: one line, when all agree. */
void sim_export(struct sim_world *world, FILE *out);

void sim_signer_init(struct sim_signer *signer, uint8_t kind, uint8_t number);
/* What the signer's key signs. */
void sim_sign(const struct sim_signer *signer, const struct ves_hash *hash,
              struct ves_sig *out);

/* -- policies -- */
void sim_policies_start(struct sim_world *world, size_t device);
/* Now and then: decides what the store's settings decide, or changes them. */
void sim_policies_step(struct sim_world *world, size_t device, size_t process);
/* The same when it is quiet, always, and without a change. */
void sim_policies_quiet(struct sim_world *world, size_t device);
/* Everybody agrees: people take some of it back, each on some store, and stores
 * get other settings.  False: nobody has policies. */
bool sim_policies_turn(struct sim_world *world);
void sim_check_policies(struct sim_world *world);

#endif
