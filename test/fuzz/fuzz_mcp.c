/* fuzz_mcp.c -- the line reader of src/mcp: bytes, lines, messages, headers.
 *
 * First byte: how the bytes are cut.  However that is, the same lines come
 * out; whatever a line holds, a message comes out that can be answered with
 * one line of JSON.
 */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/text.h"
#include "mcp/guard.h"
#include "mcp/lines.h"
#include "mcp/message.h"
#include "mcp/schema.h"
#include "mcp/seal.h"
#include "mcp/server.h"

enum { LINE_MAX_FUZZ = 512, ARENA = 16 * 1024 * 1024, OUT = 1024 * 1024 };

static const char schema[] =
    "{\"type\":\"object\",\"properties\":{\"limit\":{\"type\":\"integer\","
    "\"minimum\":1,\"maximum\":9},\"id\":{\"type\":\"string\",\"format\":"
    "\"uuid\"},\"kind\":{\"enum\":[\"a\",\"bb\"]},\"ids\":{\"type\":\"array\","
    "\"maxItems\":2,\"items\":{\"type\":\"string\",\"maxLength\":3}},\"o\":{"
    "\"type\":\"object\"}},\"required\":[\"id\"],\"additionalProperties\":"
    "false}";

/* What is said of it is one line of JSON with the very same id. */
static void check_reply(struct ves_arena *arena,
                        const struct ves_mcp_message *m)
{
    const struct ves_json *root;
    struct ves_buf out;

    ves_buf_init(&out, ves_alloc_default(), OUT);
    ves_mcp_put_error(&out, m->id, m->code ? m->code : -32601,
                      m->reason ? m->reason : "x", NULL);
    VES_ASSERT(ves_buf_status(&out) == VES_OK);
    VES_ASSERT(!memchr(out.ptr, '\n', out.len));
    VES_ASSERT(!ves_json_read(arena, ves_buf_view(&out), NULL, &root, NULL));
    const struct ves_json *id = ves_json_member(root, "id");
    VES_ASSERT((id != NULL) == (m->id.len > 0));
    VES_ASSERT(!id || ves_bytes_equal(id->text, m->id));
    ves_buf_free(&out);
}

static void check_headers(struct ves_arena *arena,
                          const struct ves_mcp_message *m,
                          const struct ves_mcp_envelope *envelope)
{
    const struct ves_json *name = ves_json_member(m->params, "name");
    struct ves_mcp_headers none = {NULL, NULL, NULL};

    VES_ASSERT(ves_mcp_headers_wrong(arena, &none, m, envelope));
    if (name && name->type == VES_JSON_STRING &&
        !memchr(name->string.ptr, 0, name->string.len)) {
        char text[LINE_MAX_FUZZ + 1];
        memcpy(text, name->string.ptr, name->string.len);
        text[name->string.len] = '\0';
        (void)ves_mcp_header_agrees(arena, text, name);
        (void)ves_mcp_host_is_local(text);
        (void)ves_mcp_origin_is_allowed(text, text);
        (void)ves_mcp_type_is_json(text);
    }
}

static void check_line(struct ves_bytes line)
{
    struct ves_arena arena;
    struct ves_mcp_message m;
    struct ves_mcp_envelope envelope;
    struct ves_mcp_problem problem;
    const struct ves_json *root;
    struct ves_bytes kept;
    const uint8_t key[VES_MCP_SEAL_KEY] = {1};
    const struct ves_hash hash = {{2}};

    ves_arena_init(&arena, ves_alloc_default(), ARENA);
    ves_mcp_message_read(&arena, line, &m);
    VES_ASSERT((m.kind == VES_MCP_BROKEN) == (m.code != 0));
    VES_ASSERT((m.kind == VES_MCP_BROKEN) == (m.reason != NULL));
    VES_ASSERT(m.kind != VES_MCP_REQUEST || m.id.len > 0);
    VES_ASSERT(m.kind != VES_MCP_NOTIFICATION || m.id.len == 0);
    check_reply(&arena, &m);
    ves_mcp_envelope_read(&m, &envelope);
    (void)ves_mcp_progress_token(&m);
    check_headers(&arena, &m, &envelope);
    VES_ASSERT(
        !ves_json_read(&arena, ves_bytes_str(schema), NULL, &root, NULL));
    if (m.root && !ves_mcp_schema_check(root, m.root, &problem)) {
        VES_ASSERT(problem.text[0]);
        VES_ASSERT(strlen(problem.text) < sizeof(problem.text));
    }
    /* Nobody else can seal. */
    VES_ASSERT(ves_mcp_unseal(key, &hash, 0, line, &arena, &kept));
    ves_arena_free(&arena);
}

/* A hash of the lines, however the bytes are cut. */
static uint64_t read_lines(struct ves_bytes in, size_t step, bool looks)
{
    struct ves_mcp_lines lines;
    struct ves_bytes line;
    enum ves_mcp_line what = VES_MCP_LINE_NONE;
    uint64_t sum = 14695981039346656037u;

    ves_mcp_lines_init(&lines, ves_alloc_default(), LINE_MAX_FUZZ);
    for (size_t at = 0; at <= in.len; at += step) {
        size_t n = in.len - at < step ? in.len - at : step;
        ves_mcp_lines_put(&lines, ves_bytes(in.ptr + at, n));
        while (
            (what = ves_mcp_lines_next(&lines, &line)) ||
            (at + n == in.len && (what = ves_mcp_lines_end(&lines, &line)))) {
            sum = (sum ^ (uint64_t)what) * 1099511628211u;
            if (what != VES_MCP_LINE_WHOLE)
                continue;
            VES_ASSERT(line.len <= LINE_MAX_FUZZ);
            VES_ASSERT(line.len == 0 || !memchr(line.ptr, '\n', line.len));
            for (size_t i = 0; i < line.len; i++)
                sum = (sum ^ line.ptr[i]) * 1099511628211u;
            if (looks)
                check_line(line);
        }
    }
    ves_mcp_lines_free(&lines);
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    /* Memory of exactly that size: reading past the end is seen. */
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    struct ves_bytes in = ves_bytes(copy, size - 1);
    uint64_t whole = read_lines(in, size + 1, true);
    VES_ASSERT(read_lines(in, 1 + data[0] % 61, false) == whole);
    VES_ASSERT(read_lines(in, 1, false) == whole);
    free(copy);
    return 0;
}
