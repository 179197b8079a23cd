/* rules_log.h -- the rules that a stream's log holds, for one run.
 *
 * Inside src/engine only; the same for both roles.  Registrations are the
 * events of one entity (core/rules.h), so that finding them costs nothing
 * where there are none, and nothing is read before an event asks for a rule
 * the program does not have.  A run is a page, a commit, an append, a look.
 */
#ifndef VES_ENGINE_RULES_LOG_H
#define VES_ENGINE_RULES_LOG_H

#include "core/judge.h"
#include "core/rules.h"
#include "port/store.h"

struct ves_rules_log {
    struct ves_store *store;
    uint32_t stream_no;
    const struct ves_alloc *alloc;
    bool has_owner; /* else the stream can have no rules */
    struct ves_public_key owner;
    struct ves_rules **list; /* in the order of the log */
    size_t count, room;
    bool is_loaded;
    struct ves_alloc in_arena; /* of ves_rules_log_make */
};

/* owner NULL: the stream has none. */
void ves_rules_log_open(struct ves_rules_log *log, struct ves_store *store,
                        uint32_t stream_no, const struct ves_alloc *alloc,
                        const struct ves_public_key *owner);
void ves_rules_log_close(struct ves_rules_log *log);

/* One that lives in an arena with all it reads, and is not closed. */
VES_NODISCARD enum ves_status
ves_rules_log_make(struct ves_arena *arena, struct ves_store *store,
                   uint32_t stream_no, const struct ves_public_key *owner,
                   struct ves_rules_log **out);

/* The rules that an event with that sequence is read by; they live as long as
 * the run.  log NULL: the built-in ones. */
VES_NODISCARD enum ves_status ves_rules_log_at(struct ves_rules_log *log,
                                               const struct ves_event *event,
                                               uint64_t sequence,
                                               struct ves_rules_at *out);

/* Reads an event for the judge by them. */
VES_NODISCARD enum ves_status
ves_rules_log_subject(struct ves_rules_log *log, struct ves_arena *arena,
                      const struct ves_event *event, uint64_t sequence,
                      struct ves_judge_subject *out);

/* Reads what the store's log holds now, whether or not somebody asks. */
VES_NODISCARD enum ves_status ves_rules_log_load(struct ves_rules_log *log);

/* A new event of the run: what it registers is in force behind it.  Others
 * pass.  event has its payload.  A registration that registers nothing leaves
 * a status and words in *why, which may be NULL. */
VES_NODISCARD enum ves_status ves_rules_log_add(struct ves_rules_log *log,
                                                const struct ves_event *event,
                                                uint64_t sequence,
                                                struct ves_error *why);
/* The newest that was read so far, NULL for none. */
const struct ves_rules *ves_rules_log_newest(const struct ves_rules_log *log);
/* Forgets those above: they did not get into the log. */
void ves_rules_log_cut(struct ves_rules_log *log, uint64_t head);

#endif
