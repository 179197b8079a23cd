/* fetch.c -- some events of the stream, proven, without holding all of it.
 *
 * Filtered pages are put together to a bundle (core/part.h), which is verified
 * with the keys this store has pinned before anything of it is shown or
 * written.  Log, cursor, entities and outbox are not touched: a store with
 * holes could not judge (ADR 0028).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "core/part.h"
#include "os/clock.h"
#include "os/file.h"
#include "sync/pinned.h"
#include "sync/session.h"

enum {
    PAGE_EVENTS = 1000,
    ARENA_MAX = 64 * 1024 * 1024,
    POLICY_MAX = 64 * 1024,
    PATH_ROOM = 4096 /* type and id, each byte as %xx, fit */
};

struct fetch {
    struct ves_session session;
    struct ves_agent *agent;
    const struct ves_fetch_options *options;
    struct ves_fetch_report *report;
    struct ves_error *error;
    struct ves_arena arena;
    struct ves_part part;
    struct ves_bytes keys; /* the sequencer's directory */
    struct ves_buf policy; /* what this store has pinned */
    struct ves_buf bundle;
};

/* ---- asking -------------------------------------------------------------- */

static void put_encoded(struct ves_buf *path, const char *name,
                        struct ves_bytes text)
{
    if (text.len == 0)
        return;
    ves_buf_putf(path, "&%s=", name);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                        (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (is_plain)
            ves_buf_put_u8(path, c);
        else
            ves_buf_putf(path, "%%%02X", c);
    }
}

static enum ves_status request_page(struct fetch *fetch,
                                    struct ves_http_reply *reply)
{
    const struct ves_bytes none = {NULL, 0};
    const struct ves_part *part = &fetch->part;
    char query[128];
    struct ves_buf path;

    ves_session_stream_query(&part->stream, query, sizeof(query));
    ves_buf_init(&path, fetch->agent->alloc, PATH_ROOM);
    ves_buf_putf(&path,
                 "/api/v1/ves/events?%s&from=%" PRIu64 "&limit=%d&receipts=1",
                 query, part->edge.size + VES_TLOG_FIRST, (int)PAGE_EVENTS);
    put_encoded(&path, "entity_type", part->entity_type);
    put_encoded(&path, "entity_id", part->entity_id);
    ves_buf_put_u8(&path, 0);
    enum ves_status status = ves_buf_status(&path);
    if (!status)
        status =
            ves_session_request(&fetch->session, "GET", (const char *)path.ptr,
                                none, reply, fetch->error);
    ves_buf_free(&path);
    return status;
}

/* What the sequencer showed and what is wrong with it is kept as an alert:
 * whoever looks into it needs the bytes. */
static enum ves_status refuse(struct fetch *fetch, struct ves_bytes shown)
{
    struct ves_agent_core *core = &fetch->agent->core;

    if (ves_core_part_refused(core, fetch->error->text, shown,
                              ves_clock_now_ms()))
        return ves_fail(fetch->error, VES_REFUSED,
                        "%.300s (and the evidence could not be kept)",
                        fetch->error->text);
    return VES_REFUSED;
}

/* The next page.  A key that this store does not know is asked for once. */
static enum ves_status take_page(struct fetch *fetch, bool *more)
{
    struct ves_http_reply reply;
    enum ves_status status = VES_NOT_FOUND;

    for (int round = 0; round < 2 && status == VES_NOT_FOUND; round++) {
        if (round > 0)
            status = ves_session_sequencer_keys(&fetch->session, fetch->error);
        if (round > 0 && status)
            return status;
        fetch->part.key_count = fetch->agent->core.sequencer_key_count;
        status = request_page(fetch, &reply);
        if (status)
            return status;
        fetch->report->received += reply.body.len;
        status = ves_part_take(&fetch->part, reply.body, more, fetch->error);
    }
    if (status == VES_NOT_FOUND)
        status =
            ves_fail(fetch->error, VES_REFUSED, "%.400s", fetch->error->text);
    fetch->report->pages++;
    return status == VES_REFUSED ? refuse(fetch, reply.body) : status;
}

static enum ves_status take_pages(struct fetch *fetch)
{
    enum ves_status status = VES_OK;

    for (bool more = true; more && !status;) {
        status = take_page(fetch, &more);
        if (!status && more &&
            !ves_session_progress(&fetch->session, "fetch",
                                  fetch->part.edge.size, fetch->part.head_size))
            status = ves_fail(fetch->error, VES_AGAIN,
                              "stopped; nothing was written");
    }
    return status;
}

/* The head this store has verified before is a beginning of the log that was
 * shown. */
static enum ves_status check_known(struct fetch *fetch)
{
    struct ves_agent *agent = fetch->agent;
    const struct ves_bytes none = {NULL, 0};
    struct ves_http_reply reply = {.status = 0};
    struct ves_checkpoint known;
    struct ves_note note;
    struct ves_hash stream_id;
    struct ves_bytes text;
    char hex[2 * VES_HASH_SIZE], path[256];

    enum ves_status status =
        ves_core_known_head(&agent->core, &fetch->arena, &text);
    if (status)
        return ves_agent_fail(agent, status, fetch->error, "fetch");
    if (text.len == 0)
        return VES_OK;
    if (ves_note_read(text, &note, fetch->error) ||
        ves_checkpoint_read(note.text, &known, fetch->error))
        return VES_CORRUPT;
    ves_stream_id(&fetch->part.stream, &stream_id);
    ves_hex_encode(stream_id.b, VES_HASH_SIZE, hex);
    snprintf(path, sizeof(path),
             "/ves/%.*s/consistency?from=%" PRIu64 "&to=%" PRIu64,
             (int)sizeof(hex), hex, known.size, fetch->part.head_size);
    if (known.size <= fetch->part.head_size)
        status = ves_session_request(&fetch->session, "GET", path, none, &reply,
                                     fetch->error);
    if (!status)
        status =
            ves_part_extends(&fetch->part, &known, reply.body, fetch->error);
    return status == VES_REFUSED
               ? refuse(fetch, ves_buf_view(&fetch->part.note))
               : status;
}

static enum ves_status get_keys(struct fetch *fetch)
{
    const struct ves_bytes none = {NULL, 0};
    struct ves_http_reply reply;
    char query[128], path[256];

    ves_session_stream_query(&fetch->part.stream, query, sizeof(query));
    snprintf(path, sizeof(path), "/api/v1/ves/keys?%s", query);
    enum ves_status status = ves_session_request(&fetch->session, "GET", path,
                                                 none, &reply, fetch->error);
    return status ? status
                  : ves_arena_copy(&fetch->arena, reply.body, &fetch->keys);
}

/* ---- what came of it ----------------------------------------------------- */

static struct ves_bytes origin_of(const struct fetch *fetch)
{
    struct ves_bytes note = ves_buf_view(&fetch->part.note);
    const uint8_t *end = memchr(note.ptr, '\n', note.len);

    return ves_bytes(note.ptr, (size_t)(end - note.ptr));
}

static enum ves_status make_bundle(struct fetch *fetch)
{
    const char *name = fetch->options->policy_name;

    enum ves_status status = get_keys(fetch);
    if (!status)
        status = ves_pinned_policy(fetch->agent->core.sequencer_keys,
                                   fetch->agent->core.sequencer_key_count,
                                   origin_of(fetch), &fetch->policy);
    if (!status)
        status = ves_part_bundle(&fetch->part, ves_bytes_str(name ? name : ""),
                                 fetch->keys, &fetch->bundle);
    if (status == VES_MALFORMED)
        return ves_fail(fetch->error, VES_REFUSED,
                        "the sequencer's key directory is not on one line; "
                        "nothing was written");
    if (status)
        return status;
    status = ves_pinned_verify(fetch->agent, ves_buf_view(&fetch->policy),
                               ves_buf_view(&fetch->bundle), &fetch->arena,
                               fetch->error);
    return status == VES_REFUSED ? refuse(fetch, ves_buf_view(&fetch->bundle))
                                 : status;
}

static enum ves_status show(struct fetch *fetch)
{
    struct ves_bytes lines = ves_buf_view(&fetch->part.lines);
    struct ves_bundle_event item;

    while (fetch->options->visit && ves_bundle_next_event(&lines, &item)) {
        const struct ves_fetch_event event = {item.sequence_number,
                                              item.envelope};
        if (!fetch->options->visit(fetch->options->visit_ctx, &event))
            return ves_fail(fetch->error, VES_AGAIN, "stopped");
    }
    return VES_OK;
}

static void fill_report(struct fetch *fetch)
{
    struct ves_fetch_report *report = fetch->report;
    struct ves_bytes origin = origin_of(fetch);

    report->events = fetch->part.count;
    report->receipts = fetch->part.receipts;
    report->tree_size = fetch->part.head_size;
    report->bytes = fetch->options->path ? fetch->bundle.len : 0;
    snprintf(report->origin, sizeof(report->origin), "%.*s", (int)origin.len,
             (const char *)origin.ptr);
    ves_pinned_log_key(fetch->agent, origin, report->log_key,
                       sizeof(report->log_key));
}

static enum ves_status fetch_all(struct fetch *fetch)
{
    const char *path = fetch->options->path;
    enum ves_status status = take_pages(fetch);

    if (!status)
        status = check_known(fetch);
    if (!status && fetch->part.count > 0)
        status = make_bundle(fetch);
    if (!status && path && fetch->part.count == 0)
        status = ves_fail(fetch->error, VES_NOT_FOUND,
                          "the sequencer shows no such event in %" PRIu64
                          " entries; nothing was written",
                          fetch->part.head_size);
    if (!status && path)
        status = ves_file_write(path, ves_buf_view(&fetch->bundle),
                                VES_FILE_NEW, fetch->error);
    if (!status)
        fill_report(fetch);
    return status ? status : show(fetch);
}

static enum ves_status check_options(const struct ves_fetch_options *options,
                                     struct ves_error *error)
{
    const char *type = options->entity_type, *id = options->entity_id;

    if ((type && (!*type || strlen(type) > VES_ENTITY_TYPE_MAX)) ||
        (id && (!*id || strlen(id) > VES_ENTITY_ID_MAX)))
        return ves_fail(error, VES_INVALID,
                        "a type has 1 to %d bytes, an id 1 to %d",
                        (int)VES_ENTITY_TYPE_MAX, (int)VES_ENTITY_ID_MAX);
    if (!type && !id)
        return ves_fail(error, VES_INVALID,
                        "a type or an id is needed; everything is what pull "
                        "is for");
    return VES_OK;
}

enum ves_status ves_fetch(struct ves_agent *agent,
                          const struct ves_fetch_options *options,
                          struct ves_fetch_report *report,
                          struct ves_error *error)
{
    const struct ves_sync_options sync = {.timeout_ms = options->timeout_ms,
                                          .progress = options->progress,
                                          .progress_ctx =
                                              options->progress_ctx};
    struct ves_error own = {.status = VES_OK};
    struct ves_agent_core *core = &agent->core;

    memset(report, 0, sizeof(*report));
    if (!error)
        error = &own;
    enum ves_status status = check_options(options, error);
    if (!status)
        status = ves_pinned_check_name(options->policy_name, error);
    if (status)
        return status;
    struct fetch *fetch =
        agent->alloc->realloc(agent->alloc->ctx, NULL, sizeof(*fetch));
    if (!fetch)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(fetch, 0, sizeof(*fetch));
    fetch->agent = agent;
    fetch->options = options;
    fetch->report = report;
    fetch->error = error;
    ves_arena_init(&fetch->arena, agent->alloc, ARENA_MAX);
    ves_buf_init(&fetch->policy, agent->alloc, POLICY_MAX);
    ves_buf_init(&fetch->bundle, agent->alloc, VES_BUNDLE_MAX);
    ves_part_init(
        &fetch->part, agent->alloc, &core->stream,
        ves_bytes_str(options->entity_type ? options->entity_type : ""),
        ves_bytes_str(options->entity_id ? options->entity_id : ""),
        core->sequencer_keys, core->sequencer_key_count);
    ves_agent_start(agent);
    status = ves_session_open(&fetch->session, agent, &sync, error);
    if (!status) {
        status = fetch_all(fetch);
        ves_session_close(&fetch->session);
    }
    if (status == VES_NOMEM)
        ves_fail(error, status, "out of memory; nothing was written");
    else if (status == VES_LIMIT && error->status != VES_LIMIT)
        ves_fail(error, status, "the bundle would be larger than %d bytes",
                 (int)VES_BUNDLE_MAX);
    ves_part_free(&fetch->part);
    ves_buf_free(&fetch->bundle);
    ves_buf_free(&fetch->policy);
    ves_arena_free(&fetch->arena);
    agent->alloc->realloc(agent->alloc->ctx, fetch, 0);
    return status;
}
