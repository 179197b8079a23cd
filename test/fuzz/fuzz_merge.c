/* fuzz_merge.c -- any three states, one a line, merged by every function.
 *
 * Asserted: the order of the sides does not matter; a clean merge is JSON that
 * can be written; an unclean one says where.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/merge.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static bool same(const struct ves_json *a, const struct ves_json *b)
{
    return a && b ? ves_json_equal(a, b) : a == b;
}

static void merge_all(struct ves_arena *arena, const struct ves_json *sides[3])
{
    static const char *const functions[] = {"never", "fields/1", "order/1",
                                            "customer/1", "deltas/1"};

    for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
        struct ves_merge_result a, b;
        struct ves_buf out;
        REQUIRE(ves_merge(arena, functions[i], sides[0], sides[1], sides[2],
                          &a) == VES_OK);
        REQUIRE(ves_merge(arena, functions[i], sides[0], sides[2], sides[1],
                          &b) == VES_OK);
        REQUIRE(a.is_clean == b.is_clean);
        REQUIRE(a.overlap_count == b.overlap_count);
        REQUIRE(a.is_clean || a.overlap_count > 0 || a.reason);
        if (!a.is_clean)
            continue;
        REQUIRE(same(a.value, b.value));
        ves_buf_init(&out, ves_alloc_default(), 8 * (size_t)VES_PAYLOAD_MAX);
        if (a.value)
            REQUIRE(ves_jcs_write(&out, arena, a.value) == VES_OK);
        ves_buf_free(&out);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct ves_json_options options = {.safe_integers = true};
    const struct ves_json *sides[3] = {NULL, NULL, NULL};
    struct ves_arena arena;

    if (size > VES_PAYLOAD_MAX)
        return 0;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 30);
    for (size_t i = 0; i < 3 && size > 0; i++) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        if (ves_json_read(&arena, ves_bytes(data, len), &options, &sides[i],
                          NULL))
            sides[i] = NULL;
        size_t used = len + (end != NULL);
        data += used;
        size -= used;
    }
    merge_all(&arena, sides);
    ves_arena_free(&arena);
    return 0;
}
