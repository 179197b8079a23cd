/* agent_load.c -- the identity of a store, and what opening it checks. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/types.h"
#include "engine/agent_internal.h"

enum { STREAM_TEXT = 2 * VES_UUID_TEXT + 1 };

static enum ves_status put_text(struct ves_agent_core *core, const char *name,
                                const char *text)
{
    return core->store->ops->meta_put(core->store, name, ves_bytes_str(text));
}

static enum ves_status put_uuid(struct ves_agent_core *core, const char *name,
                                const struct ves_uuid *uuid)
{
    char text[VES_UUID_TEXT + 1];
    ves_uuid_format(uuid, text);
    return put_text(core, name, text);
}

static enum ves_status put_stream(struct ves_agent_core *core,
                                  const struct ves_stream *stream)
{
    char text[STREAM_TEXT + 1];
    ves_uuid_format(&stream->tenant, text);
    text[VES_UUID_TEXT] = '/';
    ves_uuid_format(&stream->store, text + VES_UUID_TEXT + 1);
    return put_text(core, "stream", text);
}

static enum ves_status put_owner(struct ves_agent_core *core,
                                 const struct ves_public_key *key)
{
    char text[2 * VES_KEY_SIZE + 1];
    ves_hex_encode(key->b, VES_KEY_SIZE, text);
    text[2 * VES_KEY_SIZE] = '\0';
    return put_text(core, "owner.key", text);
}

static enum ves_status write_identity(struct ves_agent_core *core,
                                      const struct ves_core_identity *id)
{
    struct ves_stream_row row;
    enum ves_status status;

    status = core->store->ops->stream_get(core->store, &id->stream, true, &row);
    if (!status)
        status = put_stream(core, &id->stream);
    if (!status)
        status = put_uuid(core, "agent", &id->agent);
    if (!status)
        status = ves_device_number_put(core, "agent.key_id", id->key_id);
    if (!status)
        status = put_uuid(core, "sequencer.id", &id->sequencer_id);
    if (!status)
        status = ves_device_pins_put(core, id->sequencer_keys,
                                     id->sequencer_key_count);
    if (!status)
        status = put_owner(core, &id->owner_key);
    if (!status)
        status = ves_device_number_put(core, "fold.version", VES_FOLD_VERSION);
    if (!status)
        status =
            ves_device_number_put(core, "judge.version", VES_JUDGE_VERSION);
    return status;
}

static enum ves_status get_text(struct ves_agent_core *core,
                                struct ves_arena *arena, const char *name,
                                struct ves_bytes *out)
{
    enum ves_status status =
        core->store->ops->meta_get(core->store, name, arena, out);
    if (status == VES_NOT_FOUND)
        return ves_fail(&core->error, VES_NOT_FOUND,
                        "this store has no identity yet (\"%s\" is missing); "
                        "set it up with an invitation first",
                        name);
    return status;
}

static enum ves_status bad_value(struct ves_agent_core *core, const char *name)
{
    return ves_fail(&core->error, VES_CORRUPT,
                    "the store's value \"%s\" is not readable", name);
}

static enum ves_status get_uuid(struct ves_agent_core *core,
                                struct ves_arena *arena, const char *name,
                                struct ves_uuid *out)
{
    struct ves_bytes text;
    enum ves_status status = get_text(core, arena, name, &text);
    if (!status && ves_uuid_parse(text, out))
        return bad_value(core, name);
    return status;
}

static enum ves_status get_stream(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  struct ves_stream *out)
{
    struct ves_bytes text;
    enum ves_status status = get_text(core, arena, "stream", &text);
    if (status)
        return status;
    if (text.len != STREAM_TEXT ||
        ves_uuid_parse(ves_bytes(text.ptr, VES_UUID_TEXT), &out->tenant) ||
        ves_uuid_parse(ves_bytes(text.ptr + VES_UUID_TEXT + 1, VES_UUID_TEXT),
                       &out->store))
        return bad_value(core, "stream");
    return VES_OK;
}

static enum ves_status read_identity(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     struct ves_core_identity *id)
{
    struct ves_bytes text;
    uint64_t key_id;
    enum ves_status status;

    memset(id, 0, sizeof(*id));
    status = get_stream(core, arena, &id->stream);
    if (!status)
        status = get_uuid(core, arena, "agent", &id->agent);
    if (!status)
        status = get_uuid(core, arena, "sequencer.id", &id->sequencer_id);
    if (!status)
        status = get_text(core, arena, "agent.key_id", &text);
    if (status)
        return status;
    if (ves_decimal_parse(text, &key_id) || key_id > UINT32_MAX)
        return bad_value(core, "agent.key_id");
    id->key_id = (uint32_t)key_id;
    status = get_text(core, arena, "owner.key", &text);
    if (!status && ves_hex_decode(text, id->owner_key.b, VES_KEY_SIZE))
        return bad_value(core, "owner.key");
    return status;
}

static bool is_same(const struct ves_core_identity *a,
                    const struct ves_core_identity *b)
{
    return ves_stream_equal(&a->stream, &b->stream) &&
           ves_uuid_equal(&a->agent, &b->agent) && a->key_id == b->key_id &&
           ves_uuid_equal(&a->sequencer_id, &b->sequencer_id) &&
           memcmp(a->owner_key.b, b->owner_key.b, VES_KEY_SIZE) == 0;
}

static enum ves_status create(struct ves_agent_core *core,
                              struct ves_arena *arena,
                              const struct ves_core_identity *identity)
{
    struct ves_core_identity old;
    struct ves_bytes text;

    enum ves_status status =
        core->store->ops->meta_get(core->store, "stream", arena, &text);
    if (status == VES_NOT_FOUND)
        return write_identity(core, identity);
    if (!status)
        status = read_identity(core, arena, &old);
    if (!status && !is_same(&old, identity))
        return ves_fail(&core->error, VES_CONFLICT,
                        "this store already belongs to another stream, agent "
                        "or sequencer; nothing was changed. Use a new file");
    return status;
}

enum ves_status ves_core_create(struct ves_agent_core *core,
                                const struct ves_core_identity *identity)
{
    struct ves_arena arena;
    VES_ASSERT(identity->sequencer_key_count <= VES_SEQUENCER_KEYS_MAX);

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, create(core, &arena, identity));
    ves_arena_free(&arena);
    return status ? status : ves_core_load(core);
}

/* Are the stored rule versions this program's?  Newer ones are refused. */
static enum ves_status check_versions(struct ves_agent_core *core,
                                      struct ves_arena *arena, bool *is_old)
{
    uint64_t fold, judge;

    enum ves_status status = ves_device_number_get(core, arena, "fold.version",
                                                   0, 0, UINT32_MAX, &fold);
    if (!status)
        status = ves_device_number_get(core, arena, "judge.version", 0, 0,
                                       UINT32_MAX, &judge);
    if (status)
        return status;
    if (fold > (uint64_t)VES_FOLD_VERSION ||
        judge > (uint64_t)VES_JUDGE_VERSION)
        return ves_fail(&core->error, VES_UNSUPPORTED,
                        "this store was written by a newer program (fold %u, "
                        "judge %u); nothing was changed. Update this program",
                        (unsigned)fold, (unsigned)judge);
    *is_old = fold != (uint64_t)VES_FOLD_VERSION ||
              judge != (uint64_t)VES_JUDGE_VERSION;
    return VES_OK;
}

static enum ves_status upgrade(struct ves_agent_core *core,
                               struct ves_arena *arena)
{
    bool is_old = false;
    bool is_pruned = false;

    /* Another process may have done it while this one waited. */
    enum ves_status status = check_versions(core, arena, &is_old);
    if (status || !is_old)
        return status;
    status = ves_device_refold(core, &is_pruned);
    if (status || !is_pruned)
        return status;
    /* A till that cannot fold again must still sell: it goes on with the
     * states it has, and status keeps saying which version they are. */
    const struct ves_device_alert alert = {
        .code = "refold_impossible",
        .detail = "the log was pruned, so its states stay those of an older "
                  "program; set up a new store to get current ones"};
    return ves_device_alert(core, 0, &alert);
}

/* A file that ves_store_sqlite_backup made: from now on a store that has been
 * restored.  Where this cannot be kept, somebody who may write will do it. */
static enum ves_status note_backup(struct ves_agent_core *core,
                                   struct ves_arena *arena)
{
    struct ves_store *store = core->store;
    struct ves_device_state state;
    struct ves_bytes mark;

    enum ves_status status =
        store->ops->meta_get(store, VES_STORE_BACKUP, arena, &mark);
    if (status == VES_NOT_FOUND || (!status && mark.len == 0))
        return VES_OK;
    if (status)
        return status;
    status = ves_device_begin(core);
    if (status)
        return status == VES_INVALID || status == VES_BUSY ? VES_OK : status;
    status = ves_device_state_get(core, arena, &state);
    state.is_backup = 1;
    if (!status)
        status = ves_device_state_put(core, &state);
    if (!status)
        status =
            store->ops->meta_put(store, VES_STORE_BACKUP, ves_bytes(NULL, 0));
    return ves_device_end(core, status);
}

static enum ves_status load(struct ves_agent_core *core,
                            struct ves_arena *arena)
{
    struct ves_core_identity id;
    struct ves_stream_row row;
    bool is_old = false;

    enum ves_status status = read_identity(core, arena, &id);
    if (status)
        return status;
    core->stream = id.stream;
    core->agent = id.agent;
    core->key_id = id.key_id;
    core->sequencer_id = id.sequencer_id;
    core->owner_key = id.owner_key;
    status = ves_device_pins_get(core, arena);
    if (!status)
        status = core->store->ops->stream_get(core->store, &core->stream, false,
                                              &row);
    if (status == VES_NOT_FOUND)
        return ves_fail(&core->error, VES_CORRUPT,
                        "the store does not hold its own stream");
    if (status)
        return status;
    core->stream_no = row.stream_no;

    status = note_backup(core, arena);
    if (!status)
        status = check_versions(core, arena, &is_old);
    if (status || !is_old)
        return status;
    status = ves_device_begin(core);
    /* Opened for reading only: the states are those of an older program, and
     * status says of which. */
    if (status == VES_INVALID)
        return VES_OK;
    return status ? status : ves_device_end(core, upgrade(core, arena));
}

enum ves_status ves_core_load(struct ves_agent_core *core)
{
    struct ves_arena arena;

    core->error.status = VES_OK;
    core->error.text[0] = '\0';
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_say(core, load(core, &arena));
    ves_arena_free(&arena);
    return status;
}
