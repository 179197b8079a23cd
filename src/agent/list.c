/* list.c -- outbox, log, trail, quarantine and keys as documents. */
#include <string.h>

#include "agent/agent.h"
#include "agent/story.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "core/judge.h"
#include "engine/key_log.h"
#include "os/file.h"

static uint32_t bounded(uint32_t limit)
{
    return limit == 0 || limit > VES_AGENT_PAGE_MAX ? VES_AGENT_PAGE_MAX
                                                    : limit;
}

/* ---- outbox -------------------------------------------------------------- */

struct outbox_list {
    struct ves_core_finality finality;
    struct ves_agent *agent;
    struct ves_jw *jw;
    uint64_t last;
    struct ves_bytes type, aggregate_id; /* empty: any */
    uint64_t limit;                      /* rows to show */
    uint64_t after;                      /* and the one before them */
    uint64_t matched, shown;
};

static enum ves_status put_conflict(struct outbox_list *list,
                                    const struct ves_outbox_row *row)
{
    struct ves_conflict_row conflict;

    enum ves_status status =
        ves_event_conflict(list->agent, &row->event_id, &conflict);
    if (status)
        return status;
    if (!conflict.is_found) {
        ves_jw_member_str(list->jw, "conflictType", ves_conflict_type(row));
        return VES_OK;
    }
    ves_jw_member_str(
        list->jw, "conflictType",
        ves_conflict_kind_name((enum ves_conflict_kind)conflict.kind));
    ves_jw_member_hex(list->jw, "conflictId", conflict.id.b, VES_HASH_SIZE);
    return VES_OK;
}

static enum ves_status put_outbox_row(void *ctx,
                                      const struct ves_outbox_row *row)
{
    struct outbox_list *list = ctx;
    struct ves_jw *jw = list->jw;
    enum ves_status status = VES_OK;

    if ((list->type.len && !ves_bytes_equal(list->type, row->event_type)) ||
        (list->aggregate_id.len &&
         !ves_bytes_equal(list->aggregate_id, row->entity_id)))
        return VES_OK;
    list->matched++;
    if (row->local_seq <= list->after || list->shown == list->limit)
        return VES_OK;
    list->shown++;
    list->last = row->local_seq;
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "eventId", &row->event_id);
    ves_jw_member(jw, "type", row->event_type);
    ves_jw_member(jw, "aggregateId", row->entity_id);
    ves_jw_member_str(jw, "status", ves_outbox_status_name(row->status));
    ves_jw_member(jw, "timestamp", row->created_at);
    ves_jw_member_u64(jw, "localSequence", row->local_seq);
    if (row->sequence_number > 0)
        ves_jw_member_u64(jw, "sequenceNumber", row->sequence_number);
    const char *finality = ves_finality_name(
        &list->finality, row->sequence_number, row->has_receipt);
    if (finality)
        ves_jw_member_str(jw, "finality", finality);
    ves_jw_member_u64(jw, "attempts", row->attempts);
    if (row->next_attempt_ms > 0 && row->status == VES_OUTBOX_PENDING)
        ves_jw_member_time(jw, "nextAttemptAt", row->next_attempt_ms);
    ves_jw_member(jw, "error", row->error);
    if (row->is_refused)
        ves_jw_member_bool(jw, "isRefused", true);
    if (row->status == VES_OUTBOX_CONFLICT)
        status = put_conflict(list, row);
    ves_jw_member(jw, "disposition", ves_row_disposition(row));
    ves_jw_end(jw);
    return status ? status : ves_jw_status(jw);
}

/* Rows that match, when not only the status is to match: all are looked at. */
static enum ves_status find_rows(struct ves_agent *agent,
                                 struct ves_outbox_filter *filter,
                                 struct outbox_list *list, uint64_t *total)
{
    const struct ves_store_ops *ops = agent->store->ops;
    uint64_t counts[VES_OUTBOX_STATUSES];
    bool looks_at_all = list->type.len || list->aggregate_id.len;

    if (looks_at_all) {
        filter->after_local_seq = 0;
        filter->limit = 0;
    }
    enum ves_status status =
        ops->outbox_list(agent->store, filter, put_outbox_row, list);
    if (!status)
        status = ops->outbox_counts(agent->store, counts);
    *total = looks_at_all ? list->matched : 0;
    for (uint32_t i = 0; i < VES_OUTBOX_STATUSES && !status && !looks_at_all;
         i++) {
        if (filter->status_mask == 0 || (filter->status_mask & 1u << i))
            *total += counts[i];
    }
    return status;
}

enum ves_status ves_agent_outbox_find(struct ves_agent *agent,
                                      const struct ves_outbox_query *query,
                                      struct ves_jw *jw,
                                      struct ves_error *error)
{
    struct ves_outbox_filter filter = {
        .after_local_seq = query->after_local_sequence,
        .limit = bounded(query->limit),
    };
    struct outbox_list list = {
        .agent = agent,
        .jw = jw,
        .last = query->after_local_sequence,
        .type = ves_bytes_str(query->type),
        .aggregate_id = ves_bytes_str(query->aggregate_id),
        .limit = bounded(query->limit),
        .after = query->after_local_sequence,
    };
    uint64_t total = 0;

    ves_agent_start(agent);
    enum ves_status rc =
        ves_outbox_status_mask(query->status, &filter.status_mask, error);
    if (rc)
        return rc;
    ves_jw_object(jw);
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    rc = ves_core_finality(&agent->core, &list.finality);
    if (!rc)
        rc = find_rows(agent, &filter, &list, &total);
    ves_jw_end(jw);
    if (rc)
        return ves_agent_fail(agent, rc, error, "listing the outbox");
    ves_jw_member_u64(jw, "total", total);
    ves_jw_member_u64(jw, "lastLocalSequence", list.last);
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

enum ves_status ves_agent_outbox(struct ves_agent *agent, const char *status,
                                 uint32_t limit, uint64_t after_local_sequence,
                                 struct ves_jw *jw, struct ves_error *error)
{
    const struct ves_outbox_query query = {.status = status,
                                           .limit = limit,
                                           .after_local_sequence =
                                               after_local_sequence};

    return ves_agent_outbox_find(agent, &query, jw, error);
}

/* ---- log ----------------------------------------------------------------- */

struct log_list {
    struct ves_agent *agent;
    struct ves_jw *jw;
    struct ves_error *error;
    uint64_t last;
};

static enum ves_status put_log_row(void *ctx, const struct ves_log_row *row)
{
    struct log_list *list = ctx;
    struct ves_jw *jw = list->jw;
    struct ves_event event;
    enum ves_status status = VES_OK;

    ves_arena_reset(&list->agent->arena);
    list->last = row->sequence_number;
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "sequenceNumber", row->sequence_number);
    ves_jw_member_uuid(jw, "agentId", &row->agent);
    ves_jw_member_bool(jw, "own",
                       ves_uuid_equal(&row->agent, &list->agent->core.agent));
    ves_jw_member_time(jw, "sequencedAt", row->sequenced_at_ms);
    ves_jw_member_str(jw, "verdict",
                      ves_verdict_name((enum ves_verdict)row->verdict));
    ves_jw_member(jw, "subCode", row->sub_code);
    if (row->has_conflict_id)
        ves_jw_member_hex(jw, "conflictId", row->conflict_id.b, VES_HASH_SIZE);
    ves_jw_member_bool(jw, "receipt", row->has_receipt);
    ves_jw_member_hex(jw, "eventHash", row->event_hash.b, VES_HASH_SIZE);
    if (row->envelope.len == 0) {
        ves_jw_member_uuid(jw, "eventId", &row->event_id);
        ves_jw_member_bool(jw, "pruned", true);
    } else {
        status = ves_agent_read_envelope(list->agent, row->envelope, true,
                                         &event, list->error);
        if (!status) {
            ves_jw_key(jw, "event");
            status = ves_agent_put_event(list->agent, jw, &event, list->error);
        }
    }
    ves_jw_end(jw);
    return status ? status : ves_jw_status(jw);
}

enum ves_status ves_agent_log(struct ves_agent *agent, uint64_t from,
                              uint32_t limit, struct ves_jw *jw,
                              struct ves_error *error)
{
    const struct ves_store_ops *ops = agent->store->ops;
    struct ves_error trouble = {VES_OK, ""};
    struct log_list list = {agent, jw, &trouble, 0};
    struct ves_core_status core;

    ves_agent_start(agent);
    enum ves_status status = ves_core_standing(&agent->core, &core);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the log");
    ves_jw_object(jw);
    ves_jw_key(jw, "events");
    ves_jw_array(jw);
    status = ops->log_read(agent->store, agent->core.stream_no, from ? from : 1,
                           bounded(limit), put_log_row, &list);
    ves_jw_end(jw);
    if (trouble.status) {
        if (error)
            *error = trouble;
        return trouble.status;
    }
    if (status)
        return ves_agent_fail(agent, status, error, "reading the log");
    ves_jw_member_u64(jw, "head",
                      core.remote_head > core.cursor ? core.remote_head
                                                     : core.cursor);
    ves_jw_member_u64(jw, "cursor", core.cursor);
    ves_jw_member_bool(jw, "hasMore",
                       list.last != 0 && list.last < core.cursor);
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

/* ---- records ------------------------------------------------------------- */

/* Detail is words or JSON; only JSON objects are passed on as such. */
static void put_detail(struct ves_jw *jw, struct ves_bytes detail)
{
    if (detail.len == 0)
        return;
    ves_jw_key(jw, "detail");
    if (detail.ptr[0] == '{')
        ves_jw_stored(jw, detail);
    else
        ves_jw_bytes(jw, detail);
}

static enum ves_status put_record(void *ctx, const struct ves_record *row)
{
    struct ves_jw *jw = ctx;

    ves_jw_object(jw);
    ves_jw_member_u64(jw, "number", row->no);
    ves_jw_member_time(jw, "at", row->at_ms);
    ves_jw_member(jw, "code", row->code);
    if (row->sequence_number > 0)
        ves_jw_member_u64(jw, "sequenceNumber", row->sequence_number);
    if (row->has_event_id)
        ves_jw_member_uuid(jw, "eventId", &row->event_id);
    put_detail(jw, row->detail);
    if (row->body.len > 0)
        ves_jw_member_u64(jw, "bytesKept", row->body.len);
    if (row->closed_ms > 0)
        ves_jw_member_time(jw, "settledAt", row->closed_ms);
    ves_jw_end(jw);
    return ves_jw_status(jw);
}

static enum ves_status put_records(struct ves_agent *agent,
                                   enum ves_record_kind kind, uint32_t limit,
                                   const char *name, struct ves_jw *jw)
{
    ves_jw_key(jw, name);
    ves_jw_array(jw);
    enum ves_status status = agent->store->ops->record_list(
        agent->store, kind, agent->core.stream_no, 0, true, bounded(limit),
        put_record, jw);
    ves_jw_end(jw);
    return status;
}

enum ves_status ves_agent_trail(struct ves_agent *agent, uint32_t limit,
                                struct ves_jw *jw, struct ves_error *error)
{
    ves_agent_start(agent);
    ves_jw_object(jw);
    enum ves_status status =
        put_records(agent, VES_RECORD_TRAIL, limit, "operations", jw);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the trail");
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

enum ves_status ves_agent_quarantine(struct ves_agent *agent, uint32_t limit,
                                     struct ves_jw *jw, struct ves_error *error)
{
    const struct ves_store_ops *ops = agent->store->ops;
    uint32_t no = agent->core.stream_no;
    uint64_t open = 0, alerts = 0;

    ves_agent_start(agent);
    ves_jw_object(jw);
    enum ves_status status =
        put_records(agent, VES_RECORD_QUARANTINE, limit, "quarantine", jw);
    if (!status)
        status = put_records(agent, VES_RECORD_ALERT, limit, "alerts", jw);
    if (!status)
        status = ops->record_count_open(agent->store, VES_RECORD_QUARANTINE, no,
                                        &open);
    if (!status)
        status =
            ops->record_count_open(agent->store, VES_RECORD_ALERT, no, &alerts);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the quarantine");
    ves_jw_member_u64(jw, "open", open);
    ves_jw_member_u64(jw, "openAlerts", alerts);
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}

/* ---- keys ---------------------------------------------------------------- */

struct key_list {
    struct ves_agent *agent;
    struct ves_jw *jw;
    struct ves_key_log log;
};

static void put_sequence(struct ves_jw *jw, const char *name, uint64_t sequence)
{
    ves_jw_key(jw, name);
    if (sequence > 0)
        ves_jw_u64(jw, sequence);
    else
        ves_jw_null(jw);
}

/* Whose word it is, as the log has it (ADR 0025). */
static void put_word(struct key_list *list, const struct ves_key_row *row)
{
    const struct ves_key_log_agent *agent = list->log.agents;
    const struct ves_logged_key *key = NULL;
    struct ves_jw *jw = list->jw;

    while (agent && !ves_uuid_equal(&agent->state.agent, &row->agent))
        agent = agent->next;
    if (agent)
        key = ves_key_state_find(&agent->state, row->key_id);
    ves_jw_member_str(
        jw, "enteredBy",
        ves_key_author_name(key ? key->author : VES_KEY_BY_NOBODY));
    put_sequence(jw, "enteredAtSequence", key ? key->entered_at : 0);
    if (key && key->revoked_at > 0)
        ves_jw_member_str(jw, "endedBy", ves_key_author_name(key->ended_by));
    if (key)
        ves_jw_member_bool(jw, "nextCommitted", key->has_next);
}

static enum ves_status put_key(void *ctx, const struct ves_key_row *row,
                               const struct ves_key_span *span)
{
    struct key_list *list = ctx;
    struct ves_jw *jw = list->jw;

    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "agentId", &row->agent);
    ves_jw_member_u64(jw, "keyId", row->key_id);
    ves_jw_member_hex(jw, "publicKey", row->public_key.b, VES_KEY_SIZE);
    ves_jw_member_bool(jw, "own",
                       ves_uuid_equal(&row->agent, &list->agent->core.agent));
    ves_jw_member(jw, "algorithm", row->algorithm);
    ves_jw_member(jw, "registrar", row->registrar);
    put_word(list, row);
    if (span->is_found) {
        ves_jw_member_u64(jw, "validFromSequence", span->valid_from_sequence);
        put_sequence(jw, "revokedAtSequence", span->revoked_at_sequence);
    }
    ves_jw_end(jw);
    return ves_jw_status(jw);
}

static void put_own_key(const struct ves_agent *agent, struct ves_jw *jw)
{
    ves_jw_key(jw, "own");
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "agentId", &agent->core.agent);
    ves_jw_member_u64(jw, "keyId", agent->core.key_id);
    ves_jw_key(jw, "publicKey");
    if (agent->has_public_key)
        ves_jw_hex(jw, "0x", agent->public_key.b, VES_KEY_SIZE);
    else
        ves_jw_null(jw);
    ves_jw_member_str(jw, "file", ves_agent_key_file(agent));
    ves_jw_member_bool(jw, "hasNext", ves_file_exists(agent->next_key_path));
    ves_jw_end(jw);
}

/* Where the log has a version; those before the stream began it does not. */
static uint64_t version_entered_at(const struct ves_key_log *log,
                                   uint32_t version)
{
    const struct ves_key_log_version *at = log->versions;

    while (at && at->key.version != version)
        at = at->next;
    return at ? at->sequence : 0;
}

static void put_sequencer_keys(const struct key_list *list)
{
    const struct ves_agent *agent = list->agent;
    struct ves_jw *jw = list->jw;

    ves_jw_key(jw, "sequencer");
    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "sequencerId", &agent->core.sequencer_id);
    ves_jw_key(jw, "keys");
    ves_jw_array(jw);
    for (size_t i = 0; i < agent->core.sequencer_key_count; i++) {
        const struct ves_sequencer_key *key = &agent->core.sequencer_keys[i];
        uint64_t entered = version_entered_at(&list->log, key->version);

        ves_jw_object(jw);
        ves_jw_member_u64(jw, "version", key->version);
        ves_jw_member_str(jw, "enteredBy", entered ? "sequencer" : "pinned");
        put_sequence(jw, "enteredAtSequence", entered);
        ves_jw_member_hex(jw, "publicKey", key->public_key.b, VES_KEY_SIZE);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    ves_jw_key(jw, "tlsKey");
    if (agent->has_tls_key)
        ves_jw_hex(jw, "0x", agent->tls_key.b, VES_HASH_SIZE);
    else
        ves_jw_null(jw);
    ves_jw_end(jw);
}

enum ves_status ves_agent_keys(struct ves_agent *agent, struct ves_jw *jw,
                               struct ves_error *error)
{
    struct key_list list = {.agent = agent, .jw = jw};

    ves_agent_start(agent);
    ves_key_log_open(&list.log, agent->store, agent->core.stream_no,
                     &agent->core.stream, &agent->core.owner_key,
                     &agent->core.sequencer_id, &agent->arena);
    enum ves_status status = ves_key_log_load(&list.log);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the keys");
    ves_jw_object(jw);
    put_own_key(agent, jw);
    put_sequencer_keys(&list);
    ves_jw_member_bool(jw, "onlyOwnersWord", list.log.world.policy.is_strict);
    ves_jw_key(jw, "agents");
    ves_jw_array(jw);
    status = agent->store->ops->key_list(agent->store,
                                         &agent->core.stream.tenant, NULL,
                                         agent->core.stream_no, put_key, &list);
    ves_jw_end(jw);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the keys");
    ves_jw_end(jw);
    return ves_agent_jw_end(jw, error);
}
