/* epoch.h -- the event that opens a new epoch of a log (ADR 0024).
 *
 * A log whose tail is lost for good goes on under another name, from the last
 * head that it still has.  The first event under that name says so: it is the
 * sequencer's own, of type ves.log.epoch_opened, and holds the largest head
 * that was signed under the old name, so that nobody has to be believed about
 * what was lost.
 */
#ifndef VES_CORE_EPOCH_H
#define VES_CORE_EPOCH_H

#include "core/checkpoint.h"
#include "core/event.h"
#include "core/note.h"

#define VES_TYPE_EPOCH_OPENED "ves.log.epoch_opened"
#define VES_EPOCH_ENTITY_TYPE "ves"
#define VES_EPOCH_ENTITY_ID   "epochs"

enum {
    VES_EPOCH_REASON_MAX = 500,       /* bytes */
    VES_EPOCH_PAYLOAD_MAX = 16 * 1024 /* bytes */
};

struct ves_epoch {
    uint64_t number;              /* 1 is the first that was opened */
    struct ves_bytes origin;      /* the log's name from here on */
    struct ves_checkpoint common; /* the last head both have; origin: before */
    struct ves_bytes lost_note;   /* signed under the name before ... */
    struct ves_checkpoint lost;   /* ... and what it says */
    struct ves_bytes reason;      /* the operator's words, may be "" */
};

/* Appends "HOST/epoch/N/ves/" and the stream's id; without "epoch/N" for
 * number 0. */
void ves_epoch_origin_write(struct ves_buf *buf, struct ves_bytes host,
                            uint64_t number, const struct ves_hash *stream_id);
/* The epoch that an origin names, 0 for none, and what stands before it. */
uint64_t ves_epoch_of_origin(struct ves_bytes origin, struct ves_bytes *host);

/* By its type alone. */
bool ves_epoch_is_opening(const struct ves_event *event);

/* Appends the payload; lost follows from lost_note and is not looked at. */
VES_NODISCARD enum ves_status ves_epoch_write(struct ves_buf *buf,
                                              const struct ves_alloc *alloc,
                                              const struct ves_epoch *epoch);
/* Reads an event of that type: members, entity, names that follow from each
 * other, the numbers that it says of itself; *note is filled with lost_note.
 * What needs a key or a tree is the caller's: that lost_note is signed, and
 * that common is the tree before the event.  VES_INVALID with *why (may be
 * NULL). */
VES_NODISCARD enum ves_status ves_epoch_read(const struct ves_event *event,
                                             uint64_t sequence,
                                             struct ves_epoch *out,
                                             struct ves_note *note,
                                             struct ves_error *why);

/* Is the head that is given up signed with that key, under the name before?
 * note is the one ves_epoch_read filled. */
bool ves_epoch_is_signed(const struct ves_epoch *epoch,
                         const struct ves_note *note,
                         const struct ves_public_key *key);

#endif
