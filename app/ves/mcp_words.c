/* mcp_words.c -- how results and errors are put into words for a model.
 *
 * An error says what happened, what did not change, and which call comes
 * next; never a payload, a stored text or what a remote wrote. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "mcp_app.h"

enum ves_mcp_outcome mcp_error(struct ves_mcp_call *call, const char *code,
                               const char *what, const char *state,
                               const char *next)
{
    return ves_mcp_fail(call, "%s: %s.\n%s\nNext: %s", code, what, state, next);
}

void mcp_what(char *out, size_t size, const char *words)
{
    static const char rest[] = "; nothing was changed";

    snprintf(out, size, "%s", words);
    char *end = strstr(out, rest);
    size_t n = end ? (size_t)(end - out) : strlen(out);
    while (n > 0 && (out[n - 1] == '.' || out[n - 1] == ' '))
        n--;
    out[n] = '\0';
}

struct meaning {
    enum ves_status status;
    const char *code;
    const char *what; /* NULL: the library's own words, about this machine */
    const char *next;
};

static const struct meaning meanings[] = {
    {VES_UNREACHABLE, "SEQUENCER_UNREACHABLE",
     "the sequencer could not be reached",
     "try again in 30 s; local work goes on meanwhile."},
    {VES_AUTH, "SEQUENCER_DENIED",
     "the sequencer refused this store's credential",
     "tell the user; retrying will not help. A new invitation (ves init "
     "--invite) gives a new credential."},
    {VES_FORBIDDEN, "SEQUENCER_DENIED",
     "the sequencer says that this store may not do that",
     "tell the user to ask the sequencer's operator; retrying will not help."},
    {VES_REFUSED, "SIGNATURE_INVALID",
     "what the sequencer sent does not verify; it was not applied, the bytes "
     "are kept as evidence and an alert was recorded",
     "do not retry; report this to the user (ves quarantine shows it)."},
    {VES_DIVERGED, "HISTORY_DIVERGED",
     "the sequencer's history contradicts what this store has verified",
     "do not retry; report this to the user (ves doctor tells more)."},
    {VES_BUSY, "STORE_BUSY", "another process is using the store",
     "try the same call again in 5 s."},
    {VES_AGAIN, "TRY_LATER", "it is too early to try again",
     "try the same call again in 30 s."},
    {VES_CORRUPT, "STORE_ERROR", "the store contradicts itself",
     "tell the user to run ves doctor."},
    {VES_IO, "STORE_ERROR", "the store could not be read or written",
     "tell the user; ves doctor tells more."},
    {VES_UNSUPPORTED, "STORE_ERROR",
     "the store, or the sequencer, is of a version this program does not know",
     "tell the user to update ves."},
    {VES_LIMIT, "STORE_ERROR", "a limit was exceeded",
     "ask for less with limit."},
    {VES_NOMEM, "INTERNAL", "out of memory", "try again later."},
};

void mcp_shown(char *out, size_t size, const char *text, size_t max,
               char instead)
{
    size_t left = strlen(text), n = 0;

    for (; left > 0 && max > 0; max--) {
        bool is_safe;
        size_t bytes = cli_character(text, left, &is_safe);
        size_t one = is_safe ? bytes : 1;
        /* Room for what says that it was cut. */
        if (n + one + sizeof("...") > size)
            break;
        if (is_safe)
            memcpy(out + n, text, bytes);
        else
            out[n] = instead;
        n += one;
        text += bytes;
        left -= bytes;
    }
    snprintf(out + n, size - n, "%s", left > 0 ? "..." : "");
}

void mcp_log(const char *words)
{
    char text[sizeof(((struct ves_error *)0)->text)];

    mcp_shown(text, sizeof(text), words, SIZE_MAX, '?');
    fprintf(stderr, "ves mcp: %s\n", text);
}

enum ves_mcp_outcome mcp_error_of(struct ves_mcp_call *call,
                                  enum ves_status status,
                                  const struct ves_error *error,
                                  const char *state)
{
    if (error && error->text[0])
        mcp_log(error->text);
    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].status == status)
            return mcp_error(call, meanings[i].code, meanings[i].what, state,
                             meanings[i].next);
    }
    return mcp_error(call, "INTERNAL", ves_status_message(status), state,
                     "tell the user; the server's log says more.");
}

enum ves_mcp_outcome mcp_error_of_sync(struct ves_mcp_call *call,
                                       enum ves_status status,
                                       const struct ves_error *error,
                                       const char *state, uint32_t wait_s)
{
    char what[96], next[96];

    if (wait_s == 0)
        return mcp_error_of(call, status, error, state);
    if (error && error->text[0])
        mcp_log(error->text);
    snprintf(what, sizeof(what),
             "the sequencer is busy and asks to be left alone for %u s",
             wait_s);
    snprintf(next, sizeof(next),
             "try the same call again in %u s; local work goes on meanwhile.",
             wait_s);
    return mcp_error(call, "RATE_LIMITED", what, state, next);
}

bool mcp_is_preview(struct mcp_app *app, struct ves_mcp_call *call)
{
    return app->is_preview || ves_jr_bool(ves_mcp_arguments(call), "/dryRun");
}

bool mcp_may_write(struct mcp_app *app, struct ves_mcp_call *call)
{
    char what[160];

    if (!app->is_read_only || mcp_is_preview(app, call))
        return true;
    snprintf(what, sizeof(what),
             "stateset-commerce was started with --read-only, so %s cannot run",
             ves_mcp_target(call));
    mcp_error(call, "READ_ONLY", what, "Nothing was changed.",
              "use dryRun:true to preview, or ask the user to restart it "
              "without --read-only.");
    return false;
}

/* ---- members ------------------------------------------------------------- */

void mcp_put_str(struct ves_jw *jw, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    ves_jw_key(jw, name);
    ves_jw_str(jw, value);
}

void mcp_put_u64(struct ves_jw *jw, const char *name, uint64_t value)
{
    ves_jw_key(jw, name);
    ves_jw_u64(jw, value);
}

void mcp_put_uuid(struct ves_jw *jw, const char *name,
                  const struct ves_uuid *id)
{
    ves_jw_key(jw, name);
    ves_jw_uuid(jw, id);
}

void mcp_put_bool(struct ves_jw *jw, const char *name, bool value)
{
    ves_jw_key(jw, name);
    ves_jw_bool(jw, value);
}

void mcp_put_raw(struct ves_jw *jw, const char *name, const char *json)
{
    struct ves_bytes text = {(const uint8_t *)json, strlen(json)};

    ves_jw_key(jw, name);
    ves_jw_raw(jw, text);
}

void mcp_putf(struct ves_jw *jw, const char *name, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    ves_jw_key(jw, name);
    ves_jw_str(jw, text);
}

#define POINTER_OF(text, format)                      \
    do {                                              \
        va_list args_;                                \
        va_start(args_, format);                      \
        vsnprintf(text, sizeof(text), format, args_); \
        va_end(args_);                                \
    } while (0)

void mcp_copy_str(struct ves_jw *jw, const char *name, struct ves_jr *jr,
                  const char *pointer, ...)
{
    char text[256];

    POINTER_OF(text, pointer);
    if (ves_jr_has(jr, "%s", text))
        mcp_put_str(jw, name, ves_jr_str(jr, "%s", text));
}

void mcp_copy_u64(struct ves_jw *jw, const char *name, struct ves_jr *jr,
                  const char *pointer, ...)
{
    char text[256];

    POINTER_OF(text, pointer);
    if (ves_jr_has(jr, "%s", text))
        mcp_put_u64(jw, name, ves_jr_u64(jr, "%s", text));
}

enum {
    FIELDS_SHOWN = 50,
    VALUE_SHOWN = 1000,      /* bytes; of a longer one its beginning */
    FIELDS_ROOM = 31 * 1024, /* a field may take 6 KiB more */
};

/* A value as JSON text. */
static void put_value(struct ves_jw *jw, const char *name, const char *json)
{
    char text[VALUE_SHOWN + 64];
    size_t len = strlen(json), n = VALUE_SHOWN;

    if (len <= VALUE_SHOWN) {
        mcp_put_str(jw, name, json);
        return;
    }
    while (n > 0 && ((unsigned char)json[n] & 0xC0) == 0x80)
        n--;
    snprintf(text, sizeof(text), "%.*s... (cut; %zu bytes)", (int)n, json, len);
    mcp_put_str(jw, name, text);
}

void mcp_put_fields(struct ves_jw *jw, struct ves_jr *conflict, bool has_base)
{
    size_t n = ves_jr_count(conflict, "/fields");

    if (n == 0 && !has_base)
        return;
    ves_jw_key(jw, "fields");
    ves_jw_array(jw);
    for (size_t i = 0;
         i < n && i < FIELDS_SHOWN && ves_jw_view(jw).len < FIELDS_ROOM; i++) {
        ves_jw_object(jw);
        put_value(jw, "path", ves_jr_str(conflict, "/fields/%zu/path", i));
        if (has_base)
            put_value(jw, "base", ves_jr_json(conflict, "/fields/%zu/base", i));
        put_value(jw, "local", ves_jr_json(conflict, "/fields/%zu/ours", i));
        put_value(jw, "remote", ves_jr_json(conflict, "/fields/%zu/theirs", i));
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
}

const char *mcp_count(char out[48], uint64_t n, const char *noun)
{
    snprintf(out, 48, "%llu %s%s", (unsigned long long)n, noun,
             n == 1 ? "" : "s");
    return out;
}

bool mcp_uuid(const char *text, struct ves_uuid *out)
{
    size_t n = 0;

    memset(out, 0, sizeof(*out));
    for (; *text; text++) {
        int digit;
        if (*text == '-' && (n == 8 || n == 12 || n == 16 || n == 20))
            continue;
        if (*text >= '0' && *text <= '9')
            digit = *text - '0';
        else if ((*text | 32) >= 'a' && (*text | 32) <= 'f')
            digit = (*text | 32) - 'a' + 10;
        else
            return false;
        if (n == 2 * VES_UUID_SIZE)
            return false;
        out->b[n / 2] = (uint8_t)(out->b[n / 2] << 4 | digit);
        n++;
    }
    return n == 2 * VES_UUID_SIZE;
}
