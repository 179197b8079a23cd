/* judge_scan.h -- what the judge gathers from the log about one event.
 *
 * Inside src/core only.  semantics.md 3.2: C(y), Own(y), past(y).
 */
#ifndef VES_CORE_JUDGE_SCAN_H
#define VES_CORE_JUDGE_SCAN_H

#include "core/judge.h"

/* A list of hashes that grows in an arena. */
struct ves_hash_list {
    struct ves_hashes hashes;
    size_t cap;
};

VES_NODISCARD enum ves_status ves_hash_list_add(struct ves_hash_list *list,
                                                struct ves_arena *arena,
                                                const struct ves_hash *hash);
/* Ascending, without repetition. */
VES_NODISCARD enum ves_status ves_hash_list_sort(struct ves_hash_list *list,
                                                 struct ves_arena *arena);
void ves_hash_list_reverse(struct ves_hash_list *list);

/* Own(y): in the author's order. */
struct ves_judge_own {
    struct ves_judge_known *list;
    size_t count, cap;
};

struct ves_judge_scan {
    const struct ves_judge_view *view;
    struct ves_arena *arena;
    const struct ves_judge_subject *subject;
    bool has_effects;
    struct ves_effects effects; /* that C(y) is held against */
    bool is_delta;              /* of them, */
    int tombstone;              /* likewise */
    struct ves_judge_entity entity;
    struct ves_judge_own own;

    struct ves_hash_list concurrent; /* C(y), in the order of application */
    struct ves_hash_list hits;       /* those that do not commute */
    struct ves_hash_list fact_hits;  /* facts among them */
    bool meets_birth, meets_transition, meets_line; /* a hit and y do */
    uint64_t known_version; /* applied events with applied_at <= seen */
    bool has_known_head;
    struct ves_hash known_head; /* the last of them */
};

/* A scan of that subject; entity is to be filled first. */
struct ves_judge_scan
ves_judge_scan_of(const struct ves_judge_view *view, struct ves_arena *arena,
                  const struct ves_judge_subject *subject);
/* Fills entity. */
VES_NODISCARD enum ves_status
ves_judge_scan_entity(struct ves_judge_scan *scan);
/* Fills own.  Needs entity. */
VES_NODISCARD enum ves_status ves_judge_scan_own(struct ves_judge_scan *scan);
/* Fills the rest.  Needs entity; not own. */
VES_NODISCARD enum ves_status
ves_judge_scan_concurrent(struct ves_judge_scan *scan);
/* The events of past(y) numbered above base_version that are applied, and
 * whether one is a fact.  Needs all of the above. */
VES_NODISCARD enum ves_status ves_judge_scan_stale(struct ves_judge_scan *scan,
                                                   struct ves_hash_list *list,
                                                   bool *has_fact);

/* Is an event one of Own(y), by its numbers? */
bool ves_judge_is_own(const struct ves_judge_subject *subject,
                      const struct ves_uuid *agent, uint64_t agent_seq,
                      uint64_t sequence);

/* judge_resolve.c: the verdict on a ves.conflict.resolved. */
VES_NODISCARD enum ves_status ves_judge_resolution(struct ves_judge_scan *scan,
                                                   struct ves_judgement *out);

/* What a subject does, from itself or from the view. */
VES_NODISCARD enum ves_status
ves_judge_effects(const struct ves_judge_view *view, struct ves_arena *arena,
                  const struct ves_judge_subject *subject,
                  struct ves_effects *out);

/* judge.c: what both kinds of verdict end with. */
void ves_judge_apply(struct ves_judgement *out,
                     const struct ves_judge_scan *scan);
void ves_judge_join(struct ves_judgement *out,
                    const struct ves_hash *conflict_id);
void ves_judge_sub_code(struct ves_judgement *out, const char *sub_code);

#endif
