/* items.h -- events of the log as pages show them (protocol.md B.4, C.2). */
#ifndef VES_SERVER_ITEMS_H
#define VES_SERVER_ITEMS_H

#include "base/buf.h"
#include "port/store.h"

enum {
    /* A page ends early once it has this many bytes; there is always one
     * event in it. */
    VES_ITEMS_BYTES_MAX = 8 * 1024 * 1024
};

enum ves_item_shape {
    VES_ITEM_VES,          /* {"envelope":{...},"receipt":{...}?} */
    VES_ITEM_LEGACY,       /* with source_agent, sequenced_at, receipt_hash */
    VES_ITEM_LEGACY_ENTITY /* the members flat, and envelope beside them */
};

struct ves_items {
    struct ves_buf *out;
    struct ves_stream stream;
    enum ves_item_shape shape;
    bool with_receipts;
    size_t count; /* put so far */
};

/* Appends the next item, after a comma unless it is the first.  VES_CORRUPT
 * for a row without its body: a sequencer does not prune. */
VES_NODISCARD enum ves_status ves_items_put(struct ves_items *items,
                                            const struct ves_log_row *row);

#endif
