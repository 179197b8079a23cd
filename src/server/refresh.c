/* refresh.c -- what other processes did: API keys, events. */
#include "server/refresh.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/error.h"
#include "os/process.h"
#include "os/timed.h"
#include "pg/store_pg.h"
#include "server/server.h"
#include "server/storage.h"

enum { ARENA_MAX = 64 * 1024, MARK_MAX = 256 };

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

/* Others may have made streams grow that are followed here. */
static enum ves_status look_at_streams(struct ves_server *server)
{
    struct ves_store *store = server->refresh.reader;

    return atomic_load(&server->followers.count) > 0
               ? store->ops->stream_list(store, note, server)
               : VES_OK;
}

static void *watch(void *ctx)
{
    struct ves_server *server = ctx;
    struct ves_refresh *refresh = &server->refresh;
    struct ves_arena arena;
    bool has_failed = false;

    ves_thread_name("ves-refresh");
    ves_arena_init(&arena, server->alloc, ARENA_MAX);
    pthread_mutex_lock(&refresh->lock);
    while (!refresh->is_stopping) {
        struct timespec at = ves_timed_after(VES_REFRESH_MS);

        (void)pthread_cond_timedwait(&refresh->changed, &refresh->lock, &at);
        if (refresh->is_stopping)
            break;
        pthread_mutex_unlock(&refresh->lock);
        enum ves_status status = look(server, &arena);
        if (!status)
            status = look_at_streams(server);
        if (status && !has_failed)
            ves_log_say(&server->log, VES_LOG_ERROR, "refresh_failed",
                        refresh->reader->error.text);
        has_failed = status != VES_OK;
        ves_arena_reset(&arena);
        pthread_mutex_lock(&refresh->lock);
    }
    pthread_mutex_unlock(&refresh->lock);
    ves_arena_free(&arena);
    return NULL;
}

enum ves_status ves_refresh_start(struct ves_server *server,
                                  struct ves_store *reader,
                                  struct ves_error *error)
{
    struct ves_refresh *refresh = &server->refresh;

    refresh->reader = reader;
    ves_buf_init(&refresh->seen, server->alloc, MARK_MAX);
    pthread_mutex_init(&refresh->lock, NULL);
    ves_timed_cond_init(&refresh->changed);
    if (pthread_create(&refresh->thread, NULL, watch, server)) {
        pthread_cond_destroy(&refresh->changed);
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
    pthread_cond_signal(&refresh->changed);
    pthread_mutex_unlock(&refresh->lock);
    pthread_join(refresh->thread, NULL);
    refresh->is_running = false;
    pthread_cond_destroy(&refresh->changed);
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
