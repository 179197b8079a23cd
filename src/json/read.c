/* read.c -- strict JSON reader.
 *
 * One loop over values with an explicit stack of open containers; a string is
 * looked at once, and copied only when it has escapes.
 */
#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "json/json.h"
#include "json/number.h"
#include "json/order.h"
#include "json/scan.h"

/* An open container and the child read last. */
struct frame {
    struct ves_json *node;
    struct ves_json *last;
};

enum { NODES_AT_ONCE = 16 };

struct reader {
    const uint8_t *p;
    const uint8_t *start;
    const uint8_t *end;
    struct ves_arena *arena;
    struct ves_json *spare; /* nodes to come, zeroed */
    size_t spare_count;
    struct frame *frames;
    uint32_t depth;
    uint32_t depth_max;
    bool safe_integers;
    struct ves_json_where *where; /* may be NULL */
};

static const char too_short[] = "the input ends too early";

static enum ves_status fail(struct reader *r, const uint8_t *at,
                            const char *reason)
{
    return ves_scan_fail(r->where, (size_t)(at - r->start), reason);
}

/* Something else was expected at r->p. */
static enum ves_status fail_here(struct reader *r, const char *reason)
{
    return fail(r, r->p, r->p == r->end ? too_short : reason);
}

static enum ves_status fail_memory(struct reader *r)
{
    fail(r, r->p, "out of memory");
    return VES_NOMEM;
}

/* A zeroed node, or NULL. */
static struct ves_json *new_node(struct reader *r)
{
    if (r->spare_count == 0) {
        r->spare = ves_arena_alloc(r->arena, NODES_AT_ONCE * sizeof(*r->spare));
        if (!r->spare)
            return NULL;
        r->spare_count = NODES_AT_ONCE;
    }
    r->spare_count--;
    return r->spare++;
}

static bool read_hex4(const uint8_t *p, const uint8_t *end, uint32_t *unit)
{
    uint8_t b[2];
    if (end - p < 4 || ves_hex_decode(ves_bytes(p, 4), b, sizeof(b)))
        return false;
    *unit = (uint32_t)b[0] << 8 | b[1];
    return true;
}

static bool is_high_surrogate(uint32_t unit)
{
    return unit >= 0xD800 && unit <= 0xDBFF;
}

static bool is_low_surrogate(uint32_t unit)
{
    return unit >= 0xDC00 && unit <= 0xDFFF;
}

/* Checks the escape at *p and moves over it, both halves of a pair. */
static enum ves_status check_escape(struct reader *r, const uint8_t **p)
{
    const uint8_t *at = *p;
    if (r->end - at < 2)
        return fail(r, r->end, too_short);
    if (at[1] != 'u') {
        if (at[1] == '\0' || !strchr("\"\\/bfnrt", at[1]))
            return fail(r, at, "no such escape in a string");
        *p = at + 2;
        return VES_OK;
    }
    uint32_t unit;
    if (!read_hex4(at + 2, r->end, &unit))
        return fail(r, at, "\\u needs four hexadecimal digits");
    *p = at + 6;
    if (is_low_surrogate(unit))
        return fail(r, at, "a low surrogate without a high one before it");
    if (!is_high_surrogate(unit))
        return VES_OK;
    if (r->end - at < 12 || at[6] != '\\' || at[7] != 'u' ||
        !read_hex4(at + 8, r->end, &unit) || !is_low_surrogate(unit))
        return fail(r, at, "a high surrogate without a low one after it");
    *p = at + 12;
    return VES_OK;
}

static uint8_t *put_utf8(uint8_t *out, uint32_t c)
{
    if (c < 0x80) {
        *out++ = (uint8_t)c;
        return out;
    }
    if (c < 0x800) {
        *out++ = (uint8_t)(0xC0 | c >> 6);
    } else {
        if (c < 0x10000) {
            *out++ = (uint8_t)(0xE0 | c >> 12);
        } else {
            *out++ = (uint8_t)(0xF0 | c >> 18);
            *out++ = (uint8_t)(0x80 | (c >> 12 & 0x3F));
        }
        *out++ = (uint8_t)(0x80 | (c >> 6 & 0x3F));
    }
    *out++ = (uint8_t)(0x80 | (c & 0x3F));
    return out;
}

/* Decodes the checked escape at *p. */
static uint8_t *put_escape(uint8_t *out, const uint8_t **p)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    const uint8_t *at = *p;
    if (at[1] != 'u') {
        *p = at + 2;
        *out = (uint8_t)to[strchr(from, at[1]) - from];
        return out + 1;
    }
    uint32_t c = 0;
    uint32_t low = 0;
    bool ok = read_hex4(at + 2, at + 6, &c);
    *p = at + 6;
    if (is_high_surrogate(c)) {
        ok = ok && read_hex4(at + 8, at + 12, &low);
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        *p = at + 12;
    }
    VES_ASSERT(ok);
    return put_utf8(out, c);
}

static enum ves_status unescape(struct reader *r, struct ves_bytes raw,
                                struct ves_bytes *out)
{
    /* No escape is shorter than what it stands for. */
    uint8_t *to = ves_arena_bytes(r->arena, raw.len);
    if (!to)
        return fail_memory(r);
    out->ptr = to;
    const uint8_t *p = raw.ptr;
    const uint8_t *end = p + raw.len;
    while (p != end) {
        const uint8_t *slash = memchr(p, '\\', (size_t)(end - p));
        size_t n = (size_t)((slash ? slash : end) - p);
        memcpy(to, p, n);
        to += n;
        p += n;
        if (slash)
            to = put_escape(to, &p);
    }
    out->len = (size_t)(to - out->ptr);
    return VES_OK;
}

/* Reads the string whose opening quote is at r->p. */
static enum ves_status read_string(struct reader *r, struct ves_bytes *out)
{
    const uint8_t *start = r->p + 1;
    const uint8_t *p = start;
    bool escaped = false;
    for (;;) {
        p = ves_scan_plain(p, r->end);
        if (p == r->end)
            return fail(r, p, "the input ends inside a string");
        if (*p == '"')
            break;
        if (*p == '\\') {
            escaped = true;
            enum ves_status status = check_escape(r, &p);
            if (status)
                return status;
            continue;
        }
        if (*p < 0x20)
            return fail(r, p, "a control character in a string");
        size_t n = ves_utf8_sequence(p, (size_t)(r->end - p));
        if (n == 0)
            return fail(r, p, "invalid UTF-8");
        p += n;
    }
    r->p = p + 1;
    *out = ves_bytes(start, (size_t)(p - start));
    return escaped ? unescape(r, *out, out) : VES_OK;
}

static bool is_digit(const struct reader *r)
{
    return r->p != r->end && *r->p >= '0' && *r->p <= '9';
}

/* One digit or more. */
static enum ves_status skip_digits(struct reader *r)
{
    if (!is_digit(r))
        return fail_here(r, "a digit was expected");
    while (is_digit(r))
        r->p++;
    return VES_OK;
}

static enum ves_status skip_fraction(struct reader *r)
{
    enum ves_status status = VES_OK;
    if (r->p != r->end && *r->p == '.') {
        r->p++;
        status = skip_digits(r);
    }
    if (!status && r->p != r->end && (*r->p == 'e' || *r->p == 'E')) {
        r->p++;
        if (r->p != r->end && (*r->p == '+' || *r->p == '-'))
            r->p++;
        status = skip_digits(r);
    }
    return status;
}

static enum ves_status read_number(struct reader *r, struct ves_json *node)
{
    const uint8_t *start = r->p;
    bool negative = *start == '-';
    if (negative)
        r->p++;
    const uint8_t *digits = r->p;
    uint64_t value = 0;
    for (; is_digit(r); r->p++)
        value = value * 10 + (uint64_t)(*r->p - '0');
    size_t count = (size_t)(r->p - digits);
    if (count == 0)
        return fail_here(r, "a digit was expected");
    if (count > 1 && *digits == '0')
        return fail(r, digits, "a number starts with a needless zero");
    const uint8_t *integer_end = r->p;
    enum ves_status status = skip_fraction(r);
    if (status)
        return status;
    node->type = VES_JSON_NUMBER;
    node->text = ves_bytes(start, (size_t)(r->p - start));
    const uint64_t two53 = UINT64_C(1) << 53;
    if (r->p == integer_end && count <= 16 && value <= two53)
        node->number = negative ? -(double)value : (double)value;
    else if (ves_number_parse(node->text, &node->number))
        return fail(r, start, "number out of range");
    /* Every double from 2^53 on is an integer. */
    if (r->safe_integers &&
        (node->number >= (double)two53 || node->number <= -(double)two53))
        return fail(r, start, "an integer beyond 2^53-1");
    return VES_OK;
}

static enum ves_status read_word(struct reader *r, struct ves_json *node,
                                 const char *word, enum ves_json_type type)
{
    size_t len = strlen(word);
    if ((size_t)(r->end - r->p) < len || memcmp(r->p, word, len) != 0)
        return fail(r, r->p, "a value was expected");
    node->type = type;
    node->text = ves_bytes(r->p, len);
    r->p += len;
    return VES_OK;
}

static enum ves_status open_container(struct reader *r, struct ves_json *node)
{
    if (r->depth == r->depth_max)
        return fail(r, r->p, "nested too deeply");
    node->type = *r->p == '{' ? VES_JSON_OBJECT : VES_JSON_ARRAY;
    node->text = ves_bytes(r->p, 1);
    r->p++;
    r->frames[r->depth++] = (struct frame){node, NULL};
    return VES_OK;
}

/* A scalar is complete afterwards; a container is open on the stack. */
static enum ves_status read_value(struct reader *r, struct ves_json *node)
{
    if (r->p == r->end)
        return fail(r, r->p, too_short);
    switch (*r->p) {
    case '{':
    case '[':
        return open_container(r, node);
    case '"': {
        const uint8_t *start = r->p;
        node->type = VES_JSON_STRING;
        enum ves_status status = read_string(r, &node->string);
        node->text = ves_bytes(start, (size_t)(r->p - start));
        return status;
    }
    case 't':
        return read_word(r, node, "true", VES_JSON_TRUE);
    case 'f':
        return read_word(r, node, "false", VES_JSON_FALSE);
    case 'n':
        return read_word(r, node, "null", VES_JSON_NULL);
    default:
        if (*r->p != '-' && !is_digit(r))
            return fail(r, r->p, "a value was expected");
        return read_number(r, node);
    }
}

static enum ves_status read_key(struct reader *r, struct ves_bytes *key)
{
    r->p = ves_scan_blanks(r->p, r->end);
    if (r->p == r->end || *r->p != '"')
        return fail_here(r, "a member name in quotes was expected");
    enum ves_status status = read_string(r, key);
    if (status)
        return status;
    r->p = ves_scan_blanks(r->p, r->end);
    if (r->p == r->end || *r->p != ':')
        return fail_here(r, "':' was expected after a member name");
    r->p++;
    return VES_OK;
}

/* Reports the name of a member, which starts after the member before it. */
static enum ves_status fail_duplicate(struct reader *r,
                                      const struct ves_json *object,
                                      const struct ves_json *member)
{
    const uint8_t *p = object->text.ptr + 1;
    for (const struct ves_json *m = object->first; m != member; m = m->next)
        p = m->text.ptr + m->text.len;
    p = ves_scan_blanks(p, r->end);
    if (*p == ',')
        p = ves_scan_blanks(p + 1, r->end);
    return fail(r, p, "a duplicate member name");
}

/* First member that repeats an earlier one among few, or NULL. */
static const struct ves_json *find_duplicate(const struct ves_json *object)
{
    for (const struct ves_json *m = object->first; m; m = m->next) {
        for (const struct ves_json *e = object->first; e != m; e = e->next) {
            if (ves_bytes_equal(e->key, m->key))
                return m;
        }
    }
    return NULL;
}

/* Refuses duplicate names and leaves a large object sorted. */
static enum ves_status check_members(struct reader *r, struct ves_json *object)
{
    const struct ves_json *first = NULL; /* duplicate in document order */
    if (object->count <= VES_JSON_SMALL) {
        if (!ves_json_is_ordered(object))
            first = find_duplicate(object);
        return first ? fail_duplicate(r, object, first) : VES_OK;
    }
    const struct ves_json **sorted;
    if (ves_json_order(r->arena, object, &sorted))
        return fail_memory(r);
    for (size_t i = 1; i < object->count; i++) {
        if (ves_bytes_equal(sorted[i - 1]->key, sorted[i]->key) &&
            (!first || sorted[i]->text.ptr < first->text.ptr))
            first = sorted[i];
    }
    object->sorted = sorted;
    return first ? fail_duplicate(r, object, first) : VES_OK;
}

/* Moves over the bracket that closes the innermost container. */
static enum ves_status close_container(struct reader *r)
{
    struct ves_json *node = r->frames[--r->depth].node;
    r->p++;
    node->text.len = (size_t)(r->p - node->text.ptr);
    return node->type == VES_JSON_OBJECT ? check_members(r, node) : VES_OK;
}

/* After a value: closes what ends here, and moves over the comma before the
 * next value unless the document is complete. */
static enum ves_status finish_value(struct reader *r)
{
    while (r->depth > 0) {
        bool is_object = r->frames[r->depth - 1].node->type == VES_JSON_OBJECT;
        r->p = ves_scan_blanks(r->p, r->end);
        if (r->p != r->end && *r->p == ',') {
            r->p++;
            return VES_OK;
        }
        if (r->p == r->end || *r->p != (is_object ? '}' : ']'))
            return fail_here(r, is_object ? "',' or '}' was expected"
                                          : "',' or ']' was expected");
        enum ves_status status = close_container(r);
        if (status)
            return status;
    }
    return VES_OK;
}

/* Reads one value with its name, and what ends with it. */
static enum ves_status read_node(struct reader *r, struct ves_json *node)
{
    struct frame *parent = r->depth ? &r->frames[r->depth - 1] : NULL;
    enum ves_status status = VES_OK;
    if (parent && parent->node->type == VES_JSON_OBJECT)
        status = read_key(r, &node->key);
    if (status)
        return status;
    r->p = ves_scan_blanks(r->p, r->end);
    if (parent) {
        if (parent->last)
            parent->last->next = node;
        else
            parent->node->first = node;
        parent->last = node;
        parent->node->count++;
    }
    uint32_t depth = r->depth;
    status = read_value(r, node);
    if (status)
        return status;
    if (r->depth == depth)
        return finish_value(r);
    r->p = ves_scan_blanks(r->p, r->end);
    char close = node->type == VES_JSON_OBJECT ? '}' : ']';
    if (r->p == r->end || *r->p != (uint8_t)close)
        return VES_OK;
    status = close_container(r);
    return status ? status : finish_value(r);
}

enum ves_status ves_json_read(struct ves_arena *arena, struct ves_bytes input,
                              const struct ves_json_options *options,
                              const struct ves_json **root,
                              struct ves_json_where *where)
{
    static const uint8_t nothing[1];
    const uint8_t *start = input.len ? input.ptr : nothing;
    struct reader r = {
        .p = start,
        .start = start,
        .end = start + input.len,
        .arena = arena,
        .depth_max = VES_JSON_DEPTH_MAX,
        .where = where,
    };
    if (options) {
        VES_ASSERT(options->depth_max <= VES_JSON_DEPTH_LIMIT);
        if (options->depth_max)
            r.depth_max = options->depth_max;
        r.safe_integers = options->safe_integers;
    }
    struct frame frames[VES_JSON_DEPTH_LIMIT];
    r.frames = frames;
    struct ves_json *top = NULL;
    do {
        struct ves_json *node = new_node(&r);
        if (!node)
            return fail_memory(&r);
        if (!top)
            top = node;
        enum ves_status status = read_node(&r, node);
        if (status)
            return status;
    } while (r.depth > 0);
    r.p = ves_scan_blanks(r.p, r.end);
    if (r.p != r.end)
        return fail(&r, r.p, "bytes after the end of the document");
    *root = top;
    return VES_OK;
}
