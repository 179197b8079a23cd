/* ves/audit.h -- a store checked from its first event on (libves-server, not
 * part of libves: only the ves program links it).
 *
 * Everything is read again and worked out anew: hashes, signatures, keys by
 * sequence number, receipts, batch commitments, the tree of the provable log,
 * agents' chains, verdicts, conflicts and states.  The store itself is only
 * read: a copy is judged and folded again, by a child process, since a damaged
 * log may bring down whoever judges it.  So it forks: the calling program has
 * no other threads meanwhile.
 */
#ifndef VES_AUDIT_H
#define VES_AUDIT_H

#include "ves/json.h"
#include "ves/verify.h"
#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

/* false: stop. */
typedef bool ves_audit_progress(void *ctx, const char *what, uint64_t done,
                                uint64_t total);

struct ves_audit_options {
    /* One of three: a local store's or a sequencer's database, */
    const char *path;
    /* a folder with checkpoint and tiles as C2SP tlog-tiles has them, */
    const char *tiles_dir;
    /* a sequencer, whose stream is pulled whole beside its published log; with
     * stream, credential and sequencer_key. */
    const char *url;
    const char *credential; /* API key that may read the stream */
    const char *tls_ca;     /* PEM file instead of the machine's; NULL */
    const struct ves_stream *stream;
    const struct ves_public_key *sequencer_key; /* version 1, pinned */
    /* Of url: the stream's owner, from whose word in the log the keys of agents
     * follow; NULL: they are what the sequencer's directory says. */
    const struct ves_public_key *owner_key;
    /* Logs and witnesses that are believed, in the C2SP tlog-policy form;
     * empty: the sequencer's key signs the log. */
    struct ves_bytes policy;
    /* Of tiles_dir: keys that may have signed its entries, whose agents an
     * entry does not name; at most 64.  Without any, signatures are not
     * checked. */
    const struct ves_verify_agent *agents;
    size_t agent_count;
    const char *work_dir; /* for the copy, as large as the store; 0700 */
    unsigned threads;     /* 0: one per core */
    /* Heads of the log that are known; of the stream, or of every one. */
    const struct ves_verify_head *heads;
    size_t head_count;
    /* Files of others who keep heads of the log: stores, all the heads that
     * each verified, and a sequencer's head file. */
    const char *const *known;
    size_t known_count;
    /* Where it is kept how many signatures were verified, so that an audit of
     * the same store that was stopped or killed does not verify them again;
     * NULL: nowhere.  Removed at the end. */
    const char *resume_path;
    ves_audit_progress *progress; /* may be NULL */
    void *progress_ctx;
};

/* Values are exit codes of "ves audit", as those of "ves verify". */
enum ves_audit_verdict {
    VES_AUDIT_SOUND = 0,
    VES_AUDIT_INCOMPLETE = 10, /* nothing wrong, something not checkable */
    VES_AUDIT_WRONG = 40
};

/* Writes the report into jw: {path (or folder, or URL), role, verdict,
 * checks[{name, finding, examined, problems, text}], findings[{check, stream,
 * sequenceNumber, text}], findingsTotal, signatures,
 * resumedSignatures, milliseconds,
 * streams[{tenantId, storeId, events, pruned, treeSize, rootHash, firstAt,
 * lastAt, volume[], checkpoint{size, rootHash, atMs}, commitments[{sequenceEnd,
 * atMs}], agents[{agentId, isSequencer, events, firstSequence, lastSequence,
 * volume[], missing[{from, to}], missingTotal}]}], cannotBeProven[]}.  VES_OK
 * when a report was made, whatever it says; VES_AGAIN when progress said stop;
 * VES_NOT_FOUND, VES_IO ... */
VES_NODISCARD enum ves_status
ves_audit_run(const struct ves_audit_options *options, struct ves_jw *jw,
              enum ves_audit_verdict *verdict, struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
