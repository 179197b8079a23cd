/* mcp_ack.c -- acknowledge_events. */
#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

enum { SHOWN = 20, IDS_MAX = 500, PAGE = 1000 };

struct ack {
    struct ves_uuid ids[IDS_MAX];
    size_t count; /* 0: all */
    struct ves_ack_report report;
};

static void read_ids(struct ves_mcp_call *call, struct ack *ack)
{
    struct ves_jr *args = ves_mcp_arguments(call);

    ack->count = ves_jr_count(args, "/eventIds");
    /* The schema has seen to it that they are UUIDs and not too many. */
    for (size_t i = 0; i < ack->count; i++)
        (void)mcp_uuid(ves_jr_str(args, "/eventIds/%zu", i), &ack->ids[i]);
}

static void note_obstacle(struct ack *ack, const char *id, const char *why)
{
    struct ves_ack_report *r = &ack->report;
    size_t max = sizeof(r->problem_ids) / sizeof(r->problem_ids[0]);

    r->not_acknowledged++;
    if (r->problem_count == max)
        return;
    (void)mcp_uuid(id, &r->problem_ids[r->problem_count]);
    snprintf(r->problem_reasons[r->problem_count++],
             sizeof(r->problem_reasons[0]), "%s", why);
}

/* What acknowledging would do with a row, going by its document. */
static void judge_row(struct ack *ack, const char *id, const char *status,
                      bool has_receipt, bool has_verdict)
{
    if (strcmp(status, "synced") == 0)
        ack->report.already_synced++;
    else if (strcmp(status, "syncing") != 0)
        note_obstacle(ack, id, "it was not sent, failed, or is in conflict");
    else if (!has_receipt)
        note_obstacle(ack, id, "there is no receipt of it yet: push first");
    else if (!has_verdict)
        note_obstacle(ack, id, "its verdict is not known yet: pull first");
    else
        ack->report.acknowledged++;
}

static enum ves_status preview_all(struct ves_agent *agent, struct ack *ack,
                                   struct ves_error *error)
{
    uint64_t after = 0;
    size_t n;

    do {
        struct ves_jw *jw = cli_writer();
        enum ves_status status =
            ves_agent_outbox(agent, "syncing", PAGE, after, jw, error);
        struct ves_jr *jr = mcp_read(jw, status, error);
        if (!jr)
            return status ? status : error->status;
        n = ves_jr_count(jr, "/events");
        for (size_t i = 0; i < n; i++)
            judge_row(ack, ves_jr_str(jr, "/events/%zu/eventId", i), "syncing",
                      ves_jr_has(jr, "/events/%zu/sequenceNumber", i),
                      ves_jr_has(jr, "/events/%zu/disposition", i));
        after = ves_jr_u64(jr, "/lastLocalSequence");
        ves_jr_free(jr);
    } while (n == PAGE);
    return VES_OK;
}

static enum ves_status preview_named(struct ves_mcp_call *call,
                                     struct ves_agent *agent, struct ack *ack)
{
    struct ves_jr *args = ves_mcp_arguments(call);

    for (size_t i = 0; i < ack->count; i++) {
        struct ves_error error = {VES_OK, ""};
        const char *id = ves_jr_str(args, "/eventIds/%zu", i);
        struct ves_jw *jw = cli_writer();
        enum ves_status status =
            ves_agent_show(agent, &ack->ids[i], jw, &error);
        struct ves_jr *jr = mcp_read(jw, status, &error);
        if (jr)
            judge_row(ack, id, ves_jr_str(jr, "/status"),
                      ves_jr_has(jr, "/receipt"),
                      ves_jr_has(jr, "/disposition"));
        else
            note_obstacle(ack, id, "the outbox holds no such event");
        ves_jr_free(jr);
    }
    return VES_OK;
}

static void put_obstacles(struct ves_jw *jw, struct ves_agent *agent,
                          const struct ves_ack_report *r)
{
    ves_jw_key(jw, "notAcknowledged");
    ves_jw_array(jw);
    for (size_t i = 0; i < r->problem_count && i < SHOWN; i++) {
        struct ves_error error = {VES_OK, ""};
        struct ves_jw *doc = cli_writer();
        enum ves_status status =
            ves_agent_show(agent, &r->problem_ids[i], doc, &error);
        struct ves_jr *jr = mcp_read(doc, status, &error);
        const char *word = jr ? ves_jr_str(jr, "/status") : "";
        bool waits =
            strcmp(word, "pending") == 0 || strcmp(word, "syncing") == 0;
        ves_jw_object(jw);
        mcp_put_uuid(jw, "eventId", &r->problem_ids[i]);
        /* Of what the outbox does not hold there is no status. */
        if (jr && ves_jr_has(jr, "/localSequence"))
            mcp_put_str(jw, "status", word);
        mcp_put_str(jw, "code",
                    jr ? waits ? "NOT_PROVEN" : "NOT_SENT" : "EVENT_NOT_FOUND");
        mcp_put_str(jw, "message", r->problem_reasons[i]);
        mcp_put_bool(jw, "retryable", waits);
        ves_jw_end(jw);
        ves_jr_free(jr);
    }
    ves_jw_end(jw);
}

/* How the store stands now is what a model would ask next. */
static void put_health(struct ves_jw *jw, struct ves_agent *agent)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *doc = cli_writer();
    enum ves_status status = ves_agent_standing(agent, doc, &error);
    struct ves_jr *jr = mcp_read(doc, status, &error);

    if (jr)
        mcp_put_str(jw, "health", ves_jr_str(jr, "/health"));
    ves_jr_free(jr);
}

static void put_ack(struct ves_jw *jw, struct ves_agent *agent,
                    const struct ves_ack_report *r, bool is_preview)
{
    char count[48], rest[64] = "";

    if (r->not_acknowledged)
        snprintf(rest, sizeof(rest), "; %llu left as they are",
                 (unsigned long long)r->not_acknowledged);
    ves_jw_object(jw);
    mcp_putf(jw, "summary", "%s %smarked synced%s.",
             mcp_count(count, r->acknowledged, "event"),
             is_preview ? "would be " : "", rest);
    mcp_put_bool(jw, "dryRun", is_preview);
    mcp_put_u64(jw, "acknowledged", r->acknowledged);
    mcp_put_u64(jw, "alreadySynced", r->already_synced);
    put_obstacles(jw, agent, r);
    mcp_put_u64(jw, "notAcknowledgedCount", r->not_acknowledged);
    if (!is_preview)
        put_health(jw, agent);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (r->not_acknowledged)
        ves_jw_str(jw, "pull_events {}");
    ves_jw_str(jw, is_preview && r->acknowledged ? "acknowledge_events {}"
                                                 : "get_sync_status {}");
    ves_jw_end(jw);
    ves_jw_end(jw);
}

enum ves_mcp_outcome mcp_acknowledge_events(struct ves_mcp_call *call,
                                            void *ctx)
{
    struct mcp_app *app = ctx;
    bool is_preview = mcp_is_preview(app, call);
    struct ves_error error = {VES_OK, ""};
    enum ves_mcp_outcome outcome = VES_MCP_DONE;
    enum ves_status status;

    struct ves_agent *agent =
        mcp_may_write(app, call) ? mcp_take(app, call) : NULL;
    if (!agent)
        return VES_MCP_FAILED;
    struct ack *ack = calloc(1, sizeof(*ack));
    if (!ack) {
        mcp_give(app, agent);
        return mcp_error_of(call, VES_NOMEM, NULL, "Nothing was changed.");
    }
    read_ids(call, ack);
    if (is_preview)
        status = ack->count ? preview_named(call, agent, ack)
                            : preview_all(agent, ack, &error);
    else
        status = ves_acknowledge(agent, ack->count ? ack->ids : NULL,
                                 ack->count, &ack->report, &error);
    if (status)
        outcome = mcp_error_of(call, status, &error,
                               "Nothing was marked; no event was lost.");
    else
        put_ack(ves_mcp_structured(call), agent, &ack->report, is_preview);
    free(ack);
    mcp_give(app, agent);
    return outcome;
}
