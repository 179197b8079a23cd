/* log.c -- the head of the log that this store knows goes with every request,
 * and what a sequencer that lacks it answers.
 */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/checkpoint.h"
#include "core/lines.h"
#include "core/note.h"
#include "os/clock.h"
#include "sync/session.h"
#include "json/json.h"

enum {
    SCRATCH_MAX = 1024 * 1024,
    KNOWN_HEAD_MAX = 3 * 1024, /* bytes; the server takes 4,096 characters */
    CONFLICT = 409
};

/* The checkpoint with the log's own lines; those of others may be many. */
static enum ves_status put_own_lines(struct ves_bytes bytes,
                                     struct ves_arena *arena,
                                     struct ves_buf *out)
{
    struct ves_note *note = ves_arena_alloc(arena, sizeof(*note));
    struct ves_checkpoint head;

    if (!note)
        return VES_NOMEM;
    if (ves_note_read(bytes, note, NULL) ||
        ves_checkpoint_read(note->text, &head, NULL))
        return VES_CORRUPT;
    ves_buf_put_bytes(out, note->text);
    ves_buf_put_u8(out, '\n');
    for (size_t i = 0; i < note->count; i++) {
        if (ves_bytes_equal(note->lines[i].name, head.origin))
            ves_buf_put_bytes(out, note->lines[i].text);
    }
    return ves_buf_status(out);
}

static enum ves_status put_known_head(struct ves_session *session,
                                      struct ves_arena *arena)
{
    const struct ves_alloc *alloc = session->agent->alloc;
    struct ves_bytes note;
    struct ves_buf own, text;

    enum ves_status status =
        ves_core_known_head(&session->agent->core, arena, &note);
    if (status || note.len == 0)
        return status;
    ves_buf_init(&own, alloc, KNOWN_HEAD_MAX);
    ves_buf_init(&text, alloc, 2 * KNOWN_HEAD_MAX);
    status = put_own_lines(note, arena, &own);
    if (!status) {
        ves_line_put_b64(&text, own.ptr, own.len);
        ves_buf_put_u8(&text, '\0');
        status = ves_buf_status(&text);
    }
    if (!status)
        status = ves_http_client_header(session->client, VES_KNOWN_HEAD_HEADER,
                                        (const char *)text.ptr);
    ves_buf_free(&own);
    ves_buf_free(&text);
    return status;
}

enum ves_status ves_session_known_head(struct ves_session *session,
                                       struct ves_error *error)
{
    struct ves_arena arena;

    ves_arena_init(&arena, session->agent->alloc, SCRATCH_MAX);
    enum ves_status status = put_known_head(session, &arena);
    ves_arena_free(&arena);
    return status ? ves_agent_fail(session->agent, status, error, "pull")
                  : VES_OK;
}

/* ---- a sequencer that lacks it ------------------------------------------- */

bool ves_session_is_refused_for(struct ves_session *session,
                                const struct ves_http_reply *reply,
                                const char *const *codes)
{
    struct ves_arena arena;
    const struct ves_json *root;
    struct ves_bytes code;
    bool is_one = false;

    if (reply->status != CONFLICT)
        return false;
    ves_arena_init(&arena, session->agent->alloc, SCRATCH_MAX);
    if (reply->body.len < SCRATCH_MAX / 16 &&
        ves_json_read(&arena, reply->body, NULL, &root, NULL) == VES_OK &&
        ves_json_get_string(ves_json_member(root, "error"), "code", &code)) {
        for (; *codes && !is_one; codes++)
            is_one = ves_bytes_is(code, *codes);
    }
    ves_arena_free(&arena);
    return is_one;
}

bool ves_session_is_behind(struct ves_session *session,
                           const struct ves_http_reply *reply)
{
    static const char *const codes[] = {"LOG_FROZEN", "LOG_UNKNOWN", NULL};

    return ves_session_is_refused_for(session, reply, codes);
}

bool ves_session_is_in_epoch(struct ves_session *session,
                             const struct ves_http_reply *reply)
{
    static const char *const codes[] = {"LOG_EPOCH", NULL};

    return ves_session_is_refused_for(session, reply, codes) &&
           ves_http_client_header(session->client, VES_KNOWN_HEAD_HEADER,
                                  NULL) == VES_OK;
}

enum ves_status ves_session_note_behind(struct ves_session *session,
                                        struct ves_error *error)
{
    struct ves_agent *agent = session->agent;

    if (!session->is_quiet) {
        enum ves_status status =
            ves_core_behind(&agent->core, ves_clock_now_ms());
        if (status)
            return ves_agent_fail(agent, status, error, "pull");
    }
    return ves_fail(error, VES_DIVERGED,
                    "the sequencer has not the log whose signed head this "
                    "store verified: its database may have been restored from "
                    "a backup. Nothing was changed here and pushing has "
                    "stopped. Keep this file, and tell the operator (ves admin "
                    "recover)");
}
