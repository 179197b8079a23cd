/* inspection.h -- what the verifiers of the three formats share.
 *
 * include/ves/verify.h is the way in.
 */
#ifndef VES_CORE_INSPECTION_H
#define VES_CORE_INSPECTION_H

#include "base/arena.h"
#include "core/event.h"
#include "core/key_event.h"
#include "core/keydir.h"
#include "core/merkle.h"
#include "core/policy.h"
#include "ves/verify.h"

/* The line about them. */
#define VES_INSPECTION_LOGGED_KEYS "keys in the log"

/* What the key events of a bundle say, in front of what they are about. */
struct ves_logged_keys {
    struct ves_key_world world;         /* no owner: none was named */
    struct ves_inspected_agent *agents; /* in keys_arena */
    struct ves_uuid sequencer;          /* its agent; nil: not seen */
    size_t count;
    uint64_t bad_at; /* first event that does not hold; 0: none */
    const char *bad_code, *bad_words;
    uint64_t missing_at; /* first event whose key is not shown; 0: none */
};

struct ves_inspection {
    const struct ves_alloc *alloc;
    const struct ves_verify_anchors *anchors;
    struct ves_verify_report *report;
    struct ves_policy policy;
    /* Of the log whose sequencer is meant; empty: of none of the policy's. */
    struct ves_bytes origin;
    struct ves_arena arena;      /* of one event at a time */
    struct ves_arena keys_arena; /* of the directories */
    /* Keys out of directories that verified. */
    struct {
        struct ves_agent_key *list;
        size_t count;
    } directories[64];
    size_t directory_count;
    struct ves_logged_keys logged;
};

/* Adds a line and lowers the verdict: a FAILED one makes it invalid, a NOT
 * PROVEN one less than was asked for. */
void ves_inspection_say(struct ves_inspection *in, const char *name,
                        enum ves_verify_finding finding, const char *format,
                        ...) __attribute__((format(printf, 4, 5)));

/* A line that leaves the verdict as it is. */
void ves_inspection_note(struct ves_inspection *in, const char *name,
                         enum ves_verify_finding finding, const char *format,
                         ...) __attribute__((format(printf, 4, 5)));

/* What no file can prove. */
void ves_inspection_cannot(struct ves_inspection *in, const char *sentence);

/* Says "log signature": is the checkpoint one of a log of the policy?  *out
 * tells more. */
bool ves_inspection_log(struct ves_inspection *in, const struct ves_note *note,
                        const struct ves_checkpoint *checkpoint,
                        struct ves_policy_verdict *out);
/* Says "stream": is the log of that stream? */
void ves_inspection_stream(struct ves_inspection *in,
                           const struct ves_checkpoint *checkpoint,
                           const struct ves_stream *stream);
/* Says "witnesses", "freshness" and "known head", as far as they are asked. */
void ves_inspection_head(struct ves_inspection *in,
                         const struct ves_checkpoint *checkpoint,
                         const struct ves_policy_verdict *verdict);

/* Does one of the sequencer's keys sign this hash: of those the caller gave, or
 * of those the policy names for the log of in->origin? */
bool ves_inspection_is_sequencers(const struct ves_inspection *in,
                                  const struct ves_hash *hash,
                                  const struct ves_sig *sig);

/* Takes over the keys of a signed directory of that stream; false when nobody
 * that is believed has signed it, or it is another stream's. */
bool ves_inspection_add_directory(struct ves_inspection *in,
                                  const struct ves_stream *stream,
                                  struct ves_bytes json);

/* ---- keys from key events (inspection_keys.c) ---- */

void ves_inspection_logged_init(struct ves_inspection *in,
                                const struct ves_stream *stream);
/* A key event that is whole; all of them, ascending, before anything is
 * checked with them.  Only VES_NOMEM fails. */
VES_NODISCARD enum ves_status
ves_inspection_logged_take(struct ves_inspection *in,
                           const struct ves_event *event,
                           const struct ves_leaf *leaf);
/* Is it of the sequencer's own agent, as far as a key event showed who that is?
 */
bool ves_inspection_is_own(const struct ves_inspection *in,
                           const struct ves_event *event);
/* The event's key as the log has it; NULL: not there. */
const struct ves_logged_key *
ves_inspection_logged_find(const struct ves_inspection *in,
                           const struct ves_event *event);
/* May its key sign it?  other: as somebody else has it, or NULL. */
void ves_inspection_logged_check(struct ves_inspection *in,
                                 const struct ves_event *event,
                                 uint64_t sequence,
                                 const struct ves_public_key *other);
/* Says "keys in the log", when there are key events or an owner was named. */
void ves_inspection_logged_say(struct ves_inspection *in);

/* Events' keys and signatures, event by event. */
struct ves_signature_sum {
    uint64_t count, without_key, from_anchors, from_log;
    uint64_t bad;          /* first event whose signature is wrong; 0: none */
    uint64_t outside;      /* first event its key may not sign; 0: none */
    struct ves_uuid agent; /* of the first one without a key */
    uint32_t key_id;
    uint64_t sequence;
};

void ves_inspection_check_signature(struct ves_inspection *in,
                                    struct ves_signature_sum *sum,
                                    const struct ves_event *event,
                                    const struct ves_leaf *leaf);
/* Says "agent keys" and "agent signatures". */
void ves_inspection_signatures(struct ves_inspection *in,
                               const struct ves_signature_sum *sum);

/* Each says all there is to say of one format; VES_OK or VES_NOMEM. */
VES_NODISCARD enum ves_status ves_verify_bundle(struct ves_inspection *in,
                                                struct ves_bytes file);
VES_NODISCARD enum ves_status ves_verify_proof(struct ves_inspection *in,
                                               struct ves_bytes file,
                                               struct ves_bytes entry);
VES_NODISCARD enum ves_status ves_verify_evidence(struct ves_inspection *in,
                                                  struct ves_bytes file);

#endif
