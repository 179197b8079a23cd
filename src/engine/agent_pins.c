/* agent_pins.c -- the sequencer's keys as this store pinned them (design.md
 * D18).  Stored as lines "version hex". */
#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "engine/agent_internal.h"

enum {
    HEX = 2 * VES_KEY_SIZE,
    PINS_TEXT_MAX = VES_SEQUENCER_KEYS_MAX * (HEX + 16)
};

enum ves_status ves_device_pins_put(struct ves_agent_core *core,
                                    const struct ves_sequencer_key *keys,
                                    size_t count)
{
    struct ves_buf buf;

    ves_buf_init(&buf, core->alloc, PINS_TEXT_MAX);
    for (size_t i = 0; i < count; i++) {
        ves_buf_put_decimal(&buf, keys[i].version);
        ves_buf_put_u8(&buf, ' ');
        ves_buf_put_hex(&buf, keys[i].public_key.b, VES_KEY_SIZE);
        ves_buf_put_u8(&buf, '\n');
    }
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status = core->store->ops->meta_put(core->store, "sequencer.keys",
                                            ves_buf_view(&buf));
    ves_buf_free(&buf);
    return status;
}

static bool read_line(struct ves_bytes line, struct ves_sequencer_key *key)
{
    uint64_t version;

    if (line.len < HEX + 2 || line.ptr[line.len - HEX - 1] != ' ')
        return false;
    struct ves_bytes number = ves_bytes(line.ptr, line.len - HEX - 1);
    struct ves_bytes hex = ves_bytes(line.ptr + line.len - HEX, HEX);
    if (ves_decimal_parse(number, &version) || version > UINT32_MAX ||
        ves_hex_decode(hex, key->public_key.b, VES_KEY_SIZE))
        return false;
    key->version = (uint32_t)version;
    return true;
}

enum ves_status ves_device_pins_get(struct ves_agent_core *core,
                                    struct ves_arena *arena)
{
    struct ves_bytes text;

    core->sequencer_key_count = 0;
    enum ves_status status =
        core->store->ops->meta_get(core->store, "sequencer.keys", arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status)
        return status;
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        if (core->sequencer_key_count == VES_SEQUENCER_KEYS_MAX ||
            !read_line(ves_bytes(text.ptr, len),
                       &core->sequencer_keys[core->sequencer_key_count]))
            return ves_fail(&core->error, VES_CORRUPT,
                            "the store's value \"sequencer.keys\" is not "
                            "readable");
        core->sequencer_key_count++;
        len += end ? 1 : 0;
        text = ves_bytes(text.ptr + len, text.len - len);
    }
    return VES_OK;
}

size_t ves_device_key_count(const struct ves_agent_core *core, uint32_t version)
{
    if (version == 0)
        return core->sequencer_key_count;
    for (size_t i = 0; i < core->sequencer_key_count; i++) {
        if (core->sequencer_keys[i].version == version)
            return 1;
    }
    return 0;
}

void ves_device_key_items(const struct ves_agent_core *core, uint32_t version,
                          const struct ves_hash *hash,
                          const struct ves_sig *sig,
                          struct ves_verify_item *items)
{
    size_t n = 0;
    for (size_t i = 0; i < core->sequencer_key_count; i++) {
        const struct ves_sequencer_key *key = &core->sequencer_keys[i];
        if (version == 0 || key->version == version)
            items[n++] = (struct ves_verify_item){
                .key = key->public_key, .hash = *hash, .sig = *sig};
    }
    VES_ASSERT(n >= ves_device_key_count(core, version));
}

bool ves_device_is_valid(const struct ves_verify_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (items[i].is_valid)
            return true;
    }
    return false;
}

bool ves_device_receipt_verified(const struct ves_agent_core *core,
                                 const struct ves_verify_item *items,
                                 struct ves_receipt *receipt)
{
    size_t count = ves_device_key_count(core, receipt->key_version);

    for (size_t i = 0; i < count; i++) {
        if (!items[i].is_valid)
            continue;
        if (receipt->key_version == 0)
            receipt->key_version = core->sequencer_keys[i].version;
        return true;
    }
    return false;
}
