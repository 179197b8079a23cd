/* add_checkpoint.h -- what a log asks of a witness (C2SP tlog-witness).
 *
 * Both sides: the body of add-checkpoint, the decision, the answers' bodies.
 */
#ifndef VES_CORE_ADD_CHECKPOINT_H
#define VES_CORE_ADD_CHECKPOINT_H

#include "core/checkpoint.h"
#include "core/note.h"

enum {
    VES_ADD_CHECKPOINT_MAX = 32 * 1024, /* bytes of a request */
    VES_ADD_CHECKPOINT_PATH_MAX = 63    /* hashes in it */
};

/* A request taken apart; views the bytes it was read from. */
struct ves_add_checkpoint {
    uint64_t old_size; /* what the log believes the witness has */
    struct ves_tlog_path path;
    struct ves_note note;
    struct ves_checkpoint checkpoint;
};

/* Anything but VES_OK is the witness's 400. */
VES_NODISCARD enum ves_status
ves_add_checkpoint_read(struct ves_bytes body, struct ves_add_checkpoint *out,
                        struct ves_error *error);
/* Appends a request; note is the signed checkpoint. */
void ves_add_checkpoint_write(struct ves_buf *buf, uint64_t old_size,
                              const struct ves_tlog_path *path,
                              struct ves_bytes note);

/* The largest tree a witness has cosigned of an origin. */
struct ves_witness_head {
    uint64_t size;
    struct ves_hash root; /* any bytes when size is 0 */
};

enum ves_witness_answer {
    VES_WITNESS_OK = 200,          /* store it as head, then cosign */
    VES_WITNESS_MALFORMED = 400,   /* old size larger than the new one */
    VES_WITNESS_FORBIDDEN = 403,   /* not signed by the log, or signed wrong */
    VES_WITNESS_UNKNOWN = 404,     /* origin: the caller's to find out */
    VES_WITNESS_CONFLICT = 409,    /* head has another size: tell it */
    VES_WITNESS_INCONSISTENT = 422 /* not a growth of what was cosigned */
};

/* Decides, as the origin's keys (count of them) and head say; the numbers are
 * HTTP's. */
enum ves_witness_answer
ves_witness_decide(const struct ves_add_checkpoint *request,
                   const struct ves_note_key *keys, size_t count,
                   const struct ves_witness_head *head);

/* The body of a 409: the size of the witness's head.  VES_MALFORMED. */
VES_NODISCARD enum ves_status ves_witness_size_read(struct ves_bytes body,
                                                    uint64_t *size);
void ves_witness_size_write(struct ves_buf *buf, uint64_t size);

#endif
