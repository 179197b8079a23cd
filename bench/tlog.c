/* tlog.c -- what the provable log costs: appending, proving, verifying.
 *
 * make build/gcc/bench-tlog && build/gcc/bench-tlog
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/tlog_tile.h"
#include "test/lib/test_bundle.h"

enum { APPENDS = 1000000, PROOFS = 20000, LOG = 4000, BUNDLE = 1000 };

static const uint64_t ten_million = 10000000;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void bench_append(void)
{
    struct ves_tlog_edge edge = {0};
    struct ves_leaf leaf = {.sequence_number = 1};
    double start = now();

    for (size_t i = 0; i < APPENDS; i++) {
        struct ves_tlog_made made[VES_TLOG_MADE_MAX];
        uint8_t entry[VES_LEAF_SIZE];
        struct ves_hash hash;
        size_t count;
        leaf.sequence_number = i + 1;
        ves_leaf_write(&leaf, entry);
        ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
        if (ves_tlog_edge_append(&edge, &hash, made, &count))
            abort();
    }
    printf("append, leaf hash included           %8.3f us an event\n",
           (now() - start) / APPENDS * 1e6);
}

/* Tiles that cost what memory costs. */
static enum ves_status read_tile(void *ctx, const struct ves_tile *tile,
                                 struct ves_hash *hashes)
{
    memcpy(hashes, ctx, tile->width * sizeof(*hashes));
    return VES_OK;
}

static void bench_proofs(bool is_inclusion)
{
    static struct ves_hash tile[VES_TILE_WIDTH];
    static struct ves_tile_source tiles;
    struct ves_tlog_path path;
    size_t hashes = 0;

    ves_tile_source_init(&tiles, ten_million, read_tile, tile);
    double start = now();
    for (size_t i = 0; i < PROOFS; i++) {
        uint64_t at = (uint64_t)i * 499979 % ten_million;
        struct ves_tlog_node node = {0, at};
        if (is_inclusion ? ves_tlog_inclusion_make(&tiles.source, node,
                                                   ten_million, &path)
                         : ves_tlog_consistency_make(&tiles.source, at,
                                                     ten_million, &path))
            abort();
        hashes += path.count;
    }
    printf("%s proof of 10,000,000     %8.2f us, %.2f tiles, %.1f hashes\n",
           is_inclusion ? "inclusion  " : "consistency",
           (now() - start) / PROOFS * 1e6, (double)tiles.reads / PROOFS,
           (double)hashes / PROOFS);
}

static void bench_bundle(struct test_bundle *shop, uint64_t step)
{
    static uint64_t sequences[BUNDLE];
    struct ves_verify_anchors anchors = test_bundle_anchors(shop);
    struct ves_buf file;
    double best = 1e9;
    size_t events = 0;

    for (size_t i = 0; i < BUNDLE; i++)
        sequences[i] = 1 + i * step;
    for (size_t i = 0; i < BUNDLE; i++) {
        struct ves_buf one;
        test_log_buf(&one);
        ves_event_write(&one, &shop->events[sequences[i] - 1]);
        events += one.len;
        ves_buf_free(&one);
    }
    test_log_buf(&file);
    test_bundle_write(shop, &file, sequences, BUNDLE, LOG, 1700000000);
    for (size_t round = 0; round < 5; round++) {
        double start = now();
        if (test_bundle_verify(&anchors, ves_buf_view(&file),
                               ves_bytes(NULL, 0), NULL) != VES_VERIFY_PROVEN)
            abort();
        double took = now() - start;
        best = took < best ? took : best;
    }
    printf("bundle, every %llu. of %d: verifying    %8.1f ms, %.0f bytes an "
           "event, %.0f of them its own\n",
           (unsigned long long)step, (int)LOG, best * 1e3,
           (double)file.len / BUNDLE, (double)events / BUNDLE);
    ves_buf_free(&file);
}

int main(void)
{
    static struct test_bundle shop;

    if (ves_crypto_init())
        return 1;
    bench_append();
    bench_proofs(true);
    bench_proofs(false);
    test_bundle_open(&shop, LOG);
    bench_bundle(&shop, 1);
    bench_bundle(&shop, 4);
    test_bundle_close(&shop);
    return 0;
}
