/* mcp_follow.c -- the setting autoSync: follows the sequencer's stream as "ves
 * sync --watch" does, with a handle of its own, and asks from time to time
 * where that cannot be had. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mcp_app.h"

enum {
    LIVE_PAUSE_MS = 60000, /* followed and idle */
    RETRY_MS = 1000        /* then twice as long, up to the interval */
};

struct mcp_following {
    struct mcp_app *app;
    struct ves_agent *agent;   /* NULL: autoSync is off */
    struct ves_follow *follow; /* NULL: asks only */
    struct ves_sync_report *report;
    uint64_t interval_ms;
    bool is_live, is_idle;
    uint64_t retry_ms; /* to what the last round left undone; 0: nothing */
    int64_t synced_ms; /* 0: not yet */
    int64_t deaf_ms;   /* until then nobody makes it ask */
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool keep_going(void *ctx, const char *what, uint64_t done,
                       uint64_t total)
{
    struct mcp_app *app = ctx;

    (void)what;
    (void)done;
    (void)total;
    return !atomic_load(&app->is_ending);
}

struct mcp_following *mcp_follow_new(struct mcp_app *app)
{
    struct mcp_following *f = calloc(1, sizeof(*f));

    if (f)
        f->app = app;
    return f;
}

static void stop(struct mcp_following *f)
{
    ves_follow_stop(f->follow);
    ves_agent_close(f->agent);
    free(f->report);
    *f = (struct mcp_following){.app = f->app};
    atomic_store(&f->app->delivery, MCP_NO_DELIVERY);
}

void mcp_follow_free(struct mcp_following *f)
{
    if (!f)
        return;
    stop(f);
    free(f);
}

static void start(struct mcp_following *f)
{
    const struct ves_sync_options options = {.progress = keep_going,
                                             .progress_ctx = f->app};

    f->agent = mcp_open_quietly(f->app);
    f->report = calloc(1, sizeof(*f->report));
    if (!f->agent || !f->report) {
        stop(f);
        return;
    }
    if (ves_follow_start(f->agent, &options, &f->follow, NULL))
        f->follow = NULL;
    atomic_store(&f->app->delivery, MCP_POLLING);
}

void mcp_follow_settings(struct mcp_following *f, struct ves_agent *agent)
{
    struct ves_agent_info info;

    ves_agent_info(agent, &info);
    f->interval_ms = ves_agent_setting(agent, "syncIntervalMs");
    bool is_wanted = !f->app->is_read_only && !f->app->is_preview &&
                     info.url[0] && ves_agent_setting(agent, "autoSync");
    if (is_wanted && !f->agent)
        start(f);
    else if (!is_wanted && f->agent)
        stop(f);
}

static void sync(struct mcp_following *f, bool is_told)
{
    struct ves_sync_options options = {
        .is_automatic = true, .progress = keep_going, .progress_ctx = f->app};
    struct ves_error error = {VES_OK, ""};
    struct ves_sync_report *report = f->report;

    memset(report, 0, sizeof(*report));
    /* Being offline is normal; what failed is tried again. */
    pthread_mutex_lock(&f->app->sync_lock);
    enum ves_status status = ves_sync(f->agent, &options, report, &error);
    pthread_mutex_unlock(&f->app->sync_lock);
    f->synced_ms = now_ms();
    f->is_idle = !status && !report->push.attempted && !report->pull.received &&
                 !report->ack.acknowledged;
    if (!status && report->push.remaining == 0)
        f->retry_ms = 0;
    else
        f->retry_ms = f->retry_ms ? 2 * f->retry_ms : RETRY_MS;
    if (is_told && f->is_idle)
        f->deaf_ms = f->synced_ms + RETRY_MS;
}

static uint64_t pause_of(const struct mcp_following *f)
{
    uint64_t pause = f->interval_ms;

    if (f->is_live && f->retry_ms)
        return f->retry_ms < pause ? f->retry_ms : pause;
    return f->is_live && f->is_idle && pause < LIVE_PAUSE_MS ? LIVE_PAUSE_MS
                                                             : pause;
}

static void nap(uint32_t ms)
{
    const struct timespec step = {ms / 1000, ms % 1000 * 1000000L};

    nanosleep(&step, NULL);
}

void mcp_follow_wait(struct mcp_following *f, uint32_t ms)
{
    struct ves_follow_news news = {.is_live = false};
    bool is_deaf = !f || !f->follow || now_ms() < f->deaf_ms;

    if (is_deaf)
        nap(ms);
    else
        ves_follow_wait(f->follow, f->report->pull.cursor, ms, &news);
    if (!f || !f->agent || atomic_load(&f->app->is_ending))
        return;
    if (!is_deaf) {
        f->is_live = news.is_live;
        atomic_store(&f->app->delivery,
                     news.is_live ? MCP_STREAM : MCP_POLLING);
    }
    if (news.is_remote || news.is_local || !f->synced_ms ||
        now_ms() - f->synced_ms >= (int64_t)pause_of(f))
        sync(f, news.is_remote);
}
