/* trail.h -- what administrators did: who, what, when, and how it ended.
 *
 * Records of kind VES_RECORD_TRAIL with stream number 0, which no stream has.
 * An act is written down before it is done, and its end after it, so that none
 * is done that is not written down.  Each record's body is its hash:
 * SHA-256("VES_TRAIL_V1" | hash before | number | time | code | detail), the
 * numbers big-endian in 8 bytes, the texts behind their lengths, the first hash
 * before zeros.  Whoever keeps a hash elsewhere (it is in the log) can show
 * that nothing before it was changed.
 */
#ifndef VES_SERVER_TRAIL_H
#define VES_SERVER_TRAIL_H

#include "port/store.h"
#include "server/request.h"

enum { VES_TRAIL_STREAM = 0 };

/* Writes down what is asked for; *no is its number.  On the committer's thread,
 * outside transactions.  On failure the act must not be done. */
VES_NODISCARD enum ves_status ves_trail_begin(struct ves_request *request,
                                              uint64_t *no);
/* ... and how act number no ended; a failure is logged. */
void ves_trail_end(struct ves_request *request, uint64_t no);

/* The hash of a record, from the one before. */
void ves_trail_hash(const struct ves_hash *before, const struct ves_record *row,
                    struct ves_hash *out);

#endif
