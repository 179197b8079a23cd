/* agent_append.c -- one event signed and put into the outbox.
 *
 * Everything that can be refused is refused before the first write, so that
 * no savepoint is needed inside the caller's transaction.
 *
 * Six calls to the store whatever the payload: chain, cursor, entity in;
 * entity, outbox row, chain out.  Nothing is folded here: the local view is
 * folded when somebody reads it.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/entity.h"
#include "core/scratch.h"
#include "core/types.h"
#include "engine/agent_internal.h"
#include "json/jcs.h"

enum {
    HLC_TEXT = 12 + 1 + 4, /* 48-bit ms, dash, 16-bit counter */
    SCHEMA_MAX = VES_EVENT_TYPE_MAX + 16,
    COUNTER_MAX = 0xFFF, /* what a UUID has room for */
    CONTEXT_MAX = 16 * 1024,
    ENVELOPE_MAX = 4 * VES_PAYLOAD_MAX
};
#define HLC_MS_MAX ((UINT64_C(1) << 48) - 1)

/* Everything one append works on. */
struct append {
    struct ves_agent_core *core;
    const struct ves_core_env *env;
    const struct ves_core_append *what;
    struct ves_arena *arena;
    const struct ves_json *payload;
    struct ves_rules_log rules;
    const struct ves_event_type *type; /* NULL: nobody has a rule for it */
    struct ves_device_chain chain;
    uint64_t cursor;
    struct ves_entity_row entity;
    struct ves_event event;
    char hlc[HLC_TEXT + 1];
    char created_at[VES_TIME_TEXT + 1];
};

static enum ves_status invalid(struct append *append, const char *words)
{
    return ves_fail(&append->core->error, VES_INVALID, "%s; nothing was stored",
                    words);
}

static enum ves_status check_text(struct append *append, const char *name,
                                  struct ves_bytes text, size_t max)
{
    struct ves_error *error = &append->core->error;

    if (text.len > max)
        return ves_fail(error, VES_LIMIT,
                        "%s has %zu bytes; at most %zu are allowed; nothing "
                        "was stored",
                        name, text.len, max);
    if (text.len == 0 || memchr(text.ptr, 0, text.len) ||
        !ves_utf8_valid(text, NULL))
        return ves_fail(error, VES_INVALID,
                        "%s must be UTF-8 text of 1 to %zu bytes without NUL; "
                        "nothing was stored",
                        name, max);
    return VES_OK;
}

static enum ves_status check_group(struct append *append)
{
    const struct ves_core_append *what = append->what;

    if (what->cmd_count == 0)
        return VES_OK;
    if (!what->has_command_id)
        return invalid(append, "an atomic group needs a command id");
    if (what->cmd_count > VES_EVENTS_PER_REQUEST_MAX)
        return ves_fail(&append->core->error, VES_LIMIT,
                        "an atomic group of %u events is too large; at most "
                        "%d are allowed; nothing was stored",
                        what->cmd_count, (int)VES_EVENTS_PER_REQUEST_MAX);
    if (what->cmd_index >= what->cmd_count)
        return invalid(append, "the place in the atomic group is beyond its "
                               "count");
    return VES_OK;
}

static enum ves_status check_names(struct append *append)
{
    const struct ves_core_append *what = append->what;
    struct ves_event *event = &append->event;
    enum ves_status status;

    status = check_text(append, "the event type", what->event_type,
                        VES_EVENT_TYPE_MAX);
    if (!status)
        status = check_text(append, "the aggregate id", what->entity_id,
                            VES_ENTITY_ID_MAX);
    if (status)
        return status;
    event->event_type = what->event_type;
    event->entity_id = what->entity_id;
    event->entity_type = what->is_system ? what->entity_type
                                         : ves_entity_type_of(what->event_type);
    status = check_text(append, "the part of the event type before the dot",
                        event->entity_type, VES_ENTITY_TYPE_MAX);
    if (status)
        return status;
    if (!what->is_system && ves_bytes_is(event->entity_type, "ves"))
        return invalid(append, "event types beginning \"ves.\" are the "
                               "system's own");
    if (what->dep_count > VES_DEPS_MAX)
        return ves_fail(&append->core->error, VES_LIMIT,
                        "%zu dependencies are too many; at most %d are "
                        "allowed; nothing was stored",
                        what->dep_count, (int)VES_DEPS_MAX);
    if (what->has_base_version &&
        what->base_version > (uint64_t)VES_SAFE_INTEGER_MAX)
        return invalid(append, "the base version is beyond 2^53-1");
    return check_group(append);
}

/* By the rules that the store has pulled: what others will know before they
 * see the event. */
static enum ves_status find_type(struct append *append)
{
    struct ves_rules_at rules;

    append->type = ves_event_type_find(append->event.event_type);
    if (append->type)
        return VES_OK;
    enum ves_status status = ves_rules_log_at(&append->rules, &append->event,
                                              VES_SEQUENCE_NEXT, &rules);
    if (!status)
        append->type = ves_rules_type(rules, append->event.event_type, 0);
    return status;
}

static enum ves_status read_payload(struct append *append)
{
    /* An envelope puts one level around the payload. */
    const struct ves_json_options options = {
        .depth_max = VES_JSON_DEPTH_MAX - 1, .safe_integers = true};
    struct ves_json_where where = {0, ""};
    struct ves_error *error = &append->core->error;
    struct ves_bytes text = append->what->payload;
    const struct ves_json *root;

    /* The canonical form is measured later; this only bounds the work. */
    if (text.len > VES_BODY_MAX)
        return ves_fail(error, VES_LIMIT,
                        "the payload has %zu bytes; at most %d canonical "
                        "bytes are allowed; nothing was stored",
                        text.len, (int)VES_PAYLOAD_MAX);
    enum ves_status status =
        ves_json_read(append->arena, text, &options, &root, &where);
    if (status == VES_MALFORMED)
        return ves_fail(error, VES_MALFORMED,
                        "the payload is not valid JSON at byte %zu: %s; "
                        "nothing was stored",
                        where.offset, where.reason);
    if (status)
        return status;
    if (root->type != VES_JSON_OBJECT)
        return invalid(append, "the payload must be a JSON object");
    if (ves_json_member(root, "_ves"))
        return invalid(append, "the payload must not contain \"_ves\": the "
                               "library adds that member itself");
    append->payload = root;

    struct ves_error why = {.status = VES_OK};
    status = find_type(append);
    if (status)
        return status;
    if (append->type)
        status = ves_event_type_check(append->type, root, &why);
    if (status)
        return ves_fail(error, status, "%s; nothing was stored", why.text);
    return VES_OK;
}

/* One clock gives both the hlc and the time in event ids: it never goes back
 * and never repeats. */
static void tick(struct ves_device_chain *chain, int64_t now_ms)
{
    uint64_t now = ves_device_time(now_ms);
    if (now > HLC_MS_MAX)
        now = HLC_MS_MAX;

    if (now > chain->hlc_ms) {
        chain->hlc_ms = now;
        chain->hlc_counter = 0;
    } else if (chain->hlc_counter < COUNTER_MAX) {
        chain->hlc_counter++;
    } else {
        chain->hlc_ms++;
        chain->hlc_counter = 0;
    }
}

static void write_hlc(const struct ves_device_chain *chain,
                      char out[HLC_TEXT + 1])
{
    uint8_t bytes[8];

    for (size_t i = 0; i < 6; i++)
        bytes[i] = (uint8_t)(chain->hlc_ms >> (40 - 8 * i));
    bytes[6] = (uint8_t)(chain->hlc_counter >> 8);
    bytes[7] = (uint8_t)chain->hlc_counter;
    ves_hex_encode(bytes, 6, out);
    out[12] = '-';
    ves_hex_encode(bytes + 6, 2, out + 13);
    out[HLC_TEXT] = '\0';
}

/* Members of a group are appended one right after the other, so that nothing
 * ever comes between them. */
static enum ves_status follow_group(struct append *append)
{
    const struct ves_core_append *what = append->what;
    struct ves_device_chain *chain = &append->chain;
    bool is_next = chain->group_next > 0 && what->cmd_count > 0 &&
                   chain->group_next == what->cmd_index &&
                   chain->group_count == what->cmd_count &&
                   ves_uuid_equal(&chain->group, &what->command_id);

    if (what->cmd_count > 0 && what->cmd_index > 0 && !is_next)
        return ves_fail(&append->core->error, VES_INVALID,
                        "member %u of the atomic group does not follow member "
                        "%u; append its members one right after the other, in "
                        "one transaction; nothing was stored",
                        what->cmd_index, what->cmd_index - 1);
    chain->group_next = 0;
    chain->group_count = 0;
    memset(&chain->group, 0, sizeof(chain->group));
    if (what->cmd_count > 0 && what->cmd_index + 1 < what->cmd_count) {
        chain->group = what->command_id;
        chain->group_next = what->cmd_index + 1;
        chain->group_count = what->cmd_count;
    }
    return VES_OK;
}

static enum ves_status load(struct append *append)
{
    struct ves_agent_core *core = append->core;
    struct ves_entity_name name;
    enum ves_status status;

    status = ves_device_chain_get(core, append->arena, &append->chain);
    if (!status)
        status = ves_device_cursor(core, &append->cursor);
    if (status)
        return status;
    ves_entity_name(append->event.entity_type, append->event.entity_id, &name);
    status = core->store->ops->entity_get(core->store, core->stream_no, &name,
                                          1, append->arena, &append->entity);
    if (status)
        return status;
    append->entity.key = name.key;
    append->entity.entity_type = append->event.entity_type;
    append->entity.entity_id = append->event.entity_id;
    return follow_group(append);
}

static enum ves_status take_id(struct append *append)
{
    struct ves_agent_core *core = append->core;
    const struct ves_core_append *what = append->what;
    struct ves_id_row found = {0};

    if (!what->has_event_id) {
        ves_uuid_make_v7(append->chain.hlc_ms,
                         (uint16_t)append->chain.hlc_counter,
                         append->env->random, &append->event.event_id);
        return VES_OK;
    }
    append->event.event_id = what->event_id;
    enum ves_status status = core->store->ops->log_find_ids(
        core->store, core->stream_no, &what->event_id, 1, &found);
    if (!status && found.sequence_number > 0)
        return ves_fail(&core->error, VES_CONFLICT,
                        "the event id is taken by number %llu of the log; "
                        "nothing was stored",
                        (unsigned long long)found.sequence_number);
    return status;
}

/* decision 2, 3.1: base_version counts own pending events too. */
static void set_base(struct append *append, const struct ves_event_type *type)
{
    struct ves_event *event = &append->event;
    const struct ves_entity_row *entity = &append->entity;
    uint64_t local = entity->version + entity->own_count;

    event->has_base_version = append->what->has_base_version ||
                              append->what->is_system ||
                              (type && type->base == VES_BASE_REQUIRED);
    if (!event->has_base_version)
        return;
    event->base_version =
        append->what->has_base_version ? append->what->base_version : local;
    /* Somebody who names another version saw a head we do not know. */
    if (event->base_version != local || local == 0)
        return;
    event->context.has_base_head = true;
    event->context.base_head =
        entity->own_count > 0 ? entity->own_head : entity->head;
}

static enum ves_status set_schema(struct append *append,
                                  const struct ves_event_type *type)
{
    struct ves_scratch scratch;
    uint32_t version = type ? type->version : append->what->is_system ? 1 : 0;

    ves_scratch_init(&scratch, append->arena, SCHEMA_MAX, SCHEMA_MAX);
    ves_buf_put_bytes(&scratch.buf, append->event.event_type);
    ves_buf_put_u8(&scratch.buf, '/');
    ves_buf_put_decimal(&scratch.buf, version);
    append->event.context.schema = ves_buf_view(&scratch.buf);
    append->event.context.schema_version = version;
    return ves_buf_status(&scratch.buf);
}

static enum ves_status set_deps(struct append *append)
{
    struct ves_context *context = &append->event.context;
    size_t size = append->what->dep_count * sizeof(*context->deps);

    if (size == 0)
        return VES_OK;
    context->deps = ves_arena_alloc(append->arena, size);
    if (!context->deps)
        return VES_NOMEM;
    memcpy(context->deps, append->what->deps, size);
    context->dep_count = append->what->dep_count;
    return VES_OK;
}

static enum ves_status set_context(struct append *append)
{
    const struct ves_event_type *type = append->type;
    struct ves_context *context = &append->event.context;
    const struct ves_core_append *what = append->what;

    context->is_present = true;
    context->agent_seq = append->chain.agent_seq + 1;
    context->has_prev = append->chain.agent_seq > 0;
    context->prev = append->chain.prev;
    context->seen = append->cursor;
    write_hlc(&append->chain, append->hlc);
    context->hlc = ves_bytes(append->hlc, HLC_TEXT);
    context->has_cmd = what->cmd_count > 0;
    context->cmd_index = what->cmd_index;
    context->cmd_count = what->cmd_count;
    set_base(append, type);
    enum ves_status status = set_schema(append, type);
    return status ? status : set_deps(append);
}

enum ves_status ves_device_payload(struct ves_agent_core *core,
                                   struct ves_arena *arena,
                                   const struct ves_context *context,
                                   const struct ves_json *payload,
                                   struct ves_bytes *out)
{
    struct ves_scratch text, all;

    ves_scratch_init(&text, arena, 512, CONTEXT_MAX);
    ves_context_write(&text.buf, context);
    enum ves_status status = ves_buf_status(&text.buf);
    if (status)
        return status;
    ves_scratch_init(&all, arena, payload->text.len + text.buf.len + 64,
                     VES_PAYLOAD_MAX);
    status = ves_jcs_write_with(&all.buf, arena, payload, "_ves",
                                ves_buf_view(&text.buf));
    if (status == VES_LIMIT)
        return ves_fail(&core->error, VES_LIMIT,
                        "the payload is longer than %d canonical bytes, causal "
                        "context included; nothing was stored",
                        (int)VES_PAYLOAD_MAX);
    *out = ves_buf_view(&all.buf);
    return status;
}

void ves_device_sign(struct ves_agent_core *core, struct ves_event *event)
{
    struct ves_signer *signer = core->signer;
    struct ves_sign_item item;

    ves_payload_plain_hash(event->payload_jcs, NULL,
                           &event->payload_plain_hash);
    ves_event_signing_hash(event, &event->event_hash);
    item.hash = event->event_hash;
    signer->sign(signer, &item, 1);
    event->signature = item.sig;
}

enum ves_status ves_device_envelope(struct ves_arena *arena,
                                    const struct ves_event *event,
                                    struct ves_bytes *out)
{
    struct ves_scratch envelope;

    ves_scratch_init(&envelope, arena, event->payload_jcs.len + 2048,
                     ENVELOPE_MAX);
    ves_event_write(&envelope.buf, event);
    *out = ves_buf_view(&envelope.buf);
    return ves_buf_status(&envelope.buf);
}

static enum ves_status store_row(struct append *append)
{
    struct ves_agent_core *core = append->core;
    const struct ves_event *event = &append->event;
    struct ves_bytes envelope;

    enum ves_status status =
        ves_device_envelope(append->arena, event, &envelope);
    if (status)
        return status;
    struct ves_outbox_row row = {
        .event_id = event->event_id,
        .event_hash = event->event_hash,
        .agent_seq = event->context.agent_seq,
        .entity_key = append->entity.key,
        .entity_type = event->entity_type,
        .entity_id = event->entity_id,
        .event_type = event->event_type,
        .created_at = event->created_at,
        .created_ms = append->env->now_ms,
        .has_command_id = event->has_command_id,
        .command_id = event->command_id,
        .cmd_index = event->context.cmd_index,
        .cmd_count = event->context.cmd_count,
        .entity_prev = append->entity.own_last,
        .envelope = envelope,
        .status = VES_OUTBOX_PENDING,
        .is_in_overlay = true,
    };
    status = core->store->ops->outbox_append(core->store, &row, 1);
    if (status == VES_CONFLICT)
        return ves_fail(&core->error, VES_CONFLICT,
                        "the outbox holds an event with this id already; "
                        "nothing was stored");
    append->entity.own_last = row.local_seq;
    return status;
}

static enum ves_status save(struct append *append)
{
    struct ves_agent_core *core = append->core;

    append->entity.own_count++;
    append->entity.own_head = append->event.event_hash;
    append->chain.agent_seq++;
    append->chain.prev = append->event.event_hash;
    enum ves_status status = store_row(append);
    if (!status)
        status = core->store->ops->entity_put(core->store, core->stream_no,
                                              &append->entity, 1);
    return status ? status : ves_device_chain_put(core, &append->chain);
}

static enum ves_status append_event(struct append *append)
{
    struct ves_event *event = &append->event;
    enum ves_status status;

    status = load(append);
    if (!status && append->chain.key_id != 0 &&
        append->chain.key_id != append->core->key_id)
        status = ves_device_need_signer(append->core, append->arena);
    if (status)
        return status;
    tick(&append->chain, append->env->now_ms);
    status = take_id(append);
    if (!status)
        status = set_context(append);
    if (status)
        return status;

    event->ves_version = 2;
    event->stream = append->core->stream;
    event->agent = append->core->agent;
    event->agent_key_id = append->core->key_id;
    event->payload_kind = VES_PAYLOAD_PLAIN;
    event->has_command_id = append->what->has_command_id;
    event->command_id = append->what->command_id;
    ves_time_format(append->env->now_ms, append->created_at);
    event->created_at = ves_bytes(append->created_at, VES_TIME_TEXT);
    status = ves_device_payload(append->core, append->arena, &event->context,
                                append->payload, &event->payload_jcs);
    if (status)
        return status;
    ves_device_sign(append->core, event);
    return save(append);
}

static enum ves_status check(struct append *append)
{
    if (!append->core->signer)
        return invalid(append, "this store was opened without a signing key");
    enum ves_status status = check_names(append);
    return status ? status : read_payload(append);
}

enum ves_status ves_device_append(struct ves_agent_core *core,
                                  const struct ves_core_env *env,
                                  const struct ves_core_append *what,
                                  struct ves_uuid *event_id)
{
    struct ves_arena arena;
    struct append append = {
        .core = core, .env = env, .what = what, .arena = &arena};
    VES_ASSERT(what->dep_count == 0 || what->deps);

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = check(&append);
    if (!status)
        status = append_event(&append);
    if (!status)
        *event_id = append.event.event_id;
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_append(struct ves_agent_core *core,
                                const struct ves_core_env *env,
                                const struct ves_core_append *what,
                                struct ves_uuid *event_id)
{
    struct ves_arena arena;
    struct append append = {
        .core = core, .env = env, .what = what, .arena = &arena};
    VES_ASSERT(what->dep_count == 0 || what->deps);

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    ves_rules_log_open(&append.rules, core->store, core->stream_no, core->alloc,
                       &core->owner_key);
    enum ves_status status = ves_device_say(core, check(&append));
    if (!status)
        status = ves_device_begin_flat(core);
    if (!status) {
        status = ves_device_end(core, append_event(&append));
        if (!status)
            *event_id = append.event.event_id;
    }
    ves_rules_log_close(&append.rules);
    ves_arena_free(&arena);
    return status;
}
