/* prove.c -- events with the proof that they stand in the log, as a bundle.
 *
 * The events are the store's own verified copies; checkpoint, tiles and key
 * directory come from the sequencer.  What was put together is verified with
 * the keys this store has pinned before it is written, so a sequencer that
 * says something else than its log is noticed here and not at the auditor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/lookup.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/bundle.h"
#include "core/key_event.h"
#include "core/tlog_tile.h"
#include "crypto/crypto.h"
#include "engine/entity_events.h"
#include "os/file.h"
#include "sync/pinned.h"
#include "sync/session.h"

enum {
    ARENA_MAX = 1024 * 1024 * 1024,
    POLICY_MAX = 64 * 1024,
    PATH_MAX_LEN = 512
};

struct item {
    uint64_t sequence;
    struct ves_event event;
};

struct prove {
    struct ves_session session;
    struct ves_agent *agent;
    struct ves_arena arena; /* lives as long as the bundle is made */
    struct item *items;
    size_t count, asked; /* asked: without the key events */
    struct ves_bytes note, keys;
    struct ves_checkpoint checkpoint;
    struct ves_tile_source tiles;
    char prefix[PATH_MAX_LEN]; /* "/ves/HEX/" */
    struct ves_buf policy;     /* what this store has pinned, NUL behind it */
    struct ves_prove_report *report;
    struct ves_error *error;
};

/* ---- events -------------------------------------------------------------- */

static enum ves_status keep_sequence(void *ctx, const struct ves_log_row *row)
{
    struct ves_uuid *id = ctx;

    *id = row->event_id;
    return VES_AGAIN;
}

/* The id of the event with that number in this store's log. */
static enum ves_status find_id(struct prove *prove, uint64_t sequence,
                               struct ves_uuid *id)
{
    struct ves_store *store = prove->agent->store;

    enum ves_status status = store->ops->log_read(
        store, prove->agent->core.stream_no, sequence, 1, keep_sequence, id);
    if (status == VES_AGAIN)
        return VES_OK;
    if (status == VES_OK)
        return ves_fail(prove->error, VES_NOT_FOUND,
                        "this store's log has no number %llu yet; pull first",
                        (unsigned long long)sequence);
    return ves_fail(prove->error, status, "reading the log: %s",
                    store->error.text);
}

static enum ves_status read_event(struct prove *prove, struct ves_bytes text,
                                  struct ves_event *event)
{
    struct ves_refusal refusal;

    enum ves_status status =
        ves_event_read(&prove->arena, text, event, &refusal);
    if (!status)
        status = ves_event_check_logged(&prove->arena, event, &refusal);
    if (status == VES_REFUSED)
        return ves_fail(prove->error, VES_CORRUPT,
                        "the event in this store is not what it says: %s",
                        refusal.message);
    return status;
}

static enum ves_status take_event(struct prove *prove,
                                  const struct ves_uuid *event_id,
                                  struct item *out)
{
    struct ves_found found;
    struct ves_bytes text, copy;
    bool is_open;

    ves_agent_start(prove->agent);
    memset(&found, 0, sizeof(found));
    enum ves_status status =
        ves_agent_find(prove->agent, event_id, &found, prove->error);
    if (status)
        return status;
    if (found.is_in_log) {
        out->sequence = found.log.sequence_number;
        text = found.log.envelope;
        is_open = true;
    } else {
        out->sequence = found.is_in_outbox ? found.outbox.sequence_number : 0;
        text = found.outbox.envelope;
        is_open = false;
    }
    if (out->sequence == 0)
        return ves_fail(prove->error, VES_NOT_FOUND,
                        "the event has no place in the log yet; push and pull "
                        "first");
    if (text.len == 0)
        return ves_fail(prove->error, VES_NOT_FOUND,
                        "the body of number %llu was pruned here; another "
                        "store of the stream has it",
                        (unsigned long long)out->sequence);
    uint8_t *bytes = ves_arena_bytes(&prove->arena, text.len + 1);
    if (!bytes)
        return VES_NOMEM;
    memcpy(bytes, text.ptr, text.len);
    bytes[text.len] = '}';
    copy = ves_bytes(bytes, text.len + (is_open ? 1 : 0));
    return read_event(prove, copy, &out->event);
}

static int by_sequence(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Named twice, it stands in the bundle once.  How many are left. */
static size_t sort(struct item *items, size_t count)
{
    size_t n = 0;

    qsort(items, count, sizeof(*items), by_sequence);
    for (size_t i = 0; i < count; i++) {
        if (n == 0 || items[i].sequence != items[n - 1].sequence)
            items[n++] = items[i];
    }
    return n;
}

static enum ves_status take_events(struct prove *prove,
                                   const struct ves_prove_options *options)
{
    if (options->count == 0 || options->count > VES_BUNDLE_EVENTS_MAX)
        return ves_fail(prove->error, VES_INVALID,
                        "a bundle holds 1 to %d events",
                        (int)VES_BUNDLE_EVENTS_MAX);
    prove->items =
        ves_arena_alloc(&prove->arena, options->count * sizeof(*prove->items));
    if (!prove->items)
        return VES_NOMEM;
    for (size_t i = 0; i < options->count; i++) {
        struct ves_uuid id = options->events[i].event_id;
        enum ves_status status = VES_OK;
        if (options->events[i].sequence_number > 0)
            status = find_id(prove, options->events[i].sequence_number, &id);
        if (!status)
            status = take_event(prove, &id, &prove->items[i]);
        if (status)
            return status;
    }
    prove->count = sort(prove->items, options->count);
    prove->asked = prove->count;
    return VES_OK;
}

/* ---- key events ---------------------------------------------------------- */

static bool is_signer(const struct prove *prove, const struct ves_uuid *agent)
{
    for (size_t i = 0; i < prove->asked; i++) {
        if (ves_uuid_equal(&prove->items[i].event.agent, agent))
            return true;
    }
    return false;
}

/* Does the verdict about a signer's key need it? */
static bool is_needed(const struct prove *prove, const struct ves_event *event)
{
    struct ves_key_event read;

    if (ves_key_event_kind_of(event) == VES_KEY_EVENT_NONE ||
        ves_key_event_read(event, &read, NULL))
        return false;
    return read.kind == VES_KEY_EVENT_POLICY ||
           (read.kind != VES_KEY_EVENT_SEQUENCER &&
            is_signer(prove, &read.agent));
}

/* Those in front of the last event join the others. */
static enum ves_status add_key_events(struct prove *prove)
{
    struct ves_agent *agent = prove->agent;
    uint64_t last = prove->items[prove->count - 1].sequence;
    struct ves_entity_events of;

    enum ves_status status = ves_entity_events_read(
        agent->store, agent->core.stream_no, VES_KEY_ENTITY_TYPE,
        VES_KEY_ENTITY_ID, &prove->arena, &of);
    if (status)
        return ves_fail(prove->error, status, "reading the key events: %s",
                        agent->store->error.text);
    size_t room = prove->count + of.count;
    struct item *items = ves_arena_alloc(&prove->arena, room * sizeof(*items));
    if (!items)
        return VES_NOMEM;
    size_t n = prove->count;
    memcpy(items, prove->items, n * sizeof(*items));
    for (size_t i = 0; i < of.count && of.sequences[i] < last; i++) {
        if (is_needed(prove, &of.events[i]))
            items[n++] = (struct item){of.sequences[i], of.events[i]};
    }
    if (n > VES_BUNDLE_EVENTS_MAX)
        return ves_fail(prove->error, VES_LIMIT,
                        "with the events about their keys these are more than "
                        "%d, which a bundle holds at most; take fewer",
                        (int)VES_BUNDLE_EVENTS_MAX);
    prove->items = items;
    prove->count = sort(items, n);
    return VES_OK;
}

/* ---- what the sequencer gives -------------------------------------------- */

static enum ves_status get(struct prove *prove, const char *path,
                           struct ves_bytes *out)
{
    const struct ves_bytes none = {NULL, 0};
    struct ves_http_reply reply;

    enum ves_status status = ves_session_request(&prove->session, "GET", path,
                                                 none, &reply, prove->error);
    return status ? status : ves_arena_copy(&prove->arena, reply.body, out);
}

static enum ves_status read_tile(void *ctx, const struct ves_tile *tile,
                                 struct ves_hash *hashes)
{
    struct prove *prove = ctx;
    const struct ves_bytes none = {NULL, 0};
    struct ves_http_reply reply;
    struct ves_buf path;

    ves_buf_init(&path, prove->agent->alloc, PATH_MAX_LEN);
    ves_buf_put_str(&path, prove->prefix);
    ves_tile_path_write(&path, tile);
    ves_buf_put_u8(&path, 0);
    enum ves_status status = ves_buf_status(&path);
    if (!status)
        status =
            ves_session_request(&prove->session, "GET", (const char *)path.ptr,
                                none, &reply, prove->error);
    ves_buf_free(&path);
    if (status)
        return status;
    if (ves_tile_read(reply.body, tile->width, hashes))
        return ves_fail(prove->error, VES_REFUSED,
                        "the sequencer's tile has another size than its "
                        "checkpoint implies; nothing was written");
    return VES_OK;
}

static enum ves_status read_checkpoint(struct prove *prove)
{
    struct ves_note note;

    if (ves_note_read(prove->note, &note, prove->error) ||
        ves_checkpoint_read(note.text, &prove->checkpoint, prove->error))
        return VES_REFUSED;
    return VES_OK;
}

/* Whoever verifies the bundle sees one head and its lines.  When the newest has
 * not yet those that this store's policy asks for, an older one that has them
 * proves more. */
static enum ves_status prefer_witnessed(struct prove *prove, uint64_t last)
{
    struct ves_agent_core *core = &prove->agent->core;
    struct ves_bytes older = {NULL, 0};
    bool is_met;

    enum ves_status status =
        ves_core_is_witnessed(core, &prove->arena, prove->note, &is_met);
    if (!status && !is_met)
        status = ves_core_witnessed_head(core, last, &prove->arena, &older);
    if (status)
        return ves_fail(prove->error, status, "%s", core->error.text);
    if (older.len == 0)
        return VES_OK;
    prove->note = older;
    return read_checkpoint(prove);
}

static enum ves_status get_checkpoint(struct prove *prove)
{
    const struct ves_agent_core *core = &prove->agent->core;
    struct ves_hash stream_id;
    char hex[2 * VES_HASH_SIZE], path[PATH_MAX_LEN + 16];
    uint64_t last = prove->items[prove->count - 1].sequence;

    ves_stream_id(&core->stream, &stream_id);
    ves_hex_encode(stream_id.b, VES_HASH_SIZE, hex);
    snprintf(prove->prefix, sizeof(prove->prefix), "/ves/%.*s/",
             (int)sizeof(hex), hex);
    snprintf(path, sizeof(path), "%scheckpoint", prove->prefix);
    enum ves_status status = get(prove, path, &prove->note);
    if (!status)
        status = read_checkpoint(prove);
    if (!status)
        status = prefer_witnessed(prove, last);
    if (status)
        return status;
    status = ves_pinned_policy(core->sequencer_keys, core->sequencer_key_count,
                               prove->checkpoint.origin, &prove->policy);
    if (status)
        return status;
    if (prove->checkpoint.size < last)
        return ves_fail(prove->error, VES_AGAIN,
                        "the signed log has %llu entries; number %llu will be "
                        "in it in a moment",
                        (unsigned long long)prove->checkpoint.size,
                        (unsigned long long)last);
    return VES_OK;
}

static enum ves_status get_keys(struct prove *prove)
{
    char query[PATH_MAX_LEN - 32], path[PATH_MAX_LEN];

    ves_session_stream_query(&prove->agent->core.stream, query, sizeof(query));
    snprintf(path, sizeof(path), "/api/v1/ves/keys?%s", query);
    return get(prove, path, &prove->keys);
}

/* ---- the bundle ---------------------------------------------------------- */

static enum ves_status write_bundle(struct prove *prove, const char *policy,
                                    struct ves_buf *out)
{
    uint64_t *sequences =
        ves_arena_alloc(&prove->arena, prove->count * sizeof(*sequences));

    if (!sequences)
        return VES_NOMEM;
    ves_bundle_begin(out, &prove->agent->core.stream, ves_bytes_str(policy));
    if (ves_bundle_keys(out, prove->keys))
        return ves_fail(prove->error, VES_REFUSED,
                        "the sequencer's key directory is not on one line; "
                        "nothing was written");
    for (size_t i = 0; i < prove->count; i++) {
        sequences[i] = prove->items[i].sequence;
        ves_bundle_event(out, sequences[i], &prove->items[i].event);
    }
    ves_tile_source_init(&prove->tiles, prove->checkpoint.size, read_tile,
                         prove);
    enum ves_status status =
        ves_bundle_end(out, &prove->tiles.source, sequences, prove->count,
                       prove->checkpoint.size, prove->note);
    return status ? status : ves_buf_status(out);
}

static void fill_report(struct prove *prove, size_t bytes)
{
    static const struct ves_public_key no_owner;
    struct ves_prove_report *report = prove->report;
    struct ves_bytes origin = prove->checkpoint.origin;

    report->events = prove->asked;
    report->key_events = prove->count - prove->asked;
    report->owner_key = prove->agent->core.owner_key;
    report->has_owner_key =
        memcmp(report->owner_key.b, no_owner.b, VES_KEY_SIZE) != 0;
    report->tree_size = prove->checkpoint.size;
    report->bytes = bytes;
    snprintf(report->origin, sizeof(report->origin), "%.*s", (int)origin.len,
             (const char *)origin.ptr);
    ves_pinned_log_key(prove->agent, origin, report->log_key,
                       sizeof(report->log_key));
}

static enum ves_status prove_all(struct prove *prove,
                                 const struct ves_prove_options *options,
                                 struct ves_buf *out)
{
    enum ves_status status = take_events(prove, options);

    if (!status)
        status = add_key_events(prove);
    if (!status)
        status = get_checkpoint(prove);
    if (!status)
        status = get_keys(prove);
    if (!status)
        status = write_bundle(prove, options->policy_name, out);
    if (!status)
        status =
            ves_pinned_verify(prove->agent, ves_buf_view(&prove->policy),
                              ves_buf_view(out), &prove->arena, prove->error);
    if (!status)
        status = ves_file_write(options->path, ves_buf_view(out), VES_FILE_NEW,
                                prove->error);
    if (!status)
        fill_report(prove, out->len);
    return status;
}

enum ves_status ves_prove(struct ves_agent *agent,
                          const struct ves_prove_options *options,
                          struct ves_prove_report *report,
                          struct ves_error *error)
{
    const struct ves_sync_options sync = {.timeout_ms = options->timeout_ms};
    struct ves_error own = {.status = VES_OK};
    struct ves_buf out;

    memset(report, 0, sizeof(*report));
    if (!error)
        error = &own;
    enum ves_status status = ves_pinned_check_name(options->policy_name, error);
    if (status)
        return status;
    struct prove *prove =
        agent->alloc->realloc(agent->alloc->ctx, NULL, sizeof(*prove));
    if (!prove)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(prove, 0, sizeof(*prove));
    prove->agent = agent;
    prove->report = report;
    prove->error = error;
    ves_arena_init(&prove->arena, agent->alloc, ARENA_MAX);
    ves_buf_init(&prove->policy, agent->alloc, POLICY_MAX);
    ves_buf_init(&out, agent->alloc, VES_BUNDLE_MAX);
    ves_agent_start(agent);
    status = ves_session_open(&prove->session, agent, &sync, error);
    if (!status) {
        status = prove_all(prove, options, &out);
        ves_session_close(&prove->session);
    }
    if (status == VES_NOMEM)
        ves_fail(error, status, "out of memory; nothing was written");
    else if (status == VES_LIMIT && error->status != VES_LIMIT)
        ves_fail(error, status, "the bundle would be larger than %d bytes",
                 (int)VES_BUNDLE_MAX);
    ves_buf_free(&out);
    ves_buf_free(&prove->policy);
    ves_arena_free(&prove->arena);
    agent->alloc->realloc(agent->alloc->ctx, prove, 0);
    return status;
}
