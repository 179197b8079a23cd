/* show.c -- one event, or one entity, with everything known about it. */
#include <string.h>

#include "agent/agent.h"
#include "agent/follow_ups.h"
#include "agent/lookup.h"
#include "agent/story.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/judge.h"
#include "core/receipt.h"
#include "core/scratch.h"

/* ---- event --------------------------------------------------------------- */

static enum ves_status put_signature_check(struct ves_agent *agent,
                                           struct ves_jw *jw,
                                           const struct ves_event *event)
{
    struct ves_verify_item item = {
        .hash = event->event_hash,
        .sig = event->signature,
    };
    bool has_key;

    enum ves_status status =
        ves_agent_author_key(agent, event, &has_key, &item.key);
    if (status)
        return status;
    if (has_key)
        agent->core.verifier->verify(agent->core.verifier, &item, 1);
    ves_jw_key(jw, "signatureCheck");
    ves_jw_object(jw);
    ves_jw_key(jw, "valid");
    if (has_key)
        ves_jw_bool(jw, item.is_valid);
    else
        ves_jw_null(jw);
    ves_jw_member_uuid(jw, "agentId", &event->agent);
    ves_jw_member_u64(jw, "keyId", event->agent_key_id);
    ves_jw_end(jw);
    return VES_OK;
}

static void put_context(struct ves_jw *jw, const struct ves_event *event)
{
    const struct ves_context *context = &event->context;

    if (!context->is_present)
        return;
    ves_jw_key(jw, "context");
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "agentSequence", context->agent_seq);
    if (context->has_prev)
        ves_jw_member_hex(jw, "previous", context->prev.b, VES_HASH_SIZE);
    ves_jw_member_u64(jw, "seen", context->seen);
    if (event->has_base_version)
        ves_jw_member_u64(jw, "baseVersion", event->base_version);
    ves_jw_member(jw, "schema", context->schema);
    ves_jw_end(jw);
}

/* Event, signature and envelope, or what is left of them once pruned. */
static enum ves_status put_body(struct ves_agent *agent, struct ves_jw *jw,
                                const struct ves_found *found,
                                struct ves_error *error)
{
    bool is_open = !found->is_in_outbox || found->outbox.envelope.len == 0;
    struct ves_bytes envelope =
        is_open ? found->log.envelope : found->outbox.envelope;
    struct ves_hash hash =
        found->is_in_outbox ? found->outbox.event_hash : found->log.event_hash;
    struct ves_scratch scratch;
    struct ves_event event;

    ves_jw_member_hex(jw, "eventHash", hash.b, VES_HASH_SIZE);
    if (envelope.len == 0) {
        ves_jw_member_bool(jw, "pruned", true);
        return VES_OK;
    }
    enum ves_status status =
        ves_agent_read_envelope(agent, envelope, is_open, &event, error);
    if (status)
        return status;
    ves_jw_key(jw, "event");
    status = ves_agent_put_event(agent, jw, &event, error);
    if (status)
        return status;
    status = put_signature_check(agent, jw, &event);
    put_context(jw, &event);
    ves_scratch_init(&scratch, &agent->arena, envelope.len + 1,
                     envelope.len + 4096);
    ves_event_write(&scratch.buf, &event);
    if (!status)
        status = ves_buf_status(&scratch.buf);
    if (status)
        return ves_agent_fail(agent, status, error, "writing an event");
    ves_jw_key(jw, "envelope");
    ves_jw_raw(jw, ves_buf_view(&scratch.buf));
    return VES_OK;
}

struct place {
    struct ves_uuid event_id;
    uint64_t sequence_number;
    int64_t sequenced_at_ms;
    struct ves_uuid sequencer_id;
    bool has_receipt;
    struct ves_sig receipt;
    uint32_t key_version;
};

static struct place place_of(const struct ves_found *found)
{
    const struct ves_outbox_row *own = &found->outbox;
    const struct ves_log_row *log = &found->log;

    if (found->is_in_outbox && (own->has_receipt || !found->is_in_log))
        return (struct place){own->event_id,           own->sequence_number,
                              own->sequenced_at_ms,    own->sequencer_id,
                              own->has_receipt,        own->receipt,
                              own->receipt_key_version};
    return (struct place){log->event_id,           log->sequence_number,
                          log->sequenced_at_ms,    log->sequencer_id,
                          log->has_receipt,        log->receipt,
                          log->receipt_key_version};
}

static void put_place(struct ves_agent *agent, struct ves_jw *jw,
                      const struct ves_found *found,
                      const struct ves_core_finality *finality)
{
    struct place place = place_of(found);
    const char *name =
        ves_finality_name(finality, place.sequence_number, place.has_receipt);
    struct ves_hash hash;

    if (place.sequence_number == 0)
        return;
    ves_jw_member_u64(jw, "sequenceNumber", place.sequence_number);
    ves_jw_member_time(jw, "sequencedAt", place.sequenced_at_ms);
    if (name)
        ves_jw_member_str(jw, "finality", name);
    if (!place.has_receipt) {
        ves_jw_member_str(jw, "position", "unproven");
        return;
    }
    ves_receipt_hash(&agent->core.stream, &place.event_id,
                     place.sequence_number,
                     found->is_in_outbox ? &found->outbox.event_hash
                                         : &found->log.event_hash,
                     &hash);
    ves_jw_key(jw, "receipt");
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "sequencerId", &place.sequencer_id);
    ves_jw_member_u64(jw, "sequenceNumber", place.sequence_number);
    ves_jw_key(jw, "receiptHash");
    ves_jw_hex(jw, "", hash.b, VES_HASH_SIZE);
    ves_jw_key(jw, "sequencerSignature");
    ves_jw_hex(jw, "", place.receipt.b, VES_SIG_SIZE);
    ves_jw_member_u64(jw, "sequencerKeyVersion", place.key_version);
    ves_jw_end(jw);
}

static void put_row(struct ves_jw *jw, const struct ves_outbox_row *row)
{
    ves_jw_member_str(jw, "status", ves_outbox_status_name(row->status));
    ves_jw_member_u64(jw, "localSequence", row->local_seq);
    ves_jw_member_u64(jw, "attempts", row->attempts);
    if (row->next_attempt_ms > 0 && row->status == VES_OUTBOX_PENDING)
        ves_jw_member_time(jw, "nextAttemptAt", row->next_attempt_ms);
    ves_jw_member(jw, "error", row->error);
    if (row->is_refused)
        ves_jw_member_hex(jw, "refusalSignature", row->refusal_signature.b,
                          VES_SIG_SIZE);
    ves_jw_member(jw, "disposition", ves_row_disposition(row));
    if (row->pushed_ms > 0)
        ves_jw_member_time(jw, "pushedAt", row->pushed_ms);
    if (row->synced_ms > 0)
        ves_jw_member_time(jw, "syncedAt", row->synced_ms);
}

static void put_quarantine(struct ves_jw *jw, const struct ves_record *record)
{
    ves_jw_key(jw, "quarantine");
    ves_jw_object(jw);
    ves_jw_member_time(jw, "at", record->at_ms);
    ves_jw_member(jw, "code", record->code);
    ves_jw_member(jw, "detail", record->detail);
    if (record->closed_ms > 0)
        ves_jw_member_time(jw, "settledAt", record->closed_ms);
    ves_jw_end(jw);
}

static void put_verdict(struct ves_jw *jw, const struct ves_log_row *row)
{
    ves_jw_member_str(jw, "verdict",
                      ves_verdict_name((enum ves_verdict)row->verdict));
    ves_jw_member(jw, "subCode", row->sub_code);
    ves_jw_member_str(jw, "class", row->is_fact ? "fact" : "intent");
    ves_jw_member_u64(jw, "entityVersion", row->version);
    if (row->note.len > 0) {
        ves_jw_key(jw, "note");
        ves_jw_stored(jw, row->note);
    }
}

/* The conflict whose branch it is in, or which it decides. */
static enum ves_status put_conflict(struct ves_agent *agent, struct ves_jw *jw,
                                    const struct ves_found *found)
{
    struct ves_conflict_row conflict;

    if (!found->is_in_log) {
        if (found->is_in_outbox && found->outbox.status == VES_OUTBOX_CONFLICT)
            ves_jw_member_str(jw, "conflictType",
                              ves_conflict_type(&found->outbox));
        return VES_OK;
    }
    enum ves_status status =
        ves_event_conflict(agent, &found->log.event_id, &conflict);
    if (status)
        return status;
    if (conflict.is_found) {
        ves_jw_member_str(
            jw, "conflictType",
            ves_conflict_kind_name((enum ves_conflict_kind)conflict.kind));
        ves_jw_member_hex(jw, "conflictId", conflict.id.b, VES_HASH_SIZE);
    } else if (found->log.has_conflict_id) {
        ves_jw_member_hex(jw, "conflictId", found->log.conflict_id.b,
                          VES_HASH_SIZE);
    }
    return VES_OK;
}

enum ves_status ves_agent_show(struct ves_agent *agent,
                               const struct ves_uuid *event_id,
                               struct ves_jw *jw, struct ves_error *error)
{
    struct ves_core_finality finality;
    struct ves_found found;

    ves_agent_start(agent);
    enum ves_status status = ves_agent_find(agent, event_id, &found, error);
    if (status)
        return status;
    status = ves_core_finality(&agent->core, &finality);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the log's heads");
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "eventId", event_id);
    if (found.is_in_outbox)
        put_row(jw, &found.outbox);
    else
        ves_jw_member_str(jw, "status",
                          found.is_in_log ? "received" : "quarantined");
    if (found.is_in_outbox || found.is_in_log) {
        status = put_body(agent, jw, &found, error);
        if (status)
            return status;
        put_place(agent, jw, &found, &finality);
    }
    if (found.is_in_log)
        put_verdict(jw, &found.log);
    status = put_conflict(agent, jw, &found);
    if (status)
        return ves_agent_fail(agent, status, error, "reading a conflict");
    if (found.is_in_quarantine)
        put_quarantine(jw, &found.quarantine);
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

/* ---- entity -------------------------------------------------------------- */

static void put_json(struct ves_jw *jw, const char *name,
                     struct ves_bytes state)
{
    ves_jw_key(jw, name);
    if (state.len > 0)
        ves_jw_stored(jw, state);
    else
        ves_jw_null(jw);
}

enum ves_status ves_agent_entity(struct ves_agent *agent,
                                 const char *entity_type, const char *entity_id,
                                 struct ves_jw *jw, struct ves_error *error)
{
    struct ves_core_entity entity;

    ves_agent_start(agent);
    enum ves_status status =
        ves_core_entity(&agent->core, ves_bytes_str(entity_type),
                        ves_bytes_str(entity_id), &agent->arena, &entity);
    if (status)
        return ves_agent_fail(agent, status, error, "reading an entity");
    if (!entity.is_found)
        return ves_fail(error, VES_NOT_FOUND,
                        "this store knows no %.64s \"%.128s\"; `ves pull` "
                        "fetches what others wrote",
                        entity_type, entity_id);
    ves_jw_object(jw);
    ves_jw_member_str(jw, "entityType", entity_type);
    ves_jw_member_str(jw, "entityId", entity_id);
    ves_jw_member_u64(jw, "version", entity.version);
    ves_jw_key(jw, "head");
    if (entity.version > 0)
        ves_jw_hex(jw, "0x", entity.head.b, VES_HASH_SIZE);
    else
        ves_jw_null(jw);
    put_json(jw, "state", entity.state);
    put_json(jw, "localState", entity.local_state);
    status = ves_follow_ups_put(agent, ves_bytes_str(entity_type),
                                ves_bytes_str(entity_id), entity.state, jw);
    if (status)
        return ves_agent_fail(agent, status, error, "reading an entity");
    ves_jw_member_u64(jw, "pending", entity.own_count);
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}
