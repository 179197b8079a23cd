/* agent_rivals.c -- two events that the sequencer gave one place, or one that
 * it gave two.
 *
 * Its receipt is its signature, and so is a head with the entry that stands in
 * it.  So an event that comes with a receipt, and contradicts one that is here,
 * is evidence by itself: the log need not answer, nor sign another head.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/evidence.h"
#include "core/merkle.h"
#include "engine/agent_internal.h"

enum {
    DEPTH_MAX = VES_LOG_DEPTH_MAX + 8, /* a page puts some levels around */
    READ_MAX = 512 * 1024 * 1024
};

struct rivals {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_follow_row follow;
    struct ves_evidence *evidence;
    int64_t now_ms;
    struct ves_buf *out;
    /* The event at hand. */
    struct ves_receipt receipt;
    struct ves_hash event_hash;
};

/* ---- what is here ---------------------------------------------------------
 */

/* One event of this store and the sequencer's word for its number. */
struct own {
    bool is_there, has_receipt;
    struct ves_receipt receipt;
    struct ves_hash event_hash;
    struct ves_sig signature; /* the agent's */
};

static void set_receipt(const struct ves_agent_core *core, struct own *own)
{
    struct ves_receipt *receipt = &own->receipt;

    ves_receipt_hash(&core->stream, &receipt->event_id,
                     receipt->sequence_number, &own->event_hash,
                     &receipt->receipt_hash);
}

static enum ves_status take_logged(void *ctx, const struct ves_log_row *row)
{
    struct own *own = ctx;

    *own = (struct own){.is_there = true,
                        .has_receipt = row->has_receipt,
                        .event_hash = row->event_hash,
                        .signature = row->signature,
                        .receipt = {.sequencer_id = row->sequencer_id,
                                    .event_id = row->event_id,
                                    .sequence_number = row->sequence_number,
                                    .sequenced_at_ms = row->sequenced_at_ms,
                                    .signature = row->receipt,
                                    .key_version = row->receipt_key_version}};
    return VES_OK;
}

static enum ves_status take_promised(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct own *own = ctx;

    if (!row->has_receipt)
        return VES_OK;
    *own = (struct own){.is_there = true,
                        .has_receipt = true,
                        .event_hash = row->event_hash,
                        .receipt = {.sequencer_id = row->sequencer_id,
                                    .event_id = row->event_id,
                                    .sequence_number = row->sequence_number,
                                    .sequenced_at_ms = row->sequenced_at_ms,
                                    .signature = row->receipt,
                                    .key_version = row->receipt_key_version}};
    return VES_OK;
}

static enum ves_status read_logged(struct rivals *r, uint64_t number,
                                   struct own *own)
{
    struct ves_agent_core *core = r->core;

    *own = (struct own){.is_there = false};
    enum ves_status status = core->store->ops->log_read(
        core->store, core->stream_no, number, 1, take_logged, own);
    if (own->receipt.sequence_number != number)
        own->is_there = false;
    set_receipt(core, own);
    return status;
}

/* The log's event of that id, wherever it stands. */
static enum ves_status read_same(struct rivals *r, struct own *own)
{
    struct ves_agent_core *core = r->core;
    struct ves_id_row row;

    *own = (struct own){.is_there = false};
    enum ves_status status = core->store->ops->log_find_ids(
        core->store, core->stream_no, &r->receipt.event_id, 1, &row);
    return status || row.sequence_number == 0
               ? status
               : read_logged(r, row.sequence_number, own);
}

/* An own event of that id that has a receipt. */
static enum ves_status read_sent(struct rivals *r, struct own *own)
{
    struct ves_agent_core *core = r->core;
    struct ves_outbox_row row;

    *own = (struct own){.is_there = false};
    enum ves_status status = core->store->ops->outbox_get(
        core->store, &r->receipt.event_id, 1, r->arena, &row);
    if (!status && row.local_seq > 0)
        status = take_promised(own, &row);
    set_receipt(core, own);
    return status;
}

/* An own event that was promised that number and was not pulled. */
static enum ves_status read_promised(struct rivals *r, struct own *own)
{
    struct ves_agent_core *core = r->core;
    uint64_t number = r->receipt.sequence_number;
    struct ves_promise_row row;
    size_t found;

    *own = (struct own){.is_there = false};
    enum ves_status status = core->store->ops->outbox_promised(
        core->store, number, number, 1, &row, &found);
    if (!status && found > 0) {
        const struct ves_outbox_filter one = {
            .after_local_seq = row.local_seq - 1, .limit = 1};
        status = core->store->ops->outbox_list(core->store, &one, take_promised,
                                               own);
    }
    set_receipt(core, own);
    return status;
}

/* ---- what is proven -------------------------------------------------------
 */

/* The name of the log; one that no head told yet is only a name in the list of
 * keys that the receipts are checked with. */
static struct ves_bytes log_name(const struct rivals *r)
{
    return r->follow.origin.len > 0 ? r->follow.origin
                                    : ves_bytes_str("sequencer");
}

static enum ves_status keep(struct rivals *r)
{
    return ves_device_evidence_keep(
        r->core, r->evidence, VES_RECEIPT_BROKEN,
        "the sequencer signed two histories: one place for two events, or two "
        "for one; the evidence is kept",
        r->now_ms, r->out);
}

static enum ves_status two_receipts(struct rivals *r, const struct own *own)
{
    struct ves_evidence *evidence = r->evidence;

    memset(evidence, 0, sizeof(*evidence));
    evidence->kind = VES_EVIDENCE_RECEIPTS;
    evidence->stream = r->core->stream;
    evidence->heads[0].checkpoint.origin = log_name(r);
    evidence->heads[0].checkpoint.size = r->receipt.sequence_number;
    evidence->receipts[0].receipt = own->receipt;
    evidence->receipts[0].event_hash = own->event_hash;
    evidence->receipts[1].receipt = r->receipt;
    evidence->receipts[1].event_hash = r->event_hash;
    return keep(r);
}

/* Its receipt, against the head that is here and the event that stands in it.
 */
static enum ves_status against_head(struct rivals *r, const struct own *own)
{
    struct ves_agent_core *core = r->core;
    struct ves_evidence *evidence = r->evidence;
    struct ves_device_tree *tree = ves_arena_alloc(r->arena, sizeof(*tree));
    uint64_t number = own->receipt.sequence_number, cursor;
    const struct ves_leaf leaf = {core->stream, number, own->event_hash,
                                  own->signature};

    if (!tree)
        return VES_NOMEM;
    enum ves_status status = ves_device_cursor(core, &cursor);
    if (status)
        return status;
    if (r->follow.note.len == 0 || number > r->follow.logged ||
        r->follow.logged > cursor)
        return VES_NOT_FOUND;
    memset(evidence, 0, sizeof(*evidence));
    evidence->kind = VES_EVIDENCE_RECEIPT;
    status = ves_device_evidence_head(r->follow.note, &evidence->heads[0]);
    if (status)
        return status;
    tree->core = core;
    const struct ves_tlog_source source = {ves_device_tree_read, tree};
    ves_leaf_write(&leaf, evidence->entry);
    evidence->entry_len = VES_LEAF_SIZE;
    evidence->node.index = number - VES_TLOG_FIRST;
    evidence->receipts[0].receipt = r->receipt;
    evidence->receipts[0].event_hash = r->event_hash;
    status = ves_tlog_inclusion_make(&source, evidence->node,
                                     evidence->heads[0].checkpoint.size,
                                     &evidence->heads[0].path);
    return status ? status : keep(r);
}

static bool contradicts(const struct rivals *r, const struct own *own)
{
    bool is_one_place =
        own->receipt.sequence_number == r->receipt.sequence_number;
    bool is_one_event =
        ves_hash_equal(&own->event_hash, &r->event_hash) &&
        ves_uuid_equal(&own->receipt.event_id, &r->receipt.event_id);

    return own->is_there &&
           (is_one_place
                ? !is_one_event
                : ves_uuid_equal(&own->receipt.event_id, &r->receipt.event_id));
}

static enum ves_status hold_against(struct rivals *r, const struct own *own)
{
    enum ves_status status = VES_NOT_FOUND;

    if (!contradicts(r, own))
        return status;
    if (own->has_receipt)
        status = two_receipts(r, own);
    if ((status == VES_NOT_FOUND || status == VES_REFUSED) &&
        own->receipt.sequence_number == r->receipt.sequence_number)
        status = against_head(r, own);
    return status;
}

static enum ves_status check(struct rivals *r)
{
    struct own own;

    enum ves_status status = read_logged(r, r->receipt.sequence_number, &own);
    if (!status)
        status = hold_against(r, &own);
    if (status == VES_NOT_FOUND || status == VES_REFUSED) {
        status = read_promised(r, &own);
        if (!status)
            status = hold_against(r, &own);
    }
    if (status == VES_NOT_FOUND || status == VES_REFUSED) {
        status = read_same(r, &own);
        if (!status)
            status = hold_against(r, &own);
    }
    if (status == VES_NOT_FOUND || status == VES_REFUSED) {
        status = read_sent(r, &own);
        if (!status)
            status = hold_against(r, &own);
    }
    return status;
}

/* ---- what came ------------------------------------------------------------
 */

/* Only what its own receipt is about; the agent's signature is not needed. */
static bool read_item(struct rivals *r, const struct ves_json *item)
{
    struct ves_event *event = ves_arena_alloc(r->arena, sizeof(*event));
    struct ves_refusal refusal;

    if (!event ||
        ves_event_from_json(r->arena, ves_json_member(item, "envelope"), event,
                            &refusal) ||
        ves_event_check_logged(r->arena, event, &refusal) ||
        ves_receipt_read(ves_json_member(item, "receipt"), &r->receipt) ||
        !ves_stream_equal(&event->stream, &r->core->stream) ||
        !ves_uuid_equal(&event->event_id, &r->receipt.event_id))
        return false;
    r->event_hash = event->event_hash;
    return true;
}

static enum ves_status seek(struct rivals *r, struct ves_bytes reply)
{
    const struct ves_json_options options = {.depth_max = DEPTH_MAX};
    struct ves_agent_core *core = r->core;
    const struct ves_json *root;

    r->evidence = ves_arena_alloc(r->arena, sizeof(*r->evidence));
    if (!r->evidence)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->follow_get(
        core->store, core->stream_no, r->arena, &r->follow);
    if (status && status != VES_NOT_FOUND)
        return status;
    status = ves_json_read(r->arena, reply, &options, &root, NULL);
    if (status)
        return status == VES_MALFORMED ? VES_NOT_FOUND : status;
    const struct ves_json *events = ves_json_member(root, "events");
    status = VES_NOT_FOUND;
    if (ves_json_is_absent(events) || events->type != VES_JSON_ARRAY)
        return status;
    for (const struct ves_json *e = events->first;
         e && (status == VES_NOT_FOUND || status == VES_REFUSED); e = e->next)
        status = read_item(r, e) ? check(r) : VES_NOT_FOUND;
    return status;
}

enum ves_status ves_core_rival_evidence(struct ves_agent_core *core,
                                        struct ves_bytes reply, int64_t now_ms,
                                        struct ves_buf *out)
{
    struct ves_arena arena;
    struct rivals rivals = {
        .core = core, .arena = &arena, .now_ms = now_ms, .out = out};

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, READ_MAX);
    enum ves_status status = seek(&rivals, reply);
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}

/* ---- what is kept ---------------------------------------------------------
 */

static enum ves_status take_kept(void *ctx, const struct ves_record *row)
{
    struct ves_buf *out = ctx;
    size_t len = sizeof(VES_EVIDENCE_MARK) - 1;

    if (row->closed_ms > 0 || row->body.len <= len ||
        ves_bytes_is(row->code, VES_HEADS_APART) ||
        memcmp(row->body.ptr, VES_EVIDENCE_MARK, len) != 0)
        return VES_OK;
    ves_buf_put_bytes(out, row->body);
    enum ves_status status = ves_buf_status(out);
    return status ? status : VES_AGAIN;
}

enum ves_status ves_core_kept_evidence(struct ves_agent_core *core,
                                       struct ves_buf *out)
{
    core->error.status = VES_OK;
    ves_buf_reset(out);
    enum ves_status status = core->store->ops->record_list(
        core->store, VES_RECORD_ALERT, core->stream_no, 0, true, 0, take_kept,
        out);
    if (!status)
        status = VES_NOT_FOUND;
    return ves_device_say(core, status == VES_AGAIN ? VES_OK : status);
}
