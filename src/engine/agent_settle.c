/* agent_settle.c -- what the end of a push does to the rows it claimed. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "engine/agent_internal.h"
#include "engine/agent_reply.h"

enum {
    ISOLATE_AFTER = 2 /* protocol failures in a row before batches shrink */
};

/* One call of ves_core_push_end. */
struct settle {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    const struct ves_push *push;
    const struct ves_core_env *env;
    uint32_t http_status;
    uint32_t retry_after_s;
    struct ves_push_result *result;

    struct ves_reply *reply; /* NULL without a readable answer */
    struct ves_device_state state;
    uint64_t cursor;
    struct ves_device_lease lease;
    struct ves_device_retry retry;
    bool is_fenced;              /* another pusher has taken over */
    struct ves_outbox_row *rows; /* as they are now */
    size_t count;
    struct ves_outbox_row *leaving; /* refused: out of the overlay */
    size_t leaving_count;

    size_t answered, accepted, duplicates, failed, conflicts;
    uint64_t first, last; /* sequence numbers of new events */
    bool has_falsehood, is_diverged, has_unsigned, has_unknown_key;
    bool has_false_refusal;
    enum ves_status outcome; /* what push_end returns when all was stored */
};

/* ---- small helpers ------------------------------------------------------- */

static bool is_ours(const struct settle *settle,
                    const struct ves_outbox_row *row)
{
    return row->status == VES_OUTBOX_SYNCING && !row->has_receipt &&
           row->claim == settle->push->token && !settle->is_fenced;
}

static void copy_text(char *out, size_t cap, struct ves_bytes text)
{
    size_t n = text.len < cap - 1 ? text.len : cap - 1;
    if (n > 0)
        memcpy(out, text.ptr, n);
    /* Whole characters only. */
    while (n > 0 && n < text.len && (text.ptr[n] & 0xC0) == 0x80)
        n--;
    out[n] = '\0';
}

static void tell(struct settle *settle, const struct ves_outbox_row *row,
                 struct ves_bytes code, struct ves_bytes message,
                 bool is_retryable)
{
    struct ves_push_result *result = settle->result;

    if (result->problem_count == VES_PUSH_PROBLEMS_MAX)
        return;
    struct ves_push_problem *problem =
        &result->problems[result->problem_count++];
    memset(problem, 0, sizeof(*problem));
    problem->event_id = row->event_id;
    problem->status = row->status;
    problem->is_retryable = is_retryable;
    copy_text(problem->code, sizeof(problem->code), code);
    copy_text(problem->message, sizeof(problem->message), message);
}

static enum ves_status alert(struct settle *settle, const char *code,
                             const char *detail,
                             const struct ves_outbox_row *row,
                             struct ves_bytes body)
{
    const struct ves_device_alert what = {
        .code = code,
        .detail = detail,
        .sequence_number = row ? row->sequence_number : 0,
        .event_id = row ? &row->event_id : NULL,
        .body = body};
    return ves_device_alert(settle->core, settle->env->now_ms, &what);
}

static void give_back(struct ves_outbox_row *row, uint32_t error_class)
{
    row->status = VES_OUTBOX_PENDING;
    row->claim = 0;
    row->error_class = error_class;
}

/* ---- receipts ------------------------------------------------------------ */

static void count_receipt(struct settle *settle,
                          const struct ves_receipt *receipt)
{
    const struct ves_reply *reply = settle->reply;
    uint64_t number = receipt->sequence_number;

    if (number < reply->sequence_start || number > reply->sequence_end) {
        settle->duplicates++;
        return;
    }
    settle->accepted++;
    if (settle->first == 0 || number < settle->first)
        settle->first = number;
    if (number > settle->last)
        settle->last = number;
}

/* The row has its place: it never goes back, whoever pushed it. */
static void place(struct settle *settle, struct ves_outbox_row *row,
                  const struct ves_reply_event *event)
{
    /* Where the log told the verdict already, it told too whether the conflict
     * is still open. */
    bool is_in_conflict =
        row->has_verdict
            ? row->status == VES_OUTBOX_CONFLICT
            : event->has_verdict && event->verdict == VES_VERDICT_CONFLICT;

    if (!row->has_receipt) {
        row->sequence_number = event->receipt.sequence_number;
        row->sequencer_id = event->receipt.sequencer_id;
        row->sequenced_at_ms = event->receipt.sequenced_at_ms;
        row->has_receipt = true;
        row->receipt = event->receipt.signature;
        row->receipt_key_version = event->receipt.key_version;
        row->pushed_ms = settle->env->now_ms;
    }
    if (event->has_verdict && !row->has_verdict) {
        row->has_verdict = true;
        row->verdict = (uint32_t)event->verdict;
        row->disposition = event->disposition;
    }
    row->claim = 0;
    row->next_attempt_ms = 0;
    row->error_class = VES_ERROR_NONE;
    row->error = ves_bytes(NULL, 0);
    row->is_refused = false;
    if (row->status == VES_OUTBOX_SYNCED)
        return;
    row->status = is_in_conflict ? VES_OUTBOX_CONFLICT : VES_OUTBOX_SYNCING;
}

/* Has the log, which is here up to the cursor, another event at the number that
 * the receipt promises? */
static enum ves_status is_broken(const struct settle *settle,
                                 const struct ves_outbox_row *row,
                                 uint64_t number, bool *broken)
{
    struct ves_agent_core *core = settle->core;
    struct ves_leaf_row leaf;
    size_t found;

    *broken = false;
    if (row->sequence_number > 0 || number > settle->cursor)
        return VES_OK;
    enum ves_status status = core->store->ops->log_leaves(
        core->store, core->stream_no, number, 1, &leaf, &found);
    *broken = !status && found > 0 && leaf.sequence_number == number &&
              !ves_hash_equal(&leaf.event_hash, &row->event_hash);
    return status;
}

static enum ves_status take_receipt(struct settle *settle,
                                    struct ves_outbox_row *row,
                                    const struct ves_reply_event *event)
{
    const struct ves_receipt *receipt = &event->receipt;

    if (row->sequence_number > 0 &&
        row->sequence_number != receipt->sequence_number) {
        settle->has_falsehood = true;
        return alert(settle, "receipt_contradiction",
                     "the sequencer signed two numbers for one event", row,
                     event->receipt_text);
    }
    bool broken;
    enum ves_status status =
        is_broken(settle, row, receipt->sequence_number, &broken);
    if (status)
        return status;
    if (broken) {
        settle->has_falsehood = true;
        if (is_ours(settle, row))
            give_back(row, VES_ERROR_PROTOCOL);
        return alert(settle, "receipt_contradiction",
                     "the sequencer signed a number at which its log has "
                     "another event",
                     row, event->receipt_text);
    }
    settle->answered++;
    count_receipt(settle, receipt);
    place(settle, row, event);
    if (row->status == VES_OUTBOX_CONFLICT)
        settle->conflicts++;
    if (receipt->sequence_number > settle->state.last_pushed)
        settle->state.last_pushed = receipt->sequence_number;
    return VES_OK;
}

static enum ves_status false_receipt(struct settle *settle,
                                     struct ves_outbox_row *row,
                                     const struct ves_reply_event *event)
{
    settle->has_falsehood = true;
    if (is_ours(settle, row)) {
        give_back(row, VES_ERROR_PROTOCOL);
        row->error = ves_bytes_str("the receipt does not verify");
        tell(settle, row, ves_bytes_str("receipt_invalid"), row->error, true);
    }
    return alert(settle, "push_receipt_invalid",
                 "a receipt does not verify against the pinned keys", row,
                 event->receipt_text);
}

/* ---- refusals ------------------------------------------------------------ */

static bool has_prefix(struct ves_bytes text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.ptr, prefix, len) == 0;
}

static enum ves_status diverge(struct settle *settle,
                               struct ves_outbox_row *row,
                               const struct ves_reply_event *event)
{
    give_back(row, VES_ERROR_NONE);
    if (settle->is_diverged)
        return VES_OK;
    settle->is_diverged = true;
    settle->state.is_diverged = 1;
    return alert(settle, "diverged",
                 "the sequencer says that this store has seen more than its "
                 "log holds: it may have lost its tail",
                 NULL, event->reason);
}

static enum ves_status refusal_alerts(struct settle *settle,
                                      const struct ves_outbox_row *row,
                                      const struct ves_reply_event *event)
{
    enum ves_status status = VES_OK;

    if (has_prefix(event->reason, "duplicate_event_id"))
        status = alert(settle, "id_reuse",
                       "the log holds another event under the id of this one",
                       row, event->reason);
    if (!status && event->has_refusal_signature && !event->is_refusal_valid) {
        settle->has_false_refusal = true;
        status =
            alert(settle, "refusal_invalid",
                  "a refusal's signature does not verify", row, event->reason);
    }
    return status;
}

static enum ves_status take_refusal(struct settle *settle,
                                    struct ves_outbox_row *row,
                                    const struct ves_reply_event *event)
{
    bool is_stale = has_prefix(event->reason, "version_conflict");

    if (!is_ours(settle, row))
        return VES_OK;
    settle->answered++;
    /* It is in the log: whoever refuses it now is wrong, or another. */
    if (row->sequence_number > 0) {
        give_back(row, VES_ERROR_NONE);
        return VES_OK;
    }
    if (has_prefix(event->reason, "seen_beyond_head"))
        return diverge(settle, row, event);

    row->status = is_stale ? VES_OUTBOX_CONFLICT : VES_OUTBOX_FAILED;
    row->attempts++;
    row->next_attempt_ms = 0;
    row->error_class = VES_ERROR_REFUSED;
    row->error = event->reason;
    if (is_stale) {
        row->disposition = ves_bytes_str(VES_DISPOSITION_REFUSED);
        settle->conflicts++;
    } else {
        settle->failed++;
    }
    tell(settle, row, event->reason,
         event->message.len > 0 ? event->message : event->reason, false);
    if (event->is_refusal_valid) {
        row->is_refused = true;
        row->refusal_signature = event->refusal_signature;
    }
    return refusal_alerts(settle, row, event);
}

/* ---- an answered push ---------------------------------------------------- */

static enum ves_status settle_row(struct settle *settle,
                                  struct ves_outbox_row *row,
                                  const struct ves_reply_event *event)
{
    switch (event->receipt_state) {
    case VES_REPLY_VALID:
        return take_receipt(settle, row, event);
    case VES_REPLY_FALSE:
        return false_receipt(settle, row, event);
    case VES_REPLY_UNSIGNED:
        settle->has_unsigned = true;
        break;
    case VES_REPLY_KEY_UNKNOWN:
        settle->has_unknown_key = true;
        break;
    case VES_REPLY_NO_RECEIPT:
        if (event->is_refused)
            return take_refusal(settle, row, event);
        break;
    }
    if (is_ours(settle, row))
        give_back(row, VES_ERROR_NONE);
    return VES_OK;
}

static enum ves_status settle_answer(struct settle *settle)
{
    for (size_t i = 0; i < settle->count; i++) {
        struct ves_outbox_row *row = &settle->rows[i];
        if (row->local_seq == 0)
            return ves_fail(&settle->core->error, VES_CORRUPT,
                            "an event that was pushed is no longer in the "
                            "outbox");
        enum ves_status status =
            settle_row(settle, row, &settle->reply->events[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status judge_answer(struct settle *settle)
{
    struct ves_error *error = &settle->core->error;

    if (settle->has_falsehood)
        return ves_fail(error, VES_REFUSED,
                        "a receipt of the sequencer does not verify; its "
                        "event was not marked as sent. Do not go on with this "
                        "sequencer before its operator has looked at it");
    if (settle->is_diverged)
        return ves_fail(error, VES_DIVERGED,
                        "the sequencer's history ends before what this store "
                        "has seen; pushing has stopped and every event is "
                        "kept");
    if (settle->has_unknown_key)
        return ves_fail(error, VES_AGAIN,
                        "the sequencer signs with a key this store has not "
                        "pinned; fetch the sequencer keys and push again");
    if (settle->has_unsigned)
        return ves_fail(error, VES_UNSUPPORTED,
                        "the sequencer does not sign receipts, so nothing "
                        "proves that the events were taken; they stay pending");
    if (settle->answered == 0)
        return ves_fail(error, VES_MALFORMED,
                        "the sequencer's answer speaks of none of the events "
                        "sent; they stay pending");
    return VES_OK;
}

static void grow_batch(struct ves_device_state *state)
{
    state->batch *= 2;
    if (state->batch >= VES_EVENTS_PER_REQUEST_MAX)
        state->batch = 0;
}

static enum ves_status end_answer(struct settle *settle)
{
    struct ves_device_state *state = &settle->state;

    settle->outcome = judge_answer(settle);
    if (settle->outcome == VES_OK || settle->outcome == VES_DIVERGED) {
        ves_device_succeeded(state);
        grow_batch(state);
    } else {
        ves_device_failed(state, &settle->retry, settle->env, 0);
    }
    if (settle->outcome)
        return VES_OK;
    state->last_push_ms = ves_device_time(settle->env->now_ms);
    enum ves_status status = ves_device_close(settle->core, settle->env->now_ms,
                                              "push_receipt_invalid");
    if (!status && !settle->has_false_refusal)
        status = ves_device_close(settle->core, settle->env->now_ms,
                                  "refusal_invalid");
    return status ? status
                  : ves_device_close(settle->core, settle->env->now_ms,
                                     "push_forbidden");
}

/* ---- a push without an answer -------------------------------------------- */

/* One event, or one atomic group, which is never sent in parts. */
static bool is_single(const struct settle *settle)
{
    for (size_t i = 1; i < settle->count; i++) {
        if (settle->rows[i].cmd_count == 0 || settle->rows[0].cmd_count == 0 ||
            !ves_uuid_equal(&settle->rows[i].command_id,
                            &settle->rows[0].command_id))
            return false;
    }
    return true;
}

static void shrink_batch(struct settle *settle)
{
    settle->state.batch = settle->count > 1 ? settle->count / 2 : 1;
}

static void fail_rows(struct settle *settle, struct ves_bytes words)
{
    for (size_t i = 0; i < settle->count; i++) {
        struct ves_outbox_row *row = &settle->rows[i];
        if (!is_ours(settle, row))
            continue;
        row->status = VES_OUTBOX_FAILED;
        row->error_class = VES_ERROR_PROTOCOL;
        row->error = words;
        row->next_attempt_ms = 0;
        settle->failed++;
        tell(settle, row, ves_bytes_str("not_accepted"), words, true);
    }
}

/* The sequencer took offence at something in the request: ask about less of
 * it, until one event stands alone. */
static enum ves_status end_rejected(struct settle *settle)
{
    /* It answered, so there is nothing to wait for. */
    settle->state.next_attempt_ms = 0;
    if (is_single(settle)) {
        for (size_t i = 0; i < settle->count; i++)
            settle->rows[i].attempts++;
        fail_rows(settle, ves_bytes_str("the sequencer did not accept the "
                                        "request with this event alone"));
    } else {
        shrink_batch(settle);
    }
    return VES_OK;
}

/* Counts an attempt of an event that fails alone.  After one such count no
 * other event is counted until some push succeeds: when all fail, it is the
 * sequencer that is ill and not the events. */
static void count_attempt(struct settle *settle)
{
    struct ves_device_state *state = &settle->state;
    struct ves_outbox_row *first = &settle->rows[0];

    if (state->suspect != 0 && state->suspect != first->local_seq)
        return;
    state->suspect = first->local_seq;
    uint64_t attempts = first->attempts + UINT64_C(1);
    uint64_t wait =
        ves_device_delay(&settle->retry, attempts, settle->env->random);
    for (size_t i = 0; i < settle->count; i++) {
        struct ves_outbox_row *row = &settle->rows[i];
        row->attempts = (uint32_t)attempts;
        row->next_attempt_ms =
            (int64_t)(ves_device_time(settle->env->now_ms) + wait);
    }
    if (attempts > settle->retry.count_max)
        fail_rows(settle, ves_bytes_str("the sequencer failed each time this "
                                        "event was sent alone"));
}

static enum ves_status end_protocol(struct settle *settle,
                                    enum ves_status outcome)
{
    struct ves_device_state *state = &settle->state;

    state->protocol_failures++;
    if (is_single(settle))
        count_attempt(settle);
    else if (state->protocol_failures >= ISOLATE_AFTER)
        shrink_batch(settle);
    ves_device_failed(state, &settle->retry, settle->env, 0);
    if (outcome == VES_MALFORMED)
        return outcome; /* words are there */
    return ves_fail(&settle->core->error, VES_AGAIN,
                    "the sequencer answered with HTTP status %u; the events "
                    "stay in the outbox",
                    settle->http_status);
}

static enum ves_status end_busy(struct settle *settle)
{
    uint64_t wait_s = settle->retry_after_s;

    if (wait_s > VES_DEVICE_RETRY_AFTER_MAX_S)
        wait_s = VES_DEVICE_RETRY_AFTER_MAX_S;
    shrink_batch(settle);
    ves_device_failed(&settle->state, &settle->retry, settle->env,
                      wait_s * 1000);
    return ves_fail(&settle->core->error, VES_BUSY,
                    "the sequencer is busy (HTTP status %u); the events stay "
                    "in the outbox and are tried again in %llu ms",
                    settle->http_status,
                    (unsigned long long)settle->state.wait_ms);
}

static enum ves_status end_forbidden(struct settle *settle,
                                     enum ves_status *status)
{
    settle->state.is_forbidden = 1;
    ves_device_failed(&settle->state, &settle->retry, settle->env, 0);
    *status = alert(settle, "push_forbidden",
                    "the sequencer says that this agent may not push", NULL,
                    ves_bytes(NULL, 0));
    return ves_fail(&settle->core->error, VES_FORBIDDEN,
                    "the sequencer says we may not push (403); the events "
                    "stay in the outbox");
}

static uint32_t class_of(uint32_t http_status)
{
    switch (http_status) {
    case 0:
        return VES_ERROR_OFFLINE;
    case 401:
        return VES_ERROR_AUTH;
    case 403:
        return VES_ERROR_FORBIDDEN;
    case 429:
    case 503:
        return VES_ERROR_BUSY;
    default:
        return VES_ERROR_PROTOCOL;
    }
}

static enum ves_status end_failure(struct settle *settle,
                                   enum ves_status outcome)
{
    struct ves_device_state *state = &settle->state;
    enum ves_status status = VES_OK;

    switch (settle->http_status) {
    case 0:
        state->offline_failures++;
        ves_device_failed(state, &settle->retry, settle->env, 0);
        settle->outcome = ves_fail(&settle->core->error, VES_UNREACHABLE,
                                   "the sequencer could not be reached; the "
                                   "events stay in the outbox");
        break;
    case 401:
        state->needs_auth = 1;
        ves_device_failed(state, &settle->retry, settle->env, 0);
        settle->outcome =
            ves_fail(&settle->core->error, VES_AUTH,
                     "the sequencer did not accept our credentials (401); the "
                     "events stay in the outbox");
        break;
    case 403:
        settle->outcome = end_forbidden(settle, &status);
        break;
    case 429:
    case 503:
        settle->outcome = end_busy(settle);
        break;
    case 400:
    case 413:
    case 422:
        settle->outcome = end_rejected(settle);
        break;
    default:
        settle->outcome = end_protocol(settle, outcome);
    }
    /* Those still ours were neither failed nor placed. */
    for (size_t i = 0; i < settle->count; i++) {
        if (is_ours(settle, &settle->rows[i]))
            give_back(&settle->rows[i], class_of(settle->http_status));
    }
    return status;
}

/* ---- storing ------------------------------------------------------------- */

static enum ves_status store_rows(struct settle *settle)
{
    struct ves_agent_core *core = settle->core;
    size_t n = 0, back = 0;

    if (settle->count == 0)
        return VES_OK;
    enum ves_status status = core->store->ops->outbox_update(
        core->store, settle->rows, settle->count);
    if (status)
        return status;
    struct ves_outbox_row *returning =
        ves_arena_alloc(settle->arena, settle->count * sizeof(*returning));
    settle->leaving = ves_arena_alloc(settle->arena,
                                      settle->count * sizeof(*settle->leaving));
    if (!settle->leaving || !returning)
        return VES_NOMEM;
    for (size_t i = 0; i < settle->count; i++) {
        const struct ves_outbox_row *row = &settle->rows[i];
        if (row->is_refused && row->is_in_overlay)
            settle->leaving[n++] = *row;
        /* Refused once, and now there is a receipt. */
        if (!row->is_in_overlay && row->sequence_number > settle->cursor)
            returning[back++] = *row;
    }
    status = ves_device_overlay(core, settle->arena, settle->leaving, n, false);
    return status
               ? status
               : ves_device_overlay(core, settle->arena, returning, back, true);
}

static enum ves_status store_trail(struct settle *settle)
{
    struct ves_buf buf;

    ves_buf_init(&buf, settle->core->alloc, 4096);
    ves_buf_putf(
        &buf,
        "{\"attempted\":%zu,\"accepted\":%zu,\"duplicates\":%zu,"
        "\"failed\":%zu,\"conflicts\":%zu,\"firstSequence\":%llu,"
        "\"lastSequence\":%llu,\"httpStatus\":%u,\"late\":%s,"
        "\"outcome\":\"%s\"}",
        settle->count, settle->accepted, settle->duplicates, settle->failed,
        settle->conflicts, (unsigned long long)settle->first,
        (unsigned long long)settle->last, settle->http_status,
        settle->is_fenced ? "true" : "false", ves_status_name(settle->outcome));
    return ves_device_trail_end(settle->core, settle->env->now_ms, "push",
                                &buf);
}

static enum ves_status load(struct settle *settle)
{
    struct ves_agent_core *core = settle->core;

    settle->count = settle->push->count;
    enum ves_status status =
        ves_device_state_get(core, settle->arena, &settle->state);
    if (!status)
        status = ves_device_cursor(core, &settle->cursor);
    if (!status)
        status = ves_device_lease_get(core, settle->arena, &settle->lease);
    if (!status)
        status = ves_device_retry_get(core, settle->arena, &settle->retry);
    if (status)
        return status;
    settle->is_fenced = settle->lease.token != settle->push->token;
    settle->rows =
        ves_arena_alloc(settle->arena, settle->count * sizeof(*settle->rows));
    if (!settle->rows)
        return VES_NOMEM;
    return core->store->ops->outbox_get(core->store, settle->push->event_ids,
                                        settle->count, settle->arena,
                                        settle->rows);
}

static enum ves_status settle_all(struct settle *settle,
                                  enum ves_status read_status)
{
    struct ves_device_state before;

    enum ves_status status = load(settle);
    if (status)
        return status;
    before = settle->state;
    if (settle->reply) {
        status = settle_answer(settle);
        if (!status)
            status = end_answer(settle);
    } else {
        status = end_failure(settle, read_status);
    }
    /* A5: receipts are facts; the rest is the new pusher's business. */
    if (!status && (settle->reply || !settle->is_fenced))
        status = store_rows(settle);
    if (status)
        return status;
    if (settle->is_fenced) {
        before.last_pushed = settle->state.last_pushed;
        settle->state = before;
    } else {
        settle->lease.first = 0;
        settle->lease.last = 0;
        status = ves_device_lease_put(settle->core, &settle->lease);
    }
    if (!status)
        status = ves_device_state_put(settle->core, &settle->state);
    return status ? status : store_trail(settle);
}

static void add_result(const struct settle *settle)
{
    struct ves_push_result *result = settle->result;

    result->attempted += settle->count;
    result->accepted += settle->accepted;
    result->duplicates += settle->duplicates;
    result->failed += settle->failed;
    result->conflicts += settle->conflicts;
    if (settle->first > 0 &&
        (result->first_sequence == 0 || settle->first < result->first_sequence))
        result->first_sequence = settle->first;
    if (settle->last > result->last_sequence)
        result->last_sequence = settle->last;
}

/* Reads and verifies the answer before the transaction, so that nobody waits
 * for signatures with the store locked. */
static enum ves_status read_reply(struct settle *settle, struct ves_bytes body,
                                  struct ves_reply *reply)
{
    struct ves_agent_core *core = settle->core;
    size_t count = settle->push->count;
    struct ves_outbox_row *rows =
        ves_arena_alloc(settle->arena, count * sizeof(*rows));

    if (!rows)
        return VES_NOMEM;
    enum ves_status status = core->store->ops->outbox_get(
        core->store, settle->push->event_ids, count, settle->arena, rows);
    if (status)
        return status;
    *reply = (struct ves_reply){
        .core = core, .arena = settle->arena, .rows = rows, .count = count};
    status = ves_reply_read(reply, body);
    if (!status)
        settle->reply = reply;
    return status;
}

static enum ves_status end_push(struct settle *settle, struct ves_bytes body)
{
    struct ves_reply reply;
    struct ves_error error;
    enum ves_status read_status = VES_OK;
    size_t problems = settle->result->problem_count;

    settle->core->error.status = VES_OK;
    if (settle->http_status == 200)
        read_status = read_reply(settle, body, &reply);
    if (read_status && read_status != VES_MALFORMED)
        return ves_device_say(settle->core, read_status);

    error = settle->core->error;
    enum ves_status status = ves_device_begin(settle->core);
    if (status)
        return status;
    settle->core->error = error;
    status = ves_device_end(settle->core, settle_all(settle, read_status));
    if (status) {
        settle->result->problem_count = problems;
        return status;
    }
    add_result(settle);
    return settle->outcome;
}

enum ves_status ves_core_push_end(struct ves_agent_core *core,
                                  struct ves_push *push,
                                  const struct ves_core_env *env,
                                  uint32_t http_status, struct ves_bytes reply,
                                  uint32_t retry_after_s,
                                  struct ves_push_result *result)
{
    struct ves_arena arena;
    struct settle settle = {.core = core,
                            .arena = &arena,
                            .push = push,
                            .env = env,
                            .http_status = http_status,
                            .retry_after_s = retry_after_s,
                            .result = result};

    if (push->count == 0)
        return VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = end_push(&settle, reply);
    ves_arena_free(&arena);
    return status;
}
