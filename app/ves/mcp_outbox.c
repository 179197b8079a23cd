/* mcp_outbox.c -- list_outbox_events and get_outbox_event. */
#include "ves/conflict.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "mcp_app.h"

enum { LIST_DEFAULT = 50, PAYLOAD_MAX = 16 * 1024 };

/* ---- list ---------------------------------------------------------------- */

struct list {
    struct ves_outbox_query query;
    size_t room;   /* bytes */
    uint32_t sum;  /* of the filters: a cursor belongs to them */
    uint64_t last; /* local sequence of the last event shown */
    bool is_cut;   /* there are more */
};

/* FNV-1a; guards against mistakes, not against malice. */
static uint32_t sum_of(uint32_t sum, const char *text)
{
    for (; *text; text++)
        sum = (sum ^ (uint8_t)*text) * 16777619u;
    return (sum ^ 0xff) * 16777619u;
}

static bool read_cursor(struct ves_mcp_call *call, struct list *list)
{
    const char *cursor = ves_jr_str(ves_mcp_arguments(call), "/cursor");
    unsigned long long after;
    unsigned sum;
    int used = 0;

    if (!cursor[0])
        return true;
    if (strlen(cursor) < 32 &&
        sscanf(cursor, "%llu.%8x%n", &after, &sum, &used) == 2 &&
        cursor[used] == '\0' && sum == list->sum) {
        list->query.after_local_sequence = after;
        return true;
    }
    mcp_error(call, "INVALID_CURSOR",
              "cursor is not from this list, or the filters changed",
              "Nothing was changed.",
              "call list_outbox_events again without cursor.");
    return false;
}

static const char *argument(struct ves_jr *args, const char *pointer)
{
    return ves_jr_has(args, "%s", pointer) ? ves_jr_str(args, "%s", pointer)
                                           : NULL;
}

static bool read_query(struct ves_mcp_call *call, struct list *list)
{
    struct ves_jr *args = ves_mcp_arguments(call);
    bool has_limit = ves_jr_has(args, "/limit");

    memset(list, 0, sizeof(*list));
    list->query.status = argument(args, "/status");
    list->query.type = argument(args, "/type");
    list->query.aggregate_id = argument(args, "/aggregateId");
    list->query.limit =
        has_limit ? (uint32_t)ves_jr_u64(args, "/limit") : LIST_DEFAULT;
    list->room = has_limit ? MCP_LONG : MCP_SHORT;
    list->sum = sum_of(2166136261u, ves_jr_str(args, "/status"));
    list->sum = sum_of(list->sum, ves_jr_str(args, "/type"));
    list->sum = sum_of(list->sum, ves_jr_str(args, "/aggregateId"));
    return read_cursor(call, list);
}

static void put_row(struct ves_jw *jw, struct ves_jr *jr, size_t i)
{
    ves_jw_object(jw);
    mcp_copy_str(jw, "eventId", jr, "/events/%zu/eventId", i);
    mcp_copy_str(jw, "type", jr, "/events/%zu/type", i);
    mcp_copy_str(jw, "aggregateId", jr, "/events/%zu/aggregateId", i);
    mcp_copy_str(jw, "status", jr, "/events/%zu/status", i);
    mcp_copy_str(jw, "timestamp", jr, "/events/%zu/timestamp", i);
    mcp_put_u64(jw, "localSequence",
                ves_jr_u64(jr, "/events/%zu/localSequence", i));
    mcp_put_u64(jw, "attempts", ves_jr_u64(jr, "/events/%zu/attempts", i));
    mcp_copy_str(jw, "lastError", jr, "/events/%zu/error", i);
    mcp_copy_str(jw, "nextRetryAt", jr, "/events/%zu/nextAttemptAt", i);
    mcp_copy_str(jw, "conflictType", jr, "/events/%zu/conflictType", i);
    ves_jw_end(jw);
}

/* As many as fit; the rest is the next page. */
static void put_rows(struct ves_jw *jw, struct ves_jr *jr, struct list *list)
{
    size_t n = ves_jr_count(jr, "/events"), i;

    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    for (i = 0; i < n && (i == 0 || ves_jw_view(jw).len < list->room); i++) {
        put_row(jw, jr, i);
        list->last = ves_jr_u64(jr, "/events/%zu/localSequence", i);
    }
    ves_jw_end(jw);
    list->is_cut = i < n || n == list->query.limit;
}

/* What can become of the failed events of the page: by a push, by a person, or
 * nothing any more, as somebody has decided about it. */
static void put_failed_steps(struct ves_jw *jw, struct ves_jr *jr)
{
    bool may_go = false, is_refused = false;

    for (size_t i = 0; i < ves_jr_count(jr, "/events"); i++) {
        if (ves_jr_has(jr, "/events/%zu/disposition", i))
            continue;
        if (ves_jr_bool(jr, "/events/%zu/isRefused", i))
            is_refused = true;
        else
            may_go = true;
    }
    if (may_go)
        ves_jw_str(jw, "push_events {}");
    if (is_refused)
        ves_jw_str(jw, MCP_REFUSED_STEP);
}

static void put_list_steps(struct ves_jw *jw, struct ves_jr *jr,
                           const struct list *list)
{
    const char *status = list->query.status ? list->query.status : "";
    const char *first = ves_jr_str(jr, "/events/0/eventId");
    char step[128];

    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (first[0] &&
        (strcmp(status, "conflict") == 0 || strcmp(status, "failed") == 0)) {
        snprintf(step, sizeof(step), "get_outbox_event {\"eventId\":\"%s\"}",
                 first);
        ves_jw_str(jw, step);
    }
    if (first[0] && strcmp(status, "pending") == 0)
        ves_jw_str(jw, "push_events {}");
    if (strcmp(status, "failed") == 0)
        put_failed_steps(jw, jr);
    if (first[0] && strcmp(status, "syncing") == 0) {
        ves_jw_str(jw, "pull_events {}");
        ves_jw_str(jw, "acknowledge_events {}");
    }
    if (!first[0])
        ves_jw_str(jw, "get_sync_status {}");
    ves_jw_end(jw);
}

static void put_list(struct ves_jw *jw, struct ves_jr *jr, struct list *list)
{
    const char *status = list->query.status;
    uint64_t total = ves_jr_u64(jr, "/total");
    char count[48];

    ves_jw_object(jw);
    mcp_putf(jw, "summary", "%s%s%s.", mcp_count(count, total, "event"),
             !status                           ? " in the outbox"
             : strcmp(status, "conflict") == 0 ? " in "
                                               : " ",
             status ? status : "");
    put_rows(jw, jr, list);
    mcp_put_u64(jw, "total", total);
    if (list->is_cut && list->last)
        mcp_putf(jw, "nextCursor", "%llu.%08x", (unsigned long long)list->last,
                 list->sum);
    put_list_steps(jw, jr, list);
    ves_jw_end(jw);
}

/* ---- open conflicts ------------------------------------------------------ */

static void put_conflict_row(struct ves_jw *jw, struct ves_jr *jr, size_t i)
{
    ves_jw_object(jw);
    mcp_copy_str(jw, "eventId", jr, "/conflicts/%zu/eventId", i);
    mcp_copy_str(jw, "type", jr, "/conflicts/%zu/eventType", i);
    mcp_copy_str(jw, "aggregateId", jr, "/conflicts/%zu/entity/id", i);
    mcp_put_str(jw, "status", "conflict");
    mcp_copy_str(jw, "timestamp", jr, "/conflicts/%zu/timestamp", i);
    mcp_copy_u64(jw, "localSequence", jr, "/conflicts/%zu/localSequence", i);
    mcp_copy_str(jw, "origin", jr, "/conflicts/%zu/origin", i);
    mcp_copy_str(jw, "conflictType", jr, "/conflicts/%zu/conflictType", i);
    ves_jw_end(jw);
}

/* Everybody's, oldest first; the cursor is the place of the last one. */
static void put_conflicts(struct ves_jw *jw, struct ves_jr *jr,
                          struct list *list)
{
    size_t n = ves_jr_count(jr, "/conflicts"), i;
    char step[128], count[48];

    ves_jw_object(jw);
    mcp_putf(jw, "summary", "%s in conflict.",
             mcp_count(count, ves_jr_u64(jr, "/total"), "event"));
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    for (i = 0; i < n && (i == 0 || ves_jw_view(jw).len < list->room); i++) {
        put_conflict_row(jw, jr, i);
        list->last = ves_jr_u64(jr, "/conflicts/%zu/place", i);
    }
    ves_jw_end(jw);
    mcp_put_u64(jw, "total", ves_jr_u64(jr, "/total"));
    if (i < n || ves_jr_has(jr, "/nextAfter"))
        mcp_putf(jw, "nextCursor", "%llu.%08x", (unsigned long long)list->last,
                 list->sum);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    snprintf(step, sizeof(step), "get_outbox_event {\"eventId\":\"%s\"}",
             ves_jr_str(jr, "/conflicts/0/eventId"));
    ves_jw_str(jw, n ? step : "get_sync_status {}");
    ves_jw_end(jw);
    ves_jw_end(jw);
}

static enum ves_mcp_outcome list_conflicts(struct ves_mcp_call *call,
                                           struct mcp_app *app,
                                           struct list *list)
{
    const struct ves_conflicts_filter filter = {
        .event_type = list->query.type,
        .entity_id = list->query.aggregate_id,
        .after = list->query.after_local_sequence,
        .limit = list->query.limit};
    struct ves_error error = {VES_OK, ""};
    struct ves_agent *agent = mcp_take(app, call);

    if (!agent)
        return VES_MCP_FAILED;
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_conflicts(agent, &filter, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);
    mcp_give(app, agent);
    if (!jr)
        return mcp_error_of(call, status ? status : error.status, &error,
                            "Nothing was changed.");
    put_conflicts(ves_mcp_structured(call), jr, list);
    ves_jr_free(jr);
    return VES_MCP_DONE;
}

enum ves_mcp_outcome mcp_list_outbox_events(struct ves_mcp_call *call,
                                            void *ctx)
{
    struct mcp_app *app = ctx;
    struct ves_error error = {VES_OK, ""};
    struct list list;

    if (!read_query(call, &list))
        return VES_MCP_FAILED;
    if (list.query.status && strcmp(list.query.status, "conflict") == 0)
        return list_conflicts(call, app, &list);
    struct ves_agent *agent = mcp_take(app, call);
    if (!agent)
        return VES_MCP_FAILED;
    struct ves_jw *jw = cli_writer();
    enum ves_status status =
        ves_agent_outbox_find(agent, &list.query, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);
    mcp_give(app, agent);
    if (!jr)
        return mcp_error_of(call, status ? status : error.status, &error,
                            "Nothing was changed.");
    put_list(ves_mcp_structured(call), jr, &list);
    ves_jr_free(jr);
    return VES_MCP_DONE;
}

/* ---- one event ----------------------------------------------------------- */

/* The event itself; false when its payload was too long to be shown. */
static bool put_event(struct ves_jw *jw, struct ves_jr *jr)
{
    const char *payload = ves_jr_str(jr, "/event/payload");
    bool fits = strlen(payload) <= PAYLOAD_MAX;

    ves_jw_key(jw, "event");
    ves_jw_object(jw);
    mcp_copy_str(jw, "eventId", jr, "/eventId");
    mcp_copy_str(jw, "type", jr, "/event/type");
    mcp_copy_str(jw, "aggregateId", jr, "/event/aggregateId");
    if (fits && payload[0] == '{')
        mcp_put_raw(jw, "payload", payload);
    mcp_copy_str(jw, "signature", jr, "/event/signature");
    mcp_copy_str(jw, "timestamp", jr, "/event/timestamp");
    ves_jw_end(jw);
    return fits;
}

static void put_signature(struct ves_jw *jw, struct ves_jr *jr)
{
    bool is_known = ves_jr_has(jr, "/signatureCheck/valid");

    ves_jw_key(jw, "signatureCheck");
    ves_jw_object(jw);
    mcp_put_bool(jw, "valid", ves_jr_bool(jr, "/signatureCheck/valid"));
    if (ves_jr_has(jr, "/signatureCheck/agentId"))
        mcp_putf(jw, "keyId", "%s#%llu",
                 ves_jr_str(jr, "/signatureCheck/agentId"),
                 (unsigned long long)ves_jr_u64(jr, "/signatureCheck/keyId"));
    if (!is_known)
        mcp_put_str(jw, "reason",
                    ves_jr_bool(jr, "/pruned")
                        ? "the body was pruned; its hash and receipt are kept"
                        : "the author's key is not known to this store yet");
    ves_jw_end(jw);
}

/* A stored receipt was verified against the pinned sequencer key before it was
 * stored; no other receipt is ever kept. */
static void put_receipt(struct ves_jw *jw, struct ves_jr *jr)
{
    if (!ves_jr_has(jr, "/receipt"))
        return;
    ves_jw_key(jw, "receipt");
    ves_jw_object(jw);
    mcp_put_u64(jw, "sequence", ves_jr_u64(jr, "/receipt/sequenceNumber"));
    mcp_copy_str(jw, "receivedAt", jr, "/pushedAt");
    mcp_put_bool(jw, "verified", true);
    ves_jw_end(jw);
}

/* Money is for people, whatever could be merged. */
static const char *suggestion(const struct mcp_app *app, struct ves_jr *show)
{
    if (mcp_needs_person(app, ves_jr_str(show, "/entity/type")))
        return "manual";
    return ves_jr_str(show, "/suggestedStrategy");
}

static void put_conflict(const struct mcp_app *app, struct ves_jw *jw,
                         struct ves_jr *show)
{
    if (!show)
        return;
    ves_jw_key(jw, "conflict");
    ves_jw_object(jw);
    mcp_copy_str(jw, "conflictType", show, "/conflictType");
    mcp_copy_str(jw, "remoteEventId", show, "/remoteEventId");
    mcp_copy_str(jw, "detectedAt", show, "/openedAt");
    mcp_put_str(jw, "suggestedStrategy", suggestion(app, show));
    mcp_put_fields(jw, show, true);
    mcp_put_bool(jw, "mergeable", ves_jr_bool(show, "/mergeable"));
    ves_jw_end(jw);
}

static void put_resolve_step(const struct mcp_app *app, struct ves_jw *jw,
                             struct ves_jr *show, const char *id)
{
    const char *remote = ves_jr_str(show, "/remoteEventId");
    const char *strategy = suggestion(app, show);
    char step[256];

    if (ves_jr_bool(show, "/isPending")) {
        ves_jw_str(jw, "push_events {}");
        ves_jw_str(jw, "pull_events {}");
        return;
    }
    snprintf(step, sizeof(step),
             remote[0] ? "resolve_conflict {\"eventId\":\"%s\",\"strategy\":"
                         "\"%s\",\"expectedRemoteEventId\":\"%s\"}"
                       : "resolve_conflict {\"eventId\":\"%s\",\"strategy\":"
                         "\"%s\"%s}",
             id, strategy[0] ? strategy : "manual", remote);
    ves_jw_str(jw, step);
}

static void put_event_steps(const struct mcp_app *app, struct ves_jw *jw,
                            struct ves_jr *jr, struct ves_jr *show)
{
    const char *status = ves_jr_str(jr, "/status");
    bool has_failed =
        strcmp(status, "failed") == 0 && !ves_jr_has(jr, "/disposition");
    bool is_refused = ves_jr_has(jr, "/refusalSignature");

    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (show)
        put_resolve_step(app, jw, show, ves_jr_str(jr, "/eventId"));
    if (strcmp(status, "pending") == 0 || (has_failed && !is_refused))
        ves_jw_str(jw, "push_events {}");
    if (has_failed && is_refused)
        ves_jw_str(jw, MCP_REFUSED_STEP);
    if (strcmp(status, "syncing") == 0) {
        ves_jw_str(jw, "pull_events {}");
        ves_jw_str(jw, "acknowledge_events {}");
    }
    ves_jw_end(jw);
}

/* An id in our own sentence: others choose ids, and one with blanks in it may
 * read like an instruction.  The member aggregateId has it whatever it is. */
static const char *said(struct ves_jr *jr)
{
    const char *id = ves_jr_str(jr, "/event/aggregateId");
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789-_.:/#@+");

    return n > 0 && n <= 64 && !id[n] ? id : "a record";
}

/* show: the open conflict the event is in, or NULL. */
static void put_details(const struct mcp_app *app, struct ves_jw *jw,
                        struct ves_jr *jr, struct ves_jr *show)
{
    const char *type = ves_jr_str(jr, "/event/type");
    const char *status = show ? "conflict" : ves_jr_str(jr, "/status");

    ves_jw_object(jw);
    mcp_putf(jw, "summary", "%s on %s is %s.", type[0] ? type : "An event",
             said(jr), status);
    bool is_whole = put_event(jw, jr);
    mcp_put_str(jw, "status", status);
    mcp_copy_u64(jw, "localSequence", jr, "/localSequence");
    put_signature(jw, jr);
    mcp_copy_u64(jw, "attempts", jr, "/attempts");
    mcp_copy_str(jw, "lastError", jr, "/error");
    mcp_copy_str(jw, "nextRetryAt", jr, "/nextAttemptAt");
    put_receipt(jw, jr);
    mcp_copy_str(jw, "finality", jr, "/finality");
    put_conflict(app, jw, show);
    if (!is_whole)
        mcp_put_bool(jw, "payloadTruncated", true);
    mcp_putf(jw, "resourceUri", "ves://event/%s", ves_jr_str(jr, "/eventId"));
    put_event_steps(app, jw, jr, show);
    ves_jw_end(jw);
}

/* The open conflict whose branch event it is; NULL when there is none. */
static struct ves_jr *conflict_of(struct ves_agent *agent, const char *id)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_conflict_show(agent, id, jw, &error);
    struct ves_jr *show = mcp_read(jw, status, &error);

    if (show && (strcmp(ves_jr_str(show, "/status"), "open") != 0 ||
                 strcasecmp(ves_jr_str(show, "/eventId"), id) != 0)) {
        ves_jr_free(show);
        show = NULL;
    }
    return show;
}

static enum ves_mcp_outcome not_in_outbox(struct ves_mcp_call *call,
                                          const char *id, uint64_t sequence)
{
    char what[160];

    if (sequence)
        snprintf(what, sizeof(what),
                 "%s is not in this store's outbox; it is somebody else's "
                 "event, at sequence %llu",
                 id, (unsigned long long)sequence);
    else
        snprintf(what, sizeof(what), "there is no outbox event %s", id);
    return mcp_error(call, "EVENT_NOT_FOUND", what, "Nothing was changed.",
                     "list_outbox_events {}.");
}

enum ves_mcp_outcome mcp_get_outbox_event(struct ves_mcp_call *call, void *ctx)
{
    struct mcp_app *app = ctx;
    const char *text = ves_jr_str(ves_mcp_arguments(call), "/eventId");
    struct ves_error error = {VES_OK, ""};
    enum ves_mcp_outcome outcome = VES_MCP_DONE;
    struct ves_uuid id;

    struct ves_agent *agent = mcp_take(app, call);
    if (!agent)
        return VES_MCP_FAILED;
    (void)mcp_uuid(text, &id);
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_show(agent, &id, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);
    struct ves_jr *show = jr ? conflict_of(agent, text) : NULL;
    mcp_give(app, agent);
    if (status == VES_NOT_FOUND)
        outcome = not_in_outbox(call, text, 0);
    else if (!jr)
        outcome = mcp_error_of(call, status ? status : error.status, &error,
                               "Nothing was changed.");
    else if (!show && !ves_jr_has(jr, "/localSequence"))
        outcome = not_in_outbox(call, text, ves_jr_u64(jr, "/sequenceNumber"));
    else
        put_details(app, ves_mcp_structured(call), jr, show);
    ves_jr_free(show);
    ves_jr_free(jr);
    return outcome;
}
