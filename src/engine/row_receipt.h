/* row_receipt.h -- the receipt of an event, as the store's rows have it.
 *
 * protocol.md A.9.  For rows with a receipt; the hash it signs is computed.
 */
#ifndef VES_ENGINE_ROW_RECEIPT_H
#define VES_ENGINE_ROW_RECEIPT_H

#include "core/receipt.h"
#include "port/store.h"

/* Of an event in the log. */
void ves_log_row_receipt(const struct ves_stream *stream,
                         const struct ves_log_row *row,
                         struct ves_receipt *out);
/* Of an own event. */
void ves_outbox_row_receipt(const struct ves_stream *stream,
                            const struct ves_outbox_row *row,
                            struct ves_receipt *out);

#endif
