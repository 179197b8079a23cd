/* followers.c -- who follows a stream, and how they hear that it has grown. */
#include "server/followers.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/timed.h"
#include "server/items.h"
#include "server/server.h"

enum {
    LOOK_MS = 1000,     /* between two looks at who is to hear we live */
    CHUNK = 64 * 1024,  /* text that is made at once, or one event */
    CHUNK_EVENTS = 100, /* read from the log for it */
    RECONNECT_MS = 1000 /* what a browser waits before it asks again */
};

struct ves_follower {
    struct ves_follower *next, *prev; /* in the bucket */
    struct ves_request *request;
    struct ves_follow what; /* what.next moves */
    struct ves_hash key_hash;
    /* The connection's thread's, and while is_waiting ours. */
    int64_t due_ms; /* when it is to hear that we live */
    struct ves_buf text;
    size_t taken;
    bool has_ended;
    /* Under the lock. */
    uint64_t head;   /* of the stream, as far as we know */
    bool is_stale;   /* the head is to be read */
    bool is_waiting; /* its connection is suspended */
};

static size_t bucket_of(const struct ves_stream *stream)
{
    uint32_t sum = 2166136261u;
    for (size_t i = 0; i < VES_UUID_SIZE; i++)
        sum = (sum ^ stream->store.b[i]) * 16777619u;
    return sum % VES_FOLLOWERS_BUCKETS;
}

static bool is_same(const struct ves_stream *a, const struct ves_stream *b)
{
    return ves_uuid_equal(&a->tenant, &b->tenant) &&
           ves_uuid_equal(&a->store, &b->store);
}

/* ---- news ---------------------------------------------------------------- */

void ves_followers_note(struct ves_server *server,
                        const struct ves_stream *stream)
{
    struct ves_followers *all = &server->followers;
    size_t i = 0;
    /* Who comes now reads the head after this commit. */
    if (atomic_load(&all->count) == 0)
        return;
    pthread_mutex_lock(&all->lock);
    while (i < all->noted_count && !is_same(&all->noted[i], stream))
        i++;
    if (i == VES_FOLLOWERS_NOTED_MAX)
        all->is_all_noted = true;
    else
        all->noted[i] = *stream;
    if (i == all->noted_count && i < VES_FOLLOWERS_NOTED_MAX)
        all->noted_count++;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void ves_followers_recheck(struct ves_server *server)
{
    struct ves_followers *all = &server->followers;
    pthread_mutex_lock(&all->lock);
    all->rechecks++;
    all->is_recheck = true;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

/* The lock is held.  libmicrohttpd's own is taken inside it, here and where a
 * follower goes to sleep, and it never calls us with that one held. */
static void wake(struct ves_follower *f)
{
    if (!f->is_waiting)
        return;
    f->is_waiting = false;
    ves_http_wake(f->request);
}

struct news {
    struct ves_stream streams[VES_FOLLOWERS_NOTED_MAX];
    uint64_t heads[VES_FOLLOWERS_NOTED_MAX]; /* 0: could not be read */
    size_t count;
    bool is_all, is_recheck;
};

/* The lock is held. */
static void take_news(struct ves_followers *all, struct news *news)
{
    news->count = all->noted_count;
    memcpy(news->streams, all->noted, news->count * sizeof(all->noted[0]));
    news->is_all = all->is_all_noted;
    news->is_recheck = all->is_recheck;
    all->noted_count = 0;
    all->is_all_noted = all->is_recheck = false;
}

static void read_heads(struct ves_server *server, struct news *news)
{
    if (news->count == 0)
        return;
    struct ves_store *store = ves_readers_take(&server->readers);
    for (size_t i = 0; i < news->count; i++) {
        struct ves_stream_row row;
        news->heads[i] =
            store->ops->stream_get(store, &news->streams[i], false, &row)
                ? 0
                : row.head;
    }
    ves_readers_give(&server->readers, store);
}

/* The lock is held. */
static void tell_stream(struct ves_followers *all,
                        const struct ves_stream *stream, uint64_t head)
{
    struct ves_follower *f = all->buckets[bucket_of(stream)];
    for (; f; f = f->next) {
        if (!is_same(&f->what.stream, stream))
            continue;
        f->is_stale = f->is_stale || head == 0;
        if (head > f->head)
            f->head = head;
        wake(f);
    }
}

/* The lock is held. */
static void tell_others(struct ves_followers *all, const struct news *news)
{
    int64_t now_ms = ves_clock_monotonic_ms();
    for (size_t i = 0; i < VES_FOLLOWERS_BUCKETS; i++) {
        for (struct ves_follower *f = all->buckets[i]; f; f = f->next) {
            if (news->is_all)
                f->is_stale = true;
            if (news->is_all || news->is_recheck || all->is_stopping ||
                (f->is_waiting && now_ms >= f->due_ms))
                wake(f);
        }
    }
}

static unsigned look_ms(struct ves_followers *all)
{
    unsigned alive_ms = atomic_load(&all->alive_ms);
    return alive_ms < LOOK_MS ? alive_ms : LOOK_MS;
}

/* The lock is held. */
static void wait_for_news(struct ves_followers *all)
{
    while (!all->noted_count && !all->is_all_noted && !all->is_recheck &&
           !all->is_stopping) {
        struct timespec until = ves_timed_after(look_ms(all));
        if (atomic_load(&all->count) == 0)
            pthread_cond_wait(&all->changed, &all->lock);
        else if (pthread_cond_timedwait(&all->changed, &all->lock, &until))
            return;
    }
}

static void *spread(void *ctx)
{
    struct ves_server *server = ctx;
    struct ves_followers *all = &server->followers;
    int64_t looked_ms = 0;
    bool is_last = false;
    ves_thread_name("ves-follow");
    pthread_mutex_lock(&all->lock);
    while (!is_last) {
        struct news news;
        wait_for_news(all);
        is_last = all->is_stopping;
        take_news(all, &news);
        pthread_mutex_unlock(&all->lock);
        read_heads(server, &news);
        pthread_mutex_lock(&all->lock);
        for (size_t i = 0; i < news.count; i++)
            tell_stream(all, &news.streams[i], news.heads[i]);
        int64_t now_ms = ves_clock_monotonic_ms();
        if (news.is_all || news.is_recheck || is_last ||
            now_ms - looked_ms >= look_ms(all)) {
            tell_others(all, &news);
            looked_ms = now_ms;
        }
    }
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* ---- coming and going ---------------------------------------------------- */

/* The lock is held.  NULL: there is room. */
static const char *why_not(struct ves_followers *all,
                           const struct ves_request *request,
                           const struct ves_stream *stream)
{
    size_t count = 0;
    const struct ves_follower *f = all->buckets[bucket_of(stream)];
    for (; f; f = f->next)
        count += is_same(&f->what.stream, stream);
    if (all->is_stopping)
        return "the sequencer is shutting down";
    if (atomic_load(&all->count) >= VES_FOLLOWERS_MAX)
        return "too many follow this sequencer; ask for pages";
    if (count >= VES_FOLLOWERS_STREAM_MAX)
        return "too many follow this stream; ask for pages";
    if (atomic_load(&request->held->followers) >= VES_FOLLOWERS_KEY_MAX)
        return "too many follow with this API key; ask for pages";
    return NULL;
}

/* Text counts as an answer that was not yet taken. */
static void account(struct ves_follower *f, size_t before)
{
    struct ves_request *request = f->request;
    size_t now = f->text.cap;
    atomic_fetch_add(&request->server->metrics.reply_memory, now - before);
    atomic_fetch_add(&request->held->replies, now - before);
}

bool ves_followers_open(struct ves_request *request,
                        const struct ves_follow *what)
{
    struct ves_server *server = request->server;
    struct ves_followers *all = &server->followers;
    const struct ves_alloc *alloc = server->alloc;
    struct ves_follower *f = alloc->realloc(alloc->ctx, NULL, sizeof(*f));
    if (!f) {
        ves_reply_status(request, VES_NOMEM, NULL);
        return false;
    }
    memset(f, 0, sizeof(*f));
    f->request = request;
    f->what = *what;
    f->key_hash = request->key_hash;
    f->is_stale = true;
    f->due_ms = ves_clock_monotonic_ms() + atomic_load(&all->alive_ms);
    ves_buf_init(&f->text, alloc, VES_REPLY_MAX);
    ves_buf_putf(&f->text, "retry: %d\n\n", RECONNECT_MS);
    pthread_mutex_lock(&all->lock);
    const char *words = why_not(all, request, &what->stream);
    if (!words) {
        struct ves_follower **first = &all->buckets[bucket_of(&what->stream)];
        f->next = *first;
        if (f->next)
            f->next->prev = f;
        *first = f;
        atomic_fetch_add(&request->held->followers, 1);
        ves_metric_add(&server->metrics.followers, 1);
        /* The thread waits without an end while there is nobody. */
        if (atomic_fetch_add(&all->count, 1) == 0)
            pthread_cond_signal(&all->changed);
    }
    pthread_mutex_unlock(&all->lock);
    if (words) {
        ves_buf_free(&f->text);
        alloc->realloc(alloc->ctx, f, 0);
        ves_reply_error(request, 503, NULL, "%s", words);
        return false;
    }
    request->follower = f;
    account(f, 0);
    return true;
}

static void drop_text(struct ves_follower *f)
{
    size_t before = f->text.cap;
    ves_buf_free(&f->text);
    f->taken = 0;
    account(f, before);
}

void ves_followers_close(struct ves_request *request)
{
    struct ves_server *server = request->server;
    struct ves_followers *all = &server->followers;
    struct ves_follower *f = request->follower;
    pthread_mutex_lock(&all->lock);
    VES_ASSERT(!f->is_waiting);
    if (f->prev)
        f->prev->next = f->next;
    else
        all->buckets[bucket_of(&f->what.stream)] = f->next;
    if (f->next)
        f->next->prev = f->prev;
    atomic_fetch_sub(&request->held->followers, 1);
    atomic_fetch_sub(&server->metrics.followers, 1);
    if (atomic_fetch_sub(&all->count, 1) == 1)
        pthread_cond_broadcast(&all->left);
    pthread_mutex_unlock(&all->lock);
    drop_text(f);
    server->alloc->realloc(server->alloc->ctx, f, 0);
    request->follower = NULL;
}

/* ---- what is sent -------------------------------------------------------- */

/* The last thing a follower hears; it goes on from the last id it saw. */
static void put_end(struct ves_follower *f, const char *code, const char *words)
{
    ves_buf_putf(&f->text,
                 "event: end\ndata: {\"code\":\"%s\",\"message\":", code);
    ves_put_text(&f->text, ves_bytes_str(words));
    ves_buf_put_str(&f->text, "}\n\n");
    f->has_ended = true;
}

static void put_head(struct ves_follower *f, uint64_t head)
{
    ves_buf_putf(&f->text,
                 "event: head\nid: %llu\ndata: {\"head_sequence\":%llu}\n\n",
                 (unsigned long long)head, (unsigned long long)head);
    f->what.next = head + 1;
}

static enum ves_status put_event(void *ctx, const struct ves_log_row *row)
{
    struct ves_follower *f = ctx;
    struct ves_items item = {.out = &f->text,
                             .stream = f->what.stream,
                             .with_receipts = f->what.with_receipts};
    if (row->sequence_number != f->what.next)
        return VES_CORRUPT;
    if (f->text.len >= CHUNK)
        return VES_AGAIN; /* stops the scan */
    ves_buf_putf(&f->text,
                 "id: %llu\ndata: ", (unsigned long long)f->what.next);
    size_t start = f->text.len;
    enum ves_status status = ves_items_put(&item, row);
    /* A line break between two tokens would end the field. */
    for (size_t i = start; i < f->text.len; i++) {
        if (f->text.ptr[i] == '\n' || f->text.ptr[i] == '\r')
            f->text.ptr[i] = ' ';
    }
    ves_buf_put_str(&f->text, "\n\n");
    f->what.next++;
    ves_metric_add(&f->request->server->metrics.events_served, 1);
    return status ? status : ves_buf_status(&f->text);
}

static void put_events(struct ves_follower *f, uint64_t head)
{
    struct ves_readers *readers = &f->request->server->readers;
    struct ves_stream_row row;
    uint64_t left = head - f->what.next + 1;
    if (!ves_request_may_hold(f->request)) {
        put_end(f, "SERVICE_UNAVAILABLE",
                "too many answers wait for their clients to take them");
        return;
    }
    struct ves_store *store = ves_readers_take(readers);
    enum ves_status status =
        store->ops->stream_get(store, &f->what.stream, false, &row);
    if (!status)
        status = store->ops->log_read(
            store, row.stream_no, f->what.next,
            left < CHUNK_EVENTS ? (uint32_t)left : CHUNK_EVENTS, put_event, f);
    ves_readers_give(readers, store);
    if (!status || (status == VES_AGAIN && f->text.len >= CHUNK))
        return;
    /* An event may have been cut: only whole ones are sent. */
    ves_buf_free(&f->text);
    put_end(f, "INTERNAL_ERROR", "the log cannot be read");
}

/* ---- the connection's thread --------------------------------------------- */

static void read_head(struct ves_follower *f, uint64_t *head)
{
    struct ves_readers *readers = &f->request->server->readers;
    struct ves_stream_row row;
    struct ves_store *store = ves_readers_take(readers);
    enum ves_status status =
        store->ops->stream_get(store, &f->what.stream, false, &row);
    ves_readers_give(readers, store);
    if (!status && row.head > *head)
        *head = row.head;
    if (status && status != VES_NOT_FOUND)
        put_end(f, "INTERNAL_ERROR", "the log cannot be read");
}

static void check_rights(struct ves_follower *f)
{
    struct ves_caller caller = f->request->caller;
    struct ves_held *held;
    int64_t now_ms = ves_clock_now_ms(), until = f->request->token_until_ms;
    enum ves_auth_result result =
        until ? now_ms < until ? VES_AUTH_OK : VES_AUTH_EXPIRED
              : ves_credentials_check(&f->request->server->credentials,
                                      &f->key_hash, now_ms, &caller, &held);
    if (!result)
        result = ves_auth_allows(&caller, VES_RIGHT_READ,
                                 &f->what.stream.tenant, &f->what.stream.store);
    if (result)
        put_end(f, ves_auth_code(result), ves_auth_words(result));
}

/* What a look under the lock shows. */
struct look {
    uint64_t head, rechecks;
    bool is_stale, is_stopping;
};

static struct look look_at(struct ves_followers *all, struct ves_follower *f)
{
    pthread_mutex_lock(&all->lock);
    struct look look = {.head = f->head,
                        .rechecks = all->rechecks,
                        .is_stale = f->is_stale,
                        .is_stopping = all->is_stopping};
    f->is_stale = false;
    pthread_mutex_unlock(&all->lock);
    return look;
}

/* Suspends the connection unless something has come since the look. */
static bool sleep_on(struct ves_followers *all, struct ves_follower *f,
                     const struct look *look)
{
    pthread_mutex_lock(&all->lock);
    if (f->head < look->head)
        f->head = look->head;
    bool is_quiet = f->head == look->head && !f->is_stale &&
                    all->rechecks == look->rechecks && !all->is_stopping;
    if (is_quiet) {
        f->is_waiting = true;
        ves_http_sleep(f->request);
    }
    pthread_mutex_unlock(&all->lock);
    return is_quiet;
}

/* Makes the next text; false: there is none and the connection sleeps. */
static bool make_text(struct ves_followers *all, struct ves_follower *f)
{
    while (f->text.len == 0) {
        struct look look = look_at(all, f);
        int64_t now_ms = ves_clock_monotonic_ms();
        check_rights(f);
        if (look.is_stale && !f->has_ended)
            read_head(f, &look.head);
        if (f->has_ended)
            break;
        bool is_news = f->what.next <= look.head;
        if (is_news && f->what.is_heads_only)
            put_head(f, look.head);
        else if (look.is_stopping)
            put_end(f, "SERVICE_UNAVAILABLE", "the sequencer is shutting down");
        else if (is_news)
            put_events(f, look.head);
        else if (now_ms >= f->due_ms)
            ves_buf_put_str(&f->text, ": alive\n\n");
        else if (sleep_on(all, f, &look))
            return false;
        f->due_ms = now_ms + atomic_load(&all->alive_ms);
    }
    return true;
}

int64_t ves_followers_take(struct ves_request *request, char *out, size_t max)
{
    struct ves_follower *f = request->follower;
    if (f->text.len == 0) {
        if (f->has_ended)
            return -1;
        if (!make_text(&request->server->followers, f))
            return 0;
        account(f, 0);
        if (ves_buf_status(&f->text))
            return -1;
    }
    size_t left = f->text.len - f->taken;
    size_t n = left < max ? left : max;
    memcpy(out, f->text.ptr + f->taken, n);
    f->taken += n;
    if (f->taken == f->text.len)
        drop_text(f);
    return (int64_t)n;
}

/* ---- life ---------------------------------------------------------------- */

enum ves_status ves_followers_start(struct ves_server *server,
                                    struct ves_error *error)
{
    struct ves_followers *all = &server->followers;
    atomic_store(&all->alive_ms, VES_FOLLOWERS_ALIVE_S * 1000);
    pthread_mutex_init(&all->lock, NULL);
    ves_timed_cond_init(&all->changed);
    ves_timed_cond_init(&all->left);
    all->is_made = true;
    if (pthread_create(&all->thread, NULL, spread, server))
        return ves_fail(error, VES_NOMEM, "no more threads can be made");
    all->is_running = true;
    return VES_OK;
}

void ves_followers_stop(struct ves_server *server, unsigned timeout_ms)
{
    struct ves_followers *all = &server->followers;
    if (!all->is_running)
        return;
    pthread_mutex_lock(&all->lock);
    all->is_stopping = true;
    pthread_cond_signal(&all->changed);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    all->is_running = false;
    pthread_mutex_lock(&all->lock);
    while (atomic_load(&all->count) &&
           ves_timed_wait(&all->left, &all->lock, &timeout_ms))
        continue;
    pthread_mutex_unlock(&all->lock);
}

void ves_followers_deinit(struct ves_server *server)
{
    struct ves_followers *all = &server->followers;
    if (!all->is_made)
        return;
    pthread_cond_destroy(&all->left);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
}
