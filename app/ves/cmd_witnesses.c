/* cmd_witnesses.c -- ves witnesses: who vouches for the log, and who must. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { POLICY_FILE_MAX = 64 * 1024 };

static const struct cli_option options[] = {
    {"policy", "FILE", "from now on this tlog-policy says what is witnessed"},
    {"no-policy", NULL, "from now on nothing is asked for"},
    {"lines", NULL, "print the log and the stores as lines of a policy"},
    {NULL, NULL, NULL}};

/* Lines to be put into a policy: the log's keys, then every store that may
 * cosign, this one first. */
static void print_lines(struct ves_jr *jr)
{
    size_t logs = ves_jr_count(jr, "/logKeys");
    size_t stores = ves_jr_count(jr, "/stores");

    for (size_t i = 0; i < logs; i++)
        printf("log %s%s%s\n", cli_str(jr, "/logKeys/%zu", i),
               ves_jr_has(jr, "/url") ? " " : "",
               ves_jr_has(jr, "/url") ? cli_str(jr, "/url") : "");
    for (size_t i = 0; i < 2 * stores; i++) {
        size_t at = i % stores;
        bool is_own = ves_jr_bool(jr, "/stores/%zu/own", at);
        if (is_own != (i < stores))
            continue;
        printf("witness %s%s-%s %s\n", is_own ? "this-store-" : "store-",
               cli_str(jr, "/stores/%zu/agentId", at),
               cli_str(jr, "/stores/%zu/keyId", at),
               cli_str(jr, "/stores/%zu/vkey", at));
    }
}

static void print_human(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/witnesses");

    printf("log        %s\n", ves_jr_has(jr, "/origin")
                                  ? cli_str(jr, "/origin")
                                  : "not known yet: pull first");
    printf("logged     up to event %s\n", cli_str(jr, "/logged"));
    if (!ves_jr_bool(jr, "/hasPolicy")) {
        puts("witnessed  nobody is asked for: there is no policy (--policy)");
    } else {
        printf("witnessed  up to event %s", cli_str(jr, "/witnessed"));
        if (ves_jr_has(jr, "/freshAt"))
            printf(", last said %s", cli_str(jr, "/freshAt"));
        puts(ves_jr_bool(jr, "/isStale") ? " (stale)" : "");
    }
    for (size_t i = 0; i < n; i++)
        printf("witness    %-20s up to event %s%s%s\n",
               cli_str(jr, "/witnesses/%zu/name", i),
               cli_str(jr, "/witnesses/%zu/size", i),
               ves_jr_has(jr, "/witnesses/%zu/cosignedAt", i) ? ", " : "",
               ves_jr_has(jr, "/witnesses/%zu/cosignedAt", i)
                   ? cli_str(jr, "/witnesses/%zu/cosignedAt", i)
                   : "");
    printf("this store cosigned up to event %s%s%s\n", cli_str(jr, "/own/size"),
           ves_jr_has(jr, "/own/cosignedAt") ? ", " : "",
           ves_jr_has(jr, "/own/cosignedAt") ? cli_str(jr, "/own/cosignedAt")
                                             : "");
}

/* No text is the word for no policy, and must not be what a file that cannot be
 * read, or is empty, comes to. */
static enum ves_status set_policy(struct cli *cli, struct ves_agent *agent)
{
    const char *path = cli_get(cli, "policy");
    size_t len = 0;

    if (!path)
        return ves_agent_set_policy(agent, NULL, 0, &cli->error);
    char *text = cli_read_file(cli, path, POLICY_FILE_MAX, &len);
    if (!text)
        return VES_IO;
    enum ves_status status = VES_INVALID;
    if (len > 0)
        status = ves_agent_set_policy(agent, text, len, &cli->error);
    else
        snprintf(cli->error.text, sizeof(cli->error.text),
                 "%.300s is empty; the policy was not changed; --no-policy "
                 "takes it away",
                 path);
    free(text);
    return status;
}

static int run(struct cli *cli)
{
    struct ves_agent *agent;
    enum ves_status status = VES_OK;
    bool is_change = cli_get(cli, "policy") || cli_get(cli, "no-policy");

    if (cli_get(cli, "policy") && cli_get(cli, "no-policy"))
        cli_usage(cli, "--policy or --no-policy");
    int code = cli_open(cli, !is_change, &agent);
    if (code)
        return code;
    if (is_change)
        status = set_policy(cli, agent);
    struct ves_jw *jw = cli_writer();
    if (!status)
        status = ves_agent_witnesses(agent, jw, &cli->error);
    ves_agent_close(agent);
    if (status) {
        ves_jw_free(jw);
        return cli_fail_here(cli, status);
    }
    if (cli->is_json && !cli_get(cli, "lines"))
        return cli_print(jw);
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    if (jr && cli_get(cli, "lines"))
        print_lines(jr);
    else if (jr)
        print_human(jr);
    ves_jr_free(jr);
    ves_jw_free(jw);
    return CLI_DONE;
}

const struct cli_command cli_cmd_witnesses = {
    .name = "witnesses",
    .args = "",
    .summary = "who vouches for the log, and who must",
    .is_store = true,
    .options = options,
    .run = run,
};
