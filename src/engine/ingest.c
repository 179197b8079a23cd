/* ingest.c -- cutting a request into events (protocol.md B.3).
 *
 * Only brackets and string ends are looked at here, so that whatever is wrong
 * inside one event is that event's affair alone.
 */
#include "engine/ingest.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "json/json.h"

/* ---- cutting ------------------------------------------------------------- */

struct cut {
    struct ves_bytes in;
    size_t at;
    const char *reason; /* why it stopped */
};

static enum ves_status cut_fail(struct cut *cut, const char *reason)
{
    cut->reason = reason;
    return VES_MALFORMED;
}

static void skip_blanks(struct cut *cut)
{
    while (cut->at < cut->in.len) {
        uint8_t c = cut->in.ptr[cut->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        cut->at++;
    }
}

static bool take(struct cut *cut, char c)
{
    skip_blanks(cut);
    if (cut->at >= cut->in.len || cut->in.ptr[cut->at] != (uint8_t)c)
        return false;
    cut->at++;
    return true;
}

static enum ves_status cut_value(struct cut *cut, struct ves_bytes *value)
{
    struct ves_json_where where = {0, ""};

    skip_blanks(cut);
    size_t start = cut->at;
    if (ves_json_skip(cut->in, &cut->at, &where)) {
        cut->at = where.offset;
        return cut_fail(cut, where.reason);
    }
    *value = ves_bytes(cut->in.ptr + start, cut->at - start);
    return VES_OK;
}

/* Is there one more item before the closing bracket?  Takes what stands
 * between. */
static enum ves_status cut_more(struct cut *cut, char close, bool is_first,
                                bool *more)
{
    *more = !take(cut, close);
    if (*more && !is_first && !take(cut, ','))
        return cut_fail(cut, "a comma or a closing bracket was expected");
    return VES_OK;
}

/* A member's name as written, without quotes; *offset is then at its value. */
static enum ves_status cut_name(struct cut *cut, struct ves_bytes *name)
{
    skip_blanks(cut);
    if (cut->at >= cut->in.len || cut->in.ptr[cut->at] != '"')
        return cut_fail(cut, "a member's name was expected");
    enum ves_status status = cut_value(cut, name);
    if (status)
        return status;
    *name = ves_bytes(name->ptr + 1, name->len - 2);
    if (!take(cut, ':'))
        return cut_fail(cut, "a colon was expected");
    return VES_OK;
}

static bool read_uuid(struct ves_bytes value, struct ves_uuid *out)
{
    return value.len == VES_UUID_TEXT + 2 && value.ptr[0] == '"' &&
           ves_uuid_parse(ves_bytes(value.ptr + 1, VES_UUID_TEXT), out) ==
               VES_OK;
}

/* ---- the ids of one event ------------------------------------------------ */

enum { ID_EVENT, ID_TENANT, ID_STORE, ID_AGENT, ID_COUNT };

static const char *const id_names[ID_COUNT] = {"event_id", "tenant_id",
                                               "store_id", "source_agent_id"};

struct ids {
    bool is_found[ID_COUNT];
    struct ves_uuid id[ID_COUNT];
};

/* What can be read of an event's ids without reading the event; a member that
 * is there twice is not found. */
static void peek_ids(struct ves_bytes element, struct ids *ids)
{
    struct cut cut = {.in = element};
    struct ves_bytes name, value;
    size_t times[ID_COUNT] = {0};
    bool more;

    *ids = (struct ids){{false}, {{{0}}}};
    if (!take(&cut, '{'))
        return;
    for (bool first = true;; first = false) {
        if (cut_more(&cut, '}', first, &more) || !more ||
            cut_name(&cut, &name) || cut_value(&cut, &value))
            break;
        for (size_t i = 0; i < ID_COUNT; i++) {
            if (ves_bytes_is(name, id_names[i]))
                ids->is_found[i] =
                    ++times[i] == 1 && read_uuid(value, &ids->id[i]);
        }
    }
}

bool ves_ingest_peek_event_id(struct ves_bytes element, struct ves_uuid *out)
{
    struct ids ids;

    peek_ids(element, &ids);
    *out = ids.id[ID_EVENT];
    return ids.is_found[ID_EVENT];
}

/* ---- the request --------------------------------------------------------- */

struct request {
    struct ves_ingest *ingest;
    const struct ves_caller *caller;
    bool has_agent, has_events;
    struct ves_bytes *elements; /* VES_EVENTS_PER_REQUEST_MAX of them */
};

static enum ves_status cut_events(struct request *request, struct cut *cut)
{
    struct ves_ingest *ingest = request->ingest;
    bool more;

    if (request->has_events)
        return cut_fail(cut, "the member events is there twice");
    request->has_events = true;
    if (!take(cut, '['))
        return cut_fail(cut, "events must be an array");
    for (bool first = true;; first = false) {
        enum ves_status status = cut_more(cut, ']', first, &more);
        if (status || !more)
            return status;
        if (ingest->count == VES_EVENTS_PER_REQUEST_MAX)
            return ves_fail(&ingest->error, VES_LIMIT,
                            "the request has more than %d events; nothing was "
                            "stored: send them in several requests",
                            (int)VES_EVENTS_PER_REQUEST_MAX);
        status = cut_value(cut, &request->elements[ingest->count]);
        if (status)
            return status;
        ingest->count++;
    }
}

static enum ves_status cut_member(struct request *request, struct cut *cut)
{
    struct ves_bytes name, value;

    enum ves_status status = cut_name(cut, &name);
    if (status)
        return status;
    if (ves_bytes_is(name, "events"))
        return cut_events(request, cut);
    size_t at = cut->at;
    status = cut_value(cut, &value);
    if (status)
        return status;
    if (ves_bytes_is(name, "agentId") || ves_bytes_is(name, "agent_id")) {
        bool is_again = request->has_agent;
        request->has_agent = true;
        if (is_again || !read_uuid(value, &request->ingest->agent)) {
            cut->at = at;
            return cut_fail(cut, is_again ? "agentId is there twice"
                                          : "agentId must be a UUID");
        }
    }
    return VES_OK;
}

static enum ves_status cut_members(struct request *request, struct cut *cut)
{
    bool more;

    if (!take(cut, '{'))
        return cut_fail(cut, "the request must be a JSON object");
    for (bool first = true;; first = false) {
        enum ves_status status = cut_more(cut, '}', first, &more);
        if (status)
            return status;
        if (!more)
            break;
        status = cut_member(request, cut);
        if (status)
            return status;
    }
    skip_blanks(cut);
    if (cut->at != cut->in.len)
        return cut_fail(cut, "something follows the request");
    return VES_OK;
}

static enum ves_status cut_request(struct request *request)
{
    struct ves_ingest *ingest = request->ingest;
    struct cut cut = {.in = ingest->body, .reason = ""};

    if (ingest->body.len > VES_BODY_MAX)
        return ves_fail(&ingest->error, VES_LIMIT,
                        "the body has %zu bytes; at most %d are allowed; "
                        "nothing was stored: send fewer events at a time",
                        ingest->body.len, (int)VES_BODY_MAX);
    request->elements =
        ves_arena_alloc(&ingest->arena, VES_EVENTS_PER_REQUEST_MAX *
                                            sizeof(*request->elements));
    if (!request->elements)
        return VES_NOMEM;
    enum ves_status status = cut_members(request, &cut);
    if (status == VES_MALFORMED)
        return ves_fail(&ingest->error, VES_MALFORMED,
                        "the request cannot be cut into events: %s, at byte "
                        "%zu; nothing was stored",
                        cut.reason, cut.at);
    return status;
}

/* ---- checks of the whole request ----------------------------------------- */

/* One stream and one agent among the events that say so legibly. */
static enum ves_status find_stream(struct request *request)
{
    struct ves_ingest *ingest = request->ingest;
    const struct ves_caller *caller = request->caller;
    bool has_stream = false;

    for (size_t i = 0; i < ingest->count; i++) {
        struct ids ids;
        peek_ids(request->elements[i], &ids);
        struct ves_stream stream = {ids.id[ID_TENANT], ids.id[ID_STORE]};
        if (ids.is_found[ID_TENANT] && ids.is_found[ID_STORE]) {
            if (has_stream && !ves_stream_equal(&stream, &ingest->stream))
                return ves_fail(&ingest->error, VES_INVALID,
                                "event %zu is of another tenant or store than "
                                "those before it; a request is for one stream; "
                                "nothing was stored",
                                i);
            has_stream = true;
            ingest->stream = stream;
        }
        if (ids.is_found[ID_AGENT] &&
            !ves_uuid_equal(&ids.id[ID_AGENT], &ingest->agent))
            return ves_fail(&ingest->error, VES_INVALID,
                            "source_agent_id of event %zu is not the "
                            "request's agentId; nothing was stored",
                            i);
    }
    if (has_stream)
        return VES_OK;
    if (!caller->has_store)
        return ves_fail(&ingest->error, VES_INVALID,
                        "no event names its tenant_id and store_id legibly; "
                        "nothing was stored");
    ingest->stream = (struct ves_stream){caller->tenant, caller->store};
    return VES_OK;
}

static enum ves_status check_right(struct request *request)
{
    struct ves_ingest *ingest = request->ingest;
    const struct ves_caller *caller = request->caller;

    if (!(caller->rights & (VES_RIGHT_WRITE | VES_RIGHT_ADMIN)))
        return ves_fail(&ingest->error, VES_FORBIDDEN,
                        "these credentials may not write; nothing was stored");
    bool is_everywhere =
        ves_uuid_is_nil(&caller->tenant) && (caller->rights & VES_RIGHT_ADMIN);
    if (!is_everywhere &&
        !ves_uuid_equal(&caller->tenant, &ingest->stream.tenant))
        return ves_fail(&ingest->error, VES_FORBIDDEN,
                        "these credentials are for another tenant; nothing "
                        "was stored");
    if (caller->has_store &&
        !ves_uuid_equal(&caller->store, &ingest->stream.store))
        return ves_fail(&ingest->error, VES_FORBIDDEN,
                        "these credentials are for another store; nothing was "
                        "stored");
    return VES_OK;
}

/* In the order of B.3. */
static enum ves_status check_request(struct request *request)
{
    struct ves_ingest *ingest = request->ingest;

    if (ingest->count == 0)
        return ves_fail(&ingest->error, VES_INVALID,
                        "the request has no events");
    if (!request->has_agent)
        return ves_fail(&ingest->error, VES_INVALID,
                        "agentId is missing; nothing was stored");
    if (request->caller->has_agent &&
        !ves_uuid_equal(&request->caller->agent, &ingest->agent))
        return ves_fail(&ingest->error, VES_FORBIDDEN,
                        "Agent mismatch: these credentials are for another "
                        "agent than agentId; nothing was stored");
    enum ves_status status = find_stream(request);
    if (status)
        return status;
    return check_right(request);
}

static enum ves_status make_events(struct request *request)
{
    struct ves_ingest *ingest = request->ingest;

    ingest->events = ves_arena_alloc(&ingest->arena,
                                     ingest->count * sizeof(*ingest->events));
    if (!ingest->events)
        return VES_NOMEM;
    for (size_t i = 0; i < ingest->count; i++)
        ingest->events[i].element = request->elements[i];
    return VES_OK;
}

static uint32_t http_status_of(enum ves_status status)
{
    switch ((int)status) {
    case VES_OK:
        return 200;
    case VES_LIMIT:
        return 413;
    case VES_FORBIDDEN:
        return 403;
    default:
        return 400;
    }
}

enum ves_status ves_ingest_read(struct ves_ingest *ingest,
                                const struct ves_alloc *alloc,
                                struct ves_bytes body,
                                const struct ves_caller *caller)
{
    struct request request = {.ingest = ingest, .caller = caller};

    *ingest = (struct ves_ingest){.body = body};
    /* Envelopes are about as long as the body; numbers such as 1e20 grow when
     * written out, at most fivefold; and chunks have tails. */
    size_t size = body.len < VES_BODY_MAX ? body.len : VES_BODY_MAX;
    ves_arena_init(&ingest->arena, alloc,
                   10 * size + VES_EVENTS_PER_REQUEST_MAX *
                                   (sizeof(*ingest->events) + 4096));
    enum ves_status status = cut_request(&request);
    if (!status)
        status = check_request(&request);
    if (!status)
        status = make_events(&request);
    if (status == VES_NOMEM) {
        ves_ingest_free(ingest);
        return VES_NOMEM;
    }
    if (status)
        ingest->count = 0;
    ingest->http_status = http_status_of(status);
    return VES_OK;
}

void ves_ingest_free(struct ves_ingest *ingest)
{
    if (ingest->arena.alloc)
        ves_arena_free(&ingest->arena);
    ingest->events = NULL;
    ingest->count = 0;
}
