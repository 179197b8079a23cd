/* agent_internal.h -- what the files of the agent share.
 *
 * Inside src/engine only.  Functions named ves_device_* run inside a
 * transaction that their caller opened, unless they say otherwise.
 */
#ifndef VES_ENGINE_AGENT_INTERNAL_H
#define VES_ENGINE_AGENT_INTERNAL_H

#include "base/buf.h"
#include "core/checkpoint.h"
#include "core/epoch.h"
#include "core/evidence.h"
#include "core/note.h"
#include "engine/agent.h"
#include "engine/key_log.h"
#include "engine/rules_log.h"
#include "engine/verdicts.h"

enum {
    /* Scratch of one step: 1,000 events of an ordinary size many times over.
     */
    VES_DEVICE_ARENA_MAX = 256 * 1024 * 1024,
    VES_DEVICE_CHUNK = 500,       /* rows worked on at a time */
    VES_DEVICE_BREAKER_COUNT = 5, /* failures that open it, semantics.md 3.9 */
    VES_DEVICE_RETRY_AFTER_MAX_S = 3600
};

/* ---- transactions and words --------------------------------------------- */

/* Clears core->error and begins. */
VES_NODISCARD enum ves_status ves_device_begin(struct ves_agent_core *core);
/* The same for what writes last: begin_flat of port/store.h. */
VES_NODISCARD enum ves_status
ves_device_begin_flat(struct ves_agent_core *core);
/* Commits when status is VES_OK, else rolls back; returns what came of it,
 * with words in core->error. */
VES_NODISCARD enum ves_status ves_device_end(struct ves_agent_core *core,
                                             enum ves_status status);
/* Puts the store's words, or the status', into core->error unless somebody
 * said it better; returns status. */
enum ves_status ves_device_say(struct ves_agent_core *core,
                               enum ves_status status);

/* ---- small state in the store's meta table ------------------------------- */

/* What pushing and pulling remember between steps (meta "sync"). */
struct ves_device_state {
    uint64_t remote_head;
    uint64_t last_pushed; /* highest sequence number a push was given */
    uint64_t last_push_ms, last_pull_ms;
    uint64_t batch;             /* events a push may hold; 0: no limit */
    uint64_t push_failures;     /* in a row, of any class */
    uint64_t offline_failures;  /* in a row */
    uint64_t protocol_failures; /* in a row */
    uint64_t suspect;           /* local_seq counted since the last success */
    uint64_t next_attempt_ms;   /* 0: at once */
    uint64_t wait_ms;           /* how long that wait was when it was set */
    uint64_t quiet_from_ms;     /* when the sequencer asked to be left alone */
    uint64_t quiet_ms;          /* for how long; 0: it did not */
    uint64_t failed_ms[VES_DEVICE_BREAKER_COUNT]; /* newest first */
    uint64_t is_breaker_open;
    uint64_t needs_auth;
    uint64_t is_forbidden;
    uint64_t is_diverged;
    uint64_t is_copied;
    uint64_t is_restoring;   /* own events are being taken back */
    uint64_t is_backup;      /* the file was a backup; nobody knows of how long
                                ago before it pulled to the end */
    uint64_t was_backup;     /* it was told the end, which nothing proves, and
                                no second answer has agreed yet */
    uint64_t own_known;      /* number up to which every own event of the log is
                                known to be here; the cursor when that is more */
    uint64_t has_taken_back; /* own events, ever */
    uint64_t fork_from;      /* first local_seq to be signed again, 0: none */
    uint64_t seen_below;     /* what is signed again then has seen nothing from
                                this number on: an epoch gave it up; 0: what it
                                says stands */
    uint64_t epoch_signed;   /* last local_seq that was signed again so; the log
                                may show such an event as it was before */
    uint64_t is_position_unproven;
};

VES_NODISCARD enum ves_status
ves_device_state_get(struct ves_agent_core *core, struct ves_arena *arena,
                     struct ves_device_state *out);
VES_NODISCARD enum ves_status
ves_device_state_put(struct ves_agent_core *core,
                     const struct ves_device_state *state);

/* Where the agent's chain and its clock stand (meta "append"). */
struct ves_device_chain {
    uint64_t agent_seq; /* of the newest event, 0 before the first */
    struct ves_hash prev;
    uint64_t hlc_ms;       /* monotone; 48 bits */
    uint64_t hlc_counter;  /* below 4,096: it goes into UUIDs too */
    struct ves_uuid group; /* atomic group that is being appended */
    uint64_t group_next;   /* index it needs next, 0 when none is open */
    uint64_t group_count;
    uint64_t key_id; /* that signs it, once it was rotated; else 0 */
};

VES_NODISCARD enum ves_status
ves_device_chain_get(struct ves_agent_core *core, struct ves_arena *arena,
                     struct ves_device_chain *out);
VES_NODISCARD enum ves_status
ves_device_chain_put(struct ves_agent_core *core,
                     const struct ves_device_chain *chain);

/* Who pushes (meta "push.lease").  Tokens only grow. */
struct ves_device_lease {
    uint64_t is_held;
    uint64_t token;
    uint64_t session; /* first token since it was last released */
    uint64_t pid, process_start;
    struct ves_uuid boot_id;
    uint64_t first, last; /* local_seq range of claimed rows, 0: none */
    uint64_t sent;        /* highest local_seq that was ever claimed: those
                             above it never left this store */
    uint64_t is_counted;  /* sent was kept since the first token, so that 0
                             means none */
};

VES_NODISCARD enum ves_status
ves_device_lease_get(struct ves_agent_core *core, struct ves_arena *arena,
                     struct ves_device_lease *out);
/* Highest local_seq that may have left this store. */
uint64_t ves_device_sent(const struct ves_device_lease *lease);
VES_NODISCARD enum ves_status
ves_device_lease_put(struct ves_agent_core *core,
                     const struct ves_device_lease *lease);

/* Decimal number under a name; fallback when it was never put or is out of
 * [low, high]. */
VES_NODISCARD enum ves_status
ves_device_number_get(struct ves_agent_core *core, struct ves_arena *arena,
                      const char *name, uint64_t fallback, uint64_t low,
                      uint64_t high, uint64_t *out);
VES_NODISCARD enum ves_status ves_device_number_put(struct ves_agent_core *core,
                                                    const char *name,
                                                    uint64_t value);

/* What states ask somebody to look at (engine/follow_ups.h): counted anew, by
 * how many one changed state asks for more, and the sum of that. */
VES_NODISCARD enum ves_status
ves_device_follow_ups_begin(struct ves_agent_core *core, uint64_t count);
VES_NODISCARD enum ves_status
ves_device_follow_ups_change(struct ves_arena *scratch,
                             const struct ves_entity_row *row,
                             struct ves_bytes state, int64_t *change);
VES_NODISCARD enum ves_status
ves_device_follow_ups_add(struct ves_agent_core *core, int64_t change);

/* Last sequence number in the log: the cursor. */
VES_NODISCARD enum ves_status ves_device_cursor(struct ves_agent_core *core,
                                                uint64_t *cursor);

/* State and cursor, outside a transaction; words in core->error. */
VES_NODISCARD enum ves_status ves_device_where(struct ves_agent_core *core,
                                               struct ves_device_state *state,
                                               uint64_t *cursor);

/* now_ms as stored: never negative. */
uint64_t ves_device_time(int64_t now_ms);

/* Is a moment reached that was set wait_max_ms ahead at most?  A clock that
 * was put back does not make anybody wait longer (semantics.md 16). */
bool ves_device_is_due(uint64_t moment_ms, uint64_t wait_max_ms,
                       int64_t now_ms);

/* ---- retry (semantics.md 3.9) -------------------------------------------- */

struct ves_device_retry {
    uint64_t base_ms;   /* setting.retryBaseDelayMs */
    uint64_t cap_ms;    /* setting.retryMaxDelayMs */
    uint64_t count_max; /* setting.maxRetries */
};

VES_NODISCARD enum ves_status
ves_device_retry_get(struct ves_agent_core *core, struct ves_arena *arena,
                     struct ves_device_retry *out);

/* random(0, min(cap, base * 2^(failures - 1))); failures >= 1. */
uint64_t ves_device_delay(const struct ves_device_retry *retry,
                          uint64_t failures, const uint8_t random[16]);

/* A push failed as a whole: counts it, sets when to try again (at least
 * wait_min_ms from now) and opens the breaker after five in a minute. */
void ves_device_failed(struct ves_device_state *state,
                       const struct ves_device_retry *retry,
                       const struct ves_core_env *env, uint64_t wait_min_ms);
/* A push was answered: forgets failures. */
void ves_device_succeeded(struct ves_device_state *state);

/* ---- records ------------------------------------------------------------- */

/* Appends to the trail.  detail: JSON. */
VES_NODISCARD enum ves_status ves_device_trail(struct ves_agent_core *core,
                                               int64_t now_ms, const char *code,
                                               struct ves_bytes detail);
/* The same with what was written into detail, which is freed; a buffer that
 * overflowed is its status, and no record. */
VES_NODISCARD enum ves_status ves_device_trail_end(struct ves_agent_core *core,
                                                   int64_t now_ms,
                                                   const char *code,
                                                   struct ves_buf *detail);

/* Something that must not be passed over in silence. */
struct ves_device_alert {
    const char *code;                /* e.g. "receipt_invalid" */
    const char *detail;              /* words */
    uint64_t sequence_number;        /* 0 when it does not apply */
    const struct ves_uuid *event_id; /* NULL when unknown */
    struct ves_bytes body;           /* evidence */
};

enum {
    /* Evidence that is kept of one kind of falsehood; the first always is. */
    VES_EVIDENCE_ROWS_MAX = 64,
    VES_EVIDENCE_BYTES_MAX = 8 * 1024 * 1024
};

/* The alert that says so; settling it makes room again. */
#define VES_EVIDENCE_FULL "evidence_full"

/* May len more bytes about that code be kept?  Counts them when they may. */
VES_NODISCARD enum ves_status
ves_device_evidence_take(struct ves_agent_core *core, struct ves_bytes code,
                         size_t len, bool *has_room);
/* What was kept so far counts no more. */
VES_NODISCARD enum ves_status
ves_device_evidence_forget(struct ves_agent_core *core);

/* Keeps the alert; the same one again, while it is open, is not kept twice.
 * Beyond VES_EVIDENCE_ROWS_MAX its body is not kept. */
VES_NODISCARD enum ves_status
ves_device_alert(struct ves_agent_core *core, int64_t now_ms,
                 const struct ves_device_alert *alert);
/* Same as record of quarantine, with an alert beside it; beyond
 * VES_EVIDENCE_ROWS_MAX only an alert, unless one of its code is open. *is_new:
 * was put into quarantine, and was not there before. */
VES_NODISCARD enum ves_status
ves_device_quarantine(struct ves_agent_core *core, int64_t now_ms,
                      const struct ves_device_alert *alert, bool *is_new);
/* Closes quarantine up to cursor, and the alerts that came with it; what was
 * false of the log only when a head is verified again. */
VES_NODISCARD enum ves_status ves_device_settle(struct ves_agent_core *core,
                                                int64_t now_ms, uint64_t cursor,
                                                bool is_log_verified);
/* Closes open alerts of one code. */
VES_NODISCARD enum ves_status
ves_device_close(struct ves_agent_core *core, int64_t now_ms, const char *code);

/* The first applied event whose rule this program lacks; 0: none. */
VES_NODISCARD enum ves_status
ves_device_unknown_schema(struct ves_agent_core *core, uint64_t *sequence);
/* The state hash and the cursor it is of; opens its own transaction. */
VES_NODISCARD enum ves_status ves_device_state_hash(struct ves_agent_core *core,
                                                    uint64_t *cursor,
                                                    struct ves_hash *out);

/* ---- receipts ------------------------------------------------------------ */

/* Items needed to verify a signature of the sequencer's key of that version:
 * 1, or all pinned when it is 0; 0 when the version is not pinned. */
size_t ves_device_key_count(const struct ves_agent_core *core,
                            uint32_t version);
/* Fills that many items. */
void ves_device_key_items(const struct ves_agent_core *core, uint32_t version,
                          const struct ves_hash *hash,
                          const struct ves_sig *sig,
                          struct ves_verify_item *items);
/* Is one of the verified items valid? */
bool ves_device_is_valid(const struct ves_verify_item *items, size_t count);
/* The same of the items that ves_device_key_items filled for the receipt.  The
 * version that it names is not signed and may be 0: it becomes that of the key
 * whose signature it is, by which others look for it (a sequencer that recovers
 * its log, evidence). */
bool ves_device_receipt_verified(const struct ves_agent_core *core,
                                 const struct ves_verify_item *items,
                                 struct ves_receipt *receipt);
/* Writes the pinned keys (meta "sequencer.keys"). */
VES_NODISCARD enum ves_status
ves_device_pins_put(struct ves_agent_core *core,
                    const struct ves_sequencer_key *keys, size_t count);
/* Reads them into core. */
VES_NODISCARD enum ves_status ves_device_pins_get(struct ves_agent_core *core,
                                                  struct ves_arena *arena);

/* Folds and judges the log again, inside the open transaction.  *is_pruned:
 * bodies are gone, nothing was changed. */
VES_NODISCARD enum ves_status ves_device_refold(struct ves_agent_core *core,
                                                bool *is_pruned);

/* ---- outbox -------------------------------------------------------------- */

/* Was an event that a sequencer refused decided by a person: done again under
 * another id, set aside, or settled?  It is never sent again. */
bool ves_device_is_decided(const struct ves_outbox_row *row);

/* As if it had never been sent: no number, no receipt, no verdict. */
void ves_device_row_unsend(struct ves_outbox_row *row);

/* Copies a row with its views into the arena; without the envelope when that
 * is not wanted. */
VES_NODISCARD enum ves_status
ves_device_row_copy(struct ves_arena *arena, const struct ves_outbox_row *row,
                    bool with_envelope, struct ves_outbox_row *out);

/* Sets entity->own_head to the newest event of the overlay, or zeros; the
 * outbox must be up to date. */
VES_NODISCARD enum ves_status
ves_device_own_head(struct ves_agent_core *core, struct ves_entity_row *entity);

/* Takes rows out of the overlay, or puts them back (each must not be there
 * already), counting on their entities.  Writes rows with outbox_update. */
VES_NODISCARD enum ves_status ves_device_overlay(struct ves_agent_core *core,
                                                 struct ves_arena *arena,
                                                 struct ves_outbox_row *rows,
                                                 size_t count, bool is_in);

/* The canonical payload with "_ves" as one more member; payload has none. */
VES_NODISCARD enum ves_status
ves_device_payload(struct ves_agent_core *core, struct ves_arena *arena,
                   const struct ves_context *context,
                   const struct ves_json *payload, struct ves_bytes *out);
/* Fills hashes and signature from everything else. */
void ves_device_sign(struct ves_agent_core *core, struct ves_event *event);
/* The envelope as it is pushed. */
VES_NODISCARD enum ves_status ves_device_envelope(struct ves_arena *arena,
                                                  const struct ves_event *event,
                                                  struct ves_bytes *out);

/* ves_core_append inside the transaction that is open. */
VES_NODISCARD enum ves_status
ves_device_append(struct ves_agent_core *core, const struct ves_core_env *env,
                  const struct ves_core_append *what,
                  struct ves_uuid *event_id);

/* Before something is signed: the key may have been rotated, by another
 * process, since core was loaded.  Puts the current one into core. */
VES_NODISCARD enum ves_status
ves_device_need_signer(struct ves_agent_core *core, struct ves_arena *arena);
/* Goes on with the newest key that state, the log's word on this agent, rotated
 * the store's to, if it did; *device is changed and not written. */
VES_NODISCARD enum ves_status
ves_device_own_rotated(struct ves_agent_core *core, struct ves_arena *arena,
                       const struct ves_key_state *state,
                       struct ves_device_state *device, int64_t now_ms);

/* The statement of a rotation that the log held and holds no more, which this
 * store made: it goes out again in front of the next push. */
VES_NODISCARD enum ves_status
ves_device_rotation_again(struct ves_agent_core *core, struct ves_arena *arena,
                          const struct ves_key_event *event);
/* What is under way can come to nothing any more: no answer to it may touch
 * rows that are signed again. */
VES_NODISCARD enum ves_status ves_device_fence(struct ves_agent_core *core,
                                               struct ves_arena *arena);
/* Signs what state asks for again; *state is changed and not written.  Nothing
 * happens while own events are still to come back. */
VES_NODISCARD enum ves_status ves_device_rechain(struct ves_agent_core *core,
                                                 struct ves_arena *arena,
                                                 struct ves_device_state *state,
                                                 int64_t now_ms,
                                                 uint64_t *count);

/* Gives rows claimed and never answered back to pending; lease is changed and
 * not written. */
VES_NODISCARD enum ves_status
ves_device_reset_claims(struct ves_agent_core *core, struct ves_arena *arena,
                        struct ves_device_lease *lease);
/* Puts rows that failed back to pending, those a refusal took out back into
 * the overlay. */
VES_NODISCARD enum ves_status ves_device_requeue(struct ves_agent_core *core,
                                                 struct ves_arena *arena,
                                                 struct ves_outbox_row *rows,
                                                 size_t count);

/* Cuts text into a view that lives in the arena. */
VES_NODISCARD enum ves_status ves_device_text(struct ves_arena *arena,
                                              const char *text,
                                              struct ves_bytes *out);

/* ---- folding ------------------------------------------------------------- */

/* An entity that a run of events touches. */
struct ves_device_slot {
    struct ves_verdict_entity entity; /* first: the judge knows it as this */
    struct ves_entity_name name;      /* as far as it was given */
    struct ves_buf state;             /* the folded state once is_folded */
    bool is_folded;
    bool needs_own_head;
    struct ves_device_slot *next;
};

/* Judges and folds events in order over entities held in memory. */
struct ves_device_fold {
    struct ves_agent_core *core;
    struct ves_arena *arena; /* lives as long as the run */
    struct ves_arena scratch;
    struct ves_uuid secret;
    struct ves_map slots; /* entity key -> struct ves_device_slot */
    struct ves_device_slot *first, *last;
    size_t count;
    struct ves_buf next, opposite;
    struct ves_verdicts verdicts;
    bool has_verdicts;
    uint64_t unknown_at; /* first applied event whose rule is not known here;
                            0: none */
};

/* Meta number: the same, of all the log. */
#define VES_DEVICE_UNKNOWN_SCHEMA "schema.unknown"

/* Loads the entities of these names (repetitions allowed); others are loaded
 * when the judge asks for them. */
VES_NODISCARD enum ves_status
ves_device_fold_open(struct ves_device_fold *fold, struct ves_agent_core *core,
                     struct ves_arena *arena,
                     const struct ves_entity_name *names, size_t count);
/* NULL when the entity was not loaded. */
struct ves_device_slot *ves_device_fold_slot(struct ves_device_fold *fold,
                                             const struct ves_hash *key);
/* Makes fold->verdicts ready for room events after base; what they apply is
 * folded.  rules outlives the fold. */
VES_NODISCARD enum ves_status
ves_device_fold_begin(struct ves_device_fold *fold, struct ves_rules_log *rules,
                      uint64_t base, size_t room);
/* Writes changed entities and marks buckets. */
VES_NODISCARD enum ves_status
ves_device_fold_save(struct ves_device_fold *fold);
void ves_device_fold_close(struct ves_device_fold *fold);

/* ---- groups that do not fit a page -----------------------------------------
 */

/* Members at the end of the log that have no verdict yet. */
struct ves_device_held {
    struct ves_log_row *rows;
    struct ves_event *events;
    size_t count;
};

/* Reads them (agent_held.c). */
VES_NODISCARD enum ves_status ves_device_held(struct ves_agent_core *core,
                                              struct ves_arena *arena,
                                              uint64_t cursor,
                                              struct ves_device_held *out);

/* ---- conflicts ------------------------------------------------------------
 */

/* What conflicts and late verdicts of a run mean for own events: their rows
 * and the trail.  After everything else of the run is written. */
VES_NODISCARD enum ves_status
ves_device_conflicts(struct ves_device_fold *fold,
                     const struct ves_device_held *held, int64_t now_ms);
/* The same for all conflicts there are, without a line in the trail. */
VES_NODISCARD enum ves_status
ves_device_conflicts_all(struct ves_agent_core *core);
/* Policies look again at what they left of entities with events from that
 * number on (agent_automatic.c). */
VES_NODISCARD enum ves_status
ves_device_automatic_again(struct ves_agent_core *core, struct ves_arena *arena,
                           uint64_t from);
/* Marks own pending events that will probably be in conflict (decision 7), on
 * entities the run changed.  Before ves_device_fold_close. */
VES_NODISCARD enum ves_status ves_device_advise(struct ves_device_fold *fold);

/* ---- one page ------------------------------------------------------------ */

struct ves_page_item {
    struct ves_bytes raw; /* as received */
    struct ves_event event;
    bool has_event; /* event was read and checked */
    struct ves_hash fingerprint;
    struct ves_hash entity_key;
    struct ves_bytes envelope; /* ves_event_write_open form */
    bool is_spelt_so;          /* received exactly in that form */
    bool has_receipt;
    struct ves_receipt receipt;
    const char *problem; /* code of a falsehood; NULL while none is known */
    char detail[256];
    struct ves_public_key key;
    size_t verify_first, verify_count; /* the agent's item, then receipt's */
    size_t own; /* place in ves_device_own + 1; 0: not an own event */
};

enum { VES_PAGE_KEYS = 8 };

/* An agent key and where it is valid. */
struct ves_page_key {
    bool is_used;
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_agent_key key;
};

/* What a page says of the provable log (agent_log_page.c). */
enum { VES_PAGE_VOUCHED_MAX = 8 }; /* of "witnessed" */

struct ves_page_vouched {
    struct ves_bytes text; /* the note, which head views */
    struct ves_checkpoint head;
};

/* A receipt of this store for a number at which the log has another event. */
struct ves_broken_promise {
    bool is_there;
    struct ves_hash event_hash;
    struct ves_receipt receipt;
};

struct ves_page_log {
    const struct ves_json *checkpoint, *consistency; /* NULL: not there */
    const struct ves_json *witnessed;
    struct ves_page_vouched vouched[VES_PAGE_VOUCHED_MAX]; /* older heads */
    size_t vouched_count;
    bool has_head;
    struct ves_bytes text; /* the note; what follows views it */
    struct ves_note *note;
    struct ves_checkpoint head;
    struct ves_tlog_path path; /* from the page's end */
    struct ves_sequencer_key keys[VES_SEQUENCER_KEYS_MAX]; /* pinned */
    size_t key_count;
    bool is_key_unknown;     /* no line is of one of them */
    uint32_t key_version;    /* of the one that signed it */
    struct ves_hash *leaves; /* of the page's items */
    const char *problem;     /* words; NULL while none is known */
    bool is_disputed;        /* well signed, and not of this log */
    struct ves_broken_promise broken;
};

struct ves_page {
    const struct ves_alloc *alloc;
    struct ves_arena arena;
    uint64_t asked_from;
    bool has_head;
    uint64_t head;       /* as the server says */
    bool has_more;       /* as the server says */
    bool is_cut;         /* the bytes end too early */
    bool is_short;       /* it holds more than was read, for want of room */
    bool has_gap;        /* the item after the last has another number */
    uint64_t gap_number; /* which */
    bool is_key_unknown; /* the item after the last needs a key we lack */
    bool has_stranger;   /* ... which is this agent's */
    struct ves_uuid stranger;
    bool is_unproven; /* an item came without a receipt */
    struct ves_page_item *items;
    size_t count, room;
    struct ves_page_key keys[VES_PAGE_KEYS]; /* met last */
    size_t next_key;
    /* Opened where an item says something of keys, or the policy asks. */
    bool has_key_log;
    struct ves_key_log key_log;
    uint64_t key_cursor; /* what it held before this page */
    struct ves_verify_item *verify;
    size_t verify_count;
    bool is_verified;
    struct ves_bytes text; /* all of it */
    struct ves_page_log log;
};

/* Where the page's items [first, end) end without half an atomic group;
 * is_good: nothing but the page's own end stops them (agent_held.c). */
size_t ves_device_group_end(const struct ves_page *page, size_t first,
                            size_t end, bool is_good);

/* ---- the log that is followed -------------------------------------------- */

/* Codes of alerts: what a head says is false by itself; it is not that of the
 * events it came with; it contradicts one that the log signed before; the
 * events are not those that receipts promised. */
#define VES_CHECKPOINT_INVALID "checkpoint_invalid"
#define VES_LOG_MISMATCH       "log_mismatch"
#define VES_LOG_FORK           "log_fork"
#define VES_RECEIPT_BROKEN     "receipt_broken"
/* ... of two heads that it signed it did not show that they are of one log. */
#define VES_HEADS_APART "heads_apart"
/* ... the opening of an epoch does not hold; one was opened, and this store
 * went on with it; this store has more of the log than was given up. */
#define VES_EPOCH_FALSE  "epoch_false"
#define VES_EPOCH_OPENED "epoch_opened"
#define VES_EPOCH_BEYOND "epoch_beyond"
/* ... it went on with the epoch all the same, by its owner's word, and keeps
 * what was given up. */
#define VES_EPOCH_GIVEN_UP "epoch_given_up"

/* Largest log: a sequence number has 40 bits in a store. */
#define VES_LOG_SIZE_MAX ((UINT64_C(1) << 40) - 1)

/* A list of hashes as text; absent: none. */
bool ves_device_path_read(const struct ves_json *list,
                          struct ves_tlog_path *path);
/* What page says of the log; nothing is verified. */
VES_NODISCARD enum ves_status ves_device_log_read(struct ves_agent_core *core,
                                                  struct ves_page *page);
/* Checks the signature and hashes the leaves; no store. */
void ves_device_log_verify(const struct ves_agent_core *core,
                           struct ves_page *page);

/* The page's first new event, when it opens an epoch and that holds. */
struct ves_device_opening {
    bool is_there;
    struct ves_epoch epoch;
};

/* What this store knows of the log, and what a page adds to it. */
struct ves_device_log {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_follow_row row;
    struct ves_tlog_edge edge; /* at the cursor */
    bool is_verified;          /* the page's head is good */
    bool is_unknown;           /* it could not be compared */
    struct ves_device_opening opening;
    bool is_ours[VES_PAGE_VOUCHED_MAX]; /* of the page's older heads: is the
                                           root what the events here make? */
    const char *code;       /* of a falsehood; NULL while none is known */
    struct ves_error words; /* about it */
};

/* Who vouches for it (agent_witness.c): reading "witnessed", where what cannot
 * be read is left out; remembering which of those heads the events make; and
 * what the store's policy says of all of them. */
VES_NODISCARD enum ves_status
ves_device_witness_read(struct ves_agent_core *core, struct ves_page *page);
bool ves_device_witness_wants(const struct ves_page_log *told, uint64_t size);
void ves_device_witness_pass(struct ves_device_log *log,
                             const struct ves_page_log *told, uint64_t size,
                             const struct ves_hash *root);
VES_NODISCARD enum ves_status
ves_device_witness_keep(struct ves_device_log *log, const struct ves_page *page,
                        bool *is_changed);

/* Reads what is kept; the edge is computed where it is not. */
VES_NODISCARD enum ves_status ves_device_log_open(struct ves_device_log *log,
                                                  uint64_t cursor);
/* Compares what the page says with its events, of which those from first on
 * are new, and with what is known.  is_whole: all of them are good. */
VES_NODISCARD enum ves_status ves_device_log_check(struct ves_device_log *log,
                                                   const struct ves_page *page,
                                                   size_t first, bool is_whole);
/* Keeps a page that says what is false: bytes in quarantine, an alert, words in
 * core->error with VES_REFUSED. */
VES_NODISCARD enum ves_status ves_device_log_refuse(struct ves_device_log *log,
                                                    struct ves_page *page,
                                                    int64_t now_ms,
                                                    uint64_t *quarantined);
/* The root of the first size events here, not above the cursor.
 * VES_NOT_FOUND: it is not worth its time. */
VES_NODISCARD enum ves_status ves_device_log_root_at(struct ves_device_log *log,
                                                     uint64_t size,
                                                     struct ves_hash *root);
/* Epochs (agent_epoch.c).  The first of the page's items [first, end) that
 * opens one; end: none. */
size_t ves_device_epoch_find(struct ves_agent_core *core,
                             const struct ves_page *page, size_t first,
                             size_t end);
/* Is item, the next event after log->edge, what it says?  Fills log->opening;
 * else log has the code. */
VES_NODISCARD enum ves_status
ves_device_epoch_check(struct ves_device_log *log,
                       const struct ves_page_item *item);
/* Is page the opening of an epoch behind which this store has more of the log
 * than is left?  Fills log->opening; VES_NOT_FOUND: not so. */
VES_NODISCARD enum ves_status
ves_device_epoch_beyond(struct ves_device_log *log, struct ves_page *page,
                        uint64_t cursor);
/* What is known of keys by numbers above that one is known no more: they come
 * back under others, or not at all. */
VES_NODISCARD enum ves_status ves_device_keys_cut(struct ves_agent_core *core,
                                                  struct ves_arena *arena,
                                                  uint64_t above);
/* It was applied: pins move to the new name, own events whose receipts are
 * broken wait to be sent again, and an alert keeps what shows it.  Before
 * ves_device_log_keep. */
VES_NODISCARD enum ves_status
ves_device_epoch_enter(struct ves_device_log *log,
                       const struct ves_page_item *item,
                       struct ves_device_state *state, int64_t now_ms);
/* Goes on to the page's items [first, end), which are applied. */
VES_NODISCARD enum ves_status ves_device_log_keep(struct ves_device_log *log,
                                                  const struct ves_page *page,
                                                  size_t first, size_t end,
                                                  int64_t now_ms);

/* ---- evidence (agent_evidence.c, agent_rivals.c) --------------------------
 */

enum { VES_DEVICE_TREE_CHUNK = 512 }; /* leaves read at a time */

/* This store's events as the source of proofs, for ves_device_tree_read. */
struct ves_device_tree {
    struct ves_agent_core *core;
    struct ves_leaf_row rows[VES_DEVICE_TREE_CHUNK];
};

/* The read of a struct ves_tlog_source whose ctx is a ves_device_tree. */
VES_NODISCARD enum ves_status
ves_device_tree_read(void *ctx, const struct ves_tlog_node *nodes, size_t count,
                     struct ves_hash *out);
/* Reads a note that is a checkpoint; *out views bytes. */
VES_NODISCARD enum ves_status
ves_device_evidence_head(struct ves_bytes bytes, struct ves_evidence_head *out);
/* Writes the file to out, and keeps it as the body of an alert of that code, so
 * that it is there even if no file can be written.  The checkpoint of heads[0]
 * names the log, and its size the alert's number, for every kind.  VES_REFUSED:
 * ves_verify does not prove it with the log's key alone. */
VES_NODISCARD enum ves_status ves_device_evidence_keep(
    struct ves_agent_core *core, const struct ves_evidence *evidence,
    const char *code, const char *detail, int64_t now_ms, struct ves_buf *out);

/* ---- keys in the log (agent_key_log.c) ------------------------------------
 */

/* An item of the page, after its signature's key was found: what it says of
 * keys holds for the items behind it.  why->status: it does not hold, and the
 * words say why, after a code and a colon.  Others than key events pass. */
VES_NODISCARD enum ves_status
ves_device_page_key_event(struct ves_agent_core *core, struct ves_page *page,
                          const struct ves_event *event, struct ves_error *why);
/* The key of an item's agent as the log or the pins have it; *is_found false:
 * they do not say. */
VES_NODISCARD enum ves_status ves_device_page_key(struct ves_agent_core *core,
                                                  struct ves_page *page,
                                                  const struct ves_event *event,
                                                  struct ves_agent_key *out,
                                                  bool *is_found);
/* What items first to end - 1 say of keys is written into the store's tables,
 * and of its own key into *state, which is not written.  Before they are in its
 * log. */
VES_NODISCARD enum ves_status
ves_device_keys_save(struct ves_agent_core *core, struct ves_arena *arena,
                     const struct ves_page *page, size_t first, size_t end,
                     struct ves_device_state *state, int64_t now_ms);
/* Does the owner's policy accept the item's key? */
bool ves_device_page_allows(const struct ves_page *page,
                            const struct ves_event *event);

/* ---- own events in the log ----------------------------------------------- */

/* The first item whose event id the log has already, or one before it has;
 * count when there is none. */
VES_NODISCARD enum ves_status
ves_device_find_reused(struct ves_agent_core *core, struct ves_arena *arena,
                       const struct ves_page_item *items, size_t count,
                       size_t *reused);

/* What own events from the log mean for the outbox. */
struct ves_device_own {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    int64_t now_ms;
    struct ves_device_state *state;
    struct ves_device_chain chain;
    bool is_chain_moved;
    struct ves_outbox_row *rows; /* local_seq 0: not in the outbox */
    bool *is_changed;            /* which of them */
    size_t count;
    uint64_t sent;               /* as in the lease */
    struct ves_outbox_row *back; /* those taken back */
    size_t back_count;
};

/* Looks up the outbox rows of own events among items and numbers them. */
VES_NODISCARD enum ves_status ves_device_own_open(struct ves_device_own *own,
                                                  struct ves_page_item *items,
                                                  size_t count);
/* Does the outbox hold the same event with another number? */
bool ves_device_own_contradicts(const struct ves_device_own *own,
                                const struct ves_page_item *item);
/* One own event, judged as row says, on the entity in slot. */
VES_NODISCARD enum ves_status ves_device_own_event(
    struct ves_device_own *own, const struct ves_page_item *item,
    const struct ves_log_row *row, struct ves_device_slot *slot);
/* Are the page's items [first, end), which own knows, those that receipts of
 * this store promised?  Otherwise log has the code and the page the receipt
 * (agent_promise.c). */
VES_NODISCARD enum ves_status
ves_device_promises(struct ves_device_log *log,
                    const struct ves_device_own *own, struct ves_page *page,
                    size_t first, size_t end);
/* A person lets a receipt go that the log does not keep: the event is sent
 * again as it is.  Appends what is let go to *out, a receipt's JSON; nothing
 * when no event waits for that number with a receipt. */
VES_NODISCARD enum ves_status
ves_device_promise_release(struct ves_agent_core *core, struct ves_arena *arena,
                           const struct ves_uuid *event_id, uint64_t number,
                           struct ves_buf *out);
/* Writes rows, rows taken back, which join the chains of their entities in
 * fold, and the agent's chain. */
VES_NODISCARD enum ves_status ves_device_own_save(struct ves_device_own *own,
                                                  struct ves_device_fold *fold);

#endif
