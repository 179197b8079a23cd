/* fuzz_http_query.c -- request targets, credentials and bodies from strangers.
 *
 * First byte: which reader.  What is accepted must obey the reader's promises
 * and read the same when written again.
 */
#include <stdlib.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "os/listen.h"
#include "server/auth.h"
#include "server/body.h"
#include "server/routes.h"
#include "server/uri.h"

enum { READERS = 11, WRITTEN_MAX = 4 * 1024 * 1024 };

/* Percent-encodes everything. */
static void put_escaped(struct ves_buf *buf, struct ves_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        ves_buf_put_u8(buf, '%');
        ves_buf_put_hex(buf, text.ptr + i, 1);
    }
}

static void check_text(struct ves_bytes text)
{
    VES_ASSERT(ves_utf8_valid(text, NULL));
    VES_ASSERT(text.len == 0 || !memchr(text.ptr, 0, text.len));
}

/* Written again with every byte escaped it means the same. */
static void check_round_trip(struct ves_arena *arena, const struct ves_uri *uri)
{
    static struct ves_uri again;
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), WRITTEN_MAX);
    ves_buf_put_bytes(&buf, uri->path);
    for (size_t i = 0; i < uri->param_count; i++) {
        ves_buf_put_u8(&buf, i ? '&' : '?');
        put_escaped(&buf, uri->params[i].name);
        ves_buf_put_u8(&buf, '=');
        put_escaped(&buf, uri->params[i].value);
    }
    VES_ASSERT(ves_buf_status(&buf) == VES_OK);
    VES_ASSERT(ves_uri_read(arena, ves_buf_view(&buf), &again, NULL) == VES_OK);
    VES_ASSERT(again.param_count == uri->param_count);
    for (size_t i = 0; i < uri->param_count; i++) {
        VES_ASSERT(ves_bytes_equal(again.params[i].name, uri->params[i].name));
        VES_ASSERT(
            ves_bytes_equal(again.params[i].value, uri->params[i].value));
    }
    ves_buf_free(&buf);
}

static void check_route(struct ves_arena *arena, const struct ves_uri *uri)
{
    static struct ves_request request;
    uint32_t allowed;
    request.uri = *uri;
    for (enum ves_method m = VES_METHOD_GET; m <= VES_METHOD_OTHER; m *= 2) {
        memset(request.captures, 0, sizeof(request.captures));
        request.method = m;
        const struct ves_route *route = ves_route_find(&request, &allowed);
        if (!route)
            continue;
        VES_ASSERT(route->method == m);
        for (size_t i = 0; i < VES_URI_CAPTURES_MAX; i++) {
            struct ves_bytes c = request.captures[i];
            struct ves_bytes decoded;
            if (!c.ptr)
                continue;
            VES_ASSERT(c.ptr >= uri->path.ptr &&
                       c.ptr + c.len <= uri->path.ptr + uri->path.len);
            VES_ASSERT(!memchr(c.ptr, '/', c.len));
            if (!ves_uri_decode(arena, c, false, &decoded))
                check_text(decoded);
        }
    }
}

static void fuzz_uri(struct ves_arena *arena, struct ves_bytes in)
{
    static struct ves_uri uri;
    struct ves_error error = {0};
    if (ves_uri_read(arena, in, &uri, &error)) {
        VES_ASSERT(error.text[0]);
        VES_ASSERT(ves_utf8_valid(ves_bytes_str(error.text), NULL));
        return;
    }
    VES_ASSERT(uri.param_count <= VES_URI_PARAMS_MAX);
    for (size_t i = 0; i < uri.param_count; i++) {
        check_text(uri.params[i].name);
        check_text(uri.params[i].value);
    }
    check_round_trip(arena, &uri);
    check_route(arena, &uri);
}

static void fuzz_header(struct ves_bytes in)
{
    struct ves_bytes key;
    enum ves_dialect dialect;
    struct ves_bytes none = {0};
    for (int i = 0; i < 2; i++) {
        enum ves_auth_result result =
            ves_auth_header_read(i ? none : in, i ? in : none, &key, &dialect);
        VES_ASSERT((result == VES_AUTH_MISSING) == (in.len == 0));
        if (result)
            continue;
        VES_ASSERT(key.len > 3 && key.len <= VES_API_KEY_MAX);
        VES_ASSERT(memcmp(key.ptr, "ss_", 3) == 0);
        VES_ASSERT(key.ptr >= in.ptr && key.ptr + key.len <= in.ptr + in.len);
    }
}

static void fuzz_listen(struct ves_bytes in)
{
    struct ves_listen_address address;
    char text[512];
    if (in.len >= sizeof(text))
        return;
    memcpy(text, in.ptr, in.len);
    text[in.len] = 0;
    if (!ves_listen_read(text, &address, NULL))
        VES_ASSERT(address.host[0] && address.port[0]);
}

#define BODY(name)                                                 \
    do {                                                           \
        static struct ves_##name##_body body;                      \
        status = ves_##name##_body_read(arena, in, &body, &error); \
    } while (0)

static void fuzz_body(struct ves_arena *arena, unsigned which,
                      struct ves_bytes in)
{
    struct ves_error error = {0};
    enum ves_status status = VES_OK;
    static struct ves_api_key_body key;
    static struct ves_proof_body proof;
    switch (which) {
    case 0:
        BODY(commitment);
        break;
    case 1:
        BODY(cursor);
        break;
    case 2:
        status = ves_proof_body_read(arena, in, &proof, &error);
        VES_ASSERT(status || proof.proof.depth <= VES_PROOF_PATH_MAX);
        break;
    case 3:
        BODY(key);
        break;
    case 4:
        BODY(invitation);
        break;
    case 5:
        BODY(redeem);
        break;
    default:
        status = ves_api_key_body_read(arena, in, &key, &error);
        VES_ASSERT(status || (key.rights >= 1 && key.rights <= 7 &&
                              key.label.len <= VES_LABEL_MAX));
        break;
    }
    /* Every failure says why. */
    VES_ASSERT((status == VES_OK) == (error.text[0] == 0));
    VES_ASSERT(ves_utf8_valid(ves_bytes_str(error.text), NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ves_arena arena;
    if (size == 0)
        return 0;
    /* Memory of exactly that size: reading past the end is seen. */
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    struct ves_bytes in = ves_bytes(copy, size - 1);
    ves_arena_init(&arena, ves_alloc_default(), 64 * 1024 * 1024);
    unsigned which = (data[0] & 0x7f) % READERS;
    if (which < 2)
        fuzz_uri(&arena, in);
    else if (which == 2)
        fuzz_header(in);
    else if (which == 3)
        fuzz_listen(in);
    else
        fuzz_body(&arena, which - 4, in);
    ves_arena_free(&arena);
    free(copy);
    return 0;
}
