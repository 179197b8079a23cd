/* agent_seqkeys.c -- new keys of the sequencer (design.md D18). */
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "engine/agent_internal.h"

/* One call of ves_core_sequencer_keys. */
struct seqkeys {
    struct ves_agent_core *core;
    int64_t now_ms;
    struct ves_sequencer_key keys[VES_SEQUENCER_KEYS_MAX];
    size_t count, added;
    enum ves_status outcome;
};

static enum ves_status refuse(struct seqkeys *seqkeys, uint64_t version,
                              const char *why)
{
    seqkeys->outcome =
        ves_fail(&seqkeys->core->error, VES_REFUSED,
                 "sequencer key version %llu %s; nothing was changed. Ask the "
                 "sequencer's operator before you go on",
                 (unsigned long long)version, why);
    return seqkeys->outcome;
}

static const struct ves_sequencer_key *find(const struct seqkeys *seqkeys,
                                            uint64_t version)
{
    for (size_t i = 0; i < seqkeys->count; i++) {
        if (seqkeys->keys[i].version == version)
            return &seqkeys->keys[i];
    }
    return NULL;
}

static uint64_t lowest(const struct seqkeys *seqkeys)
{
    uint64_t version = UINT64_MAX;
    for (size_t i = 0; i < seqkeys->count; i++) {
        if (seqkeys->keys[i].version < version)
            version = seqkeys->keys[i].version;
    }
    return version;
}

/* The statement in entry, signed by the predecessor. */
static bool has_statement(struct seqkeys *seqkeys, const struct ves_json *entry,
                          const struct ves_sequencer_key *old_key,
                          const struct ves_sequencer_key *new_key)
{
    struct ves_verifier *verifier = seqkeys->core->verifier;
    struct ves_verify_item item = {.key = old_key->public_key};
    struct ves_bytes hex;

    if (!ves_json_get_string(entry, "statementSignature", &hex) ||
        ves_hex_decode(hex, item.sig.b, VES_SIG_SIZE))
        return false;
    ves_seqkey_hash(&old_key->public_key, &new_key->public_key,
                    new_key->version, &item.hash);
    verifier->verify(verifier, &item, 1);
    return item.is_valid;
}

static enum ves_status add_key(struct seqkeys *seqkeys,
                               const struct ves_json *entry,
                               const struct ves_sequencer_key *key)
{
    const struct ves_sequencer_key *old_key =
        find(seqkeys, key->version - UINT64_C(1));

    if (!old_key)
        return refuse(seqkeys, key->version,
                      "has no predecessor this store knows");
    if (!has_statement(seqkeys, entry, old_key, key))
        return refuse(seqkeys, key->version,
                      "is not vouched for by its predecessor");
    if (!ves_ed25519_key_is_valid(&key->public_key))
        return refuse(seqkeys, key->version, "is not a valid key");
    if (seqkeys->count == VES_SEQUENCER_KEYS_MAX)
        return ves_fail(&seqkeys->core->error, VES_LIMIT,
                        "the sequencer has more than %d keys; nothing was "
                        "changed",
                        (int)VES_SEQUENCER_KEYS_MAX);
    seqkeys->keys[seqkeys->count++] = *key;
    seqkeys->added++;
    return VES_OK;
}

static enum ves_status take_key(struct seqkeys *seqkeys,
                                const struct ves_json *entry)
{
    struct ves_sequencer_key key;
    uint64_t version;
    struct ves_bytes hex;

    if (!ves_json_get_u64(entry, "version", &version) || version == 0 ||
        version > UINT32_MAX ||
        !ves_json_get_string(entry, "publicKey", &hex) ||
        ves_hex_decode(hex, key.public_key.b, VES_KEY_SIZE))
        return ves_fail(&seqkeys->core->error, VES_MALFORMED,
                        "the list of sequencer keys has an entry that is not "
                        "readable; nothing was changed");
    key.version = (uint32_t)version;
    const struct ves_sequencer_key *known = find(seqkeys, version);
    if (known) {
        if (memcmp(known->public_key.b, key.public_key.b, VES_KEY_SIZE) != 0)
            return refuse(seqkeys, version, "is not the one pinned");
        return VES_OK;
    }
    /* Older than the invitation: nothing of ours was signed with it. */
    if (version < lowest(seqkeys))
        return VES_OK;
    return add_key(seqkeys, entry, &key);
}

static enum ves_status take_list(struct seqkeys *seqkeys,
                                 const struct ves_json *root)
{
    const struct ves_json *list = ves_json_member(root, "keys");

    if (!list || list->type != VES_JSON_ARRAY)
        return ves_fail(&seqkeys->core->error, VES_MALFORMED,
                        "the answer is not a list of sequencer keys; nothing "
                        "was changed");
    for (const struct ves_json *e = list->first; e; e = e->next) {
        enum ves_status status = take_key(seqkeys, e);
        if (status)
            return status;
    }
    return VES_OK;
}

static enum ves_status trail(struct seqkeys *seqkeys)
{
    struct ves_buf buf;

    ves_buf_init(&buf, seqkeys->core->alloc, 4096);
    ves_buf_putf(&buf, "{\"pinned\":%zu,\"added\":%zu,\"outcome\":\"%s\"}",
                 seqkeys->count, seqkeys->added,
                 ves_status_name(seqkeys->outcome));
    return ves_device_trail_end(seqkeys->core, seqkeys->now_ms,
                                "sequencer_keys", &buf);
}

static enum ves_status store(struct seqkeys *seqkeys, struct ves_bytes reply,
                             const char *words)
{
    struct ves_agent_core *core = seqkeys->core;
    const struct ves_device_alert alert = {
        .code = "sequencer_key_changed", .detail = words, .body = reply};
    enum ves_status status = VES_OK;

    if (seqkeys->outcome)
        status = ves_device_alert(core, seqkeys->now_ms, &alert);
    else
        status =
            ves_device_close(core, seqkeys->now_ms, "sequencer_key_changed");
    if (!status && !seqkeys->outcome && seqkeys->added > 0)
        status = ves_device_pins_put(core, seqkeys->keys, seqkeys->count);
    return status ? status : trail(seqkeys);
}

static enum ves_status take(struct seqkeys *seqkeys, struct ves_arena *arena,
                            struct ves_bytes reply)
{
    struct ves_agent_core *core = seqkeys->core;
    const struct ves_json *root;

    enum ves_status status = ves_json_read(arena, reply, NULL, &root, NULL);
    if (status == VES_MALFORMED)
        return ves_fail(&core->error, VES_MALFORMED,
                        "the list of sequencer keys is not valid JSON; nothing "
                        "was changed");
    if (!status)
        status = take_list(seqkeys, root);
    if (status && !seqkeys->outcome)
        return status;

    struct ves_error error = core->error;
    if (seqkeys->outcome)
        seqkeys->added = 0;
    status = ves_device_begin(core);
    if (status)
        return status;
    status = ves_device_end(core, store(seqkeys, reply, error.text));
    if (status)
        return status;
    if (seqkeys->outcome) {
        core->error = error;
        return seqkeys->outcome;
    }
    memcpy(core->sequencer_keys, seqkeys->keys, sizeof(core->sequencer_keys));
    core->sequencer_key_count = seqkeys->count;
    return VES_OK;
}

enum ves_status ves_core_sequencer_keys(struct ves_agent_core *core,
                                        struct ves_bytes reply, int64_t now_ms)
{
    struct seqkeys seqkeys = {.core = core, .now_ms = now_ms};
    struct ves_arena arena;

    core->error.status = VES_OK;
    ves_arena_init(&arena, core->alloc, VES_DEVICE_ARENA_MAX);
    /* Another process may have pinned more since this one loaded them. */
    enum ves_status status = ves_device_pins_get(core, &arena);
    if (!status) {
        memcpy(seqkeys.keys, core->sequencer_keys, sizeof(seqkeys.keys));
        seqkeys.count = core->sequencer_key_count;
        status = take(&seqkeys, &arena, reply);
    }
    ves_arena_free(&arena);
    return ves_device_say(core, status);
}
