/* mcp_prompts.c -- the three workflows as prompts, and completion. */
#include "ves/conflict.h"

#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

enum { COMPLETED_FROM = 500, AGGREGATE_MAX = 512 };

/* ---- messages ------------------------------------------------------------ */

static void say(struct ves_mcp_call *call, const char *text)
{
    struct ves_jw *jw = ves_mcp_items(call);

    ves_jw_object(jw);
    mcp_put_str(jw, "role", "user");
    ves_jw_key(jw, "content");
    ves_jw_object(jw);
    mcp_put_str(jw, "type", "text");
    mcp_put_str(jw, "text", text);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

/* A document as it is now, embedded. */
static void show(struct ves_mcp_call *call, const char *uri,
                 struct ves_bytes json)
{
    struct ves_jw *jw = ves_mcp_items(call);

    ves_jw_object(jw);
    mcp_put_str(jw, "role", "user");
    ves_jw_key(jw, "content");
    ves_jw_object(jw);
    mcp_put_str(jw, "type", "resource");
    ves_jw_key(jw, "resource");
    ves_jw_object(jw);
    mcp_put_str(jw, "uri", uri);
    mcp_put_str(jw, "mimeType", "application/json");
    ves_jw_key(jw, "text");
    ves_jw_bytes(jw, json);
    ves_jw_end(jw);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

/* The status as it stands; false: the call has failed. */
static bool show_status(struct mcp_app *app, struct ves_mcp_call *call)
{
    struct ves_agent *agent = mcp_take(app, call);

    if (!agent)
        return false;
    struct ves_jr *jr = mcp_status(call, agent);
    mcp_give(app, agent);
    if (!jr)
        return false;
    struct ves_jw *jw = cli_writer();
    if (!mcp_write_status(jw, jr, NULL, false, mcp_delivery(app)))
        show(call, "ves://status", ves_jw_view(jw));
    ves_jw_free(jw);
    ves_jr_free(jr);
    return true;
}

static enum ves_mcp_outcome check_sync_health(struct ves_mcp_call *call,
                                              void *ctx)
{
    say(call,
        "Check how the store's synchronisation stands.\n"
        "1. Call get_sync_status {}.\n"
        "2. If events are pending or failed, say how many and since when.\n"
        "3. If there are failures, list_outbox_events {\"status\":\"failed\"} "
        "and say why in one line each.\n"
        "4. If there are conflicts, list_outbox_events "
        "{\"status\":\"conflict\"} and name the records.\n"
        "5. Report health in two or three sentences and what you would do "
        "next. Change nothing.\n"
        "As it stood a moment ago:");
    return show_status(ctx, call) ? VES_MCP_DONE : VES_MCP_FAILED;
}

static enum ves_mcp_outcome manual_sync(struct ves_mcp_call *call, void *ctx)
{
    const char *limit = ves_jr_str(ves_mcp_arguments(call), "/limit");
    char text[1024];

    (void)ctx;
    if (limit[0] &&
        (strspn(limit, "0123456789") != strlen(limit) || strlen(limit) > 4 ||
         strtoul(limit, NULL, 10) < 1 || strtoul(limit, NULL, 10) > 1000))
        return ves_mcp_reject(call, -32602,
                              "limit must be a number from 1 to 1000", NULL);
    snprintf(text, sizeof(text),
             "Synchronise the store once.\n"
             "1. push_events {%s%.10s}; again while nextSteps says so.\n"
             "2. pull_events {%s%.10s}; again while hasMore is true.\n"
             "3. acknowledge_events {}.\n"
             "4. Report counts: sent, not accepted, fetched, acknowledged, "
             "still waiting. Name conflicts, but do not resolve them.\n"
             "If the sequencer cannot be reached, say so and stop: every "
             "event is safe in the outbox.",
             limit[0] ? "\"limit\":" : "", limit, limit[0] ? "\"limit\":" : "",
             limit);
    say(call, text);
    return VES_MCP_DONE;
}

static const char *const strategies[] = {"accept_local", "accept_remote",
                                         "merge", "manual", NULL};

/* What goes into the words for a model is a strategy, or is not said. */
static bool is_strategy(const char *text)
{
    const char *const *word = strategies;

    while (*word && strcmp(*word, text) != 0)
        word++;
    return *word != NULL;
}

static enum ves_mcp_outcome resolve_conflicts(struct ves_mcp_call *call,
                                              void *ctx)
{
    struct ves_jr *args = ves_mcp_arguments(call);
    const char *strategy = ves_jr_str(args, "/strategy");
    const char *aggregate = ves_jr_str(args, "/aggregateId");
    struct mcp_app *app = ctx;
    char text[6 * AGGREGATE_MAX + 1024]; /* what JSON escapes at most */

    if (strategy[0] && !is_strategy(strategy))
        return ves_mcp_reject(call, -32602,
                              "strategy must be accept_local, accept_remote, "
                              "merge or manual",
                              NULL);
    if (strlen(aggregate) > AGGREGATE_MAX)
        return ves_mcp_reject(call, -32602, "aggregateId is too long", NULL);
    struct ves_jw *filter = cli_writer();
    ves_jw_object(filter);
    mcp_put_str(filter, "status", "conflict");
    mcp_put_str(filter, "aggregateId", aggregate);
    ves_jw_end(filter);
    struct ves_bytes json = ves_jw_view(filter);
    snprintf(text, sizeof(text),
             "Resolve the open conflicts%s%.16s%s.\n"
             "1. list_outbox_events %.*s\n"
             "2. For each: get_outbox_event, and compare base, local and "
             "remote.\n"
             "3. Choose: merge when conflict.mergeable is true; manual when "
             "choosing a side is a business decision, and always for "
             "payments, refunds and returns.\n"
             "4. resolve_conflict with expectedRemoteEventId and a reason.\n"
             "5. push_events {} sends the decisions. Report each one in a "
             "line: record, what differed, what was decided and why.\n"
             "As it stood a moment ago:",
             strategy[0] ? ", preferring " : "", strategy,
             strategy[0] ? " where it is allowed" : "", (int)json.len,
             (const char *)json.ptr);
    ves_jw_free(filter);
    say(call, text);
    return show_status(app, call) ? VES_MCP_DONE : VES_MCP_FAILED;
}

const struct ves_mcp_prompt mcp_prompts[] = {
    {.name = "check_sync_health",
     .title = "Check sync health",
     .description = "How the store stands: waiting, failed, in conflict.",
     .get = check_sync_health},
    {.name = "manual_sync",
     .title = "Sync now",
     .description = "Push, pull and acknowledge once, with a report.",
     .arguments =
         (const struct ves_mcp_prompt_argument[]){
             {"limit", "Most events a call (1-1000)", false},
             {NULL, NULL, false}},
     .get = manual_sync},
    {.name = "resolve_conflicts",
     .title = "Resolve conflicts",
     .description = "Go through the open conflicts and decide each.",
     .arguments =
         (const struct ves_mcp_prompt_argument[]){
             {"strategy", "Preferred strategy", false},
             {"aggregateId", "Only conflicts of this record", false},
             {NULL, NULL, false}},
     .get = resolve_conflicts},
    {.name = NULL}};

/* ---- completion ---------------------------------------------------------- */

static void offer_all(struct ves_mcp_call *call, const char *const *words)
{
    for (; *words; words++)
        ves_mcp_offer(call, *words);
}

/* Ids, or records, of own events; a word once. */
static void offer_events(struct mcp_app *app, struct ves_mcp_call *call,
                         const char *member)
{
    struct ves_agent *agent = mcp_take_quietly(app);
    struct ves_error error = {VES_OK, ""};

    if (!agent)
        return;
    struct ves_jw *jw = cli_writer();
    enum ves_status status =
        ves_agent_outbox(agent, NULL, COMPLETED_FROM, 0, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);
    mcp_give(app, agent);
    size_t n = jr ? ves_jr_count(jr, "/events") : 0;
    for (size_t i = 0; i < n; i++) {
        const char *value = ves_jr_str(jr, "/events/%zu/%s", i, member);
        bool is_twice =
            strcmp(ves_jr_str(jr, "/events/%zu/status", i), "conflict") == 0;
        for (size_t j = 0; j < i && !is_twice; j++)
            is_twice =
                strcmp(value, ves_jr_str(jr, "/events/%zu/%s", j, member)) == 0;
        if (!is_twice)
            ves_mcp_offer(call, value);
    }
    ves_jr_free(jr);
}

/* Of open conflicts, everybody's. */
static void offer_conflicts(struct mcp_app *app, struct ves_mcp_call *call,
                            const char *member)
{
    const struct ves_conflicts_filter filter = {.limit = 100};
    struct ves_agent *agent = mcp_take_quietly(app);
    struct ves_error error = {VES_OK, ""};

    if (!agent)
        return;
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_conflicts(agent, &filter, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);
    mcp_give(app, agent);
    size_t n = jr ? ves_jr_count(jr, "/conflicts") : 0;
    for (size_t i = 0; i < n; i++)
        ves_mcp_offer(call, ves_jr_str(jr, "/conflicts/%zu/%s", i, member));
    ves_jr_free(jr);
}

enum ves_mcp_outcome mcp_complete(struct ves_mcp_call *call, void *ctx)
{
    static const char *const statuses[] = {"pending", "syncing",  "synced",
                                           "failed",  "conflict", NULL};
    const char *argument = ves_mcp_argument(call);
    bool is_event = strcmp(argument, "eventId") == 0;

    if (strcmp(argument, "strategy") == 0)
        offer_all(call, strategies);
    else if (strcmp(argument, "status") == 0)
        offer_all(call, statuses);
    if (is_event || strcmp(argument, "aggregateId") == 0) {
        offer_conflicts(ctx, call, is_event ? "eventId" : "entity/id");
        offer_events(ctx, call, is_event ? "eventId" : "aggregateId");
    }
    return VES_MCP_DONE;
}
