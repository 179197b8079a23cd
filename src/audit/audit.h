/* audit.h -- what the parts of an audit share.
 *
 * The reader (walk.c) goes through the log and fills batches of signatures; one
 * thread hands full batches to the pool (checker.c), so that reading and
 * verifying overlap; another lets SQLite look at the file (file.c); a process
 * of its own judges and folds the copy again (replay.c).  Checks and findings
 * are under the audit's lock.
 */
#ifndef VES_AUDIT_AUDIT_H
#define VES_AUDIT_AUDIT_H

#include <pthread.h>
#include <sys/types.h>

#include "base/arena.h"
#include "core/tlog.h"
#include "engine/key_log.h"
#include "engine/map.h"
#include "port/crypt.h"
#include "port/store.h"
#include "store/store_sqlite.h"
#include "ves/audit.h"

/* id, name in the report */
#define VES_AUDIT_CHECKS(X)           \
    X(FILE, "file")                   \
    X(ORDER, "order")                 \
    X(EVENTS, "events")               \
    X(KEYS, "agent keys")             \
    X(SIGNATURES, "agent signatures") \
    X(RECEIPTS, "receipts")           \
    X(CHAINS, "agent chains")         \
    X(OUTBOX, "outbox")               \
    X(CURSORS, "cursors")             \
    X(SETTINGS, "settings")           \
    X(COMMITMENTS, "commitments")     \
    X(TREE, "tree")                   \
    X(VERDICTS, "verdicts")           \
    X(CONFLICTS, "conflicts")         \
    X(STATE, "state")

enum ves_audit_id {
#define X(id, name) VES_AUDIT_##id,
    VES_AUDIT_CHECKS(X)
#undef X
        VES_AUDIT_CHECK_COUNT
};

enum {
    VES_AUDIT_FINDINGS_MAX = 1000, /* that are listed; all are counted */
    VES_AUDIT_BUCKETS = 120,       /* of time, in the volume */
    VES_AUDIT_HOLES_MAX = 100,     /* of one agent, that are listed */
    VES_AUDIT_KEYS_MAX = 64,       /* of the sequencer */
    VES_AUDIT_PATH_MAX = 4096
};

struct ves_audit_check {
    uint64_t examined, problems;
    uint64_t unknown;        /* could not be checked */
    struct ves_error reason; /* why, of the first of them */
};

struct ves_audit_finding {
    enum ves_audit_id check;
    uint32_t stream_no; /* 0: of none, or of which is not known */
    uint64_t sequence;  /* 0: none */
    char text[200];
    struct ves_audit_finding *next;
};

/* Numbers of an agent's chain that have not come. */
struct ves_audit_hole {
    uint64_t from, to;
    bool has_before, has_after;
    struct ves_hash before; /* of the event with number from - 1 */
    struct ves_hash after;  /* that number to + 1 names */
    struct ves_audit_hole *next;
};

struct ves_audit_agent {
    struct ves_uuid id;
    uint64_t events, first, last; /* sequence numbers */
    uint64_t agent_seq;
    struct ves_hash hash; /* of that event */
    struct ves_audit_hole *holes;
    uint64_t volume[VES_AUDIT_BUCKETS];
    struct ves_audit_agent *next; /* in the order of their first events */
};

struct ves_audit_commitment {
    struct ves_commitment_row row;
    struct ves_audit_commitment *next;
};

/* The tiles that are filling. */
struct ves_audit_tiles {
    struct ves_hash hash[VES_STORE_TILE_LEVELS][VES_STORE_TILE_WIDTH];
};

/* keys.c: what the log says of keys, up to where the walk is. */
struct ves_audit_keys {
    bool is_followed; /* its owner and its sequencer are known here */
    struct ves_key_log log;
    uint64_t unlogged; /* events by keys it does not name */
};

/* A head that the store keeps. */
struct ves_audit_head {
    uint64_t size;
    struct ves_hash root;
    const char *words; /* what it is */
    bool has_name;     /* epoch is the one that its name says */
    uint64_t epoch;
    bool is_outside; /* of another's file; what an epoch gave up is not here */
    struct ves_audit_head *next;
};

struct ves_audit_stream {
    struct ves_stream_row row;
    struct ves_map agents, keys;
    struct ves_audit_keys logged;
    struct ves_audit_agent *first_agent, **agent_end;
    struct ves_audit_links *links; /* links.c, while it is walked */
    struct ves_audit_commitment *commitments;
    struct ves_tlog_edge edge;
    uint64_t epoch; /* that the log is in there */
    /* Heads that the walk has not passed, ascending; where the last went in. */
    struct ves_audit_head *heads, **heads_at;
    /* What a sequencer has stored of the tree. */
    bool has_tree;
    uint64_t signed_size;
    struct ves_hash signed_root;
    int64_t signed_at_ms;
    struct ves_bytes stored_edge;
    struct ves_audit_tiles *tiles;
    uint64_t pruned;
    int64_t first_ms, last_ms;
    uint64_t volume[VES_AUDIT_BUCKETS];
    struct ves_audit_stream *next;
};

struct ves_audit_sequencer_key {
    uint32_t version;
    struct ves_public_key key;
};

struct ves_audit_checker;

struct ves_audit {
    const struct ves_alloc *alloc;
    const struct ves_audit_options *options;
    enum ves_store_role role;
    char folder[VES_AUDIT_PATH_MAX]; /* of the copy; "": not made */
    char copy[VES_AUDIT_PATH_MAX + 16];
    const char *path;  /* of the store that is audited; NULL: none */
    const char *label; /* what the report calls it */
    const char *kind;
    char pulled[VES_AUDIT_PATH_MAX + 16]; /* the stream as it was pulled */
    /* The head that the published log leads to. */
    bool has_published;
    struct ves_verify_head published;
    struct ves_bytes published_note; /* whose signature is to be looked at */
    struct ves_bytes witnessed; /* note of the newest that was cosigned; "" */
    struct ves_uuid sequencer; /* whose own events enter keys; nil: not asked */
    struct ves_store *store;   /* the copy, for reading */
    struct ves_arena arena;    /* lives as long as the audit */
    struct ves_uuid secret;    /* of the maps */
    struct ves_audit_sequencer_key keys[VES_AUDIT_KEYS_MAX];
    size_t key_count;
    struct ves_audit_stream *streams;
    bool *heads_met, *heads_missed; /* of those in the options */
    bool *known_used;               /* of its files: has a head of a stream */
    bool is_stopped;                /* by the caller, at its progress */
    uint32_t walked;                /* number of that stream; 0: none */
    uint64_t done, total;           /* events */
    struct ves_audit_checker *checker;
    struct sqlite3 *file; /* connection of that check */
    pthread_t file_check;
    bool has_file_check;
    bool ignores_resume; /* what is kept is of another store */
    uint64_t resumed;    /* signatures verified by an earlier run */
    /* Under the lock. */
    pthread_mutex_t lock;
    struct ves_audit_check checks[VES_AUDIT_CHECK_COUNT];
    struct ves_audit_finding *findings, **findings_end;
    uint64_t finding_count;
    uint64_t signatures;
    struct ves_error *error;
};

/* Counts a problem of the stream that is walked, and lists it while there is
 * room. */
void ves_audit_find(struct ves_audit *audit, enum ves_audit_id check,
                    uint64_t sequence, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The same from any thread, and of any stream. */
void ves_audit_find_in(struct ves_audit *audit, uint32_t stream_no,
                       enum ves_audit_id check, uint64_t sequence,
                       const char *format, ...)
    __attribute__((format(printf, 5, 6)));
/* count more were looked at. */
void ves_audit_count(struct ves_audit *audit, enum ves_audit_id check,
                     uint64_t count);
/* Something of a check cannot be told, and why. */
void ves_audit_unknown(struct ves_audit *audit, enum ves_audit_id check,
                       const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- file.c: the copy itself ---- */

/* Begins to look at it, after the last fork. */
void ves_audit_file_start(struct ves_audit *audit);
/* Waits until that is done; nothing without _start. */
void ves_audit_file_end(struct ves_audit *audit);

/* rows.c: what stands beside the log, on that connection. */
void ves_audit_rows(struct ves_audit *audit, struct sqlite3 *db);

/* ---- checker.c: signatures ---- */

/* threads as in the options. */
VES_NODISCARD enum ves_status ves_audit_checker_start(struct ves_audit *audit);
/* One signature by any of the keys; check and sequence say what it is of. */
VES_NODISCARD enum ves_status
ves_audit_checker_add(struct ves_audit *audit, enum ves_audit_id check,
                      uint64_t sequence, const struct ves_public_key *keys,
                      size_t key_count, const struct ves_hash *hash,
                      const struct ves_sig *sig);
/* Waits until all are checked.  VES_CONFLICT, as _add: an earlier run has
 * verified other signatures than these, so nothing of it counts. */
VES_NODISCARD enum ves_status ves_audit_checker_flush(struct ves_audit *audit);
void ves_audit_checker_stop(struct ves_audit *audit);

/* ---- keys.c: keys as the log has them ---- */

enum ves_audit_key_answer {
    VES_AUDIT_KEY_UNKNOWN, /* the log does not name it */
    VES_AUDIT_KEY_VALID,
    VES_AUDIT_KEY_INVALID /* which has been found */
};

void ves_audit_keys_open(struct ves_audit *audit,
                         struct ves_audit_stream *stream);
/* The next event, whatever it is. */
VES_NODISCARD enum ves_status
ves_audit_keys_take(struct ves_audit *audit, struct ves_audit_stream *stream,
                    const struct ves_event *event, uint64_t sequence);
/* epochs.c: the next event, before it is in the tree; one that opens an epoch
 * has to go on from the head there is.  arena: of the event. */
VES_NODISCARD enum ves_status
ves_audit_epoch_take(struct ves_audit *audit, struct ves_audit_stream *stream,
                     const struct ves_event *event, uint64_t sequence,
                     struct ves_arena *arena);
/* Is that agent the sequencer's own, and which key is that? */
bool ves_audit_keys_own(const struct ves_audit *audit,
                        const struct ves_audit_stream *stream,
                        const struct ves_uuid *agent, uint32_t key_id,
                        struct ves_public_key *out);
enum ves_audit_key_answer ves_audit_keys_check(struct ves_audit *audit,
                                               struct ves_audit_stream *stream,
                                               const struct ves_log_row *row,
                                               struct ves_public_key *out);
/* Against the tables, and what cannot be told. */
VES_NODISCARD enum ves_status
ves_audit_keys_end(struct ves_audit *audit, struct ves_audit_stream *stream);

/* ---- chain.c: agents' chains ---- */

/* The event's place in its agent's chain; event NULL: its body is gone. */
struct ves_event;
VES_NODISCARD enum ves_status ves_audit_chain(struct ves_audit *audit,
                                              struct ves_audit_stream *stream,
                                              const struct ves_log_row *row,
                                              const struct ves_event *event,
                                              unsigned bucket);

/* ---- links.c: entities' events ---- */

VES_NODISCARD enum ves_status
ves_audit_links_open(struct ves_audit *audit, struct ves_audit_stream *stream);
void ves_audit_links_close(struct ves_audit_stream *stream);
/* The next event's place among those of its entity. */
void ves_audit_links_check(struct ves_audit *audit,
                           struct ves_audit_stream *stream,
                           const struct ves_log_row *row);

/* ---- tree.c: the provable log ---- */

VES_NODISCARD enum ves_status
ves_audit_tree_open(struct ves_audit *audit, struct ves_audit_stream *stream);
/* The next entry's leaf hash. */
VES_NODISCARD enum ves_status
ves_audit_tree_add(struct ves_audit *audit, struct ves_audit_stream *stream,
                   const struct ves_hash *leaf);
VES_NODISCARD enum ves_status
ves_audit_tree_end(struct ves_audit *audit, struct ves_audit_stream *stream);

/* After all streams: was every head that is known met? */
void ves_audit_tree_heads(struct ves_audit *audit);

/* ---- heads.c: heads that the store keeps ---- */

/* Each looks at the notes by themselves and keeps the heads for the walk: the
 * newest that was signed, those that were cosigned, those a follower kept. */
VES_NODISCARD enum ves_status
ves_audit_heads_signed(struct ves_audit *audit, struct ves_audit_stream *stream,
                       const struct ves_tlog_row *row);
VES_NODISCARD enum ves_status
ves_audit_heads_cosigned(struct ves_audit *audit,
                         struct ves_audit_stream *stream);
VES_NODISCARD enum ves_status
ves_audit_heads_followed(struct ves_audit *audit,
                         struct ves_audit_stream *stream);
/* One more, which is copied, words apart. */
VES_NODISCARD enum ves_status
ves_audit_heads_add(struct ves_audit *audit, struct ves_audit_stream *stream,
                    const struct ves_audit_head *head);
/* One more, out of a note of the sequencer's, which is looked at. */
VES_NODISCARD enum ves_status
ves_audit_heads_note(struct ves_audit *audit, struct ves_audit_stream *stream,
                     struct ves_bytes note, const char *words);
/* known.c: those of others. */
VES_NODISCARD enum ves_status ves_audit_known(struct ves_audit *audit,
                                              struct ves_audit_stream *stream);
/* The edge has grown by an entry. */
void ves_audit_heads_pass(struct ves_audit *audit,
                          struct ves_audit_stream *stream);
/* After the last one. */
void ves_audit_heads_left(struct ves_audit *audit,
                          const struct ves_audit_stream *stream);

/* ---- walk.c ---- */

/* Reads keys, commitments and log of a stream and looks at all of them. */
VES_NODISCARD enum ves_status ves_audit_walk(struct ves_audit *audit,
                                             struct ves_audit_stream *stream);
/* Own events that are in no log yet; devices only. */
VES_NODISCARD enum ves_status ves_audit_outbox(struct ves_audit *audit);

/* ---- replay.c ---- */

struct ves_audit_replay {
    struct ves_audit *audit;
    pid_t child; /* <= 0: none */
    int go, out; /* pipes to it and from it; -1: none */
    bool is_started;
};

/* Makes the process, which waits.  Before the audit has threads and before the
 * copy is open: neither survives a fork. */
void ves_audit_replay_prepare(struct ves_audit_replay *replay,
                              struct ves_audit *audit);
/* It begins to judge and fold the copy again. */
void ves_audit_replay_start(struct ves_audit_replay *replay);
/* Waits for it; what differs has been found.  Not wanted: ends it. */
void ves_audit_replay_end(struct ves_audit_replay *replay, bool is_wanted);

/* ---- kept.c ---- */

/* From now on the store, which is a copy on the connection db, keeps in the
 * table audit_events what a row said before judging it changed it, and rows
 * that come out as they stand are not written.  For one store in a process.
 * false: SQLite says why. */
bool ves_audit_kept_open(struct ves_store *store, struct sqlite3 *db);
/* Nothing without _open. */
void ves_audit_kept_close(struct ves_store *store);

/* ---- published.c, sources.c ---- */

/* Appends the file of a published log: "checkpoint", "tile/0/000" ...
 * VES_NOT_FOUND. */
struct ves_audit_source {
    enum ves_status (*get)(void *ctx, const char *path, struct ves_buf *out,
                           struct ves_error *error);
    void *ctx;
};

/* Reads checkpoint, entries and tiles; *head is what the checkpoint says. */
VES_NODISCARD enum ves_status ves_audit_published(
    struct ves_audit *audit, const struct ves_audit_source *source,
    struct ves_audit_stream *stream, struct ves_verify_head *head);
/* The log in the folder tiles_dir. */
VES_NODISCARD enum ves_status ves_audit_folder(struct ves_audit *audit);
/* The log that url publishes, and the stream pulled into audit->pulled. */
VES_NODISCARD enum ves_status ves_audit_remote(struct ves_audit *audit);

/* ---- report.c ---- */

enum ves_audit_verdict ves_audit_report(struct ves_audit *audit,
                                        struct ves_jw *jw, int64_t taken_ms);

#endif
