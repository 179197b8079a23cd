/* order.c -- members of an object in canonical order. */
#include "json/order.h"

#include <string.h>

#include "json/jcs.h"

bool ves_json_is_ordered(const struct ves_json *object)
{
    const struct ves_json *before = object->first;
    if (!before)
        return true;
    for (const struct ves_json *m = before->next; m; before = m, m = m->next) {
        if (ves_jcs_compare_keys(before->key, m->key) >= 0)
            return false;
    }
    return true;
}

static void merge(const struct ves_json **to, const struct ves_json **from,
                  size_t middle, size_t end)
{
    size_t a = 0;
    size_t b = middle;
    for (size_t i = 0; i < end; i++) {
        bool take_a =
            b == end || (a < middle &&
                         ves_jcs_compare_keys(from[a]->key, from[b]->key) <= 0);
        to[i] = from[take_a ? a++ : b++];
    }
}

enum ves_status ves_json_order(struct ves_arena *arena,
                               const struct ves_json *object,
                               const struct ves_json ***out)
{
    const size_t width_of_two = 2 * sizeof(const struct ves_json *);
    size_t count = object->count;
    if (count > SIZE_MAX / width_of_two)
        return VES_NOMEM;
    const struct ves_json **list = ves_arena_alloc(arena, count * width_of_two);
    if (!list)
        return VES_NOMEM;
    size_t n = 0;
    for (const struct ves_json *m = object->first; m; m = m->next)
        list[n++] = m;
    const struct ves_json **other = list + count;
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t at = 0; at < count; at += 2 * width) {
            size_t left = count - at;
            merge(other + at, list + at, width < left ? width : left,
                  2 * width < left ? 2 * width : left);
        }
        const struct ves_json **swap = list;
        list = other;
        other = swap;
    }
    *out = list;
    return VES_OK;
}
