/* routes_follow.c -- following a stream by server-sent events (ADR 0044). */
#include "base/bytes.h"
#include "base/text.h"
#include "server/routes.h"
#include "server/server.h"

/* Where to begin: behind the last event that was seen, else at from. */
static bool read_start(struct ves_request *request, uint64_t *out)
{
    struct ves_bytes last = request->last_event_id;
    uint64_t seen;
    if (last.len == 0) {
        if (!ves_request_u64(request, "from", 1, out))
            return false;
        *out = *out ? *out : 1;
        return true;
    }
    if (ves_decimal_parse(last, &seen) || seen > INT64_MAX) {
        ves_reply_error(request, 400, NULL,
                        "Last-Event-ID is not a sequence number; send the id "
                        "of the last event, or from");
        return false;
    }
    *out = seen + 1;
    return true;
}

static void follow(struct ves_request *request)
{
    struct ves_store *store = request->store;
    struct ves_follow what = {.next = 1};
    struct ves_stream_row row;
    if (!ves_request_stream(request, VES_RIGHT_READ, &what.stream) ||
        !read_start(request, &what.next))
        return;
    enum ves_status status =
        store->ops->stream_get(store, &what.stream, false, &row);
    if (status && status != VES_NOT_FOUND) {
        ves_reply_status(request, status, &store->error);
        return;
    }
    uint64_t head = status ? 0 : row.head;
    if (what.next - 1 > head) {
        ves_reply_error(request, 400, NULL,
                        "number %llu lies beyond the head, %llu: there is "
                        "nothing that it could follow",
                        (unsigned long long)what.next,
                        (unsigned long long)head);
        return;
    }
    what.is_heads_only = ves_request_wants(request, "heads");
    what.with_receipts = ves_request_wants(request, "receipts");
    if (ves_followers_open(request, &what))
        ves_reply(request, 200);
}

const struct ves_route ves_routes_follow[] = {
    {VES_METHOD_GET, "/api/v1/ves/events/stream", VES_ROUTE_READ,
     VES_ACCESS_READ, false, follow},
    {.pattern = NULL}};
