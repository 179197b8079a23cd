/* judge.h -- the verdict on an event: a pure function of the log prefix.
 *
 * semantics.md decisions 3 to 8 and 17, sections 3.2 and 3.3; judge.py is
 * their executable model.  The sequencer, every store and the simulator call
 * the same functions.
 *
 * engine/verdicts.h answers its questions from a store, and port/store.h says
 * what is kept for that.
 *
 * An event becomes applied at the last sequence of the log when its judgement
 * is written: its own, the last of its group, or, if it waited, that of the
 * event that set it free.
 */
#ifndef VES_CORE_JUDGE_H
#define VES_CORE_JUDGE_H

#include "base/entity_name.h"
#include "core/effect.h"
#include "core/event.h"
#include "core/refusal.h"
#include "core/types.h"

enum ves_verdict {
    VES_VERDICT_NONE, /* not judged */
    VES_VERDICT_APPLIED,
    VES_VERDICT_CONFLICT,
    VES_VERDICT_WAITING,
    VES_VERDICT_SUPERSEDED
};

/* "applied" ...; "" for NONE. */
const char *ves_verdict_name(enum ves_verdict verdict);

/* In order of precedence (3.2). */
enum ves_conflict_kind {
    VES_CONFLICT_KIND_NONE,
    VES_CONFLICT_DELETED_REFERENCE,
    VES_CONFLICT_VERSION_MISMATCH,
    VES_CONFLICT_CONCURRENT_EDIT
};

/* "deleted_reference" ...; "" for NONE. */
const char *ves_conflict_kind_name(enum ves_conflict_kind kind);

enum ves_winner {
    VES_WINNER_NONE, /* unknown word: never allowed */
    VES_WINNER_BRANCH,
    VES_WINNER_APPLIED,
    VES_WINNER_MERGE,
    VES_WINNER_UNDO
};

/* ---- what an event says -------------------------------------------------- */

/* A list of hashes; owned by whoever made it. */
struct ves_hashes {
    struct ves_hash *list;
    size_t count;
};

/* A list of entities; the same. */
struct ves_entity_names {
    struct ves_entity_name *list;
    size_t count;
};

/* A list of event ids; the same. */
struct ves_ids {
    const struct ves_uuid *list;
    size_t count;
};

/* Of a ves.conflict.resolved. */
struct ves_resolution {
    struct ves_hash conflict_id;
    enum ves_winner winner;
    struct ves_hashes inputs; /* the branch events it decides, in order */
    bool has_supersedes;      /* undo: of which resolution */
    struct ves_hash supersedes;
};

/* All the judge looks at in one event. */
struct ves_judge_subject {
    struct ves_stream stream;
    uint64_t sequence; /* that it has, or will get */
    struct ves_hash hash;
    struct ves_uuid event_id;
    struct ves_uuid agent;
    uint64_t agent_seq;
    uint64_t seen; /* sequence - 1 for an event without causal context */
    struct ves_hash entity_key;
    bool has_context;
    bool is_carried; /* rule version 0: applied, no effects */
    bool is_unknown; /* names a rule version this program lacks */
    bool is_fact;
    bool needs_base;
    bool has_base;
    uint64_t base_version;
    bool has_base_head;
    struct ves_hash base_head;
    struct ves_ids deps;
    struct ves_entity_names refs; /* the entities it refers to; looked at for
                                     intents only */
    /* Spelling out what it does costs more than all the rest and is asked for
     * rarely.  has_effects false: the view's function `effects` tells. */
    bool has_effects;
    struct ves_effects effects;
    bool is_delta; /* they are all deltas */
    int tombstone; /* +1: it leaves the entity deleted, -1: not, 0: as it was */
    const struct ves_resolution *resolution; /* NULL: none */
    /* Of an atomic group: sequences first_of_group ... + group_count - 1.
     * group_count 0 or 1: alone. */
    uint64_t first_of_group;
    uint32_t group_count;
};

/* Reads it from a checked event (ves_event_check) with its payload, by the
 * rules in force for it; views into the event and arena.  VES_OK or
 * VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_judge_subject_read(struct ves_arena *arena, struct ves_rules_at rules,
                       const struct ves_event *event,
                       struct ves_judge_subject *out);

/* Gives it the sequence that it has, or will get. */
void ves_judge_subject_place(struct ves_judge_subject *subject,
                             uint64_t sequence, const struct ves_event *event);

/* The effects of the event a subject was read from, if it has_effects not. */
VES_NODISCARD enum ves_status
ves_judge_subject_effects(struct ves_arena *arena, struct ves_rules_at rules,
                          const struct ves_event *event,
                          struct ves_effects *out);

/* ---- what the log prefix says -------------------------------------------- */

struct ves_judge_entity {
    uint64_t last;    /* newest event of any verdict, 0: none */
    uint64_t version; /* ver(e) */
    struct ves_hash head;
    uint64_t head_applied_at;
    uint64_t written_at; /* applied_at of the newest applied event with an
                            effect that is no delta, 0: none; an engine that
                            does not keep it answers head_applied_at */
    bool has_tombstone;  /* in force */
    struct ves_hash tombstone;
    uint64_t tombstone_at; /* its applied_at */
    uint64_t tombstone_sequence;
    struct ves_uuid tombstone_agent;
    uint64_t tombstone_agent_seq;
    bool tombstone_is_fact;
};

/* One agent's events at the end of an entity's: all of its events with a
 * sequence or an applied_at above `after` are of that agent, with causal
 * context, applied at their own sequences, with ascending agent_seq up to
 * last_agent_seq.  Who knows of none says is_found false. */
struct ves_judge_streak {
    bool is_found;
    struct ves_uuid agent;
    uint64_t last_agent_seq;
    uint64_t after;
};

/* An applied event of an entity. */
struct ves_judge_applied {
    struct ves_hash hash;
    uint64_t sequence, applied_at;
    struct ves_uuid agent;
    uint64_t agent_seq; /* 0 without causal context */
    bool is_fact; /* of a resolution: does its conflict's branch hold a fact */
    struct ves_effects effects; /* as applied; an undo's are the opposite */
};

/* An event whatever became of it. */
struct ves_judge_known {
    struct ves_hash hash;
    struct ves_uuid event_id;
    uint64_t sequence;
    uint64_t agent_seq;
    enum ves_verdict verdict;
    bool is_fact;
    bool has_conflict_id; /* of the record it is in the branch of; of a
                             superseded resolution the one it names */
    struct ves_hash conflict_id;
};

struct ves_judge_conflict {
    bool is_found;
    bool is_open;
    struct ves_hash entity_key;
    struct ves_hash closed_by;     /* the resolution in effect */
    enum ves_winner winner;        /* its choice */
    uint64_t branch_count;         /* events, the first included */
    struct ves_hash branch_digest; /* ves_branch_digest over them */
    bool has_branch_fact;          /* the first is a fact */
    bool has_applied_fact;
};

/* The event id followed by zeros: what one waits for as 32 bytes. */
void ves_waits_for_event(const struct ves_uuid *event_id, struct ves_hash *out);

/* Visitors return false to stop. */
typedef bool ves_judge_applied_visitor(void *ctx,
                                       const struct ves_judge_applied *applied);
typedef bool ves_judge_known_visitor(void *ctx,
                                     const struct ves_judge_known *known);
typedef bool ves_judge_hash_visitor(void *ctx, const struct ves_hash *hash);
typedef bool ves_judge_sequence_visitor(void *ctx, uint64_t sequence);

/* The log prefix before the event (at a second look at a waiting event, the
 * whole log).  Every function but `effects`, `streak` and `referrers` is
 * required; any status but VES_OK ends the judging with it.  Outputs and what
 * visitors are given live until the next call. */
struct ves_judge_view {
    void *ctx;
    enum ves_status (*entity)(void *ctx, const struct ves_hash *entity_key,
                              struct ves_judge_entity *out);
    /* Applied events, the last applied first: descending version. */
    enum ves_status (*applied)(void *ctx, const struct ves_hash *entity_key,
                               ves_judge_applied_visitor *visit,
                               void *visit_ctx);
    /* Events of that agent on that entity with above < sequence < below, in
     * any order. */
    enum ves_status (*own)(void *ctx, const struct ves_hash *entity_key,
                           const struct ves_uuid *agent, uint64_t above,
                           uint64_t below, ves_judge_known_visitor *visit,
                           void *visit_ctx);
    /* By event id; VES_NOT_FOUND unless in the log. */
    enum ves_status (*event)(void *ctx, const struct ves_uuid *event_id,
                             struct ves_judge_known *out);
    enum ves_status (*conflict)(void *ctx, const struct ves_hash *conflict_id,
                                struct ves_judge_conflict *out);
    /* What the event that opened a known conflict does, in arena. */
    enum ves_status (*opener)(void *ctx, const struct ves_hash *conflict_id,
                              struct ves_arena *arena, struct ves_effects *out);
    /* The applied events it collided with, in any order. */
    enum ves_status (*against)(void *ctx, const struct ves_hash *conflict_id,
                               ves_judge_applied_visitor *visit,
                               void *visit_ctx);
    /* The opposite of what an applied resolution wrote: before-images and
     * opposite deltas, in the order an undo writes them. */
    enum ves_status (*opposite)(void *ctx, const struct ves_hash *resolution,
                                struct ves_effects *out);
    /* What a subject without has_effects does, in arena.  NULL: all have. */
    enum ves_status (*effects)(void *ctx,
                               const struct ves_judge_subject *subject,
                               struct ves_arena *arena,
                               struct ves_effects *out);
    /* The streak at the end of an entity's events, so that a long offline
     * stretch of one author costs no look at all of it for each event.  NULL:
     * it is always looked at. */
    enum ves_status (*streak)(void *ctx, const struct ves_hash *entity_key,
                              struct ves_judge_streak *out);
    /* Applied events above a sequence that refer to the entity, in the order
     * of the log, for the note `dangling`; the newest are enough.  NULL: not
     * noted. */
    enum ves_status (*referrers)(void *ctx, const struct ves_hash *entity_key,
                                 uint64_t above, ves_judge_hash_visitor *visit,
                                 void *visit_ctx);
};

/* ---- the judgement ------------------------------------------------------- */

/* What becomes of the conflict with conflict_id. */
enum ves_conflict_change {
    VES_CONFLICT_UNCHANGED,
    VES_CONFLICT_OPENED,  /* a new record: branch is this event alone */
    VES_CONFLICT_JOINED,  /* this event becomes the end of its branch */
    VES_CONFLICT_CLOSED,  /* by this event, `winner` */
    VES_CONFLICT_REOPENED /* by this event, an undo */
};

struct ves_judgement {
    enum ves_verdict verdict;
    char sub_code[32]; /* "" when none */
    bool has_conflict_id;
    struct ves_hash conflict_id; /* decision 8; of a resolution, the named */

    enum ves_conflict_kind kind; /* OPENED: the primary type */
    unsigned kinds;              /* OPENED: 1 << kind of all that hold */
    enum ves_conflict_change change;
    enum ves_winner winner;    /* CLOSED */
    struct ves_hashes against; /* OPENED: the applied side, ascending;
                                  head_moved: what changed */
    bool has_applied_fact;     /* OPENED */
    bool is_fact;              /* does it count as one from now on */
    struct ves_hash waits_for; /* WAITING: a conflict id, or an event id as
                                  ves_waits_for_event has it */

    /* APPLIED: what it does, if that is not what its subject does. */
    bool has_effects;
    struct ves_effects effects;
    bool is_delta; /* APPLIED: all of it is deltas */
    int tombstone; /* APPLIED: +1 this event becomes the
                      tombstone unless one is in force, -1 none is
                      any more, 0 as it was */
    /* Notes of an applied event; hashes in log order, overrode ascending. */
    struct ves_hashes commuted;
    struct ves_hashes overrode;
    struct ves_hashes dangling;
    struct ves_hashes unresolved_refs; /* entity keys */
};

/* Judges one event.  Lists in *out live in the arena. */
VES_NODISCARD enum ves_status ves_judge(const struct ves_judge_view *view,
                                        struct ves_arena *arena,
                                        const struct ves_judge_subject *subject,
                                        struct ves_judgement *out);

/* Judges the members of an atomic group, in the order of the log and with the
 * sequences they will get: if one is a conflict, the other intents join its
 * record as tail (in their order, after it); if one waits, all do.  Facts and
 * events without a rule stand for themselves.  out: count judgements. */
VES_NODISCARD enum ves_status
ves_judge_group(const struct ves_judge_view *view, struct ves_arena *arena,
                const struct ves_judge_subject *subjects, size_t count,
                struct ves_judgement *out);

/* Judges events that are not in the log as if they followed it in that order,
 * each for itself: advice, not a verdict (decision 7). */
VES_NODISCARD enum ves_status
ves_judge_forecast(const struct ves_judge_view *view, struct ves_arena *arena,
                   const struct ves_judge_subject *subjects, size_t count,
                   struct ves_judgement *out);

/* What an engine adds so that waiting events are judged again. */
struct ves_judge_writer {
    void *ctx;
    /* Makes a judgement true: the view answers by it from now on.  Every
     * event comes here once when it is new, and again when it waited and no
     * longer does or waits for something else. */
    enum ves_status (*write)(void *ctx, const struct ves_judge_subject *subject,
                             const struct ves_judgement *judgement);
    /* Sequences of the waiting events with that waits_for. */
    enum ves_status (*waiters)(void *ctx, const struct ves_hash *waits_for,
                               ves_judge_sequence_visitor *visit,
                               void *visit_ctx);
    /* The waiting event with that sequence, into arena; VES_NOT_FOUND when it
     * does not wait (any more). */
    enum ves_status (*subject)(void *ctx, uint64_t sequence,
                               struct ves_arena *arena,
                               struct ves_judge_subject *out);
    /* Nothing that `subject` gave is used any more.  NULL: nobody needs to
     * know. */
    void (*release)(void *ctx);
    /* For one waiting event, or group, at a time: what comes free together may
     * be more than memory holds. */
    struct ves_arena *waking;
};

/* Judges and writes a new event, or all members of a new atomic group at
 * once, then every event that comes free by it, in sequence order, until
 * nothing changes (3.1).  The record's opener is written before its tail.
 * out: count judgements of the new ones. */
VES_NODISCARD enum ves_status
ves_judge_step(const struct ves_judge_view *view,
               const struct ves_judge_writer *writer, struct ves_arena *arena,
               const struct ves_judge_subject *subjects, size_t count,
               struct ves_judgement *out);

/* Is the base of an event without causal context what its author takes it
 * for?  VES_REFUSED with *refusal (version_conflict) when it differs from
 * ver(e) (decision 5); VES_OK for all other events. */
VES_NODISCARD enum ves_status ves_judge_foreign(const struct ves_event *event,
                                                uint64_t version,
                                                struct ves_refusal *refusal);

/* Decision 8; applied is ascending and without repetition. */
void ves_conflict_id(const struct ves_stream *stream,
                     const struct ves_hash *branch_event,
                     const struct ves_hashes *applied, struct ves_hash *out);

/* digest := digest of the branch with one more event; zeros for none.
 * SHA256(digest | event hash). */
void ves_branch_digest(struct ves_hash *digest, const struct ves_hash *event);

#endif
