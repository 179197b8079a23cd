/* routes_read.c -- reading the log: pages, heads, entities, cursors, refusals
 * (protocol.md B.4, B.5, G.4, H). */
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "core/entity.h"
#include "engine/chain.h"
#include "engine/log_tree.h"
#include "os/clock.h"
#include "server/body.h"
#include "server/items.h"
#include "server/routes.h"
#include "server/server.h"

enum {
    ENTITY_PAGE_MAX = 100,
    COUNT_MAX = 10000,       /* events that are counted in one answer */
    ENTITY_LEGACY_FACTOR = 2 /* those items hold the payload twice */
};

struct page {
    struct ves_items items;
    uint64_t next; /* sequence expected */
    bool is_full;
};

static enum ves_status put_next(void *ctx, const struct ves_log_row *row)
{
    struct page *page = ctx;
    if (row->sequence_number != page->next)
        return VES_CORRUPT;
    if (page->items.count &&
        page->items.out->len + row->envelope.len > VES_ITEMS_BYTES_MAX) {
        page->is_full = true;
        return VES_AGAIN; /* stops the scan */
    }
    page->next++;
    return ves_items_put(&page->items, row);
}

/* The stream's row; one without events when there is none. */
static bool stream_row(struct ves_request *request,
                       const struct ves_stream *stream,
                       struct ves_stream_row *row)
{
    struct ves_store *store = request->store;
    enum ves_status status = store->ops->stream_get(store, stream, false, row);
    if (status == VES_NOT_FOUND)
        *row = (struct ves_stream_row){.stream = *stream};
    else if (status)
        ves_reply_status(request, status, &store->error);
    return !status || status == VES_NOT_FOUND;
}

/* ---- events -------------------------------------------------------------- */

static void get_events_as(struct ves_request *request,
                          enum ves_item_shape shape)
{
    struct ves_store *store = request->store;
    struct ves_buf *out = &request->out;
    struct page page = {.items = {.out = out, .shape = shape}};
    struct ves_stream_row row;
    uint64_t from;
    uint32_t limit;
    if (!ves_request_stream(request, VES_RIGHT_READ, &page.items.stream) ||
        !ves_request_u64(request, "from", 1, &from) ||
        !ves_request_limit(request, 100, VES_PULL_PAGE_MAX, &limit) ||
        !stream_row(request, &page.items.stream, &row))
        return;
    page.items.with_receipts = ves_request_wants(request, "receipts");
    page.next = from ? from : 1;
    ves_buf_put_str(out, "{\"events\":[");
    /* What is committed while we read is left for the next page, so that the
     * head we tell is never below what we give. */
    if (row.stream_no && page.next <= row.head) {
        uint64_t left = row.head - page.next + 1;
        enum ves_status status = store->ops->log_read(
            store, row.stream_no, page.next,
            left < limit ? (uint32_t)left : limit, put_next, &page);
        if (status && !page.is_full) {
            ves_reply_status(request, status, &store->error);
            return;
        }
    }
    ves_metric_add(&request->server->metrics.events_served, page.items.count);
    ves_buf_putf(out,
                 "],\"count\":%zu,\"next_sequence\":%llu,\"head_sequence\":"
                 "%llu,\"has_more\":%s",
                 page.items.count, (unsigned long long)page.next,
                 (unsigned long long)row.head,
                 page.next <= row.head ? "true" : "false");
    if (ves_request_wants(request, "checkpoint")) {
        enum ves_status status = ves_log_page_write(
            out, store, row.stream_no, page.next - 1, &request->arena);
        if (status) {
            ves_reply_status(request, status, &store->error);
            return;
        }
    }
    ves_buf_put_u8(out, '}');
    ves_reply(request, 200);
}

static void get_events(struct ves_request *request)
{
    struct ves_bytes value;
    if (ves_uri_param(&request->uri, "entity_type", &value) ||
        ves_uri_param(&request->uri, "entity_id", &value))
        ves_events_part(request);
    else
        get_events_as(request, VES_ITEM_VES);
}

static void get_events_legacy(struct ves_request *request)
{
    get_events_as(request, VES_ITEM_LEGACY);
}

struct author {
    struct ves_uuid agent;
    uint64_t count, through;
};

static enum ves_status count_author(void *ctx, const struct ves_log_row *row)
{
    struct author *author = ctx;
    author->count += ves_uuid_equal(&row->agent, &author->agent);
    author->through = row->sequence_number;
    return VES_OK;
}

/* How many events of agent_id there are after number `after`: what a store
 * asks that may be an older copy of itself.  A part at a time. */
static bool put_author(struct ves_request *request,
                       const struct ves_stream_row *row)
{
    struct ves_store *store = request->store;
    struct author author = {.count = 0};
    struct ves_error error = {VES_OK, ""};
    uint64_t after;
    if (!ves_request_u64(request, "after", 0, &after))
        return false;
    enum ves_status status =
        ves_uri_uuid(&request->uri, "agent_id", &author.agent, &error);
    if (status == VES_NOT_FOUND)
        return true;
    if (status) {
        ves_reply_status(request, status, &error);
        return false;
    }
    author.through = after < row->head ? after : row->head;
    if (row->stream_no && author.through < row->head) {
        uint64_t left = row->head - author.through;
        status =
            store->ops->log_read(store, row->stream_no, author.through + 1,
                                 left < COUNT_MAX ? (uint32_t)left : COUNT_MAX,
                                 count_author, &author);
        if (status) {
            ves_reply_status(request, status, &store->error);
            return false;
        }
    }
    ves_buf_putf(&request->out,
                 ",\"agent_events\":{\"after\":%llu,\"through\":%llu,"
                 "\"count\":%llu}",
                 (unsigned long long)after, (unsigned long long)author.through,
                 (unsigned long long)author.count);
    return true;
}

/* put: what else is told of the stream; false: it has answered. */
static void answer_head(struct ves_request *request,
                        bool (*put)(struct ves_request *request,
                                    const struct ves_stream_row *row))
{
    struct ves_stream stream;
    struct ves_stream_row row;
    if (!ves_request_stream(request, VES_RIGHT_READ, &stream) ||
        !stream_row(request, &stream, &row))
        return;
    ves_buf_putf(&request->out, "{\"head_sequence\":%llu",
                 (unsigned long long)row.head);
    if (!put(request, &row))
        return;
    ves_buf_put_u8(&request->out, '}');
    ves_reply(request, 200);
}

static void get_head(struct ves_request *request)
{
    answer_head(request, put_author);
}

static void get_head_legacy(struct ves_request *request)
{
    answer_head(request, ves_commitment_put_latest);
}

/* ---- one entity ---------------------------------------------------------- */

struct copy {
    struct ves_arena *arena;
    struct ves_log_row row;
};

static enum ves_status keep_row(void *ctx, const struct ves_log_row *row)
{
    struct copy *copy = ctx;
    copy->row = *row;
    return ves_arena_copy(copy->arena, row->envelope, &copy->row.envelope);
}

static enum ves_status read_row(struct ves_request *request, uint32_t stream_no,
                                uint64_t sequence, struct ves_log_row *row)
{
    struct ves_store *store = request->store;
    struct copy copy = {.arena = &request->arena};
    enum ves_status status =
        store->ops->log_read(store, stream_no, sequence, 1, keep_row, &copy);
    if (!status && copy.row.sequence_number != sequence)
        status = VES_CORRUPT;
    *row = copy.row;
    return status;
}

/* Events number first to last (1-based) of the entity, found from the last one
 * backwards along the chain. */
static enum ves_status read_chain(struct ves_request *request,
                                  uint32_t stream_no,
                                  const struct ves_entity_row *entity,
                                  uint64_t first, uint64_t last,
                                  struct ves_log_row *rows)
{
    uint64_t sequence;
    enum ves_status status =
        ves_chain_find(request->store, stream_no, entity, last, &sequence);
    for (uint64_t i = last + 1; !status && i > first; i--) {
        struct ves_log_row *row = &rows[i - 1 - first];
        status = read_row(request, stream_no, sequence, row);
        sequence = row->entity_prev;
    }
    return status;
}

struct entity_page {
    struct ves_items items;
    struct ves_bytes type, id;
    uint64_t from;
    uint32_t limit;
    struct ves_entity_row entity;
    uint64_t shown;
};

static enum ves_status fill_entity_page(struct ves_request *request,
                                        uint32_t stream_no,
                                        struct entity_page *p)
{
    struct ves_store *store = request->store;
    struct ves_entity_name name;
    ves_entity_name(p->type, p->id, &name);
    enum ves_status status = store->ops->entity_get(
        store, stream_no, &name, 1, &request->arena, &p->entity);
    if (status || !p->entity.is_found || p->from >= p->entity.count)
        return status;
    uint64_t left = p->entity.count - p->from;
    uint64_t count = left < p->limit ? left : p->limit;
    struct ves_log_row *rows =
        ves_arena_alloc(&request->arena, (size_t)count * sizeof(*rows));
    if (!rows)
        return VES_NOMEM;
    status = read_chain(request, stream_no, &p->entity, p->from + 1,
                        p->from + count, rows);
    for (uint64_t i = 0; !status && i < count; i++) {
        size_t size =
            p->items.out->len + rows[i].envelope.len * ENTITY_LEGACY_FACTOR;
        if (p->items.count && size > VES_ITEMS_BYTES_MAX)
            break;
        status = ves_items_put(&p->items, &rows[i]);
        p->shown++;
    }
    return status;
}

static void get_entity_as(struct ves_request *request,
                          enum ves_item_shape shape)
{
    struct ves_buf *out = &request->out;
    struct entity_page p = {.items = {.out = out, .shape = shape}};
    struct ves_stream_row row;
    if (!ves_request_text(request, 0, "the entity type", VES_ENTITY_TYPE_MAX,
                          &p.type) ||
        !ves_request_text(request, 1, "the entity id", VES_ENTITY_ID_MAX,
                          &p.id) ||
        !ves_request_stream(request, VES_RIGHT_READ, &p.items.stream) ||
        !ves_request_u64(request, "from", 0, &p.from) ||
        !ves_request_limit(request, ENTITY_PAGE_MAX, ENTITY_PAGE_MAX,
                           &p.limit) ||
        !stream_row(request, &p.items.stream, &row))
        return;
    p.items.with_receipts = ves_request_wants(request, "receipts");
    ves_buf_put_str(out, "{\"entity_type\":");
    ves_put_text(out, p.type);
    ves_buf_put_str(out, ",\"entity_id\":");
    ves_put_text(out, p.id);
    ves_buf_put_str(out, ",\"events\":[");
    enum ves_status status =
        row.stream_no ? fill_entity_page(request, row.stream_no, &p) : VES_OK;
    if (status) {
        ves_reply_status(request, status, &request->store->error);
        return;
    }
    ves_metric_add(&request->server->metrics.events_served, p.items.count);
    ves_buf_putf(out,
                 "],\"count\":%zu,\"total\":%llu,\"current_version\":%llu,",
                 p.items.count, (unsigned long long)p.entity.count,
                 (unsigned long long)p.entity.version);
    ves_buf_putf(out, "\"has_more\":%s}",
                 p.from < p.entity.count && p.shown < p.entity.count - p.from
                     ? "true"
                     : "false");
    ves_reply(request, 200);
}

static void get_entity(struct ves_request *request)
{
    get_entity_as(request, VES_ITEM_VES);
}

static void get_entity_legacy(struct ves_request *request)
{
    get_entity_as(request, VES_ITEM_LEGACY_ENTITY);
}

/* ---- cursors ------------------------------------------------------------- */

/* Only that agent, or an administrator. */
static bool may_use_cursor(struct ves_request *request,
                           const struct ves_uuid *agent)
{
    const struct ves_caller *caller = &request->caller;
    if ((caller->rights & VES_RIGHT_ADMIN) ||
        (caller->has_agent && ves_uuid_equal(&caller->agent, agent)))
        return true;
    ves_reply_auth(request, VES_AUTH_RIGHTS);
    return false;
}

static void put_cursor_answer(struct ves_request *request,
                              const struct ves_stream_row *row,
                              const struct ves_uuid *agent, uint64_t sequence,
                              int64_t updated_ms)
{
    struct ves_buf *out = &request->out;
    ves_buf_put_str(out, "{\"tenantId\":");
    ves_put_uuid(out, &row->stream.tenant);
    ves_buf_put_str(out, ",\"storeId\":");
    ves_put_uuid(out, &row->stream.store);
    ves_buf_put_str(out, ",\"agentId\":");
    ves_put_uuid(out, agent);
    ves_buf_putf(out,
                 ",\"acknowledgedSequence\":%llu,\"headSequence\":%llu,\"lag\":"
                 "%llu,\"updatedAt\":",
                 (unsigned long long)sequence, (unsigned long long)row->head,
                 (unsigned long long)(row->head - sequence));
    ves_put_time(out, updated_ms);
    ves_buf_put_u8(out, '}');
    ves_reply(request, 200);
}

static void get_cursor(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_stream stream;
    struct ves_stream_row row;
    struct ves_uuid agent;
    uint64_t sequence = 0;
    int64_t updated_ms = 0;
    if (!ves_request_uuid(request, 0, "the agent id", &agent) ||
        !ves_request_stream(request, VES_RIGHT_READ, &stream) ||
        !may_use_cursor(request, &agent))
        return;
    /* The cursor before the head: it never shows more than the head does. */
    if (!stream_row(request, &stream, &row))
        return;
    enum ves_status status =
        row.stream_no ? store->ops->cursor_get(store, row.stream_no, &agent,
                                               &sequence, &updated_ms)
                      : VES_OK;
    if (!status && sequence > row.head)
        status = store->ops->stream_get(store, &stream, false, &row);
    if (status)
        ves_reply_status(request, status, &store->error);
    else
        put_cursor_answer(request, &row, &agent, sequence, updated_ms);
}

static void put_cursor(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_cursor_body body;
    struct ves_stream_row row;
    struct ves_uuid agent;
    struct ves_error error = {0};
    uint64_t sequence = 0;
    int64_t updated_ms = 0;
    enum ves_status status = ves_cursor_body_read(
        &request->arena, ves_bytes(request->body, request->body_len), &body,
        &error);
    if (!ves_request_uuid(request, 0, "the agent id", &agent))
        return;
    if (status) {
        ves_reply_status(request, status, &error);
        return;
    }
    if (!ves_request_allows(request, VES_RIGHT_READ, &body.stream.tenant,
                            &body.stream.store) ||
        !may_use_cursor(request, &agent) ||
        !stream_row(request, &body.stream, &row))
        return;
    if (body.sequence_number > row.head) {
        ves_reply_error(request, 400, NULL,
                        "sequenceNumber %llu is beyond the head, %llu",
                        (unsigned long long)body.sequence_number,
                        (unsigned long long)row.head);
        return;
    }
    if (row.stream_no)
        status = store->ops->cursor_get(store, row.stream_no, &agent, &sequence,
                                        &updated_ms);
    if (!status && body.sequence_number > sequence) {
        sequence = body.sequence_number;
        updated_ms = ves_clock_now_ms();
        status = store->ops->begin(store);
        if (!status)
            status = store->ops->cursor_put(store, row.stream_no, &agent,
                                            sequence, updated_ms);
        if (!status)
            status = store->ops->commit(store);
        if (status)
            store->ops->rollback(store);
    }
    if (status)
        ves_reply_status(request, status, &store->error);
    else
        put_cursor_answer(request, &row, &agent, sequence, updated_ms);
}

/* ---- refusals ------------------------------------------------------------ */

struct refusal_page {
    struct ves_buf *out;
    const struct ves_alloc *alloc;
    size_t count;
    uint64_t next;
    bool is_full;
};

/* RFC 4648 base64 with padding. */
static void put_base64(struct ves_buf *out, struct ves_bytes bytes)
{
    size_t len = ves_b64u_len(bytes.len);
    char *text = (char *)ves_buf_reserve(out, len + 3);
    if (!text)
        return;
    ves_b64u_encode(bytes.ptr, bytes.len, text);
    for (size_t i = 0; i < len; i++) {
        if (text[i] == '-')
            text[i] = '+';
        else if (text[i] == '_')
            text[i] = '/';
    }
    while (len % 4)
        text[len++] = '=';
    out->len += len;
}

static enum ves_status put_refusal(void *ctx, const struct ves_record *record)
{
    struct refusal_page *page = ctx;
    struct ves_buf *out = page->out;
    if (page->count && out->len + record->body.len * 2 > VES_ITEMS_BYTES_MAX) {
        page->is_full = true;
        return VES_AGAIN;
    }
    ves_buf_put_str(out, page->count++ ? ",{\"no\":" : "{\"no\":");
    ves_buf_put_decimal(out, record->no);
    ves_put_name(out, false, "refusedAt");
    ves_put_time(out, record->at_ms);
    ves_put_name(out, false, "eventId");
    if (record->has_event_id)
        ves_put_uuid(out, &record->event_id);
    else
        ves_buf_put_str(out, "null");
    ves_put_name(out, false, "reason");
    ves_put_text(out, record->code);
    /* {"index":n,"message":"..."}, as the engine wrote it */
    ves_put_name(out, false, "detail");
    if (record->detail.len)
        ves_buf_put_bytes(out, record->detail);
    else
        ves_buf_put_str(out, "null");
    ves_buf_put_str(out, ",\"element\":\"");
    put_base64(out, record->body);
    ves_buf_put_str(out, "\",\"refusalSignature\":");
    if (record->has_signature)
        ves_put_hex(out, "", record->signature.b, VES_SIG_SIZE);
    else
        ves_buf_put_str(out, "null");
    ves_buf_put_u8(out, '}');
    page->next = record->no + 1;
    return ves_buf_status(out);
}

static void get_refusals(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct refusal_page page = {.out = &request->out};
    struct ves_stream stream;
    struct ves_stream_row row;
    uint64_t from;
    uint32_t limit;
    if (!ves_request_stream(request, VES_RIGHT_READ, &stream) ||
        !ves_request_u64(request, "from", 1, &from) ||
        !ves_request_limit(request, 100, VES_PULL_PAGE_MAX, &limit) ||
        !stream_row(request, &stream, &row))
        return;
    page.next = from ? from : 1;
    ves_buf_put_str(page.out, "{\"refusals\":[");
    enum ves_status status = VES_OK;
    if (row.stream_no)
        status = store->ops->record_list(store, VES_RECORD_REFUSAL,
                                         row.stream_no, page.next, false, limit,
                                         put_refusal, &page);
    if (status && !page.is_full) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    ves_buf_putf(page.out, "],\"count\":%zu,\"next\":%llu,\"has_more\":%s}",
                 page.count, (unsigned long long)page.next,
                 page.is_full || page.count == limit ? "true" : "false");
    ves_reply(request, 200);
}

static void get_state(struct ves_request *request)
{
    struct ves_stream stream;
    if (ves_request_stream(request, VES_RIGHT_READ, &stream))
        ves_reply_error(request, 404, NULL,
                        "this sequencer orders events and does not fold them; "
                        "ask a store for its state hash (ves status)");
}

#define READ(pattern, handle)                                            \
    {                                                                    \
        VES_METHOD_GET, pattern, VES_ROUTE_READ, VES_ACCESS_READ, false, \
            handle                                                       \
    }
#define LEGACY(pattern, handle)                                                \
    {                                                                          \
        VES_METHOD_GET, pattern, VES_ROUTE_READ, VES_ACCESS_READ, true, handle \
    }

const struct ves_route ves_routes_read[] = {
    READ("/api/v1/ves/events", get_events),
    READ("/api/v1/ves/head", get_head),
    READ("/api/v1/ves/entities/{}/{}", get_entity),
    READ("/api/v1/ves/cursors/{}", get_cursor),
    {VES_METHOD_PUT, "/api/v1/ves/cursors/{}", VES_ROUTE_WRITE, VES_ACCESS_READ,
     false, put_cursor},
    READ("/api/v1/ves/refusals", get_refusals),
    READ("/api/v1/ves/state", get_state),
    LEGACY("/api/v1/events", get_events_legacy),
    LEGACY("/api/v1/head", get_head_legacy),
    LEGACY("/api/v1/entities/{}/{}", get_entity_legacy),
    {.pattern = NULL}};
