/* mcp_resolve.c -- resolve_conflict: a decision, a preview, or a question.
 *
 * What is asked of a person goes through a form where the host has one.  The
 * client carries which version of the conflict the form showed; when it comes
 * back and something moved on, nothing is decided. */
#include "ves/conflict.h"

#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

enum {
    PAYLOAD_MAX = 64 * 1024, /* mergedPayload */
    STATE_SHOWN = 16 * 1024, /* of the entity, in a result */
    FORM_FIELDS = 10,
    FORM_VALUE = 80, /* characters of a value in a form */
    SETS_MAX = 64
};

/* One call, from its arguments to the library's. */
struct resolve {
    struct mcp_app *app;
    struct ves_mcp_call *call;
    struct ves_agent *agent;
    const char *id;
    const char *strategy;
    struct ves_jr *show; /* the conflict as it is */
    bool is_preview;
    struct ves_resolve_options options;
    struct ves_uuid expected;
    struct ves_resolve_set sets[SETS_MAX];
};

/* ---- words --------------------------------------------------------------- */

static const char *next_of(const char *code)
{
    static const char *const next[][2] = {
        {"EVENT_NOT_FOUND", "pull_events {} if another store wrote it; else "
                            "list_outbox_events {\"status\":\"conflict\"}."},
        {"CONFLICT_NOT_FOUND", "list_outbox_events {\"status\":\"conflict\"}."},
        {"NOT_IN_CONFLICT", "list_outbox_events {\"status\":\"conflict\"}."},
        {"SEVERAL_CONFLICTS",
         "ask the user; ves resolve can name one of them."},
        {"RESOLUTION_PENDING",
         "push_events {} and pull_events {}, then look again."},
        {"SYNC_FIRST", "push_events {} and pull_events {}, then resolve it."},
        {"CONFLICT_CHANGED",
         "get_outbox_event for the same event, then resolve again."},
        {"MERGE_OVERLAP", "strategy \"manual\" to ask the user, or \"merge\" "
                          "with mergedPayload."},
        {"MERGE_IMPOSSIBLE", "strategy \"accept_remote\" or \"manual\"."},
        {"STRATEGY_NOT_ALLOWED", "strategy \"manual\" to ask the user."},
        {"PAYLOAD_INVALID", "correct mergedPayload and call again."},
        {"PAYLOAD_NOT_ALLOWED", "call again without mergedPayload."}};

    for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        if (strcmp(next[i][0], code) == 0)
            return next[i][1];
    }
    return "get_outbox_event for the event, then decide again.";
}

static enum ves_mcp_outcome fail_problem(struct resolve *r,
                                         enum ves_status status,
                                         struct ves_jr *doc,
                                         const struct ves_error *error)
{
    const char *code = doc ? ves_jr_str(doc, "/problem/code") : "";
    char what[512];

    if (!code[0])
        return mcp_error_of(r->call, status, error, "Nothing was changed.");
    mcp_what(what, sizeof(what), ves_jr_str(doc, "/problem/message"));
    return mcp_error(r->call, code, what, "Nothing was changed.",
                     next_of(code));
}

/* ---- money --------------------------------------------------------------- */

static bool is_in_list(const char *list, const char *word, size_t len)
{
    while (list && *list) {
        size_t n = strcspn(list, ",");
        if (n == len && strncmp(list, word, n) == 0)
            return true;
        list += n;
        list += *list == ',';
    }
    return false;
}

#define MONEY "payment,refund,return"

bool mcp_may_allow(const char *list)
{
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (!is_in_list(MONEY, list, len))
            return false;
        list += len;
        if (*list == ',' && !*++list)
            return false;
    }
    return true;
}

/* Money hangs on it and the operator did not let agents decide. */
bool mcp_needs_person(const struct mcp_app *app, const char *entity_type)
{
    size_t len = strlen(entity_type);

    return is_in_list(MONEY, entity_type, len) &&
           !is_in_list(app->allow, entity_type, len);
}

static bool may_decide(struct resolve *r)
{
    const char *type = ves_jr_str(r->show, "/entity/type");
    char what[160];

    if (!mcp_needs_person(r->app, type) ||
        (strcmp(r->strategy, "manual") == 0 && !r->options.patch.len))
        return true;
    snprintf(what, sizeof(what),
             "conflicts about a %.32s are decided by a person, so %s is not "
             "open to an agent",
             type, r->options.patch.len ? "a payload" : r->strategy);
    mcp_error(r->call, "STRATEGY_NOT_ALLOWED", what, "Nothing was changed.",
              "strategy \"manual\" without mergedPayload to ask the user; ves "
              "resolve does it at the command line.");
    return false;
}

/* ---- the form ------------------------------------------------------------ */

static void put_choice(struct ves_jw *jw, const char *value, const char *title)
{
    ves_jw_object(jw);
    mcp_put_str(jw, "const", value);
    mcp_put_str(jw, "title", title);
    ves_jw_end(jw);
}

static bool is_allowed(struct ves_jr *show, const char *strategy)
{
    size_t n = ves_jr_count(show, "/allowedStrategies");

    for (size_t i = 0; i < n; i++) {
        if (strcmp(ves_jr_str(show, "/allowedStrategies/%zu", i), strategy) ==
            0)
            return true;
    }
    return false;
}

static size_t count_overlaps(struct ves_jr *show)
{
    size_t n = ves_jr_count(show, "/fields"), count = 0;

    for (size_t i = 0; i < n; i++)
        count += ves_jr_bool(show, "/fields/%zu/isOverlap", i);
    return count;
}

/* Nothing is decided field by field that the form did not show. */
static bool fits_form(struct ves_jr *show)
{
    return is_allowed(show, "merge") && count_overlaps(show) <= FORM_FIELDS &&
           ves_jr_count(show, "/fields") <= SETS_MAX;
}

static void put_decision(struct ves_jw *jw, struct ves_jr *show)
{
    ves_jw_key(jw, "decision");
    ves_jw_object(jw);
    mcp_put_str(jw, "type", "string");
    mcp_put_str(jw, "title", "Decision");
    ves_jw_key(jw, "oneOf");
    ves_jw_array(jw);
    if (is_allowed(show, "accept_local"))
        put_choice(jw, "accept_local", "Keep ours");
    if (is_allowed(show, "accept_remote"))
        put_choice(jw, "accept_remote", "Keep the other side's");
    if (fits_form(show))
        put_choice(jw, "merge", "Choose field by field");
    put_choice(jw, "later", "Decide later");
    ves_jw_end(jw);
    ves_jw_end(jw);
}

/* Up to ten fields both sides changed: whose value is it to be? */
static void put_form_fields(struct ves_jw *jw, struct ves_jr *show)
{
    size_t n = ves_jr_count(show, "/fields"), shown = 0;

    for (size_t i = 0; i < n && shown < FORM_FIELDS; i++) {
        char name[16], value[2 * FORM_VALUE], title[4 * FORM_VALUE];
        if (!ves_jr_bool(show, "/fields/%zu/isOverlap", i))
            continue;
        const char *path = ves_jr_str(show, "/fields/%zu/path", i);
        snprintf(name, sizeof(name), "field_%zu", ++shown);
        ves_jw_key(jw, name);
        ves_jw_object(jw);
        mcp_put_str(jw, "type", "string");
        mcp_shown(value, sizeof(value), path, FORM_VALUE, ' ');
        mcp_put_str(jw, "title", value);
        ves_jw_key(jw, "oneOf");
        ves_jw_array(jw);
        mcp_shown(value, sizeof(value), ves_jr_str(show, "/fields/%zu/ours", i),
                  FORM_VALUE, ' ');
        snprintf(title, sizeof(title), "%s (ours)", value);
        put_choice(jw, "local", title);
        mcp_shown(value, sizeof(value),
                  ves_jr_str(show, "/fields/%zu/theirs", i), FORM_VALUE, ' ');
        snprintf(title, sizeof(title), "%s (theirs)", value);
        put_choice(jw, "remote", title);
        ves_jw_end(jw);
        ves_jw_end(jw);
    }
}

static enum ves_mcp_outcome ask(struct resolve *r)
{
    struct ves_jw *jw = cli_writer();
    const char *version = ves_jr_str(r->show, "/conflictVersion");
    struct ves_bytes state = {(const uint8_t *)version, strlen(version)};
    char id[FORM_VALUE * 2];

    mcp_shown(id, sizeof(id), ves_jr_str(r->show, "/entity/id"), FORM_VALUE,
              ' ');
    ves_jw_object(jw);
    mcp_putf(jw, "message",
             "%.64s on %.64s %s: both sides changed it. Which version should "
             "be kept?",
             ves_jr_str(r->show, "/eventType"),
             ves_jr_str(r->show, "/entity/type"), id);
    ves_jw_key(jw, "requestedSchema");
    ves_jw_object(jw);
    mcp_put_str(jw, "type", "object");
    ves_jw_key(jw, "properties");
    ves_jw_object(jw);
    put_decision(jw, r->show);
    put_form_fields(jw, r->show);
    mcp_put_raw(jw, "note",
                "{\"type\":\"string\",\"title\":\"Note\",\"maxLength\":500}");
    ves_jw_end(jw);
    mcp_put_raw(jw, "required", "[\"decision\"]");
    ves_jw_end(jw);
    ves_jw_end(jw);
    ves_mcp_keep(r->call, state);
    ves_mcp_ask(r->call, "resolution", "elicitation/create", ves_jw_view(jw));
    ves_jw_free(jw);
    return VES_MCP_ASK;
}

/* ---- results ------------------------------------------------------------- */

static void put_choices(struct ves_jw *jw, struct ves_jr *doc)
{
    size_t n = ves_jr_count(doc, "/choices");

    if (n == 0)
        return;
    ves_jw_key(jw, "choices");
    ves_jw_array(jw);
    for (size_t i = 0; i < n; i++) {
        if (!ves_jr_bool(doc, "/choices/%zu/isAllowed", i))
            continue;
        ves_jw_object(jw);
        mcp_copy_str(jw, "strategy", doc, "/choices/%zu/strategy", i);
        mcp_copy_str(jw, "effect", doc, "/choices/%zu/effect", i);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static void put_steps(struct ves_jw *jw, struct resolve *r, const char *outcome,
                      uint64_t remaining)
{
    char step[192];

    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (strcmp(outcome, "preview") == 0) {
        snprintf(step, sizeof(step),
                 "resolve_conflict {\"eventId\":\"%s\",\"strategy\":\"%s\"}",
                 r->id, r->strategy);
        ves_jw_str(jw, step);
    } else if (strcmp(outcome, "awaiting_user") == 0) {
        ves_jw_str(jw,
                   mcp_needs_person(r->app, ves_jr_str(r->show, "/entity/type"))
                       ? "Show the user both versions; they decide with "
                         "ves resolve or in a client with forms"
                       : "Ask the user, then resolve_conflict with their "
                         "choice and reason");
    } else if (strcmp(outcome, "declined") != 0) {
        ves_jw_str(jw, "push_events {}");
        ves_jw_str(jw, "pull_events {}");
        if (remaining)
            ves_jw_str(jw, "list_outbox_events {\"status\":\"conflict\"}");
    }
    ves_jw_end(jw);
}

static void put_result(struct resolve *r, struct ves_jr *doc)
{
    struct ves_jw *jw = ves_mcp_structured(r->call);
    const char *outcome = ves_jr_str(doc, "/outcome");
    const char *state = ves_jr_str(doc, "/state");
    uint64_t remaining = ves_jr_u64(doc, "/remainingConflicts");

    ves_jw_object(jw);
    mcp_copy_str(jw, "summary", doc, "/summary");
    mcp_put_str(jw, "eventId", r->id);
    mcp_put_str(jw, "outcome", outcome);
    mcp_put_str(jw, "strategy", r->strategy);
    mcp_copy_str(jw, "resultEventId", doc, "/resultEventId");
    if (state[0] == '{' && strlen(state) <= STATE_SHOWN)
        mcp_put_raw(jw, "payload", state);
    if (strcmp(outcome, "awaiting_user") == 0)
        put_choices(jw, doc);
    if (strcmp(outcome, "awaiting_user") == 0 ||
        strcmp(outcome, "preview") == 0)
        mcp_put_fields(jw, ves_jr_count(doc, "/fields") ? doc : r->show, false);
    mcp_copy_str(jw, "auditId", doc, "/auditId");
    mcp_put_u64(jw, "remainingConflicts", remaining);
    put_steps(jw, r, outcome, remaining);
    ves_jw_end(jw);
}

static enum ves_mcp_outcome declined(struct resolve *r)
{
    struct ves_jw *jw = ves_mcp_structured(r->call);
    struct ves_jw *doc = cli_writer();
    const struct ves_conflicts_filter filter = {.limit = 1};
    struct ves_error error = {VES_OK, ""};
    enum ves_status status = ves_conflicts(r->agent, &filter, doc, &error);
    struct ves_jr *all = mcp_read(doc, status, &error);

    ves_jw_object(jw);
    mcp_put_str(jw, "summary",
                "Not resolved: the user decided nothing. The conflict is as it "
                "was.");
    mcp_put_str(jw, "eventId", r->id);
    mcp_put_str(jw, "outcome", "declined");
    mcp_put_str(jw, "strategy", "manual");
    mcp_put_u64(jw, "remainingConflicts", all ? ves_jr_u64(all, "/open") : 1);
    put_steps(jw, r, "declined", 0);
    ves_jw_end(jw);
    ves_jr_free(all);
    return VES_MCP_DONE;
}

/* ---- deciding ------------------------------------------------------------ */

static enum ves_mcp_outcome decide(struct resolve *r)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_mcp_outcome outcome = VES_MCP_DONE;

    enum ves_status status = ves_resolve(r->agent, &r->options, jw, &error);
    struct ves_jr *doc = ves_jr_new(NULL, ves_jw_view(jw));
    ves_jw_free(jw);
    if (status || !doc)
        outcome = fail_problem(r, status ? status : VES_NOMEM, doc, &error);
    else
        put_result(r, doc);
    ves_jr_free(doc);
    return outcome;
}

/* Is what our side has the base still, or missing in both?  Both sides have a
 * value where only the other changed it. */
static bool is_untouched(struct resolve *r, size_t i)
{
    const char *ours = ves_jr_json(r->show, "/fields/%zu/ours", i);

    return strcmp(ours, ves_jr_json(r->show, "/fields/%zu/base", i)) == 0;
}

/* Field by field: what the person said of an overlap; of the rest what the
 * merge made of it, or else the side that changed it.  No value: the member
 * goes. */
static void choose_fields(struct resolve *r, struct ves_jr *answer)
{
    size_t n = ves_jr_count(r->show, "/fields"), asked = 0, count = 0;

    for (size_t i = 0; i < n && count < SETS_MAX; i++) {
        bool is_overlap = ves_jr_bool(r->show, "/fields/%zu/isOverlap", i);
        bool takes_ours = !is_untouched(r, i);
        if (is_overlap) {
            asked++;
            takes_ours = strcmp(ves_jr_str(answer, "/content/field_%zu", asked),
                                "local") == 0;
        }
        const char *side = takes_ours ? "ours" : "theirs";
        if (!is_overlap && ves_jr_has(r->show, "/fields/%zu/merged", i))
            side = "merged";
        const char *value = ves_jr_json(r->show, "/fields/%zu/%s", i, side);
        struct ves_resolve_set *set = &r->sets[count++];
        set->path = ves_jr_str(r->show, "/fields/%zu/path", i);
        set->value.ptr = (const uint8_t *)value;
        set->value.len = strlen(value);
    }
    r->options.sets = r->sets;
    r->options.set_count = count;
}

/* Did the person say of every overlap whose value it is to be? */
static bool has_chosen(struct resolve *r, struct ves_jr *answer)
{
    size_t n = count_overlaps(r->show);

    if (!fits_form(r->show))
        return false;
    for (size_t i = 1; i <= n; i++) {
        const char *side = ves_jr_str(answer, "/content/field_%zu", i);
        if (strcmp(side, "local") != 0 && strcmp(side, "remote") != 0)
            return false;
    }
    return true;
}

/* What the person answered. */
static enum ves_mcp_outcome take_answer(struct resolve *r,
                                        struct ves_jr *answer)
{
    struct ves_bytes shown = ves_mcp_state(r->call);
    const char *decision = ves_jr_str(answer, "/content/decision");
    char kept[512];

    if (strcmp(ves_jr_str(answer, "/action"), "accept") != 0 ||
        strcmp(decision, "later") == 0)
        return declined(r);
    if (strcmp(decision, "accept_local") != 0 &&
        strcmp(decision, "accept_remote") != 0 &&
        strcmp(decision, "merge") != 0)
        return ask(r);
    if (shown.len == 0 || shown.len >= sizeof(kept) ||
        (strcmp(decision, "merge") == 0 && !has_chosen(r, answer)))
        return ask(r);
    memcpy(kept, shown.ptr, shown.len);
    kept[shown.len] = '\0';
    r->strategy = decision;
    r->options.strategy = decision;
    r->options.expected_version = kept;
    r->options.resolver = "form";
    const char *note = ves_jr_str(answer, "/content/note");
    if (note[0] && strlen(note) <= 2000)
        r->options.reason = note;
    if (strcmp(decision, "merge") == 0)
        choose_fields(r, answer);
    return decide(r);
}

static enum ves_mcp_outcome act(struct resolve *r)
{
    bool is_question = strcmp(r->strategy, "manual") == 0 &&
                       !r->options.patch.len && !r->is_preview;
    struct ves_jr *answer = ves_mcp_answer(r->call, "resolution");

    if (!is_question || !ves_mcp_can(r->call, VES_MCP_FORM))
        return decide(r);
    /* A conflict that is decided already needs nobody. */
    if (strcmp(ves_jr_str(r->show, "/status"), "open") != 0)
        return decide(r);
    return answer ? take_answer(r, answer) : ask(r);
}

/* ---- the call ------------------------------------------------------------ */

static bool read_call(struct resolve *r)
{
    struct ves_jr *args = ves_mcp_arguments(r->call);
    const char *expected = ves_jr_str(args, "/expectedRemoteEventId");
    const char *payload = ves_jr_str(args, "/mergedPayload");

    r->id = ves_jr_str(args, "/eventId");
    r->strategy = ves_jr_str(args, "/strategy");
    r->is_preview = mcp_is_preview(r->app, r->call);
    r->options = (struct ves_resolve_options){.id = r->id,
                                              .strategy = r->strategy,
                                              .resolver = "ai",
                                              .dry_run = r->is_preview};
    if (ves_jr_has(args, "/reason"))
        r->options.reason = ves_jr_str(args, "/reason");
    if (mcp_uuid(expected, &r->expected))
        r->options.expected_remote = &r->expected;
    if (!payload[0])
        return true;
    r->options.patch.ptr = (const uint8_t *)payload;
    r->options.patch.len = strlen(payload);
    if (r->options.patch.len <= PAYLOAD_MAX)
        return true;
    mcp_error(r->call, "PAYLOAD_INVALID", "mergedPayload is longer than 64 KB",
              "Nothing was changed.",
              "give only the members that are to change.");
    return false;
}

/* The conflict, for its type and its form; false: the call has failed. */
static bool look(struct resolve *r)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_conflict_show(r->agent, r->id, jw, &error);

    r->show = ves_jr_new(NULL, ves_jw_view(jw));
    ves_jw_free(jw);
    if (status == VES_OK && r->show)
        return true;
    /* Deciding says by code why not, and then nothing is decided either. */
    r->options.dry_run = true;
    jw = cli_writer();
    enum ves_status why = ves_resolve(r->agent, &r->options, jw, &error);
    struct ves_jr *doc = ves_jr_new(NULL, ves_jw_view(jw));
    ves_jw_free(jw);
    fail_problem(r, why ? why : status ? status : VES_LIMIT, doc, &error);
    ves_jr_free(doc);
    return false;
}

enum ves_mcp_outcome mcp_resolve_conflict(struct ves_mcp_call *call, void *ctx)
{
    struct resolve r = {.app = ctx, .call = call};
    enum ves_mcp_outcome outcome = VES_MCP_FAILED;

    if (!mcp_may_write(r.app, call) || !read_call(&r))
        return VES_MCP_FAILED;
    r.agent = mcp_take(r.app, call);
    if (!r.agent)
        return VES_MCP_FAILED;
    if (look(&r) && may_decide(&r))
        outcome = act(&r);
    ves_jr_free(r.show);
    mcp_give(r.app, r.agent);
    return outcome;
}
