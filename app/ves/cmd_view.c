/* cmd_view.c -- the commands that only look: status, outbox, show, log, trail,
 * entity, keys, quarantine, doctor, why.
 *
 * Each prints the library's document with --json, or a few lines of it. */
#include <string.h>

#include "cli.h"
#include "conflict_view.h"

static const struct cli_option no_options[] = {{NULL, NULL, NULL}};
static const struct cli_option outbox_options[] = {
    {"status", "STATUS", "pending, syncing, synced, failed or conflict"},
    {"limit", "N", "at most N events (default 50)"},
    {"after", "N", "only local sequence numbers above N"},
    {"settle", "EVENT",
     "a refused event was looked into and no longer counts as failed; needs "
     "--reason"},
    {"reason", "TEXT", "what you found, for the trail"},
    {NULL, NULL, NULL}};
static const struct cli_option log_options[] = {
    {"from", "N", "first sequence number (default: the newest N)"},
    {"limit", "N", "at most N events (default 20)"},
    {NULL, NULL, NULL}};
static const struct cli_option list_options[] = {
    {"limit", "N", "at most N lines (default 20)"}, {NULL, NULL, NULL}};
static const struct cli_option quarantine_options[] = {
    {"limit", "N", "at most N lines (default 20)"},
    {"settle", "ALERT", "settle the alert with that number; needs --reason"},
    {"reason", "TEXT", "what you found, for the trail"},
    {NULL, NULL, NULL}};
static const struct cli_option status_options[] = {
    {"probe", NULL, "ask the sequencer for its head first"},
    {NULL, NULL, NULL}};

/* Ends a view: prints the document, or hands it to `human`. */
static int show(struct cli *cli, struct ves_agent *agent, struct ves_jw *jw,
                enum ves_status status, void (*human)(struct ves_jr *jr))
{
    ves_agent_close(agent);
    if (status) {
        ves_jw_free(jw);
        return cli_fail(cli, status);
    }
    if (cli->is_json)
        return cli_print(jw);
    struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
    ves_jw_free(jw);
    if (!jr) {
        snprintf(cli->error.text, sizeof(cli->error.text),
                 "the answer cannot be laid out: it is too large (--limit asks "
                 "for less, --json for all of it), or the store is damaged "
                 "(ves doctor)");
        return cli_fail(cli, VES_LIMIT);
    }
    human(jr);
    ves_jr_free(jr);
    return CLI_DONE;
}

static void print_list(struct ves_jr *jr, const char *name, const char *title)
{
    size_t n = ves_jr_count(jr, "/%s", name);

    for (size_t i = 0; i < n; i++)
        printf("%s %s\n", i == 0 ? title : "     ",
               cli_str(jr, "/%s/%zu", name, i));
}

static void human_delivery(struct ves_jr *jr)
{
    const char *mode = cli_str(jr, "/delivery/mode");

    if (strcmp(mode, "none") == 0)
        printf("delivery  nobody follows the sequencer for this store now");
    else if (strcmp(mode, "stream") == 0)
        printf("delivery  told at once, since %s",
               cli_str(jr, "/delivery/since"));
    else
        printf("delivery  asked for from time to time, since %s (%s)",
               cli_str(jr, "/delivery/since"), cli_str(jr, "/delivery/why"));
    if (ves_jr_has(jr, "/delivery/toldAt"))
        printf("; last told of event %s, at %s",
               cli_str(jr, "/delivery/toldUpTo"),
               cli_str(jr, "/delivery/toldAt"));
    putchar('\n');
}

static void human_status(struct ves_jr *jr)
{
    const char *health = cli_str(jr, "/health");
    bool is_well =
        strcmp(health, "healthy") == 0 || strcmp(health, "pending_work") == 0;

    printf("%s%s%s%s: %s\n", cli_bold(), is_well ? cli_green() : cli_red(),
           health, cli_plain(), cli_str(jr, "/summary"));
    printf("outbox    pending %s  syncing %s  synced %s  failed %s  conflict "
           "%s\n",
           cli_str(jr, "/counts/pending"), cli_str(jr, "/counts/syncing"),
           cli_str(jr, "/counts/synced"), cli_str(jr, "/counts/failed"),
           cli_str(jr, "/counts/conflict"));
    printf("stream    pulled up to %s, the sequencer's head was %s when last "
           "seen\n",
           cli_str(jr, "/sequence/lastPulled"),
           cli_str(jr, "/sequence/remoteHead"));
    if (ves_jr_has(jr, "/finality/verifiedAt"))
        printf(
            "log       logged up to %s, witnessed up to %s; a signed head was "
            "verified at %s\n",
            cli_str(jr, "/finality/logged"), cli_str(jr, "/finality/witnessed"),
            cli_str(jr, "/finality/verifiedAt"));
    else
        puts("log       no signed head was verified yet: events are received, "
             "not logged");
    printf("last push %s  last pull %s\n",
           ves_jr_has(jr, "/lastPushAt") ? cli_str(jr, "/lastPushAt") : "never",
           ves_jr_has(jr, "/lastPullAt") ? cli_str(jr, "/lastPullAt")
                                         : "never");
    human_delivery(jr);
    if (ves_jr_u64(jr, "/unknownSchemaAt"))
        printf("state     cannot be compared since event %s\n",
               cli_str(jr, "/unknownSchemaAt"));
    else
        printf("state     %s at %s\n", cli_str(jr, "/stateHash"),
               cli_str(jr, "/stateAtSequence"));
    print_list(jr, "reasons", "note ");
    print_list(jr, "nextSteps", "next ");
}

static int run_status(struct cli *cli)
{
    bool probe = cli_get(cli, "probe") != NULL;
    struct ves_agent *agent;
    uint64_t head;
    int code = cli_open(cli, !probe, &agent);

    if (code)
        return code;
    /* A sequencer that does not answer is what status is to tell, not a
     * reason to fail. */
    if (probe && ves_probe(agent, &head, &cli->error))
        fprintf(stderr, "ves status: %s\n", cli_clean(cli->error.text));
    struct ves_jw *jw = cli_writer();
    return show(cli, agent, jw, ves_agent_status(agent, jw, &cli->error),
                human_status);
}

static void human_events(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/events");

    for (size_t i = 0; i < n; i++) {
        printf("%6s  %-8s %s  %-20s %s",
               cli_str(jr, "/events/%zu/localSequence", i),
               cli_str(jr, "/events/%zu/status", i),
               cli_str(jr, "/events/%zu/eventId", i),
               cli_str(jr, "/events/%zu/type", i),
               cli_str(jr, "/events/%zu/aggregateId", i));
        if (ves_jr_has(jr, "/events/%zu/sequenceNumber", i))
            printf("  #%s", cli_str(jr, "/events/%zu/sequenceNumber", i));
        if (ves_jr_has(jr, "/events/%zu/error", i))
            printf("  %s", cli_str(jr, "/events/%zu/error", i));
        putchar('\n');
    }
    printf("%zu of %s events\n", n, cli_str(jr, "/total"));
}

static int settle_event(struct cli *cli)
{
    char text[VES_UUID_TEXT + 1];
    struct ves_agent *agent;
    struct ves_uuid id;

    cli_uuid(cli, cli_get(cli, "settle"), &id);
    cli_uuid_text(&id, text);
    int code = cli_open(cli, false, &agent);
    if (code)
        return code;
    enum ves_status status =
        ves_agent_settle_event(agent, &id, cli_get(cli, "reason"), &cli->error);
    ves_agent_close(agent);
    if (status)
        return cli_fail_here(cli, status);
    if (!cli->is_json) {
        printf("event %s is settled; it stays refused, and the reason is in "
               "the trail\n",
               text);
        return CLI_DONE;
    }
    struct ves_jw *jw = cli_writer();
    ves_jw_object(jw);
    ves_jw_key(jw, "settled");
    ves_jw_str(jw, text);
    ves_jw_end(jw);
    return cli_print(jw);
}

static int run_outbox(struct cli *cli)
{
    struct ves_agent *agent;
    static const char *const statuses[] = {"pending", "syncing",  "synced",
                                           "failed",  "conflict", NULL};
    const char *status_word = cli_word(cli, "status", statuses);
    uint32_t limit = (uint32_t)cli_number(cli, "limit", 1, 100000, 50);
    uint64_t after = cli_number(cli, "after", 0, INT64_MAX, 0);

    if (!cli_get(cli, "settle") != !cli_get(cli, "reason"))
        cli_usage(cli, "--settle EVENT and --reason TEXT go together");
    if (cli_get(cli, "settle"))
        return settle_event(cli);
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(
        cli, agent, jw,
        ves_agent_outbox(agent, status_word, limit, after, jw, &cli->error),
        human_events);
}

static void human_log(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/events");

    for (size_t i = 0; i < n; i++) {
        printf("%8s  %-10s ", cli_str(jr, "/events/%zu/sequenceNumber", i),
               cli_str(jr, "/events/%zu/verdict", i));
        if (ves_jr_has(jr, "/events/%zu/event", i))
            printf("%s  %-20s %s\n",
                   cli_str(jr, "/events/%zu/event/eventId", i),
                   cli_str(jr, "/events/%zu/event/type", i),
                   cli_str(jr, "/events/%zu/event/aggregateId", i));
        else
            printf("%s  (body pruned)\n",
                   cli_str(jr, "/events/%zu/eventId", i));
    }
    printf("this store has the stream up to %s\n", cli_str(jr, "/cursor"));
}

/* Where the newest `limit` events begin. */
static enum ves_status newest(struct ves_agent *agent, uint32_t limit,
                              uint64_t *from, struct ves_error *error)
{
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_log(agent, INT64_MAX, 1, jw, error);

    *from = 1;
    if (!status) {
        struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
        uint64_t cursor = jr ? ves_jr_u64(jr, "/cursor") : 0;
        if (cursor > limit)
            *from = cursor - limit + 1;
        ves_jr_free(jr);
    }
    ves_jw_free(jw);
    return status;
}

static int run_log(struct cli *cli)
{
    struct ves_agent *agent;
    uint32_t limit = (uint32_t)cli_number(cli, "limit", 1, 100000, 20);
    uint64_t from = cli_number(cli, "from", 1, INT64_MAX, 0);
    enum ves_status status = VES_OK;
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    if (from == 0)
        status = newest(agent, limit, &from, &cli->error);
    struct ves_jw *jw = cli_writer();
    if (!status)
        status = ves_agent_log(agent, from, limit, jw, &cli->error);
    return show(cli, agent, jw, status, human_log);
}

static void human_document(struct ves_jr *jr)
{
    /* A single event is best read whole. */
    cli_print_indented(ves_jr_str(jr, "%s", ""));
}

static int run_show(struct cli *cli)
{
    struct ves_agent *agent;
    struct ves_uuid id;

    cli_uuid(cli, cli->argv[0], &id);
    int code = cli_open(cli, true, &agent);
    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(cli, agent, jw, ves_agent_show(agent, &id, jw, &cli->error),
                human_document);
}

static void human_why(struct ves_jr *jr)
{
    printf("%s\n", cli_str(jr, "/explanation"));
    print_list(jr, "nextSteps", "next ");
}

static int run_why(struct cli *cli)
{
    struct ves_agent *agent;
    struct ves_uuid id;

    cli_uuid(cli, cli->argv[0], &id);
    int code = cli_open(cli, true, &agent);
    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(cli, agent, jw, ves_agent_why(agent, &id, jw, &cli->error),
                human_why);
}

static void print_records(struct ves_jr *jr, const char *list)
{
    size_t n = ves_jr_count(jr, "/%s", list);

    for (size_t i = 0; i < n; i++)
        printf("%4s  %s  %-18s %s%s\n", cli_str(jr, "/%s/%zu/number", list, i),
               cli_str(jr, "/%s/%zu/at", list, i),
               cli_str(jr, "/%s/%zu/code", list, i),
               cli_str(jr, "/%s/%zu/detail", list, i),
               ves_jr_has(jr, "/%s/%zu/settledAt", list, i) ? "  (settled)"
                                                            : "");
    if (n == 0)
        puts("nothing");
}

static void human_trail(struct ves_jr *jr)
{
    print_records(jr, "operations");
}

static void human_quarantine(struct ves_jr *jr)
{
    puts("kept bytes:");
    print_records(jr, "quarantine");
    puts("alerts:");
    print_records(jr, "alerts");
    printf("%s kept and %s alerts are open\n", cli_str(jr, "/open"),
           cli_str(jr, "/openAlerts"));
}

static int run_trail(struct cli *cli)
{
    struct ves_agent *agent;
    uint32_t limit = (uint32_t)cli_number(cli, "limit", 1, 100000, 20);
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(cli, agent, jw, ves_agent_trail(agent, limit, jw, &cli->error),
                human_trail);
}

static int run_settle(struct cli *cli)
{
    struct ves_agent *agent;
    uint64_t alert = cli_number(cli, "settle", 1, INT64_MAX, 0);
    int code = cli_open(cli, false, &agent);

    if (code)
        return code;
    enum ves_status status =
        ves_agent_settle(agent, alert, cli_get(cli, "reason"), &cli->error);
    ves_agent_close(agent);
    if (status)
        return cli_fail_here(cli, status);
    if (!cli->is_json) {
        printf("alert %llu is settled; the reason is in the trail\n",
               (unsigned long long)alert);
        return CLI_DONE;
    }
    struct ves_jw *jw = cli_writer();
    ves_jw_object(jw);
    ves_jw_key(jw, "settled");
    ves_jw_u64(jw, alert);
    ves_jw_end(jw);
    return cli_print(jw);
}

static int run_quarantine(struct cli *cli)
{
    struct ves_agent *agent;
    uint32_t limit = (uint32_t)cli_number(cli, "limit", 1, 100000, 20);

    if (!cli_get(cli, "settle") != !cli_get(cli, "reason"))
        cli_usage(cli, "--settle ALERT and --reason TEXT go together");
    if (cli_get(cli, "settle"))
        return run_settle(cli);
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(cli, agent, jw,
                ves_agent_quarantine(agent, limit, jw, &cli->error),
                human_quarantine);
}

static void human_entity(struct ves_jr *jr)
{
    printf("%s %s, version %s", cli_str(jr, "/entityType"),
           cli_str(jr, "/entityId"), cli_str(jr, "/version"));
    if (ves_jr_u64(jr, "/pending"))
        printf(", and %s own events that are not in the stream yet",
               cli_str(jr, "/pending"));
    const char *state = cli_str(jr, "/localState");
    printf("\n%s\n", strcmp(state, "null") != 0
                         ? state
                         : "no state: it was deleted, or no event about it is "
                           "of a type that has rules");
    (void)follow_ups_print(jr, SIZE_MAX);
}

static int run_entity(struct cli *cli)
{
    struct ves_agent *agent;
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(
        cli, agent, jw,
        ves_agent_entity(agent, cli->argv[0], cli->argv[1], jw, &cli->error),
        human_entity);
}

/* "entered by owner at 3"; the directory's word has no place in the log.  The
 * sequencer's own keys are told of above, as what they are. */
static void print_word(struct ves_jr *jr, size_t i)
{
    char sequencer[VES_UUID_TEXT + 1];

    snprintf(sequencer, sizeof(sequencer), "%s",
             cli_str(jr, "/sequencer/sequencerId"));
    if (strcmp(cli_str(jr, "/agents/%zu/agentId", i), sequencer) == 0)
        printf(", the sequencer's own v%s",
               cli_str(jr, "/agents/%zu/keyId", i));
    else if (ves_jr_u64(jr, "/agents/%zu/enteredAtSequence", i))
        printf(", entered by %s at %s", cli_str(jr, "/agents/%zu/enteredBy", i),
               cli_str(jr, "/agents/%zu/enteredAtSequence", i));
    else
        printf(", not in the log: the directory's word");
}

static void print_version(struct ves_jr *jr, size_t i)
{
    printf("sequencer  %s v%s  %.18s...", cli_str(jr, "/sequencer/sequencerId"),
           cli_str(jr, "/sequencer/keys/%zu/version", i),
           cli_str(jr, "/sequencer/keys/%zu/publicKey", i));
    if (ves_jr_u64(jr, "/sequencer/keys/%zu/enteredAtSequence", i))
        printf("  entered by the version before at %s\n",
               cli_str(jr, "/sequencer/keys/%zu/enteredAtSequence", i));
    else
        printf("  pinned, not in the log\n");
}

static void human_keys(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/agents");
    size_t sequencer = ves_jr_count(jr, "/sequencer/keys");

    printf("own        %s #%s  %.18s...  %s\n", cli_str(jr, "/own/agentId"),
           cli_str(jr, "/own/keyId"), cli_str(jr, "/own/publicKey"),
           cli_str(jr, "/own/file"));
    for (size_t i = 0; i < sequencer; i++)
        print_version(jr, i);
    for (size_t i = 0; i < n; i++) {
        printf("agent      %s #%s  %.18s...  from sequence %s",
               cli_str(jr, "/agents/%zu/agentId", i),
               cli_str(jr, "/agents/%zu/keyId", i),
               cli_str(jr, "/agents/%zu/publicKey", i),
               cli_str(jr, "/agents/%zu/validFromSequence", i));
        if (ves_jr_u64(jr, "/agents/%zu/revokedAtSequence", i))
            printf(", revoked at %s",
                   cli_str(jr, "/agents/%zu/revokedAtSequence", i));
        if (ves_jr_has(jr, "/agents/%zu/endedBy", i))
            printf(" by %s", cli_str(jr, "/agents/%zu/endedBy", i));
        print_word(jr, i);
        if (ves_jr_bool(jr, "/agents/%zu/own", i))
            printf("  (this store's own)");
        putchar('\n');
    }
    if (ves_jr_bool(jr, "/onlyOwnersWord"))
        printf(
            "policy     only keys that the owner of the stream signed for\n");
}

static int run_keys(struct cli *cli)
{
    struct ves_agent *agent;

    if (cli->argc > 0 && strcmp(cli->argv[0], "rotate") == 0)
        return cli_keys_rotate(cli);
    if (cli->argc > 0)
        cli_usage(cli, "no such act: %s (rotate)", cli->argv[0]);
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    return show(cli, agent, jw, ves_agent_keys(agent, jw, &cli->error),
                human_keys);
}

static void human_doctor(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/checks");

    for (size_t i = 0; i < n; i++) {
        bool is_ok = ves_jr_bool(jr, "/checks/%zu/ok", i);
        printf("%s%-5s%s %-24s %s\n", is_ok ? cli_green() : cli_red(),
               is_ok ? "ok" : "WRONG", cli_plain(),
               cli_str(jr, "/checks/%zu/name", i),
               cli_str(jr, "/checks/%zu/detail", i));
    }
}

static int run_doctor(struct cli *cli)
{
    struct ves_agent *agent;
    bool is_healthy = false;
    int code = cli_open(cli, true, &agent);

    if (code)
        return code;
    struct ves_jw *jw = cli_writer();
    code = show(cli, agent, jw,
                ves_agent_doctor(agent, jw, &is_healthy, &cli->error),
                human_doctor);
    return code ? code : is_healthy ? CLI_DONE : CLI_FAILED;
}

const struct cli_command cli_cmd_status = {
    .name = "status",
    .args = "",
    .summary = "what is synced, what is not, and what to do",
    .is_store = true,
    .options = status_options,
    .run = run_status,
};
const struct cli_command cli_cmd_outbox = {
    .name = "outbox",
    .args = "",
    .summary = "list this store's own events",
    .is_store = true,
    .options = outbox_options,
    .run = run_outbox,
};
const struct cli_command cli_cmd_show = {
    .name = "show",
    .args = "EVENT",
    .summary = "one event with envelope, receipt and verdict",
    .args_min = 1,
    .args_max = 1,
    .is_store = true,
    .options = no_options,
    .run = run_show,
};
const struct cli_command cli_cmd_log = {
    .name = "log",
    .args = "",
    .summary = "the stream as this store has verified it",
    .is_store = true,
    .options = log_options,
    .run = run_log,
};
const struct cli_command cli_cmd_trail = {
    .name = "trail",
    .args = "",
    .summary = "the record of operations, newest first",
    .is_store = true,
    .options = list_options,
    .run = run_trail,
};
const struct cli_command cli_cmd_entity = {
    .name = "entity",
    .args = "TYPE ID",
    .summary = "the state of one entity, own pending events included",
    .args_min = 2,
    .args_max = 2,
    .is_store = true,
    .options = no_options,
    .run = run_entity,
};
const struct cli_command cli_cmd_keys = {
    .name = "keys",
    .args = "[rotate]",
    .summary = "whose keys this store knows, since when; rotate its own",
    .args_max = 1,
    .is_store = true,
    .options = no_options,
    .run = run_keys,
};
const struct cli_command cli_cmd_quarantine = {
    .name = "quarantine",
    .args = "",
    .summary = "bytes that did not verify, kept as evidence; settle alerts",
    .is_store = true,
    .options = quarantine_options,
    .run = run_quarantine,
};
const struct cli_command cli_cmd_doctor = {
    .name = "doctor",
    .args = "",
    .summary = "check the store against itself",
    .is_store = true,
    .options = no_options,
    .run = run_doctor,
};
const struct cli_command cli_cmd_why = {
    .name = "why",
    .args = "EVENT",
    .summary = "why an event is where it is, in plain words",
    .args_min = 1,
    .args_max = 1,
    .is_store = true,
    .options = no_options,
    .run = run_why,
};
