/* pull.c -- what others did comes in, verified, page by page. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "core/note.h"
#include "os/clock.h"
#include "sync/session.h"
#include "json/json.h"

enum { PAGE_EVENTS = 500, SCRATCH_MAX = 64 * 1024 };

enum ves_status ves_session_sequencer_keys(struct ves_session *session,
                                           struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_http_reply reply;
    struct ves_bytes none = {NULL, 0};
    enum ves_status status = ves_session_request(
        session, "GET", "/api/v1/ves/sequencer-keys", none, &reply, error);

    /* Another implementation's sequencer has no such list. */
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (!status) {
        status = ves_core_sequencer_keys(&agent->core, reply.body,
                                         ves_clock_now_ms());
        if (status)
            status = ves_agent_fail(agent, status, error, "sequencer keys");
    }
    return status;
}

/* Is it another implementation's sequencer, joined without an invitation?  It
 * may have no directory of a stream's keys. */
static bool is_foreign(const struct ves_session *session)
{
    return ves_uuid_is_nil(&session->agent->core.sequencer_id);
}

/* One agent's keys; this store's own are no question. */
static enum ves_status fetch_agent_keys(struct ves_session *session,
                                        const struct ves_uuid *who,
                                        struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_http_reply reply;
    struct ves_bytes none = {NULL, 0};
    char id[VES_UUID_TEXT + 1], tenant[VES_UUID_TEXT + 1], path[256];

    if (ves_uuid_equal(who, &agent->core.agent)) {
        enum ves_status own =
            ves_core_trust_key(&agent->core, who, agent->core.key_id,
                               &agent->public_key, ves_clock_now_ms());
        return own ? ves_agent_fail(agent, own, error, "own key") : VES_OK;
    }
    ves_uuid_format(who, id);
    ves_uuid_format(&agent->core.stream.tenant, tenant);
    snprintf(path, sizeof(path), "/api/v1/agents/%s/signing-keys?tenant_id=%s",
             id, tenant);
    enum ves_status status =
        ves_session_request(session, "GET", path, none, &reply, error);
    if (status == VES_NOT_FOUND)
        return ves_fail(error, VES_REFUSED,
                        "the sequencer keeps no directory of keys, and this "
                        "store has none of agent %s: its events cannot be "
                        "verified, and nothing from the first of them on was "
                        "applied. Its operator's word will do: the same `ves "
                        "init --server` again, with --agent-key",
                        id);
    if (status)
        return status;
    status = ves_core_keys(&agent->core, reply.body, ves_clock_now_ms());
    return status ? ves_agent_fail(agent, status, error, "key directory")
                  : VES_OK;
}

/* Keys this store has not seen: first the sequencer's own, since a directory
 * may be signed by a new one.  who is NULL or the agent that is meant, for a
 * sequencer that is asked for one at a time (*is_one). */
static enum ves_status fetch_keys(struct ves_session *session,
                                  const struct ves_uuid *who, bool *is_one,
                                  struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_http_reply reply;
    struct ves_bytes none = {NULL, 0};
    char query[128], path[256];

    ves_session_stream_query(&agent->core.stream, query, sizeof(query));
    enum ves_status status = ves_session_sequencer_keys(session, error);
    if (status)
        return status;
    snprintf(path, sizeof(path), "/api/v1/ves/keys?%s", query);
    status = ves_session_request(session, "GET", path, none, &reply, error);
    *is_one = status == VES_NOT_FOUND && is_foreign(session) && who;
    if (*is_one)
        return fetch_agent_keys(session, who, error);
    if (status)
        return status;
    status = ves_core_keys(&agent->core, reply.body, ves_clock_now_ms());
    return status ? ves_agent_fail(agent, status, error, "key directory")
                  : VES_OK;
}

static enum ves_status request_page(struct ves_session *session, uint64_t from,
                                    uint64_t limit,
                                    struct ves_http_reply *reply,
                                    struct ves_error *error)
{
    struct ves_bytes none = {NULL, 0};
    char query[128], path[320];

    ves_session_stream_query(&session->agent->core.stream, query,
                             sizeof(query));
    snprintf(path, sizeof(path),
             "/api/v1/ves/events?%s&from=%" PRIu64 "&limit=%" PRIu64
             "&receipts=1&checkpoint=1",
             query, from, limit);
    return ves_session_request(session, "GET", path, none, reply, error);
}

/* A page that is being verified on a thread of its own, so that meanwhile the
 * next one can be fetched and the one before applied. */
struct fetched {
    struct ves_agent_core *core;
    struct ves_page *page; /* NULL: none */
    uint64_t from;
    pthread_t thread;
    bool is_verifying;
};

static void *verify(void *ctx)
{
    struct fetched *fetched = ctx;

    ves_core_page_verify(fetched->core, fetched->page);
    return NULL;
}

/* The page, verified. */
static struct ves_page *take(struct fetched *fetched)
{
    if (fetched->is_verifying)
        pthread_join(fetched->thread, NULL);
    fetched->is_verifying = false;
    return fetched->page;
}

static void drop(struct fetched *fetched)
{
    ves_page_free(take(fetched));
    fetched->page = NULL;
}

/* Fetches and reads one page.  Unknown keys are fetched once, or once for each
 * agent that is met where they are to be had one at a time. */
static enum ves_status fetch_page(struct ves_session *session, uint64_t from,
                                  uint64_t limit, struct ves_page **page,
                                  struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_uuid who, asked = {{0}};
    bool is_one = false;

    for (size_t n = 0;; n++) {
        struct ves_http_reply reply;
        bool needs_keys = false;
        enum ves_status status =
            request_page(session, from, limit, &reply, error);
        if (status)
            return status;
        status = ves_core_page_read(&agent->core, reply.body, from, page,
                                    &needs_keys);
        if (status)
            return ves_agent_fail(agent, status, error, "pull");
        bool has_who = ves_page_stranger(*page, &who);
        /* What was asked for and is not there will not come now. */
        if (!needs_keys ||
            (n > 0 && (!is_one || !has_who || ves_uuid_equal(&who, &asked))))
            return VES_OK;
        asked = who;
        /* The reply's bytes go with the next request, so ask again. */
        ves_page_free(*page);
        *page = NULL;
        status = fetch_keys(session, has_who ? &who : NULL, &is_one, error);
        if (status)
            return status;
    }
}

/* Fetches one page and begins to verify it.  Dropped by the caller on success.
 */
static enum ves_status fetch(struct ves_session *session, uint64_t from,
                             uint64_t limit, struct fetched *out,
                             struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    enum ves_status status =
        fetch_page(session, from, limit, &out->page, error);

    if (status)
        return status;
    out->core = &agent->core;
    out->from = from;
    out->is_verifying = pthread_create(&out->thread, NULL, verify, out) == 0;
    if (!out->is_verifying)
        verify(out);
    return VES_OK;
}

/* Tells the server how far this store has read (semantics.md decision 11).
 * Only a convenience of operators: failing is of no consequence. */
static void put_cursor(struct ves_session *session, uint64_t cursor)
{
    const struct ves_agent_core *core = &session->agent->core;
    struct ves_http_reply reply;
    char agent[VES_UUID_TEXT + 1], tenant[VES_UUID_TEXT + 1],
        store[VES_UUID_TEXT + 1];
    char path[128], body[256];

    ves_uuid_format(&core->agent, agent);
    ves_uuid_format(&core->stream.tenant, tenant);
    ves_uuid_format(&core->stream.store, store);
    snprintf(path, sizeof(path), "/api/v1/ves/cursors/%s", agent);
    int n = snprintf(body, sizeof(body),
                     "{\"tenantId\":\"%s\",\"storeId\":\"%s\","
                     "\"sequenceNumber\":%" PRIu64 "}",
                     tenant, store, cursor);
    struct ves_bytes bytes = {(const uint8_t *)body, (size_t)n};
    struct ves_error ignored;
    if (ves_http_request(session->client, "PUT", path, bytes, &reply, &ignored))
        return;
    ves_session_vouched(session);
}

static void add(struct ves_pull_report *report,
                const struct ves_pull_result *result)
{
    static const struct ves_uuid nil;

    report->received += result->received;
    report->applied += result->applied;
    report->already_applied += result->already_applied;
    report->quarantined += result->quarantined;
    report->conflicts += result->conflicts;
    report->cursor = result->cursor;
    report->remote_head = result->remote_head;
    report->has_more = result->has_more;
    report->is_position_unproven |= result->is_position_unproven;
    report->gap_expected = result->gap_expected;
    report->gap_received = result->gap_received;
    if (memcmp(&result->last_event_id, &nil, sizeof(nil)) != 0)
        report->last_event_id = result->last_event_id;
}

struct puller {
    struct ves_session *session;
    struct ves_pull_report *report;
    uint64_t limit; /* events */
    struct fetched pages[2];
    struct fetched *now, *next; /* of pages */
    enum ves_status ahead;      /* how fetching next went */
    struct ves_error ahead_error;
    struct ves_buf told; /* the newest head of a page that was taken */
};

static uint64_t page_size(const struct puller *p, uint64_t received)
{
    uint64_t left = p->limit - received;

    return left < PAGE_EVENTS ? left : PAGE_EVENTS;
}

/* Fetches what will probably be asked for next: a full page after this one,
 * if the sequencer is known to have it. */
static void look_ahead(struct puller *p)
{
    uint64_t size = page_size(p, p->report->received);
    uint64_t from = p->now->from + size;
    uint64_t next = page_size(p, p->report->received + size);

    p->ahead = VES_OK;
    if (next > 0 && from <= p->report->remote_head)
        p->ahead = fetch(p->session, from, next, p->next, &p->ahead_error);
}

/* The page from there: the one looked ahead for, or another. */
static enum ves_status advance(struct puller *p, uint64_t from,
                               struct ves_error *error)
{
    struct fetched *done = p->now;

    p->now = p->next;
    p->next = done;
    if (p->ahead) {
        if (error)
            *error = p->ahead_error;
        return p->ahead;
    }
    if (p->now->page && p->now->from == from)
        return VES_OK;
    drop(p->now);
    return fetch(p->session, from, page_size(p, p->report->received), p->now,
                 error);
}

/* It is compared with the one before as the events pass them; a pull that ends
 * earlier has to ask. */
static void keep_told(struct puller *p, enum ves_status status)
{
    struct ves_bytes head;

    if (status || !ves_page_signed_head(p->now->page, &head))
        return;
    ves_buf_reset(&p->told);
    ves_buf_put_bytes(&p->told, head);
}

/* Applies the present page; *from is then where the next one begins, or the
 * same when nothing moved. */
static enum ves_status apply(struct puller *p, uint64_t *from,
                             struct ves_error *error)
{
    struct ves_agent *agent = p->session->agent;
    struct ves_pull_result result;

    memset(&result, 0, sizeof(result));
    enum ves_status status = ves_core_page_apply(&agent->core, take(p->now),
                                                 ves_clock_now_ms(), &result);
    if (status == VES_REFUSED) {
        (void)ves_agent_fail(agent, status, error, "pull");
        ves_session_seek_evidence(p->session, p->now->page, error);
    } else if (status) {
        (void)ves_agent_fail(agent, status, error, "pull");
    }
    keep_told(p, status);
    drop(p->now);
    add(p->report, &result);
    if (result.applied) {
        if (!status && !result.has_more)
            ves_session_vouch(p->session);
        put_cursor(p->session, result.cursor);
    }
    if (status)
        return status;
    /* Nothing past the cursor is skipped: what the engine held back (half an
     * atomic group) is asked for again.  A page that moved nothing would be
     * asked for for ever. */
    uint64_t next = *from + result.received;
    if (next > result.cursor + 1)
        next = result.cursor + 1;
    if (next > *from)
        *from = next;
    return VES_OK;
}

/* Brought up to date here, in passing, so that status need not: it may be
 * asked by somebody who may only read.  It is over every entity, so not while
 * there is more to pull: a store that catches up in many small pulls would
 * spend most of them on it.  Failing is of no consequence. */
static void keep_state_hash(struct puller *p)
{
    struct ves_hash ignored;

    if (p->report->applied > 0 && !p->report->has_more)
        (void)!ves_core_state_hash(&p->session->agent->core, &ignored);
}

/* A page with a hole in it is asked for once more, from the hole on: what was
 * on its way may be there now. */
static enum ves_status ask_again(struct puller *p, uint64_t *from,
                                 struct ves_error *error)
{
    *from = p->report->gap_expected;
    drop(p->next);
    return fetch(p->session, *from, page_size(p, p->report->received), p->now,
                 error);
}

static enum ves_status pull_pages(struct puller *p, uint64_t from,
                                  struct ves_error *error)
{
    uint64_t first = from, before = 0;
    bool was_asked_again = false;
    enum ves_status status =
        fetch(p->session, from, page_size(p, 0), p->now, error);

    while (!status) {
        before = from;
        look_ahead(p);
        status = apply(p, &from, error);
        if (status == VES_AGAIN && p->report->gap_expected &&
            !was_asked_again) {
            was_asked_again = true;
            status = ask_again(p, &from, error);
            continue;
        }
        if (status || from == before || !p->report->has_more ||
            p->report->received >= p->limit ||
            !ves_session_progress(p->session, "pull", from - first,
                                  p->report->remote_head - first + 1))
            break;
        status = advance(p, from, error);
    }
    if (!status && p->report->has_more && p->told.len > 0 &&
        !ves_buf_status(&p->told))
        status =
            ves_session_join_heads(p->session, ves_buf_view(&p->told), error);
    if (!status && from == before && p->report->has_more &&
        p->report->received < p->limit) {
        p->report->gap_expected = p->report->cursor + 1;
        status = ves_fail(error, VES_AGAIN,
                          "the sequencer says that its log goes on to number "
                          "%" PRIu64 " and gives nothing after %" PRIu64
                          "; pull again later",
                          p->report->remote_head, p->report->cursor);
    }
    drop(&p->pages[0]);
    drop(&p->pages[1]);
    keep_state_hash(p);
    if (!status)
        status = ves_session_known_head(p->session, error);
    else if (status == VES_DIVERGED)
        ves_session_seek_fork(p->session, error);
    if (status == VES_DIVERGED || status == VES_REFUSED)
        ves_session_seek_epoch(p->session, error);
    return status;
}

/* The newest event that is here is asked for again: a sequencer that was
 * restored from an older copy and went on has another one in its place. */
static enum ves_status pull_from(struct puller *p, uint64_t from,
                                 struct ves_error *error)
{
    struct ves_pull_report *report = p->report;
    uint64_t known = report->already_applied, received = report->received;

    if (from == 1)
        return pull_pages(p, from, error);
    if (p->limit < UINT64_MAX)
        p->limit++;
    enum ves_status status = pull_pages(p, from - 1, error);
    /* Not even that one: how much is missing shows when the next is asked
     * for. */
    if (!status && report->received == received)
        return pull_pages(p, from, error);
    if (report->already_applied > known) {
        report->received--;
        report->already_applied--;
    }
    return status;
}

enum ves_status ves_session_pull(struct ves_session *session, uint64_t since,
                                 struct ves_pull_report *report,
                                 struct ves_error *error)
{
    const struct ves_sync_options *options = session->options;
    struct ves_agent *agent = session->agent;
    struct puller puller = {.session = session,
                            .report = report,
                            .limit = options && options->limit ? options->limit
                                                               : UINT64_MAX};
    uint64_t from = 0;
    ves_session_vouch(session);
    enum ves_status status = ves_core_pull_from(&agent->core, &from);

    if (status)
        return ves_agent_fail(agent, status, error, "pull");
    ves_agent_use_pool(agent);
    report->cursor = from - 1;
    puller.now = &puller.pages[0];
    puller.next = &puller.pages[1];
    ves_buf_init(&puller.told, agent->alloc, VES_NOTE_MAX);
    status = since && since < from ? pull_pages(&puller, since, error)
                                   : pull_from(&puller, from, error);
    ves_buf_free(&puller.told);
    return status;
}

/* The sequencer's head, over a session that is open. */
static enum ves_status ask_head(struct ves_session *session, uint64_t *head,
                                struct ves_error *error)
{
    struct ves_agent *agent = session->agent;
    struct ves_http_reply reply;
    struct ves_bytes none = {NULL, 0};
    struct ves_arena arena;
    const struct ves_json *root;
    char query[128], path[256];

    ves_session_stream_query(&agent->core.stream, query, sizeof(query));
    snprintf(path, sizeof(path), "/api/v1/ves/head?%s", query);
    enum ves_status status =
        ves_session_request(session, "GET", path, none, &reply, error);
    if (status)
        return status;
    ves_arena_init(&arena, agent->alloc, SCRATCH_MAX);
    if (ves_json_read(&arena, reply.body, NULL, &root, NULL) ||
        !ves_json_get_u64(root, "head_sequence", head))
        status = ves_fail(error, VES_REFUSED,
                          "the sequencer's answer has no head_sequence");
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_probe_within(struct ves_agent *agent, uint32_t timeout_ms,
                                 uint64_t *remote_head, struct ves_error *error)
{
    const struct ves_sync_options options = {.timeout_ms = timeout_ms};
    struct ves_session session;

    ves_agent_start(agent);
    *remote_head = 0;
    enum ves_status status = ves_session_open(&session, agent, &options, error);
    if (!status)
        status = ask_head(&session, remote_head, error);
    if (!status && !agent->is_read_only)
        status = ves_core_note_head(&agent->core, *remote_head);
    ves_session_close(&session);
    return status;
}

enum ves_status ves_probe_quietly(struct ves_agent *agent,
                                  const struct ves_sync_options *options,
                                  struct ves_contact *contact,
                                  struct ves_error *error)
{
    struct ves_session session;

    ves_agent_start(agent);
    enum ves_status status = ves_session_open(&session, agent, options, error);
    session.is_quiet = true;
    if (!status)
        status = ask_head(&session, &session.contact.head, error);
    session.contact.wait_s = session.wait_s;
    ves_session_close(&session);
    *contact = session.contact;
    if (contact->at_ms)
        ves_agent_know(agent, contact);
    return status;
}

enum ves_status ves_probe(struct ves_agent *agent, uint64_t *remote_head,
                          struct ves_error *error)
{
    return ves_probe_within(agent, 0, remote_head, error);
}

enum ves_status ves_pull(struct ves_agent *agent,
                         const struct ves_sync_options *options, uint64_t since,
                         struct ves_pull_report *report,
                         struct ves_error *error)
{
    struct ves_session session;

    memset(report, 0, sizeof(*report));
    ves_agent_start(agent);
    if (options && options->dry_run) {
        struct ves_contact contact;
        uint64_t from = 0;
        enum ves_status asked =
            ves_probe_quietly(agent, options, &contact, error);
        if (!asked)
            asked = ves_core_pull_from(&agent->core, &from);
        report->cursor = from ? from - 1 : 0;
        report->remote_head = contact.head;
        report->has_more = contact.head >= from;
        report->wait_s = contact.wait_s;
        return asked;
    }
    enum ves_status status = ves_agent_need_write(agent, "pull", error);
    if (status)
        return status;
    status = ves_session_open(&session, agent, options, error);
    if (!status)
        status = ves_session_may_ask(&session, error);
    if (!status)
        status = ves_session_pull(&session, since, report, error);
    report->wait_s = session.wait_s;
    ves_session_close(&session);
    return status;
}
