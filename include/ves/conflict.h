/* ves/conflict.h -- conflicts and what was decided about them.
 *
 * Every store of a stream finds the same conflicts under the same ids.  A
 * conflict has two sides: the branch (the event judged `conflict` and what its
 * author wrote on top of it) and what was applied meanwhile.  A resolution is
 * one more signed event; it takes effect when the sequencer has numbered it.
 * Nothing here needs a network, nothing is ever deleted.
 *
 * Local and remote depend on who asks: *local* (ours) is the side of the event
 * that was named, *remote* (theirs) the other.  Naming the conflict by its own
 * id means its branch event, the one listed as `eventId`.
 *
 * Wherever an id is asked for: an event's UUID, or a conflict's id, 64 hex
 * digits with or without "0x", or the first 8 or more of them.
 */
#ifndef VES_CONFLICT_H
#define VES_CONFLICT_H

#include "ves/agent.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- looking --------------------------------------------------------------
 */

struct ves_conflicts_filter {
    const char *state;         /* "open" (NULL), "resolved", "all" */
    const char *conflict_type; /* "concurrent_edit" ...; NULL: any */
    const char *event_type;    /* of the branch event; NULL: any */
    const char *entity_type;   /* "order"; NULL: any */
    const char *entity_id;     /* NULL: any; without entity_type, of any type */
    uint64_t after;            /* behind that `place`, for paging */
    uint32_t limit;            /* 0: 100; at most 1,000 */
};

/* {"conflicts":[{
 *    conflictId ("0x.."), eventId (the branch event), eventType, timestamp,
 *    agentId, conflictType, conflictTypes[] (all that hold), subCode,
 *    entity{type,id}, origin "own"|"other", localSequence? (own only),
 *    openedSequence, openedAt, place (a number that grows along the list: the
 *    sequence, or one beyond all sequences), status "open"|"resolved",
 *    branchEvents (count), branchEventIds[] and remoteEventIds[] (the first
 *    20), remoteEventId?,
 *    isPending (an own resolution of it is not sequenced yet),
 *    pendingResolutionId?,
 *    suggestedStrategy, suggestionReason, allowedStrategies[], mergeable,
 *    resolution? {eventId, strategy, winner, isAutomatic, resolver, reason?,
 *                 agentId, timestamp, sequenceNumber}}],
 *  "total", "open", "byType"{concurrent_edit, version_mismatch,
 *  deleted_reference} (of all open ones), "nextAfter"? (there are more: pass
 *  it as `after`), "followUps"[] (as in ves_agent_entity; at most `limit`, of
 * the entities asked for) and "followUpTotal" (of the whole store), "summary",
 * "nextSteps"[]} Oldest first.  An own event that a sequencer without branches
 * refused for a stale base comes last, with isRefused true and refusal (its
 * words), and without conflictId, openedSequence and remote events: no one else
 * knows it. Deciding it appends a new event, or none, and never sends the old
 * one again. VES_INVALID names what a filter may be. */
VES_API VES_NODISCARD enum ves_status
ves_conflicts(struct ves_agent *agent,
              const struct ves_conflicts_filter *filter, struct ves_jw *jw,
              struct ves_error *error);

/* All members of one item of the list, and
 *  {conflictVersion (a text that changes with anything the conflict's answer
 *     depends on),
 *   base{isKnown, version?, head?}, head{version, hash?},
 *   ours  {side "branch"|"applied", events[{eventId, type, agentId, isOwn,
 * timestamp, sequenceNumber, class "fact"|"intent", verdict, payload?}]},
 * theirs
 * {...}, fields[{path, base?, ours?, theirs?, merged?, isOverlap}]: every path
 * that a side wrote; values as JSON, absent when there is none, isDeleted,
 * blocks[] (ids of events that wait until it is decided), state (the entity's
 * sequenced state, or null), localState, followUps[], merge{function, isClean,
 * ops? (what it would write, when clean), overlaps[{path, base?, ours?,
 * theirs?}]?, reason?}, decisions[{as resolution, verdict, subCode?,
 * inEffect}]: all there were, choices[{strategy, isAllowed, effect, reason?}],
 *   named (the event id by which it was asked for), explanation}
 * VES_NOT_FOUND: no such conflict, or the event is in none (the text says
 * which, and what state it is in); VES_INVALID: the event is in several open
 * ones; problem codes as in ves_resolve. */
VES_API VES_NODISCARD enum ves_status
ves_conflict_show(struct ves_agent *agent, const char *id, struct ves_jw *jw,
                  struct ves_error *error);

/* ---- deciding -------------------------------------------------------------
 */

/* A member of the resolution: the value at a path of the state. */
struct ves_resolve_set {
    const char *path;       /* JSON pointer, "/email" */
    struct ves_bytes value; /* JSON; no bytes: the member goes */
    bool is_typed;          /* typed by a person: text where the state has text
                               or may have nothing else, else JSON if it is
                               any, else text */
};

struct ves_resolve_options {
    const char *id;          /* event or conflict */
    const char *conflict_id; /* needed when the event is in several; or NULL */
    const char *strategy;    /* accept_local, accept_remote, merge, manual */
    struct ves_bytes patch;  /* RFC 7396 against the current state; no bytes:
                                none.  merge and manual only */
    const struct ves_resolve_set *sets; /* likewise, after the patch */
    size_t set_count;
    const struct ves_uuid *expected_remote; /* remoteEventId as reviewed, or
                                               NULL */
    const char *expected_version; /* conflictVersion as reviewed, or NULL */
    const char *reason;           /* at most 500 characters, or NULL */
    const char *resolver; /* who decided: "person" (NULL), "ai", "form" ... */
    bool dry_run;
};

/* Signs and appends one resolution, or says why not.  On VES_OK:
 *  {summary, conflictId, eventId (as named), outcome "resolved"|
 *   "already_resolved"|"preview"|"awaiting_user", strategy, winner?
 *   "branch"|"applied"|"merge", resultEventId?, result? (ops or patch that is
 *   written), state? and before? (of the entity, after and before), changes[
 *   {path, from?, to?}], fields[], choices[] (awaiting_user; as in show),
 *   resolution? (already_resolved: the one in effect, or the own one that
 *   is not sequenced yet with isPending true), auditId?,
 *   remainingConflicts, nextSteps[]}
 * `manual` without patch or sets appends nothing: outcome awaiting_user.
 * `merge` with patch or sets records exactly these.  A repeated call answers
 * already_resolved and appends nothing.
 *
 * On failure the document is {"problem":{code, message, ...}} and nothing was
 * changed:
 *  EVENT_NOT_FOUND, CONFLICT_NOT_FOUND  VES_NOT_FOUND
 *  NOT_IN_CONFLICT {status?}            VES_NOT_FOUND
 *  SEVERAL_CONFLICTS {conflictIds[]}    VES_INVALID
 *  RESOLUTION_PENDING {resultEventId, strategy}  VES_AGAIN: an own, other
 *                                       resolution of it is not sequenced yet
 *  SYNC_FIRST                           VES_AGAIN: own changes that will join
 *                                       the branch are not sequenced yet, or
 *                                       the other side is not pulled yet
 *  CONFLICT_CHANGED {remoteEventId?, conflictVersion, changed[{eventId, type,
 *                    sequenceNumber}]}  VES_CONFLICT
 *  MERGE_OVERLAP {overlaps[{path, base?, ours?, theirs?}]}  VES_INVALID
 *  MERGE_IMPOSSIBLE                     VES_INVALID
 *  STRATEGY_NOT_ALLOWED {allowedStrategies[]}  VES_FORBIDDEN
 *  PAYLOAD_INVALID {path?}              VES_INVALID: no JSON, no pointer, or
 *                                       a value that cannot stand there; what
 *                                       may is what the events of that kind of
 *                                       entity write there
 *  PAYLOAD_NOT_ALLOWED                  VES_INVALID
 *  INVALID_ARGUMENT {argument}          VES_INVALID */
VES_API VES_NODISCARD enum ves_status
ves_resolve(struct ves_agent *agent, const struct ves_resolve_options *options,
            struct ves_jw *jw, struct ves_error *error);

/* Takes a resolution back and opens its conflict again under its id; id is of
 * the resolution event, the conflict or any event in it.  The document is that
 * of ves_resolve with strategy "undo" and outcome "resolved"|"preview"|
 * "already_resolved" (it is open already, or an own undo is not sequenced
 * yet); problem CONFLICT_CHANGED when something was written over it since. */
VES_API VES_NODISCARD enum ves_status
ves_resolve_undo(struct ves_agent *agent, const char *id, const char *reason,
                 bool dry_run, struct ves_jw *jw, struct ves_error *error);

/* ---- deciding without being asked ------------------------------------------
 * Settings conflictStrategy (for all) and conflictStrategy.ENTITYTYPE (goes
 * before it); "manual" decides nothing and is the default.  Run only where
 * the branch event was written, and never on payments, refunds and returns.
 * A decision that the sequencer refused is not made again by itself. */

struct ves_auto_report {
    uint64_t looked_at, resolved, left; /* own open conflicts */
};

/* Appends what the settings decide; ves_sync calls it after every pull. */
VES_API VES_NODISCARD enum ves_status
ves_resolve_automatic(struct ves_agent *agent, struct ves_auto_report *report,
                      struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
