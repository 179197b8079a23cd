/* key_state.c -- what key events make known, one after the other. */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "core/key_event.h"
#include "core/receipt.h"
#include "crypto/crypto.h"

/* ---- names --------------------------------------------------------------- */

const char *ves_key_author_name(enum ves_key_author author)
{
    static const char *const names[] = {
        [VES_KEY_BY_NOBODY] = "directory",
        [VES_KEY_BY_SEQUENCER] = "sequencer",
        [VES_KEY_BY_OWNER] = "owner",
        [VES_KEY_BY_ROTATION] = "rotation",
    };
    return names[author];
}

const char *ves_key_fault_code(enum ves_key_fault fault)
{
    static const char *const codes[] = {
#define X(name, code) [VES_KEY_FAULT_##name] = (code),
        VES_KEY_FAULT_MAP(X)
#undef X
    };
    return codes[fault];
}

const char *ves_key_fault_words(enum ves_key_fault fault)
{
    switch (fault) {
    case VES_KEY_FAULT_NONE:
        break;
    case VES_KEY_FAULT_NO_OWNER:
        return "it claims the word of the stream's owner, and this stream has "
               "none";
    case VES_KEY_FAULT_OWNER:
        return "the signature of the stream's owner does not verify";
    case VES_KEY_FAULT_STRICT:
        return "the owner of this stream accepts only keys that he signed for";
    case VES_KEY_FAULT_EXISTS:
        return "the agent has a key with this number already, which stays";
    case VES_KEY_FAULT_UNKNOWN:
        return "the log knows no such key of this agent";
    case VES_KEY_FAULT_REVOKED:
        return "the key is revoked already";
    case VES_KEY_FAULT_KEY:
        return "it is not an Ed25519 public key that can be used";
    case VES_KEY_FAULT_SIGNATURE:
        return "a signature in it is not that of the key it names";
    case VES_KEY_FAULT_UNCOMMITTED:
        return "the key before named no next one, so it cannot be rotated; "
               "the owner has to register another";
    case VES_KEY_FAULT_NOT_NEXT:
        return "it is not the next key that the one before committed to";
    case VES_KEY_FAULT_SEQUENCE:
        return "the number it claims does not fit the place where it stands";
    case VES_KEY_FAULT_NUMBER:
        return "the owner has said something newer already";
    case VES_KEY_FAULT_LIMIT:
        return "the agent has too many keys";
    }
    return "";
}

/* ---- signatures ---------------------------------------------------------- */

static bool is_signed(const struct ves_public_key *key,
                      const struct ves_hash *hash, const struct ves_sig *sig)
{
    return ves_ed25519_verify(key, ves_bytes(hash->b, VES_HASH_SIZE), sig);
}

static bool is_invited(const struct ves_key_world *world,
                       const struct ves_key_event *event)
{
    const struct ves_key_statement *s = &event->statement;
    struct ves_invitation invitation = {.stream = world->stream,
                                        .invitation_id = s->invitation_id,
                                        .public_key = s->invitation_key,
                                        .rights = s->rights,
                                        .expires_ms = s->expires_ms};
    struct ves_hash hash;

    /* A redeem of the versions that cover no next key says nothing of one. */
    if (event->has_next && !s->has_nonce)
        return false;
    ves_invitation_hash(&invitation, &hash);
    if (!is_signed(&world->owner, &hash, &s->owner_signature))
        return false;
    ves_redeem_hash(&world->stream, &s->invitation_id, &event->agent,
                    event->key_id, &event->public_key,
                    s->has_nonce ? s->nonce : NULL,
                    event->has_next ? &event->next : NULL, &hash);
    return is_signed(&s->invitation_key, &hash, &s->invitation_signature) &&
           is_signed(&event->public_key, &hash, &s->agent_signature);
}

static enum ves_key_fault check_owner(const struct ves_key_world *world,
                                      const struct ves_key_event *event)
{
    const struct ves_key_statement *s = &event->statement;
    struct ves_hash hash;

    if (!world->has_owner)
        return VES_KEY_FAULT_NO_OWNER;
    if (s->has_invitation)
        return is_invited(world, event) ? VES_KEY_FAULT_NONE
                                        : VES_KEY_FAULT_OWNER;
    if (event->kind == VES_KEY_EVENT_REVOKED)
        ves_key_revoke_hash(&world->stream, event, &hash);
    else
        ves_key_register_hash(&world->stream, event, &hash);
    return is_signed(&world->owner, &hash, &s->owner_signature)
               ? VES_KEY_FAULT_NONE
               : VES_KEY_FAULT_OWNER;
}

/* ---- the state ----------------------------------------------------------- */

static struct ves_logged_key *find(const struct ves_key_state *state,
                                   uint32_t key_id)
{
    for (size_t i = 0; i < state->count; i++) {
        if (state->keys[i].key_id == key_id)
            return &state->keys[i];
    }
    return NULL;
}

const struct ves_logged_key *
ves_key_state_find(const struct ves_key_state *state, uint32_t key_id)
{
    return find(state, key_id);
}

/* The list moves: what points into the old one keeps what it saw. */
static enum ves_status add(struct ves_arena *arena, struct ves_key_state *state,
                           const struct ves_logged_key *key)
{
    struct ves_logged_key *keys =
        ves_arena_alloc(arena, (state->count + 1) * sizeof(*keys));

    if (!keys)
        return VES_NOMEM;
    if (state->count > 0)
        memcpy(keys, state->keys, state->count * sizeof(*keys));
    keys[state->count] = *key;
    state->keys = keys;
    state->count++;
    return VES_OK;
}

static enum ves_key_fault check_new(const struct ves_key_event *event,
                                    const struct ves_key_state *state)
{
    if (find(state, event->key_id))
        return VES_KEY_FAULT_EXISTS;
    if (state->count >= VES_KEYS_LOGGED_MAX)
        return VES_KEY_FAULT_LIMIT;
    return ves_ed25519_key_is_valid(&event->public_key) ? VES_KEY_FAULT_NONE
                                                        : VES_KEY_FAULT_KEY;
}

static enum ves_key_fault check_registered(const struct ves_key_world *world,
                                           const struct ves_key_event *event,
                                           uint64_t sequence,
                                           const struct ves_key_state *state)
{
    enum ves_key_fault fault = check_new(event, state);

    if (fault)
        return fault;
    if (event->at_sequence > sequence)
        return VES_KEY_FAULT_SEQUENCE;
    if (event->has_statement)
        return check_owner(world, event);
    return world->policy.is_strict ? VES_KEY_FAULT_STRICT : VES_KEY_FAULT_NONE;
}

static enum ves_key_fault check_rotated(const struct ves_key_world *world,
                                        const struct ves_key_event *event,
                                        const struct ves_key_state *state)
{
    const struct ves_logged_key *previous = find(state, event->previous_id);
    struct ves_hash hash;

    if (!previous)
        return VES_KEY_FAULT_UNKNOWN;
    if (previous->revoked_at != 0)
        return VES_KEY_FAULT_REVOKED;
    if (world->policy.is_strict && previous->author == VES_KEY_BY_SEQUENCER)
        return VES_KEY_FAULT_STRICT;
    if (!previous->has_next)
        return VES_KEY_FAULT_UNCOMMITTED;
    enum ves_key_fault fault = check_new(event, state);
    if (fault)
        return fault;
    ves_key_next_hash(&event->public_key, &hash);
    if (!ves_hash_equal(&hash, &previous->next))
        return VES_KEY_FAULT_NOT_NEXT;
    ves_key_rotate_hash(&world->stream, event, &hash);
    return is_signed(&event->public_key, &hash, &event->signature) &&
                   is_signed(&previous->public_key, &hash,
                             &event->previous_signature)
               ? VES_KEY_FAULT_NONE
               : VES_KEY_FAULT_SIGNATURE;
}

static enum ves_key_fault check_revoked(const struct ves_key_world *world,
                                        const struct ves_key_event *event,
                                        uint64_t sequence,
                                        const struct ves_key_state *state)
{
    const struct ves_logged_key *key = find(state, event->key_id);

    if (!key)
        return VES_KEY_FAULT_UNKNOWN;
    if (key->revoked_at != 0)
        return VES_KEY_FAULT_REVOKED;
    if (event->at_sequence > sequence)
        return VES_KEY_FAULT_SEQUENCE;
    return event->has_statement ? check_owner(world, event)
                                : VES_KEY_FAULT_NONE;
}

/* Where the event stands and never before: no signature covers another number,
 * and what stands between would be taken back by whoever gave it. */
static void end(struct ves_logged_key *key, uint64_t sequence, uint64_t claimed,
                enum ves_key_author by)
{
    key->revoked_at = sequence;
    key->claimed_at = claimed;
    key->ended_by = by;
}

static enum ves_status take_new(struct ves_arena *arena,
                                const struct ves_key_event *event,
                                uint64_t sequence, enum ves_key_author author,
                                struct ves_key_state *state)
{
    const struct ves_logged_key key = {
        .key_id = event->key_id,
        .public_key = event->public_key,
        .author = author,
        .has_next = event->has_next,
        .next = event->next,
        .valid_from = event->at_sequence != 0 ? event->at_sequence : sequence,
        .entered_at = sequence};

    return add(arena, state, &key);
}

enum ves_status
ves_key_event_apply(struct ves_arena *arena, const struct ves_key_world *world,
                    const struct ves_key_event *event, uint64_t sequence,
                    struct ves_key_state *state, enum ves_key_fault *fault)
{
    enum ves_key_author author =
        event->has_statement ? VES_KEY_BY_OWNER : VES_KEY_BY_SEQUENCER;
    enum ves_status status = VES_OK;

    switch (event->kind) {
    case VES_KEY_EVENT_REGISTERED:
        *fault = check_registered(world, event, sequence, state);
        if (!*fault)
            status = take_new(arena, event, sequence, author, state);
        return status;
    case VES_KEY_EVENT_ROTATED:
        *fault = check_rotated(world, event, state);
        if (!*fault)
            status =
                take_new(arena, event, sequence, VES_KEY_BY_ROTATION, state);
        if (!*fault && !status)
            end(find(state, event->previous_id), sequence, 0,
                VES_KEY_BY_ROTATION);
        return status;
    case VES_KEY_EVENT_REVOKED:
        *fault = check_revoked(world, event, sequence, state);
        if (!*fault)
            end(find(state, event->key_id), sequence, event->at_sequence,
                author);
        return VES_OK;
    default:
        VES_ASSERT(false);
        return VES_INVALID;
    }
}

enum ves_key_fault ves_key_policy_apply(const struct ves_key_world *world,
                                        const struct ves_key_event *event,
                                        uint64_t sequence,
                                        struct ves_key_policy *policy)
{
    struct ves_hash hash;

    if (!world->has_owner)
        return VES_KEY_FAULT_NO_OWNER;
    if (event->number <= policy->number)
        return VES_KEY_FAULT_NUMBER;
    ves_key_policy_hash(&world->stream, event, &hash);
    if (!is_signed(&world->owner, &hash, &event->signature))
        return VES_KEY_FAULT_OWNER;
    *policy = (struct ves_key_policy){.is_strict = event->is_strict,
                                      .number = event->number,
                                      .entered_at = sequence};
    return VES_KEY_FAULT_NONE;
}

enum ves_key_fault
ves_sequencer_key_check(const struct ves_key_event *event,
                        const struct ves_public_key *previous)
{
    struct ves_hash hash;

    if (!ves_ed25519_key_is_valid(&event->public_key))
        return VES_KEY_FAULT_KEY;
    ves_seqkey_hash(previous, &event->public_key, event->key_id, &hash);
    return is_signed(previous, &hash, &event->signature)
               ? VES_KEY_FAULT_NONE
               : VES_KEY_FAULT_SIGNATURE;
}

bool ves_logged_key_covers(const struct ves_logged_key *key, uint64_t sequence)
{
    return ves_key_covers(key->valid_from, key->revoked_at, sequence);
}

void ves_logged_key_show(const struct ves_uuid *agent,
                         const struct ves_logged_key *key,
                         struct ves_agent_key *out)
{
    *out = (struct ves_agent_key){.agent = *agent,
                                  .key_id = key->key_id,
                                  .public_key = key->public_key,
                                  .valid_from_sequence = key->valid_from,
                                  .revoked_at_sequence = key->revoked_at,
                                  .algorithm = "ed25519"};
    const char *name = ves_key_author_name(key->author);
    memcpy(out->registrar, name, strlen(name));
}
