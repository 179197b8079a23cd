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

/* The number of the event that opened the epoch after ours; where the sequencer
 * names only the last one, that. */
static bool read_opening(const struct ves_json *root, uint64_t ours,
                         uint64_t *sequence)
{
    const struct ves_json *list = ves_json_member(root, "epochSequences");
    const struct ves_json *node = NULL;

    if (!ves_json_is_absent(list) && list->type == VES_JSON_ARRAY &&
        list->count > ours) {
        node = list->first;
        for (uint64_t i = 0; i < ours; i++)
            node = node->next;
    }
    return (node ? ves_json_as_u64(node, sequence)
                 : ves_json_get_u64(root, "epochSequence", sequence)) &&
           *sequence > 0;
}

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
        !read_opening(root, ours, sequence))
        status = VES_NOT_FOUND;
    ves_arena_free(&arena);
    return status;
}

static enum ves_status fetch_opening(struct ves_session *session,
                                     const char *query, uint64_t sequence,
                                     struct ves_page **page)
{
    struct ves_agent_core *core = &session->agent->core;
    struct ves_http_reply reply;
    bool needs_keys;
    char path[PATH_TEXT];

    snprintf(path, sizeof(path),
             "/api/v1/ves/events?%s&from=%" PRIu64 "&limit=1&receipts=1", query,
             sequence);
    enum ves_status status = ask(session, path, &reply);
    if (!status)
        status =
            ves_core_page_read(core, reply.body, sequence, page, &needs_keys);
    if (!status)
        ves_core_page_verify(core, *page);
    return status;
}

static enum ves_status look_at(struct ves_session *session, const char *query,
                               uint64_t sequence)
{
    struct ves_page *page;

    enum ves_status status = fetch_opening(session, query, sequence, &page);
    if (status)
        return status;
    status =
        ves_core_epoch_beyond(&session->agent->core, page, ves_clock_now_ms());
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

/* ---- going on with it all the same ----------------------------------------
 */

static enum ves_status not_beyond(struct ves_error *error)
{
    return ves_fail(error, VES_NOT_FOUND,
                    "this store holds nothing that an epoch of the log gave "
                    "up; nothing was changed. ves sync goes on with the log as "
                    "it is");
}

static void report_of(const struct ves_core_given_up *done,
                      struct ves_epoch_report *report)
{
    *report = (struct ves_epoch_report){
        .epoch = done->epoch,
        .common = done->common,
        .cursor = done->cursor,
        .others = done->others,
        .own = done->own,
        .again = done->again,
        .signed_again = done->signed_again,
        .is_rotated_again = done->is_rotated_again,
        .needs_key = done->needs_key,
    };
}

static enum ves_status follow(struct ves_session *session, bool dry_run,
                              struct ves_epoch_report *report,
                              struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_core_given_up done;
    struct ves_page *page;
    char query[QUERY_TEXT];
    uint64_t sequence;

    /* Its opening may be signed with a key that came later. */
    enum ves_status status = ves_session_sequencer_keys(session, error);
    if (status)
        return status;
    (void)!ves_http_client_header(session->client, VES_KNOWN_HEAD_HEADER, NULL);
    ves_session_stream_query(&agent->core.stream, query, sizeof(query));
    status = ask_opening(session, query, &sequence);
    if (!status)
        status = fetch_opening(session, query, sequence, &page);
    if (status)
        return status == VES_NOT_FOUND
                   ? not_beyond(error)
                   : ves_agent_fail(agent, status, error, "following an epoch");
    status = ves_core_epoch_follow(&agent->core, page, ves_clock_now_ms(),
                                   dry_run, &done);
    ves_page_free(page);
    if (status == VES_NOT_FOUND)
        return not_beyond(error);
    if (status)
        return ves_agent_fail(agent, status, error, "following an epoch");
    report_of(&done, report);
    return VES_OK;
}

enum ves_status ves_epoch_follow(struct ves_agent *agent,
                                 const struct ves_sync_options *options,
                                 struct ves_epoch_report *report,
                                 struct ves_error *error)
{
    struct ves_session session;

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    enum ves_status status =
        ves_agent_need_write(agent, "following an epoch", error);
    if (!status)
        status = ves_agent_need_key(agent, error);
    if (status)
        return status;
    status = ves_session_open(&session, agent, options, error);
    if (!status)
        status = follow(&session, options->dry_run, report, error);
    ves_session_close(&session);
    return status;
}
