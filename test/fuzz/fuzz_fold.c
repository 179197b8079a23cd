/* fuzz_fold.c -- any payloads, one a line, folded into one state.
 *
 * The first byte of a line picks the event type.  Asserted: every state is
 * canonical JSON, an object, without a top-level "_ves"; folding again gives
 * the same bytes; an unusable event changes nothing and says why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/fold.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static const char *const types[] = {
    "order.created",      "order.updated",      "order.shipped",
    "order.cancelled",    "inventory.adjusted", "inventory.reserved",
    "inventory.released", "customer.created",   "customer.updated",
    "payment.created",    "payment.completed",  "payment.refunded",
    "return.created",     "return.approved",    "return.rejected",
    "unknown.type"};

static void check_state(struct ves_arena *arena, struct ves_bytes state)
{
    const struct ves_json *root;
    struct ves_buf again;
    if (state.len == 0)
        return;
    REQUIRE(ves_json_read(arena, state, NULL, &root, NULL) == VES_OK);
    REQUIRE(root->type == VES_JSON_OBJECT);
    REQUIRE(!ves_json_member(root, "_ves"));
    ves_buf_init(&again, ves_alloc_default(), 2 * VES_STATE_MAX);
    REQUIRE(ves_jcs_write(&again, arena, root) == VES_OK);
    REQUIRE(ves_bytes_equal(ves_buf_view(&again), state));
    ves_buf_free(&again);
}

/* Folds one line into *state, swapping it with *spare. */
static void fold_line(struct ves_arena *arena, struct ves_bytes line,
                      struct ves_buf *state, struct ves_buf *spare)
{
    const struct ves_json_options options = {.safe_integers = true};
    struct ves_event event;
    struct ves_fold_note note, note2;
    struct ves_buf second;

    memset(&event, 0, sizeof(event));
    if (line.len == 0 ||
        ves_json_read(arena, ves_bytes(line.ptr + 1, line.len - 1), &options,
                      &event.payload, NULL))
        return;
    event.event_type = ves_bytes_str(types[line.ptr[0] % 16]);
    event.event_id.b[0] = line.ptr[0];

    ves_buf_reset(spare);
    REQUIRE(ves_fold(arena, ves_buf_view(state), &event, spare, &note) ==
            VES_OK);
    ves_buf_init(&second, ves_alloc_default(), 2 * VES_STATE_MAX);
    REQUIRE(ves_fold(arena, ves_buf_view(state), &event, &second, &note2) ==
            VES_OK);
    REQUIRE(ves_bytes_equal(ves_buf_view(spare), ves_buf_view(&second)));
    REQUIRE(note.is_unusable == note2.is_unusable);
    REQUIRE((note.reason[0] != '\0') == note.is_unusable);
    if (note.is_unusable)
        REQUIRE(ves_bytes_equal(ves_buf_view(state), ves_buf_view(spare)));
    check_state(arena, ves_buf_view(spare));
    ves_buf_free(&second);

    struct ves_buf kept = *state;
    *state = *spare;
    *spare = kept;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_arena arena;
    struct ves_buf state, spare;
    if (size > VES_PAYLOAD_MAX)
        return 0;
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 30);
    ves_buf_init(&state, ves_alloc_default(), 2 * VES_STATE_MAX);
    ves_buf_init(&spare, ves_alloc_default(), 2 * VES_STATE_MAX);
    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        fold_line(&arena, ves_bytes(data, len), &state, &spare);
        ves_arena_reset(&arena);
        size_t used = len + (end != NULL);
        data += used;
        size -= used;
    }
    ves_buf_free(&state);
    ves_buf_free(&spare);
    ves_arena_free(&arena);
    return 0;
}
