/* limit.c -- what the libraries underneath can do at most.
 *
 * A sequencer that verifies every event and signs every receipt cannot do more
 * than cores / (verify + sign) events a second, whatever else it does well.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "bench/bench.h"

enum {
    KEYS = 16,
    MESSAGES = 512, /* distinct, so that nothing is remembered */
    FSYNCS = 200,
    BLOCK = 4096
};

/* As long as the clock of this machine wanders: the better of two short
 * samples is the machine's luckiest moment, which nothing that runs for
 * seconds ever has. */
#define LIMIT_S 3.0

struct sample {
    struct ves_secret_key secret[KEYS];
    struct ves_public_key key[KEYS];
    struct ves_hash hash[MESSAGES];
    struct ves_sig sig[MESSAGES];
};

struct loop {
    const struct sample *sample;
    double seconds;
    bool is_signing;
    uint64_t *counts; /* one a thread */
    double *spent;
};

static void make_sample(struct sample *sample)
{
    uint8_t seed[VES_SEED_SIZE] = {0};
    for (size_t i = 0; i < KEYS; i++) {
        seed[0] = (uint8_t)i;
        ves_ed25519_keypair(seed, &sample->secret[i], &sample->key[i]);
    }
    for (size_t i = 0; i < MESSAGES; i++) {
        ves_sha256_one(&i, sizeof(i), &sample->hash[i]);
        ves_ed25519_sign(&sample->secret[i % KEYS],
                         ves_bytes(sample->hash[i].b, VES_HASH_SIZE),
                         &sample->sig[i]);
    }
}

static void run_loop(void *ctx, unsigned thread)
{
    struct loop *loop = ctx;
    const struct sample *sample = loop->sample;
    double start = ves_bench_now(), now = start;
    uint64_t count = 0;
    while (now - start < loop->seconds) {
        for (size_t k = 0; k < 32; k++, count++) {
            size_t i = (size_t)(count + thread * 7) % MESSAGES;
            struct ves_bytes hash = ves_bytes(sample->hash[i].b, VES_HASH_SIZE);
            struct ves_sig sig;
            bool is_right = true;
            if (loop->is_signing)
                ves_ed25519_sign(&sample->secret[i % KEYS], hash, &sig);
            else
                is_right = ves_ed25519_verify(&sample->key[i % KEYS], hash,
                                              &sample->sig[i]);
            VES_ASSERT(is_right);
        }
        now = ves_bench_now();
    }
    loop->counts[thread] = count;
    loop->spent[thread] = now - start;
}

/* Microseconds of one core for one operation. */
static double measure(struct ves_bench_run *run, const struct sample *sample,
                      bool is_signing)
{
    uint64_t counts[256] = {0};
    double spent[256] = {0};
    double seconds = 0, rate = 0;
    struct loop loop = {.sample = sample,
                        .seconds = run->options->is_quick ? 0.15 : LIMIT_S,
                        .is_signing = is_signing,
                        .counts = counts,
                        .spent = spent};
    ves_bench_parallel(run->cores, run_loop, &loop);
    for (unsigned i = 0; i < run->cores; i++) {
        seconds += spent[i];
        rate += (double)counts[i];
    }
    return seconds / rate * 1e6;
}

static void note_best(double *best, double us)
{
    if (*best <= 0 || us < *best)
        *best = us;
}

void ves_bench_limit(struct ves_bench_run *run, struct ves_bench_limit *out)
{
    struct sample sample;
    make_sample(&sample);
    out->verify_us = measure(run, &sample, false);
    out->sign_us = measure(run, &sample, true);
    out->both_us = out->verify_us + out->sign_us;
    note_best(&run->report->verify_us, out->verify_us);
    note_best(&run->report->sign_us, out->sign_us);
}

void ves_bench_limit_again(struct ves_bench_run *run,
                           struct ves_bench_limit *best)
{
    struct ves_bench_limit again;
    ves_bench_limit(run, &again);
    note_best(&best->verify_us, again.verify_us);
    note_best(&best->sign_us, again.sign_us);
    note_best(&best->both_us, again.both_us);
}

/* ---- the disk -------------------------------------------------------------
 */

enum ves_status ves_bench_fsync(struct ves_bench_run *run, double *us)
{
    char path[VES_BENCH_PATH_MAX];
    uint8_t block[BLOCK];
    double times[FSYNCS];
    ves_bench_path(run, "fsync", path);
    memset(block, 'v', sizeof(block));
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    bool is_good = fd >= 0;
    for (size_t i = 0; is_good && i < FSYNCS; i++) {
        double start = ves_bench_now();
        is_good = write(fd, block, BLOCK) == BLOCK && fdatasync(fd) == 0;
        times[i] = (ves_bench_now() - start) * 1e6;
    }
    if (fd >= 0)
        close(fd);
    (void)unlink(path);
    if (!is_good)
        return ves_fail(run->error, VES_IO, "%s cannot be written", path);
    *us = ves_bench_middle(times, FSYNCS);
    return VES_OK;
}
