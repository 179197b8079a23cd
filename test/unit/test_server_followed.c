/* test_server_followed.c -- tills that follow a sequencer of this process: the
 * threads of both ends together, where ThreadSanitizer sees them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "os/clock.h"
#include "test/lib/test_serve.h"
#include "ves/sync.h"

enum { PATIENCE_MS = 60000, NAP_US = 1000, ROUNDS = 8, NEWS_MS = 30000 };

static struct test_serve serve;

/* Syncs whenever there is news, as ves sync --watch does. */
struct till {
    char path[128];
    pthread_t thread;
    struct ves_agent *writer; /* another handle of the same store */
    atomic_bool is_stopping;
    atomic_uint lived, lost; /* how often */
};

static struct till a, b;

static void need(enum ves_status status, const struct ves_error *error)
{
    if (status)
        fail_msg("%s", error->text);
}

static bool goes_on(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct till *till = ctx;

    (void)what;
    (void)done;
    (void)total;
    return !atomic_load(&till->is_stopping);
}

/* Says nothing through cmocka, whose failures are of one thread. */
static void *follow(void *ctx)
{
    struct till *till = ctx;
    const struct ves_agent_options options = {.path = till->path};
    const struct ves_sync_options how = {.progress = goes_on,
                                         .progress_ctx = till};
    struct ves_sync_report report = {.pull = {.cursor = 0}};
    struct ves_follow_news news;
    struct ves_error error;
    struct ves_agent *agent;
    struct ves_follow *f;

    if (ves_agent_open(&options, &agent, &error))
        return NULL;
    if (ves_follow_start(agent, &how, &f, &error) == VES_OK) {
        while (!atomic_load(&till->is_stopping)) {
            (void)!ves_sync(agent, &how, &report, &error);
            ves_follow_wait(f, report.pull.cursor, NEWS_MS, &news);
            if (news.is_changed)
                atomic_fetch_add(news.is_live ? &till->lived : &till->lost, 1);
        }
        ves_follow_stop(f);
    }
    ves_agent_close(agent);
    return NULL;
}

static void begin(struct till *till, const char *name)
{
    char key_file[128];
    const struct ves_invite_options what = {.url = ves_server_url(serve.server),
                                            .key_file = key_file,
                                            .stream = &serve.stream,
                                            .uses = 1,
                                            .valid_s = 3600};
    struct ves_join_options join = {.seal_key = false};
    char invitation[4096];
    struct ves_stream stream;
    struct ves_error error;

    snprintf(till->path, sizeof(till->path), "%s/%s", serve.folder, name);
    snprintf(key_file, sizeof(key_file), "%s.admin-key", serve.db);
    need(ves_invite(&what, invitation, sizeof(invitation), &stream, &error),
         &error);
    join.store.path = till->path;
    join.invitation = ves_bytes_str(invitation);
    need(ves_join(&join, &till->writer, &error), &error);
    assert_int_equal(pthread_create(&till->thread, NULL, follow, till), 0);
}

static void end(struct till *till)
{
    atomic_store(&till->is_stopping, true);
    assert_int_equal(pthread_join(till->thread, NULL), 0);
    ves_agent_close(till->writer);
}

static void await(atomic_uint *count, unsigned want)
{
    int64_t end_ms = ves_clock_monotonic_ms() + PATIENCE_MS;

    while (atomic_load(count) < want) {
        assert_true(ves_clock_monotonic_ms() < end_ms);
        (void)usleep(NAP_US);
    }
}

/* One event that from's file gets, and nobody pushes but who follows. */
static void pass(struct till *from, struct till *to, int number)
{
    static const char payload[] = "{\"currency\":\"EUR\"}";
    int64_t end_ms = ves_clock_monotonic_ms() + PATIENCE_MS;
    struct ves_uuid event;
    struct ves_error error;
    bool is_there = false;
    char id[32];

    snprintf(id, sizeof(id), "F-%d", number);
    const struct ves_append what = {
        .type = "order.created",
        .aggregate_id = id,
        .payload = ves_bytes(payload, sizeof(payload) - 1)};
    need(ves_append(from->writer, &what, &event, &error), &error);
    while (!is_there) {
        need(ves_agent_has_event(to->writer, &event, &is_there, &error),
             &error);
        assert_true(ves_clock_monotonic_ms() < end_ms);
        (void)usleep(NAP_US);
    }
}

static void tills_hear_of_each_other(void **state)
{
    (void)state;
    begin(&a, "a.db");
    begin(&b, "b.db");
    await(&a.lived, 1);
    await(&b.lived, 1);
    for (int i = 0; i < ROUNDS; i += 2) {
        pass(&a, &b, i);
        pass(&b, &a, i + 1);
    }
    /* Gone, and back where it was. */
    char listen[sizeof(serve.http.url)];
    snprintf(listen, sizeof(listen), "%s",
             ves_server_url(serve.server) + strlen("http://"));
    serve.options.listen = listen;
    test_serve_stop(&serve);
    await(&a.lost, 1);
    await(&b.lost, 1);
    test_serve_start(&serve);
    await(&a.lived, 2);
    await(&b.lived, 2);
    pass(&b, &a, ROUNDS);
    end(&a);
    end(&b);
}

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tills_hear_of_each_other, set_up,
                                        tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
