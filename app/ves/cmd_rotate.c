/* cmd_rotate.c -- ves keys rotate: the store's key gives way to its next one.
 */
#include "cli.h"

static int print_json(const struct ves_rotate_report *report)
{
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    ves_jw_key(jw, "keyId");
    ves_jw_u64(jw, report->key_id);
    ves_jw_key(jw, "publicKey");
    ves_jw_hex(jw, "0x", report->public_key.b, sizeof(report->public_key.b));
    ves_jw_end(jw);
    return cli_print(jw);
}

int cli_keys_rotate(struct cli *cli)
{
    const struct ves_sync_options options = {.progress = cli_progress,
                                             .progress_ctx = cli};
    struct ves_rotate_report report;
    struct ves_agent *agent;
    int code = cli_open(cli, false, &agent);

    if (code)
        return code;
    cli_catch_signals();
    enum ves_status status =
        ves_rotate_key(agent, &options, &report, &cli->error);
    cli_progress_end(cli);
    ves_agent_close(agent);
    if (status)
        return cli_fail(cli, status);
    if (cli->is_json)
        return print_json(&report);
    printf("key %lu signs from now on; the one after it is committed to\n",
           (unsigned long)report.key_id);
    return CLI_DONE;
}
