/* error.c -- filling in struct ves_error. */
#include "base/error.h"

#include <stdio.h>
#include <string.h>

/* Length of text without a UTF-8 sequence that was cut at its end. */
static size_t whole_characters(const char *text, size_t len)
{
    size_t start = len;
    while (start > 0 && ((uint8_t)text[start - 1] & 0xC0) == 0x80)
        start--;
    if (start == 0)
        return len;
    uint8_t lead = (uint8_t)text[start - 1];
    size_t need = lead < 0xC0 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    return len - start < need ? start - 1 : len;
}

enum ves_status ves_vfail(struct ves_error *error, enum ves_status status,
                          const char *format, va_list args)
{
    if (!error)
        return status;
    /* Formatted aside, because an argument may be error->text itself. */
    char text[sizeof(error->text)];
    int n = vsnprintf(text, sizeof(text), format, args);
    size_t len = n < 0 ? 0 : (size_t)n;
    if (len >= sizeof(text))
        len = whole_characters(text, sizeof(text) - 1);
    memcpy(error->text, text, len);
    error->text[len] = '\0';
    error->status = status;
    return status;
}

enum ves_status ves_fail(struct ves_error *error, enum ves_status status,
                         const char *format, ...)
{
    va_list args;
    va_start(args, format);
    ves_vfail(error, status, format, args);
    va_end(args);
    return status;
}
