/* mcp_watch.c -- what ves mcp does between calls: tells subscribers what
 * changed, and lets the setting autoSync have its turns (mcp_follow.c).
 *
 * Does nothing before the first real request: hosts start servers only to see
 * whether they start. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mcp_app.h"

#define EVENT_URI "ves://event/"

enum {
    TICK_MS = 250,
    SETTINGS_MS = 1000,
    UUID_TEXT = 36,
    EVENTS_MAX = 2048, /* somebody subscribes to */
    EVENTS_A_LOOK = 64 /* the others have to wait for the next one */
};

/* An event somebody subscribes to. */
struct watched {
    char uri[sizeof(EVENT_URI) + UUID_TEXT]; /* as they wrote it */
    uint64_t sum; /* of its document, as subscribers know it; 0: not looked */
    bool is_wanted;
};

struct watch {
    struct mcp_app *app;
    char *before; /* what subscribers know; NULL: nothing yet */
    uint64_t conflicts;
    struct watched *events; /* EVENTS_MAX of them, or NULL */
    size_t event_count, next_event;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Counts and positions as one text; freed by the caller. */
static char *fingerprint(struct ves_agent *agent, uint64_t *conflicts)
{
    struct ves_error error = {VES_OK, ""};
    struct ves_jw *jw = cli_writer();
    enum ves_status status = ves_agent_standing(agent, jw, &error);
    struct ves_jr *jr = mcp_read(jw, status, &error);
    char text[1024];

    if (!jr)
        return NULL;
    *conflicts = ves_jr_u64(jr, "/conflictsByType/concurrent_edit") +
                 ves_jr_u64(jr, "/conflictsByType/version_mismatch") +
                 ves_jr_u64(jr, "/conflictsByType/deleted_reference");
    snprintf(text, sizeof(text), "%s %s %s %s %s %s", ves_jr_str(jr, "/health"),
             ves_jr_str(jr, "/counts"), ves_jr_str(jr, "/conflictsByType"),
             ves_jr_str(jr, "/sequence"), ves_jr_str(jr, "/signatureFailures"),
             ves_jr_str(jr, "/sequencer/reachable"));
    ves_jr_free(jr);
    return strdup(text);
}

static void tell(struct watch *w, struct ves_agent *agent)
{
    uint64_t conflicts = 0;
    char *now = fingerprint(agent, &conflicts);

    /* What changed between the first subscription and the first look cannot
     * be known: whoever subscribed then is told to read once too often. */
    if (now && (!w->before || strcmp(now, w->before) != 0)) {
        ves_mcp_updated(w->app->mcp, "ves://status");
        if (!w->before || conflicts != w->conflicts)
            ves_mcp_updated(w->app->mcp, "ves://conflicts");
    }
    if (now) {
        free(w->before);
        w->before = now;
        w->conflicts = conflicts;
    }
}

/* ---- single events ------------------------------------------------------- */

bool mcp_has_event(void *ctx, const char *variable)
{
    struct mcp_app *app = ctx;
    struct ves_uuid id;
    bool is_there = false;

    if (strlen(variable) > UUID_TEXT || !mcp_uuid(variable, &id))
        return false;
    struct ves_agent *agent = mcp_take_quietly(app);
    if (!agent)
        return false;
    if (ves_agent_has_event(agent, &id, &is_there, NULL))
        is_there = false;
    mcp_give(app, agent);
    return is_there;
}

static void see_event(void *ctx, const char *uri)
{
    struct watch *w = ctx;
    struct watched *e = w->events;

    for (size_t i = 0; i < w->event_count; i++, e++) {
        if (strcmp(e->uri, uri) == 0) {
            e->is_wanted = true;
            return;
        }
    }
    if (w->event_count == EVENTS_MAX || strlen(uri) >= sizeof(e->uri))
        return;
    *e = (struct watched){.is_wanted = true};
    memcpy(e->uri, uri, strlen(uri) + 1);
    w->event_count++;
}

/* Who is subscribed to now; what was known of the others is forgotten. */
static void find_events(struct watch *w)
{
    size_t n = 0;

    if (!w->events)
        w->events = calloc(EVENTS_MAX, sizeof(*w->events));
    if (!w->events)
        return;
    for (size_t i = 0; i < w->event_count; i++)
        w->events[i].is_wanted = false;
    ves_mcp_each_watched(w->app->mcp, EVENT_URI, see_event, w);
    for (size_t i = 0; i < w->event_count; i++) {
        if (w->events[i].is_wanted)
            w->events[n++] = w->events[i];
    }
    w->event_count = n;
}

/* Of an event's document; 0: it cannot be had.  FNV-1a: nobody gains by making
 * two of the same. */
static uint64_t sum_of(struct ves_agent *agent, const char *uri)
{
    struct ves_jw *jw = cli_writer();
    uint64_t sum = 14695981039346656037u;
    struct ves_uuid id;

    if (!mcp_uuid(uri + sizeof(EVENT_URI) - 1, &id) ||
        ves_agent_show(agent, &id, jw, NULL)) {
        ves_jw_free(jw);
        return 0;
    }
    struct ves_bytes doc = ves_jw_view(jw);
    for (size_t i = 0; i < doc.len; i++)
        sum = (sum ^ doc.ptr[i]) * 1099511628211u;
    ves_jw_free(jw);
    return sum ? sum : 1;
}

static void tell_events(struct watch *w, struct ves_agent *agent)
{
    find_events(w);
    for (size_t i = 0; i < w->event_count && i < EVENTS_A_LOOK; i++) {
        struct watched *e = &w->events[w->next_event++ % w->event_count];
        uint64_t sum = sum_of(agent, e->uri);
        if (!sum || sum == e->sum)
            continue;
        /* As with the status: the first look tells, too. */
        e->sum = sum;
        ves_mcp_updated(w->app->mcp, e->uri);
    }
}

/* ---- turns --------------------------------------------------------------- */

static void *watch(void *ctx)
{
    struct watch w = {.app = ctx};
    struct mcp_following *following = mcp_follow_new(w.app);
    int64_t looked_ms = 0;

    while (!atomic_load(&w.app->is_ending)) {
        mcp_follow_wait(following, TICK_MS);
        bool is_watched = ves_mcp_is_watched(w.app->mcp);
        bool looks_at_settings = following && ves_mcp_is_used(w.app->mcp) &&
                                 now_ms() - looked_ms >= SETTINGS_MS;
        if (!is_watched && !looks_at_settings)
            continue;
        struct ves_agent *agent = mcp_take_quietly(w.app);
        if (!agent)
            continue;
        if (looks_at_settings) {
            mcp_follow_settings(following, agent);
            looked_ms = now_ms();
        }
        if (is_watched) {
            tell(&w, agent);
            tell_events(&w, agent);
        }
        mcp_give(w.app, agent);
    }
    mcp_follow_free(following);
    free(w.before);
    free(w.events);
    return NULL;
}

void mcp_watch_start(struct mcp_app *app)
{
    app->has_watcher = pthread_create(&app->watcher, NULL, watch, app) == 0;
}

void mcp_watch_stop(struct mcp_app *app)
{
    atomic_store(&app->is_ending, true);
    if (app->has_watcher)
        pthread_join(app->watcher, NULL);
    app->has_watcher = false;
}
