/* reply.h -- reading what the sequencer answers to join and invite. */
#ifndef VES_SYNC_REPLY_H
#define VES_SYNC_REPLY_H

#include "core/invitation.h"
#include "json/json.h"

/* Members that are ids, keys and hashes in text; false when absent or of the
 * wrong form. */
bool ves_reply_uuid(const struct ves_json *object, const char *name,
                    struct ves_uuid *out);
bool ves_reply_hex(const struct ves_json *object, const char *name,
                   uint8_t *out, size_t size);

/* NAME: [{version, publicKey}]; at least one. */
bool ves_reply_sequencer_keys(
    const struct ves_json *object, const char *name,
    struct ves_sequencer_key keys[VES_SEQUENCER_KEYS_MAX], size_t *count);

#endif
