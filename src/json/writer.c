/* writer.c -- a small JSON writer, for programs that print what VES says. */
#include "ves/json.h"

#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "json/jcs.h"
#include "json/number.h"

enum { DEPTH_MAX = 64 };

struct ves_jw {
    struct ves_buf buf;
    const struct ves_alloc *alloc;
    size_t depth;
    bool is_object[DEPTH_MAX]; /* of each open container */
    bool has_items;            /* in the innermost one, or at the top */
    bool has_key;              /* a name waits for its value */
};

static void fail(struct ves_jw *jw, enum ves_status status)
{
    if (!jw->buf.status)
        jw->buf.status = status;
}

static bool in_object(const struct ves_jw *jw)
{
    return jw->depth > 0 && jw->is_object[jw->depth - 1];
}

/* What stands before a value; false when none may stand here. */
static bool begin_value(struct ves_jw *jw)
{
    if (jw->buf.status)
        return false;
    bool misplaced =
        in_object(jw) ? !jw->has_key : jw->depth == 0 && jw->has_items;
    if (misplaced) {
        fail(jw, VES_INVALID);
        return false;
    }
    if (!in_object(jw) && jw->has_items)
        ves_buf_put_u8(&jw->buf, ',');
    jw->has_items = true;
    jw->has_key = false;
    return true;
}

static void open_container(struct ves_jw *jw, bool is_object)
{
    if (!begin_value(jw))
        return;
    if (jw->depth == DEPTH_MAX) {
        fail(jw, VES_LIMIT);
        return;
    }
    ves_buf_put_u8(&jw->buf, is_object ? '{' : '[');
    jw->is_object[jw->depth++] = is_object;
    jw->has_items = false;
}

/* Text as a JSON string; what is not UTF-8 becomes U+FFFD. */
static void put_string(struct ves_buf *buf, struct ves_bytes text)
{
    size_t bad;
    if (ves_utf8_valid(text, &bad)) {
        ves_jcs_write_string(buf, text);
        return;
    }
    struct ves_buf fixed;
    ves_buf_init(&fixed, buf->alloc, buf->max);
    do {
        ves_buf_put(&fixed, text.ptr, bad);
        ves_buf_put_str(&fixed, "\xEF\xBF\xBD");
        text = ves_bytes(text.ptr + bad + 1, text.len - bad - 1);
    } while (!ves_utf8_valid(text, &bad));
    ves_buf_put_bytes(&fixed, text);
    if (fixed.status && !buf->status)
        buf->status = fixed.status;
    ves_jcs_write_string(buf, ves_buf_view(&fixed));
    ves_buf_free(&fixed);
}

struct ves_jw *ves_jw_new(const struct ves_alloc *alloc, size_t max)
{
    if (!alloc)
        alloc = ves_alloc_default();
    struct ves_jw *jw = alloc->realloc(alloc->ctx, NULL, sizeof(*jw));
    if (!jw)
        return NULL;
    memset(jw, 0, sizeof(*jw));
    jw->alloc = alloc;
    ves_buf_init(&jw->buf, alloc, max);
    return jw;
}

void ves_jw_free(struct ves_jw *jw)
{
    if (!jw)
        return;
    ves_buf_free(&jw->buf);
    jw->alloc->realloc(jw->alloc->ctx, jw, 0);
}

void ves_jw_object(struct ves_jw *jw)
{
    open_container(jw, true);
}

void ves_jw_array(struct ves_jw *jw)
{
    open_container(jw, false);
}

void ves_jw_end(struct ves_jw *jw)
{
    if (jw->depth == 0 || jw->has_key) {
        fail(jw, VES_INVALID);
        return;
    }
    ves_buf_put_u8(&jw->buf, in_object(jw) ? '}' : ']');
    jw->depth--;
    jw->has_items = true;
}

void ves_jw_key(struct ves_jw *jw, const char *name)
{
    if (!in_object(jw) || jw->has_key || !name) {
        fail(jw, VES_INVALID);
        return;
    }
    if (jw->has_items)
        ves_buf_put_u8(&jw->buf, ',');
    put_string(&jw->buf, ves_bytes_str(name));
    ves_buf_put_u8(&jw->buf, ':');
    jw->has_items = true;
    jw->has_key = true;
}

void ves_jw_str(struct ves_jw *jw, const char *text)
{
    if (text)
        ves_jw_bytes(jw, ves_bytes_str(text));
    else
        ves_jw_null(jw);
}

void ves_jw_bytes(struct ves_jw *jw, struct ves_bytes utf8)
{
    if (begin_value(jw))
        put_string(&jw->buf, utf8);
}

void ves_jw_u64(struct ves_jw *jw, uint64_t value)
{
    if (begin_value(jw))
        ves_buf_put_decimal(&jw->buf, value);
}

void ves_jw_i64(struct ves_jw *jw, int64_t value)
{
    if (!begin_value(jw))
        return;
    if (value < 0)
        ves_buf_put_u8(&jw->buf, '-');
    ves_buf_put_decimal(&jw->buf,
                        value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

void ves_jw_double(struct ves_jw *jw, double value)
{
    if (!(value - value == 0)) {
        ves_jw_null(jw);
        return;
    }
    char text[VES_NUMBER_TEXT];
    size_t len = ves_number_format(value, text);
    ves_jw_raw(jw, ves_bytes(text, len));
}

void ves_jw_bool(struct ves_jw *jw, bool value)
{
    ves_jw_raw(jw, ves_bytes_str(value ? "true" : "false"));
}

void ves_jw_null(struct ves_jw *jw)
{
    ves_jw_raw(jw, ves_bytes_str("null"));
}

void ves_jw_raw(struct ves_jw *jw, struct ves_bytes json)
{
    if (json.len == 0)
        fail(jw, VES_INVALID);
    else if (begin_value(jw))
        ves_buf_put_bytes(&jw->buf, json);
}

void ves_jw_uuid(struct ves_jw *jw, const struct ves_uuid *uuid)
{
    if (!begin_value(jw))
        return;
    ves_buf_put_u8(&jw->buf, '"');
    ves_buf_put_uuid(&jw->buf, uuid);
    ves_buf_put_u8(&jw->buf, '"');
}

void ves_jw_hex(struct ves_jw *jw, const char *prefix, const void *data,
                size_t len)
{
    if (!begin_value(jw))
        return;
    ves_buf_put_u8(&jw->buf, '"');
    ves_buf_put_str(&jw->buf, prefix);
    ves_buf_put_hex(&jw->buf, data, len);
    ves_buf_put_u8(&jw->buf, '"');
}

void ves_jw_time(struct ves_jw *jw, int64_t unix_ms)
{
    char text[VES_TIME_TEXT + 1];
    if (unix_ms)
        ves_time_format(unix_ms, text);
    ves_jw_str(jw, unix_ms ? text : NULL);
}

struct ves_bytes ves_jw_view(const struct ves_jw *jw)
{
    return ves_buf_view(&jw->buf);
}

enum ves_status ves_jw_status(const struct ves_jw *jw)
{
    return ves_buf_status(&jw->buf);
}

void ves_jw_reset(struct ves_jw *jw)
{
    ves_buf_reset(&jw->buf);
    jw->depth = 0;
    jw->has_items = false;
    jw->has_key = false;
}
