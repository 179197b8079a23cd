/* test_folder.c -- one entity's state under a list of events. */
#include "test/lib/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "json/json.h"

void test_folder_init(struct test_folder *folder)
{
    memset(folder, 0, sizeof(*folder));
    ves_arena_init(&folder->arena, ves_alloc_default(), (size_t)256 << 20);
    ves_buf_init(&folder->state, ves_alloc_default(), 2 * VES_STATE_MAX);
    ves_buf_init(&folder->next, ves_alloc_default(), 2 * VES_STATE_MAX);
}

void test_folder_free(struct test_folder *folder)
{
    ves_arena_free(&folder->arena);
    ves_buf_free(&folder->state);
    ves_buf_free(&folder->next);
}

void test_folder_reset(struct test_folder *folder)
{
    ves_buf_reset(&folder->state);
    folder->count = 0;
}

void test_folder_apply_event(struct test_folder *folder,
                             const struct ves_event *event)
{
    ves_buf_reset(&folder->next);
    assert_int_equal(ves_fold(&folder->arena, VES_RULES_BUILT_IN,
                              ves_buf_view(&folder->state), event,
                              &folder->next, &folder->note),
                     VES_OK);
    ves_buf_reset(&folder->state);
    ves_buf_put_bytes(&folder->state, ves_buf_view(&folder->next));
    assert_int_equal(ves_buf_status(&folder->state), VES_OK);
    uint8_t *end = ves_buf_reserve(&folder->state, 1);
    assert_non_null(end);
    *end = '\0';
}

static void apply(struct test_folder *folder, const char *event_type,
                  bool has_context, uint32_t version, const char *payload)
{
    struct ves_event event;
    memset(&event, 0, sizeof(event));
    ves_arena_reset(&folder->arena);
    event.event_type = ves_bytes_str(event_type);
    event.entity_type = ves_bytes_str("any");
    event.entity_id = ves_bytes_str("1");
    event.event_id.b[15] = (uint8_t)++folder->count;
    event.context.is_present = has_context;
    event.context.schema_version = version;
    assert_int_equal(ves_json_read(&folder->arena, ves_bytes_str(payload), NULL,
                                   &event.payload, NULL),
                     VES_OK);
    test_folder_apply_event(folder, &event);
}

void test_folder_apply(struct test_folder *folder, const char *event_type,
                       const char *payload)
{
    apply(folder, event_type, false, 0, payload);
}

void test_folder_apply_version(struct test_folder *folder,
                               const char *event_type, uint32_t version,
                               const char *payload)
{
    apply(folder, event_type, true, version, payload);
}

const char *test_folder_state(const struct test_folder *folder)
{
    return folder->state.len ? (const char *)folder->state.ptr : "";
}
