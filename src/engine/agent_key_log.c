/* agent_key_log.c -- keys as the log has them, while a page is read (ADR 0025).
 *
 * A key event is checked like everything else of a page, and what it says
 * holds for the items behind it.  The directory said the same before, or one
 * of the two is false: both are signed.
 */
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "engine/agent_internal.h"

static enum ves_status open_log(struct ves_agent_core *core,
                                struct ves_page *page)
{
    if (page->has_key_log)
        return VES_OK;
    ves_key_log_open(&page->key_log, core->store, core->stream_no,
                     &core->stream, &core->owner_key, &core->sequencer_id,
                     &page->arena);
    enum ves_status status = ves_device_cursor(core, &page->key_cursor);
    if (!status)
        status = ves_key_log_load(&page->key_log);
    page->has_key_log = !status;
    return status;
}

/* ---- against the directory ----------------------------------------------- */

static bool differs(const struct ves_logged_key *key,
                    const struct ves_key_row *row,
                    const struct ves_key_span *span)
{
    if (!ves_bytes_equal(ves_bytes(row->public_key.b, VES_KEY_SIZE),
                         ves_bytes(key->public_key.b, VES_KEY_SIZE)))
        return true;
    if (!span->is_found)
        return false;
    /* An end before the log's was shown while the event waited to be entered;
     * one behind it lets the key sign what the log does not. */
    return span->valid_from_sequence != key->valid_from ||
           (key->revoked_at != 0 &&
            span->revoked_at_sequence > key->revoked_at);
}

static enum ves_status compare(struct ves_agent_core *core,
                               struct ves_page *page,
                               const struct ves_key_state *state,
                               const struct ves_logged_key **other)
{
    struct ves_store *store = core->store;
    struct ves_key_row row;
    struct ves_key_span span;

    *other = NULL;
    for (size_t i = 0; i < state->count; i++) {
        const struct ves_logged_key *key = &state->keys[i];
        enum ves_status status =
            store->ops->key_get(store, &core->stream.tenant, &state->agent,
                                key->key_id, &page->arena, &row);
        if (status == VES_NOT_FOUND)
            continue;
        if (!status)
            status = store->ops->key_span_get(
                store, core->stream_no, &state->agent, key->key_id, &span);
        if (status)
            return status;
        if (differs(key, &row, &span))
            *other = key;
    }
    return VES_OK;
}

static enum ves_status check_directory(struct ves_agent_core *core,
                                       struct ves_page *page,
                                       const struct ves_event *event,
                                       struct ves_error *why)
{
    const struct ves_key_state *state = NULL;
    const struct ves_logged_key *key;
    struct ves_key_event read;

    if (ves_key_event_read(event, &read, NULL))
        return VES_OK;
    enum ves_status status =
        ves_key_log_find(&page->key_log, &read.agent, &state);
    if (status || !state)
        return status;
    status = compare(core, page, state, &key);
    if (!status && key)
        (void)ves_fail(why, VES_REFUSED,
                       "directory_contradicts_log: the signed directory showed "
                       "another key %u of this agent, or other numbers for it, "
                       "than the log does",
                       (unsigned)key->key_id);
    return status;
}

static bool find_pinned(const struct ves_agent_core *core, uint32_t version,
                        struct ves_agent_key *out)
{
    for (size_t i = 0; i < core->sequencer_key_count; i++) {
        if (core->sequencer_keys[i].version != version)
            continue;
        *out = (struct ves_agent_key){.public_key =
                                          core->sequencer_keys[i].public_key,
                                      .valid_from_sequence = 1};
        return true;
    }
    return false;
}

/* The version that the event entered, if it entered one; its statement has to
 * be that of the version before, which is pinned where the log and the
 * directory here lack it. */
static void check_version(const struct ves_agent_core *core,
                          const struct ves_page *page,
                          const struct ves_event *event, struct ves_error *why)
{
    const struct ves_key_log_version *newest = page->key_log.versions;
    struct ves_agent_key pinned;
    struct ves_key_event read;

    if (!newest || newest->sequence != event->sequence_number)
        return;
    if (find_pinned(core, newest->key.version - 1, &pinned) &&
        !ves_key_event_read(event, &read, NULL)) {
        enum ves_key_fault fault =
            ves_sequencer_key_check(&read, &pinned.public_key);
        if (fault)
            (void)ves_fail(why, VES_REFUSED, "%s: %s",
                           ves_key_fault_code(fault),
                           ves_key_fault_words(fault));
    }
    if (!why->status && find_pinned(core, newest->key.version, &pinned) &&
        !ves_bytes_equal(ves_bytes(pinned.public_key.b, VES_KEY_SIZE),
                         ves_bytes(newest->key.public_key.b, VES_KEY_SIZE)))
        (void)ves_fail(why, VES_REFUSED,
                       "directory_contradicts_log: the log has another version "
                       "%u of the sequencer's key than this store pinned",
                       (unsigned)newest->key.version);
}

/* ---- a page -------------------------------------------------------------- */

enum ves_status ves_device_page_key_event(struct ves_agent_core *core,
                                          struct ves_page *page,
                                          const struct ves_event *event,
                                          struct ves_error *why)
{
    why->status = VES_OK;
    if (ves_key_event_kind_of(event) == VES_KEY_EVENT_NONE ||
        ves_uuid_is_nil(&core->sequencer_id))
        return VES_OK;
    enum ves_status status = open_log(core, page);
    /* What is in the log already was taken with it. */
    if (status || event->sequence_number <= page->key_cursor)
        return status;
    status =
        ves_key_log_add(&page->key_log, event, event->sequence_number, why);
    if (!status && !why->status)
        status = check_directory(core, page, event, why);
    if (!status && !why->status)
        check_version(core, page, event, why);
    if (!status && !why->status)
        memset(page->keys, 0, sizeof(page->keys));
    return status;
}

enum ves_status ves_device_page_key(struct ves_agent_core *core,
                                    struct ves_page *page,
                                    const struct ves_event *event,
                                    struct ves_agent_key *out, bool *is_found)
{
    const struct ves_logged_key *key = NULL;
    const struct ves_key_state *state;
    bool is_strict = false;

    *is_found = false;
    if (ves_uuid_equal(&event->agent, &core->sequencer_id) &&
        !ves_uuid_is_nil(&core->sequencer_id)) {
        *is_found = find_pinned(core, event->agent_key_id, out);
        return VES_OK;
    }
    enum ves_status status = VES_OK;
    if (!page->has_key_log)
        status = ves_key_log_is_strict(core->store, core->stream_no,
                                       &page->arena, &is_strict);
    if (!status && is_strict)
        status = open_log(core, page);
    if (status || !page->has_key_log)
        return status;
    status = ves_key_log_find(&page->key_log, &event->agent, &state);
    if (!status && state)
        key = ves_key_state_find(state, event->agent_key_id);
    if (!status && key) {
        ves_logged_key_show(&event->agent, key, out);
        *is_found = true;
    }
    return status;
}

bool ves_device_page_allows(const struct ves_page *page,
                            const struct ves_event *event)
{
    const struct ves_logged_key *key = NULL;

    if (!page->has_key_log || !page->key_log.world.policy.is_strict ||
        ves_key_event_kind_of(event) != VES_KEY_EVENT_NONE)
        return true;
    for (const struct ves_key_log_agent *a = page->key_log.agents; a;
         a = a->next) {
        if (ves_uuid_equal(&a->state.agent, &event->agent))
            key = ves_key_state_find(&a->state, event->agent_key_id);
    }
    return ves_key_log_allows(&page->key_log, key);
}

enum ves_status ves_device_keys_save(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     const struct ves_page *page, size_t first,
                                     size_t end, struct ves_device_state *state,
                                     int64_t now_ms)
{
    const struct ves_key_state *own;
    struct ves_error ignored; /* the page would have ended there */
    struct ves_key_log log;
    enum ves_status status = VES_OK;

    if (!page->has_key_log)
        return VES_OK;
    ves_key_log_open(&log, core->store, core->stream_no, &core->stream,
                     &core->owner_key, &core->sequencer_id, arena);
    for (size_t i = first; i < end && !status; i++) {
        const struct ves_event *event = &page->items[i].event;
        status = ves_key_log_add(&log, event, event->sequence_number, &ignored);
    }
    if (!status)
        status = ves_key_log_save(&log, now_ms);
    if (!status)
        status = ves_key_log_find(&log, &core->agent, &own);
    if (!status && own)
        status = ves_device_own_rotated(core, arena, own, state, now_ms);
    return status;
}

/* ---- numbers that an epoch gave up ----------------------------------------
 */

struct cut_key {
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_key_span span;
    struct cut_key *next;
};

struct cut {
    uint64_t above;
    struct ves_arena *arena;
    struct cut_key *first;
};

static enum ves_status visit_key(void *ctx, const struct ves_key_row *row,
                                 const struct ves_key_span *span)
{
    struct cut *cut = ctx;

    if (!span->is_found || (span->valid_from_sequence <= cut->above &&
                            span->revoked_at_sequence <= cut->above))
        return VES_OK;
    struct cut_key *key = ves_arena_alloc(cut->arena, sizeof(*key));
    if (!key)
        return VES_NOMEM;
    *key = (struct cut_key){row->agent, row->key_id, *span, cut->first};
    cut->first = key;
    return VES_OK;
}

/* Revoked there, it holds again. */
static enum ves_status cut_end(struct ves_agent_core *core,
                               struct ves_arena *arena, struct cut_key *key)
{
    struct ves_store *store = core->store;
    struct ves_key_row row;

    key->span.revoked_at_sequence = 0;
    enum ves_status status = store->ops->key_span_put(
        store, core->stream_no, &key->agent, key->key_id, &key->span);
    if (!status)
        status = store->ops->key_get(store, &core->stream.tenant, &key->agent,
                                     key->key_id, arena, &row);
    if (status)
        return status;
    row.revoked_at_ms = 0;
    return store->ops->key_put(store, &row);
}

enum ves_status ves_device_keys_cut(struct ves_agent_core *core,
                                    struct ves_arena *arena, uint64_t above)
{
    struct ves_store *store = core->store;
    struct cut cut = {.above = above, .arena = arena};

    enum ves_status status = store->ops->key_list(
        store, &core->stream.tenant, NULL, core->stream_no, visit_key, &cut);
    for (struct cut_key *key = cut.first; key && !status; key = key->next)
        status = key->span.valid_from_sequence > above
                     ? store->ops->key_span_forget(store, core->stream_no,
                                                   &key->agent, key->key_id)
                     : cut_end(core, arena, key);
    return status;
}
