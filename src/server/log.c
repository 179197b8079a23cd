/* log.c -- what the server says about itself, one line a time. */
#include "server/log.h"

#include <unistd.h>

#include "base/buf.h"
#include "base/bytes.h"
#include "base/text.h"
#include "base/time.h"
#include "os/clock.h"
#include "json/jcs.h"

enum { LINE_MAX_BYTES = 4096 };

static const char *const level_names[] = {"error", "notice", "request"};

/* A buffer over stack memory: a log line must not need the heap. */
struct line {
    struct ves_alloc alloc;
    struct ves_buf buf;
    uint8_t bytes[LINE_MAX_BYTES];
};

static void *fixed(void *ctx, void *ptr, size_t size)
{
    struct line *line = ctx;
    (void)ptr;
    return size <= sizeof(line->bytes) ? line->bytes : NULL;
}

static void line_init(struct line *line)
{
    line->alloc = (struct ves_alloc){fixed, line};
    ves_buf_init(&line->buf, &line->alloc, sizeof(line->bytes) - 1);
}

/* Quotes text where a reader could mistake it for something else. */
static void put_value(struct ves_buf *buf, const char *text, bool is_json)
{
    struct ves_bytes bytes = ves_bytes_str(text);
    bool is_plain = bytes.len > 0 && !is_json;
    for (size_t i = 0; i < bytes.len && is_plain; i++)
        is_plain = bytes.ptr[i] > ' ' && bytes.ptr[i] < 127 &&
                   bytes.ptr[i] != '"' && bytes.ptr[i] != '=';
    if (is_plain)
        ves_buf_put_bytes(buf, bytes);
    else
        ves_jcs_write_string(buf, ves_utf8_valid(bytes, NULL)
                                      ? bytes
                                      : ves_bytes_str("(not UTF-8)"));
}

static void put_field(struct ves_buf *buf, const struct ves_log_field *field,
                      bool is_json)
{
    if (is_json)
        ves_buf_putf(buf, ",\"%s\":", field->name);
    else
        ves_buf_putf(buf, " %s=", field->name);
    if (field->text)
        put_value(buf, field->text, is_json);
    else
        ves_buf_put_decimal(buf, field->number);
}

static void write_all(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes, len);
        if (n <= 0)
            return; /* nobody is listening; the server goes on */
        bytes += n;
        len -= (size_t)n;
    }
}

void ves_log_write(const struct ves_log *log, enum ves_log_level level,
                   const char *event, const struct ves_log_field *fields,
                   size_t count)
{
    if (level > log->level)
        return;
    struct line line;
    char at[VES_TIME_TEXT + 1];
    line_init(&line);
    ves_time_format(ves_clock_now_ms(), at);
    if (log->is_json)
        ves_buf_putf(&line.buf,
                     "{\"time\":\"%s\",\"level\":\"%s\",\"event\":"
                     "\"%s\"",
                     at, level_names[level], event);
    else
        ves_buf_putf(&line.buf, "%s %s %s", at, level_names[level], event);
    for (size_t i = 0; i < count; i++) {
        size_t before = line.buf.len;
        put_field(&line.buf, &fields[i], log->is_json);
        if (line.buf.status || line.buf.len > LINE_MAX_BYTES - 4) {
            line.buf.len = before; /* a whole line without the rest */
            break;
        }
    }
    struct ves_bytes text = ves_buf_view(&line.buf);
    size_t len = text.len;
    if (log->is_json)
        line.bytes[len++] = '}';
    line.bytes[len++] = '\n';
    write_all(line.bytes, len);
}

void ves_log_say(const struct ves_log *log, enum ves_log_level level,
                 const char *event, const char *message)
{
    struct ves_log_field field = {"message", message, 0};
    ves_log_write(log, level, event, &field, 1);
}
