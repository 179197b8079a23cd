/* main.c -- ves-sim: runs seeds, each twice, and says what they showed.
 *
 *     ves-sim [--seed N] [--runs N]     runs 0: until it is stopped
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "crypto/crypto.h"
#include "sim/world.h"

static void run_twice(uint64_t seed, bool is_verbose, struct sim_summary *total)
{
    struct sim_options options;
    struct sim_summary first, second;

    sim_options_draw(seed, &options);
    sim_run(seed, &options, &first);
    sim_run(seed, &options, &second);
    if (first.trace != second.trace) {
        printf("seed %llu: two runs differ\n", (unsigned long long)seed);
        exit(1);
    }
    total->events += first.events;
    total->crashes += first.crashes;
    total->failures += first.failures;
    total->refused += first.refused;
    total->ticks += first.ticks;
    total->lies += first.lies;
    if (is_verbose)
        printf("seed %llu: %zu stores, %llu events, %llu refused, %llu "
               "crashes, %llu failures, trace %016llx\n",
               (unsigned long long)seed, options.stores,
               (unsigned long long)first.events,
               (unsigned long long)first.refused,
               (unsigned long long)first.crashes,
               (unsigned long long)first.failures,
               (unsigned long long)first.trace);
}

int main(int argc, char **argv)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"runs", required_argument, NULL, 'r'},
        {NULL, 0, NULL, 0}};
    struct sim_summary total = {0};
    uint64_t seed = 1, runs = 1000;
    bool has_seed = false, has_runs = false;
    int opt;

    setvbuf(stdout, NULL, _IOLBF, 0);
    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (opt == 's') {
            seed = strtoull(optarg, NULL, 0);
            has_seed = true;
        } else if (opt == 'r') {
            runs = strtoull(optarg, NULL, 0);
            has_runs = true;
        } else {
            fputs("usage: ves-sim [--seed N] [--runs N]\n", stderr);
            return 2;
        }
    }
    if (ves_crypto_init())
        return 1;
    if (has_seed && !has_runs)
        runs = 1;
    for (uint64_t i = 0; runs == 0 || i < runs; i++)
        run_twice(seed + i, runs == 1, &total);
    printf("%llu seeds from %llu, each twice: %llu events sequenced, %llu "
           "refused, %llu crashes, %llu failed calls; all agree\n",
           (unsigned long long)runs, (unsigned long long)seed,
           (unsigned long long)total.events, (unsigned long long)total.refused,
           (unsigned long long)total.crashes,
           (unsigned long long)total.failures);
    return 0;
}
