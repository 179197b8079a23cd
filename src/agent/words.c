/* words.c -- how events, rows and states are said in documents. */
#include "agent/words.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/judge.h"
#include "core/scratch.h"
#include "json/jcs.h"

/* The largest state, read. */
enum { STORED_ARENA_MAX = 256 * 1024 * 1024 };

static const char *const status_names[VES_OUTBOX_STATUSES] = {
    "pending", "syncing", "synced", "failed", "conflict"};

const char *ves_outbox_status_name(enum ves_outbox_status status)
{
    VES_ASSERT((unsigned)status < VES_OUTBOX_STATUSES);
    return status_names[status];
}

enum ves_status ves_outbox_status_mask(const char *name, uint32_t *mask,
                                       struct ves_error *error)
{
    *mask = 0;
    if (!name)
        return VES_OK;
    for (uint32_t i = 0; i < VES_OUTBOX_STATUSES; i++) {
        if (strcmp(name, status_names[i]) == 0) {
            *mask = 1u << i;
            return VES_OK;
        }
    }
    return ves_fail(error, VES_INVALID,
                    "\"%.40s\" is not a status; it is pending, syncing, "
                    "synced, failed or conflict",
                    name);
}

const char *ves_error_class_name(uint32_t error_class)
{
    static const char *const names[] = {[VES_ERROR_NONE] = "",
                                        [VES_ERROR_OFFLINE] = "offline",
                                        [VES_ERROR_BUSY] = "busy",
                                        [VES_ERROR_AUTH] = "auth",
                                        [VES_ERROR_FORBIDDEN] = "forbidden",
                                        [VES_ERROR_PROTOCOL] = "protocol",
                                        [VES_ERROR_REFUSED] = "refused"};

    return error_class < sizeof(names) / sizeof(names[0]) ? names[error_class]
                                                          : "";
}

static bool holds(struct ves_bytes text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word));
}

const char *ves_conflict_type(const struct ves_outbox_row *row)
{
    static const char *const types[] = {"deleted_reference", "version_mismatch",
                                        "concurrent_edit"};

    /* In the order of importance of semantics.md 3.2. */
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        if (holds(row->disposition, types[i]) || holds(row->error, types[i]))
            return types[i];
    }
    return NULL;
}

struct ves_bytes ves_row_disposition(const struct ves_outbox_row *row)
{
    if (row->disposition.len > 0 || !row->has_verdict)
        return row->disposition;
    return ves_bytes_str(ves_verdict_name((enum ves_verdict)row->verdict));
}

void ves_jw_member(struct ves_jw *jw, const char *name, struct ves_bytes value)
{
    if (value.len == 0)
        return;
    ves_jw_key(jw, name);
    ves_jw_bytes(jw, value);
}

void ves_jw_member_str(struct ves_jw *jw, const char *name, const char *value)
{
    ves_jw_key(jw, name);
    ves_jw_str(jw, value);
}

void ves_jw_member_u64(struct ves_jw *jw, const char *name, uint64_t value)
{
    ves_jw_key(jw, name);
    ves_jw_u64(jw, value);
}

void ves_jw_member_uuid(struct ves_jw *jw, const char *name,
                        const struct ves_uuid *value)
{
    ves_jw_key(jw, name);
    ves_jw_uuid(jw, value);
}

void ves_jw_member_time(struct ves_jw *jw, const char *name, int64_t unix_ms)
{
    ves_jw_key(jw, name);
    ves_jw_time(jw, unix_ms);
}

void ves_jw_member_bool(struct ves_jw *jw, const char *name, bool value)
{
    ves_jw_key(jw, name);
    ves_jw_bool(jw, value);
}

void ves_jw_member_hex(struct ves_jw *jw, const char *name, const void *data,
                       size_t len)
{
    ves_jw_key(jw, name);
    ves_jw_hex(jw, "0x", data, len);
}

void ves_jw_stored(struct ves_jw *jw, struct ves_bytes text)
{
    const struct ves_json *root;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), STORED_ARENA_MAX);
    enum ves_status status = ves_json_read(&arena, text, NULL, &root, NULL);
    ves_arena_free(&arena);
    if (status == VES_MALFORMED)
        ves_jw_bytes(jw, text);
    else
        ves_jw_raw(jw, text);
}

void ves_buf_put_count(struct ves_buf *buf, uint64_t count, const char *noun)
{
    ves_buf_putf(buf, "%llu %s%s", (unsigned long long)count, noun,
                 count == 1 ? "" : "s");
}

void ves_buf_put_time(struct ves_buf *buf, int64_t unix_ms)
{
    char text[VES_TIME_TEXT + 1];

    ves_time_format(unix_ms, text);
    ves_buf_put_str(buf, text);
}

enum ves_status ves_agent_read_envelope(struct ves_agent *agent,
                                        struct ves_bytes envelope, bool is_open,
                                        struct ves_event *event,
                                        struct ves_error *error)
{
    struct ves_refusal refusal;

    uint8_t *text = ves_arena_bytes(&agent->arena, envelope.len + 1);
    if (!text)
        return ves_fail(error, VES_NOMEM, "%s", ves_status_message(VES_NOMEM));
    memcpy(text, envelope.ptr, envelope.len);
    text[envelope.len] = '}';
    envelope = ves_bytes(text, envelope.len + (is_open ? 1 : 0));
    enum ves_status status =
        ves_event_read(&agent->arena, envelope, event, &refusal);
    if (!status)
        status = ves_event_check_logged(&agent->arena, event, &refusal);
    if (status == VES_REFUSED)
        return ves_fail(error, VES_CORRUPT,
                        "the stored envelope is not a valid event any more: %s",
                        refusal.message);
    if (status)
        return ves_fail(error, status, "%s", ves_status_message(status));
    return VES_OK;
}

static enum ves_status put_payload(struct ves_agent *agent, struct ves_jw *jw,
                                   const struct ves_event *event)
{
    struct ves_scratch scratch;

    if (!event->payload) {
        ves_jw_member_bool(jw, "encrypted", true);
        return VES_OK;
    }
    ves_scratch_init(&scratch, &agent->arena, event->payload_jcs.len,
                     VES_LOG_PAYLOAD_MAX);
    enum ves_status status = ves_jcs_write_without(&scratch.buf, &agent->arena,
                                                   event->payload, "_ves");
    if (status)
        return status;
    ves_jw_key(jw, "payload");
    ves_jw_raw(jw, ves_buf_view(&scratch.buf));
    return VES_OK;
}

enum ves_status ves_agent_put_event(struct ves_agent *agent, struct ves_jw *jw,
                                    const struct ves_event *event,
                                    struct ves_error *error)
{
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "eventId", &event->event_id);
    ves_jw_member(jw, "type", event->event_type);
    ves_jw_member(jw, "aggregateId", event->entity_id);
    enum ves_status status = put_payload(agent, jw, event);
    ves_jw_member_hex(jw, "signature", event->signature.b, VES_SIG_SIZE);
    ves_jw_member(jw, "timestamp", event->created_at);
    ves_jw_end(jw);
    return ves_agent_fail(agent, status, error, "writing the payload");
}

enum ves_status ves_agent_keep_outbox_row(struct ves_agent *agent,
                                          const struct ves_outbox_row *row,
                                          struct ves_outbox_row *out)
{
    struct ves_bytes *views[] = {
        &out->entity_type, &out->entity_id, &out->event_type, &out->created_at,
        &out->envelope,    &out->error,     &out->disposition};

    *out = *row;
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        enum ves_status status =
            ves_arena_copy(&agent->arena, *views[i], views[i]);
        if (status)
            return status;
    }
    return VES_OK;
}
