/* inspection_keys.c -- agents' keys from the events of the log that a bundle
 * carries (ADR 0025, 0034).
 */
#include <string.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "core/inspection.h"
#include "crypto/crypto.h"

static const char name[] = VES_INSPECTION_LOGGED_KEYS;

struct ves_inspected_agent {
    struct ves_key_state state;
    struct ves_inspected_agent *next;
};

static struct ves_inspected_agent *find(const struct ves_logged_keys *keys,
                                        const struct ves_uuid *agent)
{
    struct ves_inspected_agent *at = keys->agents;

    while (at && !ves_uuid_equal(&at->state.agent, agent))
        at = at->next;
    return at;
}

void ves_inspection_logged_init(struct ves_inspection *in,
                                const struct ves_stream *stream)
{
    struct ves_logged_keys *keys = &in->logged;

    keys->world.stream = *stream;
    keys->world.has_owner = in->anchors->owner_key != NULL;
    if (keys->world.has_owner)
        keys->world.owner = *in->anchors->owner_key;
}

/* Only the first is told: what comes behind it may follow from it. */
static void blame(struct ves_logged_keys *keys, uint64_t sequence,
                  const char *code, const char *words)
{
    if (keys->bad_at != 0)
        return;
    keys->bad_at = sequence;
    keys->bad_code = code;
    keys->bad_words = words;
}

static enum ves_status apply(struct ves_inspection *in,
                             const struct ves_key_event *event,
                             uint64_t sequence)
{
    struct ves_logged_keys *keys = &in->logged;
    struct ves_inspected_agent *agent = find(keys, &event->agent);
    enum ves_key_fault fault;

    if (!agent) {
        agent = ves_arena_alloc(&in->keys_arena, sizeof(*agent));
        if (!agent)
            return VES_NOMEM;
        *agent = (struct ves_inspected_agent){.state.agent = event->agent,
                                              .next = keys->agents};
        keys->agents = agent;
    }
    enum ves_status status = ves_key_event_apply(
        &in->keys_arena, &keys->world, event, sequence, &agent->state, &fault);
    /* The event it builds on is not in the bundle: then it shows nothing. */
    if (!status && fault && fault != VES_KEY_FAULT_UNKNOWN)
        blame(keys, sequence, ves_key_fault_code(fault),
              ves_key_fault_words(fault));
    return status;
}

enum ves_status ves_inspection_logged_take(struct ves_inspection *in,
                                           const struct ves_event *event,
                                           const struct ves_leaf *leaf)
{
    struct ves_logged_keys *keys = &in->logged;
    uint64_t sequence = leaf->sequence_number;
    struct ves_key_event read;
    enum ves_key_fault fault;

    keys->count++;
    if (!ves_inspection_is_sequencers(in, &leaf->event_hash,
                                      &leaf->signature)) {
        blame(keys, sequence, "not_the_sequencer",
              "no key of the sequencer that you trust signed it");
        return VES_OK;
    }
    keys->sequencer = event->agent;
    if (ves_key_event_read(event, &read, NULL)) {
        blame(keys, sequence, "key_event_invalid",
              "its members are not those of such an event");
        return VES_OK;
    }
    /* Without the owner's key nobody's word can be told from another's. */
    if (!keys->world.has_owner || read.kind == VES_KEY_EVENT_SEQUENCER)
        return VES_OK;
    if (read.kind != VES_KEY_EVENT_POLICY)
        return apply(in, &read, sequence);
    fault = ves_key_policy_apply(&keys->world, &read, sequence,
                                 &keys->world.policy);
    if (fault)
        blame(keys, sequence, ves_key_fault_code(fault),
              ves_key_fault_words(fault));
    return VES_OK;
}

bool ves_inspection_is_own(const struct ves_inspection *in,
                           const struct ves_event *event)
{
    return !ves_uuid_is_nil(&in->logged.sequencer) &&
           ves_uuid_equal(&event->agent, &in->logged.sequencer);
}

const struct ves_logged_key *
ves_inspection_logged_find(const struct ves_inspection *in,
                           const struct ves_event *event)
{
    const struct ves_inspected_agent *agent = find(&in->logged, &event->agent);

    return agent ? ves_key_state_find(&agent->state, event->agent_key_id)
                 : NULL;
}

void ves_inspection_logged_check(struct ves_inspection *in,
                                 const struct ves_event *event,
                                 uint64_t sequence,
                                 const struct ves_public_key *other)
{
    struct ves_logged_keys *keys = &in->logged;
    const struct ves_logged_key *key;

    if (!keys->world.has_owner || ves_inspection_is_own(in, event))
        return;
    key = ves_inspection_logged_find(in, event);
    /* What was entered behind the event, or by nobody's word but the
     * sequencer's, proves nothing of it. */
    if (!key || key->entered_at >= sequence ||
        key->author == VES_KEY_BY_SEQUENCER) {
        if (keys->missing_at == 0)
            keys->missing_at = sequence;
    }
    if (!key)
        return;
    if (!ves_logged_key_covers(key, sequence))
        blame(keys, sequence, "key_not_valid",
              "the log had ended its key there, or not begun it");
    if (other && !ves_bytes_equal(ves_bytes(other->b, VES_KEY_SIZE),
                                  ves_bytes(key->public_key.b, VES_KEY_SIZE)))
        blame(keys, sequence, "directory_contradicts_log",
              "the log has another key for it than the directory or you");
}

void ves_inspection_logged_say(struct ves_inspection *in)
{
    const struct ves_logged_keys *keys = &in->logged;

    if (keys->count == 0 && !keys->world.has_owner)
        return;
    if (keys->bad_at != 0)
        ves_inspection_say(
            in, name, VES_FINDING_FAILED, "event %llu does not hold: %s (%s)",
            (unsigned long long)keys->bad_at, keys->bad_words, keys->bad_code);
    else if (!keys->world.has_owner)
        ves_inspection_note(in, name, VES_FINDING_NOT_PROVEN,
                            "you named no key of the stream's owner, whose "
                            "word the keys of %zu key events would be",
                            keys->count);
    else if (keys->missing_at != 0)
        ves_inspection_say(in, name, VES_FINDING_NOT_PROVEN,
                           "that the key of event %llu is the owner's word, or "
                           "follows from it, is in none of %zu key events in "
                           "front of it",
                           (unsigned long long)keys->missing_at, keys->count);
    else
        ves_inspection_say(in, name, VES_FINDING_PROVEN,
                           "%zu key events: each key is the owner's word or "
                           "follows from it, and may sign at its event's place",
                           keys->count);
    ves_inspection_cannot(in, "that no later event of the log ended a key: a "
                              "bundle has what its maker put in");
}
