/* ves/agent.h -- a local store and the agent that signs in it.
 *
 * Everything here works without a network.  A store is one SQLite file that
 * may be the application's own database: all tables of VES begin with "ves_",
 * and nothing else in it may, nor be tied to one of them (an index, a trigger);
 * opening it is VES_CORRUPT then, for it could run whenever the store is used.
 * The agent's secret key lies beside it, in FILE.key (0600), its credential in
 * FILE.credential, never inside it.
 *
 * Every function that takes a struct ves_error may be given NULL.  On any
 * status but VES_OK nothing was changed unless the function says otherwise.
 */
#ifndef VES_AGENT_H
#define VES_AGENT_H

#include "ves/json.h"
#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;
struct ves_agent;

/* ---- opening --------------------------------------------------------------
 */

struct ves_agent_options {
    const char *path;           /* the SQLite file */
    struct sqlite3 *connection; /* caller's own connection to that file, or
                                   NULL: the agent opens one */
    bool is_read_only;          /* views only; the key is not read */
    bool allow_relaxed_sync;    /* append although the connection is below
                                   synchronous=FULL, or its journal is not on
                                   disk (journal_mode OFF, MEMORY) */
    /* Asked for the passphrase of a sealed key; writes at most size bytes and
     * returns the length, or -1.  NULL: sealed keys cannot be opened. */
    int (*passphrase)(void *ctx, char *out, size_t size);
    void *passphrase_ctx;
};

/* Opens an existing store (made by ves_join, ves/sync.h, or ves_agent_create).
 * VES_NOT_FOUND: no VES store in that file.  With options->connection the
 * connection stays the caller's and must outlive the agent.  A missing key
 * file is an error only when something is to be signed. */
VES_API VES_NODISCARD enum ves_status
ves_agent_open(const struct ves_agent_options *options, struct ves_agent **out,
               struct ves_error *error);
/* Frees the handle and wipes its secret; NULL allowed. */
VES_API void ves_agent_close(struct ves_agent *agent);

/* A store that was never invited anywhere, with ids of its own choice; it
 * appends and can be joined to a sequencer later only if that sequencer
 * accepts its stream.  For tests, benchmarks and embedders with their own
 * provisioning.  sequencer_key and owner_key may be NULL. */
struct ves_agent_identity {
    struct ves_stream stream;
    struct ves_uuid agent; /* nil: a fresh one */
    uint32_t key_id;       /* 0 means 1 */
    struct ves_uuid sequencer_id;
    const struct ves_public_key *sequencer_key; /* version 1, pinned */
    const struct ves_public_key *owner_key;     /* of the stream, pinned */
    const char *url;                            /* may be NULL */
    const char *credential;                     /* API key, may be NULL */
};
VES_API VES_NODISCARD enum ves_status
ves_agent_create(const struct ves_agent_options *options,
                 const struct ves_agent_identity *identity,
                 struct ves_agent **out, struct ves_error *error);

/* Takes another agent's key on the caller's word, as good from the stream's
 * first event on: for a store that was created, of a sequencer that keeps no
 * directory of keys.  VES_INVALID: it is no key, or the store was joined and
 * has a directory; VES_REFUSED: it has another key of that agent and number,
 * and nothing was changed. */
VES_API VES_NODISCARD enum ves_status
ves_agent_trust_key(struct ves_agent *agent, const struct ves_uuid *who,
                    uint32_t key_id, const struct ves_public_key *key,
                    struct ves_error *error);

/* Who and where; views live as long as the agent. */
struct ves_agent_info {
    struct ves_stream stream;
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_public_key public_key; /* zeros when the key was not read */
    struct ves_uuid sequencer_id;
    const char *url; /* "" when none */
    const char *path;
};
VES_API void ves_agent_info(const struct ves_agent *agent,
                            struct ves_agent_info *out);

/* ---- appending ------------------------------------------------------------
 */

struct ves_append {
    const char *type;                  /* "order.created" */
    const char *aggregate_id;          /* the entity's id, "ORD-1" */
    struct ves_bytes payload;          /* JSON object */
    const struct ves_uuid *event_id;   /* NULL: a fresh UUIDv7 */
    const struct ves_uuid *command_id; /* NULL: none */
    uint32_t cmd_index; /* place in an atomic group of cmd_count events that */
    uint32_t cmd_count; /* share command_id; 0: no group */
    bool has_base_version;
    uint64_t base_version;       /* else what this store knows */
    const struct ves_uuid *deps; /* ids of events this intent waits for */
    size_t dep_count;
};

/* Signs an event and puts it in the outbox, inside the transaction that is
 * open on the connection; without one it makes its own.  Commit makes the
 * business rows and the event true together, rollback removes both.
 * VES_INVALID/MALFORMED/LIMIT: the text names member and rule.  What is refused
 * leaves the transaction open.  When the disk, the memory, an interrupt or a
 * trigger, limit or authorizer of the application's breaks it in the middle of
 * writing (VES_IO, VES_NOMEM, VES_BUSY, VES_AGAIN, VES_CONFLICT, VES_LIMIT),
 * the transaction around it is rolled back as a whole, as SQLite does: the text
 * begins with that and sqlite3_get_autocommit() tells.
 * Do not roll back to a savepoint of your own when the transaction outgrew the
 * connection's cache: SQLite up to 3.45 at least loses in a crash what is
 * committed after that.  PRAGMA cache_spill = OFF, or SQLite 3.53.4, avoids it
 * (doc/extension.md).
 * It writes rows of its own on the connection: read sqlite3_last_insert_rowid()
 * and sqlite3_changes() of a business row before the call, not after it. */
VES_API VES_NODISCARD enum ves_status ves_append(struct ves_agent *agent,
                                                 const struct ves_append *what,
                                                 struct ves_uuid *event_id,
                                                 struct ves_error *error);

/* UUIDv8 of (stream, agent, format, event type, number, ordinal): the id an
 * import gives, so that importing twice adds nothing. */
VES_API void ves_import_id(const struct ves_agent *agent, const char *format,
                           const char *event_type, const char *number,
                           uint64_t ordinal, struct ves_uuid *out);

/* Is an event with this id in the outbox or in the log? */
VES_API VES_NODISCARD enum ves_status
ves_agent_has_event(struct ves_agent *agent, const struct ves_uuid *event_id,
                    bool *is_there, struct ves_error *error);

/* Opens and ends a transaction on the agent's own connection, for many
 * appends at once.  Not with a caller's connection. */
VES_API VES_NODISCARD enum ves_status ves_agent_begin(struct ves_agent *agent,
                                                      struct ves_error *error);
VES_API VES_NODISCARD enum ves_status ves_agent_commit(struct ves_agent *agent,
                                                       struct ves_error *error);
VES_API void ves_agent_rollback(struct ves_agent *agent);

/* ---- looking around -------------------------------------------------------
 * Each writes one JSON document (field names as in ves(1)) into jw, and the
 * command line, the extension and agents all show that document. */

/* {health ("healthy", "pending_work": events to push or pull, "attention": a
 * person is needed, "offline"), summary,
 * counts{pending,syncing,synced,failed,conflict}, conflictsByType,
 * undelivered (failed, and nobody has decided about them), refused (of these,
 * with a signature: no push takes them up again by itself), followUps,
 * oldestPendingAt, lastPushAt, lastPullAt, lastPulledEventId,
 * sequence{lastPushed,lastPulled,remoteHead,lag,gap}, finality{logged,
 * witnessed (up to that number a verified head of the log, or one that
 * witnesses cosigned, covers the events here), epoch, verifiedAt}, stateHash
 * (null with unknownSchemaAt: that event names a rule this program lacks),
 * stateAtSequence, foldVersion, signatureFailures, quarantined, sequencer{...},
 * reasons[], nextSteps[]} */
VES_API VES_NODISCARD enum ves_status ves_agent_status(struct ves_agent *agent,
                                                       struct ves_jw *jw,
                                                       struct ves_error *error);
/* The same without stateHash and stateAtSequence, which are nearly all of the
 * work: for who asks often. */
VES_API VES_NODISCARD enum ves_status
ves_agent_standing(struct ves_agent *agent, struct ves_jw *jw,
                   struct ves_error *error);

/* What asking the sequencer showed. */
struct ves_contact {
    int64_t at_ms; /* 0: it was not asked */
    bool is_reachable;
    uint64_t head;   /* sequence number of its newest event; 0: not told */
    uint32_t wait_s; /* it is busy and wants to be left alone for so long */
    bool is_refused; /* it does not accept this store's credential */
};
/* Status documents of this handle say so from now on, unless the store knows
 * of a later contact.  Writes nothing. */
VES_API void ves_agent_know(struct ves_agent *agent,
                            const struct ves_contact *contact);

/* status: "pending" ... or NULL for all; {events:[{eventId, type, aggregateId,
 * status, timestamp, localSequence, sequenceNumber?, finality? ("received",
 * "logged", "witnessed"), attempts, error?,
 * disposition?}], total} newest last. */
VES_API VES_NODISCARD enum ves_status
ves_agent_outbox(struct ves_agent *agent, const char *status, uint32_t limit,
                 uint64_t after_local_sequence, struct ves_jw *jw,
                 struct ves_error *error);

/* The same with more to choose by; NULL and 0: any.  With type or
 * aggregate_id every row of that status is read, and total counts those that
 * match. */
struct ves_outbox_query {
    const char *status;
    const char *type;         /* "order.updated" */
    const char *aggregate_id; /* "ORD-1" */
    uint32_t limit;
    uint64_t after_local_sequence;
};
VES_API VES_NODISCARD enum ves_status
ves_agent_outbox_find(struct ves_agent *agent,
                      const struct ves_outbox_query *query, struct ves_jw *jw,
                      struct ves_error *error);

/* One event of the outbox or the log, in the short form with its status,
 * envelope, receipt, verdict.  VES_NOT_FOUND. */
VES_API VES_NODISCARD enum ves_status
ves_agent_show(struct ves_agent *agent, const struct ves_uuid *event_id,
               struct ves_jw *jw, struct ves_error *error);

/* Why an event is where it is: {eventId, status, explanation, nextSteps[]},
 * plain words. */
VES_API VES_NODISCARD enum ves_status
ves_agent_why(struct ves_agent *agent, const struct ves_uuid *event_id,
              struct ves_jw *jw, struct ves_error *error);

/* {entityType, entityId, version, head, state, localState, pending,
 * followUps[{name, entity{type, id}, quantity? or amountMinor?, explanation}]
 * (what the sequenced state asks somebody to look at, such as
 * inventory.oversold)} */
VES_API VES_NODISCARD enum ves_status ves_agent_entity(struct ves_agent *agent,
                                                       const char *entity_type,
                                                       const char *entity_id,
                                                       struct ves_jw *jw,
                                                       struct ves_error *error);

/* The stream from a sequence: {events:[...], head, cursor}. */
VES_API VES_NODISCARD enum ves_status
ves_agent_log(struct ves_agent *agent, uint64_t from, uint32_t limit,
              struct ves_jw *jw, struct ves_error *error);
/* The record of operations, newest first. */
VES_API VES_NODISCARD enum ves_status ves_agent_trail(struct ves_agent *agent,
                                                      uint32_t limit,
                                                      struct ves_jw *jw,
                                                      struct ves_error *error);
VES_API VES_NODISCARD enum ves_status
ves_agent_quarantine(struct ves_agent *agent, uint32_t limit, struct ves_jw *jw,
                     struct ves_error *error);
/* Settles the open alert with that number (ves_agent_quarantine lists them),
 * and what is kept under its code and sequence number, because a person looked
 * into it; why (1 to 500 bytes, UTF-8) goes into the trail.  Met again, the
 * same falsehood is a new alert.  VES_NOT_FOUND, VES_CONFLICT (settled
 * already), VES_INVALID (why). */
VES_API VES_NODISCARD enum ves_status ves_agent_settle(struct ves_agent *agent,
                                                       uint64_t alert,
                                                       const char *why,
                                                       struct ves_error *error);
/* The same of an own event that a sequencer refused: it no longer counts as
 * failed in health and in the end of a sync.  It, and the signed refusal, are
 * kept.  VES_NOT_FOUND, VES_CONFLICT (decided or settled already), VES_INVALID
 * (why; or it was not refused, and may still get there). */
VES_API VES_NODISCARD enum ves_status
ves_agent_settle_event(struct ves_agent *agent, const struct ves_uuid *event_id,
                       const char *why, struct ves_error *error);
/* Own key and the keys of others as this store knows them. */
VES_API VES_NODISCARD enum ves_status ves_agent_keys(struct ves_agent *agent,
                                                     struct ves_jw *jw,
                                                     struct ves_error *error);
/* How far the log is witnessed, who vouches for it, and the keys of the log and
 * of the stores as policies name them. */
VES_API VES_NODISCARD enum ves_status
ves_agent_witnesses(struct ves_agent *agent, struct ves_jw *jw,
                    struct ves_error *error);
/* Who must vouch for the log so that it counts as witnessed: a tlog-policy of
 * C2SP; len 0: nobody is asked for.  VES_MALFORMED, VES_INVALID (a policy for
 * other logs): nothing was changed. */
VES_API VES_NODISCARD enum ves_status
ves_agent_set_policy(struct ves_agent *agent, const char *text, size_t len,
                     struct ves_error *error);
/* Checks the store against itself: rows, counts, chains, hashes, signatures
 * of own events, permissions of key files; {ok, checks:[{name, ok, detail}]}.
 * The check "sqlite" is always ok, and tells what an application's own
 * savepoints may cost with this process's SQLite.
 */
VES_API VES_NODISCARD enum ves_status ves_agent_doctor(struct ves_agent *agent,
                                                       struct ves_jw *jw,
                                                       bool *is_healthy,
                                                       struct ves_error *error);

/* ---- settings -------------------------------------------------------------
 * autoSync, syncIntervalMs, batchSize, maxRetries, retryBaseDelayMs,
 * retryMaxDelayMs, conflictStrategy, outboxRetentionDays: stored in the file;
 * {settings:{...}, sources:{name: "default"|"file"|"environment"|"flag"}}. */
VES_API VES_NODISCARD enum ves_status
ves_agent_settings(struct ves_agent *agent, struct ves_jw *jw,
                   struct ves_error *error);
VES_API VES_NODISCARD enum ves_status ves_agent_set(struct ves_agent *agent,
                                                    const char *name,
                                                    const char *value,
                                                    struct ves_error *error);
/* Several at once or none of them: delays are checked as they will be
 * together.  *version is the settings' version as it was read; VES_CONFLICT
 * when it is another one now; the new one afterwards.  dry_run: only checks. */
struct ves_setting_change {
    const char *name;
    const char *value;
};
VES_API VES_NODISCARD enum ves_status
ves_agent_set_all(struct ves_agent *agent,
                  const struct ves_setting_change *changes, size_t count,
                  uint64_t *version, bool dry_run, struct ves_error *error);
/* Number settings with environment over file over default. */
VES_API uint64_t ves_agent_setting(struct ves_agent *agent, const char *name);

/* ---- keeping house --------------------------------------------------------
 */

/* Failed events back to pending: one, or all when event_id is NULL. */
VES_API VES_NODISCARD enum ves_status
ves_agent_retry(struct ves_agent *agent, const struct ves_uuid *event_id,
                uint64_t *retried, struct ves_error *error);

struct ves_ack_report {
    uint64_t acknowledged, already_synced, not_acknowledged;
    struct ves_uuid problem_ids[16]; /* the first so many not acknowledged */
    char problem_reasons[16][160];
    size_t problem_count;
};

/* Moves events with a verified receipt and a known verdict to synced: those
 * named, or all (ids NULL). */
VES_API VES_NODISCARD enum ves_status
ves_acknowledge(struct ves_agent *agent, const struct ves_uuid *ids,
                size_t count, struct ves_ack_report *report,
                struct ves_error *error);

/* A consistent copy while others write; refuses to overwrite; the key file is
 * not copied (a copy that signs would fork the agent's chain). */
/* Writes what epochs of the log gave up and this store had to a new file: a
 * line of JSON an event, {epoch, sequence_number, event, receipt}, event as it
 * was signed, receipt null where there is none.  *count: how many.  With path
 * NULL only counts.  VES_CONFLICT: something has that name. */
VES_API VES_NODISCARD enum ves_status
ves_agent_given_up(struct ves_agent *agent, const char *path, uint64_t *count,
                   struct ves_error *error);

VES_API VES_NODISCARD enum ves_status ves_agent_backup(struct ves_agent *agent,
                                                       const char *path,
                                                       struct ves_error *error);

/* Drops bodies of rows synced more than days ago (and of the log below the
 * cursor, when that old), never hashes and receipts. */
VES_API VES_NODISCARD enum ves_status ves_agent_prune(struct ves_agent *agent,
                                                      uint64_t days,
                                                      uint64_t *pruned,
                                                      struct ves_error *error);

/* Adds a line to the record of operations: code is a short word, detail a JSON
 * object without payload text. */
VES_API VES_NODISCARD enum ves_status ves_agent_note(struct ves_agent *agent,
                                                     const char *code,
                                                     const char *detail,
                                                     struct ves_error *error);

/* 32 bytes that only the holder of this agent's key can make, for one purpose
 * (a short name), the same each time.  Reads the key. */
VES_API VES_NODISCARD enum ves_status ves_agent_derive(struct ves_agent *agent,
                                                       const char *purpose,
                                                       uint8_t out[32],
                                                       struct ves_error *error);

/* Root over all entity states at the cursor.  VES_UNSUPPORTED when an event
 * names a rule that this program lacks. */
VES_API VES_NODISCARD enum ves_status
ves_agent_state_hash(struct ves_agent *agent, struct ves_hash *out,
                     uint64_t *at_sequence, struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
