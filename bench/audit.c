/* audit.c -- how fast a store is audited, beside what the signatures alone
 * would take on all cores.
 *
 * make build/gcc/bench-audit && build/gcc/bench-audit FILE [WORK_DIR]
 */
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

/* Signatures a second, all cores together; *us: processor time of one. */
static double measure_limit(unsigned *threads, double *us)
{
    static struct ves_verify_item items[ITEMS];
    static const uint8_t seed[VES_SEED_SIZE] = {1};
    struct ves_secret_key secret;
    struct ves_public_key key;
    struct ves_pool *pool;

    if (ves_crypto_init() || ves_pool_new(ves_alloc_default(), 0, &pool, NULL))
        exit(1);
    ves_ed25519_keypair(seed, &secret, &key);
    for (size_t i = 0; i < ITEMS; i++) {
        items[i].key = key;
        ves_sha256_one(&i, sizeof(i), &items[i].hash);
        ves_ed25519_sign(&secret, ves_bytes(items[i].hash.b, VES_HASH_SIZE),
                         &items[i].sig);
    }
    double start = now(), worked = processor();
    for (size_t i = 0; i < ROUNDS; i++)
        ves_pool_verifier(pool)->verify(ves_pool_verifier(pool), items, ITEMS);
    double limit = ROUNDS * ITEMS / (now() - start);
    *us = (processor() - worked) / (ROUNDS * ITEMS) * 1e6;
    *threads = ves_pool_threads(pool);
    ves_pool_free(pool);
    return limit;
}

int main(int argc, char **argv)
{
    struct ves_error error = {.status = VES_OK};
    enum ves_audit_verdict verdict;
    struct rusage usage, child;
    unsigned threads;
    double us;

    if (argc < 2) {
        fprintf(stderr, "usage: bench-audit FILE [WORK_DIR]\n");
        return 2;
    }
    const struct ves_audit_options options = {
        .path = argv[1], .work_dir = argc > 2 ? argv[2] : "/var/tmp"};
    double before = measure_limit(&threads, &us);
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
    double after = measure_limit(&threads, &us);
    double limit = before > after ? before : after;
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
    printf("%.0f events/s; %.0f signatures/s of %.0f (before %.0f, after "
           "%.0f): ratio %.2f; %ld MB at most\n",
           (double)events / seconds, signatures / seconds, limit, before, after,
           signatures / seconds / limit,
           (usage.ru_maxrss + child.ru_maxrss) / 1024);
    printf("processor: %.1f us an event, %.1f of them signatures: ratio %.2f; "
           "%.1f judging again\n",
           worked / (double)events * 1e6, signatures * us / (double)events,
           signatures * us / 1e6 / worked, judged / (double)events * 1e6);
    ves_jr_free(jr);
    ves_jw_free(jw);
    return 0;
}
