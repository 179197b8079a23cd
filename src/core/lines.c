/* lines.c -- the text formats of the provable log, taken line by line. */
#include "core/lines.h"

#include <string.h>

#include "base/bytes.h"
#include "base/text.h"

static void skip(struct ves_bytes *rest, size_t n)
{
    rest->ptr += n;
    rest->len -= n;
}

static bool take_until(struct ves_bytes *rest, uint8_t end,
                       struct ves_bytes *out)
{
    const uint8_t *at = rest->len ? memchr(rest->ptr, end, rest->len) : NULL;
    if (!at)
        return false;
    *out = ves_bytes(rest->ptr, (size_t)(at - rest->ptr));
    skip(rest, out->len + 1);
    return true;
}

bool ves_line_take(struct ves_bytes *rest, struct ves_bytes *line)
{
    return take_until(rest, '\n', line);
}

bool ves_line_take_text(struct ves_bytes *rest, const char *text)
{
    struct ves_bytes after = *rest, line;

    if (!ves_line_take(&after, &line) || !ves_bytes_is(line, text))
        return false;
    *rest = after;
    return true;
}

bool ves_line_take_value(struct ves_bytes *rest, const char *name,
                         struct ves_bytes *value)
{
    struct ves_bytes after = *rest, line, word;

    if (!ves_line_take(&after, &line) || !ves_line_take_word(&line, &word) ||
        !ves_bytes_is(word, name) || line.len == 0)
        return false;
    *value = line;
    *rest = after;
    return true;
}

bool ves_line_take_number(struct ves_bytes *rest, const char *name,
                          uint64_t *value)
{
    struct ves_bytes after = *rest, text;

    if (!ves_line_take_value(&after, name, &text) ||
        !ves_line_number(text, value))
        return false;
    *rest = after;
    return true;
}

bool ves_line_take_path(struct ves_bytes *rest, uint32_t max,
                        struct ves_tlog_path *path)
{
    struct ves_bytes after = *rest, line;

    path->count = 0;
    for (struct ves_hash hash;
         ves_line_take(&after, &line) && ves_line_hash(line, &hash);
         *rest = after) {
        if (path->count == max)
            return false;
        path->hash[path->count++] = hash;
    }
    return true;
}

bool ves_line_take_word(struct ves_bytes *rest, struct ves_bytes *word)
{
    return take_until(rest, ' ', word);
}

bool ves_line_hash(struct ves_bytes text, struct ves_hash *out)
{
    size_t len = VES_HASH_SIZE;
    return text.len == ves_b64_len(VES_HASH_SIZE) &&
           ves_b64_decode(text, out->b, &len) == VES_OK && len == VES_HASH_SIZE;
}

bool ves_line_number(struct ves_bytes text, uint64_t *out)
{
    uint64_t value;
    if (ves_decimal_parse(text, &value) || value > VES_TLOG_SIZE_MAX)
        return false;
    *out = value;
    return true;
}

void ves_line_put_b64(struct ves_buf *buf, const void *data, size_t len)
{
    size_t text = ves_b64_len(len);
    char *out = (char *)ves_buf_reserve(buf, text);
    if (!out)
        return;
    ves_b64_encode(data, len, out);
    buf->len += text;
}

void ves_line_put_hash(struct ves_buf *buf, const struct ves_hash *hash)
{
    ves_line_put_b64(buf, hash->b, VES_HASH_SIZE);
    ves_buf_put_u8(buf, '\n');
}

void ves_line_put_path(struct ves_buf *buf, const struct ves_tlog_path *path)
{
    for (uint32_t i = 0; i < path->count; i++)
        ves_line_put_hash(buf, &path->hash[i]);
}
