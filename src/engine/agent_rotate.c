/* agent_rotate.c -- the agent's own key gives way to its next one (ADR 0033).
 *
 * What decides is the log.  The statement that asks for it is signed once and
 * kept until the log answers; when the rotation comes back as an event of the
 * stream, this store goes on with the new key in the same transaction, whoever
 * asked for it and however often the asking was cut short.  All own events in
 * front of it are known by then, so that what has no number will never get one
 * under the old key, and is signed again (agent_rechain.c).
 */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/scratch.h"
#include "engine/agent_internal.h"

#define ROTATION "agent.rotation"
#define KEY_ID   "agent.key_id"
#define KEY      "agent.public_key"
#define REFUSED  "key_rotation_refused"

enum { BODY_MAX = VES_KEY_EVENT_MAX };

static enum ves_status get_key_id(struct ves_agent_core *core,
                                  struct ves_arena *arena, uint32_t *out)
{
    uint64_t number;

    enum ves_status status = ves_device_number_get(
        core, arena, KEY_ID, core->key_id, 0, UINT32_MAX, &number);
    *out = (uint32_t)number;
    return status;
}

/* ---- signing with the key that is current -------------------------------- */

enum ves_status ves_device_need_signer(struct ves_agent_core *core,
                                       struct ves_arena *arena)
{
    struct ves_public_key key;
    struct ves_bytes text;
    uint32_t key_id;
    VES_ASSERT(core->signer);

    enum ves_status status = get_key_id(core, arena, &key_id);
    if (status || key_id == core->key_id)
        return status;
    status = core->store->ops->meta_get(core->store, KEY, arena, &text);
    if (!status && ves_hex_decode(text, key.b, VES_KEY_SIZE))
        status = VES_CORRUPT;
    if (status)
        return status;
    if (memcmp(core->signer->public_key.b, key.b, VES_KEY_SIZE) != 0) {
        status = core->rekey ? core->rekey(core, &key) : VES_NOT_FOUND;
        if (status)
            return ves_device_say(core, status);
        VES_ASSERT(memcmp(core->signer->public_key.b, key.b, VES_KEY_SIZE) ==
                   0);
    }
    core->key_id = key_id;
    return VES_OK;
}

/* ---- the statement ------------------------------------------------------- */

struct rotate {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    struct ves_signer *next;
    const struct ves_hash *following;
    int64_t now_ms;
    struct ves_bytes body;
};

static enum ves_status cannot(struct ves_agent_core *core,
                              enum ves_key_fault fault)
{
    return ves_fail(&core->error, VES_REFUSED,
                    "%s: key %u of this store cannot be rotated: %s; nothing "
                    "was changed",
                    ves_key_fault_code(fault), (unsigned)core->key_id,
                    ves_key_fault_words(fault));
}

/* Says early, and without the sequencer, what it would say.  A log that does
 * not hold this key yet says nothing. */
static enum ves_status check_log(struct rotate *rotate)
{
    static const struct ves_public_key none;
    struct ves_agent_core *core = rotate->core;
    const struct ves_key_state *state;
    const struct ves_logged_key *key = NULL;
    struct ves_key_log log;
    struct ves_hash digest;

    if (memcmp(core->owner_key.b, none.b, VES_KEY_SIZE) == 0)
        return cannot(core, VES_KEY_FAULT_NO_OWNER);
    ves_key_log_open(&log, core->store, core->stream_no, &core->stream,
                     &core->owner_key, &core->sequencer_id, rotate->arena);
    enum ves_status status = ves_key_log_find(&log, &core->agent, &state);
    if (!status && state)
        key = ves_key_state_find(state, core->key_id);
    if (status || !key)
        return status;
    ves_key_next_hash(&rotate->next->public_key, &digest);
    if (key->revoked_at != 0)
        return cannot(core, VES_KEY_FAULT_REVOKED);
    if (!key->has_next)
        return cannot(core, VES_KEY_FAULT_UNCOMMITTED);
    return ves_hash_equal(&digest, &key->next)
               ? VES_OK
               : cannot(core, VES_KEY_FAULT_NOT_NEXT);
}

static enum ves_status write_body(const struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  const struct ves_key_event *event,
                                  struct ves_bytes *out)
{
    struct ves_scratch payload, body;

    ves_scratch_init(&payload, arena, 1024, BODY_MAX);
    ves_key_event_write(&payload.buf, event);
    enum ves_status status = ves_buf_status(&payload.buf);
    if (status)
        return status;
    ves_scratch_init(&body, arena, 1024, BODY_MAX);
    ves_buf_put_str(&body.buf, "{\"tenant_id\":\"");
    ves_buf_put_uuid(&body.buf, &core->stream.tenant);
    ves_buf_put_str(&body.buf, "\",\"store_id\":\"");
    ves_buf_put_uuid(&body.buf, &core->stream.store);
    ves_buf_put_str(&body.buf, "\",");
    ves_buf_put(&body.buf, payload.buf.ptr + 1, payload.buf.len - 1);
    *out = ves_buf_view(&body.buf);
    return ves_buf_status(&body.buf);
}

/* Signatures are deterministic: the same keys say the same bytes again. */
static enum ves_status write_statement(struct rotate *rotate)
{
    struct ves_agent_core *core = rotate->core;
    struct ves_key_event event = {.kind = VES_KEY_EVENT_ROTATED,
                                  .agent = core->agent,
                                  .key_id = core->key_id + 1,
                                  .previous_id = core->key_id,
                                  .public_key = rotate->next->public_key,
                                  .has_next = true,
                                  .next = *rotate->following};
    struct ves_sign_item item;

    ves_key_rotate_hash(&core->stream, &event, &item.hash);
    core->signer->sign(core->signer, &item, 1);
    event.previous_signature = item.sig;
    rotate->next->sign(rotate->next, &item, 1);
    event.signature = item.sig;
    return write_body(core, rotate->arena, &event, &rotate->body);
}

enum ves_status ves_device_rotation_again(struct ves_agent_core *core,
                                          struct ves_arena *arena,
                                          const struct ves_key_event *event)
{
    struct ves_bytes body;

    enum ves_status status = write_body(core, arena, event, &body);
    return status ? status
                  : core->store->ops->meta_put(core->store, ROTATION, body);
}

static enum ves_status run(struct rotate *rotate)
{
    struct ves_agent_core *core = rotate->core;
    struct ves_store *store = core->store;
    struct ves_device_state state;
    struct ves_bytes old;
    struct ves_buf detail;

    enum ves_status status = ves_device_need_signer(core, rotate->arena);
    if (!status)
        status = ves_device_state_get(core, rotate->arena, &state);
    if (status)
        return status;
    if (state.is_restoring || state.is_backup || state.is_copied)
        return ves_fail(&core->error, VES_AGAIN,
                        "this store was restored or copied, so its key may "
                        "have been rotated already; nothing was changed. Pull "
                        "until there is no more, then rotate");
    if (core->key_id == UINT32_MAX)
        return cannot(core, VES_KEY_FAULT_LIMIT);
    status = check_log(rotate);
    if (!status)
        status = write_statement(rotate);
    if (!status)
        status = store->ops->meta_get(store, ROTATION, rotate->arena, &old);
    if (!status && ves_bytes_equal(old, rotate->body))
        return VES_OK;
    if (status && status != VES_NOT_FOUND)
        return status;
    ves_buf_init(&detail, core->alloc, 256);
    ves_buf_putf(&detail, "{\"keyId\":%u}", (unsigned)core->key_id + 1);
    status = ves_buf_status(&detail);
    if (!status)
        status = store->ops->meta_put(store, ROTATION, rotate->body);
    if (!status)
        status = ves_device_trail(core, rotate->now_ms, "rotate",
                                  ves_buf_view(&detail));
    ves_buf_free(&detail);
    return status;
}

enum ves_status ves_core_rotate(struct ves_agent_core *core,
                                struct ves_signer *next,
                                const struct ves_hash *following,
                                int64_t now_ms)
{
    struct ves_arena arena;
    struct rotate rotate = {.core = core,
                            .arena = &arena,
                            .next = next,
                            .following = following,
                            .now_ms = now_ms};

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status)
        status = ves_device_end(core, run(&rotate));
    ves_arena_free(&arena);
    return status;
}

enum ves_status ves_core_rotation(struct ves_agent_core *core,
                                  struct ves_arena *arena,
                                  struct ves_bytes *body)
{
    *body = ves_bytes(NULL, 0);
    enum ves_status status =
        core->store->ops->meta_get(core->store, ROTATION, arena, body);
    return status == VES_NOT_FOUND ? VES_OK : status;
}

enum ves_status ves_core_rotation_refused(struct ves_agent_core *core,
                                          const char *words, int64_t now_ms)
{
    struct ves_device_alert alert = {.code = REFUSED, .detail = words};
    struct ves_arena arena;

    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    enum ves_status status = ves_device_begin(core);
    if (!status) {
        status = ves_core_rotation(core, &arena, &alert.body);
        if (!status && alert.body.len > 0)
            status = core->store->ops->meta_put(core->store, ROTATION,
                                                ves_bytes(NULL, 0));
        if (!status && alert.body.len > 0)
            status = ves_device_alert(core, now_ms, &alert);
        status = ves_device_end(core, status);
    }
    ves_arena_free(&arena);
    return status;
}

/* ---- the log has it ------------------------------------------------------ */

/* The key that took the place of the one with that id; NULL: none did. */
static const struct ves_logged_key *successor(const struct ves_key_state *state,
                                              uint32_t key_id)
{
    const struct ves_logged_key *key = ves_key_state_find(state, key_id);

    if (!key || key->revoked_at == 0 || key->ended_by != VES_KEY_BY_ROTATION)
        return NULL;
    for (size_t i = 0; i < state->count; i++) {
        if (state->keys[i].author == VES_KEY_BY_ROTATION &&
            state->keys[i].entered_at == key->revoked_at)
            return &state->keys[i];
    }
    return NULL;
}

static enum ves_status put_key(struct ves_agent_core *core,
                               struct ves_arena *arena,
                               const struct ves_logged_key *key)
{
    struct ves_store *store = core->store;
    struct ves_device_chain chain;
    char text[2 * VES_KEY_SIZE];

    ves_hex_encode(key->public_key.b, VES_KEY_SIZE, text);
    enum ves_status status = ves_device_number_put(core, KEY_ID, key->key_id);
    if (!status)
        status =
            store->ops->meta_put(store, KEY, ves_bytes(text, sizeof(text)));
    if (!status)
        status = store->ops->meta_put(store, ROTATION, ves_bytes(NULL, 0));
    if (!status)
        status = ves_device_chain_get(core, arena, &chain);
    chain.key_id = key->key_id;
    return status ? status : ves_device_chain_put(core, &chain);
}

enum ves_status ves_device_fence(struct ves_agent_core *core,
                                 struct ves_arena *arena)
{
    struct ves_device_lease lease;

    enum ves_status status = ves_device_lease_get(core, arena, &lease);
    if (!status)
        status = ves_device_reset_claims(core, arena, &lease);
    if (status)
        return status;
    lease.is_held = 0;
    lease.token++;
    lease.sent = 0;
    lease.is_counted = 1;
    return ves_device_lease_put(core, &lease);
}

/* The log has the rotation that the statement asks for, of the key that signs
 * already: an epoch had given it up (agent_given_up.c). */
static enum ves_status end_statement(struct ves_agent_core *core,
                                     struct ves_arena *arena,
                                     const struct ves_key_state *state,
                                     uint32_t key_id)
{
    const struct ves_logged_key *key = ves_key_state_find(state, key_id);
    const struct ves_json *root;
    struct ves_bytes body;
    uint64_t asked;

    if (!key || key->author != VES_KEY_BY_ROTATION)
        return VES_OK;
    enum ves_status status = ves_core_rotation(core, arena, &body);
    if (status || body.len == 0 ||
        ves_json_read(arena, body, NULL, &root, NULL) ||
        !ves_json_get_u64(root, "key_id", &asked) || asked != key_id)
        return status;
    return core->store->ops->meta_put(core->store, ROTATION,
                                      ves_bytes(NULL, 0));
}

enum ves_status ves_device_own_rotated(struct ves_agent_core *core,
                                       struct ves_arena *arena,
                                       const struct ves_key_state *state,
                                       struct ves_device_state *device,
                                       int64_t now_ms)
{
    const struct ves_logged_key *key = NULL, *next;
    struct ves_buf detail;
    uint32_t key_id;

    enum ves_status status = get_key_id(core, arena, &key_id);
    for (next = status ? NULL : successor(state, key_id); next;
         next = successor(state, next->key_id))
        key = next;
    if (!key)
        return status ? status : end_statement(core, arena, state, key_id);
    status = put_key(core, arena, key);
    if (!status)
        status = ves_device_fence(core, arena);
    if (!status)
        status = ves_device_close(core, now_ms, REFUSED);
    device->fork_from = 1;
    ves_buf_init(&detail, core->alloc, 256);
    ves_buf_putf(&detail, "{\"keyId\":%u,\"sequenceNumber\":%" PRIu64 "}",
                 (unsigned)key->key_id, key->entered_at);
    if (!status)
        status = ves_buf_status(&detail);
    if (!status)
        status = ves_device_trail(core, now_ms, "key_rotated",
                                  ves_buf_view(&detail));
    ves_buf_free(&detail);
    return status;
}
