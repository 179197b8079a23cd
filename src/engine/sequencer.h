/* sequencer.h -- gives authentic events their place in a stream.
 *
 * A request goes through read (cut into events, checks of the whole request),
 * prepare (parse, canonicalise, hash, key, signature; in parallel, touches no
 * store), commit (one writer; many requests in one durable transaction:
 * duplicates, key validity by sequence, verdict, number, receipt, append) and
 * answer.  Invariants:
 *
 *  S1  Sequence numbers of a stream are 1, 2, 3 ... without gaps; only stored
 *      events consume numbers, in the transaction that stores them.
 *  S2  The new events of one request get one contiguous range.
 *  S3  An event id names one event for ever: the same bytes again get the
 *      original receipt, other bytes are refused (duplicate_event_id).
 *  S4  No reply leaves before the commit that makes it true is durable.
 *  S5  Every refusal is signed and its bytes are kept.
 *  S6  The tree over a stream's events (engine/log_tree.h) moves with them; a
 *      frozen stream takes none.
 */
#ifndef VES_ENGINE_SEQUENCER_H
#define VES_ENGINE_SEQUENCER_H

#include "core/event.h"
#include "core/judge.h"
#include "core/receipt.h"
#include "port/crypt.h"
#include "port/store.h"

struct ves_sequencer {
    struct ves_store *store;
    struct ves_signer *signer; /* the current receipt key */
    uint32_t key_version;      /* its version, >= 1 */
    struct ves_uuid sequencer_id;
    struct ves_bytes log_host; /* what origins of logs begin with
                                  (core/checkpoint.h) */
    bool require_v2; /* refuse new events of version 1 (protocol.md A.5) */
    const struct ves_alloc *alloc;
    /* Told of a stream that events of the sequencer's own were appended to,
     * after the commit; may be NULL. */
    void (*grown)(void *ctx, const struct ves_stream *stream);
    void *grown_ctx;
};

/* Where prepare finds public keys; answers from memory, thread-safe.  false:
 * not registered for this tenant. */
struct ves_key_source {
    void *ctx;
    bool (*find)(void *ctx, const struct ves_uuid *tenant,
                 const struct ves_uuid *agent, uint32_t key_id,
                 struct ves_public_key *out);
};

enum ves_outcome_kind {
    VES_OUTCOME_NONE,
    VES_OUTCOME_ACCEPTED,
    VES_OUTCOME_REPLAYED,
    VES_OUTCOME_REFUSED
};

/* One event of a request on its way. */
struct ves_ingest_event {
    struct ves_bytes element; /* exactly as received */
    bool is_read;             /* all members of the envelope could be read */
    bool has_fingerprint;     /* and the hashes it claims hold */
    /* Without has_fingerprint only event_id, and only when is_read or
     * refusal.has_event_id.  The trees (payload, payload_encrypted) and
     * payload_jcs are gone after prepare: envelope has their bytes. */
    struct ves_event event;
    struct ves_hash fingerprint;
    size_t payload_len;        /* of the canonical payload */
    struct ves_bytes envelope; /* ves_event_write_open form */
    struct ves_public_key key; /* found by prepare */
    struct ves_entity_name entity;
    struct ves_judge_subject subject; /* while nothing is wrong */
    struct ves_refusal refusal;       /* code NONE while nothing is wrong */
    enum ves_outcome_kind outcome;
    struct ves_receipt receipt;       /* ACCEPTED, REPLAYED */
    struct ves_judgement judgement;   /* ACCEPTED, REPLAYED */
    struct ves_sig refusal_signature; /* REFUSED */
};

/* What the credential that came with a request allows. */
struct ves_caller {
    struct ves_uuid tenant; /* nil with VES_RIGHT_ADMIN: every tenant */
    bool has_store;
    struct ves_uuid store;
    bool has_agent;
    struct ves_uuid agent;
    uint32_t rights; /* VES_RIGHT_* */
};

/* One ingest request.  All views live in its arena or in body, which the
 * caller keeps until ves_ingest_free. */
struct ves_ingest {
    struct ves_arena arena;
    struct ves_bytes body;
    bool is_own;      /* made by the sequencer itself (engine/own_event.h) */
    bool opens_epoch; /* the one that a frozen stream takes */
    struct ves_stream stream;
    struct ves_uuid agent; /* agentId of the request */
    struct ves_ingest_event *events;
    size_t count;
    /* Set when the request fails as a whole. */
    uint32_t http_status; /* 200 while it does not */
    struct ves_error error;
    /* Set by commit. */
    struct ves_uuid batch_id;
    uint64_t sequence_start, sequence_end; /* of the new ones; 0 if none */
    uint64_t head;                         /* of the stream, after the commit */
    uint32_t key_version; /* of the sequencer key that signed refusals */
    size_t accepted, replayed, refused;
};

/* Cuts body (protocol.md B.3) and makes the checks of the whole request:
 * non-empty, at most 1,000, one stream, one agent that is the caller's, right
 * to write.  Returns VES_OK also when the request fails as a whole: then
 * http_status is not 200 and error says why (400 names the offset).
 * VES_NOMEM otherwise.  The stream is taken from the first event whose ids can
 * be read, else from a caller that is bound to one. */
VES_NODISCARD enum ves_status ves_ingest_read(struct ves_ingest *ingest,
                                              const struct ves_alloc *alloc,
                                              struct ves_bytes body,
                                              const struct ves_caller *caller);

/* Parses, hashes and verifies every event; marks refusals.  Pure but for
 * verifier and keys; requests may be prepared in parallel. */
VES_NODISCARD enum ves_status
ves_ingest_prepare(struct ves_ingest *ingest, const struct ves_alloc *alloc,
                   const struct ves_key_source *keys,
                   struct ves_verifier *verifier, bool require_v2);

/* Commits count prepared requests in one transaction, in order, and fills
 * their outcomes.  batch_ids: count fresh UUIDs.  On failure nothing was
 * stored, no outcome may be told, and every request may be tried again.
 * Requests for a frozen stream fail as a whole, with http_status 503; the
 * others are not touched by that. */
VES_NODISCARD enum ves_status
ves_sequencer_commit(struct ves_sequencer *sequencer,
                     struct ves_ingest **ingests, size_t count,
                     const struct ves_uuid *batch_ids, int64_t now_ms);

/* Plants the trees of streams that have none yet.  Judges every stream again
 * when the rules of this program are newer than those the log was judged by;
 * in one transaction, before anything else is asked of the sequencer.
 * VES_UNSUPPORTED, with words in the store's error, when they are older. */
VES_NODISCARD enum ves_status
ves_sequencer_upgrade(struct ves_sequencer *sequencer);

/* How the caller spells refusals and replays (protocol.md C.1, G.3). */
enum ves_dialect {
    VES_DIALECT_RUST, /* Authorization: ApiKey: {event_id, reason, message} */
    VES_DIALECT_JS    /* x-api-key or Bearer: {eventId, reason} */
};

/* Appends the answer's JSON (B.3 with the additions of H: verdicts; refusals
 * carry index and refusalSignature). */
VES_NODISCARD enum ves_status ves_ingest_answer(struct ves_ingest *ingest,
                                                const struct ves_sequencer *seq,
                                                enum ves_dialect dialect,
                                                struct ves_buf *out);

void ves_ingest_free(struct ves_ingest *ingest);

/* The stream's row.  Makes the stream when it is not there, with 1 as first
 * sequence of every key of the tenant that is not for another stream
 * (protocol.md H).  Needs a transaction open. */
VES_NODISCARD enum ves_status
ves_sequencer_stream(struct ves_sequencer *sequencer,
                     const struct ves_stream *stream,
                     struct ves_stream_row *row);

/* Where a key is valid in a stream: the stored span, else what a stream made
 * after the registration has: from 1, revoked at 1 when the key was revoked
 * by then.  is_found false: not a key of this stream. */
VES_NODISCARD enum ves_status ves_sequencer_key_span(
    struct ves_sequencer *sequencer, const struct ves_stream_row *stream,
    const struct ves_key_row *key, struct ves_key_span *span);

/* Registers, replaces never: VES_CONFLICT when (tenant, agent, key id) exists
 * with another key, for another stream only, or revoked; the same key again is
 * VES_OK and changes nothing.  VES_INVALID: not a public key, an empty
 * validity, or the sequencer's own agent.  Writes head + 1 as first sequence of
 * each stream of the tenant (or of the one the key is for), and enters the key
 * in the log of each that has an owner (ADR 0025), at that number, in the same
 * transaction.  row->proof is what is known of whose word it is:
 * {nextKeyDigest?, ownerSignature?, invitationId?, ...}, members as in
 * core/key_event.h; what does not verify is not repeated.  VES_REFUSED: the
 * owner accepts only keys he signed for.  Needs no transaction open; makes
 * one. */
VES_NODISCARD enum ves_status
ves_sequencer_register_key(struct ves_sequencer *sequencer,
                           const struct ves_key_row *row, int64_t now_ms,
                           struct ves_error *error);

/* Revokes at the next sequence of each stream; a key that is revoked stays as
 * it is, VES_OK.  owner_signature (over ves_key_revoke_hash, of the stream the
 * key is for; may be NULL) is entered with it.  VES_NOT_FOUND. */
VES_NODISCARD enum ves_status ves_sequencer_revoke_key(
    struct ves_sequencer *sequencer, const struct ves_uuid *tenant,
    const struct ves_uuid *agent, uint32_t key_id, int64_t now_ms,
    const struct ves_sig *owner_signature, struct ves_error *error);

/* Enters a rotation, or an owner's policy or revocation, in the stream's log.
 * The same again is VES_OK and changes nothing.  VES_REFUSED with *error: it
 * does not hold, or the stream has no owner; VES_NOT_FOUND: no such stream. */
struct ves_key_event;
VES_NODISCARD enum ves_status ves_sequencer_enter_key_event(
    struct ves_sequencer *sequencer, const struct ves_stream *stream,
    const struct ves_key_event *event, int64_t now_ms, struct ves_error *error);

/* Enters what the tables know and the logs do not, of all streams that have
 * an owner; a host does so when it starts.  versions: of the sequencer's own
 * key, oldest first, those that a statement introduces, as events; each enters
 * the logs that began before it.  They need live as long as the call. */
VES_NODISCARD enum ves_status
ves_sequencer_enter_keys(struct ves_sequencer *sequencer,
                         const struct ves_key_event *versions, size_t count,
                         int64_t now_ms, struct ves_error *error);

/* Cuts a commitment over [start, end] (B.7, A.8).  The same range again gives
 * the stored one.  VES_INVALID with words: does not start at committed end
 * + 1, same start with another end, beyond head, over VES_COMMITMENT_MAX. */
VES_NODISCARD enum ves_status ves_sequencer_commit_range(
    struct ves_sequencer *sequencer, const struct ves_stream *stream,
    uint64_t start, uint64_t end, const struct ves_uuid *batch_id,
    int64_t now_ms, struct ves_commitment_row *out, struct ves_error *error);

#endif
