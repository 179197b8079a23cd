/* test_judge_log.h -- a log in memory that answers the judge's questions.
 *
 * It keeps what core/judge.h asks an engine to keep, and folds a toy state
 * (path -> JSON text) with before-images, as the model judge.py does.  Nothing
 * in it is fast.  Whatever goes wrong in here ends the program.
 */
#ifndef VES_TEST_JUDGE_LOG_H
#define VES_TEST_JUDGE_LOG_H

#include "core/judge.h"

/* An effect with its value: JSON text, of a delta an integer. */
struct test_effect {
    char path[32];
    enum ves_op op;
    char value[32];
};

struct test_effects {
    struct test_effect *list;
    size_t count;
};

struct test_judge_event {
    char name[16]; /* its hash is SHA-256 of it */
    struct ves_judge_subject subject;
    struct test_effects values;   /* behind subject.effects */
    struct test_effects opposite; /* once applied */
    struct ves_judgement now;     /* lists live in the log's arena */
    struct ves_effects applied;   /* effects as applied */
    uint64_t applied_at, version;
    bool is_dirty; /* judged in this step */
};

struct test_judge_conflict {
    struct ves_hash id;
    struct ves_judge_conflict record;
    struct ves_hashes branch, applied;
    enum ves_conflict_kind kind;
    bool is_dirty;
};

struct test_judge_entity {
    char name[16]; /* its key is SHA-256 of it */
    struct ves_hash key;
    size_t *history; /* events in the order of application */
    size_t version;
    struct test_effects state; /* path and value of each member */
    size_t tombstone;          /* event + 1, 0: none in force */
    bool is_dirty;
};

enum { TEST_JUDGE_MAX = 512 };

struct test_judge_log {
    struct ves_arena arena;
    struct ves_arena waking;
    struct test_judge_event events[TEST_JUDGE_MAX];
    size_t count;
    struct test_judge_conflict conflicts[TEST_JUDGE_MAX];
    size_t conflict_count;
    struct test_judge_entity entities[16];
    size_t entity_count;
    /* Answer in other ways that must make no difference: own events in
     * another order, nothing known of what was written. */
    bool is_odd;
    uint64_t visited; /* events shown to visitors so far */
};

/* An event as a test writes it; names are short, "" or NULL is none. */
struct test_judge_says {
    const char *name, *agent, *entity;
    uint64_t agent_seq, seen;
    bool is_fact, is_foreign, is_free, is_carried;
    bool has_base;
    uint64_t base_version;
    const char *base_head;
    const char *ref;
    const char *deps[4];
    struct test_effects effects;
    /* a resolution: of the conflict that conflict_first opened over these */
    const char *conflict_first;
    const char *conflict_over[TEST_JUDGE_MAX];
    size_t over_count;
    enum ves_winner winner;
    const char *inputs[TEST_JUDGE_MAX];
    size_t input_count;
    const char *supersedes;
};

void test_judge_log_init(struct test_judge_log *log);
/* Forgets everything. */
void test_judge_log_reset(struct test_judge_log *log);
void test_judge_log_free(struct test_judge_log *log);

/* Appends, judges, and judges the waiting again; the event as it is after
 * that.  Dirty marks are those of this step. */
const struct test_judge_event *
test_judge_log_step(struct test_judge_log *log,
                    const struct test_judge_says *says);

/* Same for an atomic group; its first member. */
const struct test_judge_event *
test_judge_log_group(struct test_judge_log *log,
                     const struct test_judge_says *says, size_t count);

/* NULL when there is none. */
const struct test_judge_event *
test_judge_log_event(const struct test_judge_log *log, const char *name);
const struct test_judge_event *
test_judge_log_hash(const struct test_judge_log *log,
                    const struct ves_hash *hash);
const struct test_judge_conflict *
test_judge_log_conflict(const struct test_judge_log *log,
                        const struct ves_hash *id);
/* Makes it when it is new. */
struct test_judge_entity *test_judge_log_entity(struct test_judge_log *log,
                                                const char *name);
/* "" when the state has no such member. */
const char *test_judge_log_state(struct test_judge_log *log, const char *entity,
                                 const char *path);

/* The stream all of it is in. */
struct ves_stream test_judge_stream(void);

#endif
