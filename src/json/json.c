/* json.c -- looking around in a tree of JSON values. */
#include "json/json.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "json/jcs.h"

static const struct ves_json *find_sorted(const struct ves_json *object,
                                          struct ves_bytes name)
{
    size_t low = 0;
    size_t high = object->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct ves_json *member = object->sorted[middle];
        int order = ves_jcs_compare_keys(name, member->key);
        if (order == 0)
            return member;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

const struct ves_json *ves_json_member_bytes(const struct ves_json *object,
                                             struct ves_bytes name)
{
    if (!object || object->type != VES_JSON_OBJECT)
        return NULL;
    if (object->sorted)
        return find_sorted(object, name);
    for (const struct ves_json *m = object->first; m; m = m->next) {
        if (ves_bytes_equal(m->key, name))
            return m;
    }
    return NULL;
}

const struct ves_json *ves_json_member(const struct ves_json *object,
                                       const char *name)
{
    return ves_json_member_bytes(object, ves_bytes_str(name));
}

bool ves_json_get_string(const struct ves_json *object, const char *name,
                         struct ves_bytes *out)
{
    const struct ves_json *m = ves_json_member(object, name);
    if (!m || m->type != VES_JSON_STRING)
        return false;
    *out = m->string;
    return true;
}

bool ves_json_get_u64(const struct ves_json *object, const char *name,
                      uint64_t *out)
{
    return ves_json_as_u64(ves_json_member(object, name), out);
}

bool ves_json_get_bool(const struct ves_json *object, const char *name,
                       bool *out)
{
    const struct ves_json *m = ves_json_member(object, name);
    if (!m || (m->type != VES_JSON_TRUE && m->type != VES_JSON_FALSE))
        return false;
    *out = m->type == VES_JSON_TRUE;
    return true;
}

bool ves_json_as_u64(const struct ves_json *node, uint64_t *out)
{
    if (!node || node->type != VES_JSON_NUMBER || !(node->number >= 0) ||
        node->number > (double)VES_SAFE_INTEGER_MAX)
        return false;
    uint64_t value = (uint64_t)node->number;
    if ((double)value != node->number)
        return false;
    *out = value;
    return true;
}

bool ves_json_is_absent(const struct ves_json *node)
{
    return !node || node->type == VES_JSON_NULL;
}

/* Does an RFC 6901 token, with ~0 and ~1 in it, stand for this name?  A "~"
 * followed by anything else stands for nothing. */
static bool token_is(struct ves_bytes token, struct ves_bytes name)
{
    size_t at = 0;
    for (size_t i = 0; i < token.len; i++, at++) {
        uint8_t c = token.ptr[i];
        if (c == '~') {
            if (++i == token.len || (token.ptr[i] | 1) != '1')
                return false;
            c = token.ptr[i] == '0' ? '~' : '/';
        }
        if (at == name.len || name.ptr[at] != c)
            return false;
    }
    return at == name.len;
}

static const struct ves_json *step(const struct ves_json *node,
                                   struct ves_bytes token)
{
    if (node->type == VES_JSON_OBJECT) {
        if (token.len == 0 || !memchr(token.ptr, '~', token.len))
            return ves_json_member_bytes(node, token);
        for (const struct ves_json *m = node->first; m; m = m->next) {
            if (token_is(token, m->key))
                return m;
        }
        return NULL;
    }
    uint64_t index;
    if (node->type != VES_JSON_ARRAY || ves_decimal_parse(token, &index) ||
        index >= node->count)
        return NULL;
    const struct ves_json *item = node->first;
    while (index-- > 0)
        item = item->next;
    return item;
}

const struct ves_json *ves_json_pointer(const struct ves_json *root,
                                        struct ves_bytes pointer)
{
    const struct ves_json *node = root;
    while (node && pointer.len > 0) {
        if (pointer.ptr[0] != '/')
            return NULL;
        pointer.ptr++;
        pointer.len--;
        const uint8_t *slash =
            pointer.len ? memchr(pointer.ptr, '/', pointer.len) : NULL;
        size_t n = slash ? (size_t)(slash - pointer.ptr) : pointer.len;
        node = step(node, ves_bytes(pointer.ptr, n));
        pointer.ptr += n;
        pointer.len -= n;
    }
    return node;
}

/* Two containers whose children are being compared. */
struct pair {
    const struct ves_json *next; /* child of a to compare next */
    const struct ves_json *hint; /* child of b at the same place */
    const struct ves_json *b;
};

/* Equal but for their children? */
static bool same_shape(const struct ves_json *a, const struct ves_json *b)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case VES_JSON_NUMBER:
        return a->number == b->number;
    case VES_JSON_STRING:
        return ves_bytes_equal(a->string, b->string);
    case VES_JSON_ARRAY:
    case VES_JSON_OBJECT:
        return a->count == b->count;
    default:
        return true;
    }
}

bool ves_json_equal(const struct ves_json *a, const struct ves_json *b)
{
    struct pair stack[VES_JSON_DEPTH_LIMIT];
    size_t depth = 0;
    for (;;) {
        if (!same_shape(a, b))
            return false;
        if (a->first) {
            VES_ASSERT(depth < VES_JSON_DEPTH_LIMIT);
            stack[depth++] = (struct pair){a->first, b->first, b};
        }
        while (depth > 0 && !stack[depth - 1].next)
            depth--;
        if (depth == 0)
            return true;
        struct pair *top = &stack[depth - 1];
        a = top->next;
        b = top->hint;
        /* Members may stand in another order; most do not. */
        if (top->b->type == VES_JSON_OBJECT && !ves_bytes_equal(a->key, b->key))
            b = ves_json_member_bytes(top->b, a->key);
        if (!b)
            return false;
        top->next = a->next;
        top->hint = top->hint->next;
    }
}
