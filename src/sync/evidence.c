/* evidence.c -- asking the sequencer's log for what shows that it lies.
 *
 * A sequencer that lies need not answer; then there is an alert and no file.
 * What it answers is checked by the engine before anything is called evidence.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/evidence.h"
#include "core/merkle.h"
#include "core/tlog_tile.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "sync/session.h"
#include "json/json.h"

enum {
    PATH_TEXT = 256,
    STREAM_HEX = 2 * VES_HASH_SIZE,
    HEAD_ARENA_MAX = 64 * 1024,
    RIVALS_MAX = 50, /* events asked for on either side of where a log ends */
    WHY_MIN = 80     /* of an error's words, before those about the file */
};

struct asking {
    struct ves_session *session;
    char prefix[PATH_TEXT];  /* "/ves/HEX/" */
    bool is_of_log;          /* what was found before is about the same */
    bool is_disputed;        /* a page that its log contradicts */
    struct ves_bytes theirs; /* a head of theirs that ours is held against */
    struct ves_buf evidence;
};

static enum ves_status ask_path(struct asking *asking, const char *path,
                                struct ves_http_reply *reply)
{
    struct ves_error ignored;
    struct ves_bytes none = {NULL, 0};

    enum ves_status status = ves_http_request(asking->session->client, "GET",
                                              path, none, reply, &ignored);
    if (status || reply->status == 200)
        return status;
    /* Who is busy has not declined to answer. */
    return reply->status == 429 || reply->status >= 500 ? VES_BUSY
                                                        : VES_NOT_FOUND;
}

static enum ves_status ask(struct asking *asking, const char *rest,
                           struct ves_http_reply *reply)
{
    char path[2 * PATH_TEXT];

    snprintf(path, sizeof(path), "%s%s", asking->prefix, rest);
    return ask_path(asking, path, reply);
}

static enum ves_status ask_inclusion(struct asking *asking, uint64_t sequence,
                                     uint64_t size,
                                     struct ves_http_reply *reply)
{
    char rest[PATH_TEXT];

    snprintf(rest, sizeof(rest), "inclusion/%" PRIu64 "?size=%" PRIu64,
             sequence, size);
    return ask(asking, rest, reply);
}

/* Two heads, ours and theirs.  VES_OK: they are of two histories;
 * VES_NOT_FOUND: of one, or nobody can tell now; VES_REFUSED: it did not show
 * either, and could. */
static enum ves_status seek_fork(struct asking *asking, struct ves_bytes theirs)
{
    struct ves_agent_core *core = &asking->session->agent->core;
    struct ves_http_reply reply;
    uint64_t size, common;

    enum ves_status status = ves_core_dispute(core, theirs, &size, &common);
    if (status)
        return VES_NOT_FOUND;
    status = ask_inclusion(asking, common, size, &reply);
    /* Another implementation need not have such an answer. */
    if (status == VES_NOT_FOUND && !ves_uuid_is_nil(&core->sequencer_id))
        return VES_REFUSED;
    return status
               ? VES_NOT_FOUND
               : ves_core_fork_evidence(core, theirs, reply.body,
                                        ves_clock_now_ms(), &asking->evidence);
}

/* An event of the page, with a receipt, that is not the log's: among the
 * entries of one bundle. */
static enum ves_status seek_receipt_in(struct asking *asking,
                                       const struct ves_page *page,
                                       uint64_t index, uint64_t size)
{
    struct ves_agent_core *core = &asking->session->agent->core;
    uint64_t first = index * VES_TILE_WIDTH, left = size - first, sequence;
    const struct ves_tile tile = {
        .is_entries = true,
        .index = index,
        .width = left < VES_TILE_WIDTH ? (uint32_t)left : VES_TILE_WIDTH};
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_http_reply reply;
    struct ves_buf path;

    ves_buf_init(&path, asking->session->agent->alloc, PATH_TEXT);
    ves_tile_path_write(&path, &tile);
    ves_buf_put_u8(&path, '\0');
    enum ves_status status = ves_buf_status(&path);
    if (!status)
        status = ask(asking, (const char *)path.ptr, &reply);
    ves_buf_free(&path);
    if (status)
        return status;
    if (!ves_page_differs(page, reply.body, first + VES_TLOG_FIRST, &sequence))
        return VES_NOT_FOUND;
    memcpy(entry,
           reply.body.ptr +
               (sequence - VES_TLOG_FIRST - first) * (2 + VES_LEAF_SIZE) + 2,
           sizeof(entry));
    status = ask_inclusion(asking, sequence, size, &reply);
    return status ? status
                  : ves_core_receipt_evidence(
                        core, page, sequence, ves_bytes(entry, sizeof(entry)),
                        reply.body, ves_clock_now_ms(), &asking->evidence);
}

static enum ves_status seek_receipt(struct asking *asking,
                                    const struct ves_page *page)
{
    uint64_t first, end, size;
    enum ves_status status = VES_NOT_FOUND;

    if (!ves_page_range(page, &first, &end, &size))
        return VES_NOT_FOUND;
    for (uint64_t i = (first - VES_TLOG_FIRST) / VES_TILE_WIDTH;
         status == VES_NOT_FOUND && i * VES_TILE_WIDTH < end; i++)
        status = seek_receipt_in(asking, page, i, size);
    return status;
}

/* An event of the page stands where a receipt promised one of this store. */
static enum ves_status seek_promise(struct asking *asking,
                                    const struct ves_page *page,
                                    uint64_t sequence, uint64_t size)
{
    struct ves_http_reply reply = {.status = 0};
    bool is_told = sequence <= size &&
                   ask_inclusion(asking, sequence, size, &reply) == VES_OK;

    return ves_core_promise_evidence(&asking->session->agent->core, page,
                                     is_told ? reply.body : ves_bytes(NULL, 0),
                                     ves_clock_now_ms(), &asking->evidence);
}

/* Where its log ends, as it says. */
static enum ves_status ask_end(struct asking *asking, const char *query,
                               uint64_t *end)
{
    struct ves_http_reply reply;
    struct ves_arena arena;
    const struct ves_json *root;
    char path[320];

    snprintf(path, sizeof(path), "/api/v1/ves/head?%s", query);
    enum ves_status status = ask_path(asking, path, &reply);
    if (status)
        return status;
    ves_arena_init(&arena, asking->session->agent->alloc, HEAD_ARENA_MAX);
    if (ves_json_read(&arena, reply.body, NULL, &root, NULL) ||
        !ves_json_get_u64(root, "head_sequence", end))
        status = VES_NOT_FOUND;
    ves_arena_free(&arena);
    return status;
}

/* The last events that this store and the sequencer both have a number for, as
 * the sequencer has them: of two histories they are two. */
static enum ves_status seek_rivals(struct asking *asking)
{
    struct ves_agent_core *core = &asking->session->agent->core;
    struct ves_http_reply reply;
    char query[128], path[320];
    uint64_t from, end;

    ves_session_stream_query(&core->stream, query, sizeof(query));
    enum ves_status status = ves_core_pull_from(core, &from);
    if (!status)
        status = ask_end(asking, query, &end);
    if (status)
        return status;
    from = from < end ? from : end;
    from = from > RIVALS_MAX ? from - RIVALS_MAX : 1;
    snprintf(path, sizeof(path),
             "/api/v1/ves/events?%s&from=%" PRIu64 "&limit=%d&receipts=1",
             query, from, 2 * RIVALS_MAX);
    status = ask_path(asking, path, &reply);
    return status
               ? status
               : ves_core_rival_evidence(core, reply.body, ves_clock_now_ms(),
                                         &asking->evidence);
}

/* Where not all has room, the name of the file does. */
static void name_file(struct ves_error *error, const char *words,
                      const char *path)
{
    const size_t around = sizeof(".  ");
    size_t named = strlen(words) + strlen(path) + around;
    size_t room = sizeof(error->text) > named + WHY_MIN
                      ? sizeof(error->text) - named
                      : WHY_MIN;

    (void)ves_fail(error, error->status, "%.*s. %s %s", (int)room, error->text,
                   words, path);
}

/* FILE.N.ves-evidence, N the size of the head that was verified here: one
 * file, the newest, however many heads the sequencer goes on to sign. */
static enum ves_status write_file(struct asking *asking, const char *kind,
                                  const char *words, struct ves_error *error)
{
    struct ves_agent *agent = asking->session->agent;
    struct ves_bytes content = ves_buf_view(&asking->evidence);
    struct ves_core_finality finality;
    struct ves_buf path;

    if (ves_core_finality(&agent->core, &finality))
        return VES_IO;
    ves_buf_init(&path, agent->alloc, 8192);
    ves_buf_putf(&path, "%s.%llu%s.ves-evidence", agent->path,
                 (unsigned long long)finality.logged, kind);
    ves_buf_put_u8(&path, '\0');
    enum ves_status status = ves_buf_status(&path);
    if (!status)
        status = ves_file_write((const char *)path.ptr, content,
                                VES_FILE_REPLACE, NULL);
    if (!status && error)
        name_file(error, words, (const char *)path.ptr);
    ves_buf_free(&path);
    return status;
}

/* Nothing shows that the histories part; that it was not shown that they are
 * one can be shown to others, too. */
static bool write_heads(struct asking *asking, struct ves_error *error)
{
    static const char words[] =
        "It did not show that two heads it signed are of one log, and is asked "
        "again with every pull. Keep this file; both heads, for others (ves "
        "verify says what they prove), are in";

    ves_buf_reset(&asking->evidence);
    return asking->theirs.len > 0 &&
           ves_core_apart_evidence(&asking->session->agent->core,
                                   asking->theirs, ves_clock_now_ms(),
                                   &asking->evidence) == VES_OK &&
           write_file(asking, ".heads", words, error) == VES_OK;
}

static bool open_asking(struct asking *asking, struct ves_session *session)
{
    struct ves_hash id;
    char hex[STREAM_HEX + 1] = "";

    *asking = (struct asking){.session = session};
    ves_stream_id(&session->agent->core.stream, &id);
    ves_hex_encode(id.b, VES_HASH_SIZE, hex);
    snprintf(asking->prefix, sizeof(asking->prefix), "/ves/%s/", hex);
    ves_buf_init(&asking->evidence, session->agent->alloc, VES_EVIDENCE_MAX);
    return ves_http_client_header(session->client, VES_KNOWN_HEAD_HEADER,
                                  NULL) == VES_OK;
}

static void close_asking(struct asking *asking, enum ves_status found,
                         struct ves_error *error)
{
    /* What was found before is told again. */
    if (found && asking->is_of_log)
        found = ves_core_kept_evidence(&asking->session->agent->core,
                                       &asking->evidence);
    if (!found)
        (void)!write_file(asking, "",
                          "Evidence that anybody with the log's key can check "
                          "(ves verify) is in",
                          error);
    else if (asking->is_disputed && !write_heads(asking, error) && error)
        (void)ves_fail(error, error->status,
                       "%.300s. The sequencer did not show where its histories "
                       "part, so there is no evidence file yet; what it signed "
                       "is in quarantine, and it is asked again with every "
                       "pull: keep this store's file",
                       error->text);
    ves_buf_free(&asking->evidence);
    (void)!ves_session_known_head(asking->session, NULL);
}

void ves_session_seek_fork(struct ves_session *session, struct ves_error *error)
{
    struct asking asking;
    struct ves_http_reply reply;
    struct ves_arena arena;
    struct ves_bytes theirs;

    if (!open_asking(&asking, session))
        return;
    asking.is_of_log = true;
    ves_arena_init(&arena, session->agent->alloc, VES_NOTE_MAX + 4096);
    enum ves_status status = ask(&asking, "checkpoint", &reply);
    if (!status)
        status = ves_arena_copy(&arena, reply.body, &theirs);
    if (!status)
        status = seek_fork(&asking, theirs);
    asking.is_disputed = status == VES_REFUSED;
    if (asking.is_disputed)
        asking.theirs = theirs;
    /* It need not have signed a head since it went on. */
    if (status)
        status = seek_rivals(&asking);
    close_asking(&asking, status, error);
    ves_arena_free(&arena);
}

void ves_session_seek_evidence(struct ves_session *session,
                               const struct ves_page *page,
                               struct ves_error *error)
{
    struct asking asking;
    struct ves_bytes theirs;

    uint64_t sequence, size;

    if (!open_asking(&asking, session))
        return;
    enum ves_status status = VES_NOT_FOUND;
    asking.is_of_log = ves_page_is_disputed(page, &theirs);
    asking.is_disputed = asking.is_of_log;
    if (asking.is_of_log) {
        status = ves_page_breaks(page, &sequence, &size)
                     ? seek_promise(&asking, page, sequence, size)
                     : seek_fork(&asking, theirs);
        if (status == VES_REFUSED)
            asking.theirs = theirs;
        if (status)
            status = seek_receipt(&asking, page);
    }
    if (status)
        status =
            ves_core_rival_evidence(&session->agent->core, ves_page_text(page),
                                    ves_clock_now_ms(), &asking.evidence);
    close_asking(&asking, status, error);
}

enum ves_status ves_session_join_heads(struct ves_session *session,
                                       struct ves_bytes theirs,
                                       struct ves_error *error)
{
    struct asking asking;
    bool is_apart;

    enum ves_status status =
        ves_core_apart(&session->agent->core, theirs, &is_apart);
    if (status || !is_apart || !open_asking(&asking, session))
        return VES_OK;
    asking.theirs = theirs;
    status = seek_fork(&asking, theirs);
    asking.is_disputed = status == VES_REFUSED;
    bool is_one = status && !asking.is_disputed;
    if (!is_one)
        (void)ves_fail(error, VES_REFUSED,
                       status ? "pull: the sequencer signed a head that it "
                                "does not show to go on from the one before"
                              : "pull: the log signed two histories. Do not go "
                                "on with this sequencer before its operator "
                                "has looked at it");
    close_asking(&asking, status, is_one ? NULL : error);
    return is_one ? VES_OK : VES_REFUSED;
}
