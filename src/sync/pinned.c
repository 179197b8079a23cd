/* pinned.c -- what this store has pinned, as the beliefs of a verifier. */
#include "sync/pinned.h"

#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "core/bundle.h"
#include "core/inspection.h"
#include "ves/verify.h"

enum ves_status ves_pinned_policy(const struct ves_sequencer_key *keys,
                                  size_t count, struct ves_bytes origin,
                                  struct ves_buf *out)
{
    for (size_t i = 0; i < count; i++) {
        struct ves_note_key key;
        ves_note_key_init(&key, origin, VES_NOTE_ED25519, &keys[i].public_key);
        ves_buf_put_str(out, "log ");
        ves_note_key_write(out, &key);
        ves_buf_put_u8(out, '\n');
    }
    ves_buf_put_str(out, "quorum none\n");
    return ves_buf_status(out);
}

void ves_pinned_log_key(const struct ves_agent *agent, struct ves_bytes origin,
                        char *out, size_t size)
{
    const struct ves_agent_core *core = &agent->core;
    struct ves_note_key key;
    struct ves_buf text;

    out[0] = '\0';
    if (core->sequencer_key_count == 0)
        return;
    ves_note_key_init(
        &key, origin, VES_NOTE_ED25519,
        &core->sequencer_keys[core->sequencer_key_count - 1].public_key);
    ves_buf_init(&text, agent->alloc, size);
    ves_note_key_write(&text, &key);
    snprintf(out, size, "%.*s", (int)text.len, (const char *)text.ptr);
    ves_buf_free(&text);
}

enum ves_status ves_pinned_check_name(const char *policy_name,
                                      struct ves_error *error)
{
    if (!policy_name || !*policy_name ||
        ves_bundle_name_is_valid(ves_bytes_str(policy_name)))
        return VES_OK;
    return ves_fail(error, VES_INVALID,
                    "a policy's name is at most %d letters, digits, blanks and "
                    "signs of ASCII",
                    (int)VES_BUNDLE_NAME_MAX);
}

/* Not every stream has an owner, and not every key his word. */
static bool is_good(const struct ves_verify_property *property)
{
    return property->finding == VES_FINDING_PROVEN ||
           (property->finding == VES_FINDING_NOT_PROVEN &&
            strcmp(property->name, VES_INSPECTION_LOGGED_KEYS) == 0);
}

enum ves_status ves_pinned_verify(const struct ves_agent *agent,
                                  struct ves_bytes policy,
                                  struct ves_bytes bundle,
                                  struct ves_arena *arena,
                                  struct ves_error *error)
{
    const struct ves_agent_core *core = &agent->core;
    struct ves_public_key keys[VES_SEQUENCER_KEYS_MAX];
    static const struct ves_bytes none = {NULL, 0};
    struct ves_verify_report *report = ves_arena_alloc(arena, sizeof(*report));

    if (!report)
        return VES_NOMEM;
    for (size_t i = 0; i < core->sequencer_key_count; i++)
        keys[i] = core->sequencer_keys[i].public_key;
    static const struct ves_public_key no_owner;
    const struct ves_verify_anchors anchors = {
        .policy = policy,
        .stream = &core->stream,
        .sequencer_keys = keys,
        .sequencer_key_count = core->sequencer_key_count,
        .owner_key = memcmp(core->owner_key.b, no_owner.b, VES_KEY_SIZE)
                         ? &core->owner_key
                         : NULL};
    enum ves_status status =
        ves_verify(agent->alloc, bundle, none, &anchors, report, error);
    if (status)
        return status;
    for (size_t i = 0; i < report->count; i++) {
        if (!is_good(&report->properties[i]))
            return ves_fail(
                error, VES_REFUSED, "%s: %.380s; nothing was written",
                report->properties[i].name, report->properties[i].text);
    }
    return VES_OK;
}
