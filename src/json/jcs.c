/* jcs.c -- canonical JSON, RFC 8785. */
#include "json/jcs.h"

#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "json/number.h"
#include "json/order.h"
#include "json/scan.h"

/* Bytes of UTF-8 sort as code points do.  UTF-16 differs in one thing: the
 * surrogates of U+10000 and above (lead byte 0xF0 and up) come before U+E000
 * to U+FFFF (lead bytes 0xEE and 0xEF). */
static int compare_units(uint8_t a, uint8_t b)
{
    if (a >= 0xEE && b >= 0xEE && (a >= 0xF0) != (b >= 0xF0))
        return a >= 0xF0 ? -1 : 1;
    return a < b ? -1 : 1;
}

int ves_jcs_compare_keys(struct ves_bytes a, struct ves_bytes b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    size_t i = 0;
    while (len - i >= 8 && memcmp(a.ptr + i, b.ptr + i, 8) == 0)
        i += 8;
    for (; i < len; i++) {
        if (a.ptr[i] != b.ptr[i])
            return compare_units(a.ptr[i], b.ptr[i]);
    }
    return (a.len > b.len) - (a.len < b.len);
}

static size_t put_escape(uint8_t *out, uint8_t c)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    static const char hex[] = "0123456789abcdef";
    out[0] = '\\';
    for (size_t i = 0; short_forms[i]; i += 2) {
        if (c == (uint8_t)short_forms[i]) {
            out[1] = (uint8_t)short_forms[i + 1];
            return 2;
        }
    }
    out[1] = 'u';
    out[2] = '0';
    out[3] = '0';
    out[4] = (uint8_t)hex[c >> 4];
    out[5] = (uint8_t)hex[c & 15];
    return 6;
}

/* First byte at or after p that needs an escape, or end. */
static const uint8_t *find_escape(const uint8_t *p, const uint8_t *end)
{
    p = ves_scan_plain(p, end);
    while (p != end && *p >= 0x80)
        p = ves_scan_plain(p + 1, end);
    return p;
}

void ves_jcs_write_string(struct ves_buf *buf, struct ves_bytes utf8)
{
    /* Room for a text without escapes, the usual one, in one step. */
    uint8_t *out = ves_buf_reserve(buf, utf8.len + 2);
    if (!out)
        return;
    *out = '"';
    buf->len++;
    const uint8_t *p = utf8.ptr;
    const uint8_t *end = utf8.len ? p + utf8.len : p;
    while (p != end) {
        const uint8_t *start = p;
        p = find_escape(p, end);
        ves_buf_put(buf, start, (size_t)(p - start));
        if (p != end) {
            uint8_t escape[6];
            ves_buf_put(buf, escape, put_escape(escape, *p));
            p++;
        }
    }
    ves_buf_put_u8(buf, '"');
}

/* An open container and its child to be written next. */
struct frame {
    const struct ves_json *container;
    const struct ves_json *next;
    const struct ves_json *const *order; /* NULL: as linked */
    size_t written;
    bool has_comma; /* something stands before the next child */
};

struct writer {
    struct ves_buf *buf;
    struct ves_arena *arena;
    struct ves_bytes without; /* member of the root to leave out */
    struct ves_bytes with;    /* member of the root to add, until it was */
    struct ves_bytes value;   /* its value, canonical */
    struct frame stack[VES_JSON_DEPTH_LIMIT];
    size_t depth;
};

static enum ves_status open_container(struct writer *w,
                                      const struct ves_json *node)
{
    bool is_object = node->type == VES_JSON_OBJECT;
    ves_buf_put_u8(w->buf, is_object ? '{' : '[');
    VES_ASSERT(w->depth < VES_JSON_DEPTH_LIMIT);
    struct frame *f = &w->stack[w->depth++];
    *f = (struct frame){.container = node, .next = node->first};
    if (!is_object || ves_json_is_ordered(node))
        return VES_OK;
    f->order = node->sorted;
    if (!f->order) {
        const struct ves_json **order;
        if (ves_json_order(w->arena, node, &order))
            return VES_NOMEM;
        f->order = order;
    }
    f->next = f->order[0];
    return VES_OK;
}

/* The next child of the innermost container; NULL after the last. */
static const struct ves_json *take_child(struct frame *f)
{
    const struct ves_json *child = f->next;
    if (!child)
        return NULL;
    f->written++;
    if (!f->order)
        f->next = child->next;
    else
        f->next =
            f->written < f->container->count ? f->order[f->written] : NULL;
    return child;
}

static enum ves_status put_value(struct writer *w, const struct ves_json *node)
{
    char text[VES_NUMBER_TEXT];
    switch (node->type) {
    case VES_JSON_NULL:
        ves_buf_put(w->buf, "null", 4);
        return VES_OK;
    case VES_JSON_FALSE:
        ves_buf_put(w->buf, "false", 5);
        return VES_OK;
    case VES_JSON_TRUE:
        ves_buf_put(w->buf, "true", 4);
        return VES_OK;
    case VES_JSON_NUMBER:
        ves_buf_put(w->buf, text, ves_number_format(node->number, text));
        return VES_OK;
    case VES_JSON_STRING:
        ves_jcs_write_string(w->buf, node->string);
        return VES_OK;
    case VES_JSON_ARRAY:
    case VES_JSON_OBJECT:
        break;
    }
    return open_container(w, node);
}

static void put_key(struct writer *w, struct frame *f, struct ves_bytes key)
{
    if (f->has_comma)
        ves_buf_put_u8(w->buf, ',');
    f->has_comma = true;
    ves_jcs_write_string(w->buf, key);
    ves_buf_put_u8(w->buf, ':');
}

/* Is the place of the added member before next, the root's next child? */
static bool is_added_next(const struct writer *w, const struct ves_json *next)
{
    return w->with.len > 0 && w->depth == 1 &&
           (!next || ves_jcs_compare_keys(w->with, next->key) < 0);
}

/* Writes the next child of the innermost container, or closes it. */
static enum ves_status advance(struct writer *w)
{
    struct frame *f = &w->stack[w->depth - 1];
    bool is_object = f->container->type == VES_JSON_OBJECT;
    if (is_added_next(w, f->next)) {
        put_key(w, f, w->with);
        ves_buf_put_bytes(w->buf, w->value);
        w->with = ves_bytes(NULL, 0);
        return VES_OK;
    }
    const struct ves_json *child = take_child(f);
    if (child && w->depth == 1 && w->without.len && is_object &&
        ves_bytes_equal(child->key, w->without))
        child = take_child(f);
    if (!child) {
        ves_buf_put_u8(w->buf, is_object ? '}' : ']');
        w->depth--;
        return VES_OK;
    }
    if (is_object) {
        put_key(w, f, child->key);
        return put_value(w, child);
    }
    if (f->has_comma)
        ves_buf_put_u8(w->buf, ',');
    f->has_comma = true;
    return put_value(w, child);
}

static enum ves_status write_all(struct writer *w, const struct ves_json *node)
{
    struct ves_buf *buf = w->buf;
    w->depth = 0;
    enum ves_status status = put_value(w, node);
    while (!status && w->depth > 0 && !buf->status)
        status = advance(w);
    if (status && !buf->status)
        buf->status = status;
    return buf->status;
}

enum ves_status ves_jcs_write_without(struct ves_buf *buf,
                                      struct ves_arena *arena,
                                      const struct ves_json *object,
                                      const char *name)
{
    struct writer w;
    w.buf = buf;
    w.arena = arena;
    w.without = ves_bytes_str(name);
    w.with = ves_bytes(NULL, 0);
    return write_all(&w, object);
}

enum ves_status ves_jcs_write_with(struct ves_buf *buf, struct ves_arena *arena,
                                   const struct ves_json *object,
                                   const char *name, struct ves_bytes value)
{
    struct writer w;
    VES_ASSERT(object->type == VES_JSON_OBJECT);
    w.buf = buf;
    w.arena = arena;
    w.without = ves_bytes(NULL, 0);
    w.with = ves_bytes_str(name);
    w.value = value;
    return write_all(&w, object);
}

enum ves_status ves_jcs_write(struct ves_buf *buf, struct ves_arena *arena,
                              const struct ves_json *node)
{
    return ves_jcs_write_without(buf, arena, node, "");
}
