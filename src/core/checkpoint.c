/* checkpoint.c -- the head of a log in three lines (C2SP tlog-checkpoint). */
#include "core/checkpoint.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/lines.h"

/* Origins may have spaces (some logs of others do), but nothing that a
 * terminal would obey. */
static bool is_origin(struct ves_bytes text)
{
    if (text.len == 0 || text.len > VES_ORIGIN_MAX ||
        !ves_utf8_valid(text, NULL))
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7F ||
            (text.ptr[i] == 0xC2 && text.ptr[i + 1] < 0xA0))
            return false;
    }
    return true;
}

enum ves_status ves_checkpoint_read(struct ves_bytes text,
                                    struct ves_checkpoint *out,
                                    struct ves_error *error)
{
    struct ves_checkpoint got;
    struct ves_bytes line;

    if (!ves_line_take(&text, &line) || !is_origin(line))
        return ves_fail(error, VES_MALFORMED,
                        "a checkpoint's first line is its origin: 1 to %d "
                        "bytes of UTF-8",
                        (int)VES_ORIGIN_MAX);
    got.origin = line;
    if (!ves_line_take(&text, &line) || !ves_line_number(line, &got.size))
        return ves_fail(error, VES_MALFORMED,
                        "a checkpoint's second line is its size: a decimal of "
                        "at most 2^63-1");
    if (!ves_line_take(&text, &line) || !ves_line_hash(line, &got.root))
        return ves_fail(error, VES_MALFORMED,
                        "a checkpoint's third line is its root: 44 characters "
                        "of base64");
    if (text.len > 0)
        return ves_fail(error, VES_MALFORMED,
                        "a checkpoint has three lines; extension lines are not "
                        "accepted");
    *out = got;
    return VES_OK;
}

void ves_checkpoint_write(struct ves_buf *buf,
                          const struct ves_checkpoint *checkpoint)
{
    ves_buf_put_bytes(buf, checkpoint->origin);
    ves_buf_put_u8(buf, '\n');
    ves_buf_put_decimal(buf, checkpoint->size);
    ves_buf_put_u8(buf, '\n');
    ves_line_put_hash(buf, &checkpoint->root);
}

static const char between[] = "/ves/";

void ves_origin_write(struct ves_buf *buf, struct ves_bytes host,
                      const struct ves_hash *stream_id)
{
    ves_buf_put_bytes(buf, host);
    ves_buf_put_str(buf, between);
    ves_buf_put_hex(buf, stream_id->b, VES_HASH_SIZE);
}

bool ves_origin_stream(struct ves_bytes origin, struct ves_hash *stream_id)
{
    enum { DIGITS = 2 * VES_HASH_SIZE, TAIL = sizeof(between) - 1 + DIGITS };

    if (origin.len <= TAIL)
        return false;
    const uint8_t *tail = origin.ptr + origin.len - TAIL;
    struct ves_bytes digits = ves_bytes(tail + sizeof(between) - 1, DIGITS);
    for (size_t i = 0; i < DIGITS; i++) {
        if (digits.ptr[i] >= 'A' && digits.ptr[i] <= 'F')
            return false;
    }
    return memcmp(tail, between, sizeof(between) - 1) == 0 &&
           ves_hex_decode(digits, stream_id->b, VES_HASH_SIZE) == VES_OK;
}

/* 64 lower-case digits, as they are written. */
static bool read_digits(struct ves_bytes text, struct ves_hash *out)
{
    char again[2 * VES_HASH_SIZE];

    if (text.len != sizeof(again) ||
        ves_hex_decode(text, out->b, VES_HASH_SIZE))
        return false;
    ves_hex_encode(out->b, VES_HASH_SIZE, again);
    return memcmp(again, text.ptr, sizeof(again)) == 0;
}

bool ves_head_line_read(struct ves_bytes line, struct ves_head_line *out)
{
    struct ves_bytes id, size, root;

    out->epoch = 0;
    if (!ves_line_take_word(&line, &id) || !ves_line_take_word(&line, &size) ||
        !read_digits(id, &out->stream_id) ||
        ves_decimal_parse(size, &out->size) || out->size == 0 ||
        out->size > VES_TLOG_SIZE_MAX)
        return false;
    if (!ves_line_take_word(&line, &root))
        root = line;
    else if (ves_decimal_parse(line, &out->epoch) || out->epoch == 0)
        return false;
    return read_digits(root, &out->root);
}
