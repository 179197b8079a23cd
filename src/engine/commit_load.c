/* commit_load.c -- what a commit needs from the store, in few calls. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "engine/chain.h"
#include "engine/commit.h"
#include "engine/sequencer_keys.h"

/* ---- streams and their events -------------------------------------------- */

static enum ves_status find_frozen(struct ves_commit *commit,
                                   struct ves_commit_stream *stream)
{
    struct ves_tlog_row row;

    enum ves_status status = commit->store->ops->tlog_get(
        commit->store, stream->row.stream_no, &commit->arena, &row);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    stream->is_frozen = row.frozen_at_ms != 0;
    stream->frozen_why = row.frozen_why;
    stream->edge = row.edge;
    return VES_OK;
}

static enum ves_status open_stream(struct ves_commit *commit,
                                   const struct ves_stream *id,
                                   struct ves_commit_stream **out)
{
    struct ves_commit_stream *stream = commit->streams;

    for (size_t i = 0; i < commit->stream_count; i++, stream++) {
        if (ves_stream_equal(&stream->row.stream, id)) {
            *out = stream;
            return VES_OK;
        }
    }
    enum ves_status status =
        ves_sequencer_stream(commit->sequencer, id, &stream->row);
    if (status)
        return status;
    stream->old_head = stream->row.head;
    status = find_frozen(commit, stream);
    if (status)
        return status;
    commit->stream_count++;
    *out = stream;
    return VES_OK;
}

static void add_event(struct ves_commit_stream *stream,
                      struct ves_commit_event *event)
{
    if (stream->last)
        stream->last->next = event;
    else
        stream->first = event;
    stream->last = event;
    stream->event_count++;
}

static enum ves_status sort_requests(struct ves_commit *commit,
                                     struct ves_ingest **ingests, size_t count)
{
    commit->requests =
        ves_arena_alloc(&commit->arena, count * sizeof(*commit->requests));
    commit->streams =
        ves_arena_alloc(&commit->arena, count * sizeof(*commit->streams));
    if (!commit->requests || !commit->streams)
        return VES_NOMEM;
    commit->request_count = count;
    for (size_t r = 0; r < count; r++) {
        struct ves_commit_request *request = &commit->requests[r];
        struct ves_ingest *ingest = ingests[r];
        VES_ASSERT(ingest->http_status == 200 && ingest->count > 0);
        request->ingest = ingest;
        enum ves_status status =
            open_stream(commit, &ingest->stream, &request->stream);
        if (status)
            return status;
        if (ingest->opens_epoch)
            request->stream->is_frozen = false;
        request->events = ves_arena_alloc(
            &commit->arena, ingest->count * sizeof(*request->events));
        if (!request->events)
            return VES_NOMEM;
        for (size_t i = 0; i < ingest->count; i++) {
            request->events[i].event = &ingest->events[i];
            add_event(request->stream, &request->events[i]);
        }
        commit->event_count += ingest->count;
    }
    return VES_OK;
}

static enum ves_status make_maps(struct ves_commit *commit,
                                 struct ves_commit_stream *stream)
{
    const struct {
        struct ves_map *map;
        size_t key_len;
    } maps[] = {{&stream->ids, VES_UUID_SIZE},
                {&stream->commands, VES_UUID_SIZE},
                {&stream->entities, VES_HASH_SIZE},
                {&stream->keys, 2 * VES_UUID_SIZE}};

    for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++) {
        if (ves_map_init(maps[i].map, &commit->arena, maps[i].key_len,
                         stream->event_count, &commit->secret))
            return VES_NOMEM;
    }
    stream->rows = ves_arena_alloc(&commit->arena,
                                   stream->event_count * sizeof(*stream->rows));
    return stream->rows ? VES_OK : VES_NOMEM;
}

/* ---- ids and commands ---------------------------------------------------- */

static enum ves_status load_ids(struct ves_commit *commit,
                                struct ves_commit_stream *stream)
{
    size_t n = 0;
    struct ves_uuid *ids =
        ves_arena_alloc(&commit->arena, stream->event_count * sizeof(*ids));
    struct ves_id_row *rows =
        ves_arena_alloc(&commit->arena, stream->event_count * sizeof(*rows));
    if (!ids || !rows)
        return VES_NOMEM;
    for (struct ves_commit_event *e = stream->first; e; e = e->next) {
        if (!e->event->is_read)
            continue;
        void **slot = ves_map_slot(&stream->ids, e->event->event.event_id.b);
        if (!slot)
            return VES_NOMEM;
        if (!*slot) {
            *slot = ves_arena_alloc(&commit->arena, sizeof(*e->id));
            if (!*slot)
                return VES_NOMEM;
            ids[n++] = e->event->event.event_id;
        }
        e->id = *slot;
    }
    if (n == 0)
        return VES_OK;
    enum ves_status status = commit->store->ops->log_find_ids(
        commit->store, stream->row.stream_no, ids, n, rows);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++) {
        struct ves_commit_id *id = ves_map_get(&stream->ids, ids[i].b);
        id->stored = rows[i];
    }
    for (struct ves_commit_event *e = stream->first; e; e = e->next)
        e->is_replay =
            e->id && e->id->stored.sequence_number != 0 &&
            e->event->has_fingerprint &&
            ves_hash_equal(&e->id->stored.fingerprint, &e->event->fingerprint);
    return VES_OK;
}

/* Does it stand a chance to be new? */
static bool is_candidate(const struct ves_commit_event *e)
{
    return e->event->has_fingerprint && e->id->stored.sequence_number == 0 &&
           e->event->refusal.code == VES_REFUSAL_NONE;
}

static enum ves_status load_commands(struct ves_commit *commit,
                                     struct ves_commit_stream *stream)
{
    size_t n = 0;
    struct ves_uuid *ids =
        ves_arena_alloc(&commit->arena, stream->event_count * sizeof(*ids));
    struct ves_id_row *rows =
        ves_arena_alloc(&commit->arena, stream->event_count * sizeof(*rows));
    if (!ids || !rows)
        return VES_NOMEM;
    for (struct ves_commit_event *e = stream->first; e; e = e->next) {
        if (!is_candidate(e) || !e->event->event.has_command_id)
            continue;
        void **slot =
            ves_map_slot(&stream->commands, e->event->event.command_id.b);
        if (!slot)
            return VES_NOMEM;
        if (!*slot) {
            *slot = ves_arena_alloc(&commit->arena, sizeof(*e->command));
            if (!*slot)
                return VES_NOMEM;
            ids[n++] = e->event->event.command_id;
        }
        e->command = *slot;
    }
    if (n == 0)
        return VES_OK;
    enum ves_status status = commit->store->ops->log_find_commands(
        commit->store, stream->row.stream_no, ids, n, rows);
    for (size_t i = 0; !status && i < n; i++) {
        struct ves_commit_command *command =
            ves_map_get(&stream->commands, ids[i].b);
        command->is_used = rows[i].sequence_number != 0;
    }
    return status;
}

/* ---- entities ------------------------------------------------------------ */

static struct ves_commit_entity *entity_slot(struct ves_commit *commit,
                                             struct ves_commit_stream *stream,
                                             const struct ves_entity_name *name)
{
    void **slot = ves_map_slot(&stream->entities, name->key.b);
    if (!slot)
        return NULL;
    if (!*slot) {
        struct ves_commit_entity *entity =
            ves_arena_alloc(&commit->arena, sizeof(*entity));
        if (!entity)
            return NULL;
        entity->name = *name;
        entity->verdict.row.key = name->key;
        entity->next = stream->first_entity;
        stream->first_entity = entity;
        stream->entity_count++;
        *slot = entity;
    }
    return *slot;
}

static enum ves_status load_entities(struct ves_commit *commit,
                                     struct ves_commit_stream *stream)
{
    for (struct ves_commit_event *e = stream->first; e; e = e->next) {
        const struct ves_entity_names *refs = &e->event->subject.refs;
        if (!is_candidate(e))
            continue;
        e->entity = entity_slot(commit, stream, &e->event->entity);
        if (!e->entity)
            return VES_NOMEM;
        e->entity->is_written = true;
        /* What it refers to is judged with it. */
        for (size_t i = 0; i < refs->count; i++) {
            if (!entity_slot(commit, stream, &refs->list[i]))
                return VES_NOMEM;
        }
    }
    if (stream->entity_count == 0)
        return VES_OK;

    size_t n = 0;
    struct ves_entity_name *names =
        ves_arena_alloc(&commit->arena, stream->entity_count * sizeof(*names));
    struct ves_entity_row *rows =
        ves_arena_alloc(&commit->arena, stream->entity_count * sizeof(*rows));
    if (!names || !rows)
        return VES_NOMEM;
    struct ves_commit_entity *entity;
    for (entity = stream->first_entity; entity; entity = entity->next)
        names[n++] = entity->name;
    enum ves_status status = commit->store->ops->entity_get(
        commit->store, stream->row.stream_no, names, n, &commit->arena, rows);
    if (status)
        return status;
    n = 0;
    for (entity = stream->first_entity; entity; entity = entity->next) {
        entity->verdict.row = rows[n];
        entity->verdict.row.key = names[n++].key;
        entity->is_loaded = true;
        ves_verdict_entity_open(&entity->verdict);
    }
    return VES_OK;
}

/* The rows that the entities' next events take something over from, by one
 * call.  What a further one of the same entity wants is asked for then. */
static enum ves_status load_links(struct ves_commit *commit,
                                  struct ves_commit_stream *stream)
{
    struct ves_commit_entity **entities =
        ves_arena_alloc(&commit->arena, stream->entity_count *
                                            sizeof(struct ves_commit_entity *));
    uint64_t *wanted =
        ves_arena_alloc(&commit->arena, stream->entity_count * sizeof(*wanted));
    struct ves_link_row *rows =
        ves_arena_alloc(&commit->arena, stream->entity_count * sizeof(*rows));
    size_t n = 0;

    if (!entities || !wanted || !rows)
        return VES_NOMEM;
    for (struct ves_commit_entity *e = stream->first_entity; e; e = e->next) {
        if (!e->is_written || !(e->wanted = ves_chain_wanted(&e->verdict.row)))
            continue;
        entities[n] = e;
        wanted[n++] = e->wanted;
    }
    if (n == 0)
        return VES_OK;
    enum ves_status status = commit->store->ops->log_links(
        commit->store, stream->row.stream_no, wanted, n, rows);
    for (size_t i = 0; !status && i < n; i++) {
        status = ves_chain_check(commit->store, &entities[i]->verdict.row,
                                 wanted[i], &rows[i]);
        entities[i]->jump = rows[i].entity_jump;
    }
    return status;
}

enum ves_status ves_commit_find_entity(struct ves_commit *commit,
                                       struct ves_commit_stream *stream,
                                       const struct ves_entity_name *name,
                                       struct ves_commit_entity **entity)
{
    *entity = entity_slot(commit, stream, name);
    if (!*entity)
        return VES_NOMEM;
    if ((*entity)->is_loaded)
        return VES_OK;
    enum ves_status status = commit->store->ops->entity_get(
        commit->store, stream->row.stream_no, name, 1, &commit->arena,
        &(*entity)->verdict.row);
    (*entity)->verdict.row.key = name->key;
    (*entity)->is_loaded = status == VES_OK;
    ves_verdict_entity_open(&(*entity)->verdict);
    return status;
}

/* ---- the judge ----------------------------------------------------------- */

static enum ves_status host_entity(void *ctx, const struct ves_hash *key,
                                   struct ves_verdict_entity **out)
{
    struct ves_commit_stream *stream = ctx;
    const struct ves_entity_name name = {.key = *key};
    struct ves_commit_entity *entity;

    enum ves_status status =
        ves_commit_find_entity(stream->commit, stream, &name, &entity);
    *out = status ? NULL : &entity->verdict;
    return status;
}

static enum ves_status host_named(void *ctx, const struct ves_entity_name *name)
{
    struct ves_commit_stream *stream = ctx;
    struct ves_commit_entity *entity;

    return ves_commit_find_entity(stream->commit, stream, name, &entity);
}

static enum ves_status open_verdicts(struct ves_commit *commit,
                                     struct ves_commit_stream *stream)
{
    const struct ves_verdict_host host = {
        .ctx = stream, .entity = host_entity, .named = host_named};

    stream->commit = commit;
    stream->has_verdicts = true;
    ves_rules_log_open(&stream->rules, commit->store, stream->row.stream_no,
                       commit->sequencer->alloc,
                       stream->row.has_owner_key ? &stream->row.owner_key
                                                 : NULL);
    ves_key_log_open(&stream->keys_logged, commit->store, stream->row.stream_no,
                     &stream->row.stream,
                     stream->row.has_owner_key ? &stream->row.owner_key : NULL,
                     &commit->sequencer->sequencer_id, &commit->arena);
    return ves_verdicts_open(
        &stream->verdicts, commit->store, stream->row.stream_no,
        commit->sequencer->alloc, &commit->arena, &host, &stream->rules,
        &commit->secret, stream->old_head, stream->event_count);
}

/* ---- replays ------------------------------------------------------------- */

/* Heap sort: the engine may not use the C library's. */
static void sift(uint64_t *values, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count)
            return;
        if (child + 1 < count && values[child] < values[child + 1])
            child++;
        if (values[root] >= values[child])
            return;
        uint64_t value = values[root];
        values[root] = values[child];
        values[child] = value;
        root = child;
    }
}

static void sort(uint64_t *values, size_t count)
{
    for (size_t i = count / 2; i > 0; i--)
        sift(values, i - 1, count);
    for (size_t end = count; end > 1; end--) {
        uint64_t value = values[0];
        values[0] = values[end - 1];
        values[end - 1] = value;
        sift(values, 0, end - 1);
    }
}

struct replay_reader {
    struct ves_commit *commit;
    struct ves_commit_stream *stream;
};

static enum ves_status keep_replay(void *ctx, const struct ves_log_row *row)
{
    struct replay_reader *reader = ctx;
    struct ves_commit_stream *stream = reader->stream;
    struct ves_log_row *kept = &stream->replays[stream->replay_count++];

    *kept = *row;
    kept->envelope = ves_bytes(NULL, 0);
    kept->raw = ves_bytes(NULL, 0);
    kept->effects = ves_bytes(NULL, 0);
    kept->opposite = ves_bytes(NULL, 0);
    if (ves_arena_copy(&reader->commit->arena, row->sub_code,
                       &kept->sub_code) ||
        ves_arena_copy(&reader->commit->arena, row->note, &kept->note))
        return VES_NOMEM;
    return VES_OK;
}

/* Reads the rows with these sequences, ascending and distinct, one call for
 * each unbroken run of them. */
static enum ves_status read_runs(struct ves_commit *commit,
                                 struct ves_commit_stream *stream,
                                 const uint64_t *sequences, size_t count)
{
    struct replay_reader reader = {commit, stream};

    for (size_t start = 0, end; start < count; start = end) {
        end = start + 1;
        while (end < count && sequences[end] == sequences[end - 1] + 1)
            end++;
        enum ves_status status = commit->store->ops->log_read(
            commit->store, stream->row.stream_no, sequences[start],
            (uint32_t)(end - start), keep_replay, &reader);
        if (status)
            return status;
        if (stream->replay_count != end ||
            stream->replays[end - 1].sequence_number != sequences[end - 1])
            return ves_fail(&commit->store->error, VES_CORRUPT,
                            "the log has no row %llu although the index of "
                            "event ids names it",
                            (unsigned long long)sequences[end - 1]);
    }
    return VES_OK;
}

static enum ves_status load_replays(struct ves_commit *commit,
                                    struct ves_commit_stream *stream)
{
    size_t n = 0;
    uint64_t *sequences = ves_arena_alloc(
        &commit->arena, stream->event_count * sizeof(*sequences));
    if (!sequences)
        return VES_NOMEM;
    for (struct ves_commit_event *e = stream->first; e; e = e->next) {
        if (e->is_replay)
            sequences[n++] = e->id->stored.sequence_number;
    }
    if (n == 0)
        return VES_OK;
    sort(sequences, n);
    size_t distinct = 1;
    for (size_t i = 1; i < n; i++) {
        if (sequences[i] != sequences[i - 1])
            sequences[distinct++] = sequences[i];
    }
    stream->replays =
        ves_arena_alloc(&commit->arena, distinct * sizeof(*stream->replays));
    if (!stream->replays)
        return VES_NOMEM;
    return read_runs(commit, stream, sequences, distinct);
}

/* ---- keys ---------------------------------------------------------------- */

static enum ves_status load_wish(struct ves_commit *commit,
                                 struct ves_commit_stream *stream,
                                 const struct ves_uuid *agent, uint32_t key_id,
                                 struct ves_commit_key *key)
{
    const struct ves_key_state *state;

    if (!stream->is_strict ||
        ves_uuid_equal(agent, &commit->sequencer->sequencer_id))
        return VES_OK;
    enum ves_status status =
        ves_key_log_find(&stream->keys_logged, agent, &state);
    if (status)
        return status;
    key->is_unwanted = !ves_key_log_allows(
        &stream->keys_logged, state ? ves_key_state_find(state, key_id) : NULL);
    return VES_OK;
}

/* What keys are named: all of them are fetched by one call. */
struct key_names {
    struct ves_key_name *names;
    struct ves_commit_key **keys;
    size_t count;
};

static enum ves_status name_key(struct ves_commit *commit,
                                struct ves_commit_stream *stream,
                                const struct ves_event *event,
                                struct key_names *names,
                                struct ves_commit_key **key)
{
    uint8_t name[2 * VES_UUID_SIZE] = {0};

    memcpy(name, event->agent.b, VES_UUID_SIZE);
    memcpy(name + VES_UUID_SIZE, &event->agent_key_id,
           sizeof(event->agent_key_id));
    void **slot = ves_map_slot(&stream->keys, name);
    if (!slot)
        return VES_NOMEM;
    if (!*slot) {
        *slot = ves_arena_alloc(&commit->arena, sizeof(**key));
        if (!*slot)
            return VES_NOMEM;
        names->names[names->count] =
            (struct ves_key_name){event->agent, event->agent_key_id};
        names->keys[names->count++] = *slot;
    }
    *key = *slot;
    return VES_OK;
}

static enum ves_status read_policy(struct ves_commit *commit,
                                   struct ves_bytes document,
                                   struct ves_commit_key *key)
{
    struct ves_error *error = &commit->store->error;
    const struct ves_json *root;

    if (document.len == 0)
        return VES_OK;
    struct ves_agent_policy *policy =
        ves_arena_alloc(&commit->arena, sizeof(*policy));
    if (!policy)
        return VES_NOMEM;
    enum ves_status status =
        ves_json_read(&commit->arena, document, NULL, &root, NULL);
    if (!status)
        status = ves_agent_policy_read(root, policy, error);
    if (status == VES_MALFORMED || status == VES_INVALID)
        return ves_fail(error, VES_CORRUPT,
                        "an agent's policy in the store cannot be read; set "
                        "it again (ves admin policy)");
    key->policy = policy;
    return status;
}

static enum ves_status find_keys(struct ves_commit *commit,
                                 struct ves_commit_stream *stream,
                                 const struct key_names *names)
{
    struct ves_store *store = commit->store;

    if (names->count == 0)
        return VES_OK;
    struct ves_key_found *found =
        ves_arena_alloc(&commit->arena, names->count * sizeof(*found));
    if (!found)
        return VES_NOMEM;
    enum ves_status status = store->ops->key_find(
        store, stream->row.stream_no, &stream->row.stream.tenant, names->names,
        names->count, &commit->arena, found);
    for (size_t i = 0; !status && i < names->count; i++) {
        struct ves_commit_key *key = names->keys[i];

        if (!found[i].is_found)
            continue;
        key->row = found[i].row;
        key->span = found[i].span;
        ves_key_span_in(&stream->row.stream, &key->row, &key->span);
        key->is_found = key->span.is_found;
        status = read_policy(commit, found[i].policy, key);
        if (!status)
            status = load_wish(commit, stream, &names->names[i].agent,
                               names->names[i].key_id, key);
    }
    return status;
}

static enum ves_status load_keys(struct ves_commit *commit,
                                 struct ves_commit_stream *stream)
{
    struct key_names names = {
        .names = ves_arena_alloc(&commit->arena,
                                 stream->event_count * sizeof(*names.names)),
        .keys = ves_arena_alloc(&commit->arena,
                                stream->event_count * sizeof(*names.keys))};
    struct ves_commit_key *ignored;

    if (!names.names || !names.keys)
        return VES_NOMEM;
    enum ves_status status =
        ves_key_log_is_strict(commit->store, stream->row.stream_no,
                              &commit->arena, &stream->is_strict);
    for (struct ves_commit_event *e = stream->first; e && !status; e = e->next)
        if (is_candidate(e))
            status =
                name_key(commit, stream, &e->event->event, &names, &ignored);
    return status ? status : find_keys(commit, stream, &names);
}

enum ves_status ves_commit_find_key(struct ves_commit *commit,
                                    struct ves_commit_stream *stream,
                                    const struct ves_event *event,
                                    const struct ves_commit_key **key)
{
    struct ves_key_name name;
    struct ves_commit_key *found;
    struct key_names names = {.names = &name, .keys = &found};

    enum ves_status status = name_key(commit, stream, event, &names, &found);
    *key = found;
    return status ? status : find_keys(commit, stream, &names);
}

/* ---- all of it ----------------------------------------------------------- */

enum ves_status ves_commit_load(struct ves_commit *commit,
                                struct ves_ingest **ingests, size_t count)
{
    enum ves_status status = sort_requests(commit, ingests, count);

    for (size_t i = 0; !status && i < commit->stream_count; i++) {
        struct ves_commit_stream *stream = &commit->streams[i];
        if (stream->is_frozen)
            continue;
        status = make_maps(commit, stream);
        if (!status)
            status = load_ids(commit, stream);
        if (!status)
            status = load_replays(commit, stream);
        if (!status)
            status = load_commands(commit, stream);
        if (!status)
            status = load_entities(commit, stream);
        if (!status && stream->entity_count > 0)
            status = load_links(commit, stream);
        if (!status)
            status = open_verdicts(commit, stream);
        if (!status)
            status = load_keys(commit, stream);
    }
    return status;
}
