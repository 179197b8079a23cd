/* ingest_answer.c -- what a request's sender is told (protocol.md B.3, H). */
#include "base/assert.h"
#include "base/bytes.h"
#include "engine/sequencer.h"
#include "json/jcs.h"

static bool is_in_log(const struct ves_ingest_event *event)
{
    return event->outcome == VES_OUTCOME_ACCEPTED ||
           event->outcome == VES_OUTCOME_REPLAYED;
}

struct counts {
    size_t accepted;
    uint64_t start, end; /* 0: null */
};

/* protocol.md C.1: these callers need accepted + rejected to be what they
 * sent, and number what is not rejected from start on.  Where the log agrees
 * with that, replays count as accepted. */
static struct counts count_for_js(const struct ves_ingest *ingest)
{
    struct counts plain = {ingest->accepted, ingest->sequence_start,
                           ingest->sequence_end};
    struct counts all = {0, 0, 0};

    for (size_t i = 0; i < ingest->count; i++) {
        const struct ves_ingest_event *event = &ingest->events[i];
        if (!is_in_log(event))
            continue;
        uint64_t sequence = event->receipt.sequence_number;
        if (all.accepted++ == 0)
            all.start = sequence;
        else if (sequence != all.end + 1)
            return plain;
        all.end = sequence;
    }
    return all;
}

static void put_sequence(struct ves_buf *out, const char *name,
                         uint64_t sequence)
{
    ves_buf_put_str(out, name);
    if (sequence == 0)
        ves_buf_put_str(out, "null");
    else
        ves_buf_put_decimal(out, sequence);
}

static void put_text(struct ves_buf *out, const char *name, const char *text)
{
    ves_buf_put_str(out, name);
    ves_jcs_write_string(out, ves_bytes_str(text));
}

static void put_refusal(struct ves_buf *out, const struct ves_ingest *ingest,
                        size_t index, enum ves_dialect dialect)
{
    const struct ves_ingest_event *event = &ingest->events[index];
    const struct ves_refusal *refusal = &event->refusal;
    bool is_rust = dialect == VES_DIALECT_RUST;

    ves_buf_put_u8(out, '{');
    if (refusal->has_event_id) {
        ves_buf_put_str(out, is_rust ? "\"event_id\":\"" : "\"eventId\":\"");
        ves_buf_put_uuid(out, &refusal->event_id);
        ves_buf_put_str(out, "\",");
    }
    put_text(out, "\"reason\":", refusal->reason);
    /* protocol.md C.5: RS-client cannot read reason and message together. */
    if (is_rust)
        put_text(out, ",\"message\":", refusal->message);
    ves_buf_put_str(out, ",\"index\":");
    ves_buf_put_decimal(out, index);
    ves_buf_put_str(out, ",\"refusalSignature\":\"");
    ves_buf_put_hex(out, event->refusal_signature.b, VES_SIG_SIZE);
    ves_buf_put_u8(out, '"');
    ves_buf_put_str(out, ",\"sequencerKeyVersion\":");
    ves_buf_put_decimal(out, ingest->key_version);
    ves_buf_put_u8(out, '}');
}

static void put_refusals(struct ves_buf *out, const struct ves_ingest *ingest,
                         enum ves_dialect dialect)
{
    const char *before = ",\"rejections\":[";

    for (size_t i = 0; i < ingest->count; i++) {
        if (ingest->events[i].outcome != VES_OUTCOME_REFUSED)
            continue;
        ves_buf_put_str(out, before);
        put_refusal(out, ingest, i, dialect);
        before = ",";
    }
    if (ingest->refused > 0)
        ves_buf_put_u8(out, ']');
}

static void put_receipts(struct ves_buf *out, const struct ves_ingest *ingest)
{
    static const enum ves_outcome_kind order[] = {VES_OUTCOME_REPLAYED,
                                                  VES_OUTCOME_ACCEPTED};
    const char *before = ",\"receipts\":[";

    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < ingest->count; i++) {
            if (ingest->events[i].outcome != order[k])
                continue;
            ves_buf_put_str(out, before);
            ves_receipt_write(out, &ingest->events[i].receipt);
            before = ",";
        }
    }
    if (ingest->accepted + ingest->replayed > 0)
        ves_buf_put_u8(out, ']');
}

static void put_verdicts(struct ves_buf *out, const struct ves_ingest *ingest)
{
    const char *before = "";

    ves_buf_put_str(out, ",\"verdicts\":[");
    for (size_t i = 0; i < ingest->count; i++) {
        const struct ves_ingest_event *event = &ingest->events[i];
        if (!is_in_log(event))
            continue;
        ves_buf_put_str(out, before);
        ves_buf_put_str(out, "{\"eventId\":\"");
        ves_buf_put_uuid(out, &event->receipt.event_id);
        put_text(out,
                 "\",\"verdict\":", ves_verdict_name(event->judgement.verdict));
        if (event->judgement.sub_code[0])
            put_text(out, ",\"subCode\":", event->judgement.sub_code);
        if (event->judgement.has_conflict_id) {
            ves_buf_put_str(out, ",\"conflictId\":\"");
            ves_buf_put_hex(out, event->judgement.conflict_id.b, VES_HASH_SIZE);
            ves_buf_put_u8(out, '"');
        }
        ves_buf_put_u8(out, '}');
        before = ",";
    }
    ves_buf_put_u8(out, ']');
}

enum ves_status ves_ingest_answer(struct ves_ingest *ingest,
                                  const struct ves_sequencer *seq,
                                  enum ves_dialect dialect, struct ves_buf *out)
{
    struct counts counts = {ingest->accepted, ingest->sequence_start,
                            ingest->sequence_end};

    VES_ASSERT(ingest->http_status == 200);
    VES_ASSERT(ingest->accepted + ingest->replayed + ingest->refused ==
               ingest->count);
    VES_ASSERT(ingest->key_version <= seq->key_version);
    if (dialect == VES_DIALECT_JS)
        counts = count_for_js(ingest);

    ves_buf_put_str(out, "{\"batchId\":\"");
    ves_buf_put_uuid(out, &ingest->batch_id);
    ves_buf_put_str(out, "\",\"eventsAccepted\":");
    ves_buf_put_decimal(out, counts.accepted);
    ves_buf_put_str(out, ",\"eventsRejected\":");
    ves_buf_put_decimal(out, ingest->refused);
    put_sequence(out, ",\"sequenceStart\":", counts.start);
    put_sequence(out, ",\"sequenceEnd\":", counts.end);
    ves_buf_put_str(out, ",\"headSequence\":");
    ves_buf_put_decimal(out, ingest->head);
    put_refusals(out, ingest, dialect);
    put_receipts(out, ingest);
    put_verdicts(out, ingest);
    ves_buf_put_u8(out, '}');
    return ves_buf_status(out);
}
