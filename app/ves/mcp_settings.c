/* mcp_settings.c -- get_sync_settings and set_sync_settings. */
#include <string.h>

#include "mcp_app.h"

static const char *const names[] = {"autoSync",         "syncIntervalMs",
                                    "batchSize",        "maxRetries",
                                    "retryBaseDelayMs", "retryMaxDelayMs",
                                    "conflictStrategy", "outboxRetentionDays"};
enum { NAMES = sizeof(names) / sizeof(names[0]) };

static struct ves_jr *read_settings(struct ves_mcp_call *call,
                                    struct ves_agent *agent)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_settings(agent, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);

    if (!jr)
        mcp_error_of(call, status ? status : error.status, &error,
                     "Nothing was changed.");
    return jr;
}

static void put_setting(struct ves_jw *jw, const char *name, const char *value)
{
    if (strcmp(name, "conflictStrategy") == 0)
        mcp_put_str(jw, name, value);
    else
        mcp_put_raw(jw, name, value);
}

/* values: as JSON spells them, strings without quotes. */
static void put_settings(struct ves_jw *jw, const char *const values[NAMES])
{
    ves_jw_key(jw, "settings");
    ves_jw_object(jw);
    for (size_t i = 0; i < NAMES; i++)
        put_setting(jw, names[i], values[i]);
    ves_jw_end(jw);
}

static void current(struct ves_jr *jr, const char *values[NAMES])
{
    for (size_t i = 0; i < NAMES; i++)
        values[i] = ves_jr_str(jr, "/settings/%s", names[i]);
}

static bool is_locked(struct ves_jr *jr, const char *name)
{
    size_t n = ves_jr_count(jr, "/lockedByOperator");

    for (size_t i = 0; i < n; i++) {
        if (strcmp(ves_jr_str(jr, "/lockedByOperator/%zu", i), name) == 0)
            return true;
    }
    return false;
}

enum ves_status mcp_write_settings(struct mcp_app *app, struct ves_jw *jw,
                                   struct ves_jr *jr)
{
    const char *values[NAMES];
    const char *strategy = ves_jr_str(jr, "/settings/conflictStrategy");
    size_t locked = ves_jr_count(jr, "/lockedByOperator");

    current(jr, values);
    ves_jw_object(jw);
    mcp_putf(jw, "summary", "Automatic sync is %s; %s.",
             ves_jr_bool(jr, "/settings/autoSync") ? "on" : "off",
             strcmp(strategy, "manual") == 0
                 ? "conflicts wait for a decision"
                 : "new conflicts of own events are decided automatically");
    mcp_put_u64(jw, "version", ves_jr_u64(jr, "/version"));
    put_settings(jw, values);
    ves_jw_key(jw, "fixed");
    ves_jw_object(jw);
    mcp_copy_str(jw, "sequencerUrl", jr, "/fixed/sequencerUrl");
    mcp_copy_str(jw, "tenantId", jr, "/fixed/tenantId");
    mcp_copy_str(jw, "storeId", jr, "/fixed/storeId");
    mcp_copy_str(jw, "agentId", jr, "/fixed/agentId");
    mcp_copy_str(jw, "signingKeyId", jr, "/fixed/signingKeyId");
    mcp_put_bool(jw, "readOnly", app->is_read_only);
    ves_jw_end(jw);
    ves_jw_key(jw, "lockedByOperator");
    ves_jw_array(jw);
    for (size_t i = 0; i < locked; i++)
        ves_jw_str(jw, ves_jr_str(jr, "/lockedByOperator/%zu", i));
    ves_jw_end(jw);
    ves_jw_end(jw);
    return ves_jw_status(jw);
}

enum ves_mcp_outcome mcp_get_sync_settings(struct ves_mcp_call *call, void *ctx)
{
    struct mcp_app *app = ctx;
    struct ves_agent *agent = mcp_take(app, call);

    if (!agent)
        return VES_MCP_FAILED;
    struct ves_jr *jr = read_settings(call, agent);
    mcp_give(app, agent);
    if (!jr)
        return VES_MCP_FAILED;
    enum ves_status status =
        mcp_write_settings(app, ves_mcp_structured(call), jr);
    ves_jr_free(jr);
    return status ? mcp_error_of(call, status, NULL, "Nothing was changed.")
                  : VES_MCP_DONE;
}

/* ---- changing ------------------------------------------------------------ */

enum { NUMBER = 24 };

struct change {
    char numbers[NAMES][NUMBER];           /* what was asked for, spelled */
    struct ves_setting_change list[NAMES]; /* those that differ */
    const char *from[NAMES];
    size_t count;
    const char *after[NAMES]; /* all of them, as they will be */
};

/* A value as settings are written: 50.0 and 5e1 are 50 to JSON. */
static const char *spelled(struct ves_jr *args, const char *name,
                           char number[NUMBER])
{
    const char *text = ves_jr_str(args, "/%s", name);

    if (!strpbrk(text, ".eE") || !strchr("0123456789", text[0]))
        return text;
    snprintf(number, NUMBER, "%llu",
             (unsigned long long)ves_jr_u64(args, "/%s", name));
    return number;
}

/* What the call asks for, against what is; false: the call has failed. */
static bool plan(struct ves_mcp_call *call, struct ves_jr *now,
                 struct change *change)
{
    struct ves_jr *args = ves_mcp_arguments(call);
    char what[160];

    current(now, change->after);
    for (size_t i = 0; i < NAMES; i++) {
        if (!ves_jr_has(args, "/%s", names[i]))
            continue;
        const char *to = spelled(args, names[i], change->numbers[i]);
        if (strcmp(to, change->after[i]) == 0)
            continue;
        if (is_locked(now, names[i])) {
            snprintf(what, sizeof(what),
                     "%s is fixed by the operator who started this server",
                     names[i]);
            mcp_error(call, "SETTING_LOCKED", what, "Nothing was changed.",
                      "set_sync_settings without it, or ask the user.");
            return false;
        }
        change->list[change->count] = (struct ves_setting_change){names[i], to};
        change->from[change->count++] = change->after[i];
        change->after[i] = to;
    }
    return true;
}

static bool version_is_right(struct ves_mcp_call *call, struct ves_jr *now)
{
    struct ves_jr *args = ves_mcp_arguments(call);
    uint64_t read = ves_jr_u64(args, "/expectedVersion");
    uint64_t is = ves_jr_u64(now, "/version");
    char what[96];

    if (!ves_jr_has(args, "/expectedVersion") || read == is)
        return true;
    snprintf(what, sizeof(what), "settings are now version %llu; you read %llu",
             (unsigned long long)is, (unsigned long long)read);
    mcp_error(call, "SETTINGS_CHANGED", what, "Nothing was changed.",
              "get_sync_settings {}, then decide again.");
    return false;
}

static enum ves_mcp_outcome fail_set(struct ves_mcp_call *call,
                                     enum ves_status status,
                                     const struct ves_error *error)
{
    /* Settings are the caller's own words, so the library's may be shown. */
    if (status == VES_INVALID || status == VES_NOT_FOUND) {
        char what[512];

        mcp_what(what, sizeof(what), error->text);
        return mcp_error(call, "SETTING_INVALID", what, "Nothing was changed.",
                         "set_sync_settings with that corrected; two that "
                         "depend on each other go in one call.");
    }
    if (status == VES_CONFLICT)
        return mcp_error(call, "SETTINGS_CHANGED",
                         "somebody changed the settings at the same time",
                         "Nothing was changed.",
                         "get_sync_settings {}, then decide again.");
    return mcp_error_of(call, status, error, "Nothing was changed.");
}

static void put_change(struct ves_jw *jw, const struct change *change,
                       bool is_preview, uint64_t version)
{
    char count[48];

    ves_jw_object(jw);
    if (change->count == 0)
        mcp_put_str(jw, "summary",
                    "Nothing differs from what is set; nothing "
                    "was changed.");
    else if (change->count == 1)
        mcp_putf(jw, "summary", "%s %s from %s to %s.", change->list[0].name,
                 is_preview ? "would change" : "changed", change->from[0],
                 change->list[0].value);
    else
        mcp_putf(jw, "summary", "%s %s.",
                 mcp_count(count, change->count, "setting"),
                 is_preview ? "would change" : "changed");
    mcp_put_bool(jw, "dryRun", is_preview);
    mcp_put_u64(jw, "version", version);
    ves_jw_key(jw, "changed");
    ves_jw_array(jw);
    for (size_t i = 0; i < change->count; i++) {
        ves_jw_object(jw);
        mcp_put_str(jw, "name", change->list[i].name);
        mcp_put_str(jw, "from", change->from[i]);
        mcp_put_str(jw, "to", change->list[i].value);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    put_settings(jw, change->after);
    ves_jw_end(jw);
}

enum ves_mcp_outcome mcp_set_sync_settings(struct ves_mcp_call *call, void *ctx)
{
    struct mcp_app *app = ctx;
    bool is_preview = mcp_is_preview(app, call);
    struct change change = {.count = 0};
    struct ves_error error = {VES_OK, ""};
    enum ves_mcp_outcome outcome = VES_MCP_FAILED;

    struct ves_agent *agent =
        mcp_may_write(app, call) ? mcp_take(app, call) : NULL;
    struct ves_jr *now = agent ? read_settings(call, agent) : NULL;
    if (now && version_is_right(call, now) && plan(call, now, &change)) {
        uint64_t version = ves_jr_u64(now, "/version");
        enum ves_status status = VES_OK;
        /* A preview asks the same questions and writes nothing. */
        if (change.count)
            status = ves_agent_set_all(agent, change.list, change.count,
                                       &version, is_preview, &error);
        if (status) {
            outcome = fail_set(call, status, &error);
        } else {
            put_change(ves_mcp_structured(call), &change, is_preview, version);
            /* The values are in the record already; this says who. */
            if (change.count && !is_preview)
                (void)!ves_agent_note(agent, "mcp",
                                      "{\"tool\":\"set_sync_settings\"}", NULL);
            outcome = VES_MCP_DONE;
        }
    }
    ves_jr_free(now);
    if (agent)
        mcp_give(app, agent);
    return outcome;
}
