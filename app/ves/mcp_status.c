/* mcp_status.c -- get_sync_status: how this store stands. */
#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

enum { PROBE_MS = 2000 };

/* What health is, and what is said of it. */
struct view {
    uint64_t pending, syncing, conflicts, lag;
    uint64_t failed;  /* and nobody has decided about them */
    uint64_t refused; /* ... of these, for good */
    bool is_configured, is_reachable, was_checked;
};

static void look(struct ves_jr *jr, struct view *v)
{
    memset(v, 0, sizeof(*v));
    v->pending = ves_jr_u64(jr, "/counts/pending");
    v->syncing = ves_jr_u64(jr, "/counts/syncing");
    v->failed = ves_jr_u64(jr, "/undelivered");
    v->refused = ves_jr_u64(jr, "/refused");
    v->conflicts = ves_jr_u64(jr, "/conflictsByType/concurrent_edit") +
                   ves_jr_u64(jr, "/conflictsByType/version_mismatch") +
                   ves_jr_u64(jr, "/conflictsByType/deleted_reference");
    if (v->conflicts < ves_jr_u64(jr, "/counts/conflict"))
        v->conflicts = ves_jr_u64(jr, "/counts/conflict");
    v->lag = ves_jr_u64(jr, "/sequence/lag");
    v->is_configured = ves_jr_has(jr, "/sequencer/url");
    v->was_checked = ves_jr_has(jr, "/sequencer/reachable");
    v->is_reachable = ves_jr_bool(jr, "/sequencer/reachable");
}

static void put_part(char *out, size_t size, uint64_t n, const char *what)
{
    size_t used = strlen(out);

    if (n)
        snprintf(out + used, size - used, "%s%llu %s", used ? ", " : "",
                 (unsigned long long)n, what);
}

static void put_summary(struct ves_jw *jw, struct ves_jr *jr,
                        const struct view *v, bool is_fresh)
{
    char parts[256] = "", behind[64] = "";
    const char *contact = !v->is_configured ? "no sequencer is configured"
                          : !v->was_checked ? "sequencer not asked yet"
                          : v->is_reachable ? "sequencer reachable"
                                            : "sequencer not reachable";

    put_part(parts, sizeof(parts), v->pending, "pending");
    put_part(parts, sizeof(parts), v->syncing, "sent and not acknowledged");
    put_part(parts, sizeof(parts), v->failed, "failed");
    put_part(parts, sizeof(parts), v->conflicts,
             v->conflicts == 1 ? "conflict" : "conflicts");
    put_part(parts, sizeof(parts), ves_jr_u64(jr, "/quarantined"),
             "quarantined");
    if (v->lag)
        snprintf(behind, sizeof(behind), ", %llu %s behind",
                 (unsigned long long)v->lag, v->lag == 1 ? "event" : "events");
    mcp_putf(jw, "summary", "%s; %s%s%s.", parts[0] ? parts : "Nothing waits",
             contact,
             v->is_configured && v->was_checked && !is_fresh
                 ? " when last asked"
                 : "",
             behind);
}

static void put_sequencer(struct ves_jw *jw, struct ves_jr *jr,
                          const struct view *v, const char *probe_error)
{
    if (!v->is_configured || !v->was_checked)
        return;
    ves_jw_key(jw, "sequencer");
    ves_jw_object(jw);
    mcp_put_bool(jw, "reachable", v->is_reachable);
    mcp_copy_str(jw, "checkedAt", jr, "/sequencer/checkedAt");
    mcp_put_str(jw, "error", probe_error);
    ves_jw_end(jw);
}

static void put_sequence(struct ves_jw *jw, struct ves_jr *jr)
{
    ves_jw_key(jw, "sequence");
    ves_jw_object(jw);
    mcp_put_u64(jw, "lastPushed", ves_jr_u64(jr, "/sequence/lastPushed"));
    mcp_put_u64(jw, "lastPulled", ves_jr_u64(jr, "/sequence/lastPulled"));
    mcp_put_u64(jw, "remoteHead", ves_jr_u64(jr, "/sequence/remoteHead"));
    mcp_put_u64(jw, "lag", ves_jr_u64(jr, "/sequence/lag"));
    mcp_put_bool(jw, "gap", ves_jr_bool(jr, "/sequence/gap"));
    mcp_put_u64(jw, "logged", ves_jr_u64(jr, "/finality/logged"));
    mcp_put_u64(jw, "witnessed", ves_jr_u64(jr, "/finality/witnessed"));
    ves_jw_end(jw);
}

/* The best call first. */
static void put_steps(struct ves_jw *jw, struct ves_jr *jr,
                      const struct view *v)
{
    bool may_sync = v->is_configured && (v->is_reachable || !v->was_checked);

    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (!v->is_configured)
        ves_jw_str(jw, "Ask the user to join a sequencer: ves init --invite "
                       "STRING");
    if (ves_jr_u64(jr, "/signatureFailures") || ves_jr_u64(jr, "/quarantined"))
        ves_jw_str(jw, "Tell the user that received events do not verify; do "
                       "not retry them");
    if (may_sync && (v->pending || v->failed > v->refused))
        ves_jw_str(jw, "push_events {}");
    if (may_sync && (v->lag || !v->was_checked || v->syncing || v->pending))
        ves_jw_str(jw, "pull_events {}");
    if (v->syncing)
        ves_jw_str(jw, "acknowledge_events {}");
    if (v->conflicts)
        ves_jw_str(jw, "list_outbox_events {\"status\":\"conflict\"}");
    if (ves_jr_u64(jr, "/followUps"))
        ves_jw_str(jw, "Tell the user that something asks to be looked at: "
                       "ves conflicts lists it");
    if (v->failed)
        ves_jw_str(jw, "list_outbox_events {\"status\":\"failed\"}");
    if (v->refused)
        ves_jw_str(jw, MCP_REFUSED_STEP);
    if (v->is_configured && v->was_checked && !v->is_reachable)
        ves_jw_str(jw, "get_sync_status {} again in 30 s; local work goes on "
                       "meanwhile");
    ves_jw_end(jw);
}

enum ves_status mcp_write_status(struct ves_jw *jw, struct ves_jr *jr,
                                 const char *probe_error, bool is_fresh,
                                 enum mcp_delivery delivery)
{
    static const char *const statuses[] = {"pending", "syncing", "synced",
                                           "failed", "conflict"};
    static const char *const types[] = {"concurrent_edit", "version_mismatch",
                                        "deleted_reference"};
    struct view v;

    look(jr, &v);
    ves_jw_object(jw);
    mcp_put_str(jw, "health", ves_jr_str(jr, "/health"));
    put_summary(jw, jr, &v, is_fresh);
    ves_jw_key(jw, "counts");
    ves_jw_object(jw);
    for (size_t i = 0; i < 5; i++)
        mcp_put_u64(jw, statuses[i], ves_jr_u64(jr, "/counts/%s", statuses[i]));
    ves_jw_end(jw);
    ves_jw_key(jw, "conflictsByType");
    ves_jw_object(jw);
    for (size_t i = 0; i < 3; i++)
        mcp_put_u64(jw, types[i],
                    ves_jr_u64(jr, "/conflictsByType/%s", types[i]));
    ves_jw_end(jw);
    mcp_put_u64(jw, "followUps", ves_jr_u64(jr, "/followUps"));
    mcp_copy_str(jw, "oldestPendingAt", jr, "/oldestPendingAt");
    mcp_copy_str(jw, "lastPushAt", jr, "/lastPushAt");
    mcp_copy_str(jw, "lastPullAt", jr, "/lastPullAt");
    mcp_copy_str(jw, "lastPulledEventId", jr, "/lastPulledEventId");
    put_sequence(jw, jr);
    put_sequencer(jw, jr, &v, probe_error);
    if (delivery != MCP_NO_DELIVERY)
        mcp_put_str(jw, "delivery",
                    delivery == MCP_STREAM ? "stream" : "polling");
    mcp_put_u64(jw, "signatureFailures", ves_jr_u64(jr, "/signatureFailures"));
    put_steps(jw, jr, &v);
    ves_jw_end(jw);
    return ves_jw_status(jw);
}

/* ---- made once ------------------------------------------------------------
 * Without a probe a result is a function of the library's document and of how
 * news are heard of. */

/* Writes what was made of the same document before; false: there is none. */
static bool put_made(struct mcp_app *app, struct ves_jw *jw,
                     struct ves_bytes document, enum mcp_delivery delivery)
{
    pthread_mutex_lock(&app->lock);
    bool is_same = app->standing && app->standing_delivery == delivery &&
                   strlen(app->standing) == document.len &&
                   memcmp(app->standing, document.ptr, document.len) == 0;
    if (is_same)
        ves_jw_raw(jw, (struct ves_bytes){(const uint8_t *)app->standing_result,
                                          strlen(app->standing_result)});
    pthread_mutex_unlock(&app->lock);
    return is_same;
}

static char *copy_of(struct ves_bytes text)
{
    char *copy = malloc(text.len + 1);

    if (copy) {
        memcpy(copy, text.ptr, text.len);
        copy[text.len] = '\0';
    }
    return copy;
}

/* Without memory for it, it is made again each time. */
static void keep_made(struct mcp_app *app, struct ves_bytes document,
                      struct ves_bytes result, enum mcp_delivery delivery)
{
    char *standing = copy_of(document), *made = copy_of(result);

    if (!standing || !made) {
        free(standing);
        free(made);
        return;
    }
    pthread_mutex_lock(&app->lock);
    free(app->standing);
    free(app->standing_result);
    app->standing = standing;
    app->standing_result = made;
    app->standing_delivery = delivery;
    pthread_mutex_unlock(&app->lock);
}

static enum ves_mcp_outcome make(struct mcp_app *app, struct ves_mcp_call *call,
                                 struct ves_bytes document, const char *words,
                                 bool is_fresh, enum mcp_delivery delivery)
{
    struct ves_jw *jw = ves_mcp_structured(call);
    struct ves_jr *jr = ves_jr_new(NULL, document);
    enum ves_status status =
        jr ? mcp_write_status(jw, jr, words, is_fresh, delivery) : VES_LIMIT;

    ves_jr_free(jr);
    if (status)
        return mcp_error_of(call, status, NULL, "Nothing was changed.");
    if (!is_fresh)
        keep_made(app, document, ves_jw_view(jw), delivery);
    return VES_MCP_DONE;
}

static enum ves_mcp_outcome answer(struct mcp_app *app,
                                   struct ves_mcp_call *call,
                                   struct ves_agent *agent, const char *words,
                                   bool is_fresh)
{
    enum ves_mcp_outcome outcome = VES_MCP_DONE;
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *document = cli_writer();
    enum ves_status status = ves_agent_standing(agent, document, &error);
    enum mcp_delivery delivery = mcp_delivery(app);

    mcp_give(app, agent);
    if (status)
        outcome = mcp_error_of(call, status, &error, "Nothing was changed.");
    else if (is_fresh || !put_made(app, ves_mcp_structured(call),
                                   ves_jw_view(document), delivery))
        outcome =
            make(app, call, ves_jw_view(document), words, is_fresh, delivery);
    ves_jw_free(document);
    return outcome;
}

enum ves_mcp_outcome mcp_get_sync_status(struct ves_mcp_call *call, void *ctx)
{
    struct mcp_app *app = ctx;
    struct ves_jr *args = ves_mcp_arguments(call);
    bool probe = !ves_jr_has(args, "/probe") || ves_jr_bool(args, "/probe");
    struct ves_agent *agent = mcp_take(app, call);
    struct ves_agent_info info;
    struct ves_error error = {VES_OK, ""};
    struct ves_contact contact;
    const char *words = NULL;

    if (!agent)
        return VES_MCP_FAILED;
    ves_agent_info(agent, &info);
    probe = probe && info.url[0];
    if (probe) {
        enum ves_status status =
            mcp_probe(app, call, agent, PROBE_MS, &contact, &error);
        if (contact.wait_s)
            words = "it is busy and asks to be left alone";
        else if (status == VES_UNREACHABLE)
            words = "no connection, or no answer within 2 s";
        else if (status)
            words = ves_status_message(status);
    }
    return answer(app, call, agent, words, probe);
}
