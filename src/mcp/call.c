/* call.c -- one request, and what its handler may do with it. */
#include <stdarg.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "mcp/server.h"
#include "os/clock.h"

enum {
    /* A node takes about a hundred bytes, and a value may be two of text: what
     * is nothing but such values is not read, or 8 MB would take 400. */
    READ_FACTOR = 16,
    READ_MIN = 4 * 1024 * 1024,
    READ_LEAST = 256 * 1024, /* when much is under way; short ones need less */
    OFFERS_MAX = 100
};

bool ves_mcp_hold(struct ves_mcp *mcp, size_t bytes)
{
    if (atomic_fetch_add(&mcp->held, bytes) + bytes <= VES_MCP_HELD_MAX)
        return true;
    atomic_fetch_sub(&mcp->held, bytes);
    return false;
}

void ves_mcp_release(struct ves_mcp *mcp, size_t bytes)
{
    atomic_fetch_sub(&mcp->held, bytes);
}

/* What reading a message may take; 0: too much is under way. */
static size_t reserve(struct ves_mcp *mcp, size_t len)
{
    size_t want = len * READ_FACTOR + READ_MIN;
    size_t least = len + READ_LEAST;

    for (; want >= least; want /= 2) {
        if (ves_mcp_hold(mcp, want))
            return want;
    }
    return 0;
}

/* A call without a message; NULL: no memory. */
static struct ves_mcp_call *call_blank(struct ves_mcp *mcp, size_t read_max)
{
    const struct ves_alloc *alloc = mcp->alloc;
    struct ves_mcp_call *call = alloc->realloc(alloc->ctx, NULL, sizeof(*call));

    if (!call)
        return NULL;
    memset(call, 0, sizeof(*call));
    call->mcp = mcp;
    ves_arena_init(&call->arena, alloc, read_max);
    ves_buf_init(&call->words, alloc, VES_MCP_REPLY_MAX);
    ves_buf_init(&call->kept, alloc, VES_MCP_KEPT_MAX);
    call->target = call->variable = call->argument = call->typed =
        (char *)(uintptr_t) "";
    call->log_level = -1;
    call->progress = -1;
    return call;
}

struct ves_mcp_call *ves_mcp_call_new(struct ves_mcp *mcp,
                                      struct ves_bytes bytes)
{
    size_t reserved = reserve(mcp, bytes.len);
    struct ves_mcp_call *call = reserved ? call_blank(mcp, reserved) : NULL;
    struct ves_bytes copy;

    if (!call) {
        ves_mcp_release(mcp, reserved);
        return NULL;
    }
    bool is_copied = !ves_arena_copy(&call->arena, bytes, &copy);
    if (is_copied)
        ves_mcp_message_read(&call->arena, copy, &call->message);
    /* It holds what it took, and not what it might have. */
    call->held = call->arena.total;
    ves_mcp_release(mcp, reserved - call->held);
    /* However much the message took, there is room to answer it. */
    call->arena.max += VES_MCP_REPLY_MAX;
    if (is_copied)
        return call;
    ves_mcp_call_free(call);
    return NULL;
}

static void free_rounds(struct ves_mcp_call *call)
{
    for (struct ves_mcp_question *q = call->questions; q; q = q->next)
        ves_buf_free(&q->answer);
    call->questions = NULL;
}

void ves_mcp_call_free(struct ves_mcp_call *call)
{
    const struct ves_alloc *alloc = call->mcp->alloc;

    free_rounds(call);
    for (struct ves_mcp_given *g = call->given; g; g = g->next)
        ves_jr_free(g->jr);
    ves_jr_free(call->arguments);
    ves_jw_free(call->structured);
    ves_jw_free(call->items);
    ves_buf_free(&call->words);
    ves_buf_free(&call->kept);
    ves_mcp_sink_drop(call->sink);
    ves_mcp_session_drop(call->session);
    ves_arena_free(&call->arena);
    ves_mcp_release(call->mcp, call->held);
    alloc->realloc(alloc->ctx, call, 0);
}

void ves_mcp_call_reset(struct ves_mcp_call *call)
{
    free_rounds(call);
    ves_jw_free(call->structured);
    ves_jw_free(call->items);
    call->structured = call->items = NULL;
    call->item_count = call->offered = 0;
    ves_buf_reset(&call->words);
    ves_buf_reset(&call->kept);
    call->code = 0;
    call->data = NULL;
}

bool ves_mcp_is_modern(const struct ves_mcp_call *call)
{
    return call->revision == VES_MCP_2026_07_28;
}

char *ves_mcp_call_text(struct ves_mcp_call *call, struct ves_bytes text)
{
    uint8_t *copy = ves_arena_bytes(&call->arena, text.len + 1);

    if (!copy)
        return (char *)(uintptr_t) "";
    if (text.len)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return (char *)copy;
}

void ves_mcp_call_give(struct ves_mcp_call *call, struct ves_bytes key,
                       struct ves_bytes json)
{
    struct ves_mcp_given *given = ves_arena_alloc(&call->arena, sizeof(*given));
    struct ves_jr *jr = ves_jr_new(call->mcp->alloc, json);

    if (!given || !jr) {
        ves_jr_free(jr);
        return;
    }
    *given = (struct ves_mcp_given){call->given, key, jr};
    call->given = given;
}

/* ---- what a handler reads ------------------------------------------------ */

struct ves_jr *ves_mcp_arguments(struct ves_mcp_call *call)
{
    VES_ASSERT(call->arguments);
    return call->arguments;
}

const char *ves_mcp_target(struct ves_mcp_call *call)
{
    return call->target;
}

const char *ves_mcp_variable(struct ves_mcp_call *call)
{
    return call->variable;
}

const char *ves_mcp_argument(const struct ves_mcp_call *call)
{
    return call->argument;
}

const char *ves_mcp_typed(const struct ves_mcp_call *call)
{
    return call->typed;
}

bool ves_mcp_can(const struct ves_mcp_call *call, enum ves_mcp_ability ability)
{
    return (call->abilities & (unsigned)ability) != 0;
}

struct ves_jr *ves_mcp_answer(struct ves_mcp_call *call, const char *key)
{
    /* The newest: a handler that asks again wants the new answer. */
    for (struct ves_mcp_given *g = call->given; g; g = g->next) {
        if (ves_bytes_is(g->key, key))
            return g->jr;
    }
    return NULL;
}

struct ves_bytes ves_mcp_state(const struct ves_mcp_call *call)
{
    return call->state;
}

bool ves_mcp_is_cancelled(const struct ves_mcp_call *call)
{
    return atomic_load(&call->is_cancelled) ||
           (ves_mcp_is_modern(call) && atomic_load(&call->sink->is_gone));
}

/* ---- what a handler writes ----------------------------------------------- */

/* A writer is there or the process has no memory to answer with. */
static struct ves_jw *need_writer(struct ves_mcp_call *call)
{
    struct ves_jw *jw = ves_jw_new(call->mcp->alloc, VES_MCP_REPLY_MAX);
    VES_ASSERT(jw);
    return jw;
}

struct ves_jw *ves_mcp_structured(struct ves_mcp_call *call)
{
    if (!call->structured)
        call->structured = need_writer(call);
    return call->structured;
}

struct ves_jw *ves_mcp_items(struct ves_mcp_call *call)
{
    if (!call->items) {
        call->items = need_writer(call);
        ves_jw_array(call->items);
    }
    return call->items;
}

static struct ves_jw *begin_contents(struct ves_mcp_call *call)
{
    struct ves_jw *jw = ves_mcp_items(call);

    call->item_count++;
    ves_jw_object(jw);
    ves_jw_key(jw, "uri");
    ves_jw_str(jw, call->target);
    if (call->resource && call->resource->mime_type) {
        ves_jw_key(jw, "mimeType");
        ves_jw_str(jw, call->resource->mime_type);
    }
    return jw;
}

void ves_mcp_text(struct ves_mcp_call *call, struct ves_bytes text)
{
    struct ves_jw *jw = begin_contents(call);

    ves_jw_key(jw, "text");
    ves_jw_bytes(jw, text);
    ves_jw_end(jw);
}

void ves_mcp_blob(struct ves_mcp_call *call, struct ves_bytes data)
{
    struct ves_jw *jw = begin_contents(call);
    struct ves_buf text;
    size_t len = ves_b64_len(data.len);

    ves_buf_init(&text, call->mcp->alloc, VES_MCP_REPLY_MAX);
    uint8_t *to = ves_buf_reserve(&text, len);
    if (to) {
        ves_b64_encode(data.ptr, data.len, (char *)to);
        text.len += len;
    }
    ves_jw_key(jw, "blob");
    ves_jw_bytes(jw, ves_buf_view(&text));
    ves_jw_end(jw);
    ves_buf_free(&text);
}

enum ves_mcp_outcome ves_mcp_fail(struct ves_mcp_call *call, const char *format,
                                  ...)
{
    va_list args;

    ves_buf_reset(&call->words);
    va_start(args, format);
    ves_buf_vputf(&call->words, format, args);
    va_end(args);
    call->code = call->purpose == VES_MCP_FOR_TOOL ? 0 : VES_MCP_INTERNAL_ERROR;
    return VES_MCP_FAILED;
}

enum ves_mcp_outcome ves_mcp_reject(struct ves_mcp_call *call, int code,
                                    const char *message, const char *data)
{
    ves_buf_reset(&call->words);
    ves_buf_put_str(&call->words, message);
    call->code = code;
    call->data = data ? ves_mcp_call_text(call, ves_bytes_str(data)) : NULL;
    return VES_MCP_FAILED;
}

enum ves_mcp_outcome ves_mcp_no_resource(struct ves_mcp_call *call)
{
    struct ves_jw *jw = need_writer(call);
    char *data = NULL;

    ves_jw_object(jw);
    ves_jw_key(jw, "uri");
    ves_jw_str(jw, call->target);
    ves_jw_end(jw);
    if (!ves_jw_status(jw))
        data = ves_mcp_call_text(call, ves_jw_view(jw));
    ves_jw_free(jw);
    return ves_mcp_reject(call,
                          ves_mcp_is_modern(call) ? VES_MCP_INVALID_PARAMS
                                                  : VES_MCP_RESOURCE_NOT_FOUND,
                          "Resource not found", data);
}

void ves_mcp_ask(struct ves_mcp_call *call, const char *key, const char *method,
                 struct ves_bytes params)
{
    struct ves_mcp_question *q = ves_arena_alloc(&call->arena, sizeof(*q));
    struct ves_mcp_question **end = &call->questions;

    bool says_mode = strcmp(method, "elicitation/create") == 0 &&
                     call->revision >= VES_MCP_2025_11_25;
    struct ves_buf text;

    VES_ASSERT(q);
    q->method = method;
    ves_buf_init(&q->answer, call->mcp->alloc, VES_MCP_REPLY_MAX);
    ves_buf_init(&text, call->mcp->alloc, VES_MCP_REPLY_MAX);
    ves_buf_put_str(&text, says_mode ? "{\"mode\":\"form\"," : "{");
    ves_buf_put(&text, params.ptr + 1, params.len - 1);
    bool is_kept =
        !ves_buf_status(&text) &&
        !ves_arena_copy(&call->arena, ves_bytes_str(key), &q->key) &&
        !ves_arena_copy(&call->arena, ves_buf_view(&text), &q->params);
    VES_ASSERT(is_kept);
    ves_buf_free(&text);
    /* Whoever reads answers looks at the questions of every call. */
    pthread_mutex_lock(&call->mcp->lock);
    while (*end)
        end = &(*end)->next;
    *end = q;
    pthread_mutex_unlock(&call->mcp->lock);
}

void ves_mcp_keep(struct ves_mcp_call *call, struct ves_bytes state)
{
    ves_buf_reset(&call->kept);
    ves_buf_put_bytes(&call->kept, state);
}

void ves_mcp_offer(struct ves_mcp_call *call, const char *value)
{
    if (strncmp(value, call->typed, strlen(call->typed)) != 0)
        return;
    call->offered++;
    if (call->item_count == OFFERS_MAX)
        return;
    call->item_count++;
    ves_jw_str(ves_mcp_items(call), value);
}

/* ---- what is sent before the answer -------------------------------------- */

bool ves_mcp_may_go_on(const struct ves_mcp_call *call)
{
    const struct ves_mcp *mcp = call->mcp;

    if (ves_mcp_is_cancelled(call) || atomic_load(&mcp->is_stopping))
        return false;
    return !atomic_load(&mcp->is_ending) ||
           ves_clock_monotonic_ms() < atomic_load(&mcp->end_ms);
}

bool ves_mcp_progress(struct ves_mcp_call *call, double done, double total,
                      const char *message)
{
    int64_t now = ves_clock_monotonic_ms();

    if (call->progress_token.len == 0 || done <= call->progress ||
        (call->progress >= 0 &&
         now - call->progress_ms < call->mcp->options.progress_interval_ms) ||
        ves_mcp_is_cancelled(call))
        return ves_mcp_may_go_on(call);
    call->progress = done;
    call->progress_ms = now;
    struct ves_jw *jw = need_writer(call);
    ves_jw_object(jw);
    ves_jw_key(jw, "jsonrpc");
    ves_jw_str(jw, "2.0");
    ves_jw_key(jw, "method");
    ves_jw_str(jw, "notifications/progress");
    ves_jw_key(jw, "params");
    ves_jw_object(jw);
    ves_jw_key(jw, "progressToken");
    ves_jw_raw(jw, call->progress_token);
    ves_jw_key(jw, "progress");
    ves_jw_double(jw, done);
    if (total > 0) {
        ves_jw_key(jw, "total");
        ves_jw_double(jw, total);
    }
    if (message && call->revision >= VES_MCP_2025_03_26) {
        ves_jw_key(jw, "message");
        ves_jw_str(jw, message);
    }
    ves_jw_end(jw);
    ves_jw_end(jw);
    if (!ves_jw_status(jw))
        call->sink->send(call->sink, ves_jw_view(jw));
    ves_jw_free(jw);
    return ves_mcp_may_go_on(call);
}

int ves_mcp_level(struct ves_bytes name)
{
    static const char *const levels[] = {"emergency", "alert",   "critical",
                                         "error",     "warning", "notice",
                                         "info",      "debug"};
    for (int i = 0; i < 8; i++) {
        if (ves_bytes_is(name, levels[i]))
            return i;
    }
    return -1;
}

void ves_mcp_log(struct ves_mcp_call *call, const char *level, const char *text)
{
    int loudness = ves_mcp_level(ves_bytes_str(level));

    if (!call->mcp->options.has_logging || loudness > call->log_level)
        return;
    struct ves_jw *jw = need_writer(call);
    ves_jw_object(jw);
    ves_jw_key(jw, "jsonrpc");
    ves_jw_str(jw, "2.0");
    ves_jw_key(jw, "method");
    ves_jw_str(jw, "notifications/message");
    ves_jw_key(jw, "params");
    ves_jw_object(jw);
    ves_jw_key(jw, "level");
    ves_jw_str(jw, level);
    ves_jw_key(jw, "data");
    ves_jw_str(jw, text);
    ves_jw_end(jw);
    ves_jw_end(jw);
    if (!ves_jw_status(jw))
        call->sink->send(call->sink, ves_jw_view(jw));
    ves_jw_free(jw);
}
