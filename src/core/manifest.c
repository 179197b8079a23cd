/* manifest.c -- the commitment manifest some clients verify. */
#include "core/manifest.h"

#include "base/bytes.h"
#include "base/endian.h"
#include "crypto/crypto.h"

enum { PARTS_MAX = 16, NUMBERS_MAX = 8 };

struct preimage {
    struct ves_bytes parts[PARTS_MAX];
    size_t count;
    uint8_t numbers[NUMBERS_MAX][8];
    size_t number_count;
};

static void put(struct preimage *to, struct ves_bytes part)
{
    to->parts[to->count++] = part;
}

static void put_number(struct preimage *to, uint64_t number)
{
    uint8_t *bytes = to->numbers[to->number_count++];
    ves_store_u64(bytes, number);
    put(to, ves_bytes(bytes, 8));
}

static void put_text(struct preimage *to, struct ves_bytes text)
{
    put_number(to, text.len);
    put(to, text);
}

void ves_manifest_hash(const struct ves_manifest *manifest,
                       struct ves_hash *out)
{
    static const uint8_t no = 0, yes = 1;
    struct preimage preimage = {.count = 0};

    put(&preimage, ves_bytes_str("STATESET_COMMITMENT_MANIFEST_V1"));
    put_text(&preimage, manifest->commitment_id);
    put(&preimage, ves_bytes(manifest->previous_id.ptr ? &yes : &no, 1));
    if (manifest->previous_id.ptr)
        put_text(&preimage, manifest->previous_id);
    put(&preimage, ves_bytes(manifest->state_root.b, VES_HASH_SIZE));
    put_number(&preimage, manifest->remote_head);
    put_text(&preimage, manifest->signer_id);
    put_text(&preimage, manifest->scheme);
    put_text(&preimage, manifest->issued_at);
    ves_sha256(preimage.parts, preimage.count, out);
}
