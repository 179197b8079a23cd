/* uri.c -- request targets: path, query, percent-decoding, path patterns. */
#include "server/uri.h"

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"

static int digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes into to, which has text.len bytes; false for a broken escape. */
static bool unescape(struct ves_bytes text, bool is_query, uint8_t *to,
                     size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c == '+' && is_query) {
            c = ' ';
        } else if (c == '%') {
            if (text.len - i < 3)
                return false;
            int high = digit(text.ptr[i + 1]);
            int low = digit(text.ptr[i + 2]);
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            i += 2;
        }
        to[(*len)++] = c;
    }
    return true;
}

enum ves_status ves_uri_decode(struct ves_arena *arena, struct ves_bytes text,
                               bool is_query, struct ves_bytes *out)
{
    *out = text;
    if (text.len == 0)
        return VES_OK;
    if (memchr(text.ptr, '%', text.len) || memchr(text.ptr, '+', text.len)) {
        uint8_t *to = ves_arena_bytes(arena, text.len);
        size_t len;
        if (!to)
            return VES_NOMEM;
        if (!unescape(text, is_query, to, &len))
            return VES_INVALID;
        *out = ves_bytes(to, len);
    }
    if (memchr(out->ptr, 0, out->len) || !ves_utf8_valid(*out, NULL))
        return VES_INVALID;
    return VES_OK;
}

/* Cuts the part before the first sep off rest; false when rest is used up. */
static bool cut(struct ves_bytes *rest, uint8_t sep, struct ves_bytes *part)
{
    if (!rest->ptr)
        return false;
    const uint8_t *end = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!end) {
        *part = *rest;
        *rest = ves_bytes(NULL, 0);
        return true;
    }
    *part = ves_bytes(rest->ptr, (size_t)(end - rest->ptr));
    *rest = ves_bytes(end + 1, rest->len - part->len - 1);
    return true;
}

struct name {
    char text[40];
};

/* A name that is fit to be repeated in an answer. */
static const char *printable(struct ves_bytes name, struct name *out)
{
    if (name.len >= sizeof(out->text))
        return "(long name)";
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        if (c < 'A' || c > 'z' || (c > 'Z' && c < 'a' && c != '_'))
            return "(odd name)";
    }
    memcpy(out->text, name.ptr, name.len);
    return out->text;
}

static enum ves_status read_param(struct ves_arena *arena,
                                  struct ves_bytes text, struct ves_uri *out,
                                  struct ves_error *error)
{
    struct ves_bytes name = {0};
    struct ves_bytes value = text;
    (void)cut(&value, '=', &name);
    if (!value.ptr)
        value = ves_bytes(text.ptr, 0);
    if (out->param_count == VES_URI_PARAMS_MAX)
        return ves_fail(error, VES_INVALID,
                        "the query has more than %d parameters",
                        VES_URI_PARAMS_MAX);
    struct ves_uri_param *param = &out->params[out->param_count];
    enum ves_status status = ves_uri_decode(arena, name, true, &param->name);
    if (!status)
        status = ves_uri_decode(arena, value, true, &param->value);
    if (status == VES_INVALID)
        return ves_fail(error, status,
                        "query parameter %zu is not percent-encoded UTF-8",
                        out->param_count + 1);
    if (status)
        return ves_fail(error, status, "out of memory");
    for (size_t i = 0; i < out->param_count; i++) {
        if (ves_bytes_equal(out->params[i].name, param->name))
            return ves_fail(error, VES_INVALID,
                            "query parameter %s is given twice",
                            printable(param->name, &(struct name){0}));
    }
    out->param_count++;
    return VES_OK;
}

enum ves_status ves_uri_read(struct ves_arena *arena, struct ves_bytes text,
                             struct ves_uri *out, struct ves_error *error)
{
    out->param_count = 0;
    struct ves_bytes query = text;
    if (!cut(&query, '?', &out->path) || out->path.len == 0 ||
        out->path.ptr[0] != '/')
        return ves_fail(error, VES_INVALID,
                        "the request target is not an absolute path");
    struct ves_bytes part;
    while (cut(&query, '&', &part)) {
        if (part.len == 0)
            continue;
        enum ves_status status = read_param(arena, part, out, error);
        if (status)
            return status;
    }
    return VES_OK;
}

bool ves_uri_match(const char *pattern, struct ves_bytes path,
                   struct ves_bytes captures[VES_URI_CAPTURES_MAX])
{
    struct ves_bytes want_rest = ves_bytes_str(pattern);
    struct ves_bytes want;
    struct ves_bytes have;
    size_t count = 0;
    while (cut(&want_rest, '/', &want)) {
        if (!cut(&path, '/', &have))
            return false;
        if (ves_bytes_is(want, "{*}")) {
            /* All that is left, slashes included. */
            const uint8_t *end =
                path.ptr ? path.ptr + path.len : have.ptr + have.len;
            if (have.len == 0 || count == VES_URI_CAPTURES_MAX)
                return false;
            captures[count] = ves_bytes(have.ptr, (size_t)(end - have.ptr));
            return true;
        }
        if (ves_bytes_is(want, "{}")) {
            if (have.len == 0 || count == VES_URI_CAPTURES_MAX)
                return false;
            captures[count++] = have;
        } else if (!ves_bytes_equal(want, have)) {
            return false;
        }
    }
    return !path.ptr;
}

bool ves_uri_param(const struct ves_uri *uri, const char *name,
                   struct ves_bytes *value)
{
    for (size_t i = 0; i < uri->param_count; i++) {
        if (ves_bytes_is(uri->params[i].name, name)) {
            *value = uri->params[i].value;
            return true;
        }
    }
    return false;
}

enum ves_status ves_uri_uuid(const struct ves_uri *uri, const char *name,
                             struct ves_uuid *out, struct ves_error *error)
{
    struct ves_bytes value;
    if (!ves_uri_param(uri, name, &value))
        return ves_fail(error, VES_NOT_FOUND, "query parameter %s is missing",
                        name);
    if (ves_uuid_parse(value, out))
        return ves_fail(error, VES_INVALID, "query parameter %s is not a UUID",
                        name);
    return VES_OK;
}

enum ves_status ves_uri_u64(const struct ves_uri *uri, const char *name,
                            uint64_t *out, struct ves_error *error)
{
    struct ves_bytes value;
    if (!ves_uri_param(uri, name, &value))
        return ves_fail(error, VES_NOT_FOUND, "query parameter %s is missing",
                        name);
    if (ves_decimal_parse(value, out) || *out > INT64_MAX)
        return ves_fail(error, VES_INVALID,
                        "query parameter %s is not a number from 0 to 2^63-1",
                        name);
    return VES_OK;
}
