/* cmd_init.c -- ves init: a new store out of an invitation. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct cli_option options[] = {
    {"invite", "STRING|@FILE|-", "what ves admin invite printed"},
    {"seal", NULL, "seal the key file with a passphrase"},
    {NULL, NULL, NULL}};

static int run(struct cli *cli)
{
    struct ves_join_options join = {0};
    struct ves_agent_info info;
    struct ves_agent *agent;
    char a[VES_UUID_TEXT + 1], t[VES_UUID_TEXT + 1], s[VES_UUID_TEXT + 1];
    size_t len;

    if (!cli_get(cli, "invite"))
        cli_usage(cli, "an invitation is needed: --invite STRING, @FILE or - "
                       "(ask the operator for \"ves admin invite\")");
    char *text =
        cli_read_argument(cli, cli_get(cli, "invite"), 64 * 1024, &len);
    if (!text)
        return cli_fail(cli, VES_IO);
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    cli_store_options(cli, &join.store);
    join.invitation.ptr = (const uint8_t *)text;
    join.invitation.len = len;
    join.seal_key = cli_get(cli, "seal") != NULL;
    enum ves_status status = ves_join(&join, &agent, &cli->error);
    explicit_bzero(text, strlen(text));
    free(text);
    if (status)
        return cli_fail(cli, status);
    ves_agent_info(agent, &info);
    cli_uuid_text(&info.agent, a);
    cli_uuid_text(&info.stream.tenant, t);
    cli_uuid_text(&info.stream.store, s);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_jw_object(jw);
        ves_jw_key(jw, "path");
        ves_jw_str(jw, cli->db);
        ves_jw_key(jw, "tenantId");
        ves_jw_str(jw, t);
        ves_jw_key(jw, "storeId");
        ves_jw_str(jw, s);
        ves_jw_key(jw, "agentId");
        ves_jw_str(jw, a);
        ves_jw_key(jw, "sequencerUrl");
        ves_jw_str(jw, info.url);
        ves_jw_end(jw);
        ves_agent_close(agent);
        return cli_print(jw);
    }
    printf("%s is ready: agent %s of store %s, sequencer %s\n", cli->db, a, s,
           cli_clean(info.url));
    ves_agent_close(agent);
    return CLI_DONE;
}

const struct cli_command cli_cmd_init = {
    .name = "init",
    .args = "",
    .summary = "make a new store out of an invitation",
    .is_store = true,
    .options = options,
    .run = run,
};
