/* epoch.c -- was a new epoch of the log opened behind this store's back? */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "os/clock.h"
#include "sync/session.h"
#include "json/json.h"

enum { SCRATCH_MAX = 1024 * 1024, QUERY_TEXT = 128, PATH_TEXT = 320 };

static enum ves_status ask(struct ves_session *session, const char *path,
                           struct ves_http_reply *reply)
{
    struct ves_error ignored;
    struct ves_bytes none = {NULL, 0};

    enum ves_status status =
        ves_http_request(session->client, "GET", path, none, reply, &ignored);
    return status ? status : reply->status == 200 ? VES_OK : VES_NOT_FOUND;
}

/* The number of the event that opened the epoch the log is in. */
static enum ves_status ask_opening(struct ves_session *session,
                                   const char *query, uint64_t *sequence)
{
    struct ves_http_reply reply;
    const struct ves_json *root;
    struct ves_arena arena;
    char path[PATH_TEXT];
    uint64_t ours, theirs;

    snprintf(path, sizeof(path), "/api/v1/ves/log?%s", query);
    enum ves_status status = ves_core_epoch(&session->agent->core, &ours);
    if (!status)
        status = ask(session, path, &reply);
    if (status)
        return status;
    ves_arena_init(&arena, session->agent->alloc, SCRATCH_MAX);
    if (ves_json_read(&arena, reply.body, NULL, &root, NULL) ||
        !ves_json_get_u64(root, "epoch", &theirs) || theirs <= ours ||
        !ves_json_get_u64(root, "epochSequence", sequence) || *sequence == 0)
        status = VES_NOT_FOUND;
    ves_arena_free(&arena);
    return status;
}

static enum ves_status look_at(struct ves_session *session, const char *query,
                               uint64_t sequence)
{
    struct ves_agent_core *core = &session->agent->core;
    struct ves_http_reply reply;
    struct ves_page *page;
    bool needs_keys;
    char path[PATH_TEXT];

    snprintf(path, sizeof(path),
             "/api/v1/ves/events?%s&from=%" PRIu64 "&limit=1&receipts=1", query,
             sequence);
    enum ves_status status = ask(session, path, &reply);
    if (!status)
        status =
            ves_core_page_read(core, reply.body, sequence, &page, &needs_keys);
    if (status)
        return status;
    ves_core_page_verify(core, page);
    status = ves_core_epoch_beyond(core, page, ves_clock_now_ms());
    ves_page_free(page);
    return status;
}

void ves_session_seek_epoch(struct ves_session *session,
                            struct ves_error *error)
{
    struct ves_agent_core *core = &session->agent->core;
    char query[QUERY_TEXT];
    uint64_t sequence;

    if (session->is_quiet ||
        ves_http_client_header(session->client, VES_KNOWN_HEAD_HEADER, NULL))
        return;
    ves_session_stream_query(&core->stream, query, sizeof(query));
    enum ves_status status = ask_opening(session, query, &sequence);
    if (!status)
        status = look_at(session, query, sequence);
    if (status == VES_DIVERGED && error)
        (void)ves_fail(error, error->status, "%s", core->error.text);
    (void)!ves_session_known_head(session, NULL);
}
