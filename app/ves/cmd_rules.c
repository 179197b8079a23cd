/* cmd_rules.c -- ves admin rules: event types of one's own. */
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "ves/rules.h"

enum { DOCUMENT_MAX = 1024 * 1024 };

static void print_types(struct ves_jr *jr, const char *at, const char *indent)
{
    char pointer[64];

    snprintf(pointer, sizeof(pointer), "%s/types", at);
    size_t count = ves_jr_count(jr, "%s", pointer);
    for (size_t i = 0; i < count; i++)
        printf("%s%s/%llu  %s, base %s, merge %s\n", indent,
               cli_str(jr, "%s/%zu/name", pointer, i),
               (unsigned long long)ves_jr_u64(jr, "%s/%zu/version", pointer, i),
               cli_str(jr, "%s/%zu/class", pointer, i),
               cli_str(jr, "%s/%zu/base", pointer, i),
               cli_str(jr, "%s/%zu/merge", pointer, i));
}

/* What check and apply say, for people. */
static void print_checked(struct ves_jr *jr, bool is_applied)
{
    unsigned long long count = (unsigned long long)ves_jr_u64(jr, "/newTypes");

    if (is_applied && !ves_jr_has(jr, "/eventId"))
        puts("nothing new: these rules are in force already");
    else if (is_applied)
        printf("%s\n%llu new types; in force when this event is synced "
               "(ves sync)\n",
               cli_str(jr, "/eventId"), count);
    else
        printf("good; %llu new types\n", count);
    print_types(jr, "", "  ");
}

static void print_shown(struct ves_jr *jr)
{
    size_t count = ves_jr_count(jr, "/rules");

    if (count == 0)
        puts("no rules in this store's log; the built-in types are in force");
    for (size_t i = 0; i < count; i++) {
        char at[32];
        snprintf(at, sizeof(at), "/rules/%zu", i);
        printf("behind number %llu:\n",
               (unsigned long long)ves_jr_u64(jr, "%s/sequenceNumber", at));
        print_types(jr, at, "  ");
    }
}

static int print(struct cli *cli, const char *act, struct ves_jw *jw)
{
    if (cli->is_json)
        return cli_print(jw);
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    if (jr && strcmp(act, "show") == 0)
        print_shown(jr);
    else if (jr)
        print_checked(jr, strcmp(act, "apply") == 0);
    bool is_read = jr != NULL;
    ves_jr_free(jr);
    ves_jw_free(jw);
    return is_read ? CLI_DONE : CLI_FAILED;
}

static enum ves_status do_act(struct cli *cli, const char *act,
                              struct ves_agent *agent, struct ves_bytes text,
                              struct ves_jw *jw)
{
    if (strcmp(act, "check") == 0)
        return ves_rules_check(agent, text, jw, &cli->error);
    if (strcmp(act, "show") == 0)
        return ves_rules_show(agent, jw, &cli->error);
    return ves_rules_apply(agent, cli_get(cli, "key-file"), text, jw,
                           &cli->error);
}

/* The arguments after "rules". */
static const char *read_arguments(struct cli *cli)
{
    const char *act = cli->argc > 1 ? cli->argv[1] : "";
    bool has_file = strcmp(act, "check") == 0 || strcmp(act, "apply") == 0;

    if (!has_file && strcmp(act, "show") != 0)
        cli_usage(cli, "rules needs apply FILE, check FILE or show");
    if (cli->argc != (has_file ? 3 : 2))
        cli_usage(cli, has_file ? "which file?" : "show takes no file");
    if (!cli->db && strcmp(act, "check") != 0)
        cli_usage(cli, "--db FILE is needed: the store of the stream");
    if (strcmp(act, "apply") == 0 && !cli_get(cli, "key-file"))
        cli_usage(cli, "--key-file FILE is needed: the admin key, beside which "
                       "the owner's key lies");
    return act;
}

int cli_admin_rules(struct cli *cli)
{
    struct ves_agent *agent = NULL;
    struct ves_bytes text = {NULL, 0};
    char *owned = NULL;

    cli->db = cli_get(cli, "db");
    const char *act = read_arguments(cli);
    if (cli->argc == 3) {
        owned = cli_read_file(cli, cli->argv[2], DOCUMENT_MAX, &text.len);
        if (!owned)
            return cli_fail(cli, VES_IO);
        text.ptr = (const uint8_t *)owned;
    }
    int code =
        cli->db ? cli_open(cli, strcmp(act, "apply") != 0, &agent) : CLI_DONE;
    if (code) {
        free(owned);
        return code;
    }
    struct ves_jw *jw = cli_writer();
    enum ves_status status = do_act(cli, act, agent, text, jw);
    ves_agent_close(agent);
    free(owned);
    if (status) {
        ves_jw_free(jw);
        return cli_fail_here(cli, status);
    }
    return print(cli, act, jw);
}
