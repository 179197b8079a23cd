/* checkpoint.h -- the head of a log in three lines (C2SP tlog-checkpoint).
 *
 * Origin, size, root.  No extension lines: with three lines every cosigner
 * signs the same bytes.
 */
#ifndef VES_CORE_CHECKPOINT_H
#define VES_CORE_CHECKPOINT_H

#include "core/tlog.h"

enum {
    VES_ORIGIN_MAX = 255,         /* bytes */
    VES_CHECKPOINT_TEXT_MAX = 321 /* bytes of the three lines */
};

struct ves_checkpoint {
    struct ves_bytes origin; /* borrowed from the text */
    uint64_t size;           /* entries */
    struct ves_hash root;
};

/* Reads a note's text.  VES_MALFORMED. */
VES_NODISCARD enum ves_status ves_checkpoint_read(struct ves_bytes text,
                                                  struct ves_checkpoint *out,
                                                  struct ves_error *error);
/* Appends the three lines. */
void ves_checkpoint_write(struct ves_buf *buf,
                          const struct ves_checkpoint *checkpoint);

/* Appends "HOST/ves/" and the stream's id in 64 digits. */
void ves_origin_write(struct ves_buf *buf, struct ves_bytes host,
                      const struct ves_hash *stream_id);
/* The stream an origin names; false when it has not that form. */
bool ves_origin_stream(struct ves_bytes origin, struct ves_hash *stream_id);

/* A sequencer's head file (server/head_file.h): how its first line begins, and
 * what stands in each of the others. */
#define VES_HEAD_FILE_MARK "ves-heads 1 "
struct ves_head_line {
    struct ves_hash stream_id;
    uint64_t size; /* 1 or more */
    struct ves_hash root;
    uint64_t epoch;
};
/* Exactly as it is written, without the end of the line. */
bool ves_head_line_read(struct ves_bytes line, struct ves_head_line *out);

#endif
