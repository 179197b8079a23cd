/* audit.c -- how fast a store is audited, beside what the signatures alone
 * would take on all cores: one after the other, as libsodium verifies them, and
 * as the audit does it, with a table of each key (ADR 0076).
 *
 * make build/gcc/bench-audit && build/gcc/bench-audit FILE [WORK_DIR]
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "os/pool.h"
#include "ves/audit.h"

enum { ITEMS = 8192, ROUNDS = 4, DOCUMENT_MAX = 256 * 1024 * 1024 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double used_by(int who)
{
    struct rusage usage;
    getrusage(who, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/* Of all threads of this process and of the one that judges. */
static double processor(void)
{
    return used_by(RUSAGE_SELF) + used_by(RUSAGE_CHILDREN);
}

static struct ves_verify_item items[ITEMS];

static void make_items(void)
{
    static const uint8_t seed[VES_SEED_SIZE] = {1};
    struct ves_secret_key secret;
    struct ves_public_key key;

    ves_ed25519_keypair(seed, &secret, &key);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i].key = key;
        ves_sha256_one(&i, sizeof(i), &items[i].hash);
        ves_ed25519_sign(&secret, ves_bytes(items[i].hash.b, VES_HASH_SIZE),
                         &items[i].sig);
    }
}

/* Signatures a second, all cores together; us: processor time of one. */
struct limit {
    double rate, us;
};

/* As the audit verifies. */
static struct limit measure_tables(struct ves_pool *pool)
{
    double start = now(), worked = processor();

    for (size_t i = 0; i < ROUNDS; i++)
        ves_pool_verifier(pool)->verify(ves_pool_verifier(pool), items, ITEMS);
    return (struct limit){ROUNDS * ITEMS / (now() - start),
                          (processor() - worked) / (ROUNDS * ITEMS) * 1e6};
}

static void *verify_all(void *ctx)
{
    (void)ctx;
    for (size_t i = 0; i < ITEMS; i++)
        if (!ves_ed25519_verify(&items[i].key,
                                ves_bytes(items[i].hash.b, VES_HASH_SIZE),
                                &items[i].sig))
            abort();
    return NULL;
}

/* libsodium, one after the other, on every core. */
static struct limit measure_library(unsigned threads)
{
    pthread_t thread[VES_POOL_THREADS_MAX];
    double start = now(), worked = processor();
    double count = (double)threads * ITEMS;

    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, verify_all, NULL))
            exit(1);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    return (struct limit){count / (now() - start),
                          (processor() - worked) / count * 1e6};
}

struct limits {
    struct limit library, tables;
};

static struct limits measure_limits(unsigned *threads)
{
    struct ves_pool *pool;
    struct limits limits;

    if (ves_crypto_init() || ves_pool_new(ves_alloc_default(), 0, &pool, NULL))
        exit(1);
    *threads = ves_pool_threads(pool);
    make_items();
    limits.library = measure_library(*threads);
    limits.tables = measure_tables(pool);
    ves_pool_free(pool);
    return limits;
}

static double larger(double a, double b)
{
    return a > b ? a : b;
}

int main(int argc, char **argv)
{
    struct ves_error error = {.status = VES_OK};
    enum ves_audit_verdict verdict;
    struct rusage usage, child;
    unsigned threads;

    if (argc < 2) {
        fprintf(stderr, "usage: bench-audit FILE [WORK_DIR]\n");
        return 2;
    }
    const struct ves_audit_options options = {
        .path = argv[1], .work_dir = argc > 2 ? argv[2] : "/var/tmp"};
    struct limits before = measure_limits(&threads);
    struct ves_jw *jw = ves_jw_new(NULL, DOCUMENT_MAX);
    double start = now(), worked = processor();
    double judged = used_by(RUSAGE_CHILDREN);
    if (!jw || ves_audit_run(&options, jw, &verdict, &error)) {
        fprintf(stderr, "bench-audit: %s\n", error.text);
        return 1;
    }
    double seconds = now() - start;
    worked = processor() - worked;
    judged = used_by(RUSAGE_CHILDREN) - judged;
    struct limits after = measure_limits(&threads);
    double library = larger(before.library.rate, after.library.rate);
    double tables = larger(before.tables.rate, after.tables.rate);
    struct ves_jr *jr = ves_jr_new(NULL, ves_jw_view(jw));
    if (!jr)
        return 1;
    double signatures = (double)ves_jr_u64(jr, "/signatures");
    uint64_t events = 0;
    for (size_t i = 0; i < ves_jr_count(jr, "/streams"); i++)
        events += ves_jr_u64(jr, "/streams/%zu/events", i);
    for (size_t i = 0; i < ves_jr_count(jr, "/checks"); i++) {
        if (strcmp(ves_jr_str(jr, "/checks/%zu/finding", i), "PROVEN") != 0)
            printf("%s: %s\n", ves_jr_str(jr, "/checks/%zu/name", i),
                   ves_jr_str(jr, "/checks/%zu/text", i));
    }
    getrusage(RUSAGE_SELF, &usage);
    getrusage(RUSAGE_CHILDREN, &child);
    printf("%s, %s: %llu events, %.0f signatures in %.2f s on %u threads\n",
           argv[1], ves_jr_str(jr, "/verdict"), (unsigned long long)events,
           signatures, seconds, threads);
    printf("%.0f events/s; %.0f signatures/s; %ld MB at most\n",
           (double)events / seconds, signatures / seconds,
           (usage.ru_maxrss + child.ru_maxrss) / 1024);
    printf("libsodium's limit %.0f (before %.0f, after %.0f): ratio %.2f  >= "
           "0.80  %s; with tables %.0f (%.0f, %.0f): ratio %.2f\n",
           library, before.library.rate, after.library.rate,
           signatures / seconds / library,
           signatures / seconds / library >= 0.8 ? "met" : "MISSED", tables,
           before.tables.rate, after.tables.rate,
           signatures / seconds / tables);
    printf("processor: %.1f us an event, %.1f of them signatures (libsodium's "
           "would be %.1f); %.1f judging again\n",
           worked / (double)events * 1e6,
           signatures * after.tables.us / (double)events,
           signatures * after.library.us / (double)events,
           judged / (double)events * 1e6);
    ves_jr_free(jr);
    ves_jw_free(jw);
    return 0;
}
