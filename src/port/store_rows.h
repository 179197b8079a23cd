/* store_rows.h -- what a store holds, as the engines see it.
 *
 * Views in rows live as long as port/store.h says of the call that gave them.
 * The first part serves both roles, then come the device's tables and the
 * sequencer's.
 */
#ifndef VES_PORT_STORE_ROWS_H
#define VES_PORT_STORE_ROWS_H

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

#endif
