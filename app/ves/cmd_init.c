/* cmd_init.c -- ves init: a new store out of an invitation, or, with a
 * sequencer that knows none, out of what its operator says. */
#include <stdlib.h>
#include <string.h>

#include "anchors.h"

static const struct cli_option options[] = {
    {"invite", "STRING|@FILE|-", "what ves admin invite printed"},
    {"seal", NULL, "seal the key file with a passphrase"},
    {"server", "URL", "instead of an invitation: a sequencer without them"},
    {"tenant", "UUID", "with --server: whose stream"},
    {"store", "UUID", "with --server: which of the tenant's"},
    {"sequencer-key", "KEY",
     "with --server: what its receipts are signed with"},
    {"api-key-file", "FILE", "with --server: the API key, from the operator"},
    {"agent-key", "AGENT/ID/KEY",
     "with --server: another agent's key (repeatable)"},
    {"agent", "UUID", "with --server: the agent the API key is for"},
    {NULL, NULL, NULL}};

enum { INVITATION_MAX = 64 * 1024, CREDENTIAL_MAX = 4096 };

static size_t trim(char *text, size_t len)
{
    while (len && strchr(" \t\r\n", text[len - 1]))
        len--;
    text[len] = '\0';
    return len;
}

static enum ves_status join(struct cli *cli, struct ves_agent **agent)
{
    struct ves_join_options join = {.seal_key = cli_get(cli, "seal") != NULL};
    size_t len;
    char *text =
        cli_read_argument(cli, cli_get(cli, "invite"), INVITATION_MAX, &len);

    if (!text)
        return VES_IO;
    cli_store_options(cli, &join.store);
    join.invitation.ptr = (const uint8_t *)text;
    join.invitation.len = trim(text, len);
    enum ves_status status = ves_join(&join, agent, &cli->error);
    explicit_bzero(text, strlen(text));
    free(text);
    return status;
}

static const char *need(struct cli *cli, const char *name)
{
    const char *value = cli_get(cli, name);

    if (!value)
        cli_usage(cli, "--server needs --tenant, --store, --sequencer-key and "
                       "--api-key-file, too");
    return value;
}

static enum ves_status trust(struct cli *cli, struct ves_agent *agent,
                             const struct ves_verify_anchors *anchors)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; !status && i < anchors->agent_count; i++) {
        const struct ves_verify_agent *key = &anchors->agents[i];
        status = ves_agent_trust_key(agent, &key->agent, key->key_id, &key->key,
                                     &cli->error);
    }
    return status;
}

static enum ves_status make(struct cli *cli, struct ves_agent **agent)
{
    struct ves_agent_identity identity = {.url = cli_get(cli, "server")};
    struct ves_agent_options store;
    struct cli_anchors anchors;
    size_t len;

    cli_uuid(cli, need(cli, "tenant"), &identity.stream.tenant);
    cli_uuid(cli, need(cli, "store"), &identity.stream.store);
    if (cli_get(cli, "agent"))
        cli_uuid(cli, cli_get(cli, "agent"), &identity.agent);
    (void)need(cli, "sequencer-key");
    cli_anchors_keys(cli, &anchors);
    if (anchors.anchors.sequencer_key_count != 1)
        cli_usage(cli, "--sequencer-key is given once");
    for (size_t i = 0; i < anchors.anchors.agent_count; i++) {
        if (anchors.agents[i].from_sequence || anchors.agents[i].until_sequence)
            cli_usage(cli, "--agent-key takes no FROM-UNTIL here");
    }
    identity.sequencer_key = &anchors.sequencer_keys[0];
    char *credential =
        cli_read_file(cli, need(cli, "api-key-file"), CREDENTIAL_MAX, &len);
    if (!credential)
        return VES_IO;
    (void)trim(credential, len);
    identity.credential = credential;
    cli_store_options(cli, &store);
    enum ves_status status =
        ves_agent_create(&store, &identity, agent, &cli->error);
    explicit_bzero(credential, strlen(credential));
    free(credential);
    if (status)
        return status;
    status = trust(cli, *agent, &anchors.anchors);
    if (status)
        ves_agent_close(*agent);
    return status;
}

static void check_usage(struct cli *cli)
{
    static const char *const others[] = {"tenant",        "store",
                                         "sequencer-key", "api-key-file",
                                         "agent",         "agent-key"};
    bool is_plain = cli_get(cli, "server") != NULL;

    if (is_plain == (cli_get(cli, "invite") != NULL))
        cli_usage(cli, "an invitation is needed: --invite STRING, @FILE or - "
                       "(ask the operator for \"ves admin invite\"); or "
                       "--server for a sequencer that has none");
    if (is_plain && cli_get(cli, "seal"))
        cli_usage(cli, "--seal goes with --invite");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        if (!is_plain && cli_get(cli, others[i]))
            cli_usage(cli, "--%s goes with --server", others[i]);
    }
}

static int print_json(const struct cli *cli, const struct ves_agent_info *info,
                      const char *tenant, const char *store, const char *agent)
{
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    ves_jw_key(jw, "path");
    ves_jw_str(jw, cli->db);
    ves_jw_key(jw, "tenantId");
    ves_jw_str(jw, tenant);
    ves_jw_key(jw, "storeId");
    ves_jw_str(jw, store);
    ves_jw_key(jw, "agentId");
    ves_jw_str(jw, agent);
    ves_jw_key(jw, "keyId");
    ves_jw_u64(jw, info->key_id);
    ves_jw_key(jw, "publicKey");
    ves_jw_hex(jw, "", info->public_key.b, sizeof(info->public_key.b));
    ves_jw_key(jw, "sequencerUrl");
    ves_jw_str(jw, info->url);
    ves_jw_end(jw);
    return cli_print(jw);
}

static void print_text(const struct cli *cli, const struct ves_agent_info *info,
                       const char *store, const char *agent)
{
    printf("%s is ready: agent %s of store %s, sequencer %s\n", cli->db, agent,
           store, cli_clean(info->url));
    if (!cli_get(cli, "server"))
        return;
    printf("the operator has to register its key %lu, ",
           (unsigned long)info->key_id);
    for (size_t i = 0; i < sizeof(info->public_key.b); i++)
        printf("%02x", info->public_key.b[i]);
    printf("\n");
}

static int run(struct cli *cli)
{
    struct ves_agent_info info;
    struct ves_agent *agent;
    char a[VES_UUID_TEXT + 1], t[VES_UUID_TEXT + 1], s[VES_UUID_TEXT + 1];
    int code = CLI_DONE;

    check_usage(cli);
    enum ves_status status =
        cli_get(cli, "server") ? make(cli, &agent) : join(cli, &agent);
    if (status)
        return cli_fail(cli, status);
    ves_agent_info(agent, &info);
    cli_uuid_text(&info.agent, a);
    cli_uuid_text(&info.stream.tenant, t);
    cli_uuid_text(&info.stream.store, s);
    if (cli->is_json)
        code = print_json(cli, &info, t, s, a);
    else
        print_text(cli, &info, s, a);
    ves_agent_close(agent);
    return code;
}

const struct cli_command cli_cmd_init = {
    .name = "init",
    .args = "",
    .summary = "make a new store out of an invitation",
    .is_store = true,
    .options = options,
    .run = run,
};
