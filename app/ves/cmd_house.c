/* cmd_house.c -- ves settings, backup, prune. */
#include <string.h>

#include "cli.h"

static const struct cli_option no_options[] = {{NULL, NULL, NULL}};
static const struct cli_option prune_options[] = {
    {"days", "N", "keep bodies this long (default: outboxRetentionDays)"},
    {NULL, NULL, NULL}};

/* {"order":"merge",...}: names of types and words, nothing to be unescaped. */
static void print_strategies(const char *object)
{
    const char *at = object;

    while ((at = strchr(at, '"'))) {
        const char *name = at + 1;
        const char *end = strchr(name, '"');
        const char *value = end ? strchr(end + 1, '"') : NULL;
        const char *last = value ? strchr(value + 1, '"') : NULL;
        if (!last)
            return;
        printf("conflictStrategy.%.*s %.*s (file)\n", (int)(end - name), name,
               (int)(last - value - 1), value + 1);
        at = last + 1;
    }
}

/* NAME=VALUE ... or nothing. */
static int run_settings(struct cli *cli)
{
    struct ves_agent *agent;
    enum ves_status status = VES_OK;
    int code = cli_open(cli, cli->argc == 0, &agent);

    if (code)
        return code;
    /* All of them, or none. */
    if (cli->argc > 0)
        status = ves_agent_begin(agent, &cli->error);
    for (int i = 0; !status && i < cli->argc; i++) {
        char *value = strchr(cli->argv[i], '=');
        if (!value || value == cli->argv[i]) {
            ves_agent_close(agent);
            cli_usage(cli, "settings are given as NAME=VALUE");
        }
        *value++ = '\0';
        status = ves_agent_set(agent, cli->argv[i], value, &cli->error);
    }
    if (cli->argc > 0 && !status)
        status = ves_agent_commit(agent, &cli->error);
    else
        ves_agent_rollback(agent);
    struct ves_jw *jw = cli_writer();
    if (!status)
        status = ves_agent_settings(agent, jw, &cli->error);
    ves_agent_close(agent);
    if (status) {
        ves_jw_free(jw);
        return cli_fail_here(cli, status);
    }
    if (cli->is_json)
        return cli_print(jw);
    static const char *const names[] = {
        "autoSync",         "syncIntervalMs",      "batchSize",
        "maxRetries",       "retryBaseDelayMs",    "retryMaxDelayMs",
        "conflictStrategy", "outboxRetentionDays", "cosign"};
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    for (size_t i = 0; jr && i < sizeof(names) / sizeof(names[0]); i++)
        printf("%-20s %-10s (%s)\n", names[i],
               cli_str(jr, "/settings/%s", names[i]),
               cli_str(jr, "/sources/%s", names[i]));
    if (jr)
        print_strategies(ves_jr_str(jr, "/conflictStrategies"));
    ves_jr_free(jr);
    ves_jw_free(jw);
    return CLI_DONE;
}

static int run_backup(struct cli *cli)
{
    struct ves_agent *agent;
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    enum ves_status status = ves_agent_backup(agent, cli->argv[0], &cli->error);
    ves_agent_close(agent);
    if (status)
        return cli_fail_here(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        ves_jw_key(jw, "path");
        ves_jw_str(jw, cli->argv[0]);
        ves_jw_end(jw);
        return cli_print(jw);
    }
    printf("%s is a complete copy of %s (without its key: a second store "
           "that signs as the same agent would fork its history)\n",
           cli->argv[0], cli->db);
    return CLI_DONE;
}

static int run_prune(struct cli *cli)
{
    struct ves_agent *agent;
    uint64_t pruned = 0;
    int code = cli_open(cli, false, &agent);

    if (code)
        return code;
    uint64_t days = cli_number(cli, "days", 0, 36500,
                               ves_agent_setting(agent, "outboxRetentionDays"));
    enum ves_status status = ves_agent_prune(agent, days, &pruned, &cli->error);
    ves_agent_close(agent);
    if (status)
        return cli_fail_here(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        ves_jw_key(jw, "pruned");
        ves_jw_u64(jw, pruned);
        ves_jw_end(jw);
        return cli_print(jw);
    }
    printf("%llu bodies dropped; every hash and receipt is still there\n",
           (unsigned long long)pruned);
    return CLI_DONE;
}

const struct cli_command cli_cmd_settings = {
    .name = "settings",
    .args = "[NAME=VALUE...]",
    .summary = "show or change how this store syncs",
    .args_max = -1,
    .is_store = true,
    .options = no_options,
    .run = run_settings,
};
const struct cli_command cli_cmd_backup = {
    .name = "backup",
    .args = "FILE",
    .summary = "copy the store while it is in use",
    .args_min = 1,
    .args_max = 1,
    .is_store = true,
    .options = no_options,
    .run = run_backup,
};
const struct cli_command cli_cmd_prune = {
    .name = "prune",
    .args = "",
    .summary = "drop bodies of long synced events, keep hashes and receipts",
    .is_store = true,
    .options = prune_options,
    .run = run_prune,
};
