/* agent_records.c -- the trail, alerts and quarantine, and what a person
 * settles. */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"
#include "json/jcs.h"

enum ves_status ves_device_trail(struct ves_agent_core *core, int64_t now_ms,
                                 const char *code, struct ves_bytes detail)
{
    const struct ves_record record = {
        .at_ms = now_ms, .code = ves_bytes_str(code), .detail = detail};
    return core->store->ops->record_append(core->store, VES_RECORD_TRAIL,
                                           core->stream_no, &record, 1);
}

enum ves_status ves_device_trail_end(struct ves_agent_core *core,
                                     int64_t now_ms, const char *code,
                                     struct ves_buf *detail)
{
    enum ves_status status = ves_buf_status(detail);

    if (!status)
        status = ves_device_trail(core, now_ms, code, ves_buf_view(detail));
    ves_buf_free(detail);
    return status;
}

/* Walks the open records of one kind, newest first. */
struct search {
    uint64_t left; /* open records not met yet */
    const struct ves_record *like;
    bool is_found;
    uint64_t cursor;  /* only those with a sequence number up to it ... */
    const char *code; /* ... or of this code, when not NULL */
    bool is_log_verified;
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
    if (search->code ? ves_bytes_is(row->code, search->code)
                     : is_same(row, search->like)) {
        search->is_found = true;
        return VES_AGAIN;
    }
    return --search->left == 0 ? VES_AGAIN : VES_OK;
}

/* Looks for an open record as search says: like one, or of a code. */
static enum ves_status look_for(struct ves_agent_core *core,
                                enum ves_record_kind kind,
                                struct search *search)
{
    enum ves_status status = core->store->ops->record_count_open(
        core->store, kind, core->stream_no, &search->left);
    if (status || search->left == 0)
        return status;
    status = core->store->ops->record_list(core->store, kind, core->stream_no,
                                           0, true, 0, visit_like, search);
    return status == VES_AGAIN ? VES_OK : status;
}

static enum ves_status say_full(struct ves_agent_core *core, int64_t now_ms)
{
    static const struct ves_device_alert full = {
        .code = VES_EVIDENCE_FULL,
        .detail = "so much evidence of one kind of falsehood is kept that no "
                  "more of it is: what is false is refused as before, but only "
                  "the bytes that came first can be looked at. When this alert "
                  "is settled there is room again"};
    return ves_device_alert(core, now_ms, &full);
}

enum { KEPT = 1, KNOWN, NO_ROOM };

/* *what: of the three.  A body for which there is no room is not kept, and of
 * quarantine then nothing is. */
static enum ves_status keep(struct ves_agent_core *core, int64_t now_ms,
                            enum ves_record_kind kind,
                            const struct ves_device_alert *alert, int *what)
{
    struct ves_record record = {
        .at_ms = now_ms,
        .sequence_number = alert->sequence_number,
        .has_event_id = alert->event_id != NULL,
        .code = ves_bytes_str(alert->code),
        .detail = ves_bytes_str(alert->detail),
        .body = alert->body,
    };
    struct search search = {.like = &record};
    bool has_room = true;

    if (alert->event_id)
        record.event_id = *alert->event_id;
    enum ves_status status = look_for(core, kind, &search);
    *what = search.is_found ? KNOWN : KEPT;
    if (status || search.is_found)
        return status;
    if (record.body.len > 0)
        status = ves_device_evidence_take(core, record.code, record.body.len,
                                          &has_room);
    if (!status && !has_room) {
        *what = NO_ROOM;
        record.body = ves_bytes(NULL, 0);
        status = say_full(core, now_ms);
    }
    if (status || (kind == VES_RECORD_QUARANTINE && !has_room))
        return status;
    return core->store->ops->record_append(core->store, kind, core->stream_no,
                                           &record, 1);
}

enum ves_status ves_device_alert(struct ves_agent_core *core, int64_t now_ms,
                                 const struct ves_device_alert *alert)
{
    int what;
    return keep(core, now_ms, VES_RECORD_ALERT, alert, &what);
}

enum ves_status ves_device_quarantine(struct ves_agent_core *core,
                                      int64_t now_ms,
                                      const struct ves_device_alert *alert,
                                      bool *is_new)
{
    struct search search = {.code = alert->code};
    int what;

    enum ves_status status =
        keep(core, now_ms, VES_RECORD_QUARANTINE, alert, &what);
    *is_new = what == KEPT;
    if (!status && what == NO_ROOM)
        status = look_for(core, VES_RECORD_ALERT, &search);
    if (status || search.is_found)
        return status;
    /* The bytes are in quarantine; the alert need not hold them again. */
    struct ves_device_alert bare = *alert;
    bare.body = ves_bytes(NULL, 0);
    return ves_device_alert(core, now_ms, &bare);
}

/* Is a record of quarantine settled by what was applied since?  Two histories
 * are not made one by a later answer: a person looks. */
static bool is_settled(const struct search *search,
                       const struct ves_record *row)
{
    if (ves_bytes_is(row->code, "equivocation") ||
        ves_bytes_is(row->code, VES_LOG_FORK) ||
        ves_bytes_is(row->code, VES_RECEIPT_BROKEN))
        return false;
    if (ves_bytes_is(row->code, VES_LOG_MISMATCH) ||
        ves_bytes_is(row->code, VES_CHECKPOINT_INVALID) ||
        ves_bytes_is(row->code, VES_EPOCH_FALSE))
        return search->is_log_verified;
    return row->sequence_number <= search->cursor;
}

static enum ves_status visit_open(void *ctx, const struct ves_record *row)
{
    struct search *search = ctx;

    if (row->closed_ms != 0)
        return VES_OK;
    bool is_wanted = search->code ? ves_bytes_is(row->code, search->code)
                                  : is_settled(search, row);
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
        ves_arena_list(arena, VES_DEVICE_CHUNK, sizeof(*search->list));
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
                                  uint64_t cursor, bool is_log_verified)
{
    /* Alerts that come with quarantined bytes; the others wait for a person.
     */
    static const char *const codes[] = {
        "malformed",       "unsupported_version", "hash_mismatch",
        "scope_mismatch",  "key_not_valid",       "signature_invalid",
        "receipt_invalid", "event_id_reused"};
    static const char *const of_log[] = {
        VES_LOG_MISMATCH, VES_CHECKPOINT_INVALID, VES_EPOCH_FALSE};
    struct search search = {.cursor = cursor,
                            .is_log_verified = is_log_verified};
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status =
        find_open(core, &arena, VES_RECORD_QUARANTINE, &search);
    if (!status && search.count > 0) {
        status = close_all(core, now_ms, VES_RECORD_QUARANTINE, &search);
        for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]) && !status; i++)
            status = close_code(core, &arena, now_ms, codes[i]);
        for (size_t i = 0; i < 3 && !status && is_log_verified; i++)
            status = close_code(core, &arena, now_ms, of_log[i]);
    }
    ves_arena_free(&arena);
    return status;
}

/* ---- a person's word ----------------------------------------------------- */

enum { WHY_MAX = 500, RECEIPT_MAX = 4096 };

struct settling {
    uint64_t no;
    bool is_found;
    struct ves_record alert;
    struct ves_buf code;
};

static enum ves_status visit_alert(void *ctx, const struct ves_record *row)
{
    struct settling *settling = ctx;

    if (row->no != settling->no)
        return VES_OK;
    settling->is_found = true;
    settling->alert.closed_ms = row->closed_ms;
    settling->alert.sequence_number = row->sequence_number;
    settling->alert.has_event_id = row->has_event_id;
    settling->alert.event_id = row->event_id;
    ves_buf_put_bytes(&settling->code, row->code);
    enum ves_status status = ves_buf_status(&settling->code);
    return status ? status : VES_AGAIN;
}

static enum ves_status visit_kept(void *ctx, const struct ves_record *row)
{
    struct search *search = ctx;

    if (row->closed_ms == 0 &&
        row->sequence_number == search->like->sequence_number &&
        ves_bytes_equal(row->code, search->like->code)) {
        if (search->count == VES_DEVICE_CHUNK)
            return VES_AGAIN;
        search->list[search->count++] = (struct ves_record){.no = row->no};
    }
    return VES_OK;
}

static enum ves_status find_alert(struct ves_agent_core *core,
                                  struct settling *settling)
{
    enum ves_status status = core->store->ops->record_list(
        core->store, VES_RECORD_ALERT, core->stream_no, settling->no, false, 1,
        visit_alert, settling);

    if (status && status != VES_AGAIN)
        return status;
    if (!settling->is_found)
        return ves_fail(&core->error, VES_NOT_FOUND,
                        "there is no alert %llu; nothing was settled",
                        (unsigned long long)settling->no);
    if (settling->alert.closed_ms != 0)
        return ves_fail(&core->error, VES_CONFLICT,
                        "alert %llu is settled already; nothing was changed",
                        (unsigned long long)settling->no);
    settling->alert.code = ves_buf_view(&settling->code);
    return VES_OK;
}

static enum ves_status settle_kept(struct ves_agent_core *core,
                                   struct ves_arena *arena, int64_t now_ms,
                                   const struct ves_record *alert)
{
    struct search search = {
        .like = alert,
        .list = ves_arena_list(arena, VES_DEVICE_CHUNK, sizeof(*search.list))};

    if (!search.list)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->record_list(
        core->store, VES_RECORD_QUARANTINE, core->stream_no, 0, true, 0,
        visit_kept, &search);
    if (status == VES_AGAIN)
        status = VES_OK;
    return status ? status
                  : close_all(core, now_ms, VES_RECORD_QUARANTINE, &search);
}

static enum ves_status settle_trail(struct ves_agent_core *core, int64_t now_ms,
                                    const struct settling *settling,
                                    struct ves_bytes receipt,
                                    struct ves_bytes why)
{
    struct ves_buf detail;

    ves_buf_init(&detail, core->alloc, 8 * WHY_MAX + RECEIPT_MAX);
    ves_buf_putf(&detail,
                 "{\"alert\":%llu,\"code\":", (unsigned long long)settling->no);
    ves_jcs_write_string(&detail, settling->alert.code);
    ves_buf_put_str(&detail, ",\"reason\":");
    ves_jcs_write_string(&detail, why);
    if (receipt.len > 0) {
        ves_buf_put_str(&detail, ",\"receipt\":");
        ves_buf_put_bytes(&detail, receipt);
    }
    ves_buf_put_str(&detail, "}");
    return ves_device_trail_end(core, now_ms, "settle", &detail);
}

static enum ves_status settle_alert(struct ves_agent_core *core,
                                    struct ves_arena *arena,
                                    struct settling *settling,
                                    struct ves_bytes why, int64_t now_ms)
{
    const struct ves_record *alert = &settling->alert;
    struct ves_scratch receipt;

    ves_scratch_init(&receipt, arena, RECEIPT_MAX, RECEIPT_MAX);
    enum ves_status status = find_alert(core, settling);

    if (!status && ves_bytes_is(alert->code, VES_RECEIPT_BROKEN) &&
        alert->has_event_id)
        status =
            ves_device_promise_release(core, arena, &alert->event_id,
                                       alert->sequence_number, &receipt.buf);
    if (!status)
        status = ves_buf_status(&receipt.buf);
    if (!status)
        status = core->store->ops->record_close(core->store, VES_RECORD_ALERT,
                                                core->stream_no, settling->no,
                                                now_ms);
    if (!status)
        status = settle_kept(core, arena, now_ms, &settling->alert);
    if (!status && ves_bytes_is(settling->alert.code, VES_EVIDENCE_FULL))
        status = ves_device_evidence_forget(core);
    return status ? status
                  : settle_trail(core, now_ms, settling,
                                 ves_buf_view(&receipt.buf), why);
}

static enum ves_status check_why(struct ves_agent_core *core,
                                 struct ves_bytes why)
{
    if (why.len > 0 && why.len <= WHY_MAX && ves_utf8_valid(why, NULL))
        return VES_OK;
    return ves_fail(&core->error, VES_INVALID,
                    "settling needs a reason, 1 to %d bytes of UTF-8, for "
                    "those who read the trail later; nothing was settled",
                    WHY_MAX);
}

enum ves_status ves_core_settle(struct ves_agent_core *core, uint64_t alert_no,
                                struct ves_bytes why, int64_t now_ms)
{
    struct settling settling = {.no = alert_no};
    struct ves_arena arena;

    core->error.status = VES_OK;
    if (check_why(core, why))
        return core->error.status;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    ves_buf_init(&settling.code, core->alloc, 256);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(
            core, settle_alert(core, &arena, &settling, why, now_ms));
    ves_buf_free(&settling.code);
    ves_arena_free(&arena);
    return status;
}

static enum ves_status settle_row(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  const struct ves_uuid *event_id)
{
    struct ves_store *store = core->store;
    struct ves_outbox_row row;

    enum ves_status status =
        store->ops->outbox_get(store, event_id, 1, arena, &row);
    if (status)
        return status;
    if (row.local_seq == 0)
        return ves_fail(&core->error, VES_NOT_FOUND,
                        "the outbox does not hold this event; nothing was "
                        "settled");
    if (ves_device_is_decided(&row))
        return ves_fail(&core->error, VES_CONFLICT,
                        "this event was decided or settled already; nothing "
                        "was changed");
    if (row.status != VES_OUTBOX_FAILED || !row.is_refused)
        return ves_fail(&core->error, VES_INVALID,
                        "the sequencer did not refuse this event, so it may "
                        "still get there; nothing was settled (ves why tells "
                        "where it is)");
    row.disposition = ves_bytes_str(VES_DISPOSITION_SETTLED);
    return store->ops->outbox_update(store, &row, 1);
}

static enum ves_status event_trail(struct ves_agent_core *core,
                                   const struct ves_uuid *event_id,
                                   struct ves_bytes why, int64_t now_ms)
{
    struct ves_buf detail;

    ves_buf_init(&detail, core->alloc, 8 * WHY_MAX);
    ves_buf_put_str(&detail, "{\"eventId\":\"");
    ves_buf_put_uuid(&detail, event_id);
    ves_buf_put_str(&detail, "\",\"reason\":");
    ves_jcs_write_string(&detail, why);
    ves_buf_put_u8(&detail, '}');
    return ves_device_trail_end(core, now_ms, "settle", &detail);
}

enum ves_status ves_core_settle_refused(struct ves_agent_core *core,
                                        const struct ves_uuid *event_id,
                                        struct ves_bytes why, int64_t now_ms)
{
    struct ves_arena arena;

    core->error.status = VES_OK;
    if (check_why(core, why))
        return core->error.status;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status) {
        status = settle_row(core, &arena, event_id);
        if (!status)
            status = event_trail(core, event_id, why, now_ms);
        status = ves_device_end(core, status);
    }
    ves_arena_free(&arena);
    return status;
}
