/* verdicts.h -- the judge over a store: its view, and what it changes.
 *
 * Inside src/engine only.  A run is one commit of the sequencer, one page of
 * a device or one chunk of a log that is judged again.  What the run changed
 * is kept in memory on top of the store: new events, waiting ones that came
 * free, entities, conflicts.  The sequencer and the device call the same
 * functions, so that they cannot differ.
 *
 *   host                            verdicts
 *   open, add events in order ----> step: judge, write, judge the waiting
 *      <---- entity, written ------
 *   write its own rows, then save
 *
 * Costs: an event on an entity that nobody touched since its author looked
 * reads nothing.  Otherwise one log row is read for each event of the entity
 * above the author's cursor, and kept for the rest of the run.
 */
#ifndef VES_ENGINE_VERDICTS_H
#define VES_ENGINE_VERDICTS_H

#include "core/event.h"
#include "core/judge.h"
#include "engine/map.h"
#include "engine/rules_log.h"
#include "port/store.h"

struct ves_verdict_event;

/* An entity the run touches; part of the host's own. */
struct ves_verdict_entity {
    struct ves_entity_row row;
    bool is_changed;
    /* As the store had it when the run began. */
    uint64_t stored_last, stored_version;
    bool is_streak_known;
    struct ves_judge_streak streak;
    struct ves_verdict_event *newest;  /* new in this run, by older */
    struct ves_verdict_event *applied; /* in this run, by earlier */
};

/* To be called once row is as the store has it. */
void ves_verdict_entity_open(struct ves_verdict_entity *entity);

/* A row before it is judged. */
void ves_verdict_forget(struct ves_log_row *row);

/* One event: new in this run, or of the store and looked at. */
struct ves_verdict_event {
    struct ves_log_row *row;       /* without bodies when it is the store's */
    const struct ves_event *event; /* NULL: only its row is known */
    struct ves_judge_subject subject;
    bool has_subject, has_effects;
    struct ves_effects effects; /* as applied, else as it says */
    bool is_new;                /* a row of the host's */
    bool is_changed;            /* the store's row differs from this one */
    bool is_listed;             /* among the waiting */
    bool is_waking;             /* event, subject: of `waking` */
    bool was_deleted;           /* its entity, when it became applied */
    struct ves_bytes unusable;  /* JSON text: why nothing was folded; host */
    struct ves_bytes replayed; /* opposite of a resolution whose row has none */
    struct ves_verdict_entity *entity; /* NULL: the store's, unchanged */
    struct ves_verdict_event *older, *earlier; /* of the entity */
    struct ves_verdict_event *next_changed, *next_waiting, *next_waking;
};

struct ves_verdict_conflict {
    struct ves_conflict_row row;
    bool is_changed;
    bool was_there, was_open;          /* before the run */
    struct ves_verdict_conflict *next; /* of those met in the run */
};

/* Which events refer to which entities, for the numbers from `from` to `to`;
 * read when a delete asks. */
struct ves_referrer {
    uint64_t sequence;
    struct ves_hash key; /* of the entity it refers to */
};

struct ves_referrers {
    struct ves_referrer *items;
    size_t count, room;
    uint64_t from, to; /* to 0: nothing yet */
};

struct ves_verdict_host {
    void *ctx;
    /* An entity, loaded at first sight. */
    enum ves_status (*entity)(void *ctx, const struct ves_hash *key,
                              struct ves_verdict_entity **out);
    /* The same by its name, whose texts go again: stores find that at once, and
     * a mere key along a list that is as long as somebody made it. */
    enum ves_status (*named)(void *ctx, const struct ves_entity_name *name);
    /* The judgement is written: a device folds.  Sets row->opposite of an
     * applied resolution if it knows it.  NULL: nothing to do. */
    enum ves_status (*written)(void *ctx, struct ves_verdict_event *event,
                               const struct ves_judgement *judgement);
};

struct ves_verdicts {
    struct ves_store *store;
    uint32_t stream_no;
    const struct ves_alloc *alloc;
    struct ves_arena *arena;  /* lives as long as the run */
    struct ves_arena scratch; /* one step */
    struct ves_arena waking;  /* one that waited, or its group */
    struct ves_verdict_host host;
    struct ves_rules_log *rules;       /* of the host */
    struct ves_uuid secret;            /* of the maps */
    uint64_t base;                     /* last sequence before the run */
    struct ves_verdict_event **events; /* number base + 1 ... */
    size_t count, room;
    struct ves_map stored;    /* sequence -> struct ves_verdict_event */
    struct ves_map conflicts; /* id -> struct ves_verdict_conflict */
    struct ves_map seen;      /* hash -> struct ves_seen, of one step */
    struct ves_map ids;       /* event id -> struct ves_verdict_event */
    size_t ids_count;         /* new events entered into ids */
    bool has_seen;
    size_t stored_count, stored_bytes;
    struct ves_verdict_event *changed; /* the store's */
    struct ves_verdict_event *waiting; /* new or changed, once waited */
    struct ves_verdict_event *awake;   /* is_waking */
    struct ves_verdict_conflict *first_conflict;
    struct ves_conflict_member *members; /* new ones */
    size_t member_count, member_room;
    bool is_waiting_known; /* the next two were read */
    bool is_waiting_long;  /* too many to keep: asked for one by one */
    struct ves_waiting *waits;
    size_t wait_count;
    struct ves_arena passing;         /* one event beyond those kept */
    struct ves_arena reading;         /* one envelope */
    struct ves_referrers referrers;   /* of the run */
    const struct ves_event *forecast; /* that follow the log for a moment */
    size_t forecast_count;
};

/* base: last sequence that has been judged; room: events that may be added at
 * most.  rules outlives the run.  secret as ves_map_init wants it. */
VES_NODISCARD enum ves_status
ves_verdicts_open(struct ves_verdicts *v, struct ves_store *store,
                  uint32_t stream_no, const struct ves_alloc *alloc,
                  struct ves_arena *arena, const struct ves_verdict_host *host,
                  struct ves_rules_log *rules, const struct ves_uuid *secret,
                  uint64_t base, size_t room);
void ves_verdicts_close(struct ves_verdicts *v);

/* The next event; row->sequence_number, ids, hash, agent, agent_seq,
 * entity_key and envelope must be set, subject as ves_judge_subject_read gave
 * it.  event may have its payload or not; all three must outlive the run. */
VES_NODISCARD enum ves_status
ves_verdicts_add(struct ves_verdicts *v, struct ves_log_row *row,
                 const struct ves_event *event,
                 const struct ves_judge_subject *subject);

/* Judges the last count events added, one or all members of a group, and all
 * that come free by them; rows and entities are as the judge says. */
VES_NODISCARD enum ves_status ves_verdicts_step(struct ves_verdicts *v,
                                                size_t count);

/* Judges events that follow the log as advice; out: count judgements whose
 * lists live until the next call. */
VES_NODISCARD enum ves_status ves_verdicts_forecast(
    struct ves_verdicts *v, struct ves_judge_subject *subjects,
    const struct ves_event *events, size_t count, struct ves_judgement *out);

/* Writes conflicts, their members and what changed of the store's rows.  The
 * host has written new rows before; entities are its own. */
VES_NODISCARD enum ves_status ves_verdicts_save(struct ves_verdicts *v);

/* ---- inside -------------------------------------------------------------- */

/* verdicts_rows.c: events from the store. */

/* The event with that sequence, of the run or the store. */
VES_NODISCARD enum ves_status ves_verdicts_find(struct ves_verdicts *v,
                                                uint64_t sequence,
                                                struct ves_verdict_event **out);
/* Up to base; its row without bodies.  Lives as long as the run, or, when very
 * many were loaded, until the next call. */
VES_NODISCARD enum ves_status ves_verdicts_load(struct ves_verdicts *v,
                                                uint64_t sequence,
                                                struct ves_verdict_event **out);
/* Of the run or the store; lives as long as the run however many were loaded:
 * for one that is changed, or looked at while others are. */
VES_NODISCARD enum ves_status ves_verdicts_hold(struct ves_verdicts *v,
                                                uint64_t sequence,
                                                struct ves_verdict_event **out);
/* Event and subject of one that is held, to judge it again; until released. */
VES_NODISCARD enum ves_status
ves_verdicts_wake(struct ves_verdicts *v, struct ves_verdict_event *event);
/* Forgets what ves_verdicts_wake() read, before `waking` is reset. */
void ves_verdicts_release(struct ves_verdicts *v);
/* Copies effects into arena, and as bytes. */
VES_NODISCARD enum ves_status ves_effects_keep(struct ves_arena *arena,
                                               struct ves_effects effects,
                                               struct ves_bytes *bytes,
                                               struct ves_effects *out);
/* Fills event->effects.  Until the next call only when has_effects stays
 * false. */
VES_NODISCARD enum ves_status
ves_verdicts_effects(struct ves_verdicts *v, struct ves_verdict_event *event);
/* The opposite of a resolution as JSON, by folding its entity from the first
 * event on: where no state is kept. */
VES_NODISCARD enum ves_status
ves_verdicts_replay(struct ves_verdicts *v, struct ves_verdict_event *event,
                    struct ves_bytes *opposite);

/* What is known of the opposite of a resolution; "": nothing yet. */
struct ves_bytes ves_verdict_opposite(const struct ves_verdict_event *event);

/* verdicts_view.c */
struct ves_judge_view ves_verdicts_view(struct ves_verdicts *v);
/* Visits the applied events of an entity, the last applied first. */
typedef bool ves_verdict_visitor(void *ctx, struct ves_verdict_event *event);
VES_NODISCARD enum ves_status
ves_verdicts_applied(struct ves_verdicts *v,
                     const struct ves_verdict_entity *entity,
                     ves_verdict_visitor *visit, void *ctx);
/* VES_OK and NULL when there is none. */
VES_NODISCARD enum ves_status
ves_verdicts_conflict(struct ves_verdicts *v, const struct ves_hash *id,
                      struct ves_verdict_conflict **out);

/* referrers.c: of the applied events among the last 4,096, those above a
 * number that refer to an entity; a function of struct ves_judge_view. */
VES_NODISCARD enum ves_status
ves_verdicts_referrers(void *ctx, const struct ves_hash *key, uint64_t above,
                       ves_judge_hash_visitor *visit, void *visit_ctx);

/* streak.c: the end of an entity's events, kept as events are written; a
 * function of struct ves_judge_view. */
VES_NODISCARD enum ves_status ves_verdicts_streak(void *ctx,
                                                  const struct ves_hash *key,
                                                  struct ves_judge_streak *out);
/* The event became what its row says; last and head_applied_at are of the
 * entity before it. */
void ves_verdicts_streak_move(const struct ves_verdict_event *event,
                              bool is_first_word, uint64_t last,
                              uint64_t head_applied_at);

/* Where an event the judge was shown in this step is; sequence 0: it was not.
 */
struct ves_seen {
    uint64_t sequence;
    struct ves_uuid event_id;
};
VES_NODISCARD enum ves_status
ves_verdicts_show(struct ves_verdicts *v,
                  const struct ves_verdict_event *event);
const struct ves_seen *ves_verdicts_seen(const struct ves_verdicts *v,
                                         const struct ves_hash *hash);

#endif
