/* log_cosigned.h -- cosignatures of a stream's log over a store.
 *
 * What comes in was verified by the host: the head by the log's own key and
 * against its tree, the line by its cosigner's key.  Kept by the rules of
 * core/cosigned.h, served with the heads.
 */
#ifndef VES_ENGINE_LOG_COSIGNED_H
#define VES_ENGINE_LOG_COSIGNED_H

#include "core/cosigned.h"
#include "engine/sequencer.h"

/* A good line on its way into the store; views. */
struct ves_log_cosigned {
    uint32_t stream_no;
    struct ves_checkpoint head;
    struct ves_bytes note; /* the head with the log's own lines only */
    struct ves_cosigned_line line;
};

enum { VES_LOG_COSIGNED_PAGE_MAX = 8 }; /* older heads that a page brings */

/* What is kept of a stream, in arena; nothing when that is damaged. */
VES_NODISCARD enum ves_status ves_log_cosigned_get(struct ves_store *store,
                                                   uint32_t stream_no,
                                                   struct ves_arena *arena,
                                                   struct ves_cosigned *out);
/* Adds all of them, in a transaction of its own.  *added: lines that said
 * something new. */
VES_NODISCARD enum ves_status
ves_log_cosigned_keep(struct ves_sequencer *sequencer,
                      const struct ves_log_cosigned *items, size_t count,
                      size_t *added);

/* Appends the signed head of that size, "" for none, with the lines that are
 * kept of it. */
VES_NODISCARD enum ves_status
ves_log_cosigned_note(struct ves_buf *out, struct ves_store *store,
                      uint32_t stream_no, uint64_t size, struct ves_bytes note,
                      struct ves_arena *arena);
/* Appends what a page says of a signed log: ',"checkpoint":NOTE' with the lines
 * that are kept of it, and ',"witnessed":[NOTE...]', older cosigned heads:
 * first those with a witness's line, newest first, then those of stores alone.
 */
VES_NODISCARD enum ves_status
ves_log_cosigned_page(struct ves_buf *out, struct ves_store *store,
                      uint32_t stream_no, const struct ves_tlog_row *log,
                      struct ves_arena *arena);

#endif
