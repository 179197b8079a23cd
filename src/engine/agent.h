/* agent.h -- the device: append, push, pull, apply, acknowledge.
 *
 * A state machine without I/O: requests come out as bytes, replies go in as
 * bytes, time and randomness are arguments.  No transaction is open between a
 * begin and its end.  Invariants:
 *
 *  A1  An appended event is in the outbox in the same transaction as the
 *      business rows; it never leaves it.
 *  A2  agent_seq is 1, 2, 3 ... and prev is the hash of the one before.
 *  A3  A row is synced only with a verified receipt and a known verdict.
 *  A4  Nothing unverified is applied; the cursor never passes an event that
 *      did not verify; events, state and cursor move in one transaction.
 *  A5  Only the holder of the push lease claims rows; a late reply of a fenced
 *      pusher may add receipts (they verify) but changes nothing else.
 *
 *        append          push_begin            push_end: receipt
 *   ------------> pending ---------> syncing -----------------> syncing+receipt
 *                    ^  ^               |                             |
 *        reset_claims|  +---transient---+--refused--> failed   acknowledge
 *                    +--(lease lost, no receipt)                      v
 *                                                                  synced
 */
#ifndef VES_ENGINE_AGENT_H
#define VES_ENGINE_AGENT_H

#include "core/event.h"
#include "core/invitation.h"
#include "core/judge.h"
#include "core/keydir.h"
#include "core/policy.h"
#include "core/receipt.h"
#include "port/crypt.h"
#include "port/store.h"

/* Everything an agent needs, filled by its host.  Kept in the store's meta
 * table under the names in parentheses; ves_core_load reads them. */
struct ves_agent_core {
    struct ves_store *store;
    const struct ves_alloc *alloc;
    struct ves_signer *signer;     /* NULL: may not append */
    struct ves_verifier *verifier; /* batches of signatures */
    uint32_t stream_no;
    struct ves_stream stream;     /* (stream) */
    struct ves_uuid agent;        /* (agent) */
    uint32_t key_id;              /* (agent.key_id) */
    struct ves_uuid sequencer_id; /* (sequencer.id) */
    struct ves_sequencer_key sequencer_keys[VES_SEQUENCER_KEYS_MAX];
    size_t sequencer_key_count;      /* (sequencer.keys) pinned, D18 */
    struct ves_public_key owner_key; /* (owner.key) */
    struct ves_error error;          /* words about the last failure */
    /* What the host's configuration says of a number setting of the file
     * ("maxRetries" ...); false: nothing, the file counts.  NULL: never. */
    bool (*setting)(const char *name, uint64_t *value);
    /* Puts the signer of another key of this agent in place of the one in
     * signer; NULL: the host has no other.  Asked when the log has rotated the
     * key (agent_rotate.c), with a transaction open. */
    enum ves_status (*rekey)(struct ves_agent_core *core,
                             const struct ves_public_key *key);
};

/* Identity a new store starts with. */
struct ves_core_identity {
    struct ves_stream stream;
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_uuid sequencer_id;
    struct ves_sequencer_key sequencer_keys[VES_SEQUENCER_KEYS_MAX];
    size_t sequencer_key_count;
    struct ves_public_key owner_key;
};

/* Writes the identity of a fresh store; VES_CONFLICT when it has one already
 * that differs. */
VES_NODISCARD enum ves_status
ves_core_create(struct ves_agent_core *core,
                const struct ves_core_identity *identity);
/* Reads identity and checks versions; if the fold or judge version stored is
 * older than the program's, folds the log again (one transaction). */
VES_NODISCARD enum ves_status ves_core_load(struct ves_agent_core *core);

/* Time and randomness for one step. */
struct ves_core_env {
    int64_t now_ms;
    uint8_t random[16];
};

/* ---- append ---------------------------------------------------------------
 */

struct ves_core_append {
    struct ves_bytes event_type;
    /* Of the engine's own: a type beginning "ves.", about an entity of another
     * type, on the base as it is. */
    bool is_system;
    struct ves_bytes entity_type;
    struct ves_bytes entity_id; /* aggregate id */
    struct ves_bytes payload;   /* JSON object without "_ves" */
    bool has_event_id;          /* else a UUIDv7 is made */
    struct ves_uuid event_id;
    bool has_command_id;
    struct ves_uuid command_id;
    uint32_t cmd_index, cmd_count; /* atomic group; count 0: none */
    bool has_base_version;         /* else what the local view says */
    uint64_t base_version;
    const struct ves_uuid *deps; /* event ids; may be NULL */
    size_t dep_count;
};

/* Signs and stores one event.  Runs inside the transaction that is open, or
 * makes one.  VES_INVALID, VES_MALFORMED, VES_LIMIT: what and where in
 * core->error, nothing stored; VES_CONFLICT: event id taken. */
VES_NODISCARD enum ves_status
ves_core_append(struct ves_agent_core *core, const struct ves_core_env *env,
                const struct ves_core_append *what, struct ves_uuid *event_id);

/* ---- push -----------------------------------------------------------------
 */

/* The process that pushes (decision 12).  A holder whose process is gone
 * (is_alive says so) is replaced at once. */
struct ves_lease {
    uint64_t pid;
    uint64_t process_start; /* clock ticks since boot */
    struct ves_uuid boot_id;
};

struct ves_push {
    uint64_t token;       /* fencing token */
    uint64_t *local_seqs; /* claimed rows; owned, freed by ves_push_free */
    struct ves_uuid *event_ids; /* theirs; owned likewise */
    size_t count;
    struct ves_buf body; /* the ingest request; empty when count is 0 */
};

/* Takes the lease (VES_BUSY when a live process holds it), gives rows claimed
 * by dead pushers back, claims up to limit events (0: as many as a request
 * holds) in order and builds the request.  is_explicit ignores backoff and
 * takes failed rows up again, each once until the lease is released.  An
 * entity whose earlier event failed without a signed refusal, or waits for its
 * next try, holds its later ones back; nothing else waits.  An atomic group is
 * claimed whole, or not yet.  count 0: nothing to push.
 * VES_AGAIN: too early (backoff), or own events must be taken back first: pull;
 * VES_AUTH, VES_FORBIDDEN: a push that is not explicit waits for new
 * credentials; VES_DIVERGED: pushing has stopped (status says why). */
VES_NODISCARD enum ves_status
ves_core_push_begin(struct ves_agent_core *core, const struct ves_lease *self,
                    bool (*is_alive)(const struct ves_lease *holder),
                    int64_t now_ms, uint32_t limit, bool is_explicit,
                    struct ves_push *push);

/* ---- restored stores (semantics.md decision 15) --------------------------
 *
 * A file cannot know that it is an older copy of itself.  So before anything is
 * sent somebody asks the sequencer how many events of this agent its log holds
 * after the number up to which all of them are known here; more than this
 * store can place mean that a pull comes first. */
struct ves_core_own {
    uint64_t known; /* up to this number every own event is here; told by
                       the sequencer where it is above cursor */
    uint64_t cursor;
    bool needs_pull;    /* own events are being taken back */
    bool was_backup;    /* pulled to what it was told is the end: ask, even
                           after a pull; then ves_core_own_whole */
    bool needs_rechain; /* after that, ves_core_rechain */
};

VES_NODISCARD enum ves_status ves_core_own(struct ves_agent_core *core,
                                           struct ves_core_own *out);
/* The log holds count own events in (after, until].  *is_known: all of them
 * have their place here, which is remembered. */
VES_NODISCARD enum ves_status
ves_core_own_counted(struct ves_agent_core *core, uint64_t after,
                     uint64_t until, uint64_t count, bool *is_known);
/* A second answer agreed with the pull: this store is no backup any
 * more, and another event under a number of its chain makes it a copy. */
VES_NODISCARD enum ves_status ves_core_own_whole(struct ves_agent_core *core);
/* Signs again what was written to an older copy and never left it, behind the
 * own events that were taken back, or what has no number under a key that was
 * rotated; nothing when there is no such event, or some are missing still.
 * Needs the signer. */
VES_NODISCARD enum ves_status ves_core_rechain(struct ves_agent_core *core,
                                               int64_t now_ms);

/* ---- the agent's own key (agent_rotate.c) ---------------------------------
 *
 * A rotation is asked of the sequencer with a statement of both keys, and has
 * happened when the log holds it as an event: then the store goes on with the
 * new key, with what has no number signed again by ves_core_rechain. */

/* Signs the statement that next takes the place of the signer's key and
 * commits to following (ves_key_next_hash), and keeps it until it was answered
 * for good.  VES_REFUSED: the log does not let the key be rotated; VES_AGAIN: a
 * restored store has to pull first. */
VES_NODISCARD enum ves_status ves_core_rotate(struct ves_agent_core *core,
                                              struct ves_signer *next,
                                              const struct ves_hash *following,
                                              int64_t now_ms);
/* The request that asks for it; "" when none waits. */
VES_NODISCARD enum ves_status ves_core_rotation(struct ves_agent_core *core,
                                                struct ves_arena *arena,
                                                struct ves_bytes *body);
/* The sequencer refused it for good, or the key it leads to is lost: it waits
 * no more, and an alert says why. */
VES_NODISCARD enum ves_status
ves_core_rotation_refused(struct ves_agent_core *core, const char *words,
                          int64_t now_ms);

/* May a push begin now?  What ves_core_push_begin would say before it looks at
 * events; changes nothing. */
VES_NODISCARD enum ves_status ves_core_push_may(struct ves_agent_core *core,
                                                int64_t now_ms,
                                                bool is_explicit);
/* A push came to nothing before an event was claimed, because there was no
 * answer (http_status 0) or not now (429, 5xx): the next one waits. */
VES_NODISCARD enum ves_status
ves_core_push_unsent(struct ves_agent_core *core,
                     const struct ves_core_env *env, uint32_t http_status,
                     uint32_t retry_after_s);

/* The store has another credential: what was said of the one before holds
 * nobody back any more. */
VES_NODISCARD enum ves_status ves_core_renewed(struct ves_agent_core *core);

/* The sequencer is busy (429, 503) and asked to be left alone for so many
 * seconds; an hour at most is believed. */
VES_NODISCARD enum ves_status ves_core_told_to_wait(struct ves_agent_core *core,
                                                    int64_t now_ms,
                                                    uint32_t seconds);
/* *seconds: how much of that is left, 0: a request may be made.  For loops; a
 * person's request is never held back by it (semantics.md decision 12). */
VES_NODISCARD enum ves_status ves_core_is_to_wait(struct ves_agent_core *core,
                                                  int64_t now_ms,
                                                  uint32_t *seconds);

struct ves_push_problem {
    struct ves_uuid event_id;
    enum ves_outbox_status status;
    char code[64];
    char message[256];
    bool is_retryable;
};

enum { VES_PUSH_PROBLEMS_MAX = 64 };

struct ves_push_result {
    uint64_t attempted, accepted, duplicates, failed, conflicts;
    uint64_t first_sequence, last_sequence; /* 0 when none */
    struct ves_push_problem problems[VES_PUSH_PROBLEMS_MAX];
    size_t problem_count; /* the first so many */
};

/* Takes the reply: verifies every receipt against the pinned keys, stores it;
 * refusals are verified and stored; events without answer go back to pending.
 * http_status 0 means no reply: offline.  Adds to *result.  Receipts that
 * verify are kept whatever else is wrong.
 * VES_OK: answered, or (400, 413, 422) the next push is half as large;
 * VES_UNREACHABLE, VES_AUTH (401), VES_FORBIDDEN (403), VES_BUSY (429, 503),
 * VES_AGAIN (other failures; or a receipt by a sequencer key not pinned yet:
 * fetch the sequencer keys), VES_MALFORMED (not an answer to this request),
 * VES_UNSUPPORTED (receipts are not signed): rows go back to pending, the next
 * try is set; VES_REFUSED when the reply proves false (a receipt that does not
 * verify): rows go back to pending, an alert is kept; VES_DIVERGED on
 * seen_beyond_head: rows go back to pending, pushing stops until it is gone.
 */
VES_NODISCARD enum ves_status
ves_core_push_end(struct ves_agent_core *core, struct ves_push *push,
                  const struct ves_core_env *env, uint32_t http_status,
                  struct ves_bytes reply, uint32_t retry_after_s,
                  struct ves_push_result *result);
/* The token stays, so that a freed push can still be released. */
void ves_push_free(struct ves_push *push, const struct ves_alloc *alloc);
/* Gives the lease back, and rows still claimed with it; harmless when another
 * has it. */
void ves_core_push_release(struct ves_agent_core *core,
                           const struct ves_push *push);

/* ---- pull -----------------------------------------------------------------
 */

/* One page on its way from reply to store. */
struct ves_page;

/* First sequence to ask for: cursor + 1; while diverged the cursor itself, so
 * that the answer proves whether the sequencer has its history back. */
VES_NODISCARD enum ves_status ves_core_pull_from(struct ves_agent_core *core,
                                                 uint64_t *from);

/* Reads a page (B.4 with receipts=1 and checkpoint=1), hashes and collects
 * signatures; touches the store only to look up keys.  *needs_keys: an unknown
 * agent or sequencer key was met: fetch both directories, give them to
 * ves_core_keys and ves_core_sequencer_keys, read the page again; a page
 * applied all the same stops before that event.  VES_MALFORMED: not a page at
 * all.  reply is copied. */
VES_NODISCARD enum ves_status ves_core_page_read(struct ves_agent_core *core,
                                                 struct ves_bytes reply,
                                                 uint64_t asked_from,
                                                 struct ves_page **page,
                                                 bool *needs_keys);
/* Whose key is missing, when it is an agent's; false: it is not. */
bool ves_page_stranger(const struct ves_page *page, struct ves_uuid *agent);
/* Verifies all signatures and receipts; no store, may take long. */
void ves_core_page_verify(struct ves_agent_core *core, struct ves_page *page);

struct ves_pull_result {
    uint64_t received, applied, already_applied, quarantined, conflicts;
    uint64_t cursor, remote_head;
    bool has_more;
    bool is_position_unproven;     /* the server gave no receipts */
    struct ves_uuid last_event_id; /* nil when none */
    /* A gap stopped the last page: the number that was to come, 0 without a
     * gap, and the one that came in its place. */
    uint64_t gap_expected, gap_received;
};

/* Applies what verified, in order, in one transaction, and moves the cursor
 * with it.  Stops before the first event that did not verify:
 *  - proven falsehood (bad signature, hash, receipt, key not valid at that
 *    sequence, other stream): bytes to quarantine, alert; VES_REFUSED;
 *  - gap, cut page or unknown key: VES_AGAIN, nothing recorded but the trail;
 *  - a signed head of the log that is false, is not that of these events, or
 *    contradicts one verified before: VES_REFUSED, and nothing of the page is
 *    applied (agent_log.c);
 *  - the sequencer's head is below the cursor: VES_DIVERGED, an alert;
 *  - a number that is in the log already with another event: VES_REFUSED,
 *    both kept as evidence.
 * What was applied before it stays applied.  An atomic group is applied in one
 * transaction as long as it fits a page.  Adds to *result. */
VES_NODISCARD enum ves_status
ves_core_page_apply(struct ves_agent_core *core, struct ves_page *page,
                    int64_t now_ms, struct ves_pull_result *result);
void ves_page_free(struct ves_page *page);

/* ---- evidence --------------------------------------------------------------
 *
 * A head that is well signed and not of the log this store knows.  What shows
 * that somebody lies is asked from the log itself (protocol of doc/http.md, the
 * provable log), and is called evidence only when ves_verify proves it with the
 * log's key alone; then it is an alert, too, with the file as its body. */

/* Was the page refused for such a head?  Its note, in the page. */
bool ves_page_is_disputed(const struct ves_page *page, struct ves_bytes *head);
/* Numbers of the page's events that lie in its head; false: none. */
bool ves_page_range(const struct ves_page *page, uint64_t *first, uint64_t *end,
                    uint64_t *size);

/* The note of the page's head, in the page; false: it has none that is well
 * signed. */
bool ves_page_signed_head(const struct ves_page *page, struct ves_bytes *head);
/* Does the head verified here lie beyond what was pulled, and theirs has
 * another size?  Then nothing has shown yet that they are of one history. */
VES_NODISCARD enum ves_status ves_core_apart(struct ves_agent_core *core,
                                             struct ves_bytes theirs,
                                             bool *is_apart);

/* The inclusion of which number, in which size, shows whether the head theirs
 * and the one verified here are of one history.  The size is theirs, or, where
 * this store has not pulled up to its own, the larger one.  VES_NOT_FOUND:
 * nothing was verified that it could be compared with; VES_REFUSED: it is not
 * signed by the log. */
VES_NODISCARD enum ves_status ves_core_dispute(struct ves_agent_core *core,
                                               struct ves_bytes theirs,
                                               uint64_t *size,
                                               uint64_t *common);
/* Evidence of two histories from the answer about that inclusion, appended to
 * out.  VES_NOT_FOUND: they are one; VES_REFUSED: it proves nothing. */
VES_NODISCARD enum ves_status
ves_core_fork_evidence(struct ves_agent_core *core, struct ves_bytes theirs,
                       struct ves_bytes inclusion, int64_t now_ms,
                       struct ves_buf *out);
/* Both signed heads, appended to out in the form of evidence: two promises of
 * which the log did not show that they are one.  ves_verify finds them signed
 * and the contradiction NOT PROVEN, for both can be honest.  An alert keeps it
 * until the events have passed both. */
VES_NODISCARD enum ves_status
ves_core_apart_evidence(struct ves_agent_core *core, struct ves_bytes theirs,
                        int64_t now_ms, struct ves_buf *out);
/* Does a bundle of entries, those from number first on, differ from the page's
 * events that have receipts?  *sequence: the first that does. */
bool ves_page_differs(const struct ves_page *page, struct ves_bytes entries,
                      uint64_t first, uint64_t *sequence);
/* Evidence that the receipt of the page's event of that number was not kept:
 * the log's entry there, and the answer about its inclusion in the page's
 * head. */
VES_NODISCARD enum ves_status
ves_core_receipt_evidence(struct ves_agent_core *core,
                          const struct ves_page *page, uint64_t sequence,
                          struct ves_bytes entry, struct ves_bytes inclusion,
                          int64_t now_ms, struct ves_buf *out);
/* Was the page refused because its event of that number is not the one that a
 * receipt of this store promised?  size: of its head, 0 without one. */
bool ves_page_breaks(const struct ves_page *page, uint64_t *sequence,
                     uint64_t *size);
/* Evidence of it from the answer about that number's inclusion in the page's
 * head.  VES_NOT_FOUND: there is none; the page's own receipt for the other
 * event is (ves_core_rival_evidence). */
VES_NODISCARD enum ves_status ves_core_promise_evidence(
    struct ves_agent_core *core, const struct ves_page *page,
    struct ves_bytes inclusion, int64_t now_ms, struct ves_buf *out);

/* Evidence from an answer of GET /api/v1/ves/events, whatever became of it as a
 * page: of its events that have receipts, the first that stands where this
 * store's log or outbox has another one, or in two places, which a receipt or
 * the head that is here proves.  VES_NOT_FOUND: there is none. */
VES_NODISCARD enum ves_status
ves_core_rival_evidence(struct ves_agent_core *core, struct ves_bytes reply,
                        int64_t now_ms, struct ves_buf *out);
/* All of a page, as it came. */
struct ves_bytes ves_page_text(const struct ves_page *page);
/* The newest evidence that an open alert keeps.  VES_NOT_FOUND: none. */
VES_NODISCARD enum ves_status
ves_core_kept_evidence(struct ves_agent_core *core, struct ves_buf *out);

/* The epoch of the log that is followed (ADR 0024); 0 before the first. */
VES_NODISCARD enum ves_status ves_core_epoch(struct ves_agent_core *core,
                                             uint64_t *number);
/* A page, read and verified, that holds only the event which opened an epoch:
 * does this store have more of the log than it goes on from?  Then it stops,
 * VES_DIVERGED with words, and an alert keeps the event.  VES_NOT_FOUND: not
 * so. */
VES_NODISCARD enum ves_status ves_core_epoch_beyond(struct ves_agent_core *core,
                                                    struct ves_page *page,
                                                    int64_t now_ms);

/* What going on with an epoch means to a store that has more of the log than it
 * goes on from. */
struct ves_core_given_up {
    uint64_t epoch;        /* its number */
    uint64_t common;       /* the last number that is left */
    uint64_t cursor;       /* the last one that this store had */
    uint64_t others, own;  /* events of the log that are moved aside */
    uint64_t again;        /* own events that are sent again */
    uint64_t signed_again; /* own events that were signed anew for it */
    bool is_rotated_again; /* the key's rotation is asked for again */
    bool needs_key;        /* its registration was given up */
};

/* By its owner's word alone: goes back to the last common head of the epoch
 * whose opening page holds (as for ves_core_epoch_beyond), so that the next
 * pull goes on with it.  What was given up moves out of the log and is kept
 * (given_up_read of port/store.h); own events of it wait to be sent again,
 * under their ids, signed anew where they say that they have seen what was
 * given up; state, conflicts and keys become what they were at the common head.
 * In one transaction, or, with dry_run, not at all.  VES_NOT_FOUND: nothing
 * here is beyond it, and nothing was changed.  VES_UNSUPPORTED: the log was
 * pruned. VES_DIVERGED: a copied store. */
VES_NODISCARD enum ves_status
ves_core_epoch_follow(struct ves_agent_core *core, struct ves_page *page,
                      int64_t now_ms, bool dry_run,
                      struct ves_core_given_up *out);

/* The largest signed head of the log that this store verified, a note with
 * all its lines; "" when none.  In arena. */
VES_NODISCARD enum ves_status ves_core_known_head(struct ves_agent_core *core,
                                                  struct ves_arena *arena,
                                                  struct ves_bytes *note);

/* Takes a key directory (H shape, or A.10), verified against the pinned
 * sequencer keys.  A key that was known may gain an end, never change: else
 * VES_REFUSED and an alert.  First sight pins. */
VES_NODISCARD enum ves_status ves_core_keys(struct ves_agent_core *core,
                                            struct ves_bytes reply,
                                            int64_t now_ms);

/* Takes an agent's key on its caller's word, as good from the stream's first
 * number on: where the sequencer is of another implementation and keeps no
 * directory.  VES_REFUSED: another one is pinned under that number. */
VES_NODISCARD enum ves_status
ves_core_trust_key(struct ves_agent_core *core, const struct ves_uuid *agent,
                   uint32_t key_id, const struct ves_public_key *key,
                   int64_t now_ms);

/* Takes `GET /api/v1/ves/sequencer-keys`: a new version is accepted only with
 * a statement signed by its predecessor (D18). */
VES_NODISCARD enum ves_status
ves_core_sequencer_keys(struct ves_agent_core *core, struct ves_bytes reply,
                        int64_t now_ms);

/* Keeps what the sequencer showed of a part of the log (core/part.h) and what
 * is wrong with it as an alert, "part_invalid"; bytes above 32 MiB are not
 * kept. */
VES_NODISCARD enum ves_status ves_core_part_refused(struct ves_agent_core *core,
                                                    const char *words,
                                                    struct ves_bytes shown,
                                                    int64_t now_ms);

/* What became of an own event, beside its status, where that is not the
 * verdict's name.  The first is of an event that a sequencer refused because
 * its base was stale; a person makes it one of the next two, with status
 * `failed`, and it is never sent again.  The others are of events whose
 * conflict is closed. */
#define VES_DISPOSITION_REFUSED    "version_conflict"
#define VES_DISPOSITION_REISSUED   "reissued"
#define VES_DISPOSITION_OVERRIDDEN "overridden"
/* Refused for another reason; a person has looked into it, and it no longer
 * counts as undelivered. */
#define VES_DISPOSITION_SETTLED "settled"
#define VES_DISPOSITION_REBASED "rebased"
#define VES_DISPOSITION_MERGED  "merged"

/* ---- acknowledge ----------------------------------------------------------
 */

struct ves_ack_problem {
    struct ves_uuid event_id;
    char reason[160];
};

struct ves_ack_result {
    uint64_t acknowledged, already_synced, not_acknowledged;
    struct ves_ack_problem problems[16];
    size_t problem_count;
};

/* Moves events to synced that have a verified receipt and a known verdict:
 * those named, or all (ids NULL).  Each receipt is verified again.  *result is
 * added to: the caller clears it. */
VES_NODISCARD enum ves_status
ves_core_acknowledge(struct ves_agent_core *core, const struct ves_uuid *ids,
                     size_t count, int64_t now_ms,
                     struct ves_ack_result *result);

/* Failed events back to pending: those named, or all; what a refusal took out
 * of the overlay returns to it.  *retried: how many; named events that did not
 * fail are passed over, one that is not there is VES_NOT_FOUND. */
VES_NODISCARD enum ves_status ves_core_retry(struct ves_agent_core *core,
                                             const struct ves_uuid *ids,
                                             size_t count, int64_t now_ms,
                                             uint64_t *retried);

/* Settles the open alert with that number, and what is in quarantine under its
 * code and sequence number, because a person looked into it: those that no
 * later answer of the sequencer settles stay open until then.  why, 1 to 500
 * bytes of UTF-8, goes into the trail.  Nothing that caused it is forgotten:
 * the same falsehood met again is a new alert.  VES_NOT_FOUND: no such alert,
 * VES_CONFLICT: it is settled already, VES_INVALID: why. */
VES_NODISCARD enum ves_status ves_core_settle(struct ves_agent_core *core,
                                              uint64_t alert_no,
                                              struct ves_bytes why,
                                              int64_t now_ms);

/* An own event that a sequencer refused, with its signature, stays refused:
 * nobody has to look at it any more, and it is never sent again.  It and the
 * refusal are kept.  why as above.  VES_NOT_FOUND: no such event in the outbox,
 * VES_CONFLICT: it was decided or settled already, VES_INVALID: why, or it was
 * not refused. */
VES_NODISCARD enum ves_status
ves_core_settle_refused(struct ves_agent_core *core,
                        const struct ves_uuid *event_id, struct ves_bytes why,
                        int64_t now_ms);

/* ---- views ----------------------------------------------------------------
 */

/* How final events here are (verifiability.md 3.2), by sequence number: each is
 * at most the cursor, since a head proves nothing about events that are not
 * here. */
struct ves_core_finality {
    uint64_t logged;     /* up to it, a verified signed head covers them */
    uint64_t witnessed;  /* ... and a quorum cosigned one */
    uint64_t epoch;      /* of the log (ADR 0024); 0 before the first */
    int64_t verified_ms; /* when the newest head was verified; 0: never */
};

VES_NODISCARD enum ves_status ves_core_finality(struct ves_agent_core *core,
                                                struct ves_core_finality *out);
/* "received" (a signed receipt), "logged" or "witnessed"; NULL: none of them,
 * also of number 0. */
const char *ves_finality_name(const struct ves_core_finality *finality,
                              uint64_t sequence, bool has_receipt);

struct ves_core_status {
    struct ves_core_finality finality;
    uint64_t counts[VES_OUTBOX_STATUSES];
    uint64_t cursor, remote_head, last_pushed; /* sequence numbers */
    uint64_t signature_failures;               /* open alerts of that kind */
    uint64_t open_alerts;                      /* of every kind */
    uint64_t quarantined;                      /* open */
    int64_t oldest_pending_ms, last_push_ms, last_pull_ms; /* 0: never */
    struct ves_uuid last_pulled_event_id;
    bool is_diverged, is_copied, needs_auth, is_position_unproven;
    bool is_epoch_new;         /* the log goes on without what was lost, and
                                  nobody has looked at it yet */
    bool is_beyond_epoch;      /* ... and this store has some of that */
    bool is_forbidden;         /* the last push was answered 403 */
    bool is_restoring;         /* own events are being taken back: pull on */
    bool has_taken_back;       /* own events, ever: this store was restored */
    bool is_breaker_open;      /* five failures in a minute: probes only */
    uint32_t offline_failures; /* consecutive */
    int64_t next_attempt_ms;
    uint64_t unknown_schema_at; /* first applied event whose rule this program
                                   lacks: there is no state hash; 0: none */
    struct ves_hash state_hash;
    uint64_t at_sequence;
    uint32_t fold_version;
};

/* Own events that failed, whenever that was, and about which nobody has decided
 * since: as far as this store knows the log has none of them. */
struct ves_undelivered {
    uint64_t events;
    uint64_t refused; /* ... of these, with a signature: no push takes them up
                         again by itself */
};
/* failed: how many there are, decided ones too, as the outbox counts them. */
VES_NODISCARD enum ves_status ves_core_undelivered(struct ves_agent_core *core,
                                                   uint64_t failed,
                                                   struct ves_undelivered *out);

VES_NODISCARD enum ves_status ves_core_status(struct ves_agent_core *core,
                                              struct ves_core_status *out);
/* The same without state_hash and at_sequence, which are a root over every
 * bucket of states: nearly all of the work. */
VES_NODISCARD enum ves_status ves_core_standing(struct ves_agent_core *core,
                                                struct ves_core_status *out);

/* The sequencer says that it has not the signed head this store verified: an
 * alert, and pushing stops until a pull shows that it has its history back. */
VES_NODISCARD enum ves_status ves_core_behind(struct ves_agent_core *core,
                                              int64_t now_ms);
/* ---- who vouches for the log (agent_witness.c) ----------------------------
 */

/* What counts as witnessed from now on: a tlog-policy, "" for nothing.
 * VES_MALFORMED ... of ves_policy_read.  A transaction of its own. */
VES_NODISCARD enum ves_status ves_core_set_policy(struct ves_agent_core *core,
                                                  struct ves_bytes text);

struct ves_core_witnessing {
    struct ves_bytes policy_text; /* "" none; in the arena, as policy */
    struct ves_policy *policy;    /* NULL: none */
    struct ves_policy_word words[VES_POLICY_ITEMS_MAX]; /* of its witnesses */
    struct ves_policy_reach reach;
    struct ves_bytes origin;    /* the log's name; "" not known yet */
    uint64_t logged, witnessed; /* sizes; 0: none */
    struct ves_policy_word own; /* this store's newest cosignature */
};

VES_NODISCARD enum ves_status
ves_core_witnessing(struct ves_agent_core *core, struct ves_arena *arena,
                    struct ves_core_witnessing *out);

/* The newest head of that size or more that by itself satisfies this store's
 * policy, with the lines that do, in the arena; "" when there is none, or no
 * policy. */
VES_NODISCARD enum ves_status
ves_core_witnessed_head(struct ves_agent_core *core, uint64_t at_least,
                        struct ves_arena *arena, struct ves_bytes *note);
/* Does this note, of a log that is checked elsewhere, satisfy the policy?
 * false without a policy. */
VES_NODISCARD enum ves_status ves_core_is_witnessed(struct ves_agent_core *core,
                                                    struct ves_arena *arena,
                                                    struct ves_bytes note,
                                                    bool *is_met);

/* This store's word on the largest head it verified. */
struct ves_core_cosignature {
    struct ves_buf note; /* the head, the log's lines and ours; "" when there
                            is nothing new to say.  The caller's to free */
    uint64_t size, time_s;
};

/* Makes it; needs the signer.  Says the same head again after an hour. */
VES_NODISCARD enum ves_status ves_core_cosign(struct ves_agent_core *core,
                                              int64_t now_ms,
                                              struct ves_core_cosignature *out);
/* It was sent; a transaction of its own. */
VES_NODISCARD enum ves_status
ves_core_cosigned(struct ves_agent_core *core,
                  const struct ves_core_cosignature *sent);

/* Keeps a head the sequencer told, for status; a lower one than known is
 * ignored.  Makes a transaction of its own. */
VES_NODISCARD enum ves_status ves_core_note_head(struct ves_agent_core *core,
                                                 uint64_t remote_head);

/* Root over all entity states at the cursor (decision 14); recomputes dirty
 * buckets and, when a transaction can be had, stores them.  VES_UNSUPPORTED
 * when an applied event names a rule that this program lacks (decision 5). */
VES_NODISCARD enum ves_status ves_core_state_hash(struct ves_agent_core *core,
                                                  struct ves_hash *out);

struct ves_core_entity {
    bool is_found;
    struct ves_bytes state;       /* sequenced, canonical JSON or "" */
    struct ves_bytes local_state; /* with own events above the cursor */
    uint64_t version, own_count;
    struct ves_hash head;
    struct ves_hash state_hash;
};

/* The entity as this store sees it; views are in the arena. */
VES_NODISCARD enum ves_status ves_core_entity(struct ves_agent_core *core,
                                              struct ves_bytes entity_type,
                                              struct ves_bytes entity_id,
                                              struct ves_arena *arena,
                                              struct ves_core_entity *out);

/* Folds and judges the whole log again; one transaction. */
VES_NODISCARD enum ves_status ves_core_refold(struct ves_agent_core *core);

/* Empties the bodies of log rows [from, *below), which were pruned up to from
 * before; what they did stays with the rows, for the judge.  *below moves down
 * to the first event that waits, or is in an open conflict, or in a group whose
 * end is missing.  Inside an open transaction.  *count: how many. */
VES_NODISCARD enum ves_status ves_core_prune(struct ves_agent_core *core,
                                             uint64_t from, uint64_t *below,
                                             uint64_t *count);

/* Adds a line to the trail; opens a transaction when none is open. */
VES_NODISCARD enum ves_status ves_core_trail(struct ves_agent_core *core,
                                             int64_t now_ms, const char *code,
                                             const char *detail_json);

#endif
