/* buf.c -- a growable byte buffer with a mandatory maximum. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "base/text.h"
#include "base/uuid.h"

enum { CAP_MIN = 64 };

static bool grow(struct ves_buf *buf, size_t n)
{
    if (n > buf->max - buf->len) {
        buf->status = VES_LIMIT;
        return false;
    }
    size_t need = buf->len + n;
    size_t cap = buf->cap < CAP_MIN ? CAP_MIN : buf->cap;
    while (cap < need)
        cap = cap > buf->max / 2 ? buf->max : cap * 2;
    if (cap > buf->max)
        cap = buf->max;
    uint8_t *ptr = buf->alloc->realloc(buf->alloc->ctx, buf->ptr, cap);
    if (!ptr) {
        buf->status = VES_NOMEM;
        return false;
    }
    buf->ptr = ptr;
    buf->cap = cap;
    return true;
}

static inline bool room(struct ves_buf *buf, size_t n)
{
    if (buf->status)
        return false;
    return n <= buf->cap - buf->len || grow(buf, n);
}

void ves_buf_init(struct ves_buf *buf, const struct ves_alloc *alloc,
                  size_t max)
{
    VES_ASSERT(alloc && alloc->realloc);
    *buf = (struct ves_buf){.alloc = alloc, .max = max};
}

void ves_buf_free(struct ves_buf *buf)
{
    if (buf->ptr)
        buf->alloc->realloc(buf->alloc->ctx, buf->ptr, 0);
    ves_buf_init(buf, buf->alloc, buf->max);
}

void ves_buf_reset(struct ves_buf *buf)
{
    buf->len = 0;
    buf->status = VES_OK;
}

void ves_buf_put(struct ves_buf *buf, const void *data, size_t len)
{
    if (len == 0 || !room(buf, len))
        return;
    memcpy(buf->ptr + buf->len, data, len);
    buf->len += len;
}

void ves_buf_put_bytes(struct ves_buf *buf, struct ves_bytes bytes)
{
    ves_buf_put(buf, bytes.ptr, bytes.len);
}

void ves_buf_put_str(struct ves_buf *buf, const char *text)
{
    ves_buf_put_bytes(buf, ves_bytes_str(text));
}

void ves_buf_put_u8(struct ves_buf *buf, uint8_t value)
{
    if (!room(buf, 1))
        return;
    buf->ptr[buf->len++] = value;
}

void ves_buf_put_u32(struct ves_buf *buf, uint32_t value)
{
    uint8_t b[4];
    ves_store_u32(b, value);
    ves_buf_put(buf, b, sizeof(b));
}

void ves_buf_put_u64(struct ves_buf *buf, uint64_t value)
{
    uint8_t b[8];
    ves_store_u64(b, value);
    ves_buf_put(buf, b, sizeof(b));
}

void ves_buf_put_decimal(struct ves_buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    ves_buf_put(buf, digits + at, sizeof(digits) - at);
}

void ves_buf_put_hex(struct ves_buf *buf, const void *data, size_t len)
{
    if (len == 0)
        return;
    if (len > SIZE_MAX / 2) {
        if (!buf->status)
            buf->status = VES_LIMIT;
        return;
    }
    if (!room(buf, 2 * len))
        return;
    ves_hex_encode(data, len, (char *)buf->ptr + buf->len);
    buf->len += 2 * len;
}

void ves_buf_put_uuid(struct ves_buf *buf, const struct ves_uuid *uuid)
{
    char text[VES_UUID_TEXT + 1];
    ves_uuid_format(uuid, text);
    ves_buf_put(buf, text, VES_UUID_TEXT);
}

void ves_buf_put_lstr(struct ves_buf *buf, struct ves_bytes text)
{
    if (text.len > UINT32_MAX) {
        if (!buf->status)
            buf->status = VES_LIMIT;
        return;
    }
    ves_buf_put_u32(buf, (uint32_t)text.len);
    ves_buf_put_bytes(buf, text);
}

void ves_buf_vputf(struct ves_buf *buf, const char *format, va_list args)
{
    char text[256];
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(text, sizeof(text), format, args);
    VES_ASSERT(n >= 0);
    size_t len = (size_t)n;
    if (len < sizeof(text)) {
        ves_buf_put(buf, text, len);
    } else if (len > buf->max - buf->len) {
        if (!buf->status)
            buf->status = VES_LIMIT;
    } else {
        /* vsnprintf writes a NUL, which the maximum need not have room for. */
        uint8_t *out = buf->alloc->realloc(buf->alloc->ctx, NULL, len + 1);
        if (out) {
            vsnprintf((char *)out, len + 1, format, again);
            ves_buf_put(buf, out, len);
            buf->alloc->realloc(buf->alloc->ctx, out, 0);
        } else if (!buf->status) {
            buf->status = VES_NOMEM;
        }
    }
    va_end(again);
}

void ves_buf_putf(struct ves_buf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ves_buf_vputf(buf, format, args);
    va_end(args);
}

uint8_t *ves_buf_reserve(struct ves_buf *buf, size_t n)
{
    /* An empty request gets a real address too. */
    if (!buf->ptr && n == 0)
        n = 1;
    if (!room(buf, n))
        return NULL;
    return buf->ptr + buf->len;
}

struct ves_bytes ves_buf_view(const struct ves_buf *buf)
{
    return ves_bytes(buf->ptr, buf->len);
}

enum ves_status ves_buf_status(const struct ves_buf *buf)
{
    return buf->status;
}
