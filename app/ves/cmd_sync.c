/* cmd_sync.c -- ves push, pull, ack, sync and retry. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli.h"

enum {
    LIVE_PAUSE_MS = 60000,
    RETRY_MS = 1000 /* then twice as long, up to the interval */
};

static const struct cli_option push_options[] = {
    {"limit", "N", "push at most N events"},
    {"dry-run", NULL, "say what would be pushed"},
    {NULL, NULL, NULL}};
static const struct cli_option pull_options[] = {
    {"limit", "N", "pull at most N events"},
    {"since", "EVENT|SEQUENCE",
     "read again from after that event, or from "
     "that sequence number"},
    {"dry-run", NULL, "say what would be pulled"},
    {NULL, NULL, NULL}};
static const struct cli_option sync_options[] = {
    {"watch", NULL, "go on until interrupted"},
    {"interval", "MS",
     "with --watch: pause between rounds (default: the "
     "setting syncIntervalMs)"},
    {NULL, NULL, NULL}};
static const struct cli_option no_options[] = {{NULL, NULL, NULL}};

/* One rule for push and sync, push_code(). */
#define ENDS_PARTIAL                                                   \
    "Exit code 3, done in part: an event came into conflict, or one\n" \
    "that failed, now or before, is not in the log and nobody has\n"   \
    "decided about it."

static int partial(uint64_t failed, uint64_t conflicts)
{
    return failed || conflicts ? CLI_PARTIAL : CLI_DONE;
}

/* With --json the document is printed even when the operation failed, since it
 * says how far it came; the error goes to standard error. */
static int finish(struct cli *cli, enum ves_status status, struct ves_jw *jw,
                  int code)
{
    cli_progress_end(cli);
    if (jw && cli_print(jw) != CLI_DONE)
        return CLI_FAILED;
    if (cli_is_stopped() && (!status || status == VES_AGAIN)) {
        fprintf(stderr,
                "ves %s: interrupted; what is done is kept, the same command "
                "goes on with the rest\n",
                cli->command->name);
        return CLI_PARTIAL;
    }
    return status ? cli_fail(cli, status) : code;
}

static void print_problems(const struct ves_push_report *report)
{
    char id[VES_UUID_TEXT + 1];

    for (size_t i = 0; i < report->problem_count; i++)
        printf("  %s %s: %s (%s)\n",
               cli_uuid_text(&report->problems[i].event_id, id),
               report->problems[i].status,
               cli_clean(report->problems[i].message),
               cli_clean(report->problems[i].code));
}

/* Those of this time were named. */
static void print_undelivered(const struct ves_push_report *r)
{
    uint64_t before =
        r->undelivered > r->failed ? r->undelivered - r->failed : 0;

    if (before > 0)
        printf("%s%llu failed before and %s not in the log%s: \"ves outbox "
               "--status failed\" lists them, \"ves why EVENT\" says what to "
               "do\n",
               cli_red(), (unsigned long long)before,
               before == 1 ? "is" : "are", cli_plain());
}

static int push_code(const struct ves_push_report *r)
{
    return partial(r->undelivered, r->conflicts);
}

static void print_push(const struct ves_push_report *r)
{
    printf("pushed %llu of %llu events", (unsigned long long)r->accepted,
           (unsigned long long)r->attempted);
    if (r->accepted)
        printf(" (sequences %llu to %llu)",
               (unsigned long long)r->first_sequence,
               (unsigned long long)r->last_sequence);
    if (r->duplicates)
        printf(", %llu were there already", (unsigned long long)r->duplicates);
    if (r->failed)
        printf(", %llu failed", (unsigned long long)r->failed);
    if (r->conflicts)
        printf(", %llu in conflict", (unsigned long long)r->conflicts);
    printf("; %llu remain\n", (unsigned long long)r->remaining);
    print_problems(r);
    print_undelivered(r);
}

static int run_push(struct cli *cli)
{
    struct ves_sync_options options = {
        .limit = cli_number(cli, "limit", 1, UINT32_MAX, 0),
        .dry_run = cli_get(cli, "dry-run") != NULL,
        .progress = cli_progress,
        .progress_ctx = cli};
    struct ves_push_report report;
    struct ves_agent *agent;
    struct ves_jw *jw = NULL;

    int code = cli_open(cli, false, &agent);
    if (code)
        return code;
    cli_catch_signals();
    memset(&report, 0, sizeof(report));
    enum ves_status status = ves_push(agent, &options, &report, &cli->error);
    ves_agent_close(agent);
    cli_progress_end(cli);
    if (cli->is_json) {
        jw = cli_writer();
        ves_push_report_json(jw, &report);
    } else if (options.dry_run && !status) {
        printf("would push %llu events\n",
               (unsigned long long)report.attempted);
    } else {
        print_push(&report);
    }
    return finish(cli, status, jw,
                  options.dry_run ? CLI_DONE : push_code(&report));
}

/* --since names an event (the pull begins after it) or a sequence number. */
static int since(struct cli *cli, struct ves_agent *agent, uint64_t *out)
{
    const char *text = cli_get(cli, "since");
    struct ves_uuid id;

    *out = 0;
    if (!text)
        return CLI_DONE;
    if (strspn(text, "0123456789") == strlen(text)) {
        *out = cli_number(cli, "since", 1, INT64_MAX, 0);
        return CLI_DONE;
    }
    if (!cli_is_uuid(text))
        cli_usage(cli,
                  "--since takes the id of an event or a sequence number, not "
                  "\"%.60s\"",
                  text);
    cli_uuid(cli, text, &id);
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_show(agent, &id, jw, &cli->error);
    if (!status) {
        struct ves_jr *jr = ves_jr_new(ves_alloc_default(), ves_jw_view(jw));
        *out = jr ? ves_jr_u64(jr, "/sequenceNumber") : 0;
        ves_jr_free(jr);
        if (*out == 0) {
            snprintf(cli->error.text, sizeof(cli->error.text),
                     "event %s has no sequence number yet; nothing was "
                     "pulled",
                     text);
            status = VES_INVALID;
        } else {
            ++*out;
        }
    }
    ves_jw_free(jw);
    return status ? cli_fail(cli, status) : CLI_DONE;
}

static int run_pull(struct cli *cli)
{
    struct ves_sync_options options = {
        .limit = cli_number(cli, "limit", 1, UINT32_MAX, 0),
        .dry_run = cli_get(cli, "dry-run") != NULL,
        .progress = cli_progress,
        .progress_ctx = cli};
    struct ves_pull_report report;
    struct ves_agent *agent;
    struct ves_jw *jw = NULL;
    uint64_t from;

    int code = cli_open(cli, false, &agent);
    if (code)
        return code;
    code = since(cli, agent, &from);
    if (code) {
        ves_agent_close(agent);
        return code;
    }
    cli_catch_signals();
    memset(&report, 0, sizeof(report));
    enum ves_status status =
        ves_pull(agent, &options, from, &report, &cli->error);
    ves_agent_close(agent);
    cli_progress_end(cli);
    if (cli->is_json) {
        jw = cli_writer();
        ves_pull_report_json(jw, &report);
    } else if (!status || report.received) {
        printf("pulled %llu events, applied %llu; at %llu of %llu%s\n",
               (unsigned long long)report.received,
               (unsigned long long)report.applied,
               (unsigned long long)report.cursor,
               (unsigned long long)report.remote_head,
               report.is_position_unproven
                   ? " (position unproven: the server gives no receipts)"
                   : "");
        if (report.quarantined)
            printf("%s%llu quarantined%s: see \"ves quarantine\"\n", cli_red(),
                   (unsigned long long)report.quarantined, cli_plain());
    }
    return finish(cli, status, jw, partial(0, report.conflicts));
}

static int run_ack(struct cli *cli)
{
    struct ves_ack_report report;
    struct ves_uuid *ids = NULL;
    struct ves_agent *agent;
    char id[VES_UUID_TEXT + 1];

    if (cli->argc > 0) {
        ids = calloc((size_t)cli->argc, sizeof(*ids));
        for (int i = 0; ids && i < cli->argc; i++)
            cli_uuid(cli, cli->argv[i], &ids[i]);
        if (!ids)
            return cli_fail(cli, VES_NOMEM);
    }
    int code = cli_open(cli, false, &agent);
    if (code) {
        free(ids);
        return code;
    }
    memset(&report, 0, sizeof(report));
    enum ves_status status =
        ves_acknowledge(agent, ids, (size_t)cli->argc, &report, &cli->error);
    ves_agent_close(agent);
    free(ids);
    if (status)
        return cli_fail(cli, status);
    if (cli->is_json) {
        struct ves_jw *jw = cli_writer();
        ves_ack_report_json(jw, &report);
        code = cli_print(jw);
    } else {
        printf("%llu events are synced now, %llu were already, %llu are not\n",
               (unsigned long long)report.acknowledged,
               (unsigned long long)report.already_synced,
               (unsigned long long)report.not_acknowledged);
        for (size_t i = 0; i < report.problem_count; i++)
            printf("  %s: %s\n", cli_uuid_text(&report.problem_ids[i], id),
                   report.problem_reasons[i]);
    }
    return code ? code : partial(report.not_acknowledged, 0);
}

static void print_sync(const struct ves_sync_report *r)
{
    printf("pushed %llu, pulled %llu, acknowledged %llu",
           (unsigned long long)r->push.accepted + r->push.duplicates,
           (unsigned long long)r->pull.applied,
           (unsigned long long)r->ack.acknowledged);
    if (r->push.failed)
        printf(", %s%llu failed%s", cli_red(),
               (unsigned long long)r->push.failed, cli_plain());
    if (r->push.conflicts)
        printf(", %llu in conflict", (unsigned long long)r->push.conflicts);
    if (r->automatic.resolved)
        printf(", %llu decided by the settings",
               (unsigned long long)r->automatic.resolved);
    printf("; %llu remain\n", (unsigned long long)r->push.remaining);
    print_problems(&r->push);
    print_undelivered(&r->push);
}

static struct ves_jw *sync_document(const struct ves_sync_report *report)
{
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    ves_jw_key(jw, "push");
    ves_push_report_json(jw, &report->push);
    ves_jw_key(jw, "pull");
    ves_pull_report_json(jw, &report->pull);
    ves_jw_key(jw, "ack");
    ves_ack_report_json(jw, &report->ack);
    ves_jw_key(jw, "automatic");
    ves_jw_object(jw);
    ves_jw_key(jw, "lookedAt");
    ves_jw_u64(jw, report->automatic.looked_at);
    ves_jw_key(jw, "resolved");
    ves_jw_u64(jw, report->automatic.resolved);
    ves_jw_key(jw, "left");
    ves_jw_u64(jw, report->automatic.left);
    ves_jw_end(jw);
    ves_jw_end(jw);
    return jw;
}

/* What the rounds of --watch hand on. */
struct round {
    struct ves_follow *follow; /* NULL: not before the first, or not at all */
    bool is_live;
    bool is_told;      /* there was said to be something */
    bool is_idle;      /* the last one had nothing to do and did not fail */
    uint64_t retry_ms; /* to what it left undone; 0: nothing */
    uint64_t cursor;
};

static int sync_once(struct cli *cli, struct ves_agent *agent, bool is_round,
                     struct round *round)
{
    struct ves_sync_options options = {.is_automatic = is_round,
                                       .progress = cli_progress,
                                       .progress_ctx = cli};
    struct ves_sync_report report;
    struct ves_jw *jw = NULL;

    memset(&report, 0, sizeof(report));
    memset(&cli->error, 0, sizeof(cli->error));
    enum ves_status status = ves_sync(agent, &options, &report, &cli->error);
    bool is_idle = !report.push.attempted && !report.pull.received &&
                   !report.ack.acknowledged;
    cli_progress_end(cli);
    round->cursor = report.pull.cursor;
    round->is_idle = is_idle && !status;
    if (!status && report.push.remaining == 0)
        round->retry_ms = 0;
    else
        round->retry_ms = round->retry_ms ? 2 * round->retry_ms : RETRY_MS;
    if (is_round && !status && is_idle)
        return CLI_DONE;
    if (cli->is_json)
        jw = sync_document(&report);
    else
        print_sync(&report);
    return finish(cli, status, jw, push_code(&report.push));
}

static void nap(uint64_t ms)
{
    struct timespec step = {0, 50 * 1000 * 1000};

    for (uint64_t slept = 0; slept < ms && !cli_is_stopped(); slept += 50)
        nanosleep(&step, NULL);
}

static void say_how(const struct ves_follow_news *news, uint64_t interval)
{
    if (news->is_live)
        fprintf(stderr, "ves sync: following the sequencer live\n");
    else
        fprintf(stderr, "ves sync: asking every %llu ms (%s)\n",
                (unsigned long long)interval, cli_clean(news->why));
}

/* Until the next round is due: the pause is over, or there is news.  What the
 * stream does not tell, such as a newly signed head, the round after the last
 * one brought; asking on is for a stream that fell silent. */
static void await(struct round *round, uint64_t interval)
{
    struct ves_follow_news news;
    uint64_t pause = interval;

    if (!round->follow) {
        nap(pause);
        return;
    }
    if (round->is_live && round->retry_ms)
        pause = round->retry_ms < pause ? round->retry_ms : pause;
    else if (round->is_live && round->is_idle && pause < LIVE_PAUSE_MS)
        pause = LIVE_PAUSE_MS;
    ves_follow_wait(round->follow, round->cursor, (uint32_t)pause, &news);
    if (news.is_changed)
        say_how(&news, interval);
    round->is_live = news.is_live;
    round->is_told = news.is_remote;
}

static int watch(struct cli *cli, struct ves_agent *agent, struct round *round)
{
    const struct ves_sync_options options = {.progress = cli_progress,
                                             .progress_ctx = cli};
    uint64_t interval = cli_number(cli, "interval", 50, 86400000,
                                   ves_agent_setting(agent, "syncIntervalMs"));

    /* Without it everything goes on, only later. */
    if (ves_follow_start(agent, &options, &round->follow, &cli->error)) {
        fprintf(stderr, "ves sync: asking every %llu ms (%s)\n",
                (unsigned long long)interval, cli_clean(cli->error.text));
        round->follow = NULL;
    }
    while (!cli_is_stopped()) {
        /* What failed is tried again: being offline is normal. */
        await(round, interval);
        if (!cli_is_stopped())
            (void)sync_once(cli, agent, true, round);
        /* Nobody makes us ask and ask. */
        if (round->is_told && round->is_idle)
            nap(RETRY_MS);
        fflush(stdout);
    }
    ves_follow_stop(round->follow);
    return CLI_DONE;
}

static int run_sync(struct cli *cli)
{
    struct round round = {.follow = NULL};
    struct ves_agent *agent;
    int code = cli_open(cli, false, &agent);

    if (code)
        return code;
    cli_catch_signals();
    code = sync_once(cli, agent, false, &round);
    if (cli_get(cli, "watch"))
        code = watch(cli, agent, &round);
    ves_agent_close(agent);
    return code;
}

static int run_retry(struct cli *cli)
{
    struct ves_agent *agent;
    struct ves_uuid id;
    uint64_t retried = 0, all = 0;
    enum ves_status status = VES_OK;

    for (int i = 0; i < cli->argc; i++)
        cli_uuid(cli, cli->argv[i], &id);
    int code = cli_open(cli, false, &agent);
    if (code)
        return code;
    for (int i = 0; !status && i < cli->argc; i++) {
        cli_uuid(cli, cli->argv[i], &id);
        status = ves_agent_retry(agent, &id, &retried, &cli->error);
        all += retried;
    }
    if (cli->argc == 0)
        status = ves_agent_retry(agent, NULL, &all, &cli->error);
    ves_agent_close(agent);
    if (status)
        return cli_fail(cli, status);
    if (!cli->is_json) {
        printf("%llu failed events are pending again\n",
               (unsigned long long)all);
        return CLI_DONE;
    }
    struct ves_jw *jw = cli_writer();
    ves_jw_object(jw);
    ves_jw_key(jw, "retried");
    ves_jw_u64(jw, all);
    ves_jw_end(jw);
    return cli_print(jw);
}

const struct cli_command cli_cmd_push = {
    .name = "push",
    .args = "",
    .summary = "send pending events, verify and keep their receipts",
    .is_store = true,
    .options = push_options,
    .note = ENDS_PARTIAL,
    .run = run_push,
};
const struct cli_command cli_cmd_pull = {
    .name = "pull",
    .args = "",
    .summary = "fetch, verify and apply what others did",
    .is_store = true,
    .options = pull_options,
    .run = run_pull,
};
const struct cli_command cli_cmd_ack = {
    .name = "ack",
    .args = "[EVENT...]",
    .summary = "mark events with a verified receipt and verdict as synced",
    .args_max = -1,
    .is_store = true,
    .options = no_options,
    .run = run_ack,
};
const struct cli_command cli_cmd_sync = {
    .name = "sync",
    .args = "",
    .summary = "push, pull and acknowledge until there is no more",
    .is_store = true,
    .options = sync_options,
    .note = ENDS_PARTIAL,
    .run = run_sync,
};
const struct cli_command cli_cmd_retry = {
    .name = "retry",
    .args = "[EVENT...]",
    .summary = "make failed events pending again",
    .args_max = -1,
    .is_store = true,
    .options = no_options,
    .run = run_retry,
};
