/* log_dir.c -- writes a log as files, for programs of others to check.
 *
 * log-dir DIR SIZE PAIRS SEED: a log of SIZE entries by the rule of
 * test/vectors/tlog_golden.json in the layout of C2SP tlog-tiles (checkpoint,
 * tile/), its keys (vkey, skey), PAIRS proofs at random sizes in expect.txt
 * (lines: what, two numbers, hashes in base64), signed notes of random sizes
 * (notes/SIZE, every second one cosigned) and a few .tlog-proof files with the
 * entries they are about (proofs/).
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/tlog_proof.h"
#include "test/lib/test_log.h"

enum { NOTES = 20, PROOFS = 12 };

static const char *folder;
static struct test_log source_log;
static uint64_t random_state;

static uint64_t below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

/* Opens DIR/name for writing; makes the folders in between. */
static FILE *create(const char *name)
{
    char path[1024];
    int n = snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        abort();
    for (char *p = path + strlen(folder) + 1; (p = strchr(p, '/')); p++) {
        *p = '\0';
        if (mkdir(path, 0777) && errno != EEXIST)
            abort();
        *p = '/';
    }
    FILE *file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "log-dir: cannot write %s: %s\n", path,
                strerror(errno));
        exit(1);
    }
    return file;
}

static void save(const char *name, struct ves_bytes bytes)
{
    FILE *file = create(name);
    if (fwrite(bytes.ptr, 1, bytes.len, file) != bytes.len || fclose(file))
        abort();
}

static void save_tile(const struct ves_tile *tile, struct ves_bytes bytes)
{
    struct ves_buf path;
    test_log_buf(&path);
    ves_tile_path_write(&path, tile);
    save(test_log_str(&path), bytes);
    ves_buf_free(&path);
}

static void save_tiles(void)
{
    struct ves_buf buf;

    test_log_buf(&buf);
    for (uint32_t level = 0; level < 3; level++) {
        struct ves_tile tile = {false, level, 0, 0};
        for (; (tile.width =
                    ves_tile_width(level, tile.index, source_log.size)) > 0;
             tile.index++) {
            size_t first = (size_t)tile.index * VES_TILE_WIDTH;
            save_tile(&tile, ves_bytes(source_log.rows[level][first].b,
                                       tile.width * VES_HASH_SIZE));
            if (level > 0)
                continue;
            ves_buf_reset(&buf);
            for (size_t i = first; i < first + tile.width; i++) {
                uint8_t entry[VES_LEAF_SIZE];
                ves_leaf_write(&source_log.leaves[i], entry);
                ves_tile_entry_write(&buf, ves_bytes(entry, sizeof(entry)));
            }
            struct ves_tile bundle = tile;
            bundle.is_entries = true;
            save_tile(&bundle, ves_buf_view(&buf));
        }
    }
    ves_buf_free(&buf);
}

static void put_hash(FILE *file, const struct ves_hash *hash)
{
    char text[64];
    ves_b64_encode(hash->b, VES_HASH_SIZE, text);
    fprintf(file, " %.*s", (int)ves_b64_len(VES_HASH_SIZE), text);
}

static void put_path(FILE *file, const char *what, uint64_t a, uint64_t b,
                     const struct ves_tlog_path *path)
{
    fprintf(file, "%s %llu %llu", what, (unsigned long long)a,
            (unsigned long long)b);
    for (uint32_t i = 0; i < path->count; i++)
        put_hash(file, &path->hash[i]);
    fputc('\n', file);
}

static void save_expectations(size_t pairs)
{
    FILE *file = create("expect.txt");

    for (size_t i = 0; i < pairs; i++) {
        uint64_t n = 1 + below(source_log.size), m = below(n);
        struct ves_tlog_node node = {0, m};
        struct ves_hash root = test_log_root(&source_log, n);
        struct ves_tlog_path path;

        fprintf(file, "root %llu 0", (unsigned long long)n);
        put_hash(file, &root);
        fputc('\n', file);
        if (ves_tlog_inclusion_make(test_log_source(&source_log), node, n,
                                    &path))
            abort();
        put_path(file, "inclusion", m, n, &path);
        if (ves_tlog_consistency_make(test_log_source(&source_log), m + 1, n,
                                      &path))
            abort();
        put_path(file, "consistency", m + 1, n, &path);
    }
    if (fclose(file))
        abort();
}

static void save_notes(void)
{
    struct ves_buf note;
    char name[64];

    test_log_buf(&note);
    for (size_t i = 0; i < NOTES; i++) {
        uint64_t size = 1 + below(source_log.size);
        ves_buf_reset(&note);
        test_log_checkpoint(&source_log, &note, size);
        if (i % 2)
            test_log_cosign(&source_log, &note, 1700000000 + i);
        snprintf(name, sizeof(name), "notes/%llu", (unsigned long long)size);
        save(name, ves_buf_view(&note));
    }
    ves_buf_reset(&note);
    test_log_checkpoint(&source_log, &note, source_log.size);
    save("checkpoint", ves_buf_view(&note));
    test_log_cosign(&source_log, &note, 1700000000);
    for (size_t i = 0; i < PROOFS; i++) {
        uint64_t index = i == 0   ? 0
                         : i == 1 ? source_log.size - 1
                                  : below(source_log.size);
        struct ves_tlog_node node = {0, index};
        struct ves_tlog_path path;
        struct ves_buf proof;
        uint8_t entry[VES_LEAF_SIZE];

        if (ves_tlog_inclusion_make(test_log_source(&source_log), node,
                                    source_log.size, &path))
            abort();
        test_log_buf(&proof);
        ves_tlog_proof_write(&proof, NULL, index, &path, ves_buf_view(&note));
        snprintf(name, sizeof(name), "proofs/%zu.tlog-proof", i);
        save(name, ves_buf_view(&proof));
        ves_leaf_write(&source_log.leaves[index], entry);
        snprintf(name, sizeof(name), "proofs/%zu.entry", i);
        save(name, ves_bytes(entry, sizeof(entry)));
        ves_buf_free(&proof);
    }
    ves_buf_free(&note);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: log-dir DIR SIZE PAIRS SEED\n");
        return 2;
    }
    folder = argv[1];
    random_state = strtoull(argv[4], NULL, 10) * 2 + 1;
    test_log_open(&source_log);
    test_log_grow(&source_log, strtoull(argv[2], NULL, 10));
    if (source_log.size == 0)
        return 2;
    save("vkey", test_log_text(&source_log, "log_vkey"));
    save("skey", test_log_text(&source_log, "log_skey"));
    save_tiles();
    save_expectations(strtoull(argv[3], NULL, 10));
    save_notes();
    test_log_close(&source_log);
    return 0;
}
