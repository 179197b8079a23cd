/* conflict.h -- what the files about conflicts share.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_CONFLICT_H
#define VES_AGENT_CONFLICT_H

#include "agent/agent.h"
#include "engine/conflict.h"
#include "ves/conflict.h"

/* What an id stands for. */
struct ves_named {
    struct ves_hash conflict_id;
    bool names_branch; /* the branch event, or the conflict itself */
    bool has_event;    /* an event was named */
    struct ves_uuid event_id;
};

/* id: an event's or a conflict's; conflict_id, which may be NULL, says which
 * conflict of an event that is in several.  On failure the problem is in jw
 * and the words are in error. */
VES_NODISCARD enum ves_status
ves_conflict_named(struct ves_agent *agent, const char *id,
                   const char *conflict_id, struct ves_named *out,
                   struct ves_jw *jw, struct ves_error *error);

/* Begins {"problem":{code, message: and leaves it open for more members;
 * ves_conflict_problem_end closes it.  Returns status, with the same words in
 * error. */
enum ves_status ves_conflict_problem(struct ves_jw *jw, struct ves_error *error,
                                     enum ves_status status, const char *code,
                                     const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void ves_conflict_problem_end(struct ves_jw *jw);
/* What a person wrote cannot stand there: PAYLOAD_INVALID. */
enum ves_status ves_conflict_bad_value(struct ves_jw *jw,
                                       struct ves_error *error,
                                       const struct ves_state_fault *fault);

/* Writes name and a JSON value; nothing when node is NULL. */
VES_NODISCARD enum ves_status ves_jw_node(struct ves_jw *jw,
                                          struct ves_arena *arena,
                                          const char *name,
                                          const struct ves_json *node);
void ves_jw_member_hash(struct ves_jw *jw, const char *name,
                        const struct ves_hash *hash);

/* The members an item of a list has, into the object that is open. */
VES_NODISCARD enum ves_status
ves_conflict_put_item(struct ves_agent *agent, struct ves_arena *arena,
                      const struct ves_core_conflict *conflict,
                      bool names_branch, struct ves_jw *jw);
/* {eventId, strategy ...} of one decision; verdict and sub-code too. */
VES_NODISCARD enum ves_status
ves_conflict_put_decision(struct ves_jw *jw,
                          const struct ves_core_member *member,
                          const struct ves_hash *in_effect);
/* "fields":[...]: every path at which base and sides differ. */
VES_NODISCARD enum ves_status
ves_conflict_put_fields(struct ves_arena *arena,
                        const struct ves_core_conflict *conflict,
                        bool names_branch, struct ves_jw *jw);
/* name:[{path, base?, ours?, theirs?}] of what overlaps. */
VES_NODISCARD enum ves_status
ves_conflict_put_overlaps(struct ves_arena *arena, const char *name,
                          const struct ves_merge_result *merge,
                          bool names_branch, struct ves_jw *jw);
/* "choices":[{strategy, isAllowed, effect, reason?}]. */
void ves_conflict_put_choices(const struct ves_core_conflict *conflict,
                              bool names_branch, struct ves_jw *jw);
/* "allowedStrategies":[...]. */
void ves_conflict_put_allowed(const struct ves_core_conflict *conflict,
                              bool names_branch, struct ves_jw *jw);

/* Open conflicts without an own decision that is on its way. */
VES_NODISCARD enum ves_status ves_conflict_remaining(struct ves_agent *agent,
                                                     uint64_t *out);

/* May this handle append now?  What append.c asks before each event. */
VES_NODISCARD enum ves_status ves_agent_may_append(struct ves_agent *agent,
                                                   struct ves_error *error);

/* Own events refused for a stale base (engine/conflict.h), and which of them
 * are wanted. */
struct ves_refused_page {
    bool is_shown; /* else they are only counted */
    struct ves_bytes event_type, entity_type, entity_id; /* "": any */
    uint64_t place; /* of one in the list: this and its number in the outbox */
    uint64_t after; /* place of the last one before the page */
    uint64_t room;
    /* What came of it. */
    uint64_t all, total; /* how many there are; of those wanted */
    uint64_t last;       /* place of the last one shown, 0: none was */
    bool has_more;
};
/* Items of the list, without jw none. */
VES_NODISCARD enum ves_status
ves_conflict_put_refused(struct ves_agent *agent, struct ves_refused_page *page,
                         struct ves_jw *jw);
/* Is that event one?  Any status but VES_OK, VES_NOT_FOUND is a failure. */
VES_NODISCARD enum ves_status ves_conflict_is_refused(struct ves_agent *agent,
                                                      const char *id,
                                                      struct ves_uuid *event_id,
                                                      bool *out);
/* The documents of ves_conflict_show and ves_resolve for one. */
VES_NODISCARD enum ves_status
ves_conflict_show_refused(struct ves_agent *agent,
                          const struct ves_uuid *event_id, struct ves_jw *jw,
                          struct ves_error *error);
VES_NODISCARD enum ves_status
ves_conflict_resolve_refused(struct ves_agent *agent,
                             const struct ves_uuid *event_id,
                             const struct ves_core_decide *say,
                             struct ves_jw *jw, struct ves_error *error);

#endif
