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
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/tlog_tile.h"
#include "engine/log_tree.h"
#include "store/store_sqlite.h"
#include "test/lib/test_bundle.h"
#include "test/lib/test_signer.h"

enum {
    APPENDS = 1000000,
    PROOFS = 20000,
    LOG = 4000,
    BUNDLE = 1000,
    GROUP = 1000, /* events a commit */
    ROUNDS = 3    /* the best counts */
};

static const uint64_t ten_million = 10000000;

/* Of the processor: others may be at work on this machine. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint8_t entries[GROUP][VES_LEAF_SIZE];

static void fill_entries(void)
{
    for (size_t i = 0; i < GROUP; i++) {
        struct ves_leaf leaf = {.sequence_number = i + 1};
        ves_leaf_write(&leaf, entries[i]);
    }
}

/* What hashing alone costs: five blocks an event. */
static void bench_append(void)
{
    struct ves_tlog_edge singly = {0}, together = {0};
    static struct ves_hash leaves[GROUP];
    double start = now();

    for (size_t i = 0; i < APPENDS; i++) {
        struct ves_tlog_made made[VES_TLOG_MADE_MAX];
        struct ves_hash hash;
        size_t count;
        ves_tlog_leaf_hash(ves_bytes(entries[i % GROUP], VES_LEAF_SIZE), &hash);
        if (ves_tlog_edge_append(&singly, &hash, made, &count))
            abort();
    }
    double one = now() - start;
    start = now();
    for (size_t i = 0; i < APPENDS; i += GROUP) {
        ves_tlog_leaf_hash_each(entries[0], VES_LEAF_SIZE, GROUP, leaves);
        if (ves_tlog_edge_append_all(&together, leaves, GROUP, NULL, NULL))
            abort();
    }
    printf("hashing leaf and nodes, singly; %4d together %8.3f, %.3f us an "
           "event\n",
           (int)GROUP, one / APPENDS * 1e6, (now() - start) / APPENDS * 1e6);
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

/* ---- over SQLite, as a sequencer does it --------------------------------- */

enum { GROUPS = 200, STORED = GROUP * GROUPS, BODY = 700 };

static struct ves_sequencer sequencer;

/* Seconds of the processor. */
struct costs {
    double tree, tiles;                   /* in the commit; of it storing */
    double heads, rows, signing, keeping; /* a head; of it these */
    double all;
};

static struct costs costs; /* of the round */

/* What the engine asks of others while it makes a tree or a head, timed on the
 * way; what is left of its time is hashing. */
static const struct ves_store_ops *store_ops, *reader_ops;

static enum ves_status timed_append(struct ves_store *store, uint32_t stream_no,
                                    const struct ves_hash *stream_id,
                                    struct ves_bytes edge,
                                    const struct ves_tile_hash *hashes,
                                    size_t count)
{
    double start = now();
    enum ves_status status = store_ops->tlog_append(store, stream_no, stream_id,
                                                    edge, hashes, count);
    costs.tiles += now() - start;
    return status;
}

static enum ves_status timed_leaves(struct ves_store *store, uint32_t stream_no,
                                    uint64_t from, size_t count,
                                    struct ves_leaf_row *rows, size_t *found)
{
    double start = now();
    enum ves_status status =
        reader_ops->log_leaves(store, stream_no, from, count, rows, found);
    costs.rows += now() - start;
    return status;
}

static void (*sign_text)(struct ves_signer *self, struct ves_bytes text,
                         struct ves_sig *sig);

static void timed_sign(struct ves_signer *self, struct ves_bytes text,
                       struct ves_sig *sig)
{
    double start = now();
    sign_text(self, text, sig);
    costs.signing += now() - start;
}

static void watch(struct ves_store *store, struct ves_store *reader)
{
    static struct ves_store_ops timed_store, timed_reader;

    store_ops = store->ops;
    timed_store = *store->ops;
    timed_store.tlog_append = timed_append;
    store->ops = &timed_store;
    reader_ops = reader->ops;
    timed_reader = *reader->ops;
    timed_reader.log_leaves = timed_leaves;
    reader->ops = &timed_reader;
}

static void fill_row(struct ves_log_row *row, uint64_t sequence)
{
    static char body[BODY];

    memset(body, 'x', sizeof(body));
    *row = (struct ves_log_row){.sequence_number = sequence,
                                .agent_key_id = 1,
                                .has_receipt = true,
                                .receipt_key_version = 1,
                                .sequenced_at_ms = 1770000000000,
                                .envelope = ves_bytes(body, sizeof(body))};
    ves_sha256_one(&sequence, sizeof(sequence), &row->event_hash);
    memcpy(row->event_id.b, &sequence, sizeof(sequence));
    memcpy(row->signature.b, row->event_hash.b, VES_HASH_SIZE);
}

/* Commits a group; the tree's share of the commit itself is only in the
 * total. */
static void commit_group(struct ves_store *store,
                         const struct ves_stream *stream, bool with_tree,
                         struct ves_arena *arena)
{
    static struct ves_log_row rows[GROUP];
    struct ves_stream_row row;
    struct ves_tlog_row log = {.edge = ves_bytes(NULL, 0)};
    struct ves_log_tree tree;

    if (store->ops->begin(store) ||
        store->ops->stream_get(store, stream, true, &row))
        abort();
    for (size_t i = 0; i < GROUP; i++)
        fill_row(&rows[i], row.head + 1 + i);
    if (store->ops->log_append(store, row.stream_no, rows, GROUP))
        abort();
    if (with_tree) {
        double start = now();
        enum ves_status status =
            store->ops->tlog_get(store, row.stream_no, arena, &log);
        if (status && status != VES_NOT_FOUND)
            abort();
        status = ves_log_tree_open(&tree, store, &row, log.edge, GROUP, arena);
        for (size_t i = 0; i < GROUP && !status; i++)
            status = ves_log_tree_add(&tree, rows[i].sequence_number,
                                      &rows[i].event_hash, &rows[i].signature);
        if (status || ves_log_tree_save(&tree))
            abort();
        costs.tree += now() - start;
    }
    if (store->ops->commit(store))
        abort();
    ves_arena_reset(arena);
}

/* Every third group a head, as it comes to at 15,000 events a second.  Read
 * through a connection that has written nothing, as the server does. */
static void sign_head(struct ves_store *reader, const struct ves_stream *stream,
                      struct ves_arena *arena)
{
    struct ves_log_head head;
    struct ves_error error;
    double start = now();

    if (ves_log_head_make(&sequencer, reader, stream, 1, arena, &head, &error))
        abort();
    double made = now();
    if (ves_log_head_keep(&sequencer, &head, 1))
        abort();
    ves_arena_reset(arena);
    costs.keeping += now() - made;
    costs.heads += now() - start;
}

static struct ves_store *open_store(const char *path, bool is_reader)
{
    struct ves_error error;
    struct ves_store *store;
    const struct ves_store_sqlite_options options = {.path = path,
                                                     .create = !is_reader,
                                                     .is_read_only = is_reader,
                                                     .reads_once = is_reader,
                                                     .role =
                                                         VES_STORE_SEQUENCER};

    if (ves_store_sqlite_open(&options, ves_alloc_default(), &store, &error))
        abort();
    return store;
}

static struct costs run_store(const char *folder, bool with_tree)
{
    char path[128];
    const struct ves_stream stream = {{{1}}, {{2}}};
    struct ves_arena arena;

    snprintf(path, sizeof(path), "%s/%d.db", folder, (int)with_tree);
    struct ves_store *store = open_store(path, false);
    struct ves_store *reader = open_store(path, true);
    watch(store, reader);
    sequencer.store = store;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 26);
    costs = (struct costs){0};
    double start = now();
    for (size_t i = 0; i < GROUPS; i++) {
        commit_group(store, &stream, with_tree, &arena);
        if (with_tree && i % 3 == 2)
            sign_head(reader, &stream, &arena);
    }
    costs.all = now() - start;
    ves_arena_free(&arena);
    ves_store_sqlite_close(reader);
    ves_store_sqlite_close(store);
    unlink(path);
    return costs;
}

static double an_event(double seconds)
{
    return seconds / STORED * 1e6;
}

static void print_costs(const struct costs *without, const struct costs *with)
{
    double both = an_event(with->tree + with->heads);

    printf("SQLite, groups of %d: the tree in the commit %8.3f us an event\n"
           "    hashing %.3f, tiles and edge %.3f\n",
           (int)GROUP, an_event(with->tree), an_event(with->tree - with->tiles),
           an_event(with->tiles));
    printf("  a signed head every 3,000, reading again  %8.3f us an event\n"
           "    rows read %.3f, hashing %.3f, signing %.3f, keeping %.3f\n",
           an_event(with->heads), an_event(with->rows),
           an_event(with->heads - with->rows - with->signing - with->keeping),
           an_event(with->signing), an_event(with->keeping));
    printf("  tree and heads together                   %8.3f us an event  "
           "<= 1.0  %s\n",
           both, both <= 1 ? "met" : "MISSED");
    printf("  all of it, commits without and with       %8.3f, %.3f us an "
           "event\n",
           an_event(without->all), an_event(with->all));
}

static void bench_store(void)
{
    char folder[] = "/var/tmp/ves-bench-tlog-XXXXXX";
    static struct test_signer key;
    struct costs best, without = {0};

    if (!mkdtemp(folder))
        abort();
    test_signer_init(&key, 1);
    sign_text = key.signer.sign_text;
    key.signer.sign_text = timed_sign;
    sequencer = (struct ves_sequencer){.signer = &key.signer,
                                       .log_host = ves_bytes_str("bench"),
                                       .alloc = ves_alloc_default()};
    for (size_t round = 0; round < ROUNDS; round++) {
        struct costs one = run_store(folder, false);
        struct costs with = run_store(folder, true);
        if (round == 0 || one.all < without.all)
            without = one;
        if (round == 0 || with.tree + with.heads < best.tree + best.heads)
            best = with;
    }
    rmdir(folder);
    print_costs(&without, &best);
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
    printf("bundle of %d, every %llu. of %d: verifying %6.1f ms  <= 200  %s; "
           "%.0f bytes an event, %.0f of them its own\n",
           (int)BUNDLE, (unsigned long long)step, (int)LOG, best * 1e3,
           best <= 0.2 ? "met" : "MISSED", (double)file.len / BUNDLE,
           (double)events / BUNDLE);
    ves_buf_free(&file);
}

int main(void)
{
    static struct test_bundle shop;

    if (ves_crypto_init())
        return 1;
    fill_entries();
    bench_append();
    bench_proofs(true);
    bench_proofs(false);
    bench_store();
    test_bundle_open(&shop, LOG);
    bench_bundle(&shop, 1);
    bench_bundle(&shop, 4);
    test_bundle_close(&shop);
    return 0;
}
