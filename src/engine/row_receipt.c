/* row_receipt.c -- the receipt of an event, as the store's rows have it. */
#include "engine/row_receipt.h"

static void add_hash(const struct ves_stream *stream,
                     const struct ves_hash *event_hash,
                     struct ves_receipt *receipt)
{
    ves_receipt_hash(stream, &receipt->event_id, receipt->sequence_number,
                     event_hash, &receipt->receipt_hash);
}

void ves_log_row_receipt(const struct ves_stream *stream,
                         const struct ves_log_row *row, struct ves_receipt *out)
{
    *out = (struct ves_receipt){.sequencer_id = row->sequencer_id,
                                .event_id = row->event_id,
                                .sequence_number = row->sequence_number,
                                .sequenced_at_ms = row->sequenced_at_ms,
                                .signature = row->receipt,
                                .key_version = row->receipt_key_version};
    add_hash(stream, &row->event_hash, out);
}

void ves_outbox_row_receipt(const struct ves_stream *stream,
                            const struct ves_outbox_row *row,
                            struct ves_receipt *out)
{
    *out = (struct ves_receipt){.sequencer_id = row->sequencer_id,
                                .event_id = row->event_id,
                                .sequence_number = row->sequence_number,
                                .sequenced_at_ms = row->sequenced_at_ms,
                                .signature = row->receipt,
                                .key_version = row->receipt_key_version};
    add_hash(stream, &row->event_hash, out);
}
