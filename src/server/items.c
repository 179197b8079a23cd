/* items.c -- events of the log as pages show them. */
#include "server/items.h"

#include "base/bytes.h"
#include "base/time.h"
#include "core/event.h"
#include "engine/row_receipt.h"
#include "server/request.h"

static void put_receipt(const struct ves_items *items,
                        const struct ves_log_row *row)
{
    struct ves_receipt receipt;
    ves_log_row_receipt(&items->stream, row, &receipt);
    ves_buf_put_str(items->out, ",\"receipt\":");
    ves_receipt_write(items->out, &receipt);
}

/* Beside the envelope, for others' clients (C.2). */
static void put_legacy(const struct ves_items *items,
                       const struct ves_log_row *row, struct ves_bytes at)
{
    struct ves_hash hash;
    ves_receipt_hash(&items->stream, &row->event_id, row->sequence_number,
                     &row->event_hash, &hash);
    ves_put_name(items->out, false, "sequenced_at");
    ves_put_text(items->out, at);
    ves_put_name(items->out, false, "receipt_hash");
    ves_put_hex(items->out, "", hash.b, VES_HASH_SIZE);
}

static void put_envelope(const struct ves_items *items,
                         const struct ves_log_row *row, struct ves_bytes at)
{
    ves_buf_put_bytes(items->out, row->envelope);
    if (items->shape != VES_ITEM_VES) {
        ves_put_name(items->out, false, "source_agent");
        ves_put_uuid(items->out, &row->agent);
    }
    ves_event_write_position(items->out, row->sequence_number, at);
}

enum ves_status ves_items_put(struct ves_items *items,
                              const struct ves_log_row *row)
{
    char at[VES_TIME_TEXT + 1];
    ves_time_format(row->sequenced_at_ms, at);
    struct ves_bytes text = ves_bytes_str(at);
    if (row->envelope.len == 0)
        return VES_CORRUPT; /* a sequencer does not prune */
    if (items->count++)
        ves_buf_put_u8(items->out, ',');
    if (items->shape == VES_ITEM_LEGACY_ENTITY) {
        ves_buf_put_bytes(items->out, row->envelope);
        ves_put_name(items->out, false, "source_agent");
        ves_put_uuid(items->out, &row->agent);
        ves_put_name(items->out, false, "sequence_number");
        ves_buf_put_decimal(items->out, row->sequence_number);
        ves_put_name(items->out, false, "envelope");
    } else {
        ves_buf_put_str(items->out, "{\"envelope\":");
    }
    put_envelope(items, row, text);
    if (items->shape != VES_ITEM_VES)
        put_legacy(items, row, text);
    if (items->with_receipts)
        put_receipt(items, row);
    ves_buf_put_u8(items->out, '}');
    return ves_buf_status(items->out);
}
