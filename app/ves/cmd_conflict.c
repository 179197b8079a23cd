/* cmd_conflict.c -- ves conflicts, conflict and resolve. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "conflict_view.h"
#include "conflict_walk.h"
#include "ves/conflict.h"

enum { PAYLOAD_MAX = 1024 * 1024 };

static const struct cli_option conflicts_options[] = {
    {"state", "STATE", "open (default), resolved or all"},
    {"type", "TYPE", "concurrent_edit, version_mismatch or deleted_reference"},
    {"entity", "TYPE[/ID]", "only of that kind of entity, or of that one"},
    {"follow-ups", NULL, "only what else asks to be looked at"},
    {"limit", "N", "at most N of each, 1 to 1000 (default 100)"},
    {"after", "PLACE", "only those behind that place in the list"},
    {NULL, NULL, NULL}};
static const struct cli_option no_options[] = {{NULL, NULL, NULL}};
static const struct cli_option resolve_options[] = {
    {"strategy", "STRATEGY", "accept_local, accept_remote, merge or manual"},
    {"set", "/PATH=VALUE",
     "with merge or manual: the value there; repeatable; without VALUE it is "
     "taken away"},
    {"payload", "JSON",
     "with merge or manual: a patch of the current state; @FILE and - are "
     "read"},
    {"conflict", "ID", "which conflict, when the event is in several"},
    {"expect", "EVENT", "refuse if the other side is newer than that event"},
    {"reason", "TEXT", "why, for the history"},
    {"by", "NAME", "who decides (default: person)"},
    {"dry-run", NULL, "say what it would come to, write nothing"},
    {"undo", "EVENT|CONFLICT", "take the resolution of that conflict back"},
    {NULL, NULL, NULL}};

/* ---- documents ----------------------------------------------------------- */

/* What did not work: the problem in the document says more than the error. */
static int fail_with(struct cli *cli, enum ves_status status, struct ves_jw *jw)
{
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));

    ves_jw_free(jw);
    if (!jr || !cli->is_json || !ves_jr_has(jr, "/problem/code")) {
        ves_jr_free(jr);
        return cli_fail_here(cli, status);
    }
    struct ves_jw *out = cli_writer();
    const char *problem = ves_jr_str(jr, "/problem");
    ves_jw_object(out);
    ves_jw_key(out, "error");
    ves_jw_raw(out,
               (struct ves_bytes){(const uint8_t *)problem, strlen(problem)});
    ves_jw_end(out);
    cli_print_error(out);
    ves_jr_free(jr);
    int code = cli_exit_code(status);
    return code == CLI_REFUSED ? CLI_FAILED : code;
}

static int show(struct cli *cli, enum ves_status status, struct ves_jw *jw,
                void (*human)(struct ves_jr *jr), int code)
{
    if (status)
        return fail_with(cli, status, jw);
    if (cli->is_json) {
        int printed = cli_print(jw);
        return printed ? printed : code;
    }
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    ves_jw_free(jw);
    if (!jr)
        return cli_fail(cli, VES_NOMEM);
    human(jr);
    ves_jr_free(jr);
    return code;
}

/* ---- conflicts ----------------------------------------------------------- */

static void print_conflict(struct ves_jr *jr, size_t i)
{
    bool is_open =
        strcmp(ves_jr_str(jr, "/conflicts/%zu/status", i), "open") == 0;

    printf("%.12s  %s %s  %s (%s)  #%s\n",
           cli_str(jr, "/conflicts/%zu/conflictId", i),
           cli_str(jr, "/conflicts/%zu/entity/type", i),
           cli_str(jr, "/conflicts/%zu/entity/id", i),
           cli_str(jr, "/conflicts/%zu/conflictType", i),
           cli_str(jr, "/conflicts/%zu/subCode", i),
           cli_str(jr, "/conflicts/%zu/openedSequence", i));
    printf("    %s %s, %s\n", cli_str(jr, "/conflicts/%zu/eventType", i),
           cli_str(jr, "/conflicts/%zu/eventId", i),
           strcmp(ves_jr_str(jr, "/conflicts/%zu/origin", i), "own") == 0
               ? "written here"
               : "written elsewhere");
    if (!is_open)
        printf("    resolved%s: %s by %s%s%s\n",
               ves_jr_bool(jr, "/conflicts/%zu/resolution/isAutomatic", i)
                   ? " (auto)"
                   : "",
               cli_str(jr, "/conflicts/%zu/resolution/strategy", i),
               cli_str(jr, "/conflicts/%zu/resolution/resolver", i),
               ves_jr_has(jr, "/conflicts/%zu/resolution/reason", i) ? ": "
                                                                     : "",
               cli_str(jr, "/conflicts/%zu/resolution/reason", i));
    else if (ves_jr_bool(jr, "/conflicts/%zu/isPending", i))
        puts("    decided here; it takes effect once it is synced");
    else
        printf("    suggested: %s, because %s\n",
               cli_str(jr, "/conflicts/%zu/suggestedStrategy", i),
               cli_str(jr, "/conflicts/%zu/suggestionReason", i));
}

/* A shop that never counted its stock has one of each thing it sold: a few are
 * enough where nobody asked for them. */
static void print_follow_ups(struct ves_jr *jr)
{
    enum { FEW = 3 };
    uint64_t total = ves_jr_u64(jr, "/followUpTotal");
    size_t shown = follow_ups_print(jr, FEW);

    if (total > shown)
        printf("and %llu more to look at: ves conflicts --follow-ups\n",
               (unsigned long long)(total - shown));
}

static void human_follow_ups(struct ves_jr *jr)
{
    size_t shown = follow_ups_print(jr, SIZE_MAX);
    printf("%zu of %s to look at\n", shown, cli_str(jr, "/followUpTotal"));
}

static void human_conflicts(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/conflicts");

    for (size_t i = 0; i < n; i++)
        print_conflict(jr, i);
    puts(cli_str(jr, "/summary"));
    print_follow_ups(jr);
    if (ves_jr_has(jr, "/nextAfter"))
        printf("%zu of %s are shown; the next with --after %s\n", n,
               cli_str(jr, "/total"), cli_str(jr, "/nextAfter"));
    steps_print(jr);
}

static int run_conflicts(struct cli *cli)
{
    static const char *const states[] = {"open", "resolved", "all", NULL};
    static const char *const types[] = {"concurrent_edit", "version_mismatch",
                                        "deleted_reference", NULL};
    const char *entity = cli_get(cli, "entity");
    struct ves_conflicts_filter filter = {
        .state = cli_word(cli, "state", states),
        .conflict_type = cli_word(cli, "type", types),
        .after = cli_number(cli, "after", 0, INT64_MAX, 0),
        .limit = (uint32_t)cli_number(cli, "limit", 1, 1000, 100),
    };
    char *copy = entity ? strdup(entity) : NULL;
    char *slash = copy ? strchr(copy, '/') : NULL;
    struct ves_agent *agent;

    if (entity && (entity == strchr(entity, '/') || !*entity))
        cli_usage(cli, "--entity takes TYPE or TYPE/ID, such as order/ORD-1");
    int code = cli_open(cli, true, &agent);
    if (code) {
        free(copy);
        return code;
    }
    if (slash) {
        *slash = '\0';
        filter.entity_id = slash + 1;
    }
    filter.entity_type = copy;
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_conflicts(agent, &filter, jw, &cli->error);
    ves_agent_close(agent);
    free(copy);
    return show(cli, status, jw,
                cli_get(cli, "follow-ups") ? human_follow_ups : human_conflicts,
                CLI_DONE);
}

static void human_conflict(struct ves_jr *jr)
{
    conflict_print(jr);
    steps_print(jr);
}

static int run_conflict(struct cli *cli)
{
    struct ves_agent *agent;

    if (strcmp(cli->argv[0], "show") != 0)
        cli_usage(cli,
                  "\"%.40s\" cannot be done to a conflict here; it is "
                  "show, and ves resolve decides",
                  cli->argv[0]);
    int code = cli_open(cli, true, &agent);
    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    enum ves_status status =
        ves_conflict_show(agent, cli->argv[1], jw, &cli->error);
    ves_agent_close(agent);
    return show(cli, status, jw, human_conflict, CLI_DONE);
}

/* ---- resolve ------------------------------------------------------------- */

/* --set /path=value: the path ends at the first '=' that no part of it holds;
 * a name with one is given with --payload. */
static size_t read_sets(struct cli *cli, struct ves_resolve_set *sets,
                        char *paths[])
{
    const char *text;
    size_t at = 0, n = 0;

    while ((text = cli_next(cli, "set", &at))) {
        const char *equal = strchr(text, '=');
        if (text[0] != '/' || !equal)
            cli_usage(cli, "--set takes /PATH=VALUE, not \"%.60s\"", text);
        paths[n] = strndup(text, (size_t)(equal - text));
        if (!paths[n])
            exit(cli_fail(cli, VES_NOMEM));
        sets[n].path = paths[n];
        sets[n].value.ptr = (const uint8_t *)equal + 1;
        sets[n].value.len = strlen(equal + 1);
        sets[n].is_typed = true;
        n++;
    }
    return n;
}

static int exit_code_of(struct ves_jw *jw)
{
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    bool is_open =
        jr && strcmp(ves_jr_str(jr, "/outcome"), "awaiting_user") == 0;

    ves_jr_free(jr);
    return is_open ? CLI_PARTIAL : CLI_DONE;
}

static int decide(struct cli *cli, struct ves_agent *agent,
                  struct ves_resolve_options *options)
{
    struct ves_resolve_set sets[CLI_GIVEN_MAX];
    char *paths[CLI_GIVEN_MAX] = {NULL};
    const char *payload = cli_get(cli, "payload");
    char *text = NULL;
    size_t len = 0;

    options->sets = sets;
    options->set_count = read_sets(cli, sets, paths);
    if (payload) {
        text = cli_read_argument(cli, payload, PAYLOAD_MAX, &len);
        if (!text)
            return cli_fail(cli, VES_INVALID);
        options->patch.ptr = (const uint8_t *)text;
        options->patch.len = len;
    }
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_resolve(agent, options, jw, &cli->error);
    int code = show(cli, status, jw, conflict_print_outcome,
                    status ? CLI_DONE : exit_code_of(jw));
    free(text);
    for (size_t i = 0; i < options->set_count; i++)
        free(paths[i]);
    return code;
}

static int undo(struct cli *cli)
{
    struct ves_agent *agent;
    bool is_dry_run = cli_get(cli, "dry-run") != NULL;

    if (cli->argc > 0)
        cli_usage(cli, "--undo takes the place of EVENT");
    int code = cli_open(cli, is_dry_run, &agent);
    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    enum ves_status status =
        ves_resolve_undo(agent, cli_get(cli, "undo"), cli_get(cli, "reason"),
                         is_dry_run, jw, &cli->error);
    ves_agent_close(agent);
    return show(cli, status, jw, conflict_print_outcome, CLI_DONE);
}

static int run_resolve(struct cli *cli)
{
    static const char *const strategies[] = {"accept_local", "accept_remote",
                                             "merge", "manual", NULL};
    struct ves_resolve_options options = {
        .strategy = cli_word(cli, "strategy", strategies),
        .conflict_id = cli_get(cli, "conflict"),
        .reason = cli_get(cli, "reason"),
        .resolver = cli_get(cli, "by"),
        .dry_run = cli_get(cli, "dry-run") != NULL,
    };
    const char *expect = cli_get(cli, "expect");
    struct ves_uuid expected;
    struct ves_agent *agent;

    if (cli_get(cli, "undo"))
        return undo(cli);
    if (expect) {
        cli_uuid(cli, expect, &expected);
        options.expected_remote = &expected;
    }
    if (!options.strategy &&
        (cli->is_json || !isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
        cli_usage(cli, "which --strategy?  (In a terminal it would be asked "
                       "for.)");
    if (options.strategy && cli->argc == 0)
        cli_usage(cli, "which EVENT or CONFLICT?");
    int code = cli_open(cli, options.dry_run, &agent);
    if (code)
        return code;
    options.id = cli->argc > 0 ? cli->argv[0] : NULL;
    code = options.strategy ? decide(cli, agent, &options)
                            : conflict_walk(cli, agent, options.id);
    ves_agent_close(agent);
    return code;
}

const struct cli_command cli_cmd_conflicts = {
    .name = "conflicts",
    .args = "",
    .summary = "list conflicts, and what else asks to be looked at",
    .is_store = true,
    .options = conflicts_options,
    .run = run_conflicts,
};
const struct cli_command cli_cmd_conflict = {
    .name = "conflict",
    .args = "show EVENT|CONFLICT",
    .summary = "one conflict: both sides, what they began with, a suggestion",
    .args_min = 2,
    .args_max = 2,
    .is_store = true,
    .options = no_options,
    .run = run_conflict,
};
const struct cli_command cli_cmd_resolve = {
    .name = "resolve",
    .args = "[EVENT|CONFLICT]",
    .summary = "decide a conflict; in a terminal, all of them one by one",
    .args_max = 1,
    .is_store = true,
    .options = resolve_options,
    .run = run_resolve,
};
