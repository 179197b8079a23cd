/* cmd_policy.c -- ves admin policy: what an agent may send. */
#include <string.h>

#include "cli.h"
#include "ves/sync.h"

/* A list between commas; "" is none. */
static void put_rules(struct ves_jw *jw, const char *name, const char *list)
{
    ves_jw_key(jw, name);
    ves_jw_array(jw);
    while (*list) {
        size_t len = strcspn(list, ",");
        ves_jw_bytes(jw, (struct ves_bytes){(const uint8_t *)list, len});
        list += len + (list[len] == ',');
    }
    ves_jw_end(jw);
}

static struct ves_jw *write_body(struct cli *cli, const char *tenant,
                                 const char *events, const char *entities)
{
    struct ves_jw *jw = cli_writer();
    uint64_t payload_max =
        (uint64_t)cli_number(cli, "max-payload", 1, 10 * 1024 * 1024, 0);

    ves_jw_object(jw);
    ves_jw_key(jw, "tenantId");
    ves_jw_str(jw, tenant);
    put_rules(jw, "allowedEventTypes", events);
    put_rules(jw, "allowedEntityTypes", entities);
    ves_jw_key(jw, "requireBaseVersion");
    ves_jw_bool(jw, !cli_get(cli, "any-base"));
    ves_jw_key(jw, "maxPayloadBytes");
    if (payload_max)
        ves_jw_u64(jw, payload_max);
    else
        ves_jw_null(jw);
    ves_jw_key(jw, "enabled");
    ves_jw_bool(jw, !cli_get(cli, "off"));
    ves_jw_end(jw);
    return jw;
}

int cli_admin_policy(struct cli *cli)
{
    const char *tenant = cli_get(cli, "tenant"), *agent = cli_get(cli, "agent");
    const char *events = cli_get(cli, "allow-events"),
               *entities = cli_get(cli, "allow-entities");
    struct ves_bytes none = {NULL, 0};
    uint32_t http_status = 0;
    struct ves_jw *body = NULL;
    struct ves_uuid checked;
    char path[256];

    if (!tenant || !agent)
        cli_usage(cli, "policy wants --tenant UUID and --agent UUID");
    cli_uuid(cli, tenant, &checked);
    cli_uuid(cli, agent, &checked);
    if (!events != !entities ||
        (!events && (cli_get(cli, "max-payload") || cli_get(cli, "any-base") ||
                     cli_get(cli, "off"))))
        cli_usage(cli, "to set a policy, say all of it: --allow-events LIST "
                       "and --allow-entities LIST, and perhaps --max-payload, "
                       "--any-base, --off");
    if (events) {
        body = write_body(cli, tenant, events, entities);
        snprintf(path, sizeof(path), "/api/v1/agents/%s/policy", agent);
    } else {
        snprintf(path, sizeof(path), "/api/v1/agents/%s/policy?tenant_id=%s",
                 agent, tenant);
    }
    struct ves_jw *reply = cli_writer();
    enum ves_status status = ves_admin_call(
        cli_get(cli, "server"), cli_get(cli, "key-file"), cli_get(cli, "ca"),
        body ? "PUT" : "GET", path, body ? ves_jw_view(body) : none, reply,
        &http_status, &cli->error);
    ves_jw_free(body);
    if (status || ves_jw_view(reply).len == 0) {
        ves_jw_free(reply);
        return status ? cli_fail(cli, status) : CLI_FAILED;
    }
    int printed = cli_print(reply);
    return printed ? printed : http_status < 300 ? CLI_DONE : CLI_REFUSED;
}
