/* trail.c -- what administrators did. */
#include "server/trail.h"

#include <string.h>

#include "base/bytes.h"
#include "base/endian.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/storage.h"

enum {
    DETAIL_MAX = 8192,
    TARGET_MAX = 1024,
    WHO_DIGITS = 16 /* of the credential's hash, as API keys are named */
};

void ves_trail_hash(const struct ves_hash *before, const struct ves_record *row,
                    struct ves_hash *out)
{
    uint8_t numbers[2][8], lengths[2][8];
    ves_store_u64(numbers[0], row->no);
    ves_store_u64(numbers[1], (uint64_t)row->at_ms);
    ves_store_u64(lengths[0], row->code.len);
    ves_store_u64(lengths[1], row->detail.len);
    const struct ves_bytes parts[] = {ves_bytes_str("VES_TRAIL_V1"),
                                      ves_bytes(before->b, VES_HASH_SIZE),
                                      ves_bytes(numbers, sizeof(numbers)),
                                      ves_bytes(lengths[0], 8),
                                      row->code,
                                      ves_bytes(lengths[1], 8),
                                      row->detail};
    ves_sha256(parts, sizeof(parts) / sizeof(parts[0]), out);
}

/* ---- writing ------------------------------------------------------------- */

struct last {
    uint64_t no;
    struct ves_hash hash;
};

static enum ves_status take_last(void *ctx, const struct ves_record *row)
{
    struct last *last = ctx;
    last->no = row->no;
    if (row->body.len != VES_HASH_SIZE)
        return VES_CORRUPT;
    memcpy(last->hash.b, row->body.ptr, VES_HASH_SIZE);
    return VES_OK;
}

static enum ves_status append_in(struct ves_store *store, const char *code,
                                 struct ves_bytes detail, struct last *last)
{
    struct ves_record row = {.at_ms = ves_clock_now_ms(),
                             .code = ves_bytes_str(code),
                             .detail = detail};
    *last = (struct last){.no = 0};
    enum ves_status status = store->ops->record_list(
        store, VES_RECORD_TRAIL, VES_TRAIL_STREAM, 0, true, 1, take_last, last);
    if (status)
        return status;
    row.no = last->no + 1;
    ves_trail_hash(&last->hash, &row, &last->hash);
    last->no = row.no;
    row.body = ves_bytes(last->hash.b, VES_HASH_SIZE);
    return store->ops->record_append(store, VES_RECORD_TRAIL, VES_TRAIL_STREAM,
                                     &row, 1);
}

static enum ves_status append(struct ves_request *request, const char *code,
                              const struct ves_buf *detail, struct last *last)
{
    struct ves_store *store = request->store;
    enum ves_status status = ves_buf_status(detail);
    if (!status)
        status = store->ops->begin(store);
    if (status)
        return status;
    status = append_in(store, code, ves_buf_view(detail), last);
    if (!status)
        status = store->ops->commit(store);
    if (status)
        store->ops->rollback(store);
    return status;
}

static void put_who(struct ves_buf *out, const struct ves_request *request)
{
    ves_put_name(out, true, "who");
    ves_put_hex(out, "", request->key_hash.b, WHO_DIGITS / 2);
    ves_put_name(out, false, "tenantId");
    ves_put_uuid(out, &request->caller.tenant);
}

static const char *method_of(const struct ves_request *request)
{
    return request->method == VES_METHOD_DELETE ? "DELETE"
           : request->method == VES_METHOD_PUT  ? "PUT"
                                                : "POST";
}

/* What can be written down; a longer one would push out the rest. */
static const char *target_of(const struct ves_request *request)
{
    struct ves_bytes target = ves_bytes_str(request->target);

    return target.len <= TARGET_MAX && ves_utf8_valid(target, NULL)
               ? request->target
               : request->route->pattern;
}

enum ves_status ves_trail_begin(struct ves_request *request, uint64_t *no)
{
    struct ves_hash body;
    struct ves_buf out;
    struct last last;
    ves_sha256_one(request->body, request->body_len, &body);
    ves_buf_init(&out, request->server->alloc, DETAIL_MAX);
    ves_buf_put_u8(&out, '{');
    put_who(&out, request);
    ves_buf_putf(&out, ",\"method\":\"%s\",\"target\":", method_of(request));
    ves_put_text(&out, ves_bytes_str(target_of(request)));
    ves_put_name(&out, false, "bodyHash");
    ves_put_hex(&out, "", body.b, VES_HASH_SIZE);
    ves_put_name(&out, false, "requestId");
    ves_put_text(&out, ves_bytes_str(request->id));
    ves_buf_put_u8(&out, '}');
    enum ves_status status = append(request, "asked", &out, &last);
    ves_buf_free(&out);
    *no = last.no;
    return status;
}

void ves_trail_end(struct ves_request *request, uint64_t no)
{
    const struct ves_log *log = &request->server->log;
    char who[WHO_DIGITS + 1], hash[2 * VES_HASH_SIZE + 1] = "";
    struct ves_buf out;
    struct last last;
    ves_buf_init(&out, request->server->alloc, DETAIL_MAX);
    ves_buf_putf(&out, "{\"of\":%llu,\"status\":%u", (unsigned long long)no,
                 request->status);
    if (request->error_code) {
        ves_put_name(&out, false, "code");
        ves_put_text(&out, ves_bytes_str(request->error_code));
    }
    ves_buf_put_u8(&out, '}');
    enum ves_status status = append(request, "ended", &out, &last);
    ves_buf_free(&out);
    if (status) {
        ves_log_say(log, VES_LOG_ERROR, "trail_failed",
                    ves_status_message(status));
        return;
    }
    ves_hex_encode(request->key_hash.b, WHO_DIGITS / 2, who);
    who[WHO_DIGITS] = 0;
    ves_hex_encode(last.hash.b, VES_HASH_SIZE, hash);
    const struct ves_log_field fields[] = {
        {"who", who, 0},
        {"method", method_of(request), 0},
        {"route", request->route->pattern, 0},
        {"status", NULL, request->status},
        {"no", NULL, last.no},
        {"trail", hash, 0},
        {"requestId", request->id, 0},
        {"target", target_of(request), 0}};
    ves_log_write(log, VES_LOG_NOTICE, "admin", fields,
                  sizeof(fields) / sizeof(fields[0]));
}

/* ---- checking ------------------------------------------------------------ */

struct walk {
    struct ves_hash hash;
    struct ves_trail *out;
    void (*visit)(void *ctx, const struct ves_trail_record *record);
    void *ctx;
};

static enum ves_status walk_one(void *ctx, const struct ves_record *row)
{
    struct walk *walk = ctx;
    ves_trail_hash(&walk->hash, row, &walk->hash);
    if (row->no != walk->out->count + 1 || row->body.len != VES_HASH_SIZE ||
        memcmp(row->body.ptr, walk->hash.b, VES_HASH_SIZE) != 0)
        return VES_CORRUPT;
    walk->out->count++;
    walk->out->head = walk->hash;
    const struct ves_trail_record record = {.no = row->no,
                                            .at_ms = row->at_ms,
                                            .code = row->code,
                                            .detail = row->detail,
                                            .hash = walk->hash};
    walk->visit(walk->ctx, &record);
    return VES_OK;
}

enum ves_status ves_server_trail(
    const struct ves_serve_options *options,
    void (*visit)(void *ctx, const struct ves_trail_record *record), void *ctx,
    struct ves_trail *out, struct ves_error *error)
{
    struct walk walk = {.out = out, .visit = visit, .ctx = ctx};
    struct ves_store *store = NULL;
    *out = (struct ves_trail){.count = 0};
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    enum ves_status status = ves_storage_open(
        options, VES_STORAGE_READ, ves_alloc_default(), &store, error);
    if (status)
        return status;
    status = store->ops->record_list(store, VES_RECORD_TRAIL, VES_TRAIL_STREAM,
                                     1, false, 0, walk_one, &walk);
    if (status == VES_CORRUPT)
        (void)ves_fail(error, status,
                       "the trail was changed: record %llu is not what was "
                       "written there, or one is missing before it",
                       (unsigned long long)out->count + 1);
    else if (status)
        (void)ves_fail(error, status, "%s", store->error.text);
    ves_storage_close(store);
    return status;
}
