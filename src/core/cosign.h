/* cosign.h -- a witness's word on a checkpoint (C2SP tlog-cosignature, v1).
 *
 * It says: at that time this was the largest tree of that origin I had seen,
 * and it only added to those before.
 */
#ifndef VES_CORE_COSIGN_H
#define VES_CORE_COSIGN_H

#include "core/note.h"

enum {
    /* Texts that can be cosigned: three lines of a checkpoint are shorter. */
    VES_COSIGN_TEXT_MAX = 512
};

/* Does sig cover text at that time?  False for texts longer than
 * VES_COSIGN_TEXT_MAX and times beyond 2^63-1. */
VES_NODISCARD bool ves_cosign_verify(const struct ves_public_key *key,
                                     struct ves_bytes text, uint64_t time_s,
                                     const struct ves_sig *sig);

/* Appends the cosigner's line over a checkpoint's text.  key is of type
 * VES_NOTE_COSIGNATURE. */
void ves_cosign(struct ves_buf *buf, struct ves_bytes text, uint64_t time_s,
                const struct ves_note_key *key,
                const struct ves_secret_key *secret);

/* The same with a key that only a signer holds: the message it signs is
 * appended to message, its signature makes the line with _cosign_write. */
void ves_cosign_message(struct ves_buf *message, struct ves_bytes text,
                        uint64_t time_s);
void ves_cosign_write(struct ves_buf *buf, const struct ves_note_key *key,
                      uint64_t time_s, const struct ves_sig *sig);

#endif
