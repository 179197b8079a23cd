/* tlog_proof.h -- one entry's proof as a file (C2SP tlog-proof).
 *
 * Suffix .tlog-proof.  The file does not name the entry: whoever checks it
 * computes the entry from what the proof is about.
 */
#ifndef VES_CORE_TLOG_PROOF_H
#define VES_CORE_TLOG_PROOF_H

#include "core/tlog.h"

enum {
    VES_TLOG_PROOF_MAX = 4 * 1024 * 1024, /* bytes; extra may hold an event */
    VES_TLOG_INCLUSION_MAX = 63           /* hashes of an inclusion path */
};

/* Views the bytes it was read from. */
struct ves_tlog_proof {
    bool has_extra;
    struct ves_bytes extra; /* base64, not decoded; nobody vouches for it */
    uint64_t index;
    struct ves_tlog_path path;
    struct ves_bytes note; /* the signed checkpoint, not yet read */
};

/* VES_MALFORMED, VES_LIMIT; nothing is verified. */
VES_NODISCARD enum ves_status ves_tlog_proof_read(struct ves_bytes bytes,
                                                  struct ves_tlog_proof *out,
                                                  struct ves_error *error);
/* Appends the file; extra, when there is one, is given as raw bytes. */
void ves_tlog_proof_write(struct ves_buf *buf, const struct ves_bytes *extra,
                          uint64_t index, const struct ves_tlog_path *path,
                          struct ves_bytes note);

#endif
