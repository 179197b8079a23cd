/* fuzz_invitation.c -- any text as an invitation, and any JSON inside one.
 *
 * Asserted: what is taken is written back byte for byte, a refusal has words
 * and leaves nothing in *out.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/invitation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static void try_text(struct ves_bytes text)
{
    static const struct ves_invitation nothing;
    struct ves_invitation invitation;
    struct ves_error error = {.status = VES_OK};
    struct ves_arena arena;
    struct ves_buf again;

    ves_arena_init(&arena, ves_alloc_default(), 16 << 20);
    enum ves_status status =
        ves_invitation_read(&arena, text, &invitation, &error);
    if (status) {
        REQUIRE(error.status == status && error.text[0] != '\0');
        REQUIRE(memcmp(&invitation, &nothing, sizeof(nothing)) == 0);
    } else {
        ves_buf_init(&again, ves_alloc_default(), VES_INVITATION_MAX);
        REQUIRE(ves_invitation_write(&again, ves_alloc_default(),
                                     &invitation) == VES_OK);
        REQUIRE(ves_bytes_equal(ves_buf_view(&again), text));
        ves_buf_free(&again);
    }
    ves_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_ready;
    if (!is_ready)
        REQUIRE(ves_crypto_init() == VES_OK);
    is_ready = true;

    try_text(ves_bytes(data, size));
    if (size == 0 || size > VES_INVITATION_MAX)
        return 0;
    /* The same bytes as content, so that a mutation of JSON gets there. */
    size_t len = 5 + ves_b64u_len(size);
    char *text = malloc(len);
    REQUIRE(text);
    memcpy(text, "ves1.", 5);
    ves_b64u_encode(data, size, text + 5);
    try_text(ves_bytes(text, len));
    free(text);
    return 0;
}
