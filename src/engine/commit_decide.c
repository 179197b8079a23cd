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
                                 struct ves_refusal *refusal)
{
    const struct ves_event *event = &e->event->event;
    uint64_t sequence = stream->row.head + 1;
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

static enum ves_status check_seen(const struct ves_commit_stream *stream,
                                  const struct ves_commit_event *e,
                                  struct ves_refusal *refusal)
{
    const struct ves_context *context = &e->event->event.context;

    if (!context->is_present || context->seen <= stream->row.head)
        return VES_OK;
    return ves_refuse(refusal, VES_REFUSAL_SEEN_BEYOND_HEAD, NULL,
                      "the author had seen sequence %llu and this log ends at "
                      "%llu: one of the two is not what it was; stop pushing "
                      "and keep everything",
                      (unsigned long long)context->seen,
                      (unsigned long long)stream->row.head);
}

static enum ves_status judge(struct ves_commit *commit,
                             struct ves_commit_stream *stream,
                             struct ves_commit_event *e,
                             struct ves_refusal *refusal)
{
    struct ves_commit_entity *entity;

    enum ves_status status =
        ves_commit_find_entity(commit, stream, &e->event->entity_key, &entity);
    if (!status)
        status =
            ves_judge_foreign(&e->event->event, entity->row.version, refusal);
    e->judgement = (struct ves_judgement){.verdict = VES_VERDICT_APPLIED};
    return status;
}

/* Remembers what the entity was, once for each atomic group. */
static void save_entity(struct ves_commit *commit,
                        struct ves_commit_entity *entity)
{
    if (commit->group == 0 || entity->saved_in == commit->group)
        return;
    entity->saved_in = commit->group;
    entity->saved_row = entity->row;
    entity->saved_is_changed = entity->is_changed;
    entity->saved_next = commit->saved;
    commit->saved = entity;
}

static enum ves_status link_row(struct ves_commit *commit,
                                struct ves_commit_stream *stream,
                                struct ves_entity_row *entity,
                                struct ves_log_row *row)
{
    uint64_t wanted = ves_chain_wanted(entity);

    if (wanted <= stream->old_head)
        return ves_chain_push(commit->store, stream->row.stream_no, entity,
                              row);
    ves_chain_link(
        entity, stream->rows[wanted - stream->old_head - 1].entity_jump, row);
    return VES_OK;
}

/* sub_code, and a conflict's id where replays find it again. */
static enum ves_status write_verdict(struct ves_commit *commit,
                                     const struct ves_judgement *judgement,
                                     struct ves_log_row *row)
{
    static const char open[] = "{\"conflictId\":\"";
    static const char close[] = "\"}";
    enum { OPEN = sizeof(open) - 1, CLOSE = sizeof(close) - 1 };

    row->verdict = judgement->verdict;
    if (ves_arena_copy(&commit->arena, ves_bytes_str(judgement->sub_code),
                       &row->sub_code))
        return VES_NOMEM;
    if (!judgement->has_conflict_id)
        return VES_OK;
    size_t len = OPEN + 2 * VES_HASH_SIZE + CLOSE;
    uint8_t *text = ves_arena_bytes(&commit->arena, len);
    if (!text)
        return VES_NOMEM;
    memcpy(text, open, OPEN);
    ves_hex_encode(judgement->conflict_id.b, VES_HASH_SIZE,
                   (char *)text + OPEN);
    memcpy(text + OPEN + 2 * VES_HASH_SIZE, close, CLOSE);
    row->note = ves_bytes(text, len);
    return VES_OK;
}

static enum ves_status append(struct ves_commit *commit,
                              struct ves_commit_stream *stream,
                              struct ves_commit_event *e)
{
    const struct ves_event *event = &e->event->event;
    struct ves_entity_row *entity = &e->entity->row;
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
        .entity_key = e->event->entity_key,
        .sequenced_at_ms = commit->now_ms,
        .sequencer_id = commit->sequencer->sequencer_id,
        .has_receipt = true, /* signed with all the others, later */
        .receipt_key_version = commit->sequencer->key_version,
        .envelope = e->event->envelope,
    };
    save_entity(commit, e->entity);
    enum ves_status status = link_row(commit, stream, entity, row);
    if (!status)
        status = write_verdict(commit, &e->judgement, row);
    if (status)
        return status;
    if (!entity->is_found) {
        entity->is_found = true;
        entity->entity_type = event->entity_type;
        entity->entity_id = event->entity_id;
    }
    if (e->judgement.verdict == VES_VERDICT_APPLIED) {
        entity->version++;
        entity->head = event->event_hash;
        entity->head_applied_at = row->sequence_number;
        row->applied_at = row->sequence_number;
        row->version = entity->version;
    }
    e->entity->is_changed = true;
    stream->row.head++;
    stream->row_count++;
    e->row = row;
    e->id->accepted = e;
    e->outcome = VES_OUTCOME_ACCEPTED;
    return VES_OK;
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

/* VES_REFUSED: *refusal says why and nothing changed. */
static enum ves_status place(struct ves_commit *commit,
                             struct ves_commit_stream *stream,
                             struct ves_commit_event *e,
                             struct ves_refusal *refusal)
{
    enum ves_status status = check_key(commit, stream, e, refusal);
    if (!status)
        status = check_command(e, refusal);
    if (!status)
        status = check_seen(stream, e, refusal);
    if (!status && stream->row.head >= (uint64_t)VES_SEQUENCE_MAX)
        status = ves_fail(&commit->store->error, VES_LIMIT,
                          "the stream is full: it has 2^63-1 events");
    if (!status)
        status = judge(commit, stream, e, refusal);
    if (!status)
        status = append(commit, stream, e);
    return status;
}

static enum ves_status decide_single(struct ves_commit *commit,
                                     struct ves_commit_stream *stream,
                                     struct ves_commit_event *e)
{
    struct ves_refusal refusal;

    enum ves_status status = place(commit, stream, e, &refusal);
    if (status == VES_REFUSED)
        return set_refused(commit, e, &refusal);
    if (!status && e->command)
        e->command->is_used = true;
    return status;
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

static void undo_group(struct ves_commit *commit,
                       struct ves_commit_stream *stream,
                       struct ves_commit_event *members, size_t count,
                       size_t row_count)
{
    stream->row.head -= stream->row_count - row_count;
    stream->row_count = row_count;
    for (size_t k = 0; k < count; k++) {
        if (members[k].outcome != VES_OUTCOME_ACCEPTED)
            continue;
        members[k].outcome = VES_OUTCOME_NONE;
        members[k].id->accepted = NULL;
        members[k].row = NULL;
    }
    for (struct ves_commit_entity *e = commit->saved; e; e = e->saved_next) {
        e->row = e->saved_row;
        e->is_changed = e->saved_is_changed;
    }
}

/* Refuses the members that have no outcome yet, because of one that was
 * refused. */
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

static enum ves_status place_group(struct ves_commit *commit,
                                   struct ves_commit_stream *stream,
                                   struct ves_commit_event *members,
                                   size_t count)
{
    for (size_t k = 0; k < count; k++) {
        struct ves_refusal refusal;
        if (members[k].outcome != VES_OUTCOME_NONE)
            continue;
        enum ves_status status = place(commit, stream, &members[k], &refusal);
        if (status == VES_REFUSED)
            return set_refused(commit, &members[k], &refusal);
        if (status)
            return status;
    }
    return VES_OK;
}

static bool has_refused(const struct ves_commit_event *members, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        if (members[k].outcome == VES_OUTCOME_REFUSED)
            return true;
    }
    return false;
}

static enum ves_status decide_group(struct ves_commit *commit,
                                    struct ves_commit_stream *stream,
                                    struct ves_commit_event *members,
                                    size_t count)
{
    size_t row_count = stream->row_count;

    commit->group = ++commit->group_count;
    commit->saved = NULL;
    enum ves_status status = place_group(commit, stream, members, count);
    commit->group = 0;
    if (status)
        return status;
    if (has_refused(members, count)) {
        undo_group(commit, stream, members, count, row_count);
        return refuse_rest(commit, members, count);
    }
    for (size_t k = 0; k < count; k++) {
        if (members[k].command)
            members[k].command->is_used = true;
    }
    return VES_OK;
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
