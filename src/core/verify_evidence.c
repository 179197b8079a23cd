/* verify_evidence.c -- did the sequencer sign what cannot all be true? */
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/evidence.h"
#include "core/inspection.h"

static const char contradiction[] = "contradiction";

static void proven(struct ves_inspection *in, const char *text)
{
    ves_inspection_say(in, contradiction, VES_FINDING_PROVEN, "%s", text);
}

static void failed(struct ves_inspection *in, const char *text)
{
    ves_inspection_say(in, contradiction, VES_FINDING_FAILED, "%s", text);
}

static bool is_logs(struct ves_inspection *in,
                    const struct ves_evidence_head *head)
{
    struct ves_policy_verdict verdict;
    return ves_inspection_log(in, &head->note, &head->checkpoint, &verdict);
}

static bool stands(const struct ves_evidence *evidence, size_t i)
{
    const struct ves_evidence_head *head = &evidence->heads[i];
    return ves_tlog_inclusion_check(&head->path, evidence->node,
                                    head->checkpoint.size, &head->hash,
                                    &head->checkpoint.root) == VES_OK;
}

static void verify_last(struct ves_inspection *in,
                        const struct ves_evidence *evidence)
{
    switch (ves_evidence_last(evidence)) {
    case VES_OK:
        proven(in, "the log signed two trees, and the larger one began with "
                   "other entries than the smaller one: two histories");
        break;
    case VES_NOT_FOUND:
        failed(in, "the larger tree goes on from the smaller one");
        break;
    case VES_INVALID:
        failed(in, "a last entry is shown of two trees of different sizes, "
                   "neither of them empty");
        break;
    default:
        failed(in, "what the file shows of the larger tree is not in it");
        break;
    }
}

static void verify_fork(struct ves_inspection *in,
                        const struct ves_evidence *evidence)
{
    const struct ves_checkpoint *first = &evidence->heads[0].checkpoint;
    const struct ves_checkpoint *second = &evidence->heads[1].checkpoint;

    bool are_logs = is_logs(in, &evidence->heads[0]);
    are_logs &= is_logs(in, &evidence->heads[1]);
    if (!are_logs)
        failed(in, "the log did not sign both checkpoints");
    else if (!ves_bytes_equal(first->origin, second->origin))
        failed(in, "the two checkpoints are of different logs");
    else if (evidence->has_last)
        verify_last(in, evidence);
    else if (!evidence->has_node && first->size != second->size)
        ves_inspection_say(in, contradiction, VES_FINDING_NOT_PROVEN,
                           "trees of %llu and %llu entries can be of one "
                           "history, and the file shows no place where they "
                           "differ",
                           (unsigned long long)first->size,
                           (unsigned long long)second->size);
    else if (!evidence->has_node)
        ves_hash_equal(&first->root, &second->root)
            ? failed(in, "both are the same tree")
            : proven(in, "the log signed two different trees of the same "
                         "size");
    else if (!stands(evidence, 0) || !stands(evidence, 1))
        failed(in, "what the file shows of the trees is not in them");
    else if (ves_hash_equal(&evidence->heads[0].hash, &evidence->heads[1].hash))
        failed(in, "the two trees agree in the place the file shows");
    else
        proven(in, "the log signed two trees that differ where both must "
                   "be the same: two histories");
}

static void hash_entry(const struct ves_evidence *evidence,
                       struct ves_hash *out)
{
    ves_tlog_leaf_hash(ves_bytes(evidence->entry, evidence->entry_len), out);
}

/* Says "position" of the entry. */
static bool has_entry(struct ves_inspection *in,
                      const struct ves_evidence *evidence)
{
    const struct ves_evidence_head *head = &evidence->heads[0];
    struct ves_hash hash;

    hash_entry(evidence, &hash);
    bool is_there = ves_tlog_inclusion_check(&head->path, evidence->node,
                                             head->checkpoint.size, &hash,
                                             &head->checkpoint.root) == VES_OK;
    ves_inspection_say(in, "position",
                       is_there ? VES_FINDING_PROVEN : VES_FINDING_FAILED,
                       is_there ? "the entry stands at index %llu of the tree"
                                : "the entry does not stand at index %llu of "
                                  "the tree",
                       (unsigned long long)evidence->node.index);
    return is_there;
}

static bool is_signed(const struct ves_inspection *in,
                      const struct ves_evidence_receipt *promise,
                      const struct ves_stream *stream)
{
    const struct ves_receipt *receipt = &promise->receipt;
    struct ves_hash hash;

    ves_receipt_hash(stream, &receipt->event_id, receipt->sequence_number,
                     &promise->event_hash, &hash);
    return ves_hash_equal(&hash, &receipt->receipt_hash) &&
           ves_inspection_is_sequencers(in, &hash, &receipt->signature);
}

/* Says "receipt": is the promise the sequencer's? */
static bool is_promised(struct ves_inspection *in,
                        const struct ves_evidence_receipt *promise,
                        const struct ves_stream *stream)
{
    const struct ves_receipt *receipt = &promise->receipt;

    bool is_right = is_signed(in, promise, stream);
    ves_inspection_say(in, "receipt",
                       is_right ? VES_FINDING_PROVEN : VES_FINDING_FAILED,
                       is_right ? "the sequencer promised sequence number %llu"
                                : "the receipt of sequence number %llu is not "
                                  "signed by the sequencer for this event and "
                                  "stream",
                       (unsigned long long)receipt->sequence_number);
    return is_right;
}

static void verify_receipt(struct ves_inspection *in,
                           const struct ves_evidence *evidence)
{
    const struct ves_evidence_receipt *promise = &evidence->receipts[0];
    struct ves_leaf leaf;

    bool is_right = is_logs(in, &evidence->heads[0]);
    is_right &= has_entry(in, evidence);
    if (ves_leaf_read(ves_bytes(evidence->entry, evidence->entry_len), &leaf)) {
        failed(in, "the entry is no leaf of VES; that is evidence of the "
                   "kind \"entry\"");
        return;
    }
    is_right &= is_promised(in, promise, &leaf.stream);
    if (!is_right)
        failed(in, "not everything it needs is signed");
    else if (ves_hash_equal(&leaf.event_hash, &promise->event_hash))
        failed(in, "the log has the event that was promised");
    else
        proven(in, "the log has another event where the sequencer "
                   "promised this one");
}

/* Whose promises they are, since no checkpoint says it: the sequencer's that
 * signed the first, of a log that may be the stream's. */
static void find_sequencer(struct ves_inspection *in,
                           const struct ves_evidence *evidence)
{
    struct ves_hash id, named;

    ves_stream_id(&evidence->stream, &id);
    for (size_t i = 0; i < in->policy.log_count; i++) {
        in->origin = in->policy.logs[i].key.name;
        if ((!ves_origin_stream(in->origin, &named) ||
             ves_hash_equal(&id, &named)) &&
            is_signed(in, &evidence->receipts[0], &evidence->stream))
            return;
    }
    in->origin = ves_bytes(NULL, 0);
}

static void verify_receipts(struct ves_inspection *in,
                            const struct ves_evidence *evidence)
{
    const struct ves_evidence_receipt *a = &evidence->receipts[0];
    const struct ves_evidence_receipt *b = &evidence->receipts[1];
    bool is_one_place =
        a->receipt.sequence_number == b->receipt.sequence_number;
    bool is_one_id = ves_uuid_equal(&a->receipt.event_id, &b->receipt.event_id);
    bool is_one_hash = ves_hash_equal(&a->event_hash, &b->event_hash);

    find_sequencer(in, evidence);
    bool is_right = is_promised(in, a, &evidence->stream);
    is_right &= is_promised(in, b, &evidence->stream);
    if (!is_right)
        failed(in, "the sequencer did not sign both receipts");
    else if (is_one_place && !(is_one_id && is_one_hash))
        proven(in, "the sequencer promised one place to two events");
    else if (!is_one_place && is_one_id)
        proven(in, "the sequencer promised two places to one event");
    else
        failed(in, "both receipts can be kept");
}

static void verify_entry(struct ves_inspection *in,
                         const struct ves_evidence *evidence)
{
    struct ves_leaf leaf;
    struct ves_hash id, named;

    bool is_right = is_logs(in, &evidence->heads[0]);
    is_right &= has_entry(in, evidence);
    if (!is_right) {
        failed(in, "not everything it needs is signed");
        return;
    }
    if (ves_leaf_read(ves_bytes(evidence->entry, evidence->entry_len), &leaf)) {
        proven(in, "the log has an entry that is no leaf of VES");
        return;
    }
    ves_stream_id(&leaf.stream, &id);
    if (leaf.sequence_number != evidence->node.index + VES_TLOG_FIRST)
        proven(in, "the log has an entry in another place than the "
                   "entry's own number says");
    else if (ves_origin_stream(evidence->heads[0].checkpoint.origin, &named) &&
             !ves_hash_equal(&id, &named))
        proven(in, "the log has an entry of another stream");
    else
        failed(in, "the entry may stand where it stands");
}

static enum ves_status verify(struct ves_inspection *in, struct ves_bytes file,
                              struct ves_evidence *evidence)
{
    struct ves_error why = {.status = VES_OK};

    enum ves_status status = ves_evidence_read(file, in->alloc, evidence, &why);
    if (status == VES_NOMEM)
        return status;
    if (status) {
        ves_inspection_say(in, "format", VES_FINDING_FAILED, "%s", why.text);
        return VES_OK;
    }
    ves_inspection_say(in, "format", VES_FINDING_PROVEN,
                       "evidence of the kind \"%s\"",
                       ves_evidence_kind_name(evidence->kind));
    switch (evidence->kind) {
    case VES_EVIDENCE_FORK:
        verify_fork(in, evidence);
        break;
    case VES_EVIDENCE_RECEIPT:
        verify_receipt(in, evidence);
        break;
    case VES_EVIDENCE_RECEIPTS:
        verify_receipts(in, evidence);
        break;
    case VES_EVIDENCE_ENTRY:
        verify_entry(in, evidence);
        break;
    }
    return VES_OK;
}

enum ves_status ves_verify_evidence(struct ves_inspection *in,
                                    struct ves_bytes file)
{
    const struct ves_alloc *alloc = in->alloc;
    struct ves_evidence *evidence =
        alloc->realloc(alloc->ctx, NULL, sizeof(*evidence));

    if (!evidence)
        return VES_NOMEM;
    in->report->format = "evidence";
    ves_inspection_cannot(in, "why: a restored backup, a mistake and fraud "
                              "leave the same signatures");
    ves_inspection_cannot(in, "who held the sequencer's key");
    enum ves_status status = verify(in, file, evidence);
    alloc->realloc(alloc->ctx, evidence, 0);
    return status;
}
