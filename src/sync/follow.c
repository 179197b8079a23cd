/* follow.c -- hearing of new events at once: a connection and a thread of its
 * own that hold what the sequencer told last (ADR 0045). */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "agent/delivery.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/random.h"
#include "os/timed.h"
#include "sync/session.h"

enum state { TRYING, LIVE, ABSENT };

enum {
    STEP_MS = 10,          /* between two looks at the own file */
    SILENCE_MS = 45000,    /* three comments have not come */
    STEADY_MS = 10000,     /* what lived so long begins anew at FIRST_MS */
    FIRST_MS = 500,        /* to the next try, then twice as long, */
    LAST_MS = 60000,       /* up to this */
    ABSENT_MS = 5 * 60000, /* a sequencer that knows no such path */
    LINE_MAX = 4096
};

struct ves_follow {
    struct ves_agent *agent; /* the caller's thread, but for its paths */
    const struct ves_alloc *alloc;
    struct ves_agent_seen seen; /* of the own file */
    ves_progress *progress;
    void *progress_ctx;
    enum state told_state;

    /* The thread's. */
    pthread_t thread;
    char url[VES_AGENT_URL_MAX];
    bool has_tls_key;
    struct ves_hash tls_key;
    struct ves_stream stream;
    char line[LINE_MAX];
    size_t line_len;
    bool is_head; /* what event the lines are of */
    uint64_t id;
    int64_t heard_ms, began_ms;
    unsigned tries;
    struct ves_delivery noted; /* for who asks how this store follows */
    int note_fd;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. */
    char *credential; /* NULL: the caller is to read it again */
    uint64_t head, cursor;
    uint64_t told; /* the head that the caller was told */
    enum state state;
    bool is_stopping;
    char why[VES_FOLLOW_WHY_MAX]; /* it is not live */
};

/* ---- what comes ---------------------------------------------------------- */

/* Told or tried again: both come often enough for who finds the note taken. */
static void note(struct ves_follow *f, uint64_t head)
{
    int64_t now_ms = ves_clock_now_ms();

    pthread_mutex_lock(&f->lock);
    bool is_live = f->state == LIVE;
    if (f->noted.since_ms == 0 || is_live != f->noted.is_live)
        f->noted.since_ms = now_ms;
    f->noted.is_live = is_live;
    snprintf(f->noted.why, sizeof(f->noted.why), "%s", is_live ? "" : f->why);
    pthread_mutex_unlock(&f->lock);
    if (head > 0) {
        f->noted.head = head;
        f->noted.head_ms = now_ms;
    }
    ves_delivery_note(f->agent->delivery_path, f->alloc, &f->note_fd,
                      &f->noted);
}

static void hear(struct ves_follow *f, enum state state, uint64_t head)
{
    pthread_mutex_lock(&f->lock);
    if (state != f->state || head > f->head)
        pthread_cond_broadcast(&f->changed);
    f->state = state;
    if (head > f->head)
        f->head = head;
    pthread_mutex_unlock(&f->lock);
    note(f, head);
}

/* The end of a line; an empty one ends an event. */
static void take_line(struct ves_follow *f)
{
    struct ves_bytes line = ves_bytes(f->line, f->line_len);
    uint64_t id;

    if (line.len && line.ptr[line.len - 1] == '\r')
        line.len--;
    if (line.len == 0) {
        hear(f, LIVE, f->is_head ? f->id : 0);
        f->is_head = false;
        f->id = 0;
    } else if (ves_bytes_is(line, "event: head")) {
        f->is_head = true;
    } else if (line.len > 4 && memcmp(line.ptr, "id: ", 4) == 0 &&
               ves_decimal_parse(ves_bytes(line.ptr + 4, line.len - 4), &id) ==
                   VES_OK) {
        f->id = id;
    }
    f->line_len = 0;
}

static bool take_bytes(void *ctx, struct ves_bytes bytes)
{
    struct ves_follow *f = ctx;

    f->heard_ms = ves_clock_monotonic_ms();
    for (size_t i = 0; i < bytes.len; i++) {
        if (bytes.ptr[i] == '\n')
            take_line(f);
        else if (f->line_len == sizeof(f->line))
            return false;
        else
            f->line[f->line_len++] = (char)bytes.ptr[i];
    }
    return true;
}

static bool is_over(void *ctx)
{
    struct ves_follow *f = ctx;

    pthread_mutex_lock(&f->lock);
    bool is_stopping = f->is_stopping;
    pthread_mutex_unlock(&f->lock);
    return is_stopping || ves_clock_monotonic_ms() - f->heard_ms > SILENCE_MS;
}

/* ---- one connection ------------------------------------------------------ */

static enum ves_status connect_to(struct ves_follow *f,
                                  struct ves_http_client **out,
                                  struct ves_error *error)
{
    struct ves_http_options options = {.url = f->url,
                                       .has_tls_pin = f->has_tls_key,
                                       .tls_pin = f->tls_key,
                                       .reply_max = 64 * 1024,
                                       .is_stopped = is_over,
                                       .is_stopped_ctx = f};

    pthread_mutex_lock(&f->lock);
    options.credential = f->credential;
    enum ves_status status =
        options.credential
            ? ves_http_client_open(&options, f->alloc, out, error)
            : ves_fail(error, VES_AUTH, "there is no credential");
    pthread_mutex_unlock(&f->lock);
    return status;
}

/* Until the connection ends; *reply says with what. */
static enum ves_status follow_once(struct ves_follow *f,
                                   struct ves_http_reply *reply,
                                   struct ves_error *error)
{
    char query[128], path[256];
    struct ves_http_client *client;

    f->line_len = 0;
    f->is_head = false;
    f->id = 0;
    f->began_ms = f->heard_ms = ves_clock_monotonic_ms();
    memset(reply, 0, sizeof(*reply));
    enum ves_status status = connect_to(f, &client, error);
    if (status)
        return status;
    /* Whatever was said before: another server may answer now. */
    pthread_mutex_lock(&f->lock);
    f->head = f->told = 0;
    uint64_t from = f->cursor + 1;
    pthread_mutex_unlock(&f->lock);
    ves_session_stream_query(&f->stream, query, sizeof(query));
    snprintf(path, sizeof(path),
             "/api/v1/ves/events/stream?%s&heads=1&from=%llu", query,
             (unsigned long long)from);
    status = ves_http_stream(client, path, "text/event-stream", take_bytes, f,
                             reply, error);
    reply->body = ves_bytes(NULL, 0);
    ves_http_client_close(client);
    return status;
}

static bool is_live(struct ves_follow *f)
{
    pthread_mutex_lock(&f->lock);
    bool is_it = f->state == LIVE;
    pthread_mutex_unlock(&f->lock);
    return is_it;
}

/* How long to the next try, and why there is none now. */
static uint32_t next_try(struct ves_follow *f, enum ves_status status,
                         const struct ves_http_reply *reply,
                         const struct ves_error *error)
{
    uint32_t wait_ms = FIRST_MS, told_ms = 0, random = 0;
    const char *why = "the connection ended";
    char words[VES_FOLLOW_WHY_MAX];
    bool is_refused = reply->status == 401 || reply->status == 403;
    bool was_live = is_live(f);

    if (ves_clock_monotonic_ms() - f->began_ms >= STEADY_MS)
        f->tries = 0;
    for (unsigned i = 0; i < f->tries && wait_ms < LAST_MS; i++)
        wait_ms *= 2;
    f->tries++;
    if (status == VES_AGAIN) {
        why = "nothing was heard for too long";
    } else if (status) {
        why = error->text;
    } else if (reply->status == 429 || reply->status == 503) {
        why = "the sequencer has no room for one more";
        told_ms = reply->retry_after_s * 1000;
        wait_ms = told_ms > 1000 ? told_ms : LAST_MS / 2;
    } else if (is_refused) {
        why = "the sequencer does not accept this store's credential";
        wait_ms = LAST_MS;
    } else if (reply->status != 200 || !was_live) {
        snprintf(words, sizeof(words),
                 "the sequencer has no stream of events here (HTTP %u)",
                 reply->status);
        why = words;
        wait_ms = ABSENT_MS;
    }
    wait_ms = wait_ms < ABSENT_MS ? wait_ms : ABSENT_MS;
    uint32_t least_ms = told_ms < ABSENT_MS ? told_ms : ABSENT_MS;
    (void)!ves_random(&random, sizeof(random), NULL);
    pthread_mutex_lock(&f->lock);
    snprintf(f->why, sizeof(f->why), "%s", why);
    if (is_refused) {
        ves_secret_free(f->credential);
        f->credential = NULL;
    }
    pthread_mutex_unlock(&f->lock);
    wait_ms = wait_ms / 2 + random % (wait_ms / 2 + 1);
    return wait_ms > least_ms ? wait_ms : least_ms + random % 1000;
}

static void *follow_all(void *ctx)
{
    struct ves_follow *f = ctx;

    ves_thread_name("ves-follow");
    note(f, 0);
    for (;;) {
        struct ves_http_reply reply;
        struct ves_error error = {VES_OK, ""};
        enum ves_status status = follow_once(f, &reply, &error);
        uint32_t wait_ms = next_try(f, status, &reply, &error);
        hear(f, ABSENT, 0);
        struct timespec until = ves_timed_after(wait_ms);
        pthread_mutex_lock(&f->lock);
        int result = 0;
        while (!f->is_stopping && result == 0)
            result = pthread_cond_timedwait(&f->changed, &f->lock, &until);
        bool is_stopping = f->is_stopping;
        pthread_mutex_unlock(&f->lock);
        if (is_stopping) {
            ves_delivery_end(&f->note_fd);
            return NULL;
        }
    }
}

/* ---- the caller's -------------------------------------------------------- */

static void free_all(struct ves_follow *f)
{
    ves_secret_free(f->credential);
    pthread_cond_destroy(&f->changed);
    pthread_mutex_destroy(&f->lock);
    f->alloc->realloc(f->alloc->ctx, f, 0);
}

/* What was told last goes on to be said. */
static void recall(struct ves_follow *f)
{
    struct ves_delivery last;
    bool is_followed;

    ves_delivery_read(f->agent->delivery_path, f->alloc, &last, &is_followed);
    f->note_fd = -1;
    f->noted.head = last.head;
    f->noted.head_ms = last.head_ms;
}

enum ves_status ves_follow_start(struct ves_agent *agent,
                                 const struct ves_sync_options *options,
                                 struct ves_follow **out,
                                 struct ves_error *error)
{
    const struct ves_alloc *alloc = agent->alloc;
    struct ves_follow *f;
    uint64_t from = 1;

    ves_agent_start(agent);
    if (!agent->url[0])
        return ves_fail(error, VES_NOT_FOUND,
                        "this store belongs to no sequencer yet; there is "
                        "nothing to follow");
    enum ves_status status = ves_core_pull_from(&agent->core, &from);
    if (status)
        return ves_agent_fail(agent, status, error, "follow");
    f = alloc->realloc(alloc->ctx, NULL, sizeof(*f));
    if (!f)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(f, 0, sizeof(*f));
    f->agent = agent;
    f->alloc = alloc;
    f->progress = options ? options->progress : NULL;
    f->progress_ctx = options ? options->progress_ctx : NULL;
    f->has_tls_key = agent->has_tls_key;
    f->tls_key = agent->tls_key;
    f->stream = agent->core.stream;
    f->cursor = from - 1;
    f->began_ms = f->heard_ms = ves_clock_monotonic_ms();
    snprintf(f->url, sizeof(f->url), "%s", agent->url);
    snprintf(f->why, sizeof(f->why), "not connected yet");
    recall(f);
    (void)ves_agent_changes(agent, &f->seen);
    pthread_mutex_init(&f->lock, NULL);
    ves_timed_cond_init(&f->changed);
    status = ves_agent_credential(agent, &f->credential, error);
    if (!status && pthread_create(&f->thread, NULL, follow_all, f))
        status = ves_fail(error, VES_NOMEM, "no more threads can be made");
    if (status) {
        free_all(f);
        return status;
    }
    *out = f;
    return VES_OK;
}

/* An invitation may have renewed what was refused. */
static void renew_credential(struct ves_follow *f)
{
    char *credential = NULL;

    if (ves_agent_credential(f->agent, &credential, NULL))
        return;
    pthread_mutex_lock(&f->lock);
    if (!f->credential) {
        f->credential = credential;
        credential = NULL;
    }
    pthread_mutex_unlock(&f->lock);
    ves_secret_free(credential);
}

/* The lock is held. */
static bool has_news(struct ves_follow *f, struct ves_follow_news *news)
{
    news->is_live = f->state == LIVE;
    news->is_remote = f->head > f->told && f->head > f->cursor;
    news->is_changed = f->state != f->told_state;
    snprintf(news->why, sizeof(news->why), "%s", news->is_live ? "" : f->why);
    if (f->head > f->told)
        f->told = f->head;
    f->told_state = f->state;
    return news->is_remote || news->is_changed;
}

static bool has_stopped(const struct ves_follow *f)
{
    return f->progress && !f->progress(f->progress_ctx, "wait", 0, 0);
}

void ves_follow_wait(struct ves_follow *f, uint64_t cursor, uint32_t timeout_ms,
                     struct ves_follow_news *news)
{
    int64_t until_ms = ves_clock_monotonic_ms() + timeout_ms;

    memset(news, 0, sizeof(*news));
    pthread_mutex_lock(&f->lock);
    f->cursor = cursor;
    while (!has_news(f, news) && ves_clock_monotonic_ms() < until_ms) {
        struct timespec step = ves_timed_after(STEP_MS);
        (void)pthread_cond_timedwait(&f->changed, &f->lock, &step);
        bool is_refused = !f->credential;
        pthread_mutex_unlock(&f->lock);
        if (is_refused)
            renew_credential(f);
        ves_agent_start(f->agent);
        news->is_local = ves_agent_changes(f->agent, &f->seen);
        bool is_over_now = news->is_local || has_stopped(f);
        pthread_mutex_lock(&f->lock);
        if (is_over_now) {
            (void)has_news(f, news);
            break;
        }
    }
    pthread_mutex_unlock(&f->lock);
}

void ves_follow_stop(struct ves_follow *f)
{
    if (!f)
        return;
    pthread_mutex_lock(&f->lock);
    f->is_stopping = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    free_all(f);
}
