/* fuzz_json.c -- any bytes: what the reader takes has one canonical form that
 * reads back as the same value; what it refuses, it refuses inside the input.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/text.h"
#include "json/jcs.h"
#include "json/json.h"
#include "json/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Numbers: printed and read again they are the same double, and the exact
 * judge agrees with the double wherever it can. */
static void check_number(const struct ves_json *node)
{
    char text[VES_NUMBER_TEXT];
    double again;
    size_t len = ves_number_format(node->number, text);
    VES_ASSERT(len <= sizeof(text));
    VES_ASSERT(ves_number_parse(ves_bytes(text, len), &again) == VES_OK);
    VES_ASSERT(again == node->number);
    VES_ASSERT(ves_number_parse(node->text, &again) == VES_OK);
    VES_ASSERT(again == node->number);
    VES_ASSERT(signbit(again) == signbit(node->number));
    if (ves_number_is_unsafe_integer(node->text))
        VES_ASSERT(fabs(node->number) >= 9007199254740992.0);
    if (ves_number_is_unsafe_integer(ves_bytes(text, len)))
        VES_ASSERT(fabs(node->number) >= 9007199254740992.0);
}

static void check_nodes(const struct ves_json *node)
{
    if (node->type == VES_JSON_NUMBER)
        check_number(node);
    if (node->type == VES_JSON_STRING)
        VES_ASSERT(ves_utf8_valid(node->string, NULL));
    size_t count = 0;
    for (const struct ves_json *c = node->first; c; c = c->next, count++) {
        if (node->type == VES_JSON_OBJECT) {
            VES_ASSERT(ves_utf8_valid(c->key, NULL));
            VES_ASSERT(ves_json_member_bytes(node, c->key) == c);
        }
        VES_ASSERT(c->text.ptr >= node->text.ptr &&
                   c->text.ptr + c->text.len < node->text.ptr + node->text.len);
        check_nodes(c);
    }
    VES_ASSERT(count == node->count);
}

static void check_accepted(struct ves_arena *arena, struct ves_bytes input,
                           const struct ves_json_options *options,
                           const struct ves_json *root)
{
    check_nodes(root);
    size_t end = 0;
    VES_ASSERT(ves_json_skip(input, &end, NULL) == VES_OK);
    VES_ASSERT(end == (size_t)(root->text.ptr + root->text.len - input.ptr));

    struct ves_buf first;
    struct ves_buf second;
    ves_buf_init(&first, ves_alloc_default(), SIZE_MAX);
    ves_buf_init(&second, ves_alloc_default(), SIZE_MAX);
    VES_ASSERT(ves_jcs_write(&first, arena, root) == VES_OK);
    const struct ves_json *again;
    VES_ASSERT(ves_json_read(arena, ves_buf_view(&first), options, &again,
                             NULL) == VES_OK);
    VES_ASSERT(ves_json_equal(root, again) && ves_json_equal(again, root));
    VES_ASSERT(ves_jcs_write(&second, arena, again) == VES_OK);
    VES_ASSERT(ves_bytes_equal(ves_buf_view(&first), ves_buf_view(&second)));
    ves_buf_free(&first);
    ves_buf_free(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ves_json_options choices[] = {
        {0, false}, {0, true}, {3, false}};
    struct ves_bytes input = ves_bytes(data, size);
    struct ves_arena arena;
    bool ok[3];
    ves_arena_init(&arena, ves_alloc_default(), SIZE_MAX);
    for (size_t i = 0; i < 3; i++) {
        const struct ves_json *root = NULL;
        struct ves_json_where where = {SIZE_MAX, NULL};
        enum ves_status status =
            ves_json_read(&arena, input, &choices[i], &root, &where);
        ok[i] = status == VES_OK;
        if (ok[i]) {
            check_accepted(&arena, input, &choices[i], root);
        } else {
            VES_ASSERT(status == VES_MALFORMED);
            VES_ASSERT(where.offset <= size && where.reason);
        }
        ves_arena_reset(&arena);
    }
    /* A stricter reader takes nothing that the plain one refuses. */
    VES_ASSERT(ok[0] || (!ok[1] && !ok[2]));

    size_t offset = 0;
    while (ves_json_skip(input, &offset, NULL) == VES_OK)
        VES_ASSERT(offset > 0 && offset <= size);
    double number;
    if (ves_number_parse(input, &number) == VES_OK)
        VES_ASSERT(ok[0]);
    ves_arena_free(&arena);
    return 0;
}
