/* sources.c -- where a published log is read from, and a stream pulled whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/merkle.h"
#include "core/note.h"
#include "net/http_client.h"
#include "os/file.h"
#include "ves/sync.h"
#include "json/json.h"

enum { PATH_SIZE = 512, ANSWER_MAX = 64 * 1024 };

/* ---- a folder ------------------------------------------------------------ */

static enum ves_status get_file(void *ctx, const char *path,
                                struct ves_buf *out, struct ves_error *error)
{
    const struct ves_audit *audit = ctx;
    char full[VES_AUDIT_PATH_MAX];

    int n =
        snprintf(full, sizeof(full), "%s/%s", audit->options->tiles_dir, path);
    if (n < 0 || (size_t)n >= sizeof(full))
        return ves_fail(error, VES_INVALID, "the folder's path is too long");
    return ves_file_read(full, out, error);
}

enum ves_status ves_audit_folder(struct ves_audit *audit)
{
    const struct ves_audit_source source = {get_file, audit};
    struct ves_audit_stream *stream =
        ves_arena_alloc(&audit->arena, sizeof(*stream));
    struct ves_verify_head head;

    if (!stream)
        return VES_NOMEM;
    audit->streams = stream;
    audit->label = audit->options->tiles_dir;
    audit->kind = "tiles";
    enum ves_status status = audit->options->agent_count > 0
                                 ? ves_audit_checker_start(audit)
                                 : VES_OK;
    if (!status)
        status = ves_audit_published(audit, &source, stream, &head);
    if (!audit->checker) {
        ves_audit_unknown(audit, VES_AUDIT_SIGNATURES,
                          "entries do not name their agents: give their keys "
                          "(--agent-key), or audit a store");
        return status;
    }
    enum ves_status flushed = ves_audit_checker_flush(audit);
    return status ? status : flushed;
}

/* ---- a sequencer --------------------------------------------------------- */

struct remote {
    struct ves_http_client *client;
    char prefix[PATH_SIZE]; /* "/ves/HEX/" */
};

static enum ves_status get_http(void *ctx, const char *path,
                                struct ves_buf *out, struct ves_error *error)
{
    struct remote *remote = ctx;
    static const struct ves_bytes none = {NULL, 0};
    struct ves_http_reply reply;
    char full[2 * PATH_SIZE];

    snprintf(full, sizeof(full), "%s%s", remote->prefix, path);
    enum ves_status status =
        ves_http_request(remote->client, "GET", full, none, &reply, error);
    if (status)
        return status;
    if (reply.status == 404)
        return ves_fail(error, VES_NOT_FOUND, "the sequencer has no %s", full);
    if (reply.status == 401 || reply.status == 403)
        return ves_fail(error, VES_AUTH,
                        "the sequencer does not let this credential read the "
                        "log");
    if (reply.status != 200)
        return ves_fail(error, VES_UNREACHABLE,
                        "the sequencer answered HTTP %u for %s", reply.status,
                        full);
    ves_buf_put_bytes(out, reply.body);
    return ves_buf_status(out);
}

/* Tells a wish to stop from a sequencer that says nothing usable. */
static bool show_progress(void *ctx, const char *what, uint64_t done,
                          uint64_t total)
{
    struct ves_audit *audit = ctx;
    const struct ves_audit_options *options = audit->options;

    if (options->progress &&
        !options->progress(options->progress_ctx, what, done, total))
        audit->is_stopped = true;
    return !audit->is_stopped;
}

/* A follower that begins with nothing, in the audit's folder. */
static enum ves_status pull_all(struct ves_audit *audit, const char *credential,
                                uint64_t at_least)
{
    const struct ves_audit_options *options = audit->options;
    const struct ves_agent_options store = {.path = audit->pulled};
    /* Key events can be followed by who knows both of whom they are. */
    const struct ves_agent_identity identity = {
        .stream = *options->stream,
        .sequencer_id = audit->sequencer,
        .sequencer_key = options->sequencer_key,
        .owner_key = options->owner_key,
        .url = options->url,
        .credential = credential};
    const struct ves_sync_options sync = {.progress = show_progress,
                                          .progress_ctx = audit};
    struct ves_error why = {.status = VES_OK};
    struct ves_pull_report report;
    struct ves_agent *agent;

    enum ves_status status =
        ves_agent_create(&store, &identity, &agent, audit->error);
    if (status)
        return status;
    /* Nobody knows its key, so its word on the log would only be noise. */
    status = ves_agent_set(agent, "cosign", "false", &why);
    if (status) {
        ves_agent_close(agent);
        return ves_fail(audit->error, status, "%s", why.text);
    }
    do
        status = ves_pull(agent, &sync, 0, &report, &why);
    while (!status && report.has_more && report.received > 0);
    ves_agent_close(agent);
    if (status == VES_REFUSED || status == VES_DIVERGED ||
        status == VES_MALFORMED ||
        (status == VES_AGAIN && !audit->is_stopped)) {
        ves_audit_find(audit, VES_AUDIT_EVENTS, report.cursor + 1,
                       "what the sequencer sends does not verify: %.150s",
                       why.text);
        return VES_OK;
    }
    if (status)
        return ves_fail(audit->error, status, "%s", why.text);
    if (report.cursor < at_least)
        ves_audit_find(audit, VES_AUDIT_ORDER, report.cursor + 1,
                       "the sequencer signed %llu entries and gives only %llu "
                       "events",
                       (unsigned long long)at_least,
                       (unsigned long long)report.cursor);
    return VES_OK;
}

static enum ves_status read_published(struct ves_audit *audit,
                                      struct remote *remote,
                                      struct ves_verify_head *head)
{
    const struct ves_audit_source source = {get_http, remote};
    struct ves_audit_stream *stream =
        ves_arena_alloc(&audit->arena, sizeof(*stream));
    struct ves_hash stream_id;
    char hex[2 * VES_HASH_SIZE];

    if (!stream)
        return VES_NOMEM;
    ves_stream_id(audit->options->stream, &stream_id);
    ves_hex_encode(stream_id.b, VES_HASH_SIZE, hex);
    snprintf(remote->prefix, sizeof(remote->prefix), "/ves/%.*s/",
             (int)sizeof(hex), hex);
    return ves_audit_published(audit, &source, stream, head);
}

/* The newest head that somebody vouches for; none is no fault. */
static enum ves_status read_witnessed(struct ves_audit *audit,
                                      struct remote *remote)
{
    struct ves_buf text;

    ves_buf_init(&text, audit->alloc, VES_NOTE_MAX);
    enum ves_status status = get_http(remote, "witnessed", &text, audit->error);
    if (!status)
        status = ves_arena_copy(&audit->arena, ves_buf_view(&text),
                                &audit->witnessed);
    ves_buf_free(&text);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

/* Under which id the sequencer's own events stand in the log.  Its word is
 * enough: with another id they would not verify. */
static enum ves_status ask_id(struct ves_audit *audit,
                              struct ves_http_client *client)
{
    static const struct ves_bytes none = {NULL, 0};
    const struct ves_json *root;
    struct ves_http_reply reply;
    struct ves_arena arena;
    struct ves_bytes text;

    enum ves_status status =
        ves_http_request(client, "GET", "/api/v1/ves/sequencer-keys", none,
                         &reply, audit->error);
    if (status)
        return status;
    ves_arena_init(&arena, audit->alloc, ANSWER_MAX);
    if (reply.status != 200 ||
        ves_json_read(&arena, reply.body, NULL, &root, NULL) ||
        !ves_json_get_string(root, "sequencerId", &text) ||
        ves_uuid_parse(text, &audit->sequencer))
        status = ves_fail(audit->error, VES_UNSUPPORTED,
                          "the sequencer does not say its id, so its log's "
                          "events about keys cannot be followed; leave out "
                          "--owner-key");
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_audit_remote(struct ves_audit *audit)
{
    const struct ves_audit_options *options = audit->options;
    struct ves_http_options http = {.url = options->url,
                                    .credential = options->credential,
                                    .tls_ca = options->tls_ca};
    struct remote remote = {.client = NULL};

    audit->label = options->url;
    audit->kind = "sequencer";
    enum ves_status status =
        ves_http_client_open(&http, audit->alloc, &remote.client, audit->error);
    if (status)
        return status;
    status = read_published(audit, &remote, &audit->published);
    if (!status)
        status = read_witnessed(audit, &remote);
    if (!status && options->owner_key)
        status = ask_id(audit, remote.client);
    ves_http_client_close(remote.client);
    if (!status) {
        audit->has_published = true;
        status = pull_all(audit, options->credential, audit->published.size);
    }
    return status;
}
