/* context.c -- the causal context of an event, payload member "_ves". */
#include "core/context.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/uuid.h"
#include "json/jcs.h"

enum {
    HASH_TEXT = 2 + 2 * VES_HASH_SIZE,    /* "0x" and the digits */
    SCHEMA_MAX = VES_EVENT_TYPE_MAX + 11, /* a type, a slash, 32 bits */
    HLC_MAX = 64
};

static enum ves_status refuse(struct ves_refusal *refusal, const char *member,
                              const char *rule)
{
    return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, member, "%s %s",
                      member, rule);
}

static bool get_hash(const struct ves_json *node, struct ves_hash *out)
{
    return node->type == VES_JSON_STRING && node->string.len == HASH_TEXT &&
           memcmp(node->string.ptr, "0x", 2) == 0 &&
           ves_hex_decode(node->string, out->b, VES_HASH_SIZE) == VES_OK;
}

static bool get_text(const struct ves_json *node, size_t max,
                     struct ves_bytes *out)
{
    if (node->type != VES_JSON_STRING || node->string.len == 0 ||
        node->string.len > max)
        return false;
    *out = node->string;
    return true;
}

/* "order.updated/1": the number after the last slash; none is version 0. */
static bool get_schema_version(struct ves_bytes schema, uint32_t *out)
{
    size_t at = schema.len;
    uint64_t version;

    while (at > 0 && schema.ptr[at - 1] != '/')
        at--;
    if (at == 0) {
        *out = 0;
        return true;
    }
    struct ves_bytes digits = ves_bytes(schema.ptr + at, schema.len - at);
    if (at == 1 || ves_decimal_parse(digits, &version) || version > UINT32_MAX)
        return false;
    *out = (uint32_t)version;
    return true;
}

static enum ves_status read_deps(struct ves_arena *arena,
                                 const struct ves_json *node,
                                 struct ves_context *out,
                                 struct ves_refusal *refusal)
{
    if (node->type != VES_JSON_ARRAY)
        return refuse(refusal, "_ves.deps", "must be an array of event ids");
    if (node->count > VES_DEPS_MAX)
        return ves_refuse(refusal, VES_REFUSAL_SCHEMA_VALIDATION, "_ves.deps",
                          "_ves.deps names %zu events; at most %d are allowed",
                          node->count, (int)VES_DEPS_MAX);

    out->deps = ves_arena_alloc(arena, node->count * sizeof(*out->deps));
    if (!out->deps)
        return VES_NOMEM;
    for (const struct ves_json *item = node->first; item; item = item->next) {
        if (item->type != VES_JSON_STRING ||
            ves_uuid_parse(item->string, &out->deps[out->dep_count]))
            return refuse(refusal, "_ves.deps",
                          "must hold event ids, UUIDs as text");
        out->dep_count++;
    }
    return VES_OK;
}

static enum ves_status read_cmd(const struct ves_json *node,
                                struct ves_context *out,
                                struct ves_refusal *refusal)
{
    uint64_t index, count;

    /* Two known members and no third: the list is closed. */
    if (node->type != VES_JSON_OBJECT || node->count != 2 ||
        !ves_json_get_u64(node, "index", &index) ||
        !ves_json_get_u64(node, "count", &count))
        return refuse(refusal, "_ves.cmd",
                      "must have the integers index and count and no other");
    if (count > VES_EVENTS_PER_REQUEST_MAX)
        return ves_refuse(
            refusal, VES_REFUSAL_SCHEMA_VALIDATION, "_ves.cmd.count",
            "_ves.cmd.count is %llu; a group travels in one "
            "request of at most %d events",
            (unsigned long long)count, (int)VES_EVENTS_PER_REQUEST_MAX);
    if (index >= count)
        return refuse(refusal, "_ves.cmd.index",
                      "must be below _ves.cmd.count");
    out->has_cmd = true;
    out->cmd_index = (uint32_t)index;
    out->cmd_count = (uint32_t)count;
    return VES_OK;
}

enum member {
    M_AGENT_SEQ,
    M_BASE_HEAD,
    M_CMD,
    M_DEPS,
    M_HLC,
    M_PREV,
    M_SCHEMA,
    M_SEEN,
    M_V,
    M_COUNT
};

static const char *const member_names[M_COUNT] = {
    "agent_seq", "base_head", "cmd",  "deps", "hlc",
    "prev",      "schema",    "seen", "v"};

/* Sorts the members into *nodes by name. */
static enum ves_status collect(const struct ves_json *node,
                               const struct ves_json *nodes[M_COUNT],
                               struct ves_refusal *refusal)
{
    for (const struct ves_json *m = node->first; m; m = m->next) {
        size_t i = 0;
        while (i < M_COUNT && !ves_bytes_is(m->key, member_names[i]))
            i++;
        if (i == M_COUNT)
            return refuse(refusal, "_ves",
                          "has a member that version 1 does not know");
        nodes[i] = m;
    }
    return VES_OK;
}

static enum ves_status read_chain(const struct ves_json *nodes[M_COUNT],
                                  struct ves_context *out,
                                  struct ves_refusal *refusal)
{
    uint64_t v;

    if (!nodes[M_V] || !ves_json_as_u64(nodes[M_V], &v) || v != 1)
        return refuse(refusal, "_ves.v", "must be 1");
    if (!nodes[M_AGENT_SEQ] ||
        !ves_json_as_u64(nodes[M_AGENT_SEQ], &out->agent_seq) ||
        out->agent_seq == 0)
        return refuse(refusal, "_ves.agent_seq", "must be an integer from 1");
    if (!nodes[M_SEEN] || !ves_json_as_u64(nodes[M_SEEN], &out->seen))
        return refuse(refusal, "_ves.seen", "must be an integer from 0");
    if ((nodes[M_PREV] != NULL) != (out->agent_seq > 1))
        return refuse(refusal, "_ves.prev",
                      "must be there exactly when agent_seq is above 1");
    if (nodes[M_PREV]) {
        if (!get_hash(nodes[M_PREV], &out->prev))
            return refuse(refusal, "_ves.prev",
                          "must be an event hash, \"0x\" and 64 digits");
        out->has_prev = true;
    }
    return VES_OK;
}

enum ves_status ves_context_read(struct ves_arena *arena,
                                 const struct ves_json *node,
                                 struct ves_context *out,
                                 struct ves_refusal *refusal)
{
    const struct ves_json *nodes[M_COUNT] = {NULL};
    struct ves_context context = {.is_present = true};
    enum ves_status status;

    if (node->type != VES_JSON_OBJECT)
        return refuse(refusal, "_ves", "must be an object");
    status = collect(node, nodes, refusal);
    if (status)
        return status;
    status = read_chain(nodes, &context, refusal);
    if (status)
        return status;

    if (nodes[M_BASE_HEAD]) {
        if (!get_hash(nodes[M_BASE_HEAD], &context.base_head))
            return refuse(refusal, "_ves.base_head",
                          "must be an event hash, \"0x\" and 64 digits");
        context.has_base_head = true;
    }
    if (!nodes[M_SCHEMA] ||
        !get_text(nodes[M_SCHEMA], SCHEMA_MAX, &context.schema) ||
        !get_schema_version(context.schema, &context.schema_version))
        return refuse(refusal, "_ves.schema",
                      "must be a name, or a name, a slash and a version");
    if (nodes[M_HLC] && !get_text(nodes[M_HLC], HLC_MAX, &context.hlc))
        return refuse(refusal, "_ves.hlc", "must be text of 1 to 64 bytes");
    if (nodes[M_DEPS]) {
        status = read_deps(arena, nodes[M_DEPS], &context, refusal);
        if (status)
            return status;
    }
    if (nodes[M_CMD]) {
        status = read_cmd(nodes[M_CMD], &context, refusal);
        if (status)
            return status;
    }
    *out = context;
    return VES_OK;
}

static void write_hash(struct ves_buf *buf, const struct ves_hash *hash)
{
    ves_buf_put_str(buf, "\"0x");
    ves_buf_put_hex(buf, hash->b, VES_HASH_SIZE);
    ves_buf_put_u8(buf, '"');
}

static void write_deps(struct ves_buf *buf, const struct ves_context *context)
{
    ves_buf_put_str(buf, ",\"deps\":[");
    for (size_t i = 0; i < context->dep_count; i++) {
        ves_buf_put_str(buf, i > 0 ? ",\"" : "\"");
        ves_buf_put_uuid(buf, &context->deps[i]);
        ves_buf_put_u8(buf, '"');
    }
    ves_buf_put_u8(buf, ']');
}

void ves_context_write(struct ves_buf *buf, const struct ves_context *context)
{
    VES_ASSERT(context->agent_seq > 0);
    VES_ASSERT(context->has_prev == (context->agent_seq > 1));

    /* Canonical: members in the order of their names. */
    ves_buf_put_str(buf, "{\"agent_seq\":");
    ves_buf_put_decimal(buf, context->agent_seq);
    if (context->has_base_head) {
        ves_buf_put_str(buf, ",\"base_head\":");
        write_hash(buf, &context->base_head);
    }
    if (context->has_cmd) {
        ves_buf_put_str(buf, ",\"cmd\":{\"count\":");
        ves_buf_put_decimal(buf, context->cmd_count);
        ves_buf_put_str(buf, ",\"index\":");
        ves_buf_put_decimal(buf, context->cmd_index);
        ves_buf_put_u8(buf, '}');
    }
    if (context->deps && context->dep_count > 0)
        write_deps(buf, context);
    if (context->hlc.len > 0) {
        ves_buf_put_str(buf, ",\"hlc\":");
        ves_jcs_write_string(buf, context->hlc);
    }
    if (context->has_prev) {
        ves_buf_put_str(buf, ",\"prev\":");
        write_hash(buf, &context->prev);
    }
    ves_buf_put_str(buf, ",\"schema\":");
    ves_jcs_write_string(buf, context->schema);
    ves_buf_put_str(buf, ",\"seen\":");
    ves_buf_put_decimal(buf, context->seen);
    ves_buf_put_str(buf, ",\"v\":1}");
}
