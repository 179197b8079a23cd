/* request.c -- one HTTP request on its way through the server. */
#include "server/request.h"

#include <stdarg.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/time.h"
#include "base/uuid.h"
#include "server/routes.h"
#include "server/server.h"
#include "json/jcs.h"

static const struct {
    const char *code;
    uint32_t status;
    uint32_t number;
} http_errors[] = {
#define X(code, status, number) {#code, status, number},
    VES_HTTP_ERROR_MAP(X)
#undef X
};

enum { HTTP_ERROR_COUNT = sizeof(http_errors) / sizeof(http_errors[0]) };

void ves_request_body_free(struct ves_request *request)
{
    const struct ves_alloc *alloc = request->server->alloc;
    if (!request->body)
        return;
    alloc->realloc(alloc->ctx, request->body, 0);
    atomic_fetch_sub(&request->server->metrics.body_memory, request->body_cap);
    atomic_fetch_sub(&request->held->bodies, request->body_cap);
    atomic_fetch_sub(&request->held->account->bodies, request->body_cap);
    request->body = NULL;
    request->body_len = request->body_cap = 0;
}

void ves_request_release(struct ves_request *request)
{
    if (request->has_ingest)
        ves_ingest_free(&request->ingest);
    request->has_ingest = false;
    ves_request_body_free(request);
    ves_arena_free(&request->arena);
    ves_pipeline_forget(request->server, request->prepared);
    request->prepared = 0;
}

void ves_reply(struct ves_request *request, uint32_t status)
{
    request->status = status;
    if (!ves_buf_status(&request->out))
        return;
    ves_reply_error(request, 500, NULL,
                    "the answer could not be made: %s; ask for less at once",
                    ves_status_message(ves_buf_status(&request->out)));
}

void ves_reply_error(struct ves_request *request, uint32_t status,
                     const char *code, const char *format, ...)
{
    struct ves_error words;
    va_list args;
    va_start(args, format);
    (void)ves_vfail(&words, VES_INVALID, format, args);
    va_end(args);
    size_t i = 0;
    while (i + 1 < HTTP_ERROR_COUNT && http_errors[i].status != status)
        i++;
    if (http_errors[i].status != status)
        i = 0;
    if (!code)
        code = http_errors[i].code;
    struct ves_buf *out = &request->out;
    struct ves_bytes message = ves_bytes_str(words.text);
    request->status = status;
    request->error_code = code;
    request->content_type = NULL;
    request->retry_after_s = status == 503 ? 1 : 0;
    ves_buf_reset(out);
    ves_buf_putf(out, "{\"error\":{\"code\":\"%s\",\"numeric_code\":%u,", code,
                 http_errors[i].number);
    ves_buf_put_str(out, "\"message\":");
    ves_put_text(out, message);
    ves_buf_put_str(out, ",\"request_id\":");
    ves_put_text(out, ves_bytes_str(request->id));
    ves_buf_put_str(out, "},\"message\":");
    ves_put_text(out, message);
    ves_buf_putf(out, ",\"code\":\"%s\"}", code);
}

void ves_reply_auth(struct ves_request *request, enum ves_auth_result result)
{
    struct ves_buf *out = &request->out;
    struct ves_bytes words = ves_bytes_str(ves_auth_words(result));
    request->status = ves_auth_http(result);
    request->error_code = ves_auth_code(result);
    request->content_type = NULL;
    ves_metric_add(&request->server->metrics.auth_failures, 1);
    ves_buf_reset(out);
    ves_buf_put_str(out, "{\"error\":");
    ves_put_text(out, words);
    ves_buf_putf(out, ",\"code\":\"%s\",\"message\":", request->error_code);
    ves_put_text(out, words);
    ves_buf_put_str(out, "}");
}

void ves_reply_status(struct ves_request *request, enum ves_status status,
                      const struct ves_error *error)
{
    uint32_t http = 500;
    switch (status) {
    case VES_INVALID:
    case VES_MALFORMED:
    case VES_UNSUPPORTED:
        http = 400;
        break;
    case VES_AUTH:
        http = 401;
        break;
    case VES_REFUSED:
    case VES_FORBIDDEN:
        http = 403;
        break;
    case VES_NOT_FOUND:
        http = 404;
        break;
    case VES_CONFLICT:
        http = 409;
        break;
    case VES_LIMIT:
        http = 413;
        break;
    case VES_NOMEM:
    case VES_IO:
    case VES_BUSY:
    case VES_AGAIN:
        http = 503;
        break;
    default:
        break;
    }
    ves_reply_error(request, http, NULL, "%s",
                    error && error->text[0] ? error->text
                                            : ves_status_message(status));
}

bool ves_request_may_hold(const struct ves_request *request)
{
    const struct ves_server *server = request->server;
    return atomic_load(&request->held->replies) < VES_SERVER_REPLY_MEMORY_ONE &&
           atomic_load(&server->metrics.reply_memory) <
               VES_SERVER_REPLY_MEMORY_MAX;
}

bool ves_request_has_room(struct ves_request *request)
{
    if (request->route->access == VES_ACCESS_OPEN ||
        ves_request_may_hold(request))
        return true;
    ves_reply_error(request, 503, NULL,
                    "too many answers wait for their clients to take them; "
                    "nothing was done");
    return false;
}

bool ves_request_allows(struct ves_request *request, uint32_t right,
                        const struct ves_uuid *tenant,
                        const struct ves_uuid *store)
{
    enum ves_auth_result result =
        ves_auth_allows(&request->caller, right, tenant, store);
    if (result)
        ves_reply_auth(request, result);
    return !result;
}

bool ves_request_may_see(struct ves_request *request, uint32_t right,
                         const struct ves_stream *stream, const char *words)
{
    if (stream && !ves_auth_allows(&request->caller, right, &stream->tenant,
                                   &stream->store))
        return true;
    ves_reply_error(request, 404, NULL, "%s", words);
    return false;
}

/* A query parameter that is missing is a bad request, not a missing thing. */
static bool parameter_is_bad(struct ves_request *request,
                             enum ves_status status,
                             const struct ves_error *error)
{
    if (status)
        ves_reply_status(request, VES_INVALID, error);
    return status != VES_OK;
}

bool ves_request_tenant(struct ves_request *request, uint32_t right,
                        struct ves_uuid *tenant, bool *has_store,
                        struct ves_uuid *store)
{
    struct ves_error error = {0};
    enum ves_status status =
        ves_uri_uuid(&request->uri, "tenant_id", tenant, &error);
    if (parameter_is_bad(request, status, &error))
        return false;
    status = ves_uri_uuid(&request->uri, "store_id", store, &error);
    *has_store = status == VES_OK;
    if (status != VES_NOT_FOUND && parameter_is_bad(request, status, &error))
        return false;
    return ves_request_allows(request, right, tenant,
                              *has_store ? store : NULL);
}

bool ves_request_stream(struct ves_request *request, uint32_t right,
                        struct ves_stream *out)
{
    struct ves_error error = {0};
    enum ves_status status =
        ves_uri_uuid(&request->uri, "tenant_id", &out->tenant, &error);
    if (!status)
        status = ves_uri_uuid(&request->uri, "store_id", &out->store, &error);
    if (parameter_is_bad(request, status, &error))
        return false;
    return ves_request_allows(request, right, &out->tenant, &out->store);
}

bool ves_request_u64(struct ves_request *request, const char *name,
                     uint64_t fallback, uint64_t *out)
{
    struct ves_error error = {0};
    enum ves_status status = ves_uri_u64(&request->uri, name, out, &error);
    if (status == VES_NOT_FOUND) {
        *out = fallback;
        return true;
    }
    return !parameter_is_bad(request, status, &error);
}

bool ves_request_wants(const struct ves_request *request, const char *what)
{
    struct ves_bytes value;
    return ves_uri_param(&request->uri, what, &value) &&
           (ves_bytes_is(value, "1") || ves_bytes_is(value, "true"));
}

bool ves_request_limit(struct ves_request *request, uint32_t fallback,
                       uint32_t max, uint32_t *out)
{
    uint64_t limit;
    if (!ves_request_u64(request, "limit", fallback, &limit))
        return false;
    if (limit == 0) {
        ves_reply_error(request, 400, NULL,
                        "query parameter limit must be at least 1");
        return false;
    }
    *out = limit > max ? max : (uint32_t)limit;
    return true;
}

bool ves_request_text(struct ves_request *request, size_t capture,
                      const char *name, size_t max, struct ves_bytes *out)
{
    enum ves_status status =
        ves_uri_decode(&request->arena, request->captures[capture], false, out);
    if (status == VES_NOMEM) {
        ves_reply_status(request, status, NULL);
        return false;
    }
    if (status || out->len > max) {
        ves_reply_error(request, 400, NULL,
                        "%s in the path is not percent-encoded UTF-8 of 1 to "
                        "%zu bytes",
                        name, max);
        return false;
    }
    return true;
}

bool ves_request_uuid(struct ves_request *request, size_t capture,
                      const char *name, struct ves_uuid *out)
{
    if (ves_uuid_parse(request->captures[capture], out)) {
        ves_reply_error(request, 400, NULL, "%s in the path is not a UUID",
                        name);
        return false;
    }
    return true;
}

void ves_put_name(struct ves_buf *buf, bool first, const char *name)
{
    ves_buf_put_str(buf, first ? "\"" : ",\"");
    ves_buf_put_str(buf, name);
    ves_buf_put(buf, "\":", 2);
}

void ves_put_text(struct ves_buf *buf, struct ves_bytes text)
{
    ves_jcs_write_string(buf, text);
}

void ves_put_uuid(struct ves_buf *buf, const struct ves_uuid *uuid)
{
    ves_buf_put_u8(buf, '"');
    ves_buf_put_uuid(buf, uuid);
    ves_buf_put_u8(buf, '"');
}

void ves_put_hex(struct ves_buf *buf, const char *prefix, const void *data,
                 size_t len)
{
    ves_buf_put_u8(buf, '"');
    ves_buf_put_str(buf, prefix);
    ves_buf_put_hex(buf, data, len);
    ves_buf_put_u8(buf, '"');
}

void ves_put_time(struct ves_buf *buf, int64_t unix_ms)
{
    char text[VES_TIME_TEXT + 1];
    if (unix_ms == 0) {
        ves_buf_put_str(buf, "null");
        return;
    }
    ves_time_format(unix_ms, text);
    ves_put_text(buf, ves_bytes_str(text));
}

void ves_put_sequence(struct ves_buf *buf, uint64_t sequence)
{
    if (sequence)
        ves_buf_put_decimal(buf, sequence);
    else
        ves_buf_put_str(buf, "null");
}

void ves_put_bool(struct ves_buf *buf, bool value)
{
    ves_buf_put_str(buf, value ? "true" : "false");
}
