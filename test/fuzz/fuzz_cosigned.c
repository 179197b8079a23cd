/* fuzz_cosigned.c -- what a log keeps of cosignatures: read means written the
 * same, and never more than its bounds.
 */
#include <stdint.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "core/cosigned.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_bytes text = ves_bytes(data, size);
    struct ves_cosigned set;
    struct ves_arena arena;
    struct ves_buf again;

    ves_arena_init(&arena, ves_alloc_default(), 64 << 20);
    ves_buf_init(&again, ves_alloc_default(), 64 << 20);
    enum ves_status status = ves_cosigned_read(text, &arena, &set);
    REQUIRE(status == VES_OK || status == VES_CORRUPT);
    if (status == VES_OK) {
        REQUIRE(set.count <= VES_COSIGNED_HEADS_MAX);
        for (size_t i = 0; i < set.count; i++)
            REQUIRE(set.heads[i]->count <= VES_COSIGNED_COSIGNERS_MAX);
        ves_cosigned_write(&again, &set);
        REQUIRE(ves_bytes_equal(ves_buf_view(&again), text));
    }
    ves_buf_free(&again);
    ves_arena_free(&arena);
    return 0;
}
