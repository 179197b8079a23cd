/* prop_judge.c -- the judge against its executable model.
 *
 * judge.py of the shared specification is read in place: its own generator
 * makes random histories of several offline agents, its own explorer every
 * history of a few small scopes, and after every event all
 * that changed must be the same here: verdicts, sub-codes, notes, members of
 * conflicts and what became of them, order of application, versions, heads,
 * states, tombstones.
 *
 * VES_SEED changes the seed, VES_EVENTS the number of events in long histories
 * and the number of short histories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "test/lib/test_judge_log.h"
#include "test/lib/test_util.h"
#include "json/jcs.h"

enum { EVENTS = 5000, HISTORIES = 20000 };

static struct test_judge_log *logs; /* two: one answers the odd way */
static struct ves_arena arena;
static struct ves_buf got;

/* What was met since the beginning, so that generators gone poor are noticed.
 */
static struct {
    char name[64];
    unsigned count;
} met[64];
static size_t met_count;

static void meet(const char *name)
{
    size_t i = 0;
    while (i < met_count && strcmp(met[i].name, name) != 0)
        i++;
    assert_true(i < sizeof(met) / sizeof(met[0]));
    if (i == met_count)
        snprintf(met[met_count++].name, sizeof(met[0].name), "%s", name);
    met[i].count++;
}

static unsigned times_met(const char *name)
{
    for (size_t i = 0; i < met_count; i++) {
        if (strcmp(met[i].name, name) == 0)
            return met[i].count;
    }
    return 0;
}

/* ---- what the model's event says ----------------------------------------- */

/* In the arena, with a NUL; NULL for null. */
static const char *text_of(const struct ves_json *node)
{
    struct ves_bytes bytes;
    if (ves_json_is_absent(node))
        return NULL;
    assert_int_equal(node->type, VES_JSON_STRING);
    uint8_t *text = ves_arena_bytes(&arena, node->string.len + 1);
    assert_non_null(text);
    bytes = node->string;
    memcpy(text, bytes.ptr, bytes.len);
    text[bytes.len] = '\0';
    return (const char *)text;
}

static const char *member_text(const struct ves_json *object, const char *name)
{
    return text_of(ves_json_member(object, name));
}

static uint64_t member_number(const struct ves_json *object, const char *name)
{
    uint64_t number;
    assert_true(ves_json_get_u64(object, name, &number));
    return number;
}

static enum ves_op op_of(const char *kind, const char *path)
{
    if (strcmp(kind, "set") == 0)
        return strcmp(path, "state") == 0 ? VES_OP_TRANSITION : VES_OP_SET;
    if (strcmp(kind, "add") == 0)
        return VES_OP_DELTA;
    if (strcmp(kind, "new") == 0)
        return VES_OP_CREATE;
    if (strcmp(kind, "del") == 0)
        return VES_OP_DELETE;
    assert_string_equal(kind, "restore");
    return VES_OP_RESTORE;
}

static struct test_effects effects_of(const struct ves_json *list)
{
    struct test_effects effects = {NULL, 0};

    effects.list = ves_arena_alloc(&arena, list->count * sizeof(*effects.list));
    assert_non_null(effects.list);
    for (const struct ves_json *o = list->first; o; o = o->next) {
        struct test_effect *effect = &effects.list[effects.count++];
        const struct ves_json *kind = o->first->next;
        const char *path = text_of(o->first);
        snprintf(effect->path, sizeof(effect->path), "%s", path);
        effect->op = op_of(text_of(kind), path);
        snprintf(effect->value, sizeof(effect->value), "%.*s",
                 (int)kind->next->text.len, (const char *)kind->next->text.ptr);
    }
    return effects;
}

static size_t texts_of(const struct ves_json *list, const char **out,
                       size_t max)
{
    size_t count = 0;
    for (const struct ves_json *item = list->first; item; item = item->next) {
        assert_true(count < max);
        out[count++] = text_of(item);
    }
    return count;
}

static enum ves_winner winner_of(const char *word)
{
    static const char *const words[] = {"", "branch", "applied", "merge",
                                        "undo"};
    for (size_t i = 1; i < 5; i++) {
        if (strcmp(word, words[i]) == 0)
            return (enum ves_winner)i;
    }
    fail_msg("winner %s", word);
    return VES_WINNER_NONE;
}

static void read_says(const struct ves_json *node, struct test_judge_says *says)
{
    const struct ves_json *res = ves_json_member(node, "res");

    memset(says, 0, sizeof(*says));
    says->name = member_text(node, "id");
    says->agent = member_text(node, "agent");
    says->entity = member_text(node, "ent");
    says->agent_seq = member_number(node, "n");
    says->seen = member_number(node, "seen");
    assert_true(ves_json_get_bool(node, "fact", &says->is_fact));
    says->has_base = !ves_json_is_absent(ves_json_member(node, "bver"));
    if (says->has_base)
        says->base_version = member_number(node, "bver");
    says->base_head = member_text(node, "bhead");
    says->ref = member_text(node, "ref");
    (void)texts_of(ves_json_member(node, "deps"), says->deps, 4);
    says->effects = effects_of(ves_json_member(node, "eff"));
    if (ves_json_is_absent(res))
        return;
    says->conflict_first = member_text(res, "first");
    says->over_count = texts_of(ves_json_member(res, "over"),
                                says->conflict_over, TEST_JUDGE_MAX);
    says->winner = winner_of(member_text(res, "winner"));
    says->input_count =
        texts_of(ves_json_member(res, "inputs"), says->inputs, TEST_JUDGE_MAX);
    says->supersedes = member_text(res, "supersedes");
}

/* ---- what we say of it, spelt as the driver does ------------------------- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_name(const char *name)
{
    if (name)
        ves_buf_putf(&got, "\"%s\"", name);
    else
        ves_buf_put_str(&got, "null");
}

static const char *name_of(const struct test_judge_log *log,
                           const struct ves_hash *hash)
{
    const struct test_judge_event *event = test_judge_log_hash(log, hash);
    assert_non_null(event);
    return event->name;
}

static void put_names(const struct test_judge_log *log,
                      struct ves_hashes hashes, bool is_sorted)
{
    const char *names[TEST_JUDGE_MAX];

    for (size_t i = 0; i < hashes.count; i++)
        names[i] = name_of(log, &hashes.list[i]);
    if (is_sorted)
        qsort(names, hashes.count, sizeof(names[0]), compare_names);
    ves_buf_put_str(&got, "[");
    for (size_t i = 0; i < hashes.count; i++) {
        ves_buf_put_str(&got, i > 0 ? "," : "");
        put_name(names[i]);
    }
    ves_buf_put_str(&got, "]");
}

static void put_conflict_id(const struct test_judge_log *log,
                            const struct ves_hash *id)
{
    const struct test_judge_conflict *conflict =
        test_judge_log_conflict(log, id);
    assert_non_null(conflict);
    ves_buf_put_str(&got, "[");
    put_name(name_of(log, &conflict->branch.list[0]));
    ves_buf_put_str(&got, ",");
    put_names(log, conflict->applied, true);
    ves_buf_put_str(&got, "]");
}

static void put_event(const struct test_judge_log *log,
                      const struct test_judge_event *event)
{
    const struct ves_judgement *now = &event->now;

    ves_buf_putf(&got, "[\"%s\",\"%s\",\"%s\",", event->name,
                 ves_verdict_name(now->verdict), now->sub_code);
    if (now->has_conflict_id)
        put_conflict_id(log, &now->conflict_id);
    else
        ves_buf_put_str(&got, "null");
    ves_buf_put_str(&got, ",");
    put_names(log, now->commuted, true);
    ves_buf_put_str(&got, ",");
    put_names(log, now->overrode, true);
    ves_buf_put_str(&got, "]");
}

static void put_conflict(const struct test_judge_log *log,
                         struct test_judge_conflict *conflict)
{
    const struct ves_judge_conflict *record = &conflict->record;

    ves_buf_put_str(&got, "[");
    put_conflict_id(log, &conflict->id);
    for (size_t i = 0; i < log->entity_count; i++) {
        if (ves_hash_equal(&log->entities[i].key, &record->entity_key))
            ves_buf_putf(&got, ",\"%s\",", log->entities[i].name);
    }
    put_names(log, conflict->branch, false);
    ves_buf_put_str(&got, ",");
    put_name(record->is_open ? NULL : name_of(log, &record->closed_by));
    ves_buf_putf(&got, ",\"%s\"]", ves_conflict_kind_name(conflict->kind));
}

static void put_entity(const struct test_judge_log *log,
                       const struct test_judge_entity *entity)
{
    const size_t *history = entity->history;

    ves_buf_putf(&got, "[\"%s\",%zu,\"%s\",[", entity->name, entity->version,
                 log->events[history[entity->version - 1]].name);
    for (size_t i = 0; i < entity->version; i++) {
        assert_int_equal(log->events[history[i]].version, i + 1);
        ves_buf_putf(&got, "%s\"%s\"", i > 0 ? "," : "",
                     log->events[history[i]].name);
    }
    ves_buf_put_str(&got, "],{");
    for (size_t i = 0; i < entity->state.count; i++)
        ves_buf_putf(&got, "%s\"%s\":%s", i > 0 ? "," : "",
                     entity->state.list[i].path, entity->state.list[i].value);
    ves_buf_put_str(&got, "},");
    put_name(entity->tombstone ? log->events[entity->tombstone - 1].name
                               : NULL);
    ves_buf_put_str(&got, "]");
}

/* Conflicts by the name of their first event, then of the others. */
static int compare_pieces(const void *a, const void *b)
{
    const struct ves_bytes *x = a, *y = b;
    return ves_bytes_compare(*x, *y);
}

/* Puts what is dirty; members of one kind sorted by their spelling, as the
 * driver's are. */
static void put_dirty(struct test_judge_log *log, bool is_entity)
{
    struct ves_bytes pieces[TEST_JUDGE_MAX];
    size_t count = 0;
    size_t start = got.len;
    size_t n = is_entity ? log->entity_count : log->conflict_count;

    for (size_t i = 0; i < n; i++) {
        if (is_entity ? !log->entities[i].is_dirty
                      : !log->conflicts[i].is_dirty)
            continue;
        size_t from = got.len;
        if (is_entity)
            put_entity(log, &log->entities[i]);
        else
            put_conflict(log, &log->conflicts[i]);
        struct ves_bytes piece = ves_bytes(got.ptr + from, got.len - from);
        assert_int_equal(ves_arena_copy(&arena, piece, &pieces[count++]),
                         VES_OK);
    }
    qsort(pieces, count, sizeof(pieces[0]), compare_pieces);
    got.len = start;
    for (size_t i = 0; i < count; i++) {
        ves_buf_put_str(&got, i > 0 ? "," : "");
        ves_buf_put_bytes(&got, pieces[i]);
    }
}

static struct ves_bytes spell(struct test_judge_log *log)
{
    bool is_first = true;

    ves_buf_reset(&got);
    ves_buf_put_str(&got, "{\"conflicts\":[");
    put_dirty(log, false);
    ves_buf_put_str(&got, "],\"entities\":[");
    put_dirty(log, true);
    ves_buf_put_str(&got, "],\"events\":[");
    for (size_t i = 0; i < log->count; i++) {
        if (!log->events[i].is_dirty)
            continue;
        ves_buf_put_str(&got, is_first ? "" : ",");
        put_event(log, &log->events[i]);
        is_first = false;
    }
    ves_buf_put_str(&got, "]}");
    assert_int_equal(ves_buf_status(&got), VES_OK);
    return ves_buf_view(&got);
}

/* ---- one event ----------------------------------------------------------- */

static void count(const struct test_judge_log *log)
{
    char name[64];

    for (size_t i = 0; i < log->count; i++) {
        const struct ves_judgement *now = &log->events[i].now;
        if (!log->events[i].is_dirty)
            continue;
        snprintf(name, sizeof(name), "%s %s%s", ves_verdict_name(now->verdict),
                 now->sub_code,
                 now->change == VES_CONFLICT_REOPENED ? "undo" : "");
        meet(name);
        if (i + 1 < log->count)
            meet("waited");
    }
}

/* The lines of the history so far. */
static char *history[TEST_JUDGE_MAX];
static size_t history_count;

static const struct ves_json *read_line(struct ves_bytes line,
                                        struct test_judge_says *says)
{
    const struct ves_json *root;

    ves_arena_reset(&arena);
    assert_int_equal(ves_json_read(&arena, line, NULL, &root, NULL), VES_OK);
    read_says(ves_json_member(root, "says"), says);
    return root;
}

/* Goes back to the first `keep` events of the history. */
static void go_back(size_t keep)
{
    struct test_judge_says says;

    assert_true(keep <= history_count);
    if (keep == history_count)
        return;
    for (size_t i = 0; i < 2; i++)
        test_judge_log_reset(&logs[i]);
    for (size_t n = 0; n < keep; n++) {
        (void)read_line(ves_bytes_str(history[n]), &says);
        for (size_t i = 0; i < 2; i++)
            (void)test_judge_log_step(&logs[i], &says);
    }
    while (history_count > keep)
        free(history[--history_count]);
}

static void keep_line(struct ves_bytes line)
{
    assert_true(history_count < TEST_JUDGE_MAX);
    history[history_count] = strndup((const char *)line.ptr, line.len);
    assert_non_null(history[history_count++]);
}

/* What was held against the model; of a scope, where its walk goes back a new
 * history begins. */
struct run {
    unsigned histories;
    unsigned events;
};

static void check_line(struct ves_bytes line, unsigned number, bool *is_new)
{
    struct test_judge_says says;
    uint64_t keep = member_number(read_line(line, &says), "keep");

    *is_new = keep < history_count || history_count == 0;
    go_back(keep);
    const struct ves_json *root = read_line(line, &says);
    const struct ves_json *want = ves_json_member(root, "want");
    keep_line(line);
    for (size_t i = 0; i < 2; i++) {
        (void)test_judge_log_step(&logs[i], &says);
        struct ves_bytes text = spell(&logs[i]);
        if (ves_bytes_equal(text, want->text))
            continue;
        fail_msg("event %u, seed %llu, log %zu\nsays %.*s\nwant %.*s\ngot  "
                 "%.*s",
                 number, (unsigned long long)member_number(root, "seed"), i,
                 (int)ves_json_member(root, "says")->text.len,
                 (const char *)ves_json_member(root, "says")->text.ptr,
                 (int)want->text.len, (const char *)want->text.ptr,
                 (int)text.len, (const char *)text.ptr);
    }
    count(&logs[0]);
}

/* Runs the driver with those arguments and holds every line against the
 * judge; no events (and skipped) when there is no model. */
static struct run run_model(const char *arguments)
{
    char command[1024];
    char *line = NULL;
    size_t cap = 0;
    ssize_t len;
    struct run run = {0, 0};
    bool is_new;

    snprintf(command, sizeof(command), "%s/spec/judge.py", test_shared_dir());
    if (access(command, R_OK) != 0) {
        print_message("# %s is not there\n", command);
        return run;
    }
    if (system("python3 -c 'import sys' > /dev/null 2>&1") != 0) {
        print_message("# python3 is not there\n");
        return run;
    }
    snprintf(command, sizeof(command),
             "python3 test/lib/judge_driver.py '%s/spec' %s", test_shared_dir(),
             arguments);
    print_message("# %s\n", command);
    go_back(0);
    FILE *model = popen(command, "r");
    assert_non_null(model);
    while ((len = getline(&line, &cap, model)) > 0) {
        check_line(ves_bytes(line, (size_t)len), ++run.events, &is_new);
        run.histories += is_new ? 1 : 0;
    }
    free(line);
    assert_int_equal(pclose(model), 0);
    assert_true(run.events > 0);
    print_message("# %u histories, %u events\n", run.histories, run.events);
    for (size_t i = 0; i < met_count; i++)
        print_message("# %7u %s\n", met[i].count, met[i].name);
    return run;
}

/* All interleavings of a few small scopes; VES_SOAK: of larger ones. */
static void agrees_in_every_small_history(void **state)
{
    (void)state;
    if (run_model(getenv("VES_SOAK") ? "soak" : "scopes").events == 0)
        skip();
}

static void agrees_with_the_model(void **state)
{
    static const char *const must_meet[] = {
        "applied ",
        "applied undo",
        "waiting ",
        "waited",
        "conflict same_field",
        "conflict state_transition",
        "conflict create_create",
        "conflict edit_delete",
        "conflict fact_fact",
        "conflict tail",
        "conflict closed_branch",
        "conflict stale_base",
        "conflict future_base",
        "conflict concurrent_delete",
        "conflict ref_deleted",
        "superseded already_resolved",
        "superseded branch_grew",
        "superseded head_moved",
    };
    const char *seed = getenv("VES_SEED");
    const char *events = getenv("VES_EVENTS");
    char arguments[64];
    (void)state;

    snprintf(arguments, sizeof(arguments), "%llu %llu",
             seed ? strtoull(seed, NULL, 0) : 1ULL,
             events ? strtoull(events, NULL, 0) : (unsigned long long)EVENTS);
    unsigned number = run_model(arguments).events;
    if (number == 0) {
        skip();
        return;
    }
    /* Fewer may be asked for, to look at one seed. */
    if (number < EVENTS && getenv("VES_EVENTS"))
        return;
    assert_true(number >= EVENTS);
    for (size_t i = 0; i < sizeof(must_meet) / sizeof(must_meet[0]); i++) {
        if (times_met(must_meet[i]) == 0)
            fail_msg("never met: %s", must_meet[i]);
    }
}

static void agrees_in_short_histories(void **state)
{
    const char *seed = getenv("VES_SEED");
    const char *asked = getenv("VES_EVENTS");
    unsigned long long histories = asked ? strtoull(asked, NULL, 0) : HISTORIES;
    char arguments[64];
    (void)state;

    snprintf(arguments, sizeof(arguments), "short %llu %llu",
             seed ? strtoull(seed, NULL, 0) : 1ULL, histories);
    struct run run = run_model(arguments);
    if (run.events == 0) {
        skip();
        return;
    }
    assert_int_equal(run.histories, histories);
}

static int set_up(void **state)
{
    (void)state;
    logs = calloc(2, sizeof(*logs));
    assert_non_null(logs);
    test_judge_log_init(&logs[0]);
    test_judge_log_init(&logs[1]);
    logs[1].is_odd = true;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 26);
    ves_buf_init(&got, ves_alloc_default(), (size_t)1 << 26);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    go_back(0);
    test_judge_log_free(&logs[0]);
    test_judge_log_free(&logs[1]);
    free(logs);
    ves_arena_free(&arena);
    ves_buf_free(&got);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_in_every_small_history),
        cmocka_unit_test(agrees_in_short_histories),
        cmocka_unit_test(agrees_with_the_model),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("judge", tests, set_up, tear_down);
}
