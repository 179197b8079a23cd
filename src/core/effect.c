/* effect.c -- what one event does to its entity, and what commutes with it. */
#include "core/effect.h"

#include "base/bytes.h"
#include "base/endian.h"

/* Is path inside outer, or outer itself? */
static bool is_inside(struct ves_bytes path, struct ves_bytes outer)
{
    if (path.len < outer.len ||
        (outer.len > 0 && memcmp(path.ptr, outer.ptr, outer.len) != 0))
        return false;
    return path.len == outer.len || path.ptr[outer.len] == '/';
}

bool ves_effect_overlaps(const struct ves_effect *a, const struct ves_effect *b)
{
    return ves_bytes_is(a->path, VES_PATH_WHOLE) ||
           ves_bytes_is(b->path, VES_PATH_WHOLE) ||
           is_inside(a->path, b->path) || is_inside(b->path, a->path);
}

/* Does the order of two such operations at one path not matter? */
static bool is_free(enum ves_op op)
{
    return op == VES_OP_DELTA || op == VES_OP_ADD_TO_SET ||
           op == VES_OP_APPEND || op == VES_OP_ADVANCE || op == VES_OP_DELETE ||
           op == VES_OP_RESTORE;
}

/* Does it leave just that value at its path, or expect it there? */
static bool is_plain(enum ves_op op)
{
    return op == VES_OP_SET || op == VES_OP_TRANSITION || op == VES_OP_EXPECT;
}

bool ves_effect_commutes(const struct ves_effect *a, const struct ves_effect *b)
{
    if (!ves_effect_overlaps(a, b))
        return true;
    if (a->op == VES_OP_EXPECT && b->op == VES_OP_EXPECT)
        return true;
    if (!ves_bytes_equal(a->path, b->path))
        return false;
    if (a->op == b->op && is_free(a->op))
        return true;
    return (a->op == b->op || (is_plain(a->op) && is_plain(b->op))) &&
           ves_hash_equal(&a->value, &b->value);
}

bool ves_commutes(struct ves_effects a, struct ves_effects b)
{
    for (size_t i = 0; i < a.count; i++) {
        for (size_t k = 0; k < b.count; k++) {
            if (!ves_effect_commutes(&a.list[i], &b.list[k]))
                return false;
        }
    }
    return true;
}

bool ves_effects_are_deltas(struct ves_effects effects)
{
    for (size_t i = 0; i < effects.count; i++) {
        if (effects.list[i].op != VES_OP_DELTA)
            return false;
    }
    return true;
}

bool ves_effects_delete(struct ves_effects effects)
{
    return effects.count > 0 && effects.list[0].op == VES_OP_DELETE;
}

/* Is there something in the state that it writes?  Marks stand beside it. */
static bool writes_state(const struct ves_effect *effect)
{
    return effect->op != VES_OP_EXPECT && effect->path.len > 0 &&
           effect->path.ptr[0] != VES_PATH_BIRTH[0];
}

static bool is_touched(const struct ves_effect *effect,
                       struct ves_effects result)
{
    for (size_t i = 0; i < result.count; i++) {
        if (writes_state(&result.list[i]) &&
            ves_effect_overlaps(&result.list[i], effect))
            return true;
    }
    return false;
}

static bool disagrees(const struct ves_effect *effect, struct ves_effects other)
{
    for (size_t i = 0; i < other.count; i++) {
        if (!ves_effect_commutes(effect, &other.list[i]))
            return true;
    }
    return false;
}

bool ves_effects_settle(struct ves_effects result, struct ves_effects fact,
                        struct ves_effects other)
{
    bool is_disputed = false, is_any_touched = false, writes = false;

    for (size_t i = 0; i < fact.count; i++) {
        const struct ves_effect *effect = &fact.list[i];
        if (!writes_state(effect))
            continue;
        bool touched = is_touched(effect, result);
        writes = true;
        is_any_touched = is_any_touched || touched;
        if (!disagrees(effect, other))
            continue;
        is_disputed = true;
        if (!touched)
            return false;
    }
    return is_disputed || is_any_touched || !writes;
}

int ves_effects_tombstone(struct ves_effects effects)
{
    for (size_t i = effects.count; i > 0; i--) {
        if (effects.list[i - 1].op == VES_OP_DELETE)
            return 1;
        if (effects.list[i - 1].op == VES_OP_RESTORE)
            return -1;
    }
    return 0;
}

void ves_effects_write(struct ves_buf *buf, struct ves_effects effects)
{
    ves_buf_put_u32(buf, (uint32_t)effects.count);
    for (size_t i = 0; i < effects.count; i++) {
        const struct ves_effect *effect = &effects.list[i];
        ves_buf_put_u8(buf, (uint8_t)effect->op);
        ves_buf_put_lstr(buf, effect->path);
        ves_buf_put(buf, effect->value.b, VES_HASH_SIZE);
    }
}

/* Takes n bytes off the front. */
static bool take(struct ves_bytes *bytes, size_t n, const uint8_t **out)
{
    if (bytes->len < n)
        return false;
    *out = bytes->ptr;
    bytes->ptr += n;
    bytes->len -= n;
    return true;
}

static bool take_effect(struct ves_bytes *bytes, struct ves_effect *out)
{
    const uint8_t *op, *len, *path, *hash;

    if (!take(bytes, 1, &op) || !take(bytes, 4, &len))
        return false;
    size_t size = ves_load_u32(len);
    if (!take(bytes, size, &path) || !take(bytes, VES_HASH_SIZE, &hash))
        return false;
    if (*op < VES_OP_SET || *op > VES_OP_ADVANCE)
        return false;
    out->op = (enum ves_op) * op;
    out->path = ves_bytes(path, size);
    memcpy(out->value.b, hash, VES_HASH_SIZE);
    return true;
}

enum ves_status ves_effects_read(struct ves_arena *arena,
                                 struct ves_bytes bytes,
                                 struct ves_effects *out)
{
    enum { SMALLEST = 1 + 4 + VES_HASH_SIZE };
    const uint8_t *head;

    if (!take(&bytes, 4, &head))
        return VES_CORRUPT;
    size_t count = ves_load_u32(head);
    if (count > bytes.len / SMALLEST)
        return VES_CORRUPT;
    struct ves_effect *list = ves_arena_alloc(arena, count * sizeof(*list));
    if (!list)
        return VES_NOMEM;
    for (size_t i = 0; i < count; i++) {
        if (!take_effect(&bytes, &list[i]))
            return VES_CORRUPT;
    }
    if (bytes.len > 0)
        return VES_CORRUPT;
    out->list = list;
    out->count = count;
    return VES_OK;
}
