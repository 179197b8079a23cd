/* cmd_append.c -- ves append: sign one event and put it in the outbox. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "ves/rules.h"

static const struct cli_option options[] = {
    {"payload", "JSON|@FILE|-", "the event's payload, a JSON object"},
    {"command-id", "UUID", "the command this event carries out"},
    {"base-version", "N", "version the change was made on"},
    {"strict", NULL, "refuse an event type that nothing has rules for"},
    {NULL, NULL, NULL}};

enum { PAYLOAD_MAX = 16 * 1024 * 1024 };

/* A type without rules is carried, and so would be a mistyped one. */
static enum ves_status look_at_type(struct cli *cli, struct ves_agent *agent,
                                    const char *type,
                                    char near[VES_RULES_NAME_MAX + 1],
                                    bool *is_known)
{
    enum ves_status status =
        ves_rules_knows(agent, type, is_known, near, &cli->error);

    if (status || *is_known || !cli_get(cli, "strict"))
        return status;
    snprintf(cli->error.text, sizeof(cli->error.text),
             "nothing has rules for the event type %.150s%s%.150s%s; nothing "
             "was appended (--strict)",
             type, near[0] ? " (did you mean " : "", near, near[0] ? "?)" : "");
    return VES_INVALID;
}

/* Who wants such a type is not told each time that a script appends one. */
static void warn(struct cli *cli, const char *type, const char *near)
{
    if (!cli->is_json && (near[0] || isatty(STDERR_FILENO)))
        fprintf(stderr,
                "ves append: nothing has rules for the event type %s%s%s%s; it "
                "was appended, will be carried as it is and changes no "
                "entity\n",
                cli_clean(type), near[0] ? " (did you mean " : "", near,
                near[0] ? "?)" : "");
}

static int run(struct cli *cli)
{
    struct ves_append what = {.type = cli->argv[0],
                              .aggregate_id = cli->argv[1]};
    const char *payload = cli_get(cli, "payload");
    struct ves_agent *agent;
    struct ves_uuid event_id, command_id;
    char id[VES_UUID_TEXT + 1];
    char *text;
    size_t len;
    char near[VES_RULES_NAME_MAX + 1];
    bool is_known;

    if (!payload)
        cli_usage(cli, "a payload is needed: --payload JSON, @FILE or -");
    if (cli_get(cli, "command-id")) {
        cli_uuid(cli, cli_get(cli, "command-id"), &command_id);
        what.command_id = &command_id;
    }
    if (cli_get(cli, "base-version")) {
        what.has_base_version = true;
        what.base_version =
            cli_number(cli, "base-version", 0, (UINT64_C(1) << 53) - 1, 0);
    }
    text = cli_read_argument(cli, payload, PAYLOAD_MAX, &len);
    if (!text)
        return cli_fail(cli, VES_IO);
    what.payload.ptr = (const uint8_t *)text;
    what.payload.len = len;
    int code = cli_open(cli, false, &agent);
    if (code) {
        free(text);
        return code;
    }
    enum ves_status status =
        look_at_type(cli, agent, what.type, near, &is_known);
    if (!status)
        status = ves_append(agent, &what, &event_id, &cli->error);
    ves_agent_close(agent);
    free(text);
    if (status)
        return cli_fail_here(cli, status);
    if (!is_known)
        warn(cli, what.type, near);
    cli_uuid_text(&event_id, id);
    if (!cli->is_json) {
        puts(id);
        return CLI_DONE;
    }
    struct ves_jw *jw = cli_writer();
    ves_jw_object(jw);
    ves_jw_key(jw, "eventId");
    ves_jw_str(jw, id);
    ves_jw_key(jw, "status");
    ves_jw_str(jw, "pending");
    if (!is_known) {
        ves_jw_key(jw, "unknownType");
        ves_jw_bool(jw, true);
    }
    if (near[0]) {
        ves_jw_key(jw, "didYouMean");
        ves_jw_str(jw, near);
    }
    ves_jw_end(jw);
    return cli_print(jw);
}

const struct cli_command cli_cmd_append = {
    .name = "append",
    .args = "TYPE AGGREGATE_ID",
    .summary = "sign one event and put it in the outbox",
    .args_min = 2,
    .args_max = 2,
    .is_store = true,
    .options = options,
    .run = run,
};
