/* fuzz_key_event.c -- any JSON as the payload of a key event.
 *
 * The first byte says which kind.  Asserted: what is read is written, and read
 * again the same; a refusal has words; whatever a payload says, a state that
 * refuses it has not changed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/key_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static bool read_one(struct ves_arena *arena, enum ves_key_event_kind kind,
                     struct ves_bytes text, struct ves_key_event *out)
{
    struct ves_event event = {.event_type =
                                  ves_bytes_str(ves_key_event_type(kind)),
                              .entity_type = ves_bytes_str(VES_KEY_ENTITY_TYPE),
                              .entity_id = ves_bytes_str(VES_KEY_ENTITY_ID)};
    struct ves_error why = {.status = VES_OK};

    if (ves_json_read(arena, text, NULL, &event.payload, NULL))
        return false;
    enum ves_status status = ves_key_event_read(&event, out, &why);
    if (status)
        REQUIRE(why.status == status && why.text[0] != '\0');
    return status == VES_OK;
}

static void apply(struct ves_arena *arena, const struct ves_key_event *event)
{
    struct ves_key_world world = {.has_owner = true};
    struct ves_key_state state = {.agent = event->agent};
    struct ves_key_policy policy = {0};
    enum ves_key_fault fault = VES_KEY_FAULT_NONE;

    if (event->kind == VES_KEY_EVENT_POLICY) {
        REQUIRE(ves_key_policy_apply(&world, event, 9, &policy) != 0);
        return;
    }
    if (event->kind == VES_KEY_EVENT_SEQUENCER) {
        (void)ves_sequencer_key_check(event, &event->public_key);
        return;
    }
    REQUIRE(ves_key_event_apply(arena, &world, event, 9, &state, &fault) ==
            VES_OK);
    REQUIRE((state.count == 0) == (fault != VES_KEY_FAULT_NONE));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_key_event event, again;
    struct ves_arena arena;
    struct ves_buf buf;

    if (size < 1 || ves_crypto_init() != VES_OK)
        return 0;
    enum ves_key_event_kind kind =
        (enum ves_key_event_kind)(1 + data[0] % VES_KEY_EVENT_SEQUENCER);
    ves_arena_init(&arena, ves_alloc_default(), 16 << 20);
    if (read_one(&arena, kind, ves_bytes(data + 1, size - 1), &event)) {
        ves_buf_init(&buf, ves_alloc_default(), VES_KEY_EVENT_MAX);
        ves_key_event_write(&buf, &event);
        REQUIRE(ves_buf_status(&buf) == VES_OK);
        REQUIRE(read_one(&arena, kind, ves_buf_view(&buf), &again));
        REQUIRE(memcmp(&event, &again, sizeof(event)) == 0);
        ves_buf_free(&buf);
        apply(&arena, &event);
    }
    ves_arena_free(&arena);
    return 0;
}
