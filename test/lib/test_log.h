/* test_log.h -- the log of test/vectors/tlog_golden.json, and larger ones made
 * by its rule.
 *
 * Keys come from the seeds the vectors name, so every run signs the same
 * bytes.
 */
#ifndef VES_TEST_LOG_H
#define VES_TEST_LOG_H

#include "core/checkpoint.h"
#include "core/merkle.h"
#include "core/note.h"
#include "core/tlog_tile.h"
#include "test/lib/test_util.h"

#define TEST_LOG_ORIGIN "ves.example/s/3f1c7c1e5f0b4d0f"

struct test_log {
    struct ves_arena arena;
    struct ves_bytes file; /* the vectors */
    const struct ves_json *golden;
    struct ves_stream stream;
    struct ves_secret_key log_secret, witness_secret, agent_secret;
    struct ves_public_key agent_key;
    struct ves_note_key log_key, witness_key;
    /* What has been appended. */
    size_t size;
    struct ves_leaf *leaves;
    struct ves_hash *rows[3]; /* hashes of tile levels 0 to 2 */
    size_t row_count[3];
    struct ves_tlog_edge edge;
    struct ves_tile_source tiles; /* over the rows, at size */
};

void test_log_open(struct test_log *log);
void test_log_close(struct test_log *log);

/* Appends entries by the vectors' rule until there are size of them. */
void test_log_grow(struct test_log *log, size_t size);
/* Appends this entry. */
void test_log_append(struct test_log *log, const struct ves_leaf *leaf);
/* Makes log->tiles a source for the tree as it is now. */
const struct ves_tlog_source *test_log_source(struct test_log *log);

/* A golden value: a string member, or a member's member. */
struct ves_bytes test_log_text(const struct test_log *log, const char *name);
struct ves_hash test_log_hash(const struct test_log *log, const char *outer,
                              const char *inner);

/* The root at a size that is not larger than the log. */
struct ves_hash test_log_root(struct test_log *log, uint64_t size);

/* Appends a checkpoint signed by the log, of a tree that may be anything. */
void test_log_sign(const struct test_log *log, struct ves_buf *out,
                   uint64_t size, const struct ves_hash *root);
/* Same for the log at a size. */
void test_log_checkpoint(struct test_log *log, struct ves_buf *out,
                         uint64_t size);
/* Appends the witness's line to a signed checkpoint that stands alone in out.
 */
void test_log_cosign(const struct test_log *log, struct ves_buf *out,
                     uint64_t time_s);

/* A buffer on the heap, up to 16 MiB. */
void test_log_buf(struct ves_buf *buf);
/* Its content as text, NUL behind it. */
const char *test_log_str(struct ves_buf *buf);

#endif
