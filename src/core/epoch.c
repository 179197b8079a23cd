/* epoch.c -- the event that opens a new epoch of a log (ADR 0024). */
#include "core/epoch.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/merkle.h"
#include "ves/json.h"

static const char word[] = "/epoch/";

/* ---- names --------------------------------------------------------------- */

void ves_epoch_origin_write(struct ves_buf *buf, struct ves_bytes host,
                            uint64_t number, const struct ves_hash *stream_id)
{
    if (number == 0) {
        ves_origin_write(buf, host, stream_id);
        return;
    }
    ves_buf_put_bytes(buf, host);
    ves_buf_put_str(buf, word);
    ves_buf_put_decimal(buf, number);
    ves_origin_write(buf, ves_bytes_str(""), stream_id);
}

uint64_t ves_epoch_of_origin(struct ves_bytes origin, struct ves_bytes *host)
{
    enum { TAIL = 5 + 2 * VES_HASH_SIZE }; /* "/ves/" and the id */
    size_t digits = 0, len = sizeof(word) - 1;
    struct ves_hash ignored;
    uint64_t number;

    *host = origin;
    if (!ves_origin_stream(origin, &ignored))
        return 0;
    host->len -= TAIL;
    while (digits < host->len && host->ptr[host->len - digits - 1] >= '0' &&
           host->ptr[host->len - digits - 1] <= '9')
        digits++;
    if (digits == 0 || host->len <= digits + len ||
        memcmp(host->ptr + host->len - digits - len, word, len) != 0 ||
        ves_decimal_parse(ves_bytes(host->ptr + host->len - digits, digits),
                          &number) ||
        number == 0)
        return 0;
    host->len -= digits + len;
    return number;
}

bool ves_epoch_is_opening(const struct ves_event *event)
{
    return ves_bytes_is(event->event_type, VES_TYPE_EPOCH_OPENED);
}

/* ---- the payload --------------------------------------------------------- */

enum ves_status ves_epoch_write(struct ves_buf *buf,
                                const struct ves_alloc *alloc,
                                const struct ves_epoch *epoch)
{
    struct ves_jw *jw = ves_jw_new(alloc, VES_EPOCH_PAYLOAD_MAX);

    if (!jw)
        return VES_NOMEM;
    ves_jw_object(jw);
    ves_jw_key(jw, "common_root");
    ves_jw_hex(jw, "0x", epoch->common.root.b, VES_HASH_SIZE);
    ves_jw_key(jw, "common_size");
    ves_jw_u64(jw, epoch->common.size);
    ves_jw_key(jw, "epoch");
    ves_jw_u64(jw, epoch->number);
    ves_jw_key(jw, "lost_checkpoint");
    ves_jw_bytes(jw, epoch->lost_note);
    ves_jw_key(jw, "origin");
    ves_jw_bytes(jw, epoch->origin);
    ves_jw_key(jw, "previous_origin");
    ves_jw_bytes(jw, epoch->common.origin);
    ves_jw_key(jw, "reason");
    ves_jw_bytes(jw, epoch->reason);
    ves_jw_end(jw);
    enum ves_status status = ves_jw_status(jw);
    if (!status)
        ves_buf_put_bytes(buf, ves_jw_view(jw));
    ves_jw_free(jw);
    return status ? status : ves_buf_status(buf);
}

static const char *read_members(const struct ves_json *payload,
                                struct ves_epoch *out)
{
    struct ves_bytes hex;

    if (!ves_json_get_string(payload, "common_root", &hex) ||
        ves_hex_decode(hex, out->common.root.b, VES_HASH_SIZE))
        return "common_root";
    if (!ves_json_get_u64(payload, "common_size", &out->common.size))
        return "common_size";
    if (!ves_json_get_u64(payload, "epoch", &out->number) || out->number == 0)
        return "epoch";
    if (!ves_json_get_string(payload, "lost_checkpoint", &out->lost_note))
        return "lost_checkpoint";
    if (!ves_json_get_string(payload, "origin", &out->origin))
        return "origin";
    if (!ves_json_get_string(payload, "previous_origin", &out->common.origin))
        return "previous_origin";
    if (!ves_json_get_string(payload, "reason", &out->reason) ||
        out->reason.len > VES_EPOCH_REASON_MAX)
        return "reason";
    return NULL;
}

/* Both names are of this stream's log, and one follows the other. */
static bool are_names(const struct ves_event *event,
                      const struct ves_epoch *epoch)
{
    struct ves_bytes host, before;
    struct ves_hash id, named, was;

    ves_stream_id(&event->stream, &id);
    return ves_note_name_is_valid(epoch->origin) &&
           ves_note_name_is_valid(epoch->common.origin) &&
           ves_origin_stream(epoch->origin, &named) &&
           ves_origin_stream(epoch->common.origin, &was) &&
           ves_hash_equal(&id, &named) && ves_hash_equal(&id, &was) &&
           ves_epoch_of_origin(epoch->origin, &host) == epoch->number &&
           ves_epoch_of_origin(epoch->common.origin, &before) + 1 ==
               epoch->number &&
           ves_bytes_equal(host, before);
}

enum ves_status ves_epoch_read(const struct ves_event *event, uint64_t sequence,
                               struct ves_epoch *out, struct ves_note *note,
                               struct ves_error *why)
{
    const char *bad;

    memset(out, 0, sizeof(*out));
    if (event->payload_kind != VES_PAYLOAD_PLAIN || !event->payload)
        return ves_fail(why, VES_INVALID,
                        "the opening of an epoch has to be legible, and this "
                        "one is not");
    bad = read_members(event->payload, out);
    if (!bad && (ves_note_read(out->lost_note, note, NULL) ||
                 ves_checkpoint_read(note->text, &out->lost, NULL)))
        bad = "lost_checkpoint";
    if (bad)
        return ves_fail(why, VES_INVALID,
                        "payload member %s of the epoch's opening is missing "
                        "or not what it should be",
                        bad);
    if (!ves_bytes_is(event->entity_type, VES_EPOCH_ENTITY_TYPE) ||
        !ves_bytes_is(event->entity_id, VES_EPOCH_ENTITY_ID))
        return ves_fail(why, VES_INVALID,
                        "the epoch's opening stands on another entity than "
                        "\"" VES_EPOCH_ENTITY_TYPE "\" \"" VES_EPOCH_ENTITY_ID
                        "\"");
    if (!are_names(event, out) ||
        !ves_bytes_equal(out->lost.origin, out->common.origin))
        return ves_fail(why, VES_INVALID,
                        "the names of the log before and after the epoch's "
                        "opening do not follow from each other");
    if (out->common.size + 1 != sequence || out->lost.size < sequence)
        return ves_fail(why, VES_INVALID,
                        "the epoch's opening at number %llu goes on from a "
                        "head of %llu entries, and gives up one of %llu",
                        (unsigned long long)sequence,
                        (unsigned long long)out->common.size,
                        (unsigned long long)out->lost.size);
    return VES_OK;
}

bool ves_epoch_is_signed(const struct ves_epoch *epoch,
                         const struct ves_note *note,
                         const struct ves_public_key *key)
{
    struct ves_note_key under;

    ves_note_key_init(&under, epoch->lost.origin, VES_NOTE_ED25519, key);
    return ves_note_check(note, &under, NULL) == VES_NOTE_GOOD;
}
