/* test_log.c -- the log of test/vectors/tlog_golden.json, and larger ones made
 * by its rule. */
#include "test/lib/test_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/cosign.h"

static void read_key(const struct test_log *log, const char *seed_name,
                     struct ves_secret_key *secret,
                     struct ves_public_key *public_key)
{
    uint8_t seed[VES_SEED_SIZE];
    struct ves_bytes text = test_log_text(log, seed_name);
    assert_int_equal(ves_hex_decode(text, seed, sizeof(seed)), VES_OK);
    ves_ed25519_keypair(seed, secret, public_key);
}

void test_log_open(struct test_log *log)
{
    struct ves_public_key key;
    uint8_t id[VES_UUID_SIZE];

    assert_int_equal(ves_crypto_init(), VES_OK);
    memset(log, 0, sizeof(*log));
    ves_arena_init(&log->arena, ves_alloc_default(), 1 << 20);
    log->file = test_read_file("test/vectors/tlog_golden.json");
    assert_non_null(log->file.ptr);
    log->golden = test_json(&log->arena, (const char *)log->file.ptr);
    assert_int_equal(
        ves_hex_decode(test_log_text(log, "tenant"), id, sizeof(id)), VES_OK);
    memcpy(log->stream.tenant.b, id, sizeof(id));
    assert_int_equal(
        ves_hex_decode(test_log_text(log, "store"), id, sizeof(id)), VES_OK);
    memcpy(log->stream.store.b, id, sizeof(id));
    read_key(log, "agent_seed_hex", &log->agent_secret, &log->agent_key);
    read_key(log, "log_seed_hex", &log->log_secret, &key);
    ves_note_key_init(&log->log_key, ves_bytes_str(TEST_LOG_ORIGIN),
                      VES_NOTE_ED25519, &key);
    read_key(log, "witness_seed_hex", &log->witness_secret, &key);
    ves_note_key_init(&log->witness_key, test_log_text(log, "witness_name"),
                      VES_NOTE_COSIGNATURE, &key);
}

void test_log_close(struct test_log *log)
{
    for (size_t i = 0; i < 3; i++)
        free(log->rows[i]);
    free(log->leaves);
    ves_arena_free(&log->arena);
    free((void *)(uintptr_t)log->file.ptr);
}

struct ves_bytes test_log_text(const struct test_log *log, const char *name)
{
    struct ves_bytes text;
    assert_true(ves_json_get_string(log->golden, name, &text));
    return text;
}

struct ves_hash test_log_hash(const struct test_log *log, const char *outer,
                              const char *inner)
{
    struct ves_bytes text;
    struct ves_hash hash;
    assert_true(
        ves_json_get_string(ves_json_member(log->golden, outer), inner, &text));
    assert_int_equal(ves_hex_decode(text, hash.b, sizeof(hash.b)), VES_OK);
    return hash;
}

static void *grown(void *array, size_t count, size_t size)
{
    /* Doubled at every power of two. */
    if (count & (count - 1))
        return array;
    array = realloc(array, (count ? 2 * count : 1) * size);
    assert_non_null(array);
    return array;
}

void test_log_append(struct test_log *log, const struct ves_leaf *leaf)
{
    uint8_t entry[VES_LEAF_SIZE];
    struct ves_tlog_made made[VES_TLOG_MADE_MAX];
    struct ves_hash hash;
    size_t count;

    ves_leaf_write(leaf, entry);
    ves_tlog_leaf_hash(ves_bytes(entry, sizeof(entry)), &hash);
    log->leaves = grown(log->leaves, log->size, sizeof(*log->leaves));
    log->leaves[log->size++] = *leaf;
    assert_int_equal(ves_tlog_edge_append(&log->edge, &hash, made, &count),
                     VES_OK);
    for (size_t i = 0; i < count; i++) {
        size_t row = made[i].node.level / 8, at = log->row_count[row]++;
        log->rows[row] = grown(log->rows[row], at, sizeof(struct ves_hash));
        log->rows[row][at] = made[i].hash;
    }
}

void test_log_grow(struct test_log *log, size_t size)
{
    while (log->size < size) {
        struct ves_leaf leaf = {.stream = log->stream};
        char text[32];
        leaf.sequence_number = log->size + VES_TLOG_FIRST;
        int n = snprintf(text, sizeof(text), "event %llu",
                         (unsigned long long)leaf.sequence_number);
        ves_sha256_one(text, (size_t)n, &leaf.event_hash);
        ves_ed25519_sign(&log->agent_secret,
                         ves_bytes(leaf.event_hash.b, VES_HASH_SIZE),
                         &leaf.signature);
        test_log_append(log, &leaf);
    }
}

static enum ves_status read_tile(void *ctx, const struct ves_tile *tile,
                                 struct ves_hash *hashes)
{
    const struct test_log *log = ctx;
    assert_true(tile->level < 3 && tile->index * VES_TILE_WIDTH + tile->width <=
                                       log->row_count[tile->level]);
    memcpy(hashes, &log->rows[tile->level][tile->index * VES_TILE_WIDTH],
           tile->width * sizeof(*hashes));
    return VES_OK;
}

const struct ves_tlog_source *test_log_source(struct test_log *log)
{
    ves_tile_source_init(&log->tiles, log->size, read_tile, log);
    return &log->tiles.source;
}

struct ves_hash test_log_root(struct test_log *log, uint64_t size)
{
    struct ves_tlog_edge edge;
    struct ves_hash root;
    assert_int_equal(ves_tlog_edge_at(test_log_source(log), size, &edge),
                     VES_OK);
    ves_tlog_edge_root(&edge, &root);
    return root;
}

void test_log_sign(const struct test_log *log, struct ves_buf *out,
                   uint64_t size, const struct ves_hash *root)
{
    const struct ves_checkpoint checkpoint = {log->log_key.name, size, *root};
    struct ves_buf text;

    test_log_buf(&text);
    ves_checkpoint_write(&text, &checkpoint);
    ves_buf_put_bytes(out, ves_buf_view(&text));
    ves_buf_put_u8(out, '\n');
    ves_note_sign(out, ves_buf_view(&text), &log->log_key, &log->log_secret);
    assert_int_equal(ves_buf_status(out), VES_OK);
    ves_buf_free(&text);
}

void test_log_checkpoint(struct test_log *log, struct ves_buf *out,
                         uint64_t size)
{
    struct ves_hash root = test_log_root(log, size);
    test_log_sign(log, out, size, &root);
}

void test_log_cosign(const struct test_log *log, struct ves_buf *out,
                     uint64_t time_s)
{
    static struct ves_note note;
    uint8_t text[VES_CHECKPOINT_TEXT_MAX];

    assert_int_equal(ves_note_read(ves_buf_view(out), &note, NULL), VES_OK);
    assert_true(note.text.len <= sizeof(text));
    memcpy(text, note.text.ptr, note.text.len);
    ves_cosign(out, ves_bytes(text, note.text.len), time_s, &log->witness_key,
               &log->witness_secret);
    assert_int_equal(ves_buf_status(out), VES_OK);
}

void test_log_buf(struct ves_buf *buf)
{
    ves_buf_init(buf, ves_alloc_default(), 16 << 20);
}

const char *test_log_str(struct ves_buf *buf)
{
    ves_buf_put_u8(buf, 0);
    assert_int_equal(ves_buf_status(buf), VES_OK);
    buf->len--;
    return (const char *)buf->ptr;
}
