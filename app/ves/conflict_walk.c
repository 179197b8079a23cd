/* conflict_walk.c -- going through the open conflicts with a person. */
#include "conflict_walk.h"

#include <stdlib.h>
#include <string.h>

#include "conflict_view.h"
#include "ves/conflict.h"

enum { LINE_SIZE = 4096, SETS_MAX = 64, PAGE = 100 };

struct walk {
    struct cli *cli;
    struct ves_agent *agent;
    uint64_t decided, left;
    bool is_over; /* the person went away */
    char line[LINE_SIZE];
};

/* False at the end of input or when interrupted. */
static bool ask(struct walk *walk, const char *prompt)
{
    printf("%s%s%s ", cli_bold(), prompt, cli_plain());
    fflush(stdout);
    if (cli_is_stopped() || !fgets(walk->line, sizeof(walk->line), stdin)) {
        putchar('\n');
        walk->is_over = true;
        return false;
    }
    walk->line[strcspn(walk->line, "\r\n")] = '\0';
    return true;
}

/* ---- field by field ------------------------------------------------------ */

/* What a person wants each field to be; texts are owned. */
struct answers {
    struct ves_resolve_set sets[SETS_MAX];
    char *texts[SETS_MAX];
    size_t count;
};

static bool add(struct answers *answers, const char *path, const char *value,
                bool is_typed)
{
    size_t len = strlen(path) + 1;
    char *text = malloc(len + strlen(value) + 1);

    if (!text || answers->count == SETS_MAX) {
        free(text);
        return false;
    }
    memcpy(text, path, len);
    memcpy(text + len, value, strlen(value) + 1);
    answers->texts[answers->count] = text;
    answers->sets[answers->count++] = (struct ves_resolve_set){
        .path = text,
        .value = {(const uint8_t *)text + len, strlen(value)},
        .is_typed = is_typed,
    };
    return true;
}

static void forget(struct answers *answers)
{
    for (size_t i = 0; i < answers->count; i++)
        free(answers->texts[i]);
    answers->count = 0;
}

/* One field that both sides changed. */
static bool ask_field(struct walk *walk, struct ves_jr *jr, size_t i,
                      struct answers *answers)
{
    const char *path = ves_jr_str(jr, "/fields/%zu/path", i);
    char prompt[256];

    printf("%s\n  before  %s\n  ours    %s\n  theirs  %s\n", cli_clean(path),
           cli_clean(ves_jr_json(jr, "/fields/%zu/base", i)),
           cli_clean(ves_jr_json(jr, "/fields/%zu/ours", i)),
           cli_clean(ves_jr_json(jr, "/fields/%zu/theirs", i)));
    snprintf(prompt, sizeof(prompt),
             "o ours, t theirs, = and a value, b back:");
    while (ask(walk, prompt)) {
        if (strcmp(walk->line, "o") == 0)
            return add(answers, path, ves_jr_json(jr, "/fields/%zu/ours", i),
                       false);
        if (strcmp(walk->line, "t") == 0)
            return add(answers, path, ves_jr_json(jr, "/fields/%zu/theirs", i),
                       false);
        if (walk->line[0] == '=')
            return add(answers, path, walk->line + 1, true);
        if (strcmp(walk->line, "b") == 0)
            return false;
        puts("o, t, b, or = and what it should be");
    }
    return false;
}

/* Where only one side changed something, that is taken. */
static bool fill_answers(struct walk *walk, struct ves_jr *jr,
                         struct answers *answers)
{
    size_t n = ves_jr_count(jr, "/fields");

    for (size_t i = 0; i < n; i++) {
        if (ves_jr_bool(jr, "/fields/%zu/isOverlap", i)) {
            if (!ask_field(walk, jr, i, answers))
                return false;
            continue;
        }
        /* Theirs is the state as it is now, or ours is: either way only what
         * differs from the base has to be said. */
        const char *base = ves_jr_json(jr, "/fields/%zu/base", i);
        const char *ours = ves_jr_json(jr, "/fields/%zu/ours", i);
        const char *theirs = ves_jr_json(jr, "/fields/%zu/theirs", i);
        const char *value = strcmp(ours, base) != 0 ? ours : theirs;
        if (!add(answers, ves_jr_str(jr, "/fields/%zu/path", i), value, false))
            return false;
    }
    return true;
}

/* ---- one conflict -------------------------------------------------------- */

/* True when the conflict needs no more asking. */
static bool decide(struct walk *walk, struct ves_jr *shown,
                   const char *strategy, const struct answers *answers)
{
    char reason[LINE_SIZE] = "";
    struct ves_resolve_options options = {
        .id = ves_jr_str(shown, "/conflictId"),
        .strategy = strategy,
        .expected_version = ves_jr_str(shown, "/conflictVersion"),
        .sets = answers ? answers->sets : NULL,
        .set_count = answers ? answers->count : 0,
    };

    if (!ask(walk, "why? (for the history; may be empty)"))
        return false;
    snprintf(reason, sizeof(reason), "%s", walk->line);
    options.reason = reason[0] ? reason : NULL;
    memset(&walk->cli->error, 0, sizeof(walk->cli->error));
    struct ves_jw *jw = cli_writer();
    enum ves_status status =
        ves_resolve(walk->agent, &options, jw, &walk->cli->error);
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    ves_jw_free(jw);
    if (status)
        printf("%s%s%s\n", cli_red(), cli_clean(walk->cli->error.text),
               cli_plain());
    else if (jr)
        conflict_print_decided(jr);
    ves_jr_free(jr);
    walk->decided += status == VES_OK;
    return status == VES_OK;
}

/* CHANGED: it was refused, and what is shown may no longer be so. */
enum answer { AGAIN, DONE, CHANGED };

static enum answer field_by_field(struct walk *walk, struct ves_jr *shown)
{
    struct answers answers = {.count = 0};
    enum answer answer = AGAIN;

    if (fill_answers(walk, shown, &answers))
        answer = decide(walk, shown, "manual", &answers) ? DONE : CHANGED;
    forget(&answers);
    return answer;
}

static struct ves_jr *read_one(struct walk *walk, const char *id)
{
    struct ves_jw *jw = cli_writer();

    memset(&walk->cli->error, 0, sizeof(walk->cli->error));
    enum ves_status status =
        ves_conflict_show(walk->agent, id, jw, &walk->cli->error);
    struct ves_jr *jr =
        status ? NULL : ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    ves_jw_free(jw);
    return jr;
}

/* One question. */
static enum answer ask_one(struct walk *walk, struct ves_jr *shown)
{
    static const char *const strategies[] = {"accept_local", "accept_remote",
                                             "merge"};
    static const char keys[] = "otm";
    const char *key;

    if (!ask(walk, "o keep ours, t keep theirs, m merge, f field by field, "
                   "s skip, q quit:"))
        return DONE;
    if (walk->line[0] == '\0' || walk->line[1] != '\0')
        key = "?";
    else
        key = walk->line;
    if (strchr(keys, *key))
        return decide(walk, shown, strategies[strchr(keys, *key) - keys], NULL)
                   ? DONE
                   : CHANGED;
    switch (*key) {
    case 'f':
        return field_by_field(walk, shown);
    case 's':
        walk->left++;
        return DONE;
    case 'q':
        walk->is_over = true;
        return DONE;
    default:
        puts("one of the letters o, t, m, f, s and q");
        return AGAIN;
    }
}

/* Shows it and asks until it is decided, passed over or the person stops. */
static void one(struct walk *walk, const char *id)
{
    enum answer answer = CHANGED;

    while (answer == CHANGED && !walk->is_over) {
        struct ves_jr *shown = read_one(walk, id);
        if (!shown) {
            printf("%s\n", cli_clean(walk->cli->error.text));
            walk->left++;
            return;
        }
        conflict_print(shown);
        putchar('\n');
        do
            answer = ask_one(walk, shown);
        while (answer == AGAIN && !walk->is_over);
        ves_jr_free(shown);
    }
}

/* ---- all of them --------------------------------------------------------- */

/* Ids of open conflicts that nobody here has decided yet, from `after` on. */
static struct ves_jr *next_page(struct walk *walk, uint64_t after)
{
    const struct ves_conflicts_filter filter = {.after = after, .limit = PAGE};
    struct ves_jw *jw = cli_writer();
    enum ves_status status =
        ves_conflicts(walk->agent, &filter, jw, &walk->cli->error);
    struct ves_jr *jr =
        status ? NULL : ves_jr_new(ves_alloc_default(), ves_jw_view(jw));

    ves_jw_free(jw);
    return jr;
}

static int all(struct walk *walk)
{
    uint64_t after = 0, number = 0;

    do {
        struct ves_jr *jr = next_page(walk, after);
        if (!jr)
            return cli_fail(walk->cli, VES_IO);
        size_t n = ves_jr_count(jr, "/conflicts");
        for (size_t i = 0; i < n && !walk->is_over; i++) {
            number++;
            if (ves_jr_bool(jr, "/conflicts/%zu/isPending", i))
                continue;
            printf("\n%s%llu of %s%s\n", cli_bold(), (unsigned long long)number,
                   ves_jr_str(jr, "/total"), cli_plain());
            /* A refused event has no record with an id. */
            one(walk, ves_jr_has(jr, "/conflicts/%zu/conflictId", i)
                          ? ves_jr_str(jr, "/conflicts/%zu/conflictId", i)
                          : ves_jr_str(jr, "/conflicts/%zu/eventId", i));
        }
        after = ves_jr_u64(jr, "/nextAfter");
        ves_jr_free(jr);
    } while (after > 0 && !walk->is_over);
    return CLI_DONE;
}

int conflict_walk(struct cli *cli, struct ves_agent *agent, const char *id)
{
    struct walk walk = {.cli = cli, .agent = agent};
    int code = CLI_DONE;

    cli_catch_signals();
    if (id)
        one(&walk, id);
    else
        code = all(&walk);
    printf("%llu decided, %llu passed over\n", (unsigned long long)walk.decided,
           (unsigned long long)walk.left);
    if (walk.decided > 0)
        puts("next ves sync");
    if (code)
        return code;
    return walk.left > 0 || walk.is_over ? CLI_PARTIAL : CLI_DONE;
}
