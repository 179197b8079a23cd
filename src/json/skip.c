/* skip.c -- finding the end of a JSON value without reading it. */
#include "base/bytes.h"
#include "json/json.h"
#include "json/scan.h"

enum { LEVELS = 4096 };

struct skipper {
    const uint8_t *p;
    const uint8_t *end;
    size_t depth;
    uint64_t is_object[LEVELS / 64]; /* a bit for each open bracket */
};

static bool skip_string(struct skipper *s)
{
    for (s->p++;; s->p++) {
        s->p = ves_scan_plain(s->p, s->end);
        if (s->p == s->end)
            return false;
        if (*s->p == '"')
            break;
        if (*s->p == '\\' && ++s->p == s->end)
            return false;
    }
    s->p++;
    return true;
}

static void open_bracket(struct skipper *s)
{
    if (s->depth < LEVELS) {
        uint64_t bit = UINT64_C(1) << (s->depth % 64);
        if (*s->p == '{')
            s->is_object[s->depth / 64] |= bit;
        else
            s->is_object[s->depth / 64] &= ~bit;
    }
    s->depth++;
    s->p++;
}

static bool close_bracket(struct skipper *s)
{
    if (s->depth == 0)
        return false;
    s->depth--;
    bool is_object = s->depth < LEVELS
                         ? s->is_object[s->depth / 64] >> (s->depth % 64) & 1
                         : *s->p == '}';
    if (is_object != (*s->p == '}'))
        return false;
    s->p++;
    return true;
}

static bool is_delimiter(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == ',' ||
           c == ':' || c == '"' || c == '[' || c == ']' || c == '{' || c == '}';
}

static void skip_word(struct skipper *s)
{
    while (s->p != s->end && !is_delimiter(*s->p))
        s->p++;
}

enum ves_status ves_json_skip(struct ves_bytes input, size_t *offset,
                              struct ves_json_where *where)
{
    if (*offset >= input.len)
        return ves_scan_fail(where, input.len, "the input ends too early");
    struct skipper s; /* not zeroed: a bit is written before it is read */
    s.end = input.ptr + input.len;
    s.p = ves_scan_blanks(input.ptr + *offset, s.end);
    s.depth = 0;
    do {
        if (s.p == s.end)
            return ves_scan_fail(where, input.len, "the input ends too early");
        switch (*s.p) {
        case '"':
            if (!skip_string(&s))
                return ves_scan_fail(where, input.len,
                                     "the input ends inside a string");
            break;
        case '{':
        case '[':
            open_bracket(&s);
            break;
        case '}':
        case ']':
            if (!close_bracket(&s))
                return ves_scan_fail(where, (size_t)(s.p - input.ptr),
                                     "a bracket that closes nothing");
            break;
        case ',':
        case ':':
            if (s.depth == 0)
                return ves_scan_fail(where, (size_t)(s.p - input.ptr),
                                     "a value was expected");
            s.p++;
            break;
        default:
            skip_word(&s);
        }
        if (s.depth > 0)
            s.p = ves_scan_blanks(s.p, s.end);
    } while (s.depth > 0);
    *offset = (size_t)(s.p - input.ptr);
    return VES_OK;
}
