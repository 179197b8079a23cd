/* head_file.h -- the heads this sequencer signed, where no backup of its
 * database reaches.
 *
 * A database that comes back from a backup is behind a head that was signed;
 * going on from there would sign a second history.  So every signed head is
 * also written here, before anybody can read it, and the sequencer does not
 * start behind it.
 *
 *   ves-heads 1 SEQUENCER-ID
 *   STREAM-ID SIZE ROOT [EPOCH]  one line a signed head; the last one counts
 *
 * Hashes are 64 lower-case digits.  The heads of a stream never get smaller,
 * and those of one size are one head; an epoch (ADR 0024) begins anew, and the
 * first one, which is not written, is 0.
 *
 * Lines are appended and flushed; a file that has grown is written anew.  A
 * last line without its end was not flushed, so nobody has seen its head.
 */
#ifndef VES_SERVER_HEAD_FILE_H
#define VES_SERVER_HEAD_FILE_H

#include "engine/log_tree.h"
#include "server/table.h"

struct ves_head_file {
    const struct ves_alloc *alloc;
    char *path;
    struct ves_uuid sequencer_id;
    struct ves_table heads; /* by stream id */
    int fd;                 /* -1: closed */
    uint64_t lines;         /* in the file */
};

/* Is path outside the folder of the database?  VES_INVALID with words when it
 * is not, or its folder is not there. */
VES_NODISCARD enum ves_status
ves_head_file_check_place(const char *path, const char *db,
                          struct ves_error *error);

/* Reads the file, making it when it is missing and can_create.  VES_NOT_FOUND,
 * VES_MALFORMED, VES_REFUSED: of another sequencer; VES_CORRUPT: a head takes
 * back one of an earlier line; VES_IO.  seed: of the table. */
VES_NODISCARD enum ves_status
ves_head_file_open(const char *path, const struct ves_uuid *sequencer_id,
                   bool can_create, const struct ves_alloc *alloc,
                   uint64_t seed, struct ves_head_file *out,
                   struct ves_error *error);
void ves_head_file_close(struct ves_head_file *file);

/* The head of a stream; false when there is none. */
bool ves_head_file_get(const struct ves_head_file *file,
                       const struct ves_hash *stream_id, uint64_t *size,
                       struct ves_hash *root);
/* The epoch of the log that it is of; 0 also when there is none. */
uint64_t ves_head_file_epoch(const struct ves_head_file *file,
                             const struct ves_hash *stream_id);
/* Visits the head of every stream until visit returns false. */
void ves_head_file_each(const struct ves_head_file *file,
                        bool (*visit)(void *ctx,
                                      const struct ves_hash *stream_id,
                                      uint64_t size,
                                      const struct ves_hash *root),
                        void *ctx);

/* Writes the heads that are due and flushes them.  On failure the file may
 * have some of them, which is harmless: it knows more than was published.
 * VES_CORRUPT, nothing written: one takes back what the file has. */
VES_NODISCARD enum ves_status
ves_head_file_write(struct ves_head_file *file,
                    const struct ves_log_head *heads, size_t count,
                    struct ves_error *error);

#endif
