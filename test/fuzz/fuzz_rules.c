/* fuzz_rules.c -- any bytes as a rules document.
 *
 * Asserted: what is read says the same when its canonical form is read again,
 * is refused as a change of itself never, and its types give an answer for any
 * payload; what is not read says why.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "core/effect_read.h"
#include "core/fold.h"
#include "core/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static const char payload[] =
    "{\"id\":\"i\",\"a\":{\"b\":[1]},\"n\":\"1.5\",\"amount_minor\":3,"
    "\"lines\":[{\"quantity\":1}],\"patch\":{\"a\":null},\"t\":[\"x\"]}";

static void use(struct ves_arena *arena, const struct ves_rules *rules)
{
    const struct ves_rules_at at = {rules, VES_SEQUENCE_NEXT};
    struct ves_event event;
    struct ves_buf state, next;

    memset(&event, 0, sizeof(event));
    ves_buf_init(&state, ves_alloc_default(), 2 * VES_STATE_MAX);
    ves_buf_init(&next, ves_alloc_default(), 2 * VES_STATE_MAX);
    REQUIRE(ves_json_read(arena, ves_bytes_str(payload), NULL, &event.payload,
                          NULL) == VES_OK);
    for (size_t i = 0; ves_rules_type_at(rules, i); i++) {
        const struct ves_event_type *type = ves_rules_type_at(rules, i);
        struct ves_effects effects;
        struct ves_error error;
        event.event_type = ves_bytes_str(type->name);
        enum ves_status status =
            ves_event_type_check(type, event.payload, &error);
        REQUIRE(status == VES_OK || status == VES_INVALID);
        REQUIRE(ves_effects_of_payload(arena, type, event.payload,
                                       &event.event_id, &effects) == VES_OK);
        ves_buf_reset(&next);
        REQUIRE(ves_fold(arena, at, ves_buf_view(&state), &event, &next,
                         NULL) == VES_OK);
        struct ves_buf kept = state;
        state = next;
        next = kept;
    }
    ves_buf_free(&state);
    ves_buf_free(&next);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_error error = {.status = VES_OK};
    struct ves_rules *rules, *again;
    struct ves_arena arena;

    enum ves_status status = ves_rules_read(
        ves_alloc_default(), NULL, ves_bytes(data, size), 1, &rules, &error);
    if (status) {
        REQUIRE(!rules && (error.text[0] || status == VES_NOMEM));
        return 0;
    }
    REQUIRE(ves_rules_read(ves_alloc_default(), rules,
                           ves_rules_document(rules), 2, &again,
                           &error) == VES_OK);
    REQUIRE(
        ves_bytes_equal(ves_rules_document(rules), ves_rules_document(again)));
    ves_rules_free(again);
    ves_arena_init(&arena, ves_alloc_default(), (size_t)1 << 28);
    use(&arena, rules);
    ves_arena_free(&arena);
    ves_rules_free(rules);
    return 0;
}
