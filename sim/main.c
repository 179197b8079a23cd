/* main.c -- ves-sim: runs seeds, each twice, and says what they showed.
 *
 *     ves-sim [--seed N] [--runs N] [--once] [--quarrel] [--export FILE]
 *
 * --runs 0 goes on until it is stopped.  --once leaves out the second run of
 * each seed, whose trace must be equal.  --quarrel: nearly all events meet
 * others' (sim_options_quarrel).  --export writes each history, with
 * what was said of it, as a line into FILE (export.c).
 */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "crypto/crypto.h"
#include "sim/world.h"

struct asked {
    uint64_t seed, runs;
    bool has_seed, has_runs, is_once, is_quarrel;
    const char *export_name;
    FILE *export;
};

static char seed_line[64]; /* for on_crash, which may not format */
static int seed_line_len;

/* An assertion of the product ends the program without a word of the seed. */
static void on_crash(int number)
{
    if (write(STDOUT_FILENO, seed_line, (size_t)seed_line_len) < 0)
        _exit(3);
    signal(number, SIG_DFL);
    raise(number);
}

static void run(const struct asked *asked, uint64_t seed, bool is_verbose,
                struct sim_summary *total)
{
    struct sim_options options;
    struct sim_summary first, second;

    seed_line_len =
        snprintf(seed_line, sizeof(seed_line),
                 "seed %llu: the program crashed\n", (unsigned long long)seed);
    sim_options_draw(seed, &options);
    if (asked->is_quarrel)
        sim_options_quarrel(&options);
    options.export = asked->export;
    sim_run(seed, &options, &first);
    options.export = NULL;
    if (!asked->is_once) {
        sim_run(seed, &options, &second);
        if (first.trace != second.trace) {
            printf("seed %llu: two runs differ\n", (unsigned long long)seed);
            exit(1);
        }
    }
    total->events += first.events;
    total->crashes += first.crashes;
    total->heads += first.heads;
    total->backups += first.backups;
    total->recovered += first.recovered;
    total->epochs += first.epochs;
    total->betrayals += first.betrayals;
    total->followed += first.followed;
    total->key_worlds += first.key_worlds;
    total->key_rotations += first.key_rotations;
    total->key_revocations += first.key_revocations;
    total->failures += first.failures;
    total->refused += first.refused;
    total->ticks += first.ticks;
    total->lies += first.lies;
    total->conflicts += first.conflicts;
    total->decided += first.decided;
    total->by_policy += first.by_policy;
    total->taken_back += first.taken_back;
    total->freed += first.freed;
    total->restored += first.restored;
    if (is_verbose)
        printf(
            "seed %llu: %zu stores, %zu strangers, %llu events, %llu "
            "refused, %llu lies, %llu crashes, %llu failures, trace "
            "%016llx\n",
            (unsigned long long)seed, options.stores, options.strangers,
            (unsigned long long)first.events, (unsigned long long)first.refused,
            (unsigned long long)first.lies, (unsigned long long)first.crashes,
            (unsigned long long)first.failures,
            (unsigned long long)first.trace);
}

/* False when it is not understood. */
static bool read_options(int argc, char **argv, struct asked *out)
{
    static const struct option longs[] = {
        {"seed", required_argument, NULL, 's'},
        {"runs", required_argument, NULL, 'r'},
        {"once", no_argument, NULL, 'o'},
        {"quarrel", no_argument, NULL, 'q'},
        {"export", required_argument, NULL, 'e'},
        {NULL, 0, NULL, 0}};
    int opt;

    while ((opt = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        if (opt == 's') {
            out->seed = strtoull(optarg, NULL, 0);
            out->has_seed = true;
        } else if (opt == 'r') {
            out->runs = strtoull(optarg, NULL, 0);
            out->has_runs = true;
        } else if (opt == 'o') {
            out->is_once = true;
        } else if (opt == 'q') {
            out->is_quarrel = true;
        } else if (opt == 'e') {
            out->export_name = optarg;
        } else {
            return false;
        }
    }
    if (out->has_seed && !out->has_runs)
        out->runs = 1;
    return true;
}

static void say_total(const struct asked *asked,
                      const struct sim_summary *total)
{
    printf(
        "%llu seeds from %llu%s: %llu events sequenced, %llu refused, %llu "
        "in conflict, %llu decisions, %llu by policy, %llu of those taken "
        "back at the end, %llu waited, %llu restored, %llu "
        "crashes, %llu failed calls, %llu lies, %llu heads signed, %llu "
        "backups put back, %llu made whole, %llu new epochs, %llu that all "
        "went back for, %llu betrayals seen, %llu keys rotated and %llu "
        "revoked in "
        "%llu worlds with owners; "
        "all agree\n",
        (unsigned long long)asked->runs, (unsigned long long)asked->seed,
        asked->is_once ? "" : ", each twice", (unsigned long long)total->events,
        (unsigned long long)total->refused,
        (unsigned long long)total->conflicts,
        (unsigned long long)total->decided,
        (unsigned long long)total->by_policy,
        (unsigned long long)total->taken_back, (unsigned long long)total->freed,
        (unsigned long long)total->restored, (unsigned long long)total->crashes,
        (unsigned long long)total->failures, (unsigned long long)total->lies,
        (unsigned long long)total->heads, (unsigned long long)total->backups,
        (unsigned long long)total->recovered, (unsigned long long)total->epochs,
        (unsigned long long)total->followed,
        (unsigned long long)total->betrayals,
        (unsigned long long)total->key_rotations,
        (unsigned long long)total->key_revocations,
        (unsigned long long)total->key_worlds);
}

int main(int argc, char **argv)
{
    struct asked asked = {.seed = 1, .runs = 1000};
    struct sim_summary total = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!read_options(argc, argv, &asked)) {
        fputs("usage: ves-sim [--seed N] [--runs N] [--once] [--quarrel] "
              "[--export FILE]\n",
              stderr);
        return 2;
    }
    if (ves_crypto_init())
        return 1;
    if (asked.export_name && !(asked.export = fopen(asked.export_name, "w"))) {
        perror(asked.export_name);
        return 1;
    }
    signal(SIGABRT, on_crash);
    signal(SIGSEGV, on_crash);
    for (uint64_t i = 0; asked.runs == 0 || i < asked.runs; i++)
        run(&asked, asked.seed + i, asked.runs == 1, &total);
    if (asked.export && fclose(asked.export)) {
        perror(asked.export_name);
        return 1;
    }
    say_total(&asked, &total);
    return 0;
}
