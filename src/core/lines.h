/* lines.h -- the text formats of the provable log, taken line by line.
 *
 * Lines end in LF, all of them.  Each function takes what it names from the
 * front of *rest and returns true, or returns false and leaves *rest alone.
 */
#ifndef VES_CORE_LINES_H
#define VES_CORE_LINES_H

#include "base/buf.h"
#include "core/tlog.h"
#include "ves/ves.h"

/* Up to the next LF; *line is without it. */
bool ves_line_take(struct ves_bytes *rest, struct ves_bytes *line);
/* A line that is exactly text. */
bool ves_line_take_text(struct ves_bytes *rest, const char *text);
/* A line "name value" and its value, which is not empty. */
bool ves_line_take_value(struct ves_bytes *rest, const char *name,
                         struct ves_bytes *value);
/* Same where the value is a decimal of at most 2^63-1. */
bool ves_line_take_number(struct ves_bytes *rest, const char *name,
                          uint64_t *value);
/* As many lines of one hash each as there are, at most max; false when there
 * is one more. */
bool ves_line_take_path(struct ves_bytes *rest, uint32_t max,
                        struct ves_tlog_path *path);

/* The text before the first space in *rest, when there is one: takes both.
 */
bool ves_line_take_word(struct ves_bytes *rest, struct ves_bytes *word);

/* Exactly 44 characters of base64. */
bool ves_line_hash(struct ves_bytes text, struct ves_hash *out);
/* A decimal of at most 2^63-1, without sign or leading zeros. */
bool ves_line_number(struct ves_bytes text, uint64_t *out);

/* Appends base64. */
void ves_line_put_b64(struct ves_buf *buf, const void *data, size_t len);
/* Appends a hash in base64 and LF. */
void ves_line_put_hash(struct ves_buf *buf, const struct ves_hash *hash);
void ves_line_put_path(struct ves_buf *buf, const struct ves_tlog_path *path);

#endif
