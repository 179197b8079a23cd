/* log_epoch.h -- the epochs of a stream's log at the sequencer (ADR 0024).
 *
 * The log itself says which epoch it is in: whatever is rebuilt or restored,
 * its name follows from its events.
 */
#ifndef VES_ENGINE_LOG_EPOCH_H
#define VES_ENGINE_LOG_EPOCH_H

#include "core/epoch.h"
#include "engine/sequencer.h"

/* Of one opening: what it says, its number, and where it stands. */
struct ves_log_epoch {
    struct ves_epoch epoch; /* number 0: none was opened */
    uint64_t sequence;
};

/* The last epoch that was opened, read into arena. */
VES_NODISCARD enum ves_status
ves_log_epoch_last(struct ves_store *store, uint32_t stream_no,
                   const struct ves_uuid *sequencer_id, struct ves_arena *arena,
                   struct ves_log_epoch *out);
/* The one that gave up a head; *is_found false: there is none. */
VES_NODISCARD enum ves_status
ves_log_epoch_find(struct ves_store *store, uint32_t stream_no,
                   const struct ves_uuid *sequencer_id, uint64_t size,
                   const struct ves_hash *root, struct ves_arena *arena,
                   bool *is_found, struct ves_log_epoch *out);

/* Appends the log's name as it is now, which is also the name of its key. */
VES_NODISCARD enum ves_status
ves_log_origin_write(struct ves_buf *buf, const struct ves_sequencer *sequencer,
                     struct ves_store *store, uint32_t stream_no,
                     const struct ves_hash *stream_id);

/* What an operator decides to give up. */
struct ves_log_giving_up {
    struct ves_stream stream;
    uint64_t size; /* the head that was signed and is lost */
    struct ves_hash root;
    struct ves_bytes reason;
};

/* The numbers of the events that opened the log's epochs, in order; *list is in
 * arena. */
VES_NODISCARD enum ves_status
ves_log_epoch_list(struct ves_store *store, uint32_t stream_no,
                   const struct ves_uuid *sequencer_id, struct ves_arena *arena,
                   uint64_t **list, size_t *count);

/* Opens an epoch at the head of a frozen stream: appends the event, unfreezes,
 * and makes its first head, or gives the one that is signed, which the host
 * writes to its head file before ves_log_head_keep.  Nothing is appended when
 * that head was given up before: what was cut short is done again from there.
 * Nobody serves the database meanwhile.  The bytes of out are in arena.
 * batch_id: a fresh UUID. */
struct ves_log_head;
VES_NODISCARD enum ves_status ves_log_epoch_open(
    struct ves_sequencer *sequencer, const struct ves_log_giving_up *what,
    const struct ves_uuid *batch_id, int64_t now_ms, struct ves_arena *arena,
    struct ves_log_head *out, struct ves_error *error);

#endif
