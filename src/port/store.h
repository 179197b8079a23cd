/* store.h -- what the engines need from durable storage (design.md D15).
 *
 * Calls are synchronous and batched: arrays in, arrays out, bytes and never
 * database types.  A back end makes everything between begin and commit atomic
 * and durable, or nothing.  In joined mode (somebody else's transaction is
 * open on the connection) begin and commit nest inside it and durability comes
 * with the outer commit.
 *
 * Rules for every call:
 *  - Reads outside a transaction are allowed and see the last commit.
 *  - Writes outside a transaction are a programmer's mistake (assertion).
 *  - On any status but VES_OK outputs are unspecified; after VES_IO, VES_NOMEM
 *    or VES_CORRUPT from a write the transaction must be rolled back and
 *    nothing of it may be assumed.  A commit that fails has rolled back.
 *    After any other failed write nothing of that call was done and the
 *    transaction may go on.
 *  - Views handed out live in the arena given to the call, or, for visitors,
 *    until the visitor returns.  A visitor returning non-OK stops the scan;
 *    that status is returned.  Visitors must not write to the store.
 *  - A store is used by one thread at a time.
 *
 * The first half serves both roles, then come the device's tables and the
 * sequencer's.  test/store/suite.c is this contract as a program.
 */
#ifndef VES_PORT_STORE_H
#define VES_PORT_STORE_H

#include "base/arena.h"
#include "base/entity_name.h"
#include "port/store_keys.h"
#include "ves/ves.h"

/* ---- streams and their log ---------------------------------------------- */

/* A stream has a small number inside one store; every key is led by it. */
struct ves_stream_row {
    uint32_t stream_no; /* 1, 2 ...; given by the store */
    struct ves_stream stream;
    uint64_t head; /* last sequence number in the log, 0 when empty */
    bool has_owner_key;
    struct ves_public_key owner_key; /* who may invite (sequencer) */
    uint64_t committed_end;          /* last sequence in a commitment */
    struct ves_hash state_root;      /* of the last commitment; zeros before */
};

/* Verdicts as stored; enum ves_verdict of core/judge.h. */
struct ves_log_row {
    uint64_t sequence_number;
    struct ves_uuid event_id;
    struct ves_hash event_hash;
    struct ves_hash fingerprint;
    struct ves_sig signature; /* the agent's */
    struct ves_uuid agent;
    uint32_t agent_key_id;
    uint64_t agent_seq; /* 0 without causal context */
    bool has_command_id;
    struct ves_uuid command_id;
    struct ves_hash entity_key;
    uint64_t entity_index; /* 1, 2 ... among the log's events of the entity */
    uint64_t entity_prev;  /* sequence of the one before, 0 for the first */
    uint64_t entity_jump;  /* sequence of an earlier one, see engine/chain.h */
    uint32_t verdict;
    uint64_t applied_at; /* sequence at which it became applied, 0 if not */
    uint64_t version;    /* ver(e) right after it became applied, 0 if not */
    struct ves_bytes sub_code; /* "" when none */
    struct ves_bytes note;     /* JSON object or "" */
    bool is_fact;              /* counts as one (of a resolution: its branch) */
    bool has_waited;           /* it waited before it became applied */
    /* Of the conflict whose branch it is in, or that it names. */
    bool has_conflict_id;
    struct ves_hash conflict_id;
    struct ves_hash waits_for; /* while it waits: core/judge.h; else zeros */
    struct ves_bytes effects;  /* ves_effects_write; "": the envelope's */
    struct ves_bytes opposite; /* JSON: what takes back an applied resolution,
                                  core/fold_ops.h; "" none */
    int64_t sequenced_at_ms;
    struct ves_uuid sequencer_id;
    bool has_receipt;
    struct ves_sig receipt;
    uint32_t receipt_key_version;
    struct ves_bytes envelope; /* ves_event_write_open form; "" once pruned */
    struct ves_bytes raw; /* device: the page item as received; may be "" */
};

struct ves_id_row {           /* answer to find_ids and find_commands */
    uint64_t sequence_number; /* 0: not there */
    struct ves_hash fingerprint;
};

/* What the store knows of one entity (semantics.md 3.1). */
struct ves_entity_row {
    struct ves_hash key; /* core/entity.h */
    bool is_found;       /* out: false means all below is zero or empty */
    uint64_t place;      /* out: the store's own, where the row lies, or 0 */
    struct ves_bytes entity_type, entity_id;
    uint64_t count;           /* events of the entity in the log */
    uint64_t last;            /* sequence of the newest of them */
    uint64_t last_jump;       /* its entity_jump */
    uint64_t version;         /* ver(e): applied events */
    struct ves_hash head;     /* head(e); zeros when version is 0 */
    uint64_t head_applied_at; /* sequence at which head(e) was applied */
    uint64_t written_at; /* the same of the newest one not all deltas, or 0 */
    uint64_t tombstone;  /* sequence of the one in force, 0: not deleted */
    /* device only */
    struct ves_bytes state; /* sequenced state, canonical JSON, "" if none */
    struct ves_hash state_hash; /* SHA-256 of state; zeros if none */
    uint64_t own_count;         /* own events above the cursor on it */
    struct ves_hash own_head;   /* hash of the newest of them */
    uint64_t own_last; /* local_seq of its newest outbox row, 0: none */
};

/* A conflict (semantics.md 3.3), derived from the log. */
struct ves_conflict_row {
    struct ves_hash id; /* decision 8 */
    bool is_found;      /* out: false means all below is zero or empty */
    uint64_t opened;    /* sequence of the first event of its branch; of no
                           other conflict */
    struct ves_hash entity_key;
    uint32_t kind;  /* enum ves_conflict_kind of core/judge.h: the primary */
    uint32_t kinds; /* 1 << kind of all that hold */
    struct ves_bytes sub_code;
    uint64_t branch_count; /* the first event included */
    struct ves_hash branch_digest;
    bool has_branch_fact, has_applied_fact;
    uint64_t closed; /* sequence of the resolution in effect, 0: open */
    struct ves_hash closed_by; /* its event hash; zeros while open */
    uint32_t winner;           /* enum ves_winner; 0 while open */
};

enum { VES_CONFLICT_KINDS = 4 }; /* enum ves_conflict_kind, NONE included */

enum ves_conflict_side { VES_SIDE_BRANCH, VES_SIDE_APPLIED };

struct ves_conflict_member {
    struct ves_hash conflict_id;
    uint32_t side;  /* enum ves_conflict_side */
    uint64_t place; /* 1, 2 ... on its side */
    uint64_t sequence_number;
    struct ves_hash event_hash;
};

struct ves_conflict_filter {
    bool open_only;
    uint64_t after; /* `opened`, exclusive; descending: before, 0 = end */
    bool is_descending;
    uint32_t limit; /* 0: no limit */
};

/* ---- the device's tables ------------------------------------------------- */

enum ves_outbox_status { /* seed.md; order is the order of counts[] */
                         VES_OUTBOX_PENDING,
                         VES_OUTBOX_SYNCING,
                         VES_OUTBOX_SYNCED,
                         VES_OUTBOX_FAILED,
                         VES_OUTBOX_CONFLICT,
                         VES_OUTBOX_STATUSES
};

enum ves_error_class { /* semantics.md 3.9 */
                       VES_ERROR_NONE,
                       VES_ERROR_OFFLINE,
                       VES_ERROR_BUSY,
                       VES_ERROR_AUTH,
                       VES_ERROR_FORBIDDEN,
                       VES_ERROR_PROTOCOL,
                       VES_ERROR_REFUSED
};

struct ves_outbox_row {
    uint64_t local_seq; /* 1, 2 ... in order of appending; given by the store */
    /* fixed at append */
    struct ves_uuid event_id;
    struct ves_hash event_hash;
    uint64_t agent_seq;
    struct ves_hash entity_key;
    struct ves_bytes entity_type;
    struct ves_bytes entity_id;
    struct ves_bytes event_type;
    struct ves_bytes created_at;
    int64_t created_ms;
    bool has_command_id;
    struct ves_uuid command_id;
    uint32_t cmd_index;
    uint32_t cmd_count;   /* 0: not in an atomic group */
    uint64_t entity_prev; /* local_seq of the row before it of the same entity,
                             0: none; what the entity's own_last was */
    struct ves_bytes envelope; /* complete JSON as pushed; "" once pruned */
    /* moving */
    enum ves_outbox_status status;
    uint64_t claim; /* fencing token of the pusher that took it, 0: none */
    uint32_t attempts;
    int64_t next_attempt_ms; /* 0: at once */
    uint32_t error_class;    /* enum ves_error_class */
    struct ves_bytes error;  /* reason in words, "" when none */
    bool is_refused;         /* a signed refusal took it out of the overlay */
    struct ves_sig refusal_signature;
    uint64_t sequence_number; /* 0: no verified receipt and not seen in log */
    struct ves_uuid sequencer_id;
    int64_t sequenced_at_ms;
    bool has_receipt;
    struct ves_sig receipt;
    uint32_t receipt_key_version;
    bool has_verdict;
    uint32_t verdict;
    struct ves_bytes disposition; /* "applied", "rebased" ...; "" unknown */
    int64_t pushed_ms;
    int64_t synced_ms;
    bool is_in_overlay;      /* own event above the cursor, not refused */
    bool is_likely_conflict; /* advice (decision 7), while it is pending */
};

/* A number that a receipt gave to a row which was not pulled yet. */
struct ves_promise_row {
    uint64_t sequence_number;
    uint64_t local_seq;
};

struct ves_outbox_filter {
    uint32_t status_mask; /* bit 1u << status; 0: all */
    bool has_entity;
    struct ves_hash entity_key; /* only rows of this entity */
    uint64_t after_local_seq; /* exclusive; when descending: before, 0 = end */
    bool is_descending;
    uint32_t limit; /* 0: no limit */
};

/* Append-only lists with one shape. */
enum ves_record_kind {
    VES_RECORD_TRAIL,      /* every sync operation (device), admin act */
    VES_RECORD_QUARANTINE, /* device: bytes that did not verify */
    VES_RECORD_REFUSAL,    /* sequencer: refused events, signed */
    VES_RECORD_ALERT,      /* security alerts and evidence */
    VES_RECORD_KINDS
};

struct ves_record {
    uint64_t no; /* 1, 2 ... given by the store */
    int64_t at_ms;
    uint64_t sequence_number; /* 0 when it does not apply */
    bool has_event_id;
    struct ves_uuid event_id;
    struct ves_bytes code;   /* short word, e.g. "push", "signature_invalid" */
    struct ves_bytes detail; /* words or JSON */
    struct ves_bytes body;   /* bytes kept as evidence, "" when none */
    bool has_signature;
    struct ves_sig signature;
    int64_t closed_ms; /* quarantine, alert: when it was settled; 0 open */
};

/* What a store that follows a stream knows of its log (core/tlog.h). */
struct ves_follow_row {
    struct ves_bytes edge;   /* ves_tlog_edge_write, at the log's head here; ""
                                before it was kept */
    struct ves_bytes origin; /* the log's name; "" before the first head */
    struct ves_bytes note;   /* the largest head verified, "" none yet */
    uint32_t key_version;    /* of the sequencer's key that signed it */
    uint64_t logged;         /* its size; 0: none yet */
    uint64_t witnessed;      /* of the largest one that a quorum cosigned */
    int64_t verified_ms;     /* when note was verified; 0: never */
};

/* An event that an epoch of the log gave up (ADR 0048) and this store had: its
 * row as it was.  number: of that epoch. */
typedef enum ves_status ves_given_up_visitor(void *ctx, uint64_t number,
                                             const struct ves_log_row *row);

/* A head that was verified, without its signature. */
struct ves_kept_head {
    uint64_t size;
    struct ves_hash root;
};

/* ---- the sequencer's tables ---------------------------------------------- */

struct ves_commitment_row {
    struct ves_uuid batch_id;
    uint64_t sequence_start;
    uint64_t sequence_end;
    uint32_t leaf_count;
    struct ves_hash merkle_root;
    struct ves_hash prev_state_root;
    struct ves_hash new_state_root;
    int64_t committed_at_ms;
};

/* What the provable log of a stream adds to its events (core/tlog.h). */
struct ves_tlog_row {
    struct ves_hash stream_id;   /* core/merkle.h; what tlog_find looks for */
    struct ves_bytes edge;       /* ves_tlog_edge_write, at the log's head */
    uint64_t signed_size;        /* of the signed head; 0: none yet */
    struct ves_hash signed_root; /* zeros: none yet */
    struct ves_bytes note;       /* the signed checkpoint, "" none yet */
    int64_t signed_at_ms;        /* 0: none yet */
    int64_t frozen_at_ms;        /* 0: not; frozen, nothing is appended */
    struct ves_bytes frozen_why; /* words, "" when not frozen */
};

/* A hash that tiles store (core/tlog_tile.h); index counts in its level. */
struct ves_tile_hash {
    uint32_t level; /* 0 to VES_STORE_TILE_LEVELS - 1 */
    uint64_t index;
    struct ves_hash hash;
};

enum { VES_STORE_TILE_WIDTH = 256 /* hashes of a full tile */ };
enum { VES_STORE_TILE_LEVELS = 8 };

/* What a leaf of the log is made of. */
struct ves_leaf_row {
    uint64_t sequence_number;
    struct ves_hash event_hash;
    struct ves_sig signature;
};

/* Where an event stands among those of its entity. */
struct ves_link_row {
    uint64_t sequence_number; /* 0: there is no such row */
    struct ves_hash entity_key;
    uint64_t entity_index, entity_prev, entity_jump;
};

/* Events of a range by what they are about. */
struct ves_log_match {
    struct ves_bytes entity_type; /* "": any */
    struct ves_bytes entity_id;   /* "": any */
    uint64_t from, to;            /* sequence numbers, to exclusive */
};

/* A signed head on its way into the store. */
struct ves_head_row {
    uint64_t size;
    struct ves_hash root;
    struct ves_bytes note;
    int64_t signed_at_ms;
};

enum { VES_RIGHT_READ = 1, VES_RIGHT_WRITE = 2, VES_RIGHT_ADMIN = 4 };

struct ves_credential_row {   /* an API key, protocol.md B.1 */
    struct ves_hash key_hash; /* SHA-256 of the whole key text */
    struct ves_uuid tenant;   /* nil with admin: every tenant */
    bool has_store;
    struct ves_uuid store;
    bool has_agent;
    struct ves_uuid agent;
    uint32_t rights;
    int64_t created_ms;
    int64_t expires_ms; /* 0: never */
    int64_t revoked_ms; /* 0: not */
    struct ves_bytes label;
};

struct ves_invitation_row {
    struct ves_uuid invitation_id;
    struct ves_stream stream;
    struct ves_public_key public_key; /* the invitation's own */
    struct ves_sig owner_signature;
    uint32_t rights;
    uint32_t uses_max; /* 0: no limit */
    uint32_t uses;
    int64_t created_ms;
    int64_t expires_ms;
};

/* ---- visitors ------------------------------------------------------------ */

typedef enum ves_status ves_log_visitor(void *ctx,
                                        const struct ves_log_row *row);
typedef enum ves_status ves_entity_visitor(void *ctx,
                                           const struct ves_entity_row *row);
typedef enum ves_status ves_waiting_visitor(void *ctx, uint64_t sequence,
                                            const struct ves_hash *waits_for);
typedef enum ves_status
ves_conflict_visitor(void *ctx, const struct ves_conflict_row *row);
typedef enum ves_status
ves_member_visitor(void *ctx, const struct ves_conflict_member *member);
typedef enum ves_status ves_outbox_visitor(void *ctx,
                                           const struct ves_outbox_row *row);
typedef enum ves_status ves_record_visitor(void *ctx,
                                           const struct ves_record *row);
typedef enum ves_status ves_key_visitor(void *ctx,
                                        const struct ves_key_row *row,
                                        const struct ves_key_span *span);
typedef enum ves_status
ves_commitment_visitor(void *ctx, const struct ves_commitment_row *row);
typedef enum ves_status
ves_agent_policy_visitor(void *ctx, const struct ves_agent_policy_row *row);
typedef enum ves_status
ves_credential_visitor(void *ctx, const struct ves_credential_row *row);
typedef enum ves_status ves_stream_visitor(void *ctx,
                                           const struct ves_stream_row *row);

struct ves_store;

/* Name of the value that a backup of a device's store holds and a store does
 * not; anything but "". */
#define VES_STORE_BACKUP "store.backup"

struct ves_store_ops {
    /* -- transactions -- */
    enum ves_status (*begin)(struct ves_store *s); /* VES_BUSY: locked */
    /* begin for a transaction that decides first and writes last.  In joined
     * mode it has no way back of its own: a rollback before its first write
     * takes back nothing, one after it takes the outer transaction back as a
     * whole, as a database does when the disk fails.  Either way nothing of
     * it remains. */
    enum ves_status (*begin_flat)(struct ves_store *s);
    /* begin for a transaction that writes nothing but what these streams lead
     * (the calls that take a stream's number, and stream_put of them).  Others
     * of other streams may run beside it; those of begin do not.  A stream is
     * named once.  VES_NOT_FOUND: one of them is not there, and nothing was
     * begun; a back end that has one lock for all need not look. */
    enum ves_status (*begin_streams)(struct ves_store *s,
                                     const struct ves_stream *streams,
                                     size_t count);
    enum ves_status (*commit)(struct ves_store *s);
    void (*rollback)(struct ves_store *s); /* never fails; idempotent */
    /* What is read until end_read is of one moment, whatever others commit
     * meanwhile.  Not inside a transaction; nothing is written in between. */
    enum ves_status (*begin_read)(struct ves_store *s);
    void (*end_read)(struct ves_store *s); /* never fails; idempotent */

    /* -- small named values of the whole store; name is a literal -- */
    /* value "" and VES_NOT_FOUND when it was never put. */
    enum ves_status (*meta_get)(struct ves_store *s, const char *name,
                                struct ves_arena *arena,
                                struct ves_bytes *value);
    enum ves_status (*meta_put)(struct ves_store *s, const char *name,
                                struct ves_bytes value);

    /* -- streams -- */
    /* VES_NOT_FOUND unless there; with create, makes it (needs a
     * transaction). */
    enum ves_status (*stream_get)(struct ves_store *s,
                                  const struct ves_stream *stream, bool create,
                                  struct ves_stream_row *row);
    /* Writes all but stream and head, which follows the log. */
    enum ves_status (*stream_put)(struct ves_store *s,
                                  const struct ves_stream_row *row);
    enum ves_status (*stream_list)(struct ves_store *s,
                                   ves_stream_visitor *visit, void *ctx);

    /* -- log; every row's sequence must be the stream's next -- */
    /* Last sequence number, 0 when empty; VES_NOT_FOUND without such a
     * stream. */
    enum ves_status (*log_head)(struct ves_store *s, uint32_t stream_no,
                                uint64_t *head);
    enum ves_status (*log_find_ids)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *ids, size_t count,
                                    struct ves_id_row *rows);
    /* Of several events with one command id the first. */
    enum ves_status (*log_find_commands)(struct ves_store *s,
                                         uint32_t stream_no,
                                         const struct ves_uuid *ids,
                                         size_t count, struct ves_id_row *rows);
    /* VES_CONFLICT when a sequence or event id is taken (or at commit, ADR
     * 0064), VES_INVALID at a gap, VES_NOT_FOUND without such a stream. */
    enum ves_status (*log_append)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_log_row *rows, size_t count);
    /* In order from `from`, at most limit rows (0: no limit). */
    enum ves_status (*log_read)(struct ves_store *s, uint32_t stream_no,
                                uint64_t from, uint32_t limit,
                                ves_log_visitor *visit, void *ctx);
    /* Changes all members from verdict to opposite.  VES_NOT_FOUND when a row
     * is not there. */
    enum ves_status (*log_judge)(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_row *rows, size_t count);
    /* Empties envelope and raw of rows with sequence < below, but of those on
     * the entities `spared` (two at most).  *count: how many. */
    enum ves_status (*log_prune)(struct ves_store *s, uint32_t stream_no,
                                 uint64_t below, const struct ves_hash *spared,
                                 size_t spared_count, uint64_t *count);

    /* Fills rows with the leaves of [from, from + count) as they are stored;
     * *found: how many there are from `from` on.  Reads nothing else. */
    enum ves_status (*log_leaves)(struct ves_store *s, uint32_t stream_no,
                                  uint64_t from, size_t count,
                                  struct ves_leaf_row *rows, size_t *found);
    /* Fills rows[i] for sequences[i].  Reads nothing else. */
    enum ves_status (*log_links)(struct ves_store *s, uint32_t stream_no,
                                 const uint64_t *sequences, size_t count,
                                 struct ves_link_row *rows);
    /* Sequences of the range's events whose entity has that type and id, in
     * order.  Costs a look at every event up to the last one found. */
    enum ves_status (*log_match)(struct ves_store *s, uint32_t stream_no,
                                 const struct ves_log_match *match,
                                 uint64_t *sequences, size_t max,
                                 size_t *found);

    /* Events that wait (waits_for not zeros) for this, or for anything (NULL);
     * in the order of what they wait for, then of their sequence. */
    enum ves_status (*waiting_list)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *waits_for,
                                    uint32_t limit, ves_waiting_visitor *visit,
                                    void *ctx);
    /* The event with has_waited that is number version of its entity; its
     * sequence, 0 when there is none. */
    enum ves_status (*log_find_late)(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_hash *entity_key,
                                     uint64_t version, uint64_t *sequence);

    /* -- conflicts -- */
    /* Fills rows[i] for ids[i]. */
    enum ves_status (*conflict_get)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_hash *ids, size_t count,
                                    struct ves_arena *arena,
                                    struct ves_conflict_row *rows);
    /* Inserts, or replaces the one with the same id.  VES_CONFLICT when
     * another has the same `opened`. */
    enum ves_status (*conflict_put)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_conflict_row *rows,
                                    size_t count);
    /* In the order of `opened`. */
    enum ves_status (*conflict_list)(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_conflict_filter *filter,
                                     ves_conflict_visitor *visit, void *ctx);
    /* Open ones of each kind. */
    enum ves_status (*conflict_counts)(struct ves_store *s, uint32_t stream_no,
                                       uint64_t counts[VES_CONFLICT_KINDS]);
    /* Adds members; VES_CONFLICT when a place is taken. */
    enum ves_status (*member_add)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_conflict_member *members,
                                  size_t count);
    /* Those of one conflict: the branch, then the applied side. */
    enum ves_status (*member_list)(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *conflict_id,
                                   ves_member_visitor *visit, void *ctx);
    /* What one event is a member of, in the order of conflict ids. */
    enum ves_status (*member_find)(struct ves_store *s, uint32_t stream_no,
                                   uint64_t sequence, ves_member_visitor *visit,
                                   void *ctx);
    /* Forgets conflicts, members, and what waits or has waited, for judging
     * from the start. */
    enum ves_status (*verdict_reset)(struct ves_store *s, uint32_t stream_no);

    /* -- entities -- */
    /* Fills rows[i] for names[i]. */
    enum ves_status (*entity_get)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_name *names,
                                  size_t count, struct ves_arena *arena,
                                  struct ves_entity_row *rows);
    enum ves_status (*entity_put)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_row *rows,
                                  size_t count);
    /* Rows with from <= key, in key order; limit 0, entity_type "": all. */
    enum ves_status (*entity_scan)(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *from, uint32_t limit,
                                   struct ves_bytes entity_type,
                                   ves_entity_visitor *visit, void *ctx);
    /* Forgets all but names and own_*, for judging and folding anew. */
    enum ves_status (*entity_reset)(struct ves_store *s, uint32_t stream_no);

    /* -- state buckets (decision 14); 4,096 of them, device only -- */
    /* hash[i], is_dirty[i] for i in [0, 4096); never written: zero, clean. */
    enum ves_status (*bucket_get_all)(struct ves_store *s, uint32_t stream_no,
                                      struct ves_hash *hashes, bool *is_dirty);
    enum ves_status (*bucket_mark)(struct ves_store *s, uint32_t stream_no,
                                   const uint16_t *buckets, size_t count);
    /* Writes the hash and makes it clean. */
    enum ves_status (*bucket_put)(struct ves_store *s, uint32_t stream_no,
                                  uint16_t bucket, const struct ves_hash *hash);

    /* -- outbox -- */
    /* Gives rows[i].local_seq.  VES_CONFLICT when an event id is taken. */
    enum ves_status (*outbox_append)(struct ves_store *s,
                                     struct ves_outbox_row *rows, size_t count);
    /* rows[i].local_seq is 0 when ids[i] is not there. */
    enum ves_status (*outbox_get)(struct ves_store *s,
                                  const struct ves_uuid *ids, size_t count,
                                  struct ves_arena *arena,
                                  struct ves_outbox_row *rows);
    enum ves_status (*outbox_list)(struct ves_store *s,
                                   const struct ves_outbox_filter *filter,
                                   ves_outbox_visitor *visit, void *ctx);
    /* The newest `count` rows in the overlay of the entity whose newest row is
     * last (own_count and own_last), oldest first: found by entity_prev, so
     * that no index by entity has to be kept. */
    enum ves_status (*outbox_overlay)(struct ves_store *s, uint64_t last,
                                      uint64_t count, ves_outbox_visitor *visit,
                                      void *ctx);
    /* Rows in the overlay that have a receipt for one of the numbers first to
     * last, at most max: by number, then by local_seq.  Found by an index of
     * their own, however long the outbox is. */
    enum ves_status (*outbox_promised)(struct ves_store *s, uint64_t first,
                                       uint64_t last, size_t max,
                                       struct ves_promise_row *rows,
                                       size_t *found);
    /* Writes the moving members of rows by local_seq.  VES_NOT_FOUND when a
     * row is not there. */
    enum ves_status (*outbox_update)(struct ves_store *s,
                                     const struct ves_outbox_row *rows,
                                     size_t count);
    /* Writes event_hash, agent_seq and envelope of one row by local_seq: an
     * event that never left the store was signed again.  VES_NOT_FOUND when it
     * is not there. */
    enum ves_status (*outbox_resign)(struct ves_store *s,
                                     const struct ves_outbox_row *row);
    /* Rows in each status; kept, not counted. */
    enum ves_status (*outbox_counts)(struct ves_store *s,
                                     uint64_t counts[VES_OUTBOX_STATUSES]);
    /* Empties envelopes of synced rows with synced_ms < before_ms, but not of
     * those in the overlay, which is folded from them. */
    enum ves_status (*outbox_prune)(struct ves_store *s, int64_t before_ms,
                                    uint64_t *count);

    /* -- records -- */
    enum ves_status (*record_append)(struct ves_store *s,
                                     enum ves_record_kind kind,
                                     uint32_t stream_no,
                                     const struct ves_record *rows,
                                     size_t count);
    /* Rows with no >= from, oldest first (or newest first, from 0 = newest). */
    enum ves_status (*record_list)(struct ves_store *s,
                                   enum ves_record_kind kind,
                                   uint32_t stream_no, uint64_t from,
                                   bool is_descending, uint32_t limit,
                                   ves_record_visitor *visit, void *ctx);
    /* VES_NOT_FOUND unless there; VES_INVALID for trail and refusals. */
    enum ves_status (*record_close)(struct ves_store *s,
                                    enum ves_record_kind kind,
                                    uint32_t stream_no, uint64_t no,
                                    int64_t closed_ms);
    /* Open records of a kind (closed_ms 0). */
    enum ves_status (*record_count_open)(struct ves_store *s,
                                         enum ves_record_kind kind,
                                         uint32_t stream_no, uint64_t *count);

    /* -- the log that is followed, device only -- */
    /* VES_NOT_FOUND before the first follow_put. */
    enum ves_status (*follow_get)(struct ves_store *s, uint32_t stream_no,
                                  struct ves_arena *arena,
                                  struct ves_follow_row *row);
    /* Inserts or replaces. */
    enum ves_status (*follow_put)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_follow_row *row);
    /* Adds a head and forgets all but the `keep` largest.  VES_CONFLICT when
     * one of that size has another root. */
    enum ves_status (*kept_head_put)(struct ves_store *s, uint32_t stream_no,
                                     const struct ves_kept_head *head,
                                     uint32_t keep);
    /* Forgets those of size > above, as if they had never been kept. */
    enum ves_status (*kept_heads_cut)(struct ves_store *s, uint32_t stream_no,
                                      uint64_t above);
    /* Fills rows with those of size >= from, in order. */
    enum ves_status (*kept_heads_read)(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, size_t count,
                                       struct ves_kept_head *rows,
                                       size_t *found);

    /* Moves the log's rows with a number > above, as they are, to what the
     * epoch of that number gave up; *count: how many.  The only way in which an
     * event leaves a log.  Conflicts, entities and what waits are not touched:
     * the caller folds again.  VES_CONFLICT when that epoch gave up one of
     * these numbers before. */
    enum ves_status (*log_give_up)(struct ves_store *s, uint32_t stream_no,
                                   uint64_t above, uint64_t epoch,
                                   uint64_t *count);
    /* What was given up, in the order of sequence numbers from `from`, then of
     * epochs; at most limit rows (0: no limit). */
    enum ves_status (*given_up_read)(struct ves_store *s, uint32_t stream_no,
                                     uint64_t from, uint32_t limit,
                                     ves_given_up_visitor *visit, void *ctx);

    /* -- keys -- */
    /* VES_NOT_FOUND unless there. */
    enum ves_status (*key_get)(struct ves_store *s,
                               const struct ves_uuid *tenant,
                               const struct ves_uuid *agent, uint32_t key_id,
                               struct ves_arena *arena,
                               struct ves_key_row *row);
    /* Several of one tenant at once, with what key_span_get says of them in
     * that stream, and their agents' policies: found[i] for names[i]. */
    enum ves_status (*key_find)(struct ves_store *s, uint32_t stream_no,
                                const struct ves_uuid *tenant,
                                const struct ves_key_name *names, size_t count,
                                struct ves_arena *arena,
                                struct ves_key_found *found);
    /* Inserts or replaces. */
    enum ves_status (*key_put)(struct ves_store *s,
                               const struct ves_key_row *row);
    enum ves_status (*key_span_get)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id, struct ves_key_span *span);
    enum ves_status (*key_span_put)(struct ves_store *s, uint32_t stream_no,
                                    const struct ves_uuid *agent,
                                    uint32_t key_id,
                                    const struct ves_key_span *span);
    /* As if it had never been put; device only. */
    enum ves_status (*key_span_forget)(struct ves_store *s, uint32_t stream_no,
                                       const struct ves_uuid *agent,
                                       uint32_t key_id);
    /* All keys of a tenant (agent NULL: all agents), ascending agent, key id;
     * the span is that of stream_no (0: not asked, is_found false). */
    enum ves_status (*key_list)(struct ves_store *s,
                                const struct ves_uuid *tenant,
                                const struct ves_uuid *agent,
                                uint32_t stream_no, ves_key_visitor *visit,
                                void *ctx);

    /* -- sequencer only -- */
    /* VES_CONFLICT when its batch id or its start is taken. */
    enum ves_status (*commitment_put)(struct ves_store *s, uint32_t stream_no,
                                      const struct ves_commitment_row *row);
    /* Any stream; VES_NOT_FOUND unless there. */
    enum ves_status (*commitment_get)(struct ves_store *s,
                                      const struct ves_uuid *batch_id,
                                      uint32_t *stream_no,
                                      struct ves_commitment_row *row);
    /* The commitment that covers a sequence; VES_NOT_FOUND if none. */
    enum ves_status (*commitment_covering)(struct ves_store *s,
                                           uint32_t stream_no,
                                           uint64_t sequence,
                                           struct ves_commitment_row *row);
    /* Oldest first, sequence_start >= from. */
    enum ves_status (*commitment_list)(struct ves_store *s, uint32_t stream_no,
                                       uint64_t from, uint32_t limit,
                                       ves_commitment_visitor *visit,
                                       void *ctx);
    /* VES_NOT_FOUND before the first tlog_append. */
    enum ves_status (*tlog_get)(struct ves_store *s, uint32_t stream_no,
                                struct ves_arena *arena,
                                struct ves_tlog_row *row);
    /* The stream with that id; VES_NOT_FOUND. */
    enum ves_status (*tlog_find)(struct ves_store *s,
                                 const struct ves_hash *stream_id,
                                 struct ves_stream_row *row);
    /* Makes the edge the log's and adds hashes to the tiles, each level's in
     * ascending order; the first call makes the row.  VES_CONFLICT when a hash
     * is there already, VES_INVALID when one would leave a gap. */
    enum ves_status (*tlog_append)(struct ves_store *s, uint32_t stream_no,
                                   const struct ves_hash *stream_id,
                                   struct ves_bytes edge,
                                   const struct ves_tile_hash *hashes,
                                   size_t count);
    /* Replaces the signed head when that of expected_size is there still.
     * VES_CONFLICT when it is another, VES_NOT_FOUND without a row. */
    enum ves_status (*tlog_sign)(struct ves_store *s, uint32_t stream_no,
                                 uint64_t expected_size,
                                 const struct ves_head_row *head);
    /* at_ms 0: not frozen any more.  VES_NOT_FOUND without a row. */
    enum ves_status (*tlog_freeze)(struct ves_store *s, uint32_t stream_no,
                                   int64_t at_ms, struct ves_bytes why);
    /* The heads of the log that somebody cosigned (core/cosigned.h); "" when
     * it was never put. */
    enum ves_status (*cosigned_get)(struct ves_store *s, uint32_t stream_no,
                                    struct ves_arena *arena,
                                    struct ves_bytes *notes);
    /* VES_NOT_FOUND without such a stream. */
    enum ves_status (*cosigned_put)(struct ves_store *s, uint32_t stream_no,
                                    struct ves_bytes notes);
    /* The hashes of one tile, in order; *count is 0 when it is not there.
     * hashes has room for VES_STORE_TILE_WIDTH. */
    enum ves_status (*tile_read)(struct ves_store *s, uint32_t stream_no,
                                 uint32_t level, uint64_t index,
                                 struct ves_hash *hashes, size_t *count);
    /* 0 when never put; *updated_ms too. */
    enum ves_status (*cursor_get)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t *sequence, int64_t *updated_ms);
    enum ves_status (*cursor_put)(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_uuid *agent,
                                  uint64_t sequence, int64_t updated_ms);
    /* VES_NOT_FOUND unless there. */
    enum ves_status (*agent_policy_get)(struct ves_store *s,
                                        const struct ves_uuid *tenant,
                                        const struct ves_uuid *agent,
                                        struct ves_arena *arena,
                                        struct ves_agent_policy_row *row);
    /* Inserts or replaces. */
    enum ves_status (*agent_policy_put)(struct ves_store *s,
                                        const struct ves_agent_policy_row *row);
    /* All of them, ascending tenant, agent. */
    enum ves_status (*agent_policy_list)(struct ves_store *s,
                                         ves_agent_policy_visitor *visit,
                                         void *ctx);
    enum ves_status (*credential_get)(struct ves_store *s,
                                      const struct ves_hash *key_hash,
                                      struct ves_arena *arena,
                                      struct ves_credential_row *row);
    enum ves_status (*credential_put)(struct ves_store *s,
                                      const struct ves_credential_row *row);
    /* In the order of key hashes. */
    enum ves_status (*credential_list)(struct ves_store *s,
                                       ves_credential_visitor *visit,
                                       void *ctx);
    enum ves_status (*invitation_get)(struct ves_store *s,
                                      const struct ves_uuid *invitation_id,
                                      struct ves_invitation_row *row);
    enum ves_status (*invitation_put)(struct ves_store *s,
                                      const struct ves_invitation_row *row);
};

struct ves_store {
    const struct ves_store_ops *ops;
    struct ves_error error; /* words about the last failure, for people */
};

#endif
