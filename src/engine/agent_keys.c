/* agent_keys.c -- agents' keys from a signed directory (protocol.md A.10, H).
 *
 * First sight pins.  A key may gain an end later and nothing else; a directory
 * older than what is known (replies can be late) changes nothing.
 */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "engine/agent_internal.h"

/* One call of ves_core_keys. */
struct keys {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    int64_t now_ms;
    struct ves_agent_key *list;
    size_t count;
    bool has_numbers; /* the directory is of this stream, with sequences */
    size_t added, ended;
    bool
        shows_end; /* of a key that this store thought could sign, or had not */
    struct ves_bytes reply;
    bool has_log; /* opened when the directory has to be held against it */
    struct ves_key_log log;
    enum ves_status outcome;
};

static enum ves_status alert(struct ves_agent_core *core, int64_t now_ms,
                             const char *code, const char *detail,
                             struct ves_bytes body)
{
    const struct ves_device_alert what = {
        .code = code, .detail = detail, .body = body};
    return ves_device_alert(core, now_ms, &what);
}

/* ---- the directory as a whole -------------------------------------------- */

static bool names(const struct ves_json *root, const char *member,
                  const struct ves_uuid *uuid, bool is_required)
{
    const struct ves_json *node = ves_json_member(root, member);
    struct ves_uuid named;

    if (ves_json_is_absent(node))
        return !is_required;
    return node->type == VES_JSON_STRING &&
           ves_uuid_parse(node->string, &named) == VES_OK &&
           ves_uuid_equal(&named, uuid);
}

static enum ves_status check_signature(struct keys *keys,
                                       const struct ves_json *root)
{
    struct ves_agent_core *core = keys->core;
    struct ves_verify_item items[VES_SEQUENCER_KEYS_MAX];
    uint64_t version = 0;
    struct ves_bytes hex;
    struct ves_sig signature;
    struct ves_hash hash;

    if (!ves_json_get_string(root, "directorySignature", &hex) ||
        ves_hex_decode(hex, signature.b, VES_SIG_SIZE))
        return ves_fail(&core->error, VES_MALFORMED,
                        "the key directory is not signed; it was not taken");
    (void)ves_json_get_u64(root, "sequencerKeyVersion", &version);
    if (version > UINT32_MAX)
        version = UINT32_MAX;
    enum ves_status status =
        ves_keydir_hash(keys->arena, core->alloc, root, &hash);
    if (status)
        return status;
    size_t count = ves_device_key_count(core, (uint32_t)version);
    if (count == 0)
        return ves_fail(&core->error, VES_AGAIN,
                        "the key directory is signed with sequencer key "
                        "version %llu, which this store has not pinned; fetch "
                        "the sequencer keys first",
                        (unsigned long long)version);
    ves_device_key_items(core, (uint32_t)version, &hash, &signature, items);
    core->verifier->verify(core->verifier, items, count);
    if (!ves_device_is_valid(items, count))
        return ves_fail(&core->error, VES_REFUSED,
                        "the signature of the key directory does not verify; "
                        "it was not taken");
    return VES_OK;
}

static enum ves_status read_directory(struct keys *keys, struct ves_bytes reply)
{
    struct ves_agent_core *core = keys->core;
    const struct ves_json *root;

    enum ves_status status =
        ves_json_read(keys->arena, reply, NULL, &root, NULL);
    if (status == VES_MALFORMED)
        return ves_fail(&core->error, VES_MALFORMED,
                        "the key directory is not valid JSON; it was not "
                        "taken");
    if (!status)
        status = check_signature(keys, root);
    if (status)
        return status;
    if (!names(root, "tenantId", &core->stream.tenant, true) ||
        !names(root, "storeId", &core->stream.store, false))
        return ves_fail(&core->error, VES_REFUSED,
                        "the key directory is of another stream; it was not "
                        "taken");
    keys->has_numbers = !ves_json_is_absent(ves_json_member(root, "storeId"));
    status = ves_keydir_read(keys->arena, root, &keys->list, &keys->count);
    if (status == VES_MALFORMED)
        return ves_fail(&core->error, VES_MALFORMED,
                        "the key directory has an entry that is not "
                        "readable; it was not taken");
    return status;
}

/* ---- one entry ----------------------------------------------------------- */

static enum ves_status refuse_change(struct keys *keys,
                                     const struct ves_agent_key *key)
{
    char agent[VES_UUID_TEXT + 1];

    ves_uuid_format(&key->agent, agent);
    keys->outcome =
        ves_fail(&keys->core->error, VES_REFUSED,
                 "the key directory shows another key %u of agent %s, or "
                 "other numbers for it, than this store has pinned; nothing "
                 "of it was taken",
                 key->key_id, agent);
    return VES_OK;
}

static enum ves_status add_key(struct keys *keys,
                               const struct ves_agent_key *key)
{
    struct ves_agent_core *core = keys->core;
    struct ves_store *store = core->store;
    const struct ves_key_row row = {.tenant = core->stream.tenant,
                                    .agent = key->agent,
                                    .key_id = key->key_id,
                                    .public_key = key->public_key,
                                    .valid_from_ms = key->valid_from_ms,
                                    .valid_to_ms = key->valid_to_ms,
                                    .revoked_at_ms = key->revoked_at_ms,
                                    .algorithm = ves_bytes_str(key->algorithm),
                                    .registrar = ves_bytes_str(key->registrar)};
    const struct ves_key_span span = {
        .is_found = true,
        .valid_from_sequence = key->valid_from_sequence,
        .revoked_at_sequence = key->revoked_at_sequence};

    keys->added++;
    keys->shows_end = keys->shows_end || key->revoked_at_sequence != 0;
    enum ves_status status = store->ops->key_put(store, &row);
    if (status)
        return status;
    return store->ops->key_span_put(store, core->stream_no, &key->agent,
                                    key->key_id, &span);
}

/* NULL: the log, as far as it was pulled, does not name the key. */
static enum ves_status find_logged(struct keys *keys,
                                   const struct ves_agent_key *key,
                                   const struct ves_logged_key **out)
{
    struct ves_agent_core *core = keys->core;
    const struct ves_key_state *state;

    if (!keys->has_log)
        ves_key_log_open(&keys->log, core->store, core->stream_no,
                         &core->stream, &core->owner_key, &core->sequencer_id,
                         keys->arena);
    keys->has_log = true;
    enum ves_status status = ves_key_log_find(&keys->log, &key->agent, &state);
    *out = !status && state ? ves_key_state_find(state, key->key_id) : NULL;
    return status;
}

/* A key known before, with another end than is known.  Of a key that the log
 * names the log says where it ends: a directory cannot end it before that, and
 * may not show it valid behind it. */
static enum ves_status take_end(struct keys *keys,
                                const struct ves_agent_key *key,
                                struct ves_key_row *row,
                                struct ves_key_span *span)
{
    struct ves_agent_core *core = keys->core;
    struct ves_store *store = core->store;
    const struct ves_logged_key *logged;

    enum ves_status status = find_logged(keys, key, &logged);
    if (status)
        return status;
    if (logged)
        return logged->revoked_at != 0 &&
                       key->revoked_at_sequence > logged->revoked_at
                   ? refuse_change(keys, key)
                   : VES_OK;
    if (span->revoked_at_sequence != 0)
        return refuse_change(keys, key);
    keys->ended++;
    keys->shows_end = true;
    span->revoked_at_sequence = key->revoked_at_sequence;
    row->valid_to_ms = key->valid_to_ms;
    row->revoked_at_ms = key->revoked_at_ms;
    status = store->ops->key_put(store, row);
    if (status)
        return status;
    return store->ops->key_span_put(store, core->stream_no, &key->agent,
                                    key->key_id, span);
}

/* A key known before: it may only have gained an end. */
static enum ves_status compare_key(struct keys *keys,
                                   const struct ves_agent_key *key,
                                   struct ves_key_row *row)
{
    struct ves_agent_core *core = keys->core;
    struct ves_store *store = core->store;
    struct ves_key_span span;

    enum ves_status status = store->ops->key_span_get(
        store, core->stream_no, &key->agent, key->key_id, &span);
    if (status == VES_NOT_FOUND)
        span.is_found = false;
    else if (status)
        return status;
    if (memcmp(row->public_key.b, key->public_key.b, VES_KEY_SIZE) != 0)
        return refuse_change(keys, key);
    if (!span.is_found)
        return add_key(keys, key);
    if (!keys->has_numbers)
        return VES_OK;
    if (span.valid_from_sequence != key->valid_from_sequence)
        return refuse_change(keys, key);
    return key->revoked_at_sequence == 0 ||
                   key->revoked_at_sequence == span.revoked_at_sequence
               ? VES_OK
               : take_end(keys, key, row, &span);
}

/* A directory that gives our own agent another key makes us a stranger to
 * everybody else. */
static bool is_own_key_replaced(const struct ves_agent_core *core,
                                const struct ves_agent_key *key)
{
    return core->signer && ves_uuid_equal(&key->agent, &core->agent) &&
           key->key_id == core->key_id &&
           memcmp(key->public_key.b, core->signer->public_key.b,
                  VES_KEY_SIZE) != 0;
}

static enum ves_status take_key(struct keys *keys,
                                const struct ves_agent_key *key)
{
    struct ves_store *store = keys->core->store;
    struct ves_key_row row;

    if (is_own_key_replaced(keys->core, key))
        return refuse_change(keys, key);
    enum ves_status status =
        store->ops->key_get(store, &keys->core->stream.tenant, &key->agent,
                            key->key_id, keys->arena, &row);
    if (status == VES_NOT_FOUND)
        return add_key(keys, key);
    return status ? status : compare_key(keys, key, &row);
}

/* ---- the whole ----------------------------------------------------------- */

static enum ves_status store_trail(struct keys *keys)
{
    struct ves_buf buf;

    ves_buf_init(&buf, keys->core->alloc, 4096);
    ves_buf_putf(&buf,
                 "{\"keys\":%zu,\"added\":%zu,\"ended\":%zu,"
                 "\"outcome\":\"%s\"}",
                 keys->count, keys->added, keys->ended,
                 ves_status_name(keys->outcome));
    return ves_device_trail_end(keys->core, keys->now_ms, "keys", &buf);
}

/* A sequencer that came back from a backup may have lost it. */
static enum ves_status keep_directory(struct keys *keys)
{
    struct ves_store *store = keys->core->store;

    if (!keys->shows_end || !keys->has_numbers ||
        keys->reply.len > VES_KEY_DIRECTORY_MAX)
        return VES_OK;
    return store->ops->meta_put(store, VES_KEY_DIRECTORY, keys->reply);
}

static enum ves_status take_keys(struct keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        enum ves_status status = take_key(keys, &keys->list[i]);
        if (status)
            return status;
        /* Nothing of a directory that contradicts the pins is kept; ending
         * the transaction that way undoes what came before. */
        if (keys->outcome)
            return keys->outcome;
    }
    enum ves_status status = keep_directory(keys);
    if (!status)
        status =
            ves_device_close(keys->core, keys->now_ms, "directory_invalid");
    if (!status)
        status = ves_device_close(keys->core, keys->now_ms, "key_changed");
    return status ? status : store_trail(keys);
}

/* Keeps the evidence in a transaction of its own. */
static enum ves_status keep_refusal(struct keys *keys, struct ves_bytes reply,
                                    const char *code)
{
    struct ves_agent_core *core = keys->core;
    struct ves_error error = core->error;

    keys->outcome = VES_REFUSED;
    keys->added = 0;
    keys->ended = 0;
    enum ves_status status = ves_device_begin(core);
    if (status)
        return status;
    status = alert(core, keys->now_ms, code, error.text, reply);
    if (!status)
        status = store_trail(keys);
    status = ves_device_end(core, status);
    if (status)
        return status;
    core->error = error;
    return VES_REFUSED;
}

static enum ves_status keys_all(struct keys *keys, struct ves_bytes reply)
{
    struct ves_agent_core *core = keys->core;

    core->error.status = VES_OK;
    enum ves_status status = read_directory(keys, reply);
    if (status == VES_REFUSED)
        return keep_refusal(keys, reply, "directory_invalid");
    if (status)
        return ves_device_say(core, status);
    status = ves_device_begin(core);
    if (status)
        return status;
    status = ves_device_end(core, take_keys(keys));
    if (status == VES_REFUSED)
        return keep_refusal(keys, reply, "key_changed");
    return status;
}

enum ves_status ves_core_keys(struct ves_agent_core *core,
                              struct ves_bytes reply, int64_t now_ms)
{
    struct ves_arena arena;
    struct keys keys = {
        .core = core, .arena = &arena, .now_ms = now_ms, .reply = reply};

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = keys_all(&keys, reply);
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_trust_key(struct ves_agent_core *core,
                                   const struct ves_uuid *agent,
                                   uint32_t key_id,
                                   const struct ves_public_key *key,
                                   int64_t now_ms)
{
    struct ves_arena arena;
    struct ves_agent_key told = {.agent = *agent,
                                 .key_id = key_id,
                                 .public_key = *key,
                                 .valid_from_sequence = 1,
                                 .algorithm = "ed25519",
                                 .registrar = "operator"};
    struct keys keys = {.core = core,
                        .arena = &arena,
                        .now_ms = now_ms,
                        .list = &told,
                        .count = 1};

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, take_keys(&keys));
    ves_arena_free(&arena);
    return status;
}
