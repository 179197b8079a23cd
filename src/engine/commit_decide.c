/* commit_decide.c -- what becomes of each event of a request.
 *
 * First what can be said without giving out numbers: repeated ids, replays,
 * refusals found by prepare.  Then, in order, the rest: command ids, key
 * validity at the number it would get, causal context, verdict, number.
 */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "engine/chain.h"
#include "engine/commit.h"
#include "engine/folding.h"

/* ---- refusing ------------------------------------------------------------ */

static enum ves_status set_refused(struct ves_commit *commit,
                                   struct ves_commit_event *e,
                                   const struct ves_refusal *refusal)
{
    e->refusal = ves_arena_alloc(&commit->arena, sizeof(*e->refusal));
    if (!e->refusal)
        return VES_NOMEM;
    *e->refusal = *refusal;
    if (e->event->is_read) {
        e->refusal->has_event_id = true;
        e->refusal->event_id = e->event->event.event_id;
    }
    e->outcome = VES_OUTCOME_REFUSED;
    return VES_OK;
}

/* ---- without numbers ----------------------------------------------------- */

static struct ves_log_row *find_replay(const struct ves_commit_stream *stream,
                                       uint64_t sequence)
{
    size_t low = 0, high = stream->replay_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (stream->replays[middle].sequence_number < sequence)
            low = middle + 1;
        else
            high = middle;
    }
    VES_ASSERT(low < stream->replay_count &&
               stream->replays[low].sequence_number == sequence);
    return &stream->replays[low];
}

static void set_replayed(struct ves_commit_event *e, struct ves_log_row *row)
{
    e->row = row;
    e->outcome = VES_OUTCOME_REPLAYED;
}

/* Against what the log and earlier requests have under this id.  VES_OK with
 * the outcome NONE: nothing. */
static enum ves_status compare_stored(struct ves_commit_request *request,
                                      struct ves_commit_event *e,
                                      struct ves_refusal *refusal)
{
    struct ves_commit_event *accepted = e->id->accepted;

    if (e->is_replay) {
        set_replayed(
            e, find_replay(request->stream, e->id->stored.sequence_number));
        return VES_OK;
    }
    if (accepted && e->event->has_fingerprint &&
        ves_hash_equal(&accepted->event->fingerprint, &e->event->fingerprint)) {
        set_replayed(e, accepted->row);
        return VES_OK;
    }
    if (accepted || e->id->stored.sequence_number != 0)
        return ves_refuse(
            refusal, VES_REFUSAL_DUPLICATE_EVENT_ID, NULL,
            "this event_id is in the log already, as event "
            "%llu, with other content; that one stays",
            (unsigned long long)(accepted ? accepted->row->sequence_number
                                          : e->id->stored.sequence_number));
    return VES_OK;
}

/* B.3 steps 1 to 3: a repeated id first, then the log, then what prepare
 * found. */
static enum ves_status decide_known(struct ves_commit *commit,
                                    struct ves_commit_request *request,
                                    struct ves_commit_event *e)
{
    struct ves_refusal refusal;
    enum ves_status status = VES_OK;

    if (!e->event->is_read)
        return set_refused(commit, e, &e->event->refusal);
    if (e->id->named_by == request->ingest)
        status = ves_refuse(&refusal, VES_REFUSAL_DUPLICATE_EVENT_ID, NULL,
                            "this event_id is in the request twice; this is "
                            "the later one");
    else
        status = compare_stored(request, e, &refusal);
    e->id->named_by = request->ingest;
    if (status == VES_REFUSED)
        return set_refused(commit, e, &refusal);
    if (e->outcome == VES_OUTCOME_NONE &&
        e->event->refusal.code != VES_REFUSAL_NONE)
        return set_refused(commit, e, &e->event->refusal);
    return VES_OK;
}

/* ---- a number for one event ---------------------------------------------- */

static enum ves_status check_key(struct ves_commit *commit,
                                 struct ves_commit_stream *stream,
                                 const struct ves_commit_event *e,
                                 uint64_t sequence, struct ves_refusal *refusal)
{
    const struct ves_event *event = &e->event->event;
    const struct ves_commit_key *key;

    enum ves_status status = ves_commit_find_key(commit, stream, event, &key);
    if (status)
        return status;
    /* The host's memory of keys may be behind the store's. */
    if (!key->is_found ||
        !ves_bytes_equal(ves_bytes(key->row.public_key.b, VES_KEY_SIZE),
                         ves_bytes(e->event->key.b, VES_KEY_SIZE)))
        return ves_refuse(refusal, VES_REFUSAL_KEY_NOT_FOUND, NULL,
                          "key %u of this agent is not registered for this "
                          "stream",
                          (unsigned)event->agent_key_id);
    if (key->is_unwanted)
        return ves_refuse(refusal, VES_REFUSAL_KEY_NOT_FOUND, NULL,
                          "the owner of this stream accepts only keys that he "
                          "signed for, and key %u of this agent is none",
                          (unsigned)event->agent_key_id);
    if (key->span.revoked_at_sequence != 0 &&
        sequence >= key->span.revoked_at_sequence)
        return ves_refuse(refusal, VES_REFUSAL_KEY_REVOKED, NULL,
                          "key %u of this agent is revoked from sequence %llu "
                          "on; this event would be %llu",
                          (unsigned)event->agent_key_id,
                          (unsigned long long)key->span.revoked_at_sequence,
                          (unsigned long long)sequence);
    if (sequence < key->span.valid_from_sequence ||
        (key->row.valid_from_ms != 0 &&
         commit->now_ms < key->row.valid_from_ms))
        return ves_refuse(refusal, VES_REFUSAL_KEY_NOT_YET, NULL,
                          "key %u of this agent is not valid yet",
                          (unsigned)event->agent_key_id);
    if (key->row.valid_to_ms != 0 && commit->now_ms >= key->row.valid_to_ms)
        return ves_refuse(refusal, VES_REFUSAL_KEY_EXPIRED, NULL,
                          "key %u of this agent has expired; register the "
                          "next one",
                          (unsigned)event->agent_key_id);
    return VES_OK;
}

static enum ves_status check_seen(const struct ves_commit_event *e,
                                  uint64_t sequence,
                                  struct ves_refusal *refusal)
{
    const struct ves_context *context = &e->event->event.context;

    if (!context->is_present || context->seen < sequence)
        return VES_OK;
    return ves_refuse(refusal, VES_REFUSAL_SEEN_BEYOND_HEAD, NULL,
                      "the author had seen sequence %llu and this log ends at "
                      "%llu: one of the two is not what it was; stop pushing "
                      "and keep everything",
                      (unsigned long long)context->seen,
                      (unsigned long long)sequence - 1);
}

static enum ves_status check_foreign(struct ves_commit *commit,
                                     struct ves_commit_stream *stream,
                                     struct ves_commit_event *e,
                                     struct ves_refusal *refusal)
{
    struct ves_commit_entity *entity;

    enum ves_status status =
        ves_commit_find_entity(commit, stream, &e->event->entity, &entity);
    return status ? status
                  : ves_judge_foreign(&e->event->event,
                                      entity->verdict.row.version, refusal);
}

static enum ves_status link_row(struct ves_commit *commit,
                                struct ves_commit_stream *stream,
                                struct ves_commit_entity *e,
                                struct ves_log_row *row)
{
    struct ves_entity_row *entity = &e->verdict.row;
    uint64_t wanted = ves_chain_wanted(entity);

    if (wanted > stream->old_head)
        ves_chain_link(entity,
                       stream->rows[wanted - stream->old_head - 1].entity_jump,
                       row);
    else if (wanted == e->wanted)
        ves_chain_link(entity, e->jump, row);
    else
        return ves_chain_push(commit->store, stream->row.stream_no, entity,
                              row);
    return VES_OK;
}

/* Prepare knew the built-in rules only: reads what the event says by those of
 * the log before it. */
static enum ves_status follow_rules(struct ves_commit *commit,
                                    struct ves_commit_stream *stream,
                                    struct ves_ingest_event *item,
                                    uint64_t sequence)
{
    struct ves_rules_at rules;

    enum ves_status status =
        ves_rules_log_at(&stream->rules, &item->event, sequence, &rules);
    if (status || !rules.rules)
        return status;
    struct ves_event *event = ves_arena_alloc(&commit->arena, sizeof(*event));
    if (!event)
        return VES_NOMEM;
    status = ves_log_event_read(&commit->arena, item->envelope,
                                &commit->store->error, event);
    return status ? status
                  : ves_judge_subject_read(&commit->arena, rules, event,
                                           &item->subject);
}

/* Gives it the next number; what becomes of it is judged afterwards. */
static enum ves_status append(struct ves_commit *commit,
                              struct ves_commit_stream *stream,
                              struct ves_commit_event *e)
{
    const struct ves_event *event = &e->event->event;
    struct ves_log_row *row = &stream->rows[stream->row_count];

    *row = (struct ves_log_row){
        .sequence_number = stream->row.head + 1,
        .event_id = event->event_id,
        .event_hash = event->event_hash,
        .fingerprint = e->event->fingerprint,
        .signature = event->signature,
        .agent = event->agent,
        .agent_key_id = event->agent_key_id,
        .agent_seq = event->context.agent_seq,
        .has_command_id = event->has_command_id,
        .command_id = event->command_id,
        .entity_key = e->event->entity.key,
        .sequenced_at_ms = commit->now_ms,
        .sequencer_id = commit->sequencer->sequencer_id,
        .has_receipt = true, /* signed with all the others, later */
        .receipt_key_version = commit->sequencer->key_version,
        .envelope = e->event->envelope,
    };
    stream->row.head++;
    stream->row_count++;
    e->row = row;
    e->id->accepted = e;
    e->outcome = VES_OUTCOME_ACCEPTED;
    if (e->command)
        e->command->is_used = true;
    enum ves_status status =
        follow_rules(commit, stream, e->event, row->sequence_number);
    return status ? status
                  : ves_verdicts_add(&stream->verdicts, row, event,
                                     &e->event->subject);
}

/* Judges the last ones appended together and puts them into the chains of
 * their entities, which the judge must not see them in before. */
static enum ves_status judge(struct ves_commit *commit,
                             struct ves_commit_stream *stream,
                             struct ves_commit_event *members, size_t count,
                             size_t appended)
{
    if (appended == 0)
        return VES_OK;
    enum ves_status status = ves_verdicts_step(&stream->verdicts, appended);
    for (size_t k = 0; k < count && !status; k++) {
        struct ves_commit_event *e = &members[k];
        struct ves_entity_row *entity = &e->entity->verdict.row;
        if (e->outcome != VES_OUTCOME_ACCEPTED)
            continue;
        if (!entity->is_found) {
            entity->is_found = true;
            entity->entity_type = e->event->event.entity_type;
            entity->entity_id = e->event->event.entity_id;
        }
        e->entity->verdict.is_changed = true;
        status = link_row(commit, stream, e->entity, e->row);
    }
    return status;
}

static enum ves_status check_command(const struct ves_commit_event *e,
                                     struct ves_refusal *refusal)
{
    if (!e->command || !e->command->is_used)
        return VES_OK;
    return ves_refuse(refusal, VES_REFUSAL_DUPLICATE_COMMAND_ID, NULL,
                      "another event of this stream carries this command_id "
                      "already");
}

/* What a log of the stream says of an event that it does not take. */
static enum ves_status refuse_for(enum ves_status status,
                                  const struct ves_error *why,
                                  struct ves_refusal *refusal)
{
    return !status && why->status
               ? ves_refuse(refusal, VES_REFUSAL_RESERVED_TYPE, NULL, "%s",
                            why->text)
               : status;
}

/* Rules are the owner's to make: whoever sends others has no right to. */
static enum ves_status check_rules(struct ves_commit *commit,
                                   struct ves_commit_stream *stream,
                                   const struct ves_commit_event *e,
                                   uint64_t sequence,
                                   struct ves_refusal *refusal)
{
    struct ves_error why = {.status = VES_OK};
    struct ves_event event;

    if (!ves_rules_is_registration(&e->event->event))
        return VES_OK;
    if (!stream->rules.has_owner)
        return ves_refuse(refusal, VES_REFUSAL_RESERVED_TYPE, NULL,
                          "this stream has no owner, so nobody can make rules "
                          "for it");
    enum ves_status status = ves_log_event_read(
        &commit->arena, e->event->envelope, &commit->store->error, &event);
    if (!status)
        status = ves_rules_log_add(&stream->rules, &event, sequence, &why);
    return refuse_for(status, &why, refusal);
}

/* What is said of a key is checked here, and by everybody who reads it. */
static enum ves_status check_key_event(struct ves_commit *commit,
                                       struct ves_commit_stream *stream,
                                       const struct ves_commit_event *e,
                                       uint64_t sequence,
                                       struct ves_refusal *refusal)
{
    struct ves_error why = {.status = VES_OK};
    struct ves_event event;

    if (ves_key_event_kind_of(&e->event->event) == VES_KEY_EVENT_NONE)
        return VES_OK;
    enum ves_status status = ves_log_event_read(
        &commit->arena, e->event->envelope, &commit->store->error, &event);
    if (!status)
        status = ves_key_log_add(&stream->keys_logged, &event, sequence, &why);
    return refuse_for(status, &why, refusal);
}

/* What the administrator lets its agent send. */
static enum ves_status check_policy(struct ves_commit *commit,
                                    struct ves_commit_stream *stream,
                                    const struct ves_commit_event *e,
                                    struct ves_refusal *refusal)
{
    const struct ves_commit_key *key;

    enum ves_status status =
        ves_commit_find_key(commit, stream, &e->event->event, &key);
    return status || !key->policy
               ? status
               : ves_agent_policy_check(key->policy, &e->event->event,
                                        e->event->payload_len, refusal);
}

/* May it have that number?  VES_REFUSED: *refusal says why not. */
static enum ves_status admit(struct ves_commit *commit,
                             struct ves_commit_stream *stream,
                             struct ves_commit_event *e, uint64_t sequence,
                             struct ves_refusal *refusal)
{
    enum ves_status status = check_key(commit, stream, e, sequence, refusal);
    if (!status)
        status = check_policy(commit, stream, e, refusal);
    if (!status)
        status = check_command(e, refusal);
    if (!status)
        status = check_seen(e, sequence, refusal);
    if (!status)
        status = check_rules(commit, stream, e, sequence, refusal);
    if (!status && sequence > (uint64_t)VES_SEQUENCE_MAX)
        status = ves_fail(&commit->store->error, VES_LIMIT,
                          "the stream is full: it has 2^63-1 events");
    if (!status)
        status = check_foreign(commit, stream, e, refusal);
    /* Last: what it takes from the event counts from here on. */
    return status ? status
                  : check_key_event(commit, stream, e, sequence, refusal);
}

static enum ves_status decide_single(struct ves_commit *commit,
                                     struct ves_commit_stream *stream,
                                     struct ves_commit_event *e)
{
    struct ves_refusal refusal;

    enum ves_status status =
        admit(commit, stream, e, stream->row.head + 1, &refusal);
    if (status == VES_REFUSED)
        return set_refused(commit, e, &refusal);
    if (!status)
        status = append(commit, stream, e);
    return status ? status : judge(commit, stream, e, 1, 1);
}

/* ---- atomic groups ------------------------------------------------------- */

/* Members of a group stand together, in order, all of them. */
static bool find_group(const struct ves_commit_request *request, size_t at,
                       size_t *first)
{
    const struct ves_event *event = &request->events[at].event->event;
    const struct ves_context *context = &event->context;

    if (at < context->cmd_index ||
        context->cmd_count > request->ingest->count - (at - context->cmd_index))
        return false;
    *first = at - context->cmd_index;
    for (size_t k = 0; k < context->cmd_count; k++) {
        const struct ves_event *member =
            &request->events[*first + k].event->event;
        if (!member->context.has_cmd || member->context.cmd_index != k ||
            member->context.cmd_count != context->cmd_count ||
            !member->has_command_id ||
            !ves_uuid_equal(&member->command_id, &event->command_id))
            return false;
    }
    return true;
}

static enum ves_status refuse_rest(struct ves_commit *commit,
                                   struct ves_commit_event *members,
                                   size_t count)
{
    const struct ves_refusal *cause = NULL;
    size_t culprit = 0;

    for (size_t k = 0; k < count && !cause; k++) {
        cause = members[k].refusal;
        culprit = k;
    }
    VES_ASSERT(cause);
    for (size_t k = 0; k < count; k++) {
        struct ves_refusal refusal;
        if (members[k].outcome != VES_OUTCOME_NONE)
            continue;
        (void)ves_refuse(&refusal, VES_REFUSAL_INCOMPLETE_GROUP, NULL,
                         "event %zu of this atomic group was refused: %s",
                         culprit, cause->reason);
        enum ves_status status = set_refused(commit, &members[k], &refusal);
        if (status)
            return status;
    }
    return VES_OK;
}

/* Every member is looked at before the first gets a number: a group is placed
 * whole or not at all. */
static enum ves_status admit_group(struct ves_commit *commit,
                                   struct ves_commit_stream *stream,
                                   struct ves_commit_event *members,
                                   size_t count, bool *is_refused)
{
    uint64_t sequence = stream->row.head;

    *is_refused = false;
    for (size_t k = 0; k < count; k++) {
        struct ves_refusal refusal;
        if (members[k].outcome == VES_OUTCOME_REFUSED)
            *is_refused = true;
        if (members[k].outcome != VES_OUTCOME_NONE || *is_refused)
            continue;
        enum ves_status status =
            admit(commit, stream, &members[k], ++sequence, &refusal);
        if (status == VES_REFUSED) {
            *is_refused = true;
            status = set_refused(commit, &members[k], &refusal);
        }
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status decide_group(struct ves_commit *commit,
                                    struct ves_commit_stream *stream,
                                    struct ves_commit_event *members,
                                    size_t count)
{
    size_t appended = 0;
    bool is_refused;

    enum ves_status status =
        admit_group(commit, stream, members, count, &is_refused);
    if (status)
        return status;
    if (is_refused) {
        ves_rules_log_cut(&stream->rules, stream->row.head);
        return refuse_rest(commit, members, count);
    }
    for (size_t k = 0; k < count && !status; k++) {
        if (members[k].outcome != VES_OUTCOME_NONE)
            continue;
        status = append(commit, stream, &members[k]);
        appended++;
    }
    return status ? status : judge(commit, stream, members, count, appended);
}

/* ---- a request ----------------------------------------------------------- */

static enum ves_status decide_new(struct ves_commit *commit,
                                  struct ves_commit_request *request, size_t at)
{
    struct ves_commit_event *e = &request->events[at];
    const struct ves_context *context = &e->event->event.context;
    struct ves_refusal refusal;
    size_t first;

    if (!context->has_cmd)
        return decide_single(commit, request->stream, e);
    if (find_group(request, at, &first))
        return decide_group(commit, request->stream, &request->events[first],
                            context->cmd_count);
    (void)ves_refuse(&refusal, VES_REFUSAL_INCOMPLETE_GROUP, NULL,
                     "the %u events of an atomic group must stand together, "
                     "in order and all of them, in one request",
                     (unsigned)context->cmd_count);
    return set_refused(commit, e, &refusal);
}

enum ves_status ves_commit_decide(struct ves_commit *commit,
                                  struct ves_commit_request *request)
{
    struct ves_commit_stream *stream = request->stream;
    size_t count = request->ingest->count;
    uint64_t head = stream->row.head;

    for (size_t i = 0; i < count; i++) {
        enum ves_status status =
            decide_known(commit, request, &request->events[i]);
        if (status)
            return status;
    }
    for (size_t i = 0; i < count; i++) {
        if (request->events[i].outcome != VES_OUTCOME_NONE)
            continue;
        enum ves_status status = decide_new(commit, request, i);
        if (status)
            return status;
    }
    if (stream->row.head > head) {
        request->sequence_start = head + 1;
        request->sequence_end = stream->row.head;
    }
    for (size_t i = 0; i < count; i++) {
        if (request->events[i].outcome == VES_OUTCOME_REFUSED)
            stream->refused_count++;
    }
    return VES_OK;
}
