/* reply.c -- reading what the sequencer answers to join and invite. */
#include "sync/reply.h"

#include "base/text.h"
#include "base/uuid.h"

bool ves_reply_uuid(const struct ves_json *object, const char *name,
                    struct ves_uuid *out)
{
    struct ves_bytes text;

    return ves_json_get_string(object, name, &text) &&
           ves_uuid_parse(text, out) == VES_OK;
}

bool ves_reply_hex(const struct ves_json *object, const char *name,
                   uint8_t *out, size_t size)
{
    struct ves_bytes text;

    return ves_json_get_string(object, name, &text) &&
           ves_hex_decode(text, out, size) == VES_OK;
}

bool ves_reply_sequencer_keys(
    const struct ves_json *object, const char *name,
    struct ves_sequencer_key keys[VES_SEQUENCER_KEYS_MAX], size_t *count)
{
    const struct ves_json *list = ves_json_member(object, name);
    uint64_t version;

    *count = 0;
    if (!list || list->type != VES_JSON_ARRAY)
        return false;
    for (const struct ves_json *k = list->first; k; k = k->next) {
        if (*count == VES_SEQUENCER_KEYS_MAX ||
            !ves_json_get_u64(k, "version", &version) || version < 1 ||
            version > UINT32_MAX ||
            !ves_reply_hex(k, "publicKey", keys[*count].public_key.b,
                           VES_KEY_SIZE))
            return false;
        keys[(*count)++].version = (uint32_t)version;
    }
    return *count > 0;
}
