/* lookup.c -- one event wherever this store holds it. */
#include "agent/lookup.h"

#include <string.h>

#include "agent/words.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"

struct log_keeper {
    struct ves_agent *agent;
    struct ves_log_row *out;
};

static enum ves_status keep_log_row(void *ctx, const struct ves_log_row *row)
{
    struct log_keeper *keeper = ctx;
    struct ves_log_row *out = keeper->out;
    struct ves_bytes *views[] = {&out->sub_code, &out->note, &out->envelope,
                                 &out->raw};

    *out = *row;
    for (size_t i = 0; i < sizeof(views) / sizeof(views[0]); i++) {
        enum ves_status status =
            ves_arena_copy(&keeper->agent->arena, *views[i], views[i]);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status find_in_log(struct ves_agent *agent,
                                   const struct ves_uuid *event_id,
                                   struct ves_found *out)
{
    const struct ves_store_ops *ops = agent->store->ops;
    struct log_keeper keeper = {agent, &out->log};
    struct ves_id_row id;

    enum ves_status status = ops->log_find_ids(
        agent->store, agent->core.stream_no, event_id, 1, &id);
    if (status || id.sequence_number == 0)
        return status;
    out->is_in_log = true;
    return ops->log_read(agent->store, agent->core.stream_no,
                         id.sequence_number, 1, keep_log_row, &keeper);
}

struct record_search {
    struct ves_agent *agent;
    const struct ves_uuid *event_id;
    struct ves_found *out;
};

/* Newest first, so the first hit is the latest word. */
static enum ves_status match_record(void *ctx, const struct ves_record *row)
{
    struct record_search *search = ctx;
    struct ves_record *out = &search->out->quarantine;

    if (!row->has_event_id ||
        !ves_uuid_equal(&row->event_id, search->event_id) ||
        (row->closed_ms != 0 && (search->out->is_in_log)))
        return VES_OK;
    *out = *row;
    out->body = ves_bytes(NULL, 0);
    enum ves_status status =
        ves_arena_copy(&search->agent->arena, row->code, &out->code);
    if (!status)
        status =
            ves_arena_copy(&search->agent->arena, row->detail, &out->detail);
    if (status)
        return status;
    search->out->is_in_quarantine = true;
    return VES_AGAIN;
}

static enum ves_status find_in_quarantine(struct ves_agent *agent,
                                          const struct ves_uuid *event_id,
                                          struct ves_found *out)
{
    struct record_search search = {agent, event_id, out};

    enum ves_status status = agent->store->ops->record_list(
        agent->store, VES_RECORD_QUARANTINE, agent->core.stream_no, 0, true, 0,
        match_record, &search);
    return status == VES_AGAIN && out->is_in_quarantine ? VES_OK : status;
}

enum ves_status ves_agent_find(struct ves_agent *agent,
                               const struct ves_uuid *event_id,
                               struct ves_found *out, struct ves_error *error)
{
    char text[VES_UUID_TEXT + 1];

    memset(out, 0, sizeof(*out));
    enum ves_status status = agent->store->ops->outbox_get(
        agent->store, event_id, 1, &agent->arena, &out->outbox);
    out->is_in_outbox = !status && out->outbox.local_seq != 0;
    if (!status)
        status = find_in_log(agent, event_id, out);
    if (!status)
        status = find_in_quarantine(agent, event_id, out);
    if (status)
        return ves_agent_fail(agent, status, error, "looking for an event");
    if (out->is_in_outbox || out->is_in_log || out->is_in_quarantine)
        return VES_OK;
    ves_uuid_format(event_id, text);
    return ves_fail(error, VES_NOT_FOUND,
                    "event %s is not in this store: neither in the outbox nor "
                    "in the log up to its cursor nor in quarantine; `ves pull` "
                    "fetches what others wrote",
                    text);
}

enum ves_status ves_agent_author_key(struct ves_agent *agent,
                                     const struct ves_event *event,
                                     bool *has_key, struct ves_public_key *out)
{
    struct ves_key_row row;

    if (ves_uuid_equal(&event->agent, &agent->core.agent) &&
        event->agent_key_id == agent->core.key_id) {
        *has_key = agent->has_public_key;
        *out = agent->public_key;
        return VES_OK;
    }
    enum ves_status status = agent->store->ops->key_get(
        agent->store, &agent->core.stream.tenant, &event->agent,
        event->agent_key_id, &agent->arena, &row);
    *has_key = status == VES_OK;
    if (*has_key)
        *out = row.public_key;
    return status == VES_NOT_FOUND ? VES_OK : status;
}
