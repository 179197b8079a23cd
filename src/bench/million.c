/* million.c -- a million events in one stream: does anything get slower? */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "bench/bench.h"
#include "ves/json.h"
#include "ves/sync.h"

enum {
    MILLION = 1000000,
    PARTS = 10, /* the first against the last */
    SLICES = 5, /* of a part */
    ROUNDS = 3, /* fresh ones, of a part each */
    TURNS = ROUNDS * SLICES,
    TRIMMED = 1,   /* the fastest and the slowest slices that do not count */
    CHUNK = 50000, /* events signed ahead: what the generator holds */
    BATCH = 500,
    CONNECTIONS = 4,
    BULK = 1000, /* appends in one transaction */
    STATUS_RUNS = 9,
    STATUS_MS = 20,
    MEMORY_MB = 200,
    PAYLOAD_MAX = 4096,
    DOCUMENT_MAX = 16 * 1024 * 1024
};

/* Slower means: by more than the machine's own unrest. */
#define STEADY 0.9

/* Files of what begins only when the last tenth does. */
#define TWIN "twin"

/* What is done a million times. */
struct task {
    struct ves_bench_run *run;
    const char *name;
    struct ves_agent *agent; /* NULL for ingest */
    /* Does it for so many events after the first ones; adds the time. */
    enum ves_status (*work)(struct task *task, uint64_t first, uint64_t events,
                            double *seconds);
    /* The same task of one that begins now, and its end. */
    enum ves_status (*begin_fresh)(struct task *task, struct task *fresh);
    void (*end_fresh)(struct task *task, struct task *fresh);
};

static uint64_t million(const struct ves_bench_run *run)
{
    return run->options->million ? run->options->million : MILLION;
}

/* All but the last part, and then what is compared with fresh ones. */
static uint64_t before_last(const struct ves_bench_run *run)
{
    return million(run) - million(run) / PARTS;
}

static uint64_t slice(const struct ves_bench_run *run)
{
    return million(run) / PARTS / SLICES;
}

static uint64_t total(const struct ves_bench_run *run)
{
    return before_last(run) + TURNS * slice(run);
}

static enum ves_status show(const struct task *task, uint64_t done)
{
    return ves_bench_step(task->run, task->name, done, total(task->run));
}

/* ---- does it get slower? --------------------------------------------------
 */

/* Times of each slice, and their sum without the extreme ones: whether a WAL is
 * copied two or three times in one makes a fifth of its time. */
struct times {
    double slices[TURNS];
};

static int compare_times(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sum_of(const struct times *times)
{
    double sorted[TURNS], sum = 0;
    memcpy(sorted, times->slices, sizeof(sorted));
    qsort(sorted, TURNS, sizeof(sorted[0]), compare_times);
    for (size_t i = TRIMMED; i < TURNS - TRIMMED; i++)
        sum += sorted[i];
    return sum;
}

/* One slice of the long one beyond nine tenths and one of a fresh one's first
 * tenth, one right after the other, so that both have the same machine; who
 * goes first takes turns. */
static enum ves_status measure_turn(struct task *task, struct task *fresh,
                                    size_t turn, struct times *last,
                                    struct times *first)
{
    uint64_t events = slice(task->run);
    uint64_t at = before_last(task->run) + turn * events;
    uint64_t fresh_at = turn % SLICES * events;
    enum ves_status status = VES_OK;
    if (turn % 2 == 0)
        status = task->work(task, at, events, &last->slices[turn]);
    if (!status)
        status = fresh->work(fresh, fresh_at, events, &first->slices[turn]);
    if (!status && turn % 2 == 1)
        status = task->work(task, at, events, &last->slices[turn]);
    return status;
}

static enum ves_status measure_round(struct task *task, size_t round,
                                     struct times *last, struct times *first)
{
    struct task fresh = *task;
    enum ves_status status = task->begin_fresh(task, &fresh);
    if (status)
        return status;
    for (size_t i = 0; !status && i < SLICES; i++)
        status = measure_turn(task, &fresh, round * SLICES + i, last, first);
    task->end_fresh(task, &fresh);
    return status;
}

/* Beyond nine tenths beside the first tenths of some that begin only then:
 * minutes lie between a stream's own first tenth and its last, and the machine
 * is another after them. */
static enum ves_status measure_growth(struct task *task, const char *title)
{
    uint64_t all = million(task->run), part = all / PARTS;
    struct times last = {{0}}, first = {{0}};
    double ratios[TURNS], own_first = 0, rest = 0;
    enum ves_status status = task->work(task, 0, part, &own_first);
    if (!status)
        status = task->work(task, part, before_last(task->run) - part, &rest);
    for (size_t round = 0; !status && round < ROUNDS; round++)
        status = measure_round(task, round, &last, &first);
    if (status)
        return status;
    for (size_t i = 0; i < TURNS; i++)
        ratios[i] = first.slices[i] / last.slices[i];
    double middle = ves_bench_middle(ratios, TURNS);
    double rate =
        (double)((TURNS - 2 * TRIMMED) * slice(task->run)) / sum_of(&last);
    struct ves_bench_figure figure = {.name = title,
                                      .unit = "events/s",
                                      .limit_name = "fresh ones' first tenths",
                                      .figure = rate,
                                      .limit =
                                          rate * sum_of(&last) / sum_of(&first),
                                      .target = STEADY};
    snprintf(figure.note, sizeof(figure.note),
             "until then: %.0f events/s, its own first tenth: %.0f; %d slices "
             "in turn with the fresh ones': ratios %.2f to %.2f, middle %.2f",
             (double)before_last(task->run) / (own_first + rest),
             (double)part / own_first, TURNS, ratios[0], ratios[TURNS - 1],
             middle);
    ves_bench_add(task->run, &figure);
    return VES_OK;
}

static void add_ceiling(struct ves_bench_run *run, const char *name,
                        const char *unit, double figure, double limit,
                        const char *note)
{
    struct ves_bench_figure out = {.name = name,
                                   .unit = unit,
                                   .limit_name = "what is allowed",
                                   .figure = figure,
                                   .limit = limit,
                                   .target = 1,
                                   .is_ceiling = true};
    snprintf(out.note, sizeof(out.note), "%s", note);
    ves_bench_add(run, &out);
}

static void add_memory(struct ves_bench_run *run, const char *name)
{
    double now, most;
    char note[64];
    ves_bench_server_memory(&run->server, &now, &most);
    snprintf(note, sizeof(note), "at the end %.0f MB", now);
    add_ceiling(run, name, "MB", most, MEMORY_MB, note);
}

/* ---- ingest ---------------------------------------------------------------
 */

/* Makes, sends and checks; only sending is on the clock. */
static enum ves_status send_chunk(struct ves_bench_run *run, uint64_t events,
                                  double *seconds)
{
    struct ves_bench_load load;
    enum ves_status status = ves_bench_load_make(run, (size_t)(events / BATCH),
                                                 BATCH, CONNECTIONS, &load);
    if (!status)
        status = ves_bench_send(run, &load, CONNECTIONS);
    if (!status)
        status = ves_bench_check(run, &load);
    *seconds += load.seconds;
    ves_bench_load_free(run, &load);
    return status;
}

static enum ves_status send_events(struct task *task, uint64_t first,
                                   uint64_t events, double *seconds)
{
    enum ves_status status = VES_OK;
    for (uint64_t done = 0; !status && done < events; done += CHUNK) {
        uint64_t left = events - done;
        status = show(task, first + done);
        if (!status)
            status =
                send_chunk(task->run, left < CHUNK ? left : CHUNK, seconds);
    }
    return status;
}

/* A server and a stream of their own beside the run's. */
static struct ves_bench_run *twin_of(struct ves_bench_run *run)
{
    struct ves_bench_run *twin = calloc(1, sizeof(*twin));
    if (!twin)
        return NULL;
    *twin = *run;
    twin->server = (struct ves_bench_server){.name = TWIN};
    twin->head = 0;
    ves_bench_source_init(&twin->source);
    return twin;
}

static enum ves_status begin_fresh_server(struct task *task, struct task *fresh)
{
    fresh->name = "million: ingest, fresh";
    fresh->run = twin_of(task->run);
    if (!fresh->run)
        return ves_fail(task->run->error, VES_NOMEM, "out of memory");
    enum ves_status status = ves_bench_server_start(fresh->run);
    if (status)
        task->end_fresh(task, fresh);
    return status;
}

static void end_fresh_server(struct task *task, struct task *fresh)
{
    ves_bench_server_stop(&fresh->run->server);
    ves_bench_forget(task->run, TWIN);
    ves_wipe(fresh->run, sizeof(*fresh->run));
    free(fresh->run);
}

static enum ves_status ingest(struct ves_bench_run *run)
{
    struct task task = {.run = run,
                        .name = "million: ingest",
                        .work = send_events,
                        .begin_fresh = begin_fresh_server,
                        .end_fresh = end_fresh_server};
    enum ves_status status =
        measure_growth(&task, "million: ingest, beyond nine tenths");
    if (!status)
        add_memory(run, "million: server memory, at most");
    return status;
}

/* ---- pull -----------------------------------------------------------------
 */

struct watcher {
    struct task *task;
    uint64_t before; /* events of earlier calls */
    bool is_stopped;
};

static bool watch(void *ctx, const char *what, uint64_t done, uint64_t of)
{
    struct watcher *watcher = ctx;
    (void)what;
    (void)of;
    watcher->is_stopped = show(watcher->task, watcher->before + done) != VES_OK;
    return !watcher->is_stopped;
}

static enum ves_status pull_events(struct task *task, uint64_t first,
                                   uint64_t events, double *seconds)
{
    struct watcher watcher = {.task = task, .before = first};
    const struct ves_sync_options options = {
        .limit = events, .progress = watch, .progress_ctx = &watcher};
    struct ves_pull_report report;
    double start = ves_bench_now();
    enum ves_status status =
        ves_pull(task->agent, &options, 0, &report, task->run->error);
    *seconds += ves_bench_now() - start;
    if (watcher.is_stopped)
        return VES_AGAIN;
    if (!status && report.applied != events)
        return ves_fail(
            task->run->error, VES_REFUSED, "%llu of %llu events were applied",
            (unsigned long long)report.applied, (unsigned long long)events);
    return status;
}

static enum ves_status begin_fresh_store(struct task *task, struct task *fresh)
{
    return ves_bench_reader(task->run, TWIN ".db", &fresh->agent);
}

static void end_fresh_store(struct task *task, struct task *fresh)
{
    ves_agent_close(fresh->agent);
    ves_bench_forget(task->run, TWIN);
}

/* The same with a store of that name. */
static enum ves_status measure_store(struct task *task, const char *store,
                                     const char *title)
{
    task->begin_fresh = begin_fresh_store;
    task->end_fresh = end_fresh_store;
    enum ves_status status = ves_bench_reader(task->run, store, &task->agent);
    if (status)
        return status;
    status = measure_growth(task, title);
    ves_agent_close(task->agent);
    return status;
}

static enum ves_status pull(struct ves_bench_run *run)
{
    struct task task = {
        .run = run, .name = "million: pull", .work = pull_events};
    enum ves_status status =
        measure_store(&task, "office.db", "million: pull, beyond nine tenths");
    if (!status)
        add_memory(run, "million: server memory, served too");
    return status;
}

/* ---- append ---------------------------------------------------------------
 */

static enum ves_status append_events(struct task *task, uint64_t first,
                                     uint64_t events, double *seconds)
{
    struct ves_bench_run *run = task->run;
    enum ves_status status = VES_OK;
    char aggregate[VES_BENCH_ID_MAX];
    struct ves_buf payload;
    ves_buf_init(&payload, run->alloc, PAYLOAD_MAX);
    double start = ves_bench_now();
    for (uint64_t i = 0; !status && i < events; i++) {
        struct ves_append what;
        struct ves_uuid id;
        if (i % BULK == 0)
            status = ves_agent_begin(task->agent, run->error);
        ves_bench_append_fill(first + i, &payload, aggregate, &what);
        if (!status)
            status = ves_append(task->agent, &what, &id, run->error);
        if (!status && (i % BULK == BULK - 1 || i == events - 1)) {
            status = ves_agent_commit(task->agent, run->error);
            if (!status)
                status = show(task, first + i + 1);
        }
    }
    *seconds += ves_bench_now() - start;
    ves_buf_free(&payload);
    return status;
}

static enum ves_status append(struct ves_bench_run *run)
{
    struct task task = {
        .run = run, .name = "million: append", .work = append_events};
    return measure_store(&task, "till.db",
                         "million: append in bulk, beyond nine tenths");
}

/* ---- status ---------------------------------------------------------------
 */

/* The command as somebody types it: start of the program included. */
static enum ves_status status_command(struct ves_bench_run *run, char *path,
                                      double *ms)
{
    const char *program =
        run->options->program ? run->options->program : "/proc/self/exe";
    char *args[] = {(char[]){"ves"},    (char[]){"status"},
                    (char[]){"--db"},   path,
                    (char[]){"--json"}, NULL};
    int result = -1;
    double start = ves_bench_now();
    pid_t pid = fork();
    if (pid == 0) {
        int fd = open("/dev/null", O_WRONLY);
        if (fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
            execv(program, args);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, &result, 0);
    *ms = (ves_bench_now() - start) * 1e3;
    return result == 0 ? VES_OK
                       : ves_fail(run->error, VES_IO, "\"ves status\" failed");
}

static enum ves_status status_call(struct ves_bench_run *run, const char *path,
                                   double *ms)
{
    const struct ves_agent_options options = {.path = path};
    struct ves_agent *agent;
    double start = ves_bench_now();
    enum ves_status status = ves_agent_open(&options, &agent, run->error);
    if (status)
        return status;
    struct ves_jw *jw = ves_jw_new(run->alloc, DOCUMENT_MAX);
    status = jw ? ves_agent_status(agent, jw, run->error)
                : ves_fail(run->error, VES_NOMEM, "out of memory");
    ves_jw_free(jw);
    ves_agent_close(agent);
    *ms = (ves_bench_now() - start) * 1e3;
    return status;
}

static enum ves_status measure_status(struct ves_bench_run *run,
                                      const char *name, const char *title)
{
    char path[VES_BENCH_PATH_MAX], note[96];
    double command[STATUS_RUNS], call[STATUS_RUNS];
    enum ves_status status = VES_OK;
    ves_bench_path(run, name, path);
    for (size_t i = 0; !status && i < STATUS_RUNS; i++) {
        status = status_command(run, path, &command[i]);
        if (!status)
            status = status_call(run, path, &call[i]);
    }
    if (status)
        return status;
    double first = command[0];
    snprintf(note, sizeof(note),
             "the command; its first run %.1f ms; in the library %.1f ms",
             first, ves_bench_middle(call, STATUS_RUNS));
    add_ceiling(run, title, "ms", ves_bench_middle(command, STATUS_RUNS),
                STATUS_MS, note);
    return VES_OK;
}

/* ---- all of it ------------------------------------------------------------
 */

/* A server and a stream that hold nothing yet. */
static enum ves_status start_over(struct ves_bench_run *run)
{
    ves_bench_server_stop(&run->server);
    ves_bench_forget(run, "server");
    ves_bench_source_init(&run->source);
    run->head = 0;
    return ves_bench_server_start(run);
}

enum ves_status ves_bench_million(struct ves_bench_run *run)
{
    VES_ASSERT(
        million(run) % ((uint64_t)PARTS * SLICES * BATCH * CONNECTIONS) == 0);
    struct ves_bench_limit limit; /* for the machine's description */
    enum ves_status status = start_over(run);
    ves_bench_limit(run, &limit);
    if (!status)
        status = ingest(run);
    if (!status)
        status = pull(run);
    if (!status)
        status = measure_status(run, "office.db", "million: status, pulled");
    ves_bench_forget(run, "office.db");
    ves_bench_server_stop(&run->server);
    ves_bench_forget(run, "server");
    if (!status)
        status = append(run);
    if (!status)
        status = measure_status(run, "till.db", "million: status, appended");
    ves_bench_forget(run, "till.db");
    return status;
}
