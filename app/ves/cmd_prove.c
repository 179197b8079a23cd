/* cmd_prove.c -- ves prove: events with the proof that they stand in the log.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct cli_option options[] = {
    {"out", "FILE", "the bundle, x.ves-bundle; -o for short"},
    {"policy-name", "NAME", "a hint for whoever verifies it"},
    {NULL, NULL, NULL}};

/* A number in the stream, or an event's id. */
static void read_event(struct cli *cli, const char *text,
                       struct ves_prove_event *out)
{
    char *end;

    memset(out, 0, sizeof(*out));
    if (strlen(text) < 20 && *text >= '1' && *text <= '9') {
        out->sequence_number = strtoull(text, &end, 10);
        if (*end == '\0')
            return;
        out->sequence_number = 0;
    }
    cli_uuid(cli, text, &out->event_id);
}

/* As --owner-key of ves verify takes it. */
static void print_owner(const struct ves_public_key *key)
{
    fputs("owner ", stdout);
    for (size_t i = 0; i < sizeof(key->b); i++)
        printf("%02x", key->b[i]);
    putchar('\n');
}

static int print(struct cli *cli, const struct ves_prove_report *report)
{
    const char *path = cli_get(cli, "out");

    if (!cli->is_json) {
        printf(
            "%s: %llu events in a log of %llu entries, with %llu about their "
            "keys, %llu bytes\n",
            cli_clean(path), (unsigned long long)report->events,
            (unsigned long long)report->tree_size,
            (unsigned long long)report->key_events,
            (unsigned long long)report->bytes);
        if (report->log_key[0])
            printf("log %s\n", cli_clean(report->log_key));
        if (report->has_owner_key)
            print_owner(&report->owner_key);
        return CLI_DONE;
    }
    struct ves_jw *jw = cli_writer();
    ves_jw_object(jw);
    ves_jw_key(jw, "path");
    ves_jw_str(jw, path);
    ves_jw_key(jw, "events");
    ves_jw_u64(jw, report->events);
    ves_jw_key(jw, "treeSize");
    ves_jw_u64(jw, report->tree_size);
    ves_jw_key(jw, "bytes");
    ves_jw_u64(jw, report->bytes);
    ves_jw_key(jw, "origin");
    ves_jw_str(jw, report->origin);
    ves_jw_key(jw, "logKey");
    ves_jw_str(jw, report->log_key);
    ves_jw_key(jw, "keyEvents");
    ves_jw_u64(jw, report->key_events);
    ves_jw_key(jw, "ownerKey");
    if (report->has_owner_key)
        ves_jw_hex(jw, "0x", report->owner_key.b, sizeof(report->owner_key.b));
    else
        ves_jw_null(jw);
    ves_jw_end(jw);
    return cli_print(jw);
}

static int run(struct cli *cli)
{
    struct ves_prove_report report;
    struct ves_agent *agent;

    if (!cli_get(cli, "out"))
        cli_usage(cli, "--out FILE is needed: where does the bundle go?");
    struct ves_prove_event *events = calloc((size_t)cli->argc, sizeof(*events));
    if (!events)
        return cli_fail_here(cli, VES_NOMEM);
    for (int i = 0; i < cli->argc; i++)
        read_event(cli, cli->argv[i], &events[i]);
    int code = cli_open(cli, false, &agent);
    if (code == CLI_DONE) {
        const struct ves_prove_options what = {.events = events,
                                               .count = (size_t)cli->argc,
                                               .path = cli_get(cli, "out"),
                                               .policy_name =
                                                   cli_get(cli, "policy-name")};
        enum ves_status status = ves_prove(agent, &what, &report, &cli->error);
        ves_agent_close(agent);
        code = status ? cli_fail(cli, status) : print(cli, &report);
    }
    free(events);
    return code;
}

const struct cli_command cli_cmd_prove = {
    .name = "prove",
    .args = "EVENT...",
    .summary = "write events with the proof that they stand in the log",
    .args_min = 1,
    .args_max = -1,
    .is_store = true,
    .options = options,
    .run = run,
};
