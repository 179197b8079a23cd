/* status.c -- how a store stands towards its sequencer, in one document.
 *
 * What is not known is said to be not known, and "synced" is said of nothing
 * that has no verified receipt.
 */
#include <string.h>

#include "agent/agent.h"
#include "agent/delivery.h"
#include "agent/words.h"
#include "base/bytes.h"
#include "base/text.h"
#include "core/judge.h"
#include "core/types.h"
#include "engine/conflict.h"
#include "engine/follow_ups.h"

struct standing {
    struct ves_core_status core;
    uint64_t lag;
    uint64_t checked_ms; /* 0: never */
    bool is_reachable;
    bool is_refused; /* its credential, whatever became of pushes */
    uint64_t conflicts[VES_CONFLICT_KINDS]; /* open ones, by kind */
    uint64_t open_conflicts;
    uint64_t follow_ups;
    struct ves_undelivered undelivered;
    bool has_state; /* what is not in the file's rows was asked for, too: the
                       state hash, how news come */
    bool is_kept;   /* nothing was read: what was said last is so still */
};

#define CHECKED "sequencer.checked_ms"

enum { STANDING_MAX = 1024 * 1024 };

/* Refused for a stale base: open until somebody decides, then of no concern. */
static enum ves_status count_refused(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct standing *standing = ctx;

    if (ves_core_is_refused_conflict(row))
        standing->conflicts[VES_CONFLICT_VERSION_MISMATCH]++;
    return VES_OK;
}

void ves_agent_know(struct ves_agent *agent, const struct ves_contact *contact)
{
    agent->contact = *contact;
}

/* A probe that wrote nothing knows better than the store, if it came later:
 * also than pushes that failed before it. */
static void add_contact(struct standing *standing,
                        const struct ves_contact *contact)
{
    if (contact->at_ms <= 0 || (uint64_t)contact->at_ms < standing->checked_ms)
        return;
    standing->checked_ms = (uint64_t)contact->at_ms;
    standing->is_reachable = contact->is_reachable;
    if (contact->is_reachable)
        standing->is_refused = contact->is_refused;
    if (contact->is_reachable)
        standing->core.offline_failures = 0;
    if (standing->core.remote_head < contact->head)
        standing->core.remote_head = contact->head;
}

static enum ves_status read_standing(struct ves_agent *agent, bool with_state,
                                     struct standing *out)
{
    uint64_t reachable = 0, is_refused = 0;

    memset(out, 0, sizeof(*out));
    out->has_state = with_state;
    enum ves_status status = with_state
                                 ? ves_core_status(&agent->core, &out->core)
                                 : ves_core_standing(&agent->core, &out->core);
    if (!status)
        status = ves_agent_meta_u64(agent, CHECKED, &out->checked_ms);
    if (!status)
        status = ves_agent_meta_u64(agent, "sequencer.reachable", &reachable);
    if (!status)
        status = ves_agent_meta_u64(agent, VES_AGENT_REFUSED, &is_refused);
    if (!status)
        status = ves_core_follow_ups(&agent->core, &out->follow_ups);
    if (!status)
        status = agent->store->ops->conflict_counts(
            agent->store, agent->core.stream_no, out->conflicts);
    if (!status)
        status = ves_core_undelivered(&agent->core,
                                      out->core.counts[VES_OUTBOX_FAILED],
                                      &out->undelivered);
    if (!status && out->core.counts[VES_OUTBOX_CONFLICT] > 0) {
        const struct ves_outbox_filter filter = {.status_mask =
                                                     1U << VES_OUTBOX_CONFLICT};
        status = agent->store->ops->outbox_list(agent->store, &filter,
                                                count_refused, out);
    }
    for (size_t i = 0; i < VES_CONFLICT_KINDS; i++)
        out->open_conflicts += out->conflicts[i];
    out->is_reachable = reachable != 0 && out->core.offline_failures == 0;
    out->is_refused = is_refused != 0;
    add_contact(out, &agent->contact);
    if (out->is_refused)
        out->core.needs_auth = true;
    /* A receipt is proof of as long a log; a sequencer that lost its tail is
     * another matter. */
    if (!out->core.is_diverged && out->core.remote_head < out->core.last_pushed)
        out->core.remote_head = out->core.last_pushed;
    if (out->core.remote_head > out->core.cursor)
        out->lag = out->core.remote_head - out->core.cursor;
    return status;
}

static bool needs_attention(const struct standing *standing)
{
    const struct ves_core_status *core = &standing->core;

    return standing->open_conflicts > 0 || standing->undelivered.events > 0 ||
           core->counts[VES_OUTBOX_CONFLICT] > 0 || core->open_alerts > 0 ||
           core->quarantined > 0 || core->is_diverged || core->is_copied ||
           core->needs_auth || core->is_forbidden;
}

static const char *health(const struct ves_agent *agent,
                          const struct standing *standing)
{
    if (needs_attention(standing))
        return "attention";
    if (agent->url[0] == '\0' || standing->core.offline_failures > 0 ||
        (standing->checked_ms > 0 && !standing->is_reachable))
        return "offline";
    bool has_work = standing->core.counts[VES_OUTBOX_PENDING] > 0 ||
                    standing->core.counts[VES_OUTBOX_SYNCING] > 0 ||
                    standing->lag > 0 || standing->checked_ms == 0 ||
                    standing->core.is_restoring;
    return has_work ? "pending_work" : "healthy";
}

/* Puts ", " between parts. */
static void put_part(struct ves_buf *buf, uint64_t count, const char *what)
{
    if (count == 0)
        return;
    if (buf->len > 0)
        ves_buf_put_str(buf, ", ");
    ves_buf_putf(buf, "%llu %s", (unsigned long long)count, what);
}

static void put_contact(struct ves_buf *buf, const struct ves_agent *agent,
                        const struct standing *standing)
{
    if (agent->url[0] == '\0')
        ves_buf_put_str(buf, "no sequencer yet");
    else if (standing->checked_ms == 0)
        ves_buf_put_str(buf, "sequencer not contacted yet");
    else if (standing->is_reachable)
        ves_buf_put_str(buf, "the sequencer answered when last asked");
    else
        ves_buf_put_str(buf, "the sequencer did not answer when last asked");
    if (standing->lag > 0) {
        ves_buf_put_str(buf, ", ");
        ves_buf_put_count(buf, standing->lag, "event");
        ves_buf_put_str(buf, " behind");
    }
}

static void put_summary(struct ves_buf *buf, const struct ves_agent *agent,
                        const struct standing *standing)
{
    const struct ves_core_status *core = &standing->core;

    put_part(buf, core->counts[VES_OUTBOX_PENDING], "pending");
    put_part(buf, core->counts[VES_OUTBOX_SYNCING], "syncing");
    put_part(buf, standing->undelivered.events, "failed");
    put_part(buf, core->counts[VES_OUTBOX_CONFLICT], "in conflict");
    put_part(buf, standing->open_conflicts,
             standing->open_conflicts == 1 ? "open conflict"
                                           : "open conflicts");
    put_part(buf, core->quarantined, "quarantined");
    if (buf->len == 0 && core->counts[VES_OUTBOX_SYNCED] == 0)
        ves_buf_put_str(buf, "Nothing to send");
    else if (buf->len == 0) {
        ves_buf_put_str(buf, "All own events are synced (");
        ves_buf_put_decimal(buf, core->counts[VES_OUTBOX_SYNCED]);
        ves_buf_put_str(buf, ")");
    }
    ves_buf_put_str(buf, "; ");
    put_contact(buf, agent, standing);
    ves_buf_put_str(buf, ".");
}

static void put_counts(struct ves_jw *jw, const struct standing *standing)
{
    ves_jw_key(jw, "counts");
    ves_jw_object(jw);
    for (int i = 0; i < VES_OUTBOX_STATUSES; i++)
        ves_jw_member_u64(jw, ves_outbox_status_name((enum ves_outbox_status)i),
                          standing->core.counts[i]);
    ves_jw_end(jw);
    ves_jw_key(jw, "conflictsByType");
    ves_jw_object(jw);
    for (int i = VES_CONFLICT_KINDS - 1; i > 0; i--)
        ves_jw_member_u64(jw, ves_conflict_kind_name((enum ves_conflict_kind)i),
                          standing->conflicts[i]);
    ves_jw_end(jw);
    ves_jw_member_u64(jw, "undelivered", standing->undelivered.events);
    ves_jw_member_u64(jw, "refused", standing->undelivered.refused);
    ves_jw_member_u64(jw, "followUps", standing->follow_ups);
}

static void put_sequence(struct ves_jw *jw, const struct standing *standing)
{
    const struct ves_core_status *core = &standing->core;

    ves_jw_member_time(jw, "oldestPendingAt", core->oldest_pending_ms);
    ves_jw_member_time(jw, "lastPushAt", core->last_push_ms);
    ves_jw_member_time(jw, "lastPullAt", core->last_pull_ms);
    ves_jw_key(jw, "lastPulledEventId");
    if (core->cursor > 0)
        ves_jw_uuid(jw, &core->last_pulled_event_id);
    else
        ves_jw_null(jw);
    ves_jw_key(jw, "sequence");
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "lastPushed", core->last_pushed);
    ves_jw_member_u64(jw, "lastPulled", core->cursor);
    ves_jw_member_u64(jw, "remoteHead", core->remote_head);
    ves_jw_member_u64(jw, "lag", standing->lag);
    /* The log is dense up to the cursor at all times (invariant A4); what can
     * be missing is the part the sequencer no longer has. */
    ves_jw_member_bool(jw, "gap", core->is_diverged);
    ves_jw_end(jw);
    ves_jw_key(jw, "finality");
    ves_jw_object(jw);
    ves_jw_member_u64(jw, "logged", core->finality.logged);
    ves_jw_member_u64(jw, "witnessed", core->finality.witnessed);
    ves_jw_member_u64(jw, "epoch", core->finality.epoch);
    ves_jw_member_time(jw, "verifiedAt", core->finality.verified_ms);
    ves_jw_end(jw);
}

static void put_sequencer(struct ves_jw *jw, const struct ves_agent *agent,
                          const struct standing *standing)
{
    ves_jw_key(jw, "sequencer");
    ves_jw_object(jw);
    ves_jw_member_str(jw, "url", agent->url[0] ? agent->url : NULL);
    ves_jw_key(jw, "reachable");
    if (standing->checked_ms > 0)
        ves_jw_bool(jw, standing->is_reachable);
    else
        ves_jw_null(jw);
    ves_jw_member_time(jw, "checkedAt", (int64_t)standing->checked_ms);
    ves_jw_end(jw);
}

static void put_state(struct ves_jw *jw, const struct standing *standing)
{
    const struct ves_core_status *core = &standing->core;

    if (core->unknown_schema_at > 0) {
        ves_jw_key(jw, "stateHash");
        ves_jw_null(jw);
        ves_jw_member_u64(jw, "unknownSchemaAt", core->unknown_schema_at);
    } else if (standing->has_state) {
        ves_jw_key(jw, "stateHash");
        ves_jw_hex(jw, "", core->state_hash.b, VES_HASH_SIZE);
        ves_jw_member_u64(jw, "stateAtSequence", core->at_sequence);
    }
    ves_jw_member_u64(jw, "foldVersion", core->fold_version);
    ves_jw_member_u64(jw, "signatureFailures", core->signature_failures);
    ves_jw_member_u64(jw, "quarantined", core->quarantined);
    ves_jw_member_str(jw, "position",
                      core->is_position_unproven ? "unproven" : "proven");
}

static void put_follow_ups(struct ves_jw *jw, const struct ves_agent *agent,
                           uint64_t count)
{
    struct ves_buf buf;

    ves_buf_init(&buf, agent->alloc, 512);
    ves_buf_put_count(&buf, count, "thing");
    ves_buf_putf(&buf,
                 " that really happened %s to be looked at, such as more sold "
                 "than there was; `ves conflicts` tells.",
                 count == 1 ? "asks" : "ask");
    ves_jw_bytes(jw, ves_buf_view(&buf));
    ves_buf_free(&buf);
}

/* One sentence for whatever keeps health from healthy, or will matter soon. */
static void put_reasons(struct ves_jw *jw, const struct ves_agent *agent,
                        const struct standing *standing)
{
    const struct ves_core_status *core = &standing->core;

    ves_jw_key(jw, "reasons");
    ves_jw_array(jw);
    if (core->is_copied)
        ves_jw_str(jw, "This file looks like a copy of a store that is used "
                       "elsewhere: both gave the same number to different "
                       "events. Nothing is pushed from here; nothing is lost.");
    else if (core->is_restoring)
        ves_jw_str(jw, "This store was restored from an older copy. The next "
                       "sync takes back what it lost before it sends "
                       "anything.");
    if (core->unknown_schema_at > 0)
        ves_jw_str(jw, "An event names a rule that this program lacks: it is "
                       "kept, and the state here cannot be compared with "
                       "others'. Update this program.");
    if (core->is_beyond_epoch)
        ves_jw_str(jw, "The sequencer lost the end of its log and goes on "
                       "without it in a new epoch; this store holds some of "
                       "what was given up. Nothing was changed here. Tell the "
                       "sequencer's operator first: as long as no store has "
                       "followed the epoch, `ves admin recover` with this "
                       "file, on database and head file from before, brings "
                       "all of it back. Else `ves epoch follow --dry-run` says "
                       "what going on means, and `ves epoch follow` does it: "
                       "what was given up is kept here, and what this store "
                       "wrote is sent again.");
    else if (core->is_epoch_new)
        ves_jw_str(jw, "The sequencer lost the end of its log and goes on "
                       "without it in a new epoch; own events whose receipts "
                       "that broke are sent again. `ves quarantine` says what "
                       "is kept of it, and its --settle ends it.");
    if (core->is_diverged && !core->is_beyond_epoch)
        ves_jw_str(jw, "The sequencer's history does not contain what this "
                       "store has already seen from it. Pushing has stopped; "
                       "every event is kept.");
    if (core->signature_failures > 0)
        ves_jw_str(jw, "The sequencer sent something whose signature does not "
                       "verify. It was not applied.");
    if (core->quarantined > 0)
        ves_jw_str(jw, "Bytes that did not verify are in quarantine, and "
                       "pulling stops before them.");
    if (core->is_forbidden)
        ves_jw_str(jw, "The sequencer says that this store may not push. Its "
                       "events are kept; ask the sequencer's operator.");
    else if (core->open_alerts > 0 && core->signature_failures == 0 &&
             core->quarantined == 0 && !core->is_copied && !core->is_diverged &&
             !core->is_epoch_new)
        ves_jw_str(jw,
                   "There are open alerts; `ves quarantine` lists them, and "
                   "its --settle ends one that you have looked into.");
    if (core->needs_auth)
        ves_jw_str(jw, "The sequencer does not accept this store's credential. "
                       "Local work goes on and nothing was wiped.");
    if (standing->undelivered.events > 0)
        ves_jw_str(jw, standing->undelivered.refused > 0
                           ? "Some events failed to sync; they are kept with "
                             "their reason. The sequencer refused some for "
                             "good: `ves why EVENT` says what to do."
                           : "Some events failed to sync; they are kept with "
                             "their reason.");
    if (core->counts[VES_OUTBOX_CONFLICT] > 0)
        ves_jw_str(jw, "Some events conflict with events of others.");
    else if (standing->open_conflicts > 0)
        ves_jw_str(jw, "Others' events conflict; anybody may decide which "
                       "side stands.");
    if (agent->url[0] == '\0')
        ves_jw_str(jw, "This store has not joined a sequencer; it works "
                       "locally.");
    else if (core->offline_failures > 0)
        ves_jw_str(jw, "The sequencer did not answer the last time; pending "
                       "events wait and are sent once it does.");
    if (standing->follow_ups > 0)
        put_follow_ups(jw, agent, standing->follow_ups);
    if (core->is_position_unproven)
        ves_jw_str(jw, "The sequencer gave no receipts for pulled events, so "
                       "their numbers are unproven.");
    ves_jw_end(jw);
}

static void put_steps(struct ves_jw *jw, const struct ves_agent *agent,
                      const struct standing *standing)
{
    const struct ves_core_status *core = &standing->core;
    bool can_sync = agent->url[0] != '\0' && !core->is_copied;

    ves_jw_key(jw, "nextSteps");
    ves_jw_array(jw);
    if (core->is_copied || core->needs_auth || agent->url[0] == '\0')
        ves_jw_str(jw, core->is_copied ? "ves init --db NEW.db --invite STRING"
                                       : "ves init --invite STRING");
    if (core->quarantined > 0 || core->open_alerts > 0)
        ves_jw_str(jw, "ves quarantine");
    if (standing->undelivered.events > 0)
        ves_jw_str(jw, "ves outbox --status failed");
    if (standing->undelivered.events > standing->undelivered.refused)
        ves_jw_str(jw, "ves retry");
    if (standing->open_conflicts > 0) {
        ves_jw_str(jw, "ves conflicts");
        ves_jw_str(jw, "ves resolve");
    } else if (core->counts[VES_OUTBOX_CONFLICT] > 0) {
        ves_jw_str(jw, "ves outbox --status conflict");
    } else if (standing->follow_ups > 0) {
        ves_jw_str(jw, "ves conflicts");
    }
    if (can_sync &&
        (core->counts[VES_OUTBOX_PENDING] > 0 ||
         core->counts[VES_OUTBOX_SYNCING] > 0 || standing->lag > 0 ||
         standing->checked_ms == 0 || core->is_restoring))
        ves_jw_str(jw, "ves sync");
    if (core->is_diverged || core->is_copied)
        ves_jw_str(jw, "ves doctor");
    ves_jw_end(jw);
}

static enum ves_status put_document(struct ves_agent *agent,
                                    const struct standing *standing,
                                    struct ves_jw *jw)
{
    struct ves_buf summary;

    ves_buf_init(&summary, agent->alloc, 1024);
    put_summary(&summary, agent, standing);
    ves_jw_object(jw);
    ves_jw_member_str(jw, "health", health(agent, standing));
    ves_jw_member(jw, "summary", ves_buf_view(&summary));
    put_counts(jw, standing);
    put_sequence(jw, standing);
    put_sequencer(jw, agent, standing);
    if (standing->has_state)
        ves_delivery_put(jw, agent->delivery_path, agent->alloc);
    put_state(jw, standing);
    put_reasons(jw, agent, standing);
    put_steps(jw, agent, standing);
    ves_jw_end(jw);
    enum ves_status status = ves_buf_status(&summary);
    ves_buf_free(&summary);
    return status;
}

enum ves_status ves_agent_status(struct ves_agent *agent, struct ves_jw *jw,
                                 struct ves_error *error)
{
    struct standing standing;

    ves_agent_start(agent);
    bool has_begun = ves_agent_begin_read(agent);
    enum ves_status status = read_standing(agent, true, &standing);
    ves_agent_end_read(agent, has_begun);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the status");
    status = put_document(agent, &standing, jw);
    if (status)
        return ves_agent_fail(agent, status, error, "writing the status");
    return ves_agent_jw_end(jw, error);
}

/* In a reading transaction of its own the file cannot change between its
 * version and what is read; in the caller's, what is read may be rolled back,
 * so nothing is kept of that. */
static enum ves_status read_kept(struct ves_agent *agent, bool has_begun,
                                 struct standing *standing, unsigned *version,
                                 bool *may_keep)
{
    uint64_t checked;

    *may_keep = false;
    standing->is_kept = false;
    if (has_begun && !ves_agent_meta_u64(agent, CHECKED, &checked) &&
        ves_kept_version(agent, version)) {
        if (ves_kept_holds(&agent->standing, *version, &agent->contact)) {
            standing->is_kept = true;
            return VES_OK;
        }
        *may_keep = true;
    }
    return read_standing(agent, false, standing);
}

/* Written apart: the caller's writer may hold more. */
static enum ves_status put_standing(struct ves_agent *agent,
                                    const struct standing *standing,
                                    unsigned version, bool may_keep,
                                    struct ves_jw *jw)
{
    if (standing->is_kept) {
        ves_jw_raw(jw, ves_buf_view(&agent->standing.text));
        return VES_OK;
    }
    struct ves_jw *own = ves_jw_new(agent->alloc, STANDING_MAX);
    if (!own)
        return VES_NOMEM;
    enum ves_status status = put_document(agent, standing, own);
    if (!status)
        status = ves_jw_status(own);
    if (!status) {
        ves_jw_raw(jw, ves_jw_view(own));
        if (may_keep)
            ves_kept_put(&agent->standing, version, &agent->contact,
                         ves_jw_view(own));
    }
    ves_jw_free(own);
    return status;
}

enum ves_status ves_agent_standing(struct ves_agent *agent, struct ves_jw *jw,
                                   struct ves_error *error)
{
    struct standing standing;
    unsigned version = 0;
    bool may_keep;

    ves_agent_start(agent);
    bool has_begun = ves_agent_begin_read(agent);
    enum ves_status status =
        read_kept(agent, has_begun, &standing, &version, &may_keep);
    ves_agent_end_read(agent, has_begun);
    if (status)
        return ves_agent_fail(agent, status, error, "reading the status");
    status = put_standing(agent, &standing, version, may_keep, jw);
    if (status)
        return ves_agent_fail(agent, status, error, "writing the status");
    return ves_agent_jw_end(jw, error);
}
