/* cmd_epoch.c -- ves epoch: a log that goes on without its end, and this store.
 */
#include <string.h>

#include "cli.h"

static const struct cli_option options[] = {
    {"dry-run", NULL, "follow: say what would be done, and do nothing"},
    {NULL, NULL, NULL}};

static void put_u64(struct ves_jw *jw, const char *name, uint64_t value)
{
    ves_jw_key(jw, name);
    ves_jw_u64(jw, value);
}

static void put_bool(struct ves_jw *jw, const char *name, bool value)
{
    ves_jw_key(jw, name);
    ves_jw_bool(jw, value);
}

static int print_json(const struct ves_epoch_report *report, bool dry_run)
{
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    put_bool(jw, "dryRun", dry_run);
    put_u64(jw, "epoch", report->epoch);
    put_u64(jw, "common", report->common);
    put_u64(jw, "cursor", report->cursor);
    put_u64(jw, "others", report->others);
    put_u64(jw, "own", report->own);
    put_u64(jw, "sentAgain", report->again);
    put_u64(jw, "signedAgain", report->signed_again);
    put_bool(jw, "rotatedAgain", report->is_rotated_again);
    put_bool(jw, "needsKey", report->needs_key);
    ves_jw_end(jw);
    return cli_print(jw);
}

static void print_text(const struct ves_epoch_report *report, bool dry_run)
{
    printf(
        "epoch %llu of the log goes on from number %llu; this store %s back "
        "to there from number %llu\n"
        "  %llu events of others and %llu of its own, which were given up, "
        "%s kept here: ves epoch export FILE\n"
        "  %llu of its own %s sent again with the next sync, under their "
        "ids; %llu own events %s signed anew, without what they had seen of "
        "it\n"
        "  state and conflicts %s what they were at number %llu\n",
        (unsigned long long)report->epoch, (unsigned long long)report->common,
        dry_run ? "would go" : "went", (unsigned long long)report->cursor,
        (unsigned long long)report->others, (unsigned long long)report->own,
        dry_run ? "would be" : "are", (unsigned long long)report->again,
        dry_run ? "would be" : "are", (unsigned long long)report->signed_again,
        dry_run ? "would be" : "were", dry_run ? "would be" : "are",
        (unsigned long long)report->common);
    if (report->is_rotated_again)
        puts("  the rotation of this store's key was given up, too, and is "
             "asked for again first");
    if (report->needs_key)
        puts("  the registration of this store's key was given up, too: a new "
             "invitation to the stream registers it again (ves init --invite "
             "STRING, with this store)");
    puts(dry_run ? "nothing was changed" : "go on with: ves sync");
}

static int follow(struct cli *cli)
{
    struct ves_sync_options sync = {.progress = cli_progress,
                                    .progress_ctx = cli,
                                    .dry_run = cli_get(cli, "dry-run") != NULL};
    struct ves_epoch_report report;
    struct ves_agent *agent;
    int code = cli_open(cli, false, &agent);

    if (code)
        return code;
    cli_catch_signals();
    enum ves_status status =
        ves_epoch_follow(agent, &sync, &report, &cli->error);
    cli_progress_end(cli);
    ves_agent_close(agent);
    if (status == VES_NOT_FOUND || status == VES_UNSUPPORTED)
        return cli_fail_here(cli, status);
    if (status)
        return cli_fail(cli, status);
    if (cli->is_json)
        return print_json(&report, sync.dry_run);
    print_text(&report, sync.dry_run);
    return CLI_DONE;
}

static int given_up(struct cli *cli, const char *path)
{
    struct ves_agent *agent;
    uint64_t count;
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    enum ves_status status =
        ves_agent_given_up(agent, path, &count, &cli->error);
    ves_agent_close(agent);
    if (status)
        return cli_fail_here(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        put_u64(jw, "givenUp", count);
        if (path) {
            ves_jw_key(jw, "path");
            ves_jw_str(jw, path);
        }
        ves_jw_end(jw);
        return cli_print(jw);
    }
    if (path)
        printf("%llu events that were given up are in %s\n",
               (unsigned long long)count, cli_clean(path));
    else
        printf("%llu events that epochs of the log gave up are kept here\n",
               (unsigned long long)count);
    return CLI_DONE;
}

static int run(struct cli *cli)
{
    const char *what = cli->argc > 0 ? cli->argv[0] : "";

    if (cli->argc == 0)
        return given_up(cli, NULL);
    if (strcmp(what, "follow") == 0 && cli->argc == 1)
        return follow(cli);
    if (strcmp(what, "export") == 0 && cli->argc == 2)
        return given_up(cli, cli->argv[1]);
    cli_usage(cli, "what is to be done? ves epoch, ves epoch follow, or ves "
                   "epoch export FILE");
}

const struct cli_command cli_cmd_epoch = {
    .name = "epoch",
    .args = "[follow | export FILE]",
    .summary = "go on with a log that lost its end, and keep what it gave up",
    .args_max = 2,
    .is_store = true,
    .options = options,
    .run = run,
};
