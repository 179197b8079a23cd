/* test_events.c -- signed envelopes and ingest requests with any content. */
#include "test/lib/test_events.h"

#include <ctype.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/endian.h"
#include "json/jcs.h"

enum { BODY_MAX = 64 * 1024 * 1024 };

struct ves_uuid test_id(uint32_t n)
{
    struct ves_uuid id = {
        {0x01, 0x93, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0}};

    ves_store_u32(id.b + 12, n);
    return id;
}

void test_event_init(struct test_event *event, const struct ves_stream *stream,
                     const struct ves_uuid *agent, uint32_t n)
{
    *event = (struct test_event){
        .fields =
            {
                .ves_version = 2,
                .stream = *stream,
                .event_id = test_id(n),
                .agent = *agent,
                .agent_key_id = 1,
                .entity_type = ves_bytes_str("order"),
                .entity_id = ves_bytes_str("A-1"),
                .event_type = ves_bytes_str("order.updated"),
                .created_at = ves_bytes_str("2026-01-02T03:04:05.678Z"),
            },
        .payload = "{\"note\":\"n\"}",
    };
}

void test_event_context(struct test_event *event, uint64_t agent_seq,
                        uint64_t seen)
{
    struct ves_context *context = &event->fields.context;

    *context = (struct ves_context){
        .is_present = true,
        .agent_seq = agent_seq,
        .has_prev = agent_seq > 1,
        .seen = seen,
        .schema = ves_bytes_str("order.updated/1"),
        .schema_version = 1,
    };
    memset(context->prev.b, 1, VES_HASH_SIZE);
}

void test_event_group(struct test_event *event, const struct ves_uuid *command,
                      uint32_t index, uint32_t count)
{
    event->fields.has_command_id = true;
    event->fields.command_id = *command;
    event->fields.context.has_cmd = true;
    event->fields.context.cmd_index = index;
    event->fields.context.cmd_count = count;
}

/* The payload with its "_ves", in canonical form in *out. */
static void write_payload(struct ves_buf *out, const struct test_event *event)
{
    struct ves_buf text;
    struct ves_arena arena;
    const struct ves_json_options options = {.depth_max = VES_JSON_DEPTH_LIMIT};
    const struct ves_json *root;

    ves_buf_init(&text, ves_alloc_default(), BODY_MAX);
    ves_arena_init(&arena, ves_alloc_default(), (size_t)BODY_MAX * 16);
    ves_buf_put_str(&text, event->payload);
    if (event->fields.context.is_present) {
        VES_ASSERT(text.ptr[text.len - 1] == '}');
        text.len--;
        ves_buf_put_str(&text, text.len > 1 ? ",\"_ves\":" : "\"_ves\":");
        ves_context_write(&text, &event->fields.context);
        ves_buf_put_u8(&text, '}');
    }
    VES_ASSERT(ves_json_read(&arena, ves_buf_view(&text), &options, &root,
                             NULL) == VES_OK);
    VES_ASSERT(ves_jcs_write(out, &arena, root) == VES_OK);
    ves_arena_free(&arena);
    ves_buf_free(&text);
}

static void upper_case(struct ves_buf *buf, size_t from)
{
    for (size_t i = from; i < buf->len; i++)
        buf->ptr[i] = (uint8_t)toupper(buf->ptr[i]);
}

static void put_hex(struct ves_buf *out, const struct test_event *event,
                    const char *name, const void *data, size_t len)
{
    ves_buf_put_str(out, name);
    if (!event->is_upper_case)
        ves_buf_put_str(out, "0x");
    size_t from = out->len;
    ves_buf_put_hex(out, data, len);
    if (event->is_upper_case)
        upper_case(out, from);
    ves_buf_put_u8(out, '"');
}

static void write_members(struct ves_buf *out, const struct test_event *event,
                          const struct ves_event *e, struct ves_bytes payload)
{
    ves_buf_putf(out, "{\"ves_version\":%u,\"event_id\":\"",
                 (unsigned)e->ves_version);
    ves_buf_put_uuid(out, &e->event_id);
    ves_buf_put_str(out, "\",\"tenant_id\":\"");
    ves_buf_put_uuid(out, &e->stream.tenant);
    ves_buf_put_str(out, "\",\"store_id\":\"");
    ves_buf_put_uuid(out, &e->stream.store);
    ves_buf_put_str(out, "\",\"source_agent_id\":\"");
    ves_buf_put_uuid(out, &e->agent);
    ves_buf_putf(out, "\",\"agent_key_id\":%u,\"entity_type\":",
                 (unsigned)e->agent_key_id);
    ves_jcs_write_string(out, e->entity_type);
    ves_buf_put_str(out, ",\"entity_id\":");
    ves_jcs_write_string(out, e->entity_id);
    ves_buf_put_str(out, ",\"event_type\":");
    ves_jcs_write_string(out, e->event_type);
    ves_buf_put_str(out, ",\"created_at\":");
    ves_jcs_write_string(out, e->created_at);
    ves_buf_putf(
        out, ",\"payload_kind\":%u,\"payload\":", (unsigned)e->payload_kind);
    ves_buf_put_bytes(out, payload);
    put_hex(out, event, ",\"payload_plain_hash\":\"", e->payload_plain_hash.b,
            VES_HASH_SIZE);
    put_hex(out, event, ",\"payload_cipher_hash\":\"", e->payload_cipher_hash.b,
            VES_HASH_SIZE);
    put_hex(out, event, ",\"agent_signature\":\"", e->signature.b,
            VES_SIG_SIZE);
    if (e->has_command_id) {
        ves_buf_put_str(out, ",\"command_id\":\"");
        ves_buf_put_uuid(out, &e->command_id);
        ves_buf_put_u8(out, '"');
    }
    if (e->has_base_version)
        ves_buf_putf(out, ",\"base_version\":%llu",
                     (unsigned long long)e->base_version);
}

void test_event_write(struct ves_buf *out, const struct test_event *event,
                      const struct test_signer *agent, struct ves_hash *hash)
{
    struct ves_event e = event->fields;
    struct ves_buf payload;
    struct ves_hash signing_hash;

    ves_buf_init(&payload, ves_alloc_default(), BODY_MAX);
    write_payload(&payload, event);
    ves_payload_plain_hash(ves_buf_view(&payload), NULL, &e.payload_plain_hash);
    if (event->has_bad_hash)
        e.payload_plain_hash.b[0] ^= 1;
    ves_event_signing_hash(&e, &signing_hash);
    test_signer_sign(agent, &signing_hash, &e.signature);
    if (event->has_bad_signature)
        e.signature.b[1] ^= 1;
    write_members(out, event, &e, ves_buf_view(&payload));
    ves_buf_put_str(out, event->extra ? event->extra : "");
    ves_buf_put_u8(out, '}');
    VES_ASSERT(ves_buf_status(out) == VES_OK);
    ves_buf_free(&payload);
    if (hash)
        *hash = signing_hash;
}

void test_request_begin(struct test_request *request,
                        const struct ves_uuid *agent)
{
    request->count = 0;
    ves_buf_init(&request->body, ves_alloc_default(), BODY_MAX);
    ves_buf_put_str(&request->body, "{\"agentId\":\"");
    ves_buf_put_uuid(&request->body, agent);
    ves_buf_put_str(&request->body, "\",\"events\":[");
}

void test_request_raw(struct test_request *request, const char *text)
{
    if (request->count++ > 0)
        ves_buf_put_u8(&request->body, ',');
    ves_buf_put_str(&request->body, text);
}

void test_request_event(struct test_request *request,
                        const struct test_event *event,
                        const struct test_signer *agent)
{
    test_request_raw(request, "");
    test_event_write(&request->body, event, agent, NULL);
}

struct ves_bytes test_request_end(struct test_request *request)
{
    ves_buf_put_str(&request->body, "]}");
    VES_ASSERT(ves_buf_status(&request->body) == VES_OK);
    return ves_buf_view(&request->body);
}

void test_request_free(struct test_request *request)
{
    ves_buf_free(&request->body);
}
