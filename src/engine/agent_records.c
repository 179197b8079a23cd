/* agent_records.c -- the trail, alerts and quarantine. */
#include "base/assert.h"
#include "base/bytes.h"
#include "engine/agent_internal.h"

enum ves_status ves_device_trail(struct ves_agent_core *core, int64_t now_ms,
                                 const char *code, struct ves_bytes detail)
{
    const struct ves_record record = {
        .at_ms = now_ms, .code = ves_bytes_str(code), .detail = detail};
    return core->store->ops->record_append(core->store, VES_RECORD_TRAIL,
                                           core->stream_no, &record, 1);
}

/* Walks the open records of one kind, newest first. */
struct search {
    uint64_t left; /* open records not met yet */
    const struct ves_record *like;
    bool is_found;
    uint64_t cursor;  /* only those with a sequence number up to it ... */
    const char *code; /* ... or of this code, when not NULL */
    struct ves_record *list;
    size_t count;
};

static bool is_same(const struct ves_record *a, const struct ves_record *b)
{
    return ves_bytes_equal(a->code, b->code) &&
           a->sequence_number == b->sequence_number &&
           a->has_event_id == b->has_event_id &&
           (!a->has_event_id || ves_uuid_equal(&a->event_id, &b->event_id)) &&
           ves_bytes_equal(a->body, b->body);
}

static enum ves_status visit_like(void *ctx, const struct ves_record *row)
{
    struct search *search = ctx;

    if (row->closed_ms != 0)
        return VES_OK;
    if (is_same(row, search->like)) {
        search->is_found = true;
        return VES_AGAIN;
    }
    return --search->left == 0 ? VES_AGAIN : VES_OK;
}

static enum ves_status is_known(struct ves_agent_core *core,
                                enum ves_record_kind kind,
                                const struct ves_record *record, bool *known)
{
    struct search search = {.like = record};

    enum ves_status status = core->store->ops->record_count_open(
        core->store, kind, core->stream_no, &search.left);
    if (!status && search.left > 0) {
        status =
            core->store->ops->record_list(core->store, kind, core->stream_no, 0,
                                          true, 0, visit_like, &search);
        if (status == VES_AGAIN)
            status = VES_OK;
    }
    *known = search.is_found;
    return status;
}

static enum ves_status keep(struct ves_agent_core *core, int64_t now_ms,
                            enum ves_record_kind kind,
                            const struct ves_device_alert *alert, bool *is_new)
{
    struct ves_record record = {
        .at_ms = now_ms,
        .sequence_number = alert->sequence_number,
        .has_event_id = alert->event_id != NULL,
        .code = ves_bytes_str(alert->code),
        .detail = ves_bytes_str(alert->detail),
        .body = alert->body,
    };
    bool known = false;

    if (alert->event_id)
        record.event_id = *alert->event_id;
    enum ves_status status = is_known(core, kind, &record, &known);
    *is_new = !known;
    if (status || known)
        return status;
    return core->store->ops->record_append(core->store, kind, core->stream_no,
                                           &record, 1);
}

enum ves_status ves_device_alert(struct ves_agent_core *core, int64_t now_ms,
                                 const struct ves_device_alert *alert)
{
    bool is_new;
    return keep(core, now_ms, VES_RECORD_ALERT, alert, &is_new);
}

enum ves_status ves_device_quarantine(struct ves_agent_core *core,
                                      int64_t now_ms,
                                      const struct ves_device_alert *alert,
                                      bool *is_new)
{
    enum ves_status status =
        keep(core, now_ms, VES_RECORD_QUARANTINE, alert, is_new);
    /* The bytes are in quarantine; the alert need not hold them again. */
    struct ves_device_alert bare = *alert;
    bare.body = ves_bytes(NULL, 0);
    if (!status)
        status = ves_device_alert(core, now_ms, &bare);
    return status;
}

static enum ves_status visit_open(void *ctx, const struct ves_record *row)
{
    struct search *search = ctx;

    if (row->closed_ms != 0)
        return VES_OK;
    /* Two histories are not made one by a later answer: a person looks. */
    bool is_wanted = search->code
                         ? ves_bytes_is(row->code, search->code)
                         : row->sequence_number <= search->cursor &&
                               !ves_bytes_is(row->code, "equivocation");
    if (is_wanted) {
        if (search->count == VES_DEVICE_CHUNK)
            return VES_AGAIN;
        search->list[search->count++] = (struct ves_record){
            .no = row->no, .sequence_number = row->sequence_number};
    }
    return --search->left == 0 ? VES_AGAIN : VES_OK;
}

/* Lists open records as search says into search->list. */
static enum ves_status find_open(struct ves_agent_core *core,
                                 struct ves_arena *arena,
                                 enum ves_record_kind kind,
                                 struct search *search)
{
    enum ves_status status = core->store->ops->record_count_open(
        core->store, kind, core->stream_no, &search->left);
    if (status || search->left == 0)
        return status;
    search->list =
        ves_arena_alloc(arena, VES_DEVICE_CHUNK * sizeof(*search->list));
    if (!search->list)
        return VES_NOMEM;
    status = core->store->ops->record_list(core->store, kind, core->stream_no,
                                           0, true, 0, visit_open, search);
    return status == VES_AGAIN ? VES_OK : status;
}

static enum ves_status close_all(struct ves_agent_core *core, int64_t now_ms,
                                 enum ves_record_kind kind,
                                 const struct search *search)
{
    enum ves_status status = VES_OK;
    for (size_t i = 0; i < search->count && !status; i++)
        status = core->store->ops->record_close(
            core->store, kind, core->stream_no, search->list[i].no, now_ms);
    return status;
}

static enum ves_status close_code(struct ves_agent_core *core,
                                  struct ves_arena *arena, int64_t now_ms,
                                  const char *code)
{
    struct search search = {.code = code};
    enum ves_status status = find_open(core, arena, VES_RECORD_ALERT, &search);
    if (!status)
        status = close_all(core, now_ms, VES_RECORD_ALERT, &search);
    return status;
}

enum ves_status ves_device_close(struct ves_agent_core *core, int64_t now_ms,
                                 const char *code)
{
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = close_code(core, &arena, now_ms, code);
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_device_settle(struct ves_agent_core *core, int64_t now_ms,
                                  uint64_t cursor)
{
    /* Alerts that come with quarantined bytes; the others wait for a person.
     */
    static const char *const codes[] = {
        "malformed",       "unsupported_version", "hash_mismatch",
        "scope_mismatch",  "key_not_valid",       "signature_invalid",
        "receipt_invalid", "event_id_reused"};
    struct search search = {.cursor = cursor};
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status =
        find_open(core, &arena, VES_RECORD_QUARANTINE, &search);
    if (!status && search.count > 0) {
        status = close_all(core, now_ms, VES_RECORD_QUARANTINE, &search);
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && !status; i++)
            status = close_code(core, &arena, now_ms, codes[i]);
    }
    ves_arena_free(&arena);
    return status;
}
