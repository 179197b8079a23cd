/* ves/sync.h -- the agent and its sequencer: join, push, pull, sync.
 *
 * Each call makes its own requests over HTTP(S) (libcurl) and holds no lock or
 * transaction while the network works; while one is open on the connection,
 * nothing is sent (VES_INVALID).  Statuses: VES_UNREACHABLE no answer,
 * VES_AUTH/VES_FORBIDDEN the credential, VES_REFUSED the server's answer did
 * not verify (alert and quarantine say what), VES_BUSY another process pushes,
 * VES_DIVERGED two histories.  Whatever was done before stays done and is in
 * the report.
 */
#ifndef VES_SYNC_H
#define VES_SYNC_H

#include "ves/conflict.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Called between requests, and about ten times a second while one waits for its
 * answer, so that a host can show progress or stop; done and total are events,
 * total 0 when unknown.  Return false to stop cleanly: the call returns
 * VES_AGAIN, or VES_OK between requests, and the same call goes on with the
 * rest later. */
typedef bool ves_progress(void *ctx, const char *what, uint64_t done,
                          uint64_t total);

struct ves_join_options {
    struct ves_agent_options store; /* path of the new store */
    struct ves_bytes invitation;    /* "ves1...." */
    bool seal_key; /* seal the key file with store.passphrase's answer */
};

/* Redeems an invitation: makes the store, its agent id and key, registers the
 * key, pins sequencer, TLS and owner keys, stores the credential.  Safe to
 * call again after a lost reply or a crash: the same key is used.
 * VES_CONFLICT when the file is a store of another stream. */
VES_API VES_NODISCARD enum ves_status
ves_join(const struct ves_join_options *options, struct ves_agent **out,
         struct ves_error *error);

struct ves_push_problem_report {
    struct ves_uuid event_id;
    const char *status; /* "failed", "conflict", "pending" */
    char code[64];
    char message[256];
    bool is_retryable;
};

struct ves_push_report {
    uint64_t attempted, accepted, duplicates, failed, conflicts;
    uint64_t remaining;   /* own events that are not at the sequencer */
    uint64_t undelivered; /* ... of these the ones that failed, now or before,
                             and that nobody has decided about */
    uint64_t refused;     /* ... of these the ones with a signed refusal, which
                             no push takes up again by itself */
    uint64_t first_sequence, last_sequence;
    struct ves_push_problem_report problems[64];
    size_t problem_count;
    uint32_t wait_s; /* the sequencer is busy and wants to be left alone for so
                        long; 0: it is not */
};

struct ves_pull_report {
    uint64_t received, applied, already_applied, quarantined, conflicts;
    uint64_t cursor, remote_head;
    bool has_more;
    bool is_position_unproven;
    struct ves_uuid last_event_id;
    /* What stopped it: the number that was to come and did not, 0 when there
     * was no gap, and the one that came in its place, 0 when none came. */
    uint64_t gap_expected, gap_received;
    uint32_t wait_s; /* as of a push */
};

struct ves_sync_options {
    uint64_t limit;    /* events; 0: until there is no more */
    bool dry_run;      /* say what would be done */
    bool is_automatic; /* a loop, not a person: obeys backoff and breaker, and
                          what the sequencer asks with Retry-After */
    ves_progress *progress; /* may be NULL */
    void *progress_ctx;
    uint32_t timeout_ms; /* of each request; 0: a minute of silence */
};

struct ves_rotate_report {
    uint32_t key_id;                  /* of the key that signs now */
    struct ves_public_key public_key; /* it */
    bool is_waiting; /* the statement is kept and goes out with the next push */
};

/* Rotates the agent's key: the next one, which the present one committed to,
 * takes its place and commits to a fresh one (FILE.key, FILE.key.next).  What
 * waits in the outbox is signed again.  The statement that asks for it is kept
 * first, so that an answer that is lost, or no network (VES_UNREACHABLE with
 * is_waiting), means that the next push or sync goes on with it; the same call
 * does, too.  VES_REFUSED: the sequencer or the log does not let it be rotated,
 * and nothing was changed. */
VES_API VES_NODISCARD enum ves_status
ves_rotate_key(struct ves_agent *agent, const struct ves_sync_options *options,
               struct ves_rotate_report *report, struct ves_error *error);

/* What going on with an epoch of the log does to a store that holds some of
 * what it gave up, or would do. */
struct ves_epoch_report {
    uint64_t epoch;        /* its number */
    uint64_t common;       /* the last number that is left */
    uint64_t cursor;       /* the last one that this store had */
    uint64_t others, own;  /* events that were given up and are kept here */
    uint64_t again;        /* own events that are sent again */
    uint64_t signed_again; /* own events that were signed anew for it */
    bool is_rotated_again; /* the key's rotation is asked for again */
    bool needs_key;        /* the key's registration was given up: the owner
                              has to register it again */
};

/* By its owner's word, and never otherwise: the store goes back to the last
 * number that is left, so that the next ves_sync goes on with the epoch (ADR
 * 0048).  Nothing is lost: what was given up is kept, own events are sent
 * again. Of the options, dry_run says what would be done.  All or nothing; done
 * twice it is done once.  VES_NOT_FOUND: this store holds nothing that an epoch
 * gave up.  VES_UNSUPPORTED: its log was pruned. */
VES_API VES_NODISCARD enum ves_status
ves_epoch_follow(struct ves_agent *agent,
                 const struct ves_sync_options *options,
                 struct ves_epoch_report *report, struct ves_error *error);

/* Asks first whether the log holds events of this store's agent that it does
 * not: then it was restored from an older copy, and they are taken back before
 * anything is sent; what was written since goes behind them.  VES_DIVERGED:
 * the file is used twice. */
VES_API VES_NODISCARD enum ves_status
ves_push(struct ves_agent *agent, const struct ves_sync_options *options,
         struct ves_push_report *report, struct ves_error *error);

/* since: 0 pulls from the cursor; else reads again from that sequence and
 * checks what is stored against it, applying what is new. */
VES_API VES_NODISCARD enum ves_status
ves_pull(struct ves_agent *agent, const struct ves_sync_options *options,
         uint64_t since, struct ves_pull_report *report,
         struct ves_error *error);

struct ves_sync_report {
    struct ves_push_report push;
    struct ves_pull_report pull;
    struct ves_ack_report ack;
    struct ves_auto_report automatic; /* decided by the settings */
};

/* Pulls until there is no more, pushes until empty, pulls what came of it,
 * decides what the settings decide (ves_resolve_automatic), acknowledges. */
VES_API VES_NODISCARD enum ves_status
ves_sync(struct ves_agent *agent, const struct ves_sync_options *options,
         struct ves_sync_report *report, struct ves_error *error);

/* ---- live delivery -------------------------------------------------------
 *
 * Hears at once that the stream has grown, or that somebody else has written
 * an own event into this store; the caller then calls ves_sync, which verifies
 * as always.  What the sequencer says here is a hint and changes nothing.  A
 * sequencer that cannot be followed is asked from time to time; until then
 * the caller syncs whenever its pause is over (ADR 0045).
 */

struct ves_follow;

enum { VES_FOLLOW_WHY_MAX = 256 };

struct ves_follow_news {
    bool is_remote;  /* the log goes further than cursor */
    bool is_local;   /* there are new own events, written by another handle */
    bool is_changed; /* is_live is not what it was, or known now */
    bool is_live;    /* followed; otherwise why tells why not */
    char why[VES_FOLLOW_WHY_MAX];
};

/* Starts a thread with a connection of its own.  agent stays the caller's and
 * must outlive *out.  Of the options, which may be NULL, progress is asked
 * while waiting. */
VES_API VES_NODISCARD enum ves_status
ves_follow_start(struct ves_agent *agent,
                 const struct ves_sync_options *options,
                 struct ves_follow **out, struct ves_error *error);

/* Waits for news, at most timeout_ms, or until progress says false.  cursor is
 * what this store has pulled.  On the thread of the agent. */
VES_API void ves_follow_wait(struct ves_follow *follow, uint64_t cursor,
                             uint32_t timeout_ms, struct ves_follow_news *news);

/* NULL allowed. */
VES_API void ves_follow_stop(struct ves_follow *follow);

/* Asks the sequencer for its head and stores it; for status. */
VES_API VES_NODISCARD enum ves_status ves_probe(struct ves_agent *agent,
                                                uint64_t *remote_head,
                                                struct ves_error *error);

/* Asks and writes nothing: what it showed, an answer or none, is in *contact,
 * and this handle knows it (ves_agent_know).  Of the options, which may be
 * NULL, timeout_ms and progress are used; stopped, it is VES_AGAIN. */
VES_API VES_NODISCARD enum ves_status
ves_probe_quietly(struct ves_agent *agent,
                  const struct ves_sync_options *options,
                  struct ves_contact *contact, struct ves_error *error);

/* As ves_probe, giving up after timeout_ms (0: a minute). */
VES_API VES_NODISCARD enum ves_status ves_probe_within(struct ves_agent *agent,
                                                       uint32_t timeout_ms,
                                                       uint64_t *remote_head,
                                                       struct ves_error *error);

/* An event to prove, by its number in the stream, or by its id when that is 0.
 */
struct ves_prove_event {
    uint64_t sequence_number;
    struct ves_uuid event_id;
};

struct ves_prove_options {
    const struct ves_prove_event *events; /* any order */
    size_t count;
    const char *path;        /* of the bundle; must not be there yet */
    const char *policy_name; /* goes into the bundle as a hint; may be NULL */
    uint32_t timeout_ms;     /* of each request; 0: a minute */
};

struct ves_prove_report {
    uint64_t events, tree_size, bytes;
    char origin[256];
    /* The log's key as this store has it pinned, for the policy of whoever
     * has no better source; "" when none is pinned. */
    char log_key[512];
    uint64_t key_events; /* beside events: those about their signers' keys */
    bool has_owner_key;
    struct ves_public_key owner_key; /* of the stream, as it is pinned */
};

/* Writes a bundle (doc/bundle.md): events as this store has verified them,
 * with the sequencer's signed checkpoint, the hashes between them, its key
 * directory and the events of the log about their signers' keys.  It is
 * verified with the pinned keys first.  VES_NOT_FOUND: an event has no place in
 * the log yet, or its body is pruned; VES_AGAIN: the log's head is not signed
 * that far yet; VES_CONFLICT: the file is there. */
VES_API VES_NODISCARD enum ves_status
ves_prove(struct ves_agent *agent, const struct ves_prove_options *options,
          struct ves_prove_report *report, struct ves_error *error);

/* One event of ves_fetch: its place in the log and its envelope, JSON. */
struct ves_fetch_event {
    uint64_t sequence_number;
    struct ves_bytes envelope; /* valid during the call */
};

/* Called for each event, in order, when all are proven; false stops. */
typedef bool ves_fetch_visitor(void *ctx, const struct ves_fetch_event *event);

struct ves_fetch_options {
    const char *entity_type;  /* NULL: any */
    const char *entity_id;    /* NULL: any; one of the two is needed */
    const char *path;         /* a bundle to write; must not be there yet; may
                                 be NULL */
    const char *policy_name;  /* goes into the bundle as a hint; may be NULL */
    ves_fetch_visitor *visit; /* may be NULL */
    void *visit_ctx;
    ves_progress *progress; /* may be NULL; counts entries of the log */
    void *progress_ctx;
    uint32_t timeout_ms; /* of each request; 0: a minute */
};

struct ves_fetch_report {
    uint64_t events, receipts; /* how many came with a receipt */
    uint64_t tree_size;        /* entries of the log that were covered */
    uint64_t pages, received;  /* requests and bytes it took */
    uint64_t bytes;            /* of the bundle; 0: none written */
    char origin[256];
    char log_key[512]; /* as ves_prove_report */
};

/* Asks the sequencer for the events about a type or an entity, without
 * pulling the stream: hashes, signatures, keys, receipts and the place of each
 * event in the signed log are checked with what this store has pinned.
 * Nothing is applied; log, cursor, entities and outbox stay as they are.  NOT
 * proven is that the sequencer left no such event out.  VES_REFUSED: something
 * shown was false, and is kept as an alert; VES_AGAIN: the log's head is not
 * signed yet; VES_LIMIT: more than a bundle holds; VES_NOT_FOUND: a bundle is
 * asked for and there is no such event; VES_CONFLICT: its file is there. */
VES_API VES_NODISCARD enum ves_status
ves_fetch(struct ves_agent *agent, const struct ves_fetch_options *options,
          struct ves_fetch_report *report, struct ves_error *error);

/* {accepted, failed, conflicts, remaining, undelivered, refused, attempted,
 * duplicates, ...} */
VES_API void ves_push_report_json(struct ves_jw *jw,
                                  const struct ves_push_report *report);
VES_API void ves_pull_report_json(struct ves_jw *jw,
                                  const struct ves_pull_report *report);
VES_API void ves_ack_report_json(struct ves_jw *jw,
                                 const struct ves_ack_report *report);

/* ---- administration, with an admin key ------------------------------------
 */

struct ves_invite_options {
    const char *url;
    const char *key_file; /* the admin key; the owner key lies beside it as
                             KEY_FILE.owner-TENANT-STORE (0600) */
    const struct ves_stream *stream; /* NULL: fresh ids */
    uint32_t uses;                   /* 0: no limit */
    uint64_t valid_s;                /* seconds */
    bool is_read_only;               /* the new store may only pull */
    const char *tls_ca; /* PEM file with certificates to trust instead of the
                           machine's; the invitation then pins the server's
                           TLS key */
};

/* Makes (at the stream's first invitation) the owner key, signs an invitation
 * and registers it.  Appends the string, NUL-terminated, to out (size bytes).
 */
VES_API VES_NODISCARD enum ves_status
ves_invite(const struct ves_invite_options *options, char *out, size_t size,
           struct ves_stream *stream, struct ves_error *error);

/* Any other administrative request: method, path with query, JSON body; the
 * reply goes into jw verbatim.  *http_status tells. */
VES_API VES_NODISCARD enum ves_status
ves_admin_call(const char *url, const char *key_file, const char *tls_ca,
               const char *method, const char *path, struct ves_bytes body,
               struct ves_jw *jw, uint32_t *http_status,
               struct ves_error *error);

/* Where an administrator asks, and with what. */
struct ves_admin {
    const char *url, *key_file;
    const char *tls_ca; /* CA certificates instead of the machine's, or NULL */
};

/* The owner's word, signed with the owner key beside key_file, that from here
 * on the stream takes only keys he signed for (is_strict), or others again.
 * VES_NOT_FOUND: the owner key is not there.  The rest as in _call. */
VES_API VES_NODISCARD enum ves_status
ves_admin_key_policy(const struct ves_admin *admin,
                     const struct ves_stream *stream, bool is_strict,
                     struct ves_jw *jw, uint32_t *http_status,
                     struct ves_error *error);

/* The owner's word that a key of the agent signs no more from the next number
 * of this stream on.  As _policy. */
VES_API VES_NODISCARD enum ves_status ves_admin_revoke_key(
    const struct ves_admin *admin, const struct ves_stream *stream,
    const struct ves_uuid *agent, uint32_t key_id, struct ves_jw *jw,
    uint32_t *http_status, struct ves_error *error);

/* How a key of an agent ended, as a stream's log has it. */
struct ves_key_end {
    uint64_t sequence_number; /* of the event that ended it */
    uint64_t size;            /* of the signed head over that event */
    const char *by; /* whose word: "owner", "sequencer", "rotation"; static */
};

/* Reads that from the log, whatever a request was answered: the stream's key
 * events, whose signatures and order are checked, by the owner key beside
 * key_file, and the proof that the one that ended the key stands under a head
 * the sequencer signed.  The sequencer's keys are those it shows; a store of
 * the stream has pinned them (ves_agent_keys).  VES_NOT_FOUND: the log
 * does not end the key, or there is no owner key.  VES_AGAIN: no head covers
 * the event yet (out is filled but for size).  VES_REFUSED: what is shown does
 * not hold. */
VES_API VES_NODISCARD enum ves_status
ves_admin_key_end(const struct ves_admin *admin,
                  const struct ves_stream *stream, const struct ves_uuid *agent,
                  uint32_t key_id, struct ves_key_end *out,
                  struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
