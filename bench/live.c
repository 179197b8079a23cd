/* live.c -- from one till's commit to the other's: how long it takes until
 * what one appended is verified and applied at the other, over a sequencer.
 *
 * bench/live runs it: live A.db B.db ROUNDS pushes | watches
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ves/sync.h"

enum { ROUNDS_MAX = 10000, PAUSE_US = 20000, LOOK_US = 300, WAIT_MS = 60000 };

/* A till on a thread of its own that follows, as ves sync --watch does. */
struct till {
    const char *path;
    pthread_t thread;
    atomic_bool is_stopping, is_live;
};

static double now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void need(enum ves_status status, const struct ves_error *error)
{
    if (status == VES_OK)
        return;
    fprintf(stderr, "live: %s\n", error->text);
    exit(1);
}

static struct ves_agent *open_store(const char *path, bool is_read_only)
{
    const struct ves_agent_options options = {.path = path,
                                              .is_read_only = is_read_only};
    struct ves_error error = {VES_OK, ""};
    struct ves_agent *agent;

    need(ves_agent_open(&options, &agent, &error), &error);
    return agent;
}

static bool goes_on(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct till *till = ctx;

    (void)what;
    (void)done;
    (void)total;
    return !atomic_load(&till->is_stopping);
}

static void *follow(void *ctx)
{
    struct till *till = ctx;
    struct ves_agent *agent = open_store(till->path, false);
    const struct ves_sync_options options = {
        .is_automatic = true, .progress = goes_on, .progress_ctx = till};
    struct ves_error error = {VES_OK, ""};
    struct ves_sync_report report = {.pull = {.cursor = 0}};
    struct ves_follow_news news;
    struct ves_follow *f;

    need(ves_follow_start(agent, &options, &f, &error), &error);
    while (!atomic_load(&till->is_stopping)) {
        if (ves_sync(agent, &options, &report, &error) &&
            !atomic_load(&till->is_stopping))
            fprintf(stderr, "live: %s\n", error.text);
        ves_follow_wait(f, report.pull.cursor, WAIT_MS, &news);
        atomic_store(&till->is_live, news.is_live);
    }
    ves_follow_stop(f);
    ves_agent_close(agent);
    return NULL;
}

static void start(struct till *till, const char *path)
{
    memset(till, 0, sizeof(*till));
    till->path = path;
    if (pthread_create(&till->thread, NULL, follow, till))
        exit(1);
    while (!atomic_load(&till->is_live))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

static void stop(struct till *till)
{
    atomic_store(&till->is_stopping, true);
    pthread_join(till->thread, NULL);
}

/* Until the other store has it, verified and applied, as any reader of that
 * file sees it. */
static double applied_at(struct ves_agent *reader, const struct ves_uuid *id)
{
    struct ves_error error = {VES_OK, ""};
    bool is_there = false;

    for (;;) {
        need(ves_agent_has_event(reader, id, &is_there, &error), &error);
        if (is_there)
            return now_ms();
        nanosleep(&(struct timespec){0, LOOK_US * 1000}, NULL);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* One event of this till's; how long it took to the other one. */
static double one_round(struct ves_agent *agent, struct ves_agent *reader,
                        int i, bool pushes)
{
    static const char payload[] = "{\"currency\":\"EUR\"}";
    struct ves_error error = {VES_OK, ""};
    struct ves_push_report report;
    struct ves_uuid event_id;
    char id[64];

    snprintf(id, sizeof(id), "LIVE-%d-%d", (int)pushes, i);
    const struct ves_append what = {
        .type = "order.created",
        .aggregate_id = id,
        .payload = {(const uint8_t *)payload, sizeof(payload) - 1}};
    need(ves_append(agent, &what, &event_id, &error), &error);
    double began = now_ms();
    if (pushes)
        need(ves_push(agent, NULL, &report, &error), &error);
    return applied_at(reader, &event_id) - began;
}

int main(int argc, char **argv)
{
    static double took[ROUNDS_MAX];
    struct till a, b;
    int rounds = argc == 5 ? (int)strtol(argv[3], NULL, 10) : 0;

    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: live A.db B.db ROUNDS pushes|watches\n");
        return 2;
    }
    bool pushes = strcmp(argv[4], "pushes") == 0;
    start(&b, argv[2]);
    if (!pushes)
        start(&a, argv[1]);
    struct ves_agent *agent = open_store(argv[1], false);
    struct ves_agent *reader = open_store(argv[2], true);
    for (int i = 0; i < rounds; i++) {
        took[i] = one_round(agent, reader, i, pushes);
        nanosleep(&(struct timespec){0, PAUSE_US * 1000}, NULL);
    }
    qsort(took, (size_t)rounds, sizeof(took[0]), by_size);
    printf("%-44s p50 %6.2f ms   p99 %6.2f ms   longest %6.2f ms\n",
           pushes ? "appended and pushed to applied by the other"
                  : "appended, pushed by who watches, to applied",
           took[rounds / 2], took[rounds * 99 / 100], took[rounds - 1]);
    ves_agent_close(reader);
    ves_agent_close(agent);
    if (!pushes)
        stop(&a);
    stop(&b);
    return 0;
}
