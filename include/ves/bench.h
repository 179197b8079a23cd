/* ves/bench.h -- measuring VES and, in the same run, what bounds it
 * (libves-server, not part of libves: only the ves program links it).
 *
 * Every figure stands beside its limit: what the libraries underneath could do
 * at most, measured right before and right after it.  Ratios may be compared
 * between runs and machines; figures may not.
 */
#ifndef VES_BENCH_H
#define VES_BENCH_H

#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { VES_BENCH_FIGURES_MAX = 24 };

/* What to measure; a mask. */
enum ves_bench_part {
    VES_BENCH_INGEST = 1, /* over HTTP, batches of 100, 500 and 1 */
    VES_BENCH_PULL = 2,   /* into a second store */
    VES_BENCH_APPEND = 4, /* one by one and in bulk */
    VES_BENCH_MILLION = 8 /* a million events in one stream; minutes */
};

struct ves_bench_options {
    const char *program; /* run as "PROGRAM serve ..."; NULL: this one */
    const char *folder;  /* a fresh folder in it takes all files, and goes
                            afterwards; its disk is what is measured */
    /* postgres://..., an empty database: ingest is measured on it, too, and the
     * database is a sequencer's afterwards.  NULL: a file. */
    const char *store;
    unsigned parts;   /* enum ves_bench_part */
    bool is_quick;    /* under 20 s without MILLION: one short round each */
    uint64_t million; /* events of that part; 0: 1,000,000 */
    /* Called between steps; false ends the run with VES_AGAIN.  NULL. */
    bool (*progress)(void *ctx, const char *what, uint64_t done,
                     uint64_t total);
    void *progress_ctx;
};

struct ves_bench_figure {
    const char *name;
    const char *unit; /* of figure and limit: "events/s", "MB", "ms" */
    const char *limit_name;
    double figure;
    double limit;
    double ratio;    /* figure / limit */
    double target;   /* for the ratio */
    bool is_ceiling; /* the ratio should be at most, not at least, target */
    bool is_met;
    char note[192]; /* more about it; "" */
};

/* Where it ran; texts are "" when the system does not say. */
struct ves_bench_machine {
    char processor[96];
    unsigned cores; /* this process may run on */
    uint64_t memory_mb;
    char kernel[96];
    char filesystem[32];            /* of the folder */
    bool is_in_memory;              /* that one: fsync costs nothing there */
    double load_before, load_after; /* one minute's average */
    const char *compiler;
    const char *sqlite;
};

struct ves_bench_report {
    struct ves_bench_machine machine;
    double verify_us, sign_us; /* the best of the run, one core, all busy */
    double fsync_us;           /* median: 4 KiB appended, fdatasync */
    double event_bytes;        /* an envelope, on average */
    uint64_t receipts_verified;
    double seconds; /* the whole run */
    struct ves_bench_figure figures[VES_BENCH_FIGURES_MAX];
    size_t count;
};

/* Runs the benchmark.  VES_REFUSED: a receipt did not verify, a number was
 * given twice or left out, an event was refused; the report then holds what
 * was measured before.  Speed is never an error. */
VES_NODISCARD enum ves_status ves_bench(const struct ves_bench_options *options,
                                        struct ves_bench_report *report,
                                        struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif
