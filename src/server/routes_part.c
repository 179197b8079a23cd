/* routes_part.c -- pages of the events that are about one type or one entity,
 * with the covers of what lies between them (engine/log_part.h).
 *
 * Nothing beyond the signed head is in them, so that a page proves itself.
 */
#include "base/bytes.h"
#include "base/limits.h"
#include "engine/log_part.h"
#include "engine/log_tree.h"
#include "server/items.h"
#include "server/routes.h"
#include "server/server.h"

struct asked {
    struct ves_items items;
    struct ves_log_filter filter;
    struct ves_stream_row stream;
    uint64_t size; /* of the signed head; 0: none */
    uint64_t from;
    uint32_t limit;
};

/* A member of the filter; absent is "". */
static bool read_name(struct ves_request *request, const char *name, size_t max,
                      struct ves_bytes *out)
{
    *out = ves_bytes(NULL, 0);
    if (!ves_uri_param(&request->uri, name, out) ||
        (out->len > 0 && out->len <= max))
        return true;
    ves_reply_error(request, 400, NULL, "%s is 1 to %zu bytes of text", name,
                    max);
    return false;
}

/* The signed head's size; 0 when there is no stream, no log or no head. */
static bool load_size(struct ves_request *request, struct asked *asked)
{
    struct ves_store *store = request->store;
    struct ves_tlog_row log = {.signed_size = 0};
    enum ves_status status = store->ops->stream_get(store, &asked->items.stream,
                                                    false, &asked->stream);
    if (!status)
        status = store->ops->tlog_get(store, asked->stream.stream_no,
                                      &request->arena, &log);
    asked->size = log.signed_size;
    if (status == VES_OK || status == VES_NOT_FOUND)
        return true;
    ves_reply_status(request, status, &store->error);
    return false;
}

static bool read_asked(struct ves_request *request, struct asked *asked)
{
    struct ves_bytes receipts;
    if (!ves_request_stream(request, VES_RIGHT_READ, &asked->items.stream) ||
        !ves_request_u64(request, "from", 1, &asked->from) ||
        !ves_request_limit(request, 100, VES_PULL_PAGE_MAX, &asked->limit) ||
        !read_name(request, "entity_type", VES_ENTITY_TYPE_MAX,
                   &asked->filter.entity_type) ||
        !read_name(request, "entity_id", VES_ENTITY_ID_MAX,
                   &asked->filter.entity_id) ||
        !load_size(request, asked))
        return false;
    asked->items.with_receipts =
        ves_uri_param(&request->uri, "receipts", &receipts) &&
        (ves_bytes_is(receipts, "1") || ves_bytes_is(receipts, "true"));
    if (asked->from == 0)
        asked->from = 1;
    if (asked->from <= asked->size + 1)
        return true;
    ves_reply_error(
        request, 400, NULL, "from is %llu; the signed head has %llu entries",
        (unsigned long long)asked->from, (unsigned long long)asked->size);
    return false;
}

static enum ves_status put_row(void *ctx, const struct ves_log_row *row)
{
    return ves_items_put(ctx, row);
}

/* The part's events; it ends early when they are many bytes. */
static enum ves_status put_events(struct ves_request *request,
                                  struct asked *asked,
                                  struct ves_log_part *part)
{
    struct ves_store *store = request->store;
    for (size_t i = 0; i < part->count; i++) {
        enum ves_status status =
            store->ops->log_read(store, asked->stream.stream_no,
                                 part->sequences[i], 1, put_row, &asked->items);
        if (!status && asked->items.count != i + 1)
            status = VES_CORRUPT;
        if (status)
            return status;
        if (request->out.len > VES_ITEMS_BYTES_MAX && i + 1 < part->count)
            ves_log_part_cut(part, i + 1);
    }
    return VES_OK;
}

static enum ves_status put_covers(struct ves_request *request,
                                  const struct asked *asked,
                                  const struct ves_log_part *part)
{
    struct ves_buf *out = &request->out;
    struct ves_hash *covers = NULL;
    size_t count = 0;
    enum ves_status status =
        ves_log_part_cover(request->store, asked->stream.stream_no, asked->size,
                           part, &request->arena, &covers, &count);
    ves_buf_put_str(out, ",\"covers\":[");
    for (size_t i = 0; i < count && !status; i++) {
        if (i)
            ves_buf_put_u8(out, ',');
        ves_put_hex(out, "", covers[i].b, VES_HASH_SIZE);
    }
    ves_buf_put_u8(out, ']');
    return status;
}

static enum ves_status put_part(struct ves_request *request,
                                struct asked *asked)
{
    struct ves_buf *out = &request->out;
    struct ves_log_part part;
    enum ves_status status = ves_log_part_find(
        request->store, asked->stream.stream_no, &asked->filter, asked->from,
        asked->size, asked->limit, &request->arena, &part);
    if (!status)
        status = put_events(request, asked, &part);
    if (status)
        return status;
    ves_buf_putf(out,
                 "],\"count\":%zu,\"next_sequence\":%llu,\"head_sequence\":"
                 "%llu,\"has_more\":%s",
                 asked->items.count, (unsigned long long)part.to,
                 (unsigned long long)asked->stream.head,
                 part.to <= asked->size ? "true" : "false");
    status = put_covers(request, asked, &part);
    if (!status)
        status =
            ves_log_page_write(out, request->store, asked->stream.stream_no,
                               part.to - VES_TLOG_FIRST, &request->arena);
    return status;
}

void ves_events_part(struct ves_request *request)
{
    struct ves_buf *out = &request->out;
    struct asked asked = {.items = {.out = out, .shape = VES_ITEM_VES}};
    enum ves_status status = VES_OK;
    if (!read_asked(request, &asked))
        return;
    ves_buf_put_str(out, "{\"events\":[");
    if (asked.size > 0)
        status = put_part(request, &asked);
    else
        ves_buf_putf(out,
                     "],\"count\":0,\"next_sequence\":1,\"head_sequence\":%llu,"
                     "\"has_more\":false,\"covers\":[],\"checkpoint\":null",
                     (unsigned long long)asked.stream.head);
    if (status) {
        ves_reply_status(request, status, &request->store->error);
        return;
    }
    ves_metric_add(&request->server->metrics.events_served, asked.items.count);
    ves_buf_put_u8(out, '}');
    ves_reply(request, 200);
}
