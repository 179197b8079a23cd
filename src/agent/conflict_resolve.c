/* conflict_resolve.c -- a decision asked for, and what came of it. */
#include <string.h>

#include "agent/conflict.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/random.h"

enum { PAYLOAD_MAX = 64 * 1024, SETS_MAX = 1000, RESOLVER_MAX = 64 };

struct resolve {
    struct ves_agent *agent;
    struct ves_named named;
    bool is_refused; /* an event without a record, by its outbox row */
    struct ves_core_decide say;
    struct ves_hash version;
    struct ves_core_decided done;
    struct ves_jw *jw;
    struct ves_error *error;
};

/* ---- what was asked for -------------------------------------------------- */

static enum ves_status bad_argument(struct resolve *resolve, const char *name,
                                    const char *words)
{
    enum ves_status status = ves_conflict_problem(
        resolve->jw, resolve->error, VES_INVALID, "INVALID_ARGUMENT",
        "%s; nothing was changed", words);
    ves_jw_member_str(resolve->jw, "argument", name);
    ves_conflict_problem_end(resolve->jw);
    return status;
}

static enum ves_status bad_payload(struct resolve *resolve, const char *code,
                                   const char *path, const char *words)
{
    enum ves_status status =
        ves_conflict_problem(resolve->jw, resolve->error, VES_INVALID, code,
                             "%s; nothing was changed", words);
    if (path)
        ves_jw_member_str(resolve->jw, "path", path);
    ves_conflict_problem_end(resolve->jw);
    return status;
}

/* Characters of valid UTF-8. */
static size_t characters(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
}

static bool is_text(const char *text)
{
    return ves_utf8_valid(ves_bytes_str(text), NULL);
}

static enum ves_status read_words(struct resolve *resolve,
                                  const struct ves_resolve_options *options)
{
    struct ves_core_decide *say = &resolve->say;
    const char *resolver = options->resolver ? options->resolver : "person";

    if (!options->strategy ||
        !ves_strategy_read(ves_bytes_str(options->strategy), &say->strategy))
        return bad_argument(resolve, "strategy",
                            "the strategy is accept_local, accept_remote, "
                            "merge or manual");
    if (options->reason &&
        (!is_text(options->reason) ||
         characters(options->reason) > VES_RESOLUTION_REASON_MAX))
        return bad_argument(resolve, "reason",
                            "a reason is UTF-8 text of at most 500 "
                            "characters");
    if (resolver[0] == '\0' || !is_text(resolver) ||
        strlen(resolver) > RESOLVER_MAX ||
        strcmp(resolver, VES_RESOLVER_POLICY) == 0)
        return bad_argument(resolve, "resolver",
                            "who decides is UTF-8 text of 1 to 64 bytes, and "
                            "not \"policy\"");
    if (options->expected_version &&
        ves_hex_decode(ves_bytes_str(options->expected_version),
                       resolve->version.b, VES_HASH_SIZE))
        return bad_argument(resolve, "expectedVersion",
                            "the version of a conflict is 64 hex digits");
    say->reason = ves_bytes_str(options->reason);
    say->resolver = resolver;
    say->expected_remote = options->expected_remote;
    say->expected_version =
        options->expected_version ? &resolve->version : NULL;
    say->is_dry_run = options->dry_run;
    return VES_OK;
}

static enum ves_status read_json(struct resolve *resolve, struct ves_bytes text,
                                 const char *path, const struct ves_json **out)
{
    const struct ves_json_options options = {
        .depth_max = VES_JSON_DEPTH_MAX - 4, .safe_integers = true};
    struct ves_json_where where = {0, ""};
    struct ves_error words = {VES_OK, ""};

    enum ves_status status =
        ves_json_read(&resolve->agent->arena, text, &options, out, &where);
    if (status != VES_MALFORMED)
        return status ? ves_agent_fail(resolve->agent, status, resolve->error,
                                       "reading what it should be")
                      : VES_OK;
    (void)ves_fail(&words, status, "not valid JSON at byte %zu: %s",
                   where.offset, where.reason);
    return bad_payload(resolve, "PAYLOAD_INVALID", path, words.text);
}

static enum ves_status read_patch(struct resolve *resolve,
                                  struct ves_bytes patch)
{
    if (patch.len == 0)
        return VES_OK;
    if (patch.len > PAYLOAD_MAX)
        return bad_payload(resolve, "PAYLOAD_INVALID", NULL,
                           "a patch has at most 64 KiB");
    enum ves_status status =
        read_json(resolve, patch, NULL, &resolve->say.patch);
    if (status)
        return status;
    if (resolve->say.patch->type != VES_JSON_OBJECT)
        return bad_payload(resolve, "PAYLOAD_INVALID", NULL,
                           "the patch must be a JSON object, as in RFC 7396");
    if (ves_json_member(resolve->say.patch, "_ves"))
        return bad_payload(resolve, "PAYLOAD_INVALID", "/_ves",
                           "the patch must not contain \"_ves\"");
    return VES_OK;
}

/* The entity as it is now, for reading what a person typed. */
struct target {
    struct ves_bytes entity_type;
    struct ves_rules_at rules;
    const struct ves_json *state;
};

static enum ves_status read_target(struct resolve *resolve, struct target *out)
{
    struct ves_agent *agent = resolve->agent;
    const struct ves_store_ops *ops = agent->store->ops;
    struct ves_conflict_row row;
    struct ves_entity_row entity;
    struct ves_core_entity view;
    struct ves_rules_log *rules;

    enum ves_status status =
        ops->conflict_get(agent->store, agent->core.stream_no,
                          &resolve->named.conflict_id, 1, &agent->arena, &row);
    const struct ves_entity_name name = {.key = row.entity_key};
    if (!status)
        status = ops->entity_get(agent->store, agent->core.stream_no, &name, 1,
                                 &agent->arena, &entity);
    if (!status)
        status = ves_core_entity(&agent->core, entity.entity_type,
                                 entity.entity_id, &agent->arena, &view);
    if (!status && view.local_state.len > 0)
        status = ves_json_read(&agent->arena, view.local_state, NULL,
                               &out->state, NULL);
    if (!status)
        status = ves_rules_log_make(&agent->arena, agent->store,
                                    agent->core.stream_no,
                                    &agent->core.owner_key, &rules);
    if (!status)
        status = ves_rules_log_load(rules);
    if (!status) {
        out->entity_type = entity.entity_type;
        out->rules = (struct ves_rules_at){ves_rules_log_newest(rules),
                                           VES_SEQUENCE_NEXT};
    }
    return ves_agent_fail(agent, status, resolve->error, "reading the state");
}

static bool is_text_there(const struct target *target, struct ves_bytes path)
{
    const struct ves_json *old =
        target->state ? ves_json_pointer(target->state, path) : NULL;

    return old ? old->type == VES_JSON_STRING
               : ves_state_is_text(target->rules, target->entity_type, path);
}

/* Nobody types quotes around a postcode. */
static enum ves_status read_typed(struct resolve *resolve,
                                  const struct ves_resolve_set *set,
                                  const struct target *target,
                                  const struct ves_json **out)
{
    const struct ves_json_options options = {
        .depth_max = VES_JSON_DEPTH_MAX - 4, .safe_integers = true};
    bool is_text = is_text_there(target, ves_bytes_str(set->path));
    bool is_quoted = set->value.len > 0 && set->value.ptr[0] == '"';
    struct ves_json *text;

    if ((!is_text || is_quoted) &&
        !ves_json_read(&resolve->agent->arena, set->value, &options, out, NULL))
        return VES_OK;
    if (!ves_utf8_valid(set->value, NULL))
        return bad_payload(resolve, "PAYLOAD_INVALID", set->path,
                           "a value must be UTF-8 text");
    text = ves_arena_alloc(&resolve->agent->arena, sizeof(*text));
    if (!text)
        return ves_agent_fail(resolve->agent, VES_NOMEM, resolve->error, NULL);
    text->type = VES_JSON_STRING;
    text->string = set->value;
    *out = text;
    return VES_OK;
}

static enum ves_status read_value(struct resolve *resolve,
                                  const struct ves_resolve_set *set,
                                  const struct target *target,
                                  const struct ves_json **out)
{
    *out = NULL;
    if (set->value.len == 0)
        return VES_OK;
    return set->is_typed ? read_typed(resolve, set, target, out)
                         : read_json(resolve, set->value, set->path, out);
}

static enum ves_status read_sets(struct resolve *resolve,
                                 const struct ves_resolve_options *options)
{
    struct target target = {.rules = VES_RULES_BUILT_IN};
    struct ves_case_set *sets;

    if (options->set_count == 0)
        return VES_OK;
    if (options->set_count > SETS_MAX)
        return bad_payload(resolve, "PAYLOAD_INVALID", NULL,
                           "at most 1000 values can be set at once");
    sets = ves_arena_alloc(&resolve->agent->arena,
                           options->set_count * sizeof(*sets));
    if (!sets)
        return ves_agent_fail(resolve->agent, VES_NOMEM, resolve->error, NULL);
    enum ves_status status = VES_OK;
    if (!resolve->is_refused)
        status = read_target(resolve, &target);
    for (size_t i = 0; i < options->set_count; i++) {
        const struct ves_resolve_set *set = &options->sets[i];
        if (!set->path || set->path[0] != '/' || !is_text(set->path) ||
            strlen(set->path) > 1024 || strcmp(set->path, "/_ves") == 0 ||
            strncmp(set->path, "/_ves/", 6) == 0)
            return bad_payload(resolve, "PAYLOAD_INVALID", set->path,
                               "a path is a JSON pointer such as /email, of "
                               "at most 1024 bytes");
        sets[i].path = ves_bytes_str(set->path);
        if (!status)
            status = read_value(resolve, set, &target, &sets[i].value);
        if (status)
            return status;
    }
    resolve->say.sets = sets;
    resolve->say.set_count = options->set_count;
    return VES_OK;
}

static enum ves_status read_answer(struct resolve *resolve,
                                   const struct ves_resolve_options *options)
{
    if ((options->patch.len > 0 || options->set_count > 0) &&
        resolve->say.strategy != VES_STRATEGY_MERGE &&
        resolve->say.strategy != VES_STRATEGY_MANUAL)
        return bad_payload(resolve, "PAYLOAD_NOT_ALLOWED", NULL,
                           "values are given with merge or manual only");
    enum ves_status status = read_patch(resolve, options->patch);
    return status ? status : read_sets(resolve, options);
}

/* ---- why not ------------------------------------------------------------- */

static void put_changed(struct resolve *resolve)
{
    const struct ves_core_decided *done = &resolve->done;
    const struct ves_core_member *remote =
        ves_core_conflict_remote(&done->conflict, resolve->named.names_branch);
    struct ves_jw *jw = resolve->jw;

    if (remote)
        ves_jw_member_uuid(jw, "remoteEventId", &remote->event_id);
    ves_jw_member_hash(jw, "conflictVersion", &done->conflict.version);
    ves_jw_key(jw, "changed");
    ves_jw_array(jw);
    for (size_t i = 0; i < done->changed.count; i++) {
        const struct ves_core_member *member = &done->changed.list[i];
        ves_jw_object(jw);
        ves_jw_member_uuid(jw, "eventId", &member->event_id);
        if (member->has_event)
            ves_jw_member(jw, "type", member->event.event_type);
        if (member->sequence_number > 0) /* own ones may have none yet */
            ves_jw_member_u64(jw, "sequenceNumber", member->sequence_number);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

static enum ves_status refuse(struct resolve *resolve, enum ves_status status,
                              const char *code, const char *next)
{
    status = ves_conflict_problem(
        resolve->jw, resolve->error, status, code,
        "%s; nothing was changed; %s",
        resolve->done.reason ? resolve->done.reason : "not possible", next);
    return status;
}

static enum ves_status put_problem(struct resolve *resolve)
{
    const struct ves_core_decided *done = &resolve->done;
    bool names_branch = resolve->named.names_branch;
    struct ves_jw *jw = resolve->jw;
    enum ves_status status = VES_OK, written = VES_OK;

    switch (done->code) {
    case VES_DECIDE_PENDING:
        status = refuse(resolve, VES_AGAIN, "RESOLUTION_PENDING",
                        "`ves sync` gives it its number");
        ves_jw_member_uuid(jw, "resultEventId", &done->conflict.pending_id);
        ves_jw_member(jw, "strategy", done->conflict.pending.strategy);
        break;
    case VES_DECIDE_SYNC_FIRST:
        status = refuse(resolve, VES_AGAIN, "SYNC_FIRST",
                        "run `ves sync`, look again, then decide");
        break;
    case VES_DECIDE_CHANGED:
        status = refuse(resolve, VES_CONFLICT, "CONFLICT_CHANGED",
                        "look at `ves conflict show` again, then decide");
        put_changed(resolve);
        break;
    case VES_DECIDE_OVERLAP:
        status = refuse(resolve, VES_INVALID, "MERGE_OVERLAP",
                        "say what it should be with --set or --payload, or "
                        "choose a side");
        written =
            ves_conflict_put_overlaps(&resolve->agent->arena, "overlaps",
                                      &done->conflict.merge, names_branch, jw);
        break;
    case VES_DECIDE_BAD_VALUE:
        return ves_conflict_bad_value(jw, resolve->error, &done->fault);
    case VES_DECIDE_NOT_ALLOWED:
        status = refuse(resolve, VES_FORBIDDEN, "STRATEGY_NOT_ALLOWED",
                        "choose another strategy");
        ves_conflict_put_allowed(&done->conflict, names_branch, jw);
        break;
    case VES_DECIDE_IMPOSSIBLE:
    case VES_DECIDE_NOT_RESOLVED:
    case VES_DECIDE_DONE:
    case VES_DECIDE_PREVIEW:
    case VES_DECIDE_ALREADY:
    case VES_DECIDE_AWAITING:
        status = refuse(resolve, VES_INVALID, "MERGE_IMPOSSIBLE",
                        "say what it should be with --set or --payload, or "
                        "choose a side");
        break;
    }
    ves_conflict_problem_end(jw);
    return written ? ves_agent_fail(resolve->agent, written, resolve->error,
                                    "writing what overlaps")
                   : status;
}

/* ---- what came of it ------------------------------------------------------
 */

static const char *outcome_of(enum ves_decide_code code)
{
    switch (code) {
    case VES_DECIDE_DONE:
        return "resolved";
    case VES_DECIDE_PREVIEW:
        return "preview";
    case VES_DECIDE_ALREADY:
    case VES_DECIDE_NOT_RESOLVED:
        return "already_resolved";
    case VES_DECIDE_AWAITING:
        return "awaiting_user";
    case VES_DECIDE_PENDING:
    case VES_DECIDE_SYNC_FIRST:
    case VES_DECIDE_CHANGED:
    case VES_DECIDE_OVERLAP:
    case VES_DECIDE_IMPOSSIBLE:
    case VES_DECIDE_BAD_VALUE:
    case VES_DECIDE_NOT_ALLOWED:
        break;
    }
    return NULL;
}

static const char *decided_words(const struct resolve *resolve)
{
    switch (resolve->done.winner) {
    case VES_WINNER_BRANCH:
        return "the branch's change is written again on the current state";
    case VES_WINNER_APPLIED:
        return "the current state stays, the branch's change is set aside";
    case VES_WINNER_MERGE:
        return resolve->say.patch || resolve->say.set_count > 0
                   ? "what was given is written on the current state"
                   : "both sides are put together";
    case VES_WINNER_UNDO:
        return "the resolution is taken back and the conflict is open again";
    case VES_WINNER_NONE:
        break;
    }
    return "";
}

static void put_summary(const struct resolve *resolve)
{
    const struct ves_core_conflict *conflict = &resolve->done.conflict;
    struct ves_buf buf;

    ves_buf_init(&buf, resolve->agent->alloc, 2048);
    switch (resolve->done.code) {
    case VES_DECIDE_DONE:
        ves_buf_putf(&buf, "Decided: %s. It takes effect once it is synced.",
                     decided_words(resolve));
        break;
    case VES_DECIDE_PREVIEW:
        ves_buf_putf(&buf, "Nothing was written. It would be decided that %s.",
                     decided_words(resolve));
        break;
    case VES_DECIDE_AWAITING:
        ves_buf_put_str(&buf, "Nothing was written. The conflict stays open "
                              "until somebody says what it should be.");
        break;
    case VES_DECIDE_NOT_RESOLVED:
        ves_buf_put_str(&buf, "Nothing was written: the conflict is open.");
        break;
    case VES_DECIDE_ALREADY:
    default:
        ves_buf_put_str(&buf, conflict->has_pending
                                  ? "Nothing was written: this store decided "
                                    "the same already; it takes effect once "
                                    "it is synced."
                                  : "Nothing was written: the conflict is "
                                    "resolved already.");
        break;
    }
    ves_jw_member(resolve->jw, "summary", ves_buf_view(&buf));
    ves_buf_free(&buf);
}

static enum ves_status put_changes(struct resolve *resolve)
{
    const struct ves_core_decided *done = &resolve->done;
    struct ves_arena *arena = &resolve->agent->arena;
    struct ves_jw *jw = resolve->jw;
    struct ves_differences list;

    enum ves_status status = ves_jw_node(jw, arena, "result", done->result.ops);
    if (!status)
        status = ves_jw_node(jw, arena, "before", done->conflict.of.state);
    if (!status)
        status = ves_jw_node(jw, arena, "state", done->result.state);
    if (!status)
        status = ves_differences(arena, done->conflict.of.state,
                                 done->result.state, done->result.state, &list);
    ves_jw_member_bool(jw, "isDeleted", done->result.is_deleted);
    ves_jw_key(jw, "changes");
    ves_jw_array(jw);
    for (size_t i = 0; !status && i < list.count; i++) {
        ves_jw_object(jw);
        ves_jw_member(jw, "path", list.list[i].path);
        status = ves_jw_node(jw, arena, "from", list.list[i].base);
        if (!status)
            status = ves_jw_node(jw, arena, "to", list.list[i].local);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    return status;
}

/* The decision in effect, or the own one on its way. */
static enum ves_status put_standing(struct resolve *resolve)
{
    const struct ves_core_conflict *conflict = &resolve->done.conflict;
    struct ves_jw *jw = resolve->jw;

    if (conflict->has_pending) {
        ves_jw_key(jw, "resolution");
        ves_jw_object(jw);
        ves_jw_member_uuid(jw, "eventId", &conflict->pending_id);
        ves_jw_member(jw, "strategy", conflict->pending.strategy);
        ves_jw_member(jw, "winner", conflict->pending.winner);
        ves_jw_member(jw, "resolver", conflict->pending.resolver);
        ves_jw_member(jw, "reason", conflict->pending.reason);
        ves_jw_member_uuid(jw, "agentId", &resolve->agent->core.agent);
        ves_jw_member_bool(jw, "isPending", true);
        ves_jw_end(jw);
        return VES_OK;
    }
    for (size_t i = 0; i < conflict->decisions.count; i++) {
        const struct ves_core_member *member = &conflict->decisions.list[i];
        if (member->sequence_number != conflict->row.closed)
            continue;
        ves_jw_key(jw, "resolution");
        return ves_conflict_put_decision(jw, member, &conflict->row.closed_by);
    }
    return VES_OK;
}

static enum ves_status put_details(struct resolve *resolve)
{
    const struct ves_core_decided *done = &resolve->done;
    bool names_branch = resolve->named.names_branch;
    struct ves_jw *jw = resolve->jw;

    switch (done->code) {
    case VES_DECIDE_DONE:
    case VES_DECIDE_PREVIEW:
        return put_changes(resolve);
    case VES_DECIDE_AWAITING:
        ves_conflict_put_choices(&done->conflict, names_branch, jw);
        return ves_conflict_put_fields(&resolve->agent->arena, &done->conflict,
                                       names_branch, jw);
    default:
        return put_standing(resolve);
    }
}

static enum ves_status put_outcome(struct resolve *resolve)
{
    const struct ves_core_decided *done = &resolve->done;
    struct ves_jw *jw = resolve->jw;
    uint64_t remaining;
    bool is_answered =
        done->code == VES_DECIDE_DONE || done->code == VES_DECIDE_PREVIEW;

    ves_jw_object(jw);
    put_summary(resolve);
    ves_jw_member_hash(jw, "conflictId", &done->conflict.row.id);
    ves_jw_member_uuid(jw, "eventId",
                       resolve->named.has_event
                           ? &resolve->named.event_id
                           : &done->conflict.branch.list[0].event_id);
    ves_jw_member_str(jw, "outcome", outcome_of(done->code));
    ves_jw_member_str(jw, "strategy",
                      resolve->say.is_undo
                          ? "undo"
                          : ves_strategy_name(resolve->say.strategy));
    if (is_answered)
        ves_jw_member_str(jw, "winner", ves_winner_name(done->winner));
    if (done->code == VES_DECIDE_DONE)
        ves_jw_member_uuid(jw, "resultEventId", &done->event_id);
    if (done->conflict.has_pending && done->code == VES_DECIDE_ALREADY)
        ves_jw_member_uuid(jw, "resultEventId", &done->conflict.pending_id);
    enum ves_status status = put_details(resolve);
    if (!status)
        status = ves_conflict_remaining(resolve->agent, &remaining);
    if (status)
        return status;
    if (resolve->say.is_undo && done->code == VES_DECIDE_DONE)
        remaining++; /* it will be open again */
    ves_jw_member_u64(jw, "remainingConflicts", remaining);
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (done->code == VES_DECIDE_DONE || done->conflict.has_pending)
        ves_jw_str(jw, "ves sync");
    if (remaining > 0 && done->code != VES_DECIDE_PREVIEW)
        ves_jw_str(jw, "ves conflicts");
    ves_jw_end(jw);
    ves_jw_end(jw);
    return VES_OK;
}

/* ---- asking ---------------------------------------------------------------
 */

static enum ves_status decide(struct resolve *resolve)
{
    struct ves_agent *agent = resolve->agent;
    struct ves_core_env env = {.now_ms = ves_clock_now_ms()};
    enum ves_status status = VES_OK;

    resolve->say.conflict_id = resolve->named.conflict_id;
    resolve->say.names_branch = resolve->named.names_branch;
    if (!resolve->say.is_dry_run) {
        status = ves_agent_may_append(agent, resolve->error);
        if (!status)
            status = ves_agent_need_key(agent, resolve->error);
        if (!status)
            status = ves_random(env.random, sizeof(env.random), resolve->error);
        if (status)
            return status;
    }
    status = ves_core_decide(&agent->core, &agent->arena, &env, &resolve->say,
                             &resolve->done);
    if (status)
        return ves_agent_fail(agent, status, resolve->error,
                              "deciding a conflict");
    if (!outcome_of(resolve->done.code))
        return put_problem(resolve);
    status = put_outcome(resolve);
    if (status)
        return ves_agent_fail(agent, status, resolve->error,
                              "writing what was decided");
    return ves_agent_jw_end(resolve->jw, resolve->error);
}

enum ves_status ves_resolve(struct ves_agent *agent,
                            const struct ves_resolve_options *options,
                            struct ves_jw *jw, struct ves_error *error)
{
    struct resolve resolve = {.agent = agent, .jw = jw, .error = error};
    struct ves_uuid event_id;
    bool is_refused = false;

    ves_agent_start(agent);
    enum ves_status status = read_words(&resolve, options);
    if (!status)
        status =
            ves_conflict_is_refused(agent, options->id, &event_id, &is_refused);
    if (!status && !is_refused)
        status = ves_conflict_named(agent, options->id, options->conflict_id,
                                    &resolve.named, jw, error);
    resolve.is_refused = is_refused;
    if (!status)
        status = read_answer(&resolve, options);
    if (status)
        return status;
    return is_refused ? ves_conflict_resolve_refused(agent, &event_id,
                                                     &resolve.say, jw, error)
                      : decide(&resolve);
}

enum ves_status ves_resolve_undo(struct ves_agent *agent, const char *id,
                                 const char *reason, bool dry_run,
                                 struct ves_jw *jw, struct ves_error *error)
{
    const struct ves_resolve_options options = {
        .strategy = "manual", .reason = reason, .dry_run = dry_run};
    struct resolve resolve = {.agent = agent, .jw = jw, .error = error};

    ves_agent_start(agent);
    enum ves_status status = read_words(&resolve, &options);
    resolve.say.is_undo = true;
    if (!status)
        status = ves_conflict_named(agent, id, NULL, &resolve.named, jw, error);
    return status ? status : decide(&resolve);
}
