/* fuzz_keydir.c -- key directories and receipts, as a sequencer may send them.
 *
 * What is taken obeys the header's promises; the hash under the signature does
 * not depend on how the document is spelt; a receipt is written as it was read.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/keydir.h"
#include "core/receipt.h"
#include "crypto/crypto.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static void require_key(const struct ves_agent_key *key)
{
    REQUIRE(key->valid_from_sequence >= 1);
    REQUIRE(memchr(key->algorithm, 0, sizeof(key->algorithm)));
    REQUIRE(memchr(key->registrar, 0, sizeof(key->registrar)));
    REQUIRE(!ves_agent_key_covers(key, 0) || key->valid_from_sequence == 0);
    if (key->revoked_at_sequence > 0)
        REQUIRE(!ves_agent_key_covers(key, key->revoked_at_sequence));
}

static void try_directory(struct ves_arena *arena, const struct ves_json *root)
{
    struct ves_agent_key *keys = NULL;
    size_t count = 0;

    enum ves_status status = ves_keydir_read(arena, root, &keys, &count);
    REQUIRE(status == VES_OK || status == VES_MALFORMED || status == VES_NOMEM);
    for (size_t i = 0; status == VES_OK && i < count; i++)
        require_key(&keys[i]);
}

/* The canonical spelling of a document has the hash of the document. */
static void try_hash(struct ves_arena *arena, const struct ves_json *root)
{
    struct ves_hash hash, again;
    const struct ves_json *other;
    struct ves_buf buf;

    if (root->type != VES_JSON_OBJECT ||
        ves_keydir_hash(arena, ves_alloc_default(), root, &hash))
        return;
    ves_buf_init(&buf, ves_alloc_default(), 64 << 20);
    REQUIRE(ves_jcs_write(&buf, arena, root) == VES_OK);
    REQUIRE(ves_json_read(arena, ves_buf_view(&buf), NULL, &other, NULL) ==
            VES_OK);
    REQUIRE(ves_keydir_hash(arena, ves_alloc_default(), other, &again) ==
            VES_OK);
    REQUIRE(ves_hash_equal(&hash, &again));
    ves_buf_free(&buf);
}

static void try_receipt(struct ves_arena *arena, const struct ves_json *root)
{
    struct ves_receipt receipt, again;
    const struct ves_json *other;
    struct ves_buf buf;

    if (ves_receipt_read(root, &receipt))
        return;
    ves_buf_init(&buf, ves_alloc_default(), 64 << 10);
    ves_receipt_write(&buf, &receipt);
    REQUIRE(ves_json_read(arena, ves_buf_view(&buf), NULL, &other, NULL) ==
            VES_OK);
    REQUIRE(ves_receipt_read(other, &again) == VES_OK);
    REQUIRE(ves_uuid_equal(&receipt.event_id, &again.event_id));
    REQUIRE(ves_uuid_equal(&receipt.sequencer_id, &again.sequencer_id));
    REQUIRE(receipt.sequence_number == again.sequence_number);
    REQUIRE(receipt.key_version == again.key_version);
    REQUIRE(ves_hash_equal(&receipt.receipt_hash, &again.receipt_hash));
    REQUIRE(memcmp(&receipt.signature, &again.signature,
                   sizeof(again.signature)) == 0);
    ves_buf_free(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    const struct ves_json *root;
    struct ves_arena arena;

    if (!is_ready)
        REQUIRE(ves_crypto_init() == VES_OK);
    is_ready = true;
    ves_arena_init(&arena, ves_alloc_default(), 256 << 20);
    if (ves_json_read(&arena, ves_bytes(data, size), NULL, &root, NULL) ==
        VES_OK) {
        try_directory(&arena, root);
        try_hash(&arena, root);
        try_receipt(&arena, root);
    }
    ves_arena_free(&arena);
    return 0;
}
