/* why.c -- why an event is where it is, in plain words. */
#include <stdio.h>
#include <string.h>

#include "agent/agent.h"
#include "agent/follow_ups.h"
#include "agent/lookup.h"
#include "agent/story.h"
#include "agent/waits.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/uuid.h"
#include "core/judge.h"
#include "os/clock.h"

struct why {
    struct ves_agent *agent;
    struct ves_uuid event_id;
    struct ves_core_status core;
    struct ves_found found;
    struct ves_buf text;
    const char *steps[4];
    size_t step_count;
    char retry_step[64];
};

static void say(struct why *why, const char *text)
{
    if (why->text.len > 0)
        ves_buf_put_str(&why->text, " ");
    ves_buf_put_str(&why->text, text);
}

static void step(struct why *why, const char *command)
{
    for (size_t i = 0; i < why->step_count; i++) {
        if (strcmp(why->steps[i], command) == 0)
            return;
    }
    if (why->step_count < sizeof(why->steps) / sizeof(why->steps[0]))
        why->steps[why->step_count++] = command;
}

static void step_retry(struct why *why)
{
    char id[VES_UUID_TEXT + 1];

    ves_uuid_format(&why->found.outbox.event_id, id);
    memcpy(why->retry_step, "ves retry ", 10);
    memcpy(why->retry_step + 10, id, sizeof(id));
    step(why, why->retry_step);
}

/* Texts of others may or may not end in a full stop. */
static void say_reason(struct why *why, struct ves_bytes reason)
{
    if (reason.len == 0) {
        say(why, "no reason was given.");
        return;
    }
    ves_buf_put_str(&why->text, " ");
    ves_buf_put_bytes(&why->text, reason);
    if (reason.ptr[reason.len - 1] != '.')
        ves_buf_put_str(&why->text, ".");
}

/* ---- what stops pushing as a whole --------------------------------------- */

/* True when nothing of this store is being sent. */
static bool say_store_stops(struct why *why)
{
    if (why->core.is_copied) {
        say(why, "Nothing is sent from this file: it looks like a copy of a "
                 "store that goes on elsewhere, because both gave the same "
                 "number to different events. The event stays here, whole.");
        step(why, "ves doctor");
        step(why, "ves init --db NEW.db --invite STRING");
        return true;
    }
    if (why->core.is_diverged) {
        say(why, why->core.is_beyond_epoch
                     ? "Pushing has stopped, because the sequencer opened a "
                       "new epoch of its log without some of what this store "
                       "has already seen from it. The event stays here, whole. "
                       "Tell the sequencer's operator before you go on with "
                       "the epoch."
                     : "Pushing has stopped, because the sequencer does not "
                       "hold what this store has already seen from it; it may "
                       "have been restored from an old backup. Tell its "
                       "operator.");
        step(why, why->core.is_beyond_epoch ? "ves epoch follow --dry-run"
                                            : "ves status");
        return true;
    }
    if (why->agent->url[0] == '\0') {
        say(why, "This store has not joined a sequencer, so there is nowhere "
                 "to send it.");
        step(why, "ves init --invite STRING");
        return true;
    }
    if (why->core.needs_auth) {
        say(why, "The sequencer does not accept this store's credential. The "
                 "event is kept and is sent once the credential works.");
        step(why, "ves init --invite STRING");
        return true;
    }
    return false;
}

/* ---- pending -------------------------------------------------------------
 */

struct holder {
    uint64_t before; /* local_seq of the event that waits */
    bool is_found;
    struct ves_uuid event_id;
};

/* Oldest first: the first failed one without a signed refusal holds the rest
 * of its entity back. */
static enum ves_status find_holder(void *ctx, const struct ves_outbox_row *row)
{
    struct holder *holder = ctx;

    if (row->local_seq >= holder->before)
        return VES_AGAIN;
    if (row->is_refused)
        return VES_OK;
    holder->is_found = true;
    holder->event_id = row->event_id;
    return VES_AGAIN;
}

static enum ves_status say_held_back(struct why *why, bool *is_held)
{
    const struct ves_outbox_row *row = &why->found.outbox;
    const struct ves_outbox_filter filter = {
        .status_mask = 1u << VES_OUTBOX_FAILED,
        .has_entity = true,
        .entity_key = row->entity_key,
    };
    struct holder holder = {.before = row->local_seq};

    enum ves_status status = why->agent->store->ops->outbox_list(
        why->agent->store, &filter, find_holder, &holder);
    if (status && status != VES_AGAIN)
        return status;
    *is_held = holder.is_found;
    if (!holder.is_found)
        return VES_OK;
    say(why, "It waits behind an earlier event of the same");
    ves_buf_putf(&why->text, " %.*s, ", (int)row->entity_type.len,
                 (const char *)row->entity_type.ptr);
    ves_buf_put_uuid(&why->text, &holder.event_id);
    ves_buf_put_str(&why->text,
                    ", which failed: events of one entity keep their order. "
                    "Other entities are not held up.");
    step(why, "ves retry");
    return VES_OK;
}

static void say_last_error(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;

    if (row->error.len == 0)
        return;
    say(why, "The last attempt (");
    ves_buf_put_count(&why->text, row->attempts, "attempt");
    ves_buf_putf(&why->text,
                 " counted, %s) said:", ves_error_class_name(row->error_class));
    say_reason(why, row->error);
}

static enum ves_status say_pending(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;
    int64_t next = row->next_attempt_ms;
    bool is_held = false;

    say(why, "The event is signed and safe in this store, but not yet at the "
             "sequencer.");
    if (say_store_stops(why))
        return VES_OK;
    enum ves_status status = say_held_back(why, &is_held);
    if (status)
        return status;
    say_last_error(why);
    if (is_held)
        return VES_OK;
    if (why->core.next_attempt_ms > next)
        next = why->core.next_attempt_ms;
    if (why->core.offline_failures > 0)
        say(why, "The sequencer did not answer the last time; being offline "
                 "does not count as a failed attempt.");
    if (next > ves_clock_now_ms()) {
        say(why, "It is tried again by itself after");
        ves_buf_put_str(&why->text, " ");
        ves_buf_put_time(&why->text, next);
        ves_buf_put_str(&why->text, "; an explicit push does not wait.");
    } else if (row->error.len == 0 && why->core.offline_failures == 0) {
        say(why, "Nothing is wrong: it goes with the next push.");
    }
    step(why, "ves sync");
    return VES_OK;
}

/* ---- the other places ---------------------------------------------------- */

static void say_receipt(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;

    ves_buf_putf(&why->text, " number %llu of the stream",
                 (unsigned long long)row->sequence_number);
    if (row->sequenced_at_ms > 0) {
        ves_buf_put_str(&why->text, " at ");
        ves_buf_put_time(&why->text, row->sequenced_at_ms);
    }
    if (row->has_receipt)
        ves_buf_put_str(&why->text,
                        "; its signed receipt verified and is kept here.");
    else
        ves_buf_put_str(&why->text, "; there is no receipt for that number.");
    if (row->sequence_number == 0)
        return;
    if (row->sequence_number <= why->core.finality.witnessed)
        say(why,
            "It is witnessed: a quorum of witnesses cosigned a head of the "
            "log that covers it.");
    else if (row->sequence_number <= why->core.finality.logged)
        say(why,
            "It is logged: a signed head of the log, verified here, covers "
            "it.");
    else
        say(why, "It is received, not logged: no signed head of the log that "
                 "was verified here covers it yet.");
}

static void say_verdict(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;
    struct ves_bytes disposition = ves_row_disposition(row);

    if (disposition.len == 0) {
        say(why, "How it was judged is not known yet; the next pull brings "
                 "it.");
        step(why, "ves pull");
        return;
    }
    say(why, "Judged:");
    say_reason(why, disposition);
}

static void say_syncing(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;

    if (!row->has_receipt) {
        say(why, "A push has taken it and no answer has come yet. If that "
                 "process is gone, the next push takes it up again; sending "
                 "twice is harmless.");
        step(why, "ves push");
        return;
    }
    say(why, "The sequencer has it as");
    say_receipt(why);
    say_verdict(why);
    say(why, "It is not acknowledged yet; that is what makes it synced.");
    step(why, "ves ack");
}

static void say_synced(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;

    say(why, "Done. The sequencer has it as");
    say_receipt(why);
    say_verdict(why);
    if (row->synced_ms > 0) {
        say(why, "Acknowledged at ");
        ves_buf_put_time(&why->text, row->synced_ms);
        ves_buf_put_str(&why->text, ".");
    }
    if (row->sequence_number > why->core.cursor) {
        say(why, "This store has not pulled that far yet.");
        step(why, "ves pull");
    }
    if (row->envelope.len == 0 && why->found.log.envelope.len == 0)
        say(why, "Its body was pruned; hash, number and receipt stay.");
}

static void say_failed(struct why *why)
{
    const struct ves_outbox_row *row = &why->found.outbox;

    if (ves_bytes_is(row->disposition, VES_DISPOSITION_REISSUED) ||
        ves_bytes_is(row->disposition, VES_DISPOSITION_OVERRIDDEN)) {
        say(why, "The sequencer refused it, and that was decided:");
        say_reason(why, row->error);
        say(why, "It does not count any more, and is kept.");
        step(why, "ves show EVENT");
        return;
    }
    if (row->is_refused) {
        say(why, "The sequencer refused it, and signed the refusal:");
        say_reason(why, row->error);
        if (ves_bytes_is(row->disposition, VES_DISPOSITION_SETTLED)) {
            say(why, "Somebody looked into it and settled it (ves trail has "
                     "the reason); it is kept and never sent again.");
            return;
        }
        say(why, "It does not count in this store's view any more. It is kept "
                 "and never sent again by itself; correct what was wrong, "
                 "append a new event, and settle this one.");
        step(why, "ves show EVENT");
        step(why, "ves outbox --settle EVENT --reason TEXT");
        return;
    }
    say(why, "It could not be sent");
    ves_buf_put_str(&why->text, " (");
    ves_buf_put_count(&why->text, row->attempts, "attempt");
    ves_buf_put_str(&why->text, "):");
    say_reason(why, row->error);
    say(why, "It is kept, still counts in this store's view, and holds back "
             "later events of the same entity only.");
    if (!say_store_stops(why))
        step_retry(why);
}

/* Refused by a server that keeps no branch. */
static void say_refused_conflict(struct why *why)
{
    say(why, "The sequencer refused it, because it was made on an older "
             "version than the sequencer has:");
    say_reason(why, why->found.outbox.error);
    say(why, "It is kept, and does not count in this store's view any more.");
    step(why, "ves show EVENT");
}

static void say_conflict(struct why *why)
{
    if (why->found.outbox.sequence_number == 0) {
        say_refused_conflict(why);
        return;
    }
    say(why, "It is in the log as");
    say_receipt(why);
    say(why, "There it conflicts with what others wrote. It is kept as a "
             "branch and nothing is lost; a person, or a policy, decides "
             "which side stands.");
}

/* Its part in a conflict, whatever became of it. */
static enum ves_status say_story(struct why *why)
{
    bool is_open;

    enum ves_status status =
        ves_event_story(why->agent, &why->event_id, &why->text, &is_open);
    if (!status && is_open) {
        step(why, "ves conflict show EVENT");
        step(why, "ves resolve EVENT --strategy STRATEGY");
    }
    return status;
}

static void say_in_log(struct why *why)
{
    const struct ves_log_row *log = &why->found.log;
    bool is_own = ves_uuid_equal(&log->agent, &why->agent->core.agent);
    const char *verdict = ves_verdict_name((enum ves_verdict)log->verdict);

    say(why, is_own ? "This store's own agent wrote it"
                    : "Another agent wrote it, ");
    if (!is_own)
        ves_buf_put_uuid(&why->text, &log->agent);
    ves_buf_putf(&why->text,
                 ". It came with a pull as number %llu of the stream; its "
                 "signature %sverified before it was applied.",
                 (unsigned long long)log->sequence_number,
                 log->has_receipt ? "and receipt " : "");
    if (!log->has_receipt)
        say(why, "The sequencer gave no receipt, so the number is unproven.");
    say(why, "Judged:");
    say_reason(why, ves_bytes_str(verdict));
    if (log->envelope.len == 0)
        say(why, "Its body was pruned; hash, number and receipt stay.");
}

static void say_quarantine(struct why *why)
{
    const struct ves_record *record = &why->found.quarantine;

    say(why, record->closed_ms > 0
                 ? "Bytes under this id were in quarantine, because they did "
                   "not verify (since settled):"
                 : "Bytes under this id are in quarantine, because they did "
                   "not verify:");
    say_reason(why, record->detail.len ? record->detail : record->code);
    if (record->closed_ms == 0) {
        say(why, "They were not applied, and pulling stops there until the "
                 "sequencer's answer verifies.");
        step(why, "ves quarantine");
        step(why, "ves pull");
    }
}

static enum ves_status explain(struct why *why)
{
    const struct ves_found *found = &why->found;
    enum ves_status status = VES_OK;

    if (found->is_in_outbox) {
        switch (found->outbox.status) {
        case VES_OUTBOX_PENDING:
            status = say_pending(why);
            break;
        case VES_OUTBOX_SYNCING:
            say_syncing(why);
            break;
        case VES_OUTBOX_SYNCED:
            say_synced(why);
            break;
        case VES_OUTBOX_FAILED:
            say_failed(why);
            break;
        case VES_OUTBOX_CONFLICT:
        default:
            say_conflict(why);
            break;
        }
    } else if (found->is_in_log) {
        say_in_log(why);
    }
    if (!status && found->is_in_log)
        status = ves_note_say(why->agent, &found->log, &why->text);
    if (!status && found->is_in_log)
        status = say_story(why);
    if (!status && found->is_in_log)
        status = ves_waits_say(why->agent, &found->log, &why->text);
    if (!status && found->is_in_log)
        status =
            ves_follow_ups_say(why->agent, &found->log.entity_key, &why->text);
    if (!status && found->is_in_quarantine)
        say_quarantine(why);
    return status ? status : ves_buf_status(&why->text);
}

/* The event's own id stands for the word EVENT, so that a step can be typed
 * as it is. */
static void put_step(struct ves_jw *jw, const char *step,
                     const struct ves_uuid *event_id)
{
    static const char word[] = "EVENT";
    const char *at = strstr(step, word);
    char text[160], id[VES_UUID_TEXT + 1];

    if (at) {
        ves_uuid_format(event_id, id);
        snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - step), step, id,
                 at + strlen(word));
    }
    ves_jw_str(jw, at ? text : step);
}

static void put_why(struct ves_jw *jw, const struct ves_uuid *event_id,
                    const struct why *why)
{
    const struct ves_found *found = &why->found;

    ves_jw_object(jw);
    ves_jw_member_uuid(jw, "eventId", event_id);
    ves_jw_member_str(jw, "status",
                      found->is_in_outbox
                          ? ves_outbox_status_name(found->outbox.status)
                      : found->is_in_log ? "received"
                                         : "quarantined");
    ves_jw_member(jw, "explanation", ves_buf_view(&why->text));
    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    for (size_t i = 0; i < why->step_count; i++)
        put_step(jw, why->steps[i], event_id);
    ves_jw_end(jw);
    ves_jw_end(jw);
}

enum ves_status ves_agent_why(struct ves_agent *agent,
                              const struct ves_uuid *event_id,
                              struct ves_jw *jw, struct ves_error *error)
{
    struct why why = {.agent = agent, .event_id = *event_id};

    ves_agent_start(agent);
    enum ves_status status = ves_agent_find(agent, event_id, &why.found, error);
    if (status)
        return status;
    status = ves_core_standing(&agent->core, &why.core);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the status");
    ves_buf_init(&why.text, agent->alloc, 8192);
    status = explain(&why);
    if (!status)
        put_why(jw, event_id, &why);
    ves_buf_free(&why.text);
    if (status)
        return ves_agent_fail(agent, status, error, "explaining an event");
    return ves_agent_jw_end(jw, error);
}
