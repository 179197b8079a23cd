/* refresh.c -- what other processes did: API keys, events. */
#include "server/refresh.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "os/clock.h"
#include "os/process.h"
#include "pg/store_pg.h"
#include "server/server.h"
#include "server/storage.h"

enum { ARENA_MAX = 64 * 1024, MARK_MAX = 256, PROCESSES_MAX = 1000 };

static bool is_news(struct ves_refresh *refresh, struct ves_bytes mark)
{
    return !ves_bytes_equal(ves_buf_view(&refresh->seen), mark);
}

/* The mark before the keys: what changes in between is seen the next time. */
static enum ves_status look(struct ves_server *server, struct ves_arena *arena)
{
    struct ves_refresh *refresh = &server->refresh;
    struct ves_store *store = refresh->reader;
    struct ves_bytes mark;
    enum ves_status status =
        store->ops->meta_get(store, VES_STORE_PG_CREDENTIALS, arena, &mark);

    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status || !is_news(refresh, mark))
        return status;
    status = ves_credentials_load(&server->credentials, store);
    if (status)
        return status;
    ves_buf_reset(&refresh->seen);
    ves_buf_put_bytes(&refresh->seen, mark);
    ves_followers_recheck(server);
    return VES_OK;
}

static enum ves_status note(void *ctx, const struct ves_stream_row *row)
{
    ves_followers_note(ctx, &row->stream);
    return VES_OK;
}

/* Rates are for all who serve the database. */
static enum ves_status count_servers(struct ves_server *server)
{
    uint64_t count;
    enum ves_status status =
        ves_store_pg_serving(server->refresh.reader, &count);

    if (!status && count > 0 && count <= PROCESSES_MAX)
        atomic_store(&server->rates.parts, (unsigned)count);
    return status;
}

/* Others may have made streams grow that are followed here. */
static enum ves_status look_at_streams(struct ves_server *server)
{
    struct ves_refresh *refresh = &server->refresh;
    struct ves_store *store = refresh->reader;

    refresh->looked_ms = ves_clock_monotonic_ms();
    enum ves_status status = count_servers(server);
    return !status && atomic_load(&server->followers.count) > 0
               ? store->ops->stream_list(store, note, server)
               : status;
}

/* ---- telling and hearing ------------------------------------------------- */

static void wake(struct ves_refresh *refresh)
{
    const uint64_t one = 1;

    (void)!write(refresh->wake_fd, &one, sizeof(one));
}

void ves_refresh_note(struct ves_server *server,
                      const struct ves_stream *stream)
{
    struct ves_refresh *refresh = &server->refresh;
    size_t i = 0;

    if (!refresh->is_running)
        return;
    pthread_mutex_lock(&refresh->lock);
    while (i < refresh->noted_count &&
           !ves_stream_equal(&refresh->noted[i], stream))
        i++;
    bool is_first = refresh->noted_count == 0;
    if (i == VES_REFRESH_NOTED_MAX)
        refresh->is_any_noted = true;
    else if (i == refresh->noted_count)
        refresh->noted[refresh->noted_count++] = *stream;
    pthread_mutex_unlock(&refresh->lock);
    if (is_first)
        wake(refresh);
}

static enum ves_status tell(struct ves_refresh *refresh)
{
    struct ves_stream noted[VES_REFRESH_NOTED_MAX];

    pthread_mutex_lock(&refresh->lock);
    size_t count = refresh->noted_count;
    bool is_any = refresh->is_any_noted;
    memcpy(noted, refresh->noted, count * sizeof(noted[0]));
    refresh->noted_count = 0;
    refresh->is_any_noted = false;
    pthread_mutex_unlock(&refresh->lock);
    if (count == 0 && !is_any)
        return VES_OK;
    enum ves_status status =
        ves_store_pg_notify(refresh->reader, is_any ? NULL : noted, count);
    if (status) {
        pthread_mutex_lock(&refresh->lock);
        refresh->is_any_noted = true;
        pthread_mutex_unlock(&refresh->lock);
    }
    return status;
}

static void hear(void *ctx, const struct ves_stream *stream)
{
    struct ves_server *server = ctx;

    ves_metric_add(&server->metrics.notices_heard, 1);
    if (stream)
        ves_followers_note(server, stream);
    else
        server->refresh.looked_ms = 0;
}

/* Waits for something to tell, to hear, or to look at. */
static void wait_for_news(struct ves_refresh *refresh, int socket)
{
    struct pollfd from[] = {{.fd = refresh->wake_fd, .events = POLLIN},
                            {.fd = socket, .events = POLLIN}};
    uint64_t ignored;

    if (poll(from, 2, VES_REFRESH_MS) > 0 && from[0].revents)
        (void)!read(refresh->wake_fd, &ignored, sizeof(ignored));
}

/* One round; whatever came is there when it ends. */
static enum ves_status go_round(struct ves_server *server,
                                struct ves_arena *arena)
{
    struct ves_refresh *refresh = &server->refresh;
    struct ves_store *store = refresh->reader;
    enum ves_status status = tell(refresh);

    if (!ves_store_pg_hear(store, hear, server))
        refresh->looked_ms = 0;
    int64_t now_ms = ves_clock_monotonic_ms();
    if (!status && now_ms - refresh->keys_ms >= VES_REFRESH_MS) {
        refresh->keys_ms = now_ms;
        status = look(server, arena);
    }
    if (!status &&
        (refresh->looked_ms == 0 ||
         now_ms - refresh->looked_ms >= atomic_load(&refresh->streams_ms)))
        status = look_at_streams(server);
    return status;
}

static bool is_to_stop(struct ves_refresh *refresh)
{
    pthread_mutex_lock(&refresh->lock);
    bool is_stopping = refresh->is_stopping;
    pthread_mutex_unlock(&refresh->lock);
    return is_stopping;
}

static void *watch(void *ctx)
{
    struct ves_server *server = ctx;
    struct ves_refresh *refresh = &server->refresh;
    struct ves_arena arena;
    bool has_failed = false, is_new;

    ves_thread_name("ves-refresh");
    ves_arena_init(&arena, server->alloc, ARENA_MAX);
    while (!is_to_stop(refresh)) {
        int socket = ves_store_pg_listen(refresh->reader, &is_new);
        enum ves_status status = VES_IO;

        /* What was told before somebody listened is not told again. */
        if (is_new)
            refresh->looked_ms = 0;
        if (socket >= 0)
            status = go_round(server, &arena);
        if (status && !has_failed)
            ves_log_say(&server->log, VES_LOG_ERROR, "refresh_failed",
                        refresh->reader->error.text);
        has_failed = status != VES_OK;
        ves_arena_reset(&arena);
        wait_for_news(refresh, has_failed ? -1 : socket);
    }
    /* The last commits came before. */
    (void)!tell(refresh);
    ves_arena_free(&arena);
    return NULL;
}

/* ---- life ---------------------------------------------------------------- */

enum ves_status ves_refresh_start(struct ves_server *server,
                                  struct ves_store *reader,
                                  struct ves_error *error)
{
    struct ves_refresh *refresh = &server->refresh;

    refresh->reader = reader;
    ves_buf_init(&refresh->seen, server->alloc, MARK_MAX);
    pthread_mutex_init(&refresh->lock, NULL);
    atomic_store(&refresh->streams_ms, VES_REFRESH_STREAMS_MS);
    refresh->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (refresh->wake_fd < 0 ||
        pthread_create(&refresh->thread, NULL, watch, server)) {
        if (refresh->wake_fd >= 0)
            (void)close(refresh->wake_fd);
        pthread_mutex_destroy(&refresh->lock);
        ves_storage_close(reader);
        return ves_fail(error, VES_NOMEM, "no more threads can be made");
    }
    refresh->is_running = true;
    return VES_OK;
}

void ves_refresh_stop(struct ves_server *server)
{
    struct ves_refresh *refresh = &server->refresh;

    if (!refresh->is_running)
        return;
    pthread_mutex_lock(&refresh->lock);
    refresh->is_stopping = true;
    pthread_mutex_unlock(&refresh->lock);
    wake(refresh);
    pthread_join(refresh->thread, NULL);
    refresh->is_running = false;
    (void)close(refresh->wake_fd);
    pthread_mutex_destroy(&refresh->lock);
    ves_buf_free(&refresh->seen);
    ves_storage_close(refresh->reader);
}

bool ves_refresh_find(struct ves_server *server,
                      const struct ves_hash *key_hash)
{
    struct ves_credential_row row;
    struct ves_arena arena;

    if (!server->refresh.is_running)
        return false;
    ves_arena_init(&arena, server->alloc, ARENA_MAX);
    struct ves_store *store = ves_readers_take(&server->readers);
    enum ves_status status =
        store->ops->credential_get(store, key_hash, &arena, &row);
    ves_readers_give(&server->readers, store);
    if (!status)
        status = ves_credentials_put(&server->credentials, &row);
    ves_arena_free(&arena);
    return status == VES_OK;
}
