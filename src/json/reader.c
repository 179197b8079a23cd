/* reader.c -- reading documents for programs that see ves/json.h only. */
#include "ves/json.h"

#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "json/json.h"

enum { DOCUMENT_MAX = 64 * 1024 * 1024, POINTER_MAX = 1024 };

struct ves_jr {
    const struct ves_alloc *alloc;
    struct ves_arena arena;
    struct ves_buf pointer; /* the pointer of the call under way */
    const struct ves_json *root;
};

struct ves_jr *ves_jr_new(const struct ves_alloc *alloc, struct ves_bytes json)
{
    if (!alloc)
        alloc = ves_alloc_default();
    struct ves_jr *jr = alloc->realloc(alloc->ctx, NULL, sizeof(*jr));
    /* What VES says wraps payloads and states, which are that deep. */
    const struct ves_json_options options = {.depth_max =
                                                 VES_LOG_DEPTH_MAX + 16};
    struct ves_bytes copy;

    if (!jr)
        return NULL;
    memset(jr, 0, sizeof(*jr));
    jr->alloc = alloc;
    /* A node takes about a hundred bytes, a value at least two of text. */
    ves_arena_init(&jr->arena, alloc, (size_t)DOCUMENT_MAX * 64);
    ves_buf_init(&jr->pointer, alloc, POINTER_MAX);
    if (json.len > DOCUMENT_MAX || ves_arena_copy(&jr->arena, json, &copy) ||
        ves_json_read(&jr->arena, copy, &options, &jr->root, NULL)) {
        ves_jr_free(jr);
        return NULL;
    }
    return jr;
}

void ves_jr_free(struct ves_jr *jr)
{
    if (!jr)
        return;
    ves_buf_free(&jr->pointer);
    ves_arena_free(&jr->arena);
    jr->alloc->realloc(jr->alloc->ctx, jr, 0);
}

static const struct ves_json *find(struct ves_jr *jr, const char *format,
                                   va_list args)
    __attribute__((format(printf, 2, 0)));

static const struct ves_json *find(struct ves_jr *jr, const char *format,
                                   va_list args)
{
    VES_ASSERT(jr != NULL && format != NULL);

    ves_buf_reset(&jr->pointer);
    ves_buf_vputf(&jr->pointer, format, args);
    if (ves_buf_status(&jr->pointer))
        return NULL;
    return ves_json_pointer(jr->root, ves_buf_view(&jr->pointer));
}

static const char *terminated(struct ves_jr *jr, struct ves_bytes text)
{
    uint8_t *copy = ves_arena_bytes(&jr->arena, text.len + 1);

    if (!copy)
        return "";
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return (const char *)copy;
}

const char *ves_jr_str(struct ves_jr *jr, const char *pointer, ...)
{
    va_list args;
    va_start(args, pointer);
    const struct ves_json *node = find(jr, pointer, args);
    va_end(args);
    if (!node)
        return "";

    return terminated(jr, node->type == VES_JSON_STRING ? node->string
                                                        : node->text);
}

const char *ves_jr_json(struct ves_jr *jr, const char *pointer, ...)
{
    va_list args;
    va_start(args, pointer);
    const struct ves_json *node = find(jr, pointer, args);
    va_end(args);
    return node ? terminated(jr, node->text) : "";
}

uint64_t ves_jr_u64(struct ves_jr *jr, const char *pointer, ...)
{
    uint64_t value = 0;
    va_list args;
    va_start(args, pointer);
    const struct ves_json *node = find(jr, pointer, args);
    va_end(args);
    return node && ves_json_as_u64(node, &value) ? value : 0;
}

bool ves_jr_bool(struct ves_jr *jr, const char *pointer, ...)
{
    va_list args;
    va_start(args, pointer);
    const struct ves_json *node = find(jr, pointer, args);
    va_end(args);
    return node && node->type == VES_JSON_TRUE;
}

bool ves_jr_has(struct ves_jr *jr, const char *pointer, ...)
{
    va_list args;
    va_start(args, pointer);
    const struct ves_json *node = find(jr, pointer, args);
    va_end(args);
    return !ves_json_is_absent(node);
}

size_t ves_jr_count(struct ves_jr *jr, const char *pointer, ...)
{
    va_list args;
    va_start(args, pointer);
    const struct ves_json *node = find(jr, pointer, args);
    va_end(args);
    if (!node ||
        (node->type != VES_JSON_ARRAY && node->type != VES_JSON_OBJECT))
        return 0;
    return node->count;
}
