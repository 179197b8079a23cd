/* bench.c -- the whole run: a folder, a server, one part after the other. */
#include "bench/bench.h"

#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"

enum { THREADS_MAX = 256 };

/* ---- helpers --------------------------------------------------------------
 */

double ves_bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct hand {
    void (*work)(void *ctx, unsigned i);
    void *ctx;
    unsigned i;
    pthread_t thread;
    bool is_running;
};

static void *lend(void *ctx)
{
    struct hand *hand = ctx;
    hand->work(hand->ctx, hand->i);
    return NULL;
}

void ves_bench_parallel(unsigned threads, void (*work)(void *ctx, unsigned i),
                        void *ctx)
{
    struct hand hands[THREADS_MAX];
    VES_ASSERT(threads > 0 && threads <= THREADS_MAX);
    for (unsigned i = 1; i < threads; i++) {
        hands[i] = (struct hand){.work = work, .ctx = ctx, .i = i};
        hands[i].is_running =
            pthread_create(&hands[i].thread, NULL, lend, &hands[i]) == 0;
    }
    work(ctx, 0);
    for (unsigned i = 1; i < threads; i++) {
        if (hands[i].is_running)
            pthread_join(hands[i].thread, NULL);
        else
            work(ctx, i);
    }
}

enum ves_status ves_bench_step(struct ves_bench_run *run, const char *what,
                               uint64_t done, uint64_t total)
{
    const struct ves_bench_options *options = run->options;
    if (options->progress &&
        !options->progress(options->progress_ctx, what, done, total))
        return ves_fail(run->error, VES_AGAIN, "stopped");
    return VES_OK;
}

struct ves_bench_figure *ves_bench_add(struct ves_bench_run *run,
                                       const struct ves_bench_figure *figure)
{
    struct ves_bench_report *report = run->report;
    VES_ASSERT(report->count < VES_BENCH_FIGURES_MAX);
    struct ves_bench_figure *out = &report->figures[report->count++];
    *out = *figure;
    out->ratio = out->limit > 0 ? out->figure / out->limit : 0;
    out->is_met =
        out->is_ceiling ? out->ratio <= out->target : out->ratio >= out->target;
    return out;
}

static int compare_ratios(const void *a, const void *b)
{
    const struct ves_bench_figure *x = a, *y = b;
    double left = x->figure / x->limit, right = y->figure / y->limit;
    return left < right ? -1 : left > right;
}

const struct ves_bench_figure *ves_bench_median(struct ves_bench_figure *rounds,
                                                size_t count)
{
    qsort(rounds, count, sizeof(*rounds), compare_ratios);
    return &rounds[count / 2];
}

static int compare_doubles(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

double ves_bench_middle(double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare_doubles);
    return values[count / 2];
}

void ves_bench_path(const struct ves_bench_run *run, const char *name,
                    char out[VES_BENCH_PATH_MAX])
{
    int n = snprintf(out, VES_BENCH_PATH_MAX, "%s/%s", run->folder, name);
    VES_ASSERT(n > 0 && n < VES_BENCH_PATH_MAX);
}

/* ---- the folder -----------------------------------------------------------
 */

static enum ves_status make_folder(struct ves_bench_run *run)
{
    int n = snprintf(run->folder, sizeof(run->folder), "%s/ves-bench-XXXXXX",
                     run->options->folder);
    if (n < 0 || (size_t)n >= sizeof(run->folder))
        return ves_fail(run->error, VES_LIMIT, "the folder's name is too long");
    if (!mkdtemp(run->folder))
        return ves_fail(run->error, VES_IO, "no folder can be made in %s",
                        run->options->folder);
    return VES_OK;
}

static void remove_files(struct ves_bench_run *run, const char *prefix)
{
    DIR *dir = opendir(run->folder);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[VES_BENCH_PATH_MAX + 256];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", run->folder, entry->d_name);
        (void)unlink(path);
    }
    closedir(dir);
}

void ves_bench_forget(struct ves_bench_run *run, const char *name)
{
    remove_files(run, name);
}

/* ---- the run --------------------------------------------------------------
 */

static enum ves_status run_parts(struct ves_bench_run *run)
{
    static const struct {
        unsigned part;
        enum ves_status (*run)(struct ves_bench_run *run);
    } parts[] = {{VES_BENCH_INGEST, ves_bench_ingest},
                 {VES_BENCH_PULL, ves_bench_pull},
                 {VES_BENCH_APPEND, ves_bench_append},
                 {VES_BENCH_MILLION, ves_bench_million}};
    enum ves_status status = ves_bench_fsync(run, &run->report->fsync_us);
    for (size_t i = 0; !status && i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (run->options->parts & parts[i].part)
            status = parts[i].run(run);
    }
    return status;
}

enum ves_status ves_bench(const struct ves_bench_options *options,
                          struct ves_bench_report *report,
                          struct ves_error *error)
{
    struct ves_bench_run *run = calloc(1, sizeof(*run));
    if (!run)
        return ves_fail(error, VES_NOMEM, "out of memory");
    if (ves_crypto_init()) {
        free(run);
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    }
    double start = ves_bench_now();
    memset(report, 0, sizeof(*report));
    *run = (struct ves_bench_run){.options = options,
                                  .report = report,
                                  .error = error,
                                  .alloc = ves_alloc_default()};
    enum ves_status status = make_folder(run);
    if (!status) {
        ves_bench_machine(run->folder, &report->machine);
        run->cores = report->machine.cores;
        ves_bench_source_init(&run->source);
        status = run_parts(run);
        ves_bench_server_stop(&run->server);
        remove_files(run, "");
        (void)rmdir(run->folder);
        report->machine.load_after = ves_bench_load_average();
    }
    report->seconds = ves_bench_now() - start;
    ves_wipe(run, sizeof(*run));
    free(run);
    return status;
}
