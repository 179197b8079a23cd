/* cmd_fetch.c -- ves fetch: some events of the stream, proven, without pulling
 * all of it.
 */
#include <string.h>

#include "cli.h"

static const struct cli_option options[] = {
    {"entity-type", "TYPE", "events about this type, such as order"},
    {"entity-id", "ID", "events about this entity"},
    {"out", "FILE", "write them as a bundle, too; -o for short"},
    {"policy-name", "NAME", "a hint for whoever verifies the bundle"},
    {NULL, NULL, NULL}};

static const char not_proven[] =
    "that the sequencer left no such event out: what lies between is covered "
    "by hashes, which do not tell what they are of";

static bool print_event(void *ctx, const struct ves_fetch_event *event)
{
    (void)ctx;
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), event->envelope);
    if (!jr)
        return false;
    printf("%6llu  %s  %-20s %-10s %s\n",
           (unsigned long long)event->sequence_number,
           cli_str(jr, "/created_at"), cli_str(jr, "/event_type"),
           cli_str(jr, "/entity_type"), cli_str(jr, "/entity_id"));
    ves_jr_free(jr);
    return !ferror(stdout);
}

static bool write_event(void *ctx, const struct ves_fetch_event *event)
{
    struct ves_jw *jw = ctx;
    ves_jw_object(jw);
    ves_jw_key(jw, "sequenceNumber");
    ves_jw_u64(jw, event->sequence_number);
    ves_jw_key(jw, "envelope");
    ves_jw_raw(jw, event->envelope);
    ves_jw_end(jw);
    return true;
}

static void print_report(const struct ves_fetch_report *report,
                         const char *path)
{
    if (report->events == 0) {
        printf("the sequencer shows no such event in a signed log of %llu "
               "entries\n",
               (unsigned long long)report->tree_size);
        printf("NOT PROVEN  %s\n", not_proven);
        return;
    }
    printf("PROVEN      %llu events, where each stands in a signed log of %llu "
           "entries, its signature by a key of the sequencer's signed list%s\n",
           (unsigned long long)report->events,
           (unsigned long long)report->tree_size,
           report->receipts == report->events ? ", its receipt" : "");
    printf("NOT PROVEN  %s\n", not_proven);
    if (!path)
        return;
    printf("%s: %llu bytes\n", cli_clean(path),
           (unsigned long long)report->bytes);
    if (report->log_key[0])
        printf("log %s\n", cli_clean(report->log_key));
}

static void write_report(struct ves_jw *jw,
                         const struct ves_fetch_report *report,
                         const char *path)
{
    ves_jw_key(jw, "count");
    ves_jw_u64(jw, report->events);
    ves_jw_key(jw, "receipts");
    ves_jw_u64(jw, report->receipts);
    ves_jw_key(jw, "treeSize");
    ves_jw_u64(jw, report->tree_size);
    ves_jw_key(jw, "origin");
    ves_jw_str(jw, report->origin);
    ves_jw_key(jw, "logKey");
    ves_jw_str(jw, report->log_key);
    ves_jw_key(jw, "received");
    ves_jw_u64(jw, report->received);
    ves_jw_key(jw, "notProven");
    ves_jw_str(jw, not_proven);
    ves_jw_key(jw, "path");
    ves_jw_str(jw, path);
    ves_jw_key(jw, "bytes");
    ves_jw_u64(jw, report->bytes);
    ves_jw_end(jw);
}

static int run(struct cli *cli)
{
    struct ves_fetch_report report;
    struct ves_agent *agent;

    if (!cli_get(cli, "entity-type") && !cli_get(cli, "entity-id"))
        cli_usage(cli, "--entity-type TYPE or --entity-id ID is needed; "
                       "everything is what pull is for");
    int code = cli_open(cli, false, &agent);
    if (code)
        return code;
    cli_catch_signals();
    struct ves_jw *jw = cli_writer();
    const struct ves_fetch_options what = {
        .entity_type = cli_get(cli, "entity-type"),
        .entity_id = cli_get(cli, "entity-id"),
        .path = cli_get(cli, "out"),
        .policy_name = cli_get(cli, "policy-name"),
        .visit = cli->is_json ? write_event : print_event,
        .visit_ctx = jw,
        .progress = cli_progress,
        .progress_ctx = cli};
    ves_jw_object(jw);
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    enum ves_status status = ves_fetch(agent, &what, &report, &cli->error);
    ves_agent_close(agent);
    cli_progress_end(cli);
    ves_jw_end(jw);
    if (!status && cli->is_json) {
        write_report(jw, &report, what.path);
        return cli_print(jw);
    }
    ves_jw_free(jw);
    if (status)
        return cli_fail(cli, status);
    print_report(&report, what.path);
    return CLI_DONE;
}

const struct cli_command cli_cmd_fetch = {
    .name = "fetch",
    .args = "",
    .summary = "show some events of the stream, proven, without pulling it",
    .is_store = true,
    .options = options,
    .run = run,
};
