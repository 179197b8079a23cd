/* fuzz_fold.c -- any payloads, one a line, folded into one state.
 *
 * A line is an event type, a space and a payload.  Asserted: payload check,
 * footprint and operations give an answer; every state is canonical JSON, an
 * object, without a top-level "_ves"; folding again gives the same bytes; an
 * unusable event changes nothing and says why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "core/effect_read.h"
#include "core/fold.h"
#include "json/jcs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

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

/* The payload check, the footprint and the operations take anything. */
static void check_type(struct ves_arena *arena, const struct ves_event *event)
{
    const struct ves_event_type *type = ves_event_type_find(event->event_type);
    struct ves_error error = {.status = VES_OK};
    struct ves_effects effects;
    struct ves_buf list;

    if (!type)
        return;
    enum ves_status status = ves_event_type_check(type, event->payload, &error);
    REQUIRE(status == VES_OK || (status == VES_INVALID && error.text[0]));
    if (event->payload->type != VES_JSON_OBJECT)
        return;
    REQUIRE(ves_effects_of_payload(arena, type, event->payload,
                                   &event->event_id, &effects) == VES_OK);
    REQUIRE(effects.count <= VES_EFFECTS_MAX);
    ves_buf_init(&list, ves_alloc_default(), 8 * VES_STATE_MAX);
    status = ves_operations_write(arena, type, event->payload, &event->event_id,
                                  &list);
    REQUIRE(status == VES_OK || status == VES_INVALID);
    if (status == VES_OK) {
        const struct ves_json *root;
        REQUIRE(ves_json_read(arena, ves_buf_view(&list), NULL, &root, NULL) ==
                VES_OK);
    }
    ves_buf_free(&list);
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
    const uint8_t *space = memchr(line.ptr, ' ', line.len);
    if (!space)
        return;
    size_t len = (size_t)(space - line.ptr);
    if (ves_json_read(arena, ves_bytes(space + 1, line.len - len - 1), &options,
                      &event.payload, NULL))
        return;
    event.event_type = ves_bytes(line.ptr, len);
    event.event_id.b[0] = (uint8_t)len;

    ves_buf_reset(spare);
    REQUIRE(ves_fold(arena, VES_RULES_BUILT_IN, ves_buf_view(state), &event,
                     spare, &note) == VES_OK);
    ves_buf_init(&second, ves_alloc_default(), 2 * VES_STATE_MAX);
    REQUIRE(ves_fold(arena, VES_RULES_BUILT_IN, ves_buf_view(state), &event,
                     &second, &note2) == VES_OK);
    REQUIRE(ves_bytes_equal(ves_buf_view(spare), ves_buf_view(&second)));
    REQUIRE(note.is_unusable == note2.is_unusable);
    REQUIRE((note.reason[0] != '\0') == note.is_unusable);
    if (note.is_unusable)
        REQUIRE(ves_bytes_equal(ves_buf_view(state), ves_buf_view(spare)));
    check_state(arena, ves_buf_view(spare));
    ves_buf_free(&second);
    check_type(arena, &event);

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
