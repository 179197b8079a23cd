/* test_fleet.c -- a few devices and a sequencer in one process. */
#include "test/lib/test_fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/text.h"
#include "base/time.h"
#include "base/uuid.h"
#include "core/keydir.h"
#include "engine/log_tree.h"
#include "store/store_mem.h"
#include "store/store_sqlite.h"
#include "test/lib/test_dir.h"

enum { TEXT_MAX = 64 * 1024 * 1024, RECORDS_MAX = 512 };

/* ---- making -------------------------------------------------------------- */

static void assert_done(enum ves_status status, const struct ves_error *error)
{
    if (status)
        fail_msg("%s: %s", ves_status_name(status), error->text);
}

static struct ves_uuid agent_of(size_t n)
{
    return test_id(0xd0 + (uint32_t)n);
}

void test_fleet_device_over(struct test_fleet *fleet, size_t n,
                            struct ves_store *store, struct test_device *device)
{
    struct ves_core_identity identity = {
        .stream = fleet->hub.stream,
        .agent = agent_of(n),
        .key_id = 1,
        .sequencer_id = fleet->hub.sequencer.sequencer_id,
        .sequencer_keys = {{1, fleet->hub.key.signer.public_key}},
        .sequencer_key_count = 1,
        .owner_key = fleet->hub.agent_key.signer.public_key};

    memset(device, 0, sizeof(*device));
    device->store = store;
    test_signer_init(&device->key, (uint8_t)(20 + n));
    test_verifier_init(&device->verifier);
    device->core =
        (struct ves_agent_core){.store = device->store,
                                .alloc = ves_alloc_default(),
                                .signer = &device->key.signer,
                                .verifier = &device->verifier.verifier};
    device->lease = (struct ves_lease){
        .pid = 100 + n, .process_start = 1, .boot_id = test_id(0xb007)};
    assert_done(ves_core_create(&device->core, &identity), &device->core.error);
}

/* A fresh one; name is that of its file. */
static struct ves_store *open_store(const struct test_fleet *fleet,
                                    const char *name, size_t n)
{
    char path[TEST_DIR_PATH + 32];
    struct ves_store *store;
    struct ves_error error = {VES_OK, ""};
    const struct ves_store_sqlite_options options = {
        .path = path,
        .create = true,
        .role = name[0] == 'h' ? VES_STORE_SEQUENCER : VES_STORE_DEVICE};

    if (!fleet->has_files) {
        assert_int_equal(ves_store_mem_open(ves_alloc_default(), &store),
                         VES_OK);
        return store;
    }
    (void)snprintf(path, sizeof(path), "%s/%s%zu", test_dir, name, n);
    assert_done(
        ves_store_sqlite_open(&options, ves_alloc_default(), &store, &error),
        &error);
    return store;
}

static void close_store(const struct test_fleet *fleet, struct ves_store *store)
{
    if (fleet->has_files)
        ves_store_sqlite_close(store);
    else
        ves_store_mem_close(store);
}

static void open_fleet(struct test_fleet *fleet, size_t count, bool has_files)
{
    assert_true(count <= TEST_FLEET_MAX);
    memset(fleet, 0, sizeof(*fleet));
    fleet->has_files = has_files;
    fleet->hub_store = open_store(fleet, "hub", 0);
    test_hub_init(&fleet->hub, fleet->hub_store);
    fleet->has_receipts = true;
    fleet->random = 1;
    for (size_t n = 0; n < count; n++) {
        struct ves_uuid agent = agent_of(n);
        test_fleet_device(fleet, n, &fleet->devices[n]);
        test_hub_register(&fleet->hub, &agent, 1, &fleet->devices[n].key);
        fleet->count++;
    }
}

void test_fleet_open(struct test_fleet *fleet, size_t count)
{
    open_fleet(fleet, count, false);
}

void test_fleet_open_files(struct test_fleet *fleet, size_t count)
{
    open_fleet(fleet, count, true);
}

void test_fleet_close(struct test_fleet *fleet)
{
    for (size_t n = 0; n < fleet->count; n++)
        close_store(fleet, fleet->devices[n].store);
    close_store(fleet, fleet->hub_store);
    memset(fleet, 0, sizeof(*fleet));
}

void test_fleet_device(struct test_fleet *fleet, size_t n,
                       struct test_device *device)
{
    test_fleet_device_over(fleet, n, open_store(fleet, "device", n), device);
}

struct ves_core_env test_fleet_env(struct test_fleet *fleet)
{
    struct ves_core_env env = {.now_ms = fleet->hub.now_ms};

    for (size_t i = 0; i < sizeof(env.random); i++) {
        fleet->random = fleet->random * UINT64_C(6364136223846793005) +
                        UINT64_C(1442695040888963407);
        env.random[i] = (uint8_t)(fleet->random >> 56);
    }
    return env;
}

/* ---- copying a store ----------------------------------------------------- */

struct copy {
    struct ves_store *to;
    uint32_t from_no, to_no;
    enum ves_record_kind kind;
};

static enum ves_status copy_log(void *ctx, const struct ves_log_row *row)
{
    struct copy *copy = ctx;
    return copy->to->ops->log_append(copy->to, copy->to_no, row, 1);
}

static enum ves_status copy_entity(void *ctx, const struct ves_entity_row *row)
{
    struct copy *copy = ctx;
    return copy->to->ops->entity_put(copy->to, copy->to_no, row, 1);
}

static enum ves_status copy_outbox(void *ctx, const struct ves_outbox_row *row)
{
    struct copy *copy = ctx;
    struct ves_outbox_row own = *row;
    return copy->to->ops->outbox_append(copy->to, &own, 1);
}

static enum ves_status copy_record(void *ctx, const struct ves_record *row)
{
    struct copy *copy = ctx;
    return copy->to->ops->record_append(copy->to, copy->kind, copy->to_no, row,
                                        1);
}

static enum ves_status copy_key(void *ctx, const struct ves_key_row *row,
                                const struct ves_key_span *span)
{
    struct copy *copy = ctx;
    enum ves_status status = copy->to->ops->key_put(copy->to, row);
    if (status || !span->is_found)
        return status;
    return copy->to->ops->key_span_put(copy->to, copy->to_no, &row->agent,
                                       row->key_id, span);
}

static const char *const meta_names[] = {
    "stream",         "agent",     "agent.key_id", "sequencer.id",
    "sequencer.keys", "owner.key", "fold.version", "judge.version",
    "append",         "sync",      "push.lease",   "agent.public_key",
    "agent.rotation"};

static void copy_meta(struct ves_store *from, struct ves_store *to)
{
    struct ves_arena arena;
    struct ves_bytes value;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    for (size_t i = 0; i < sizeof(meta_names) / sizeof(meta_names[0]); i++) {
        if (from->ops->meta_get(from, meta_names[i], &arena, &value) == VES_OK)
            assert_int_equal(to->ops->meta_put(to, meta_names[i], value),
                             VES_OK);
    }
    ves_arena_free(&arena);
}

struct ves_store *test_fleet_copy(struct test_fleet *fleet,
                                  const struct test_device *device)
{
    const struct ves_outbox_filter all = {.status_mask = 0};
    const struct ves_hash first = {{0}};
    struct ves_store *from = device->store;
    struct copy copy = {.from_no = device->core.stream_no};
    struct ves_stream_row row;

    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &copy.to), VES_OK);
    struct ves_store *to = copy.to;
    assert_int_equal(to->ops->begin(to), VES_OK);
    assert_int_equal(to->ops->stream_get(to, &fleet->hub.stream, true, &row),
                     VES_OK);
    copy.to_no = row.stream_no;
    copy_meta(from, to);
    assert_int_equal(
        from->ops->log_read(from, copy.from_no, 1, 0, copy_log, &copy), VES_OK);
    assert_int_equal(from->ops->entity_scan(from, copy.from_no, &first, 0,
                                            ves_bytes(NULL, 0), copy_entity,
                                            &copy),
                     VES_OK);
    assert_int_equal(from->ops->outbox_list(from, &all, copy_outbox, &copy),
                     VES_OK);
    for (int kind = 0; kind < VES_RECORD_KINDS; kind++) {
        copy.kind = (enum ves_record_kind)kind;
        assert_int_equal(from->ops->record_list(from, copy.kind, copy.from_no,
                                                0, false, 0, copy_record,
                                                &copy),
                         VES_OK);
    }
    assert_int_equal(from->ops->key_list(from, &fleet->hub.stream.tenant, NULL,
                                         copy.from_no, copy_key, &copy),
                     VES_OK);
    for (uint16_t bucket = 0; bucket < 4096; bucket++)
        assert_int_equal(to->ops->bucket_mark(to, copy.to_no, &bucket, 1),
                         VES_OK);
    assert_int_equal(to->ops->commit(to), VES_OK);
    return to;
}

/* ---- appending ----------------------------------------------------------- */

struct ves_uuid test_fleet_append(struct test_fleet *fleet, size_t n,
                                  const char *type, const char *id,
                                  const char *payload)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_core_env env = test_fleet_env(fleet);
    const struct ves_core_append what = {.event_type = ves_bytes_str(type),
                                         .entity_id = ves_bytes_str(id),
                                         .payload = ves_bytes_str(payload)};
    struct ves_uuid event_id;

    assert_done(ves_core_append(core, &env, &what, &event_id), &core->error);
    return event_id;
}

struct ves_uuid test_fleet_adjust(struct test_fleet *fleet, size_t n,
                                  const char *id, const char *delta)
{
    char payload[64] = "{\"delta\":\"";

    strncat(payload, delta, 16);
    strncat(payload, "\"}", 3);
    return test_fleet_append(fleet, n, "inventory.adjusted", id, payload);
}

/* ---- the sequencer ------------------------------------------------------- */

void test_fleet_ingest(struct test_fleet *fleet, size_t n,
                       struct ves_bytes body, struct ves_buf *answer)
{
    struct ves_ingest ingest;

    fleet->hub.caller.agent = agent_of(n);
    test_hub_push(&fleet->hub, &ingest, body);
    assert_int_equal(ves_ingest_answer(&ingest, &fleet->hub.sequencer,
                                       VES_DIALECT_RUST, answer),
                     VES_OK);
    ves_ingest_free(&ingest);
}

struct page {
    struct test_fleet *fleet;
    struct ves_buf *buf;
    uint64_t next;
    size_t count;
};

static enum ves_status put_item(void *ctx, const struct ves_log_row *row)
{
    struct page *page = ctx;
    char time[VES_TIME_TEXT + 1];
    struct ves_receipt receipt = {.sequencer_id = row->sequencer_id,
                                  .event_id = row->event_id,
                                  .sequence_number = row->sequence_number,
                                  .sequenced_at_ms = row->sequenced_at_ms,
                                  .signature = row->receipt,
                                  .key_version = row->receipt_key_version};

    ves_receipt_hash(&page->fleet->hub.stream, &row->event_id,
                     row->sequence_number, &row->event_hash,
                     &receipt.receipt_hash);
    ves_time_format(row->sequenced_at_ms, time);
    if (page->count++ > 0)
        ves_buf_put_u8(page->buf, ',');
    ves_buf_put_str(page->buf, "{\"envelope\":");
    ves_buf_put_bytes(page->buf, row->envelope);
    ves_event_write_position(page->buf, row->sequence_number,
                             ves_bytes_str(time));
    if (page->fleet->has_receipts) {
        ves_buf_put_str(page->buf, ",\"receipt\":");
        ves_receipt_write(page->buf, &receipt);
    }
    ves_buf_put_u8(page->buf, '}');
    page->next = row->sequence_number + 1;
    return ves_buf_status(page->buf);
}

void test_fleet_page(struct test_fleet *fleet, uint64_t from, uint32_t limit,
                     struct ves_buf *buf)
{
    struct ves_store *store = fleet->hub_store;
    struct page page = {.fleet = fleet, .buf = buf, .next = from};
    struct ves_stream_row row;

    if (store->ops->stream_get(store, &fleet->hub.stream, false, &row))
        memset(&row, 0, sizeof(row));
    ves_buf_put_str(buf, "{\"events\":[");
    assert_int_equal(store->ops->log_read(store, row.stream_no, from, limit,
                                          put_item, &page),
                     VES_OK);
    ves_buf_putf(buf,
                 "],\"count\":%zu,\"next_sequence\":%llu,"
                 "\"head_sequence\":%llu,\"has_more\":%s",
                 page.count, (unsigned long long)page.next,
                 (unsigned long long)row.head,
                 page.next <= row.head ? "true" : "false");
    if (fleet->has_log) {
        struct ves_arena arena;
        ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
        assert_int_equal(ves_log_page_write(buf, store, row.stream_no,
                                            page.next - 1, &arena),
                         VES_OK);
        ves_arena_free(&arena);
    }
    ves_buf_put_u8(buf, '}');
    assert_int_equal(ves_buf_status(buf), VES_OK);
}

void test_fleet_sign(struct test_fleet *fleet)
{
    struct ves_error error = {0};
    struct ves_log_head head;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_done(ves_log_head_make(&fleet->hub.sequencer, fleet->hub_store,
                                  &fleet->hub.stream, fleet->hub.now_ms, &arena,
                                  &head, &error),
                &error);
    assert_int_equal(ves_log_head_keep(&fleet->hub.sequencer, &head, 1),
                     VES_OK);
    ves_arena_free(&arena);
}

struct directory {
    struct ves_buf *buf;
    size_t count;
};

static enum ves_status put_key(void *ctx, const struct ves_key_row *row,
                               const struct ves_key_span *span)
{
    struct directory *directory = ctx;
    struct ves_buf *buf = directory->buf;

    if (directory->count++ > 0)
        ves_buf_put_u8(buf, ',');
    ves_buf_put_str(buf, "{\"agentId\":\"");
    ves_buf_put_uuid(buf, &row->agent);
    ves_buf_putf(buf, "\",\"keyId\":%u,\"algorithm\":\"ed25519\",",
                 row->key_id);
    ves_buf_put_str(buf, "\"publicKey\":\"0x");
    ves_buf_put_hex(buf, row->public_key.b, VES_KEY_SIZE);
    ves_buf_putf(
        buf,
        "\",\"validFrom\":null,\"validTo\":null,\"revokedAt\":null,"
        "\"validFromSequence\":%llu,\"revokedAtSequence\":",
        (unsigned long long)(span->is_found ? span->valid_from_sequence : 1));
    if (span->is_found && span->revoked_at_sequence > 0)
        ves_buf_put_decimal(buf, span->revoked_at_sequence);
    else
        ves_buf_put_str(buf, "null");
    ves_buf_put_str(buf, ",\"registrar\":\"admin\"}");
    return VES_OK;
}

static void sign_directory(struct test_fleet *fleet, struct ves_buf *out)
{
    struct ves_arena arena;
    const struct ves_json *root;
    struct ves_hash hash;
    struct ves_sig sig;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    ves_buf_put_u8(out, '}');
    assert_int_equal(
        ves_json_read(&arena, ves_buf_view(out), NULL, &root, NULL), VES_OK);
    assert_int_equal(ves_keydir_hash(&arena, ves_alloc_default(), root, &hash),
                     VES_OK);
    ves_arena_free(&arena);
    test_signer_sign(&fleet->hub.key, &hash, &sig);
    out->len--;
    ves_buf_put_str(out, ",\"directorySignature\":\"0x");
    ves_buf_put_hex(out, sig.b, VES_SIG_SIZE);
    ves_buf_put_str(out, "\"}");
    assert_int_equal(ves_buf_status(out), VES_OK);
}

void test_fleet_directory(struct test_fleet *fleet, struct ves_buf *out)
{
    struct ves_store *store = fleet->hub_store;
    struct directory directory = {.buf = out};
    struct ves_stream_row row;

    if (store->ops->stream_get(store, &fleet->hub.stream, false, &row))
        row.stream_no = 0;
    ves_buf_put_str(out, "{\"tenantId\":\"");
    ves_buf_put_uuid(out, &fleet->hub.stream.tenant);
    ves_buf_put_str(out, "\",\"storeId\":\"");
    ves_buf_put_uuid(out, &fleet->hub.stream.store);
    ves_buf_put_str(out, "\",\"keys\":[");
    assert_int_equal(store->ops->key_list(store, &fleet->hub.stream.tenant,
                                          NULL, row.stream_no, put_key,
                                          &directory),
                     VES_OK);
    ves_buf_putf(out,
                 "],\"signedAt\":\"2026-01-01T00:00:00Z\","
                 "\"sequencerKeyVersion\":%u",
                 fleet->hub.sequencer.key_version);
    sign_directory(fleet, out);
}

void test_fleet_seqkeys(struct test_fleet *fleet, struct ves_buf *out)
{
    ves_buf_put_str(out, "{\"sequencerId\":\"");
    ves_buf_put_uuid(out, &fleet->hub.sequencer.sequencer_id);
    ves_buf_put_str(out, "\",\"keys\":[{\"version\":1,\"publicKey\":\"");
    ves_buf_put_hex(out, fleet->hub.key.signer.public_key.b, VES_KEY_SIZE);
    ves_buf_put_str(out, "\",\"activeFrom\":\"2026-01-01T00:00:00Z\"}]}");
}

/* ---- pushing ------------------------------------------------------------- */

static bool is_gone(const struct ves_lease *holder)
{
    (void)holder;
    return false;
}

enum ves_status test_fleet_begin(struct test_fleet *fleet, size_t n,
                                 uint32_t limit, bool is_explicit,
                                 struct ves_push *push)
{
    struct test_device *device = &fleet->devices[n];
    return ves_core_push_begin(&device->core, &device->lease, is_gone,
                               fleet->hub.now_ms, limit, is_explicit, push);
}

enum ves_status test_fleet_end(struct test_fleet *fleet, size_t n,
                               struct ves_push *push, uint32_t http_status,
                               const char *reply,
                               struct ves_push_result *result)
{
    struct ves_core_env env = test_fleet_env(fleet);
    struct ves_push_result own = {0};

    return ves_core_push_end(&fleet->devices[n].core, push, &env, http_status,
                             ves_bytes_str(reply), 0, result ? result : &own);
}

enum ves_status test_fleet_push(struct test_fleet *fleet, size_t n,
                                struct ves_push_result *result)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_core_env env = test_fleet_env(fleet);
    struct ves_push_result own = {0};
    struct ves_buf answer;
    struct ves_push push;

    enum ves_status status = test_fleet_begin(fleet, n, 0, true, &push);
    if (status)
        return status;
    ves_buf_init(&answer, ves_alloc_default(), TEXT_MAX);
    if (push.count > 0) {
        test_fleet_ingest(fleet, n, ves_buf_view(&push.body), &answer);
        status =
            ves_core_push_end(core, &push, &env, 200, ves_buf_view(&answer), 0,
                              result ? result : &own);
    }
    ves_core_push_release(core, &push);
    ves_push_free(&push, core->alloc);
    ves_buf_free(&answer);
    return status;
}

/* ---- pulling ------------------------------------------------------------- */

static void fetch_keys(struct test_fleet *fleet, size_t n)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_buf buf;

    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_directory(fleet, &buf);
    assert_done(ves_core_keys(core, ves_buf_view(&buf), fleet->hub.now_ms),
                &core->error);
    ves_buf_free(&buf);
}

enum ves_status test_fleet_take(struct test_fleet *fleet, size_t n,
                                struct ves_bytes bytes, uint64_t from,
                                struct ves_pull_result *result)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_page *page;
    bool needs_keys;

    enum ves_status status =
        ves_core_page_read(core, bytes, from, &page, &needs_keys);
    if (!status && needs_keys) {
        ves_page_free(page);
        fetch_keys(fleet, n);
        status = ves_core_page_read(core, bytes, from, &page, &needs_keys);
    }
    if (status)
        return status;
    ves_core_page_verify(core, page);
    status = ves_core_page_apply(core, page, fleet->hub.now_ms, result);
    ves_page_free(page);
    return status;
}

enum ves_status test_fleet_pull(struct test_fleet *fleet, size_t n,
                                uint32_t limit, struct ves_pull_result *result)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_pull_result own = {0};
    struct ves_buf buf;
    uint64_t from;

    assert_done(ves_core_pull_from(core, &from), &core->error);
    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    test_fleet_page(fleet, from, limit, &buf);
    enum ves_status status = test_fleet_take(fleet, n, ves_buf_view(&buf), from,
                                             result ? result : &own);
    ves_buf_free(&buf);
    return status;
}

void test_fleet_sync(struct test_fleet *fleet, size_t n)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_push_result pushed;
    struct ves_pull_result pulled;
    struct ves_ack_result acknowledged = {0};

    do {
        memset(&pushed, 0, sizeof(pushed));
        assert_done(test_fleet_push(fleet, n, &pushed), &core->error);
    } while (pushed.attempted > 0);
    do {
        memset(&pulled, 0, sizeof(pulled));
        assert_done(test_fleet_pull(fleet, n, 100, &pulled), &core->error);
    } while (pulled.has_more);
    assert_done(
        ves_core_acknowledge(core, NULL, 0, fleet->hub.now_ms, &acknowledged),
        &core->error);
}

/* ---- looking ------------------------------------------------------------- */

struct ves_outbox_row test_fleet_row(struct test_fleet *fleet, size_t n,
                                     const struct ves_uuid *id)
{
    struct ves_store *store = fleet->devices[n].store;
    struct ves_outbox_row row;
    struct ves_arena arena;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_int_equal(store->ops->outbox_get(store, id, 1, &arena, &row),
                     VES_OK);
    assert_true(row.local_seq > 0);
    ves_arena_free(&arena);
    /* The views went with the arena. */
    row.entity_type = ves_bytes(NULL, 0);
    row.entity_id = ves_bytes(NULL, 0);
    row.event_type = ves_bytes(NULL, 0);
    row.created_at = ves_bytes(NULL, 0);
    row.envelope = ves_bytes(NULL, 0);
    row.error = ves_bytes(NULL, 0);
    row.disposition = ves_bytes(NULL, 0);
    return row;
}

struct ves_core_status test_fleet_status(struct test_fleet *fleet, size_t n)
{
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_core_status status;

    assert_done(ves_core_status(core, &status), &core->error);
    return status;
}

const char *test_fleet_member(struct test_fleet *fleet, size_t n,
                              const char *type, const char *id,
                              const char *member, bool is_local)
{
    static char texts[4][256];
    static unsigned next;
    char *text = texts[next++ % 4];
    struct ves_agent_core *core = &fleet->devices[n].core;
    struct ves_core_entity entity;
    const struct ves_json *root;
    struct ves_bytes value;
    struct ves_arena arena;

    text[0] = '\0';
    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    assert_done(ves_core_entity(core, ves_bytes_str(type), ves_bytes_str(id),
                                &arena, &entity),
                &core->error);
    value = is_local ? entity.local_state : entity.state;
    if (value.len > 0) {
        assert_int_equal(ves_json_read(&arena, value, NULL, &root, NULL),
                         VES_OK);
        const struct ves_json *node = ves_json_member(root, member);
        value = node ? node->type == VES_JSON_STRING ? node->string : node->text
                     : ves_bytes(NULL, 0);
    }
    assert_true(value.len < sizeof(texts[0]));
    if (value.len > 0)
        memcpy(text, value.ptr, value.len);
    text[value.len] = '\0';
    ves_arena_free(&arena);
    return text;
}

struct counting {
    const char *code;
    bool is_open;
    size_t count;
};

static enum ves_status count_record(void *ctx, const struct ves_record *row)
{
    struct counting *counting = ctx;

    if (counting->is_open && row->closed_ms != 0)
        return VES_OK;
    if (!counting->code || ves_bytes_is(row->code, counting->code))
        counting->count++;
    return VES_OK;
}

static size_t count_records(struct test_fleet *fleet, size_t n,
                            enum ves_record_kind kind, const char *code,
                            bool is_open)
{
    struct ves_store *store = fleet->devices[n].store;
    struct counting counting = {.code = code, .is_open = is_open};

    assert_int_equal(
        store->ops->record_list(store, kind, fleet->devices[n].core.stream_no,
                                0, false, 0, count_record, &counting),
        VES_OK);
    return counting.count;
}

size_t test_fleet_open_records(struct test_fleet *fleet, size_t n,
                               enum ves_record_kind kind, const char *code)
{
    return count_records(fleet, n, kind, code, true);
}

size_t test_fleet_trail(struct test_fleet *fleet, size_t n, const char *code)
{
    return count_records(fleet, n, VES_RECORD_TRAIL, code, false);
}

/* ---- digest -------------------------------------------------------------- */

static void put_view(struct ves_buf *buf, struct ves_bytes view)
{
    ves_buf_put_u64(buf, view.len);
    ves_buf_put_bytes(buf, view);
}

static enum ves_status digest_log(void *ctx, const struct ves_log_row *row)
{
    struct ves_buf *buf = ctx;

    ves_buf_put_u64(buf, row->sequence_number);
    ves_buf_put(buf, row->event_hash.b, VES_HASH_SIZE);
    ves_buf_put_u64(buf, row->entity_index);
    ves_buf_put_u64(buf, row->entity_prev);
    ves_buf_put_u64(buf, row->entity_jump);
    ves_buf_put_u32(buf, row->verdict);
    ves_buf_put_u64(buf, row->version);
    ves_buf_put(buf, row->receipt.b, VES_SIG_SIZE);
    put_view(buf, row->envelope);
    put_view(buf, row->raw);
    put_view(buf, row->note);
    return ves_buf_status(buf);
}

static enum ves_status digest_entity(void *ctx,
                                     const struct ves_entity_row *row)
{
    struct ves_buf *buf = ctx;

    ves_buf_put(buf, row->key.b, VES_HASH_SIZE);
    ves_buf_put_u64(buf, row->count);
    ves_buf_put_u64(buf, row->last);
    ves_buf_put_u64(buf, row->last_jump);
    ves_buf_put_u64(buf, row->version);
    ves_buf_put(buf, row->head.b, VES_HASH_SIZE);
    put_view(buf, row->state);
    ves_buf_put(buf, row->state_hash.b, VES_HASH_SIZE);
    ves_buf_put_u64(buf, row->own_count);
    ves_buf_put(buf, row->own_head.b, VES_HASH_SIZE);
    return ves_buf_status(buf);
}

static enum ves_status digest_outbox(void *ctx,
                                     const struct ves_outbox_row *row)
{
    struct ves_buf *buf = ctx;

    ves_buf_put_u64(buf, row->local_seq);
    ves_buf_put(buf, row->event_hash.b, VES_HASH_SIZE);
    ves_buf_put_u32(buf, (uint32_t)row->status);
    ves_buf_put_u64(buf, row->claim);
    ves_buf_put_u32(buf, row->attempts);
    ves_buf_put_u64(buf, (uint64_t)row->next_attempt_ms);
    ves_buf_put_u32(buf, row->error_class);
    put_view(buf, row->error);
    ves_buf_put_u64(buf, row->sequence_number);
    ves_buf_put_u32(buf, row->has_receipt);
    ves_buf_put_u32(buf, row->has_verdict);
    ves_buf_put_u32(buf, row->verdict);
    ves_buf_put_u32(buf, row->is_in_overlay);
    put_view(buf, row->envelope);
    return ves_buf_status(buf);
}

static enum ves_status digest_record(void *ctx, const struct ves_record *row)
{
    struct ves_buf *buf = ctx;

    ves_buf_put_u64(buf, row->no);
    ves_buf_put_u64(buf, row->sequence_number);
    put_view(buf, row->code);
    put_view(buf, row->detail);
    put_view(buf, row->body);
    ves_buf_put_u64(buf, (uint64_t)row->closed_ms);
    return ves_buf_status(buf);
}

static enum ves_status digest_key(void *ctx, const struct ves_key_row *row,
                                  const struct ves_key_span *span)
{
    struct ves_buf *buf = ctx;

    ves_buf_put(buf, row->agent.b, VES_UUID_SIZE);
    ves_buf_put(buf, row->public_key.b, VES_KEY_SIZE);
    ves_buf_put_u64(buf, span->valid_from_sequence);
    ves_buf_put_u64(buf, span->revoked_at_sequence);
    return ves_buf_status(buf);
}

static void digest_meta(struct ves_store *store, struct ves_buf *buf)
{
    struct ves_arena arena;
    struct ves_bytes value;

    ves_arena_init(&arena, ves_alloc_default(), TEXT_MAX);
    for (size_t i = 0; i < sizeof(meta_names) / sizeof(meta_names[0]); i++) {
        if (store->ops->meta_get(store, meta_names[i], &arena, &value) ==
            VES_OK)
            put_view(buf, value);
    }
    ves_arena_free(&arena);
}

struct ves_hash test_fleet_digest(struct test_device *device)
{
    const struct ves_outbox_filter all = {.status_mask = 0};
    const struct ves_hash first = {{0}};
    struct ves_store *store = device->store;
    const struct ves_store_ops *ops = store->ops;
    uint32_t no = device->core.stream_no;
    uint64_t counts[VES_OUTBOX_STATUSES];
    struct ves_hash hash;
    struct ves_buf buf;

    ves_buf_init(&buf, ves_alloc_default(), TEXT_MAX);
    digest_meta(store, &buf);
    assert_int_equal(ops->log_read(store, no, 1, 0, digest_log, &buf), VES_OK);
    assert_int_equal(ops->entity_scan(store, no, &first, 0, ves_bytes(NULL, 0),
                                      digest_entity, &buf),
                     VES_OK);
    assert_int_equal(ops->outbox_list(store, &all, digest_outbox, &buf),
                     VES_OK);
    assert_int_equal(ops->outbox_counts(store, counts), VES_OK);
    for (size_t i = 0; i < VES_OUTBOX_STATUSES; i++)
        ves_buf_put_u64(&buf, counts[i]);
    for (int kind = 0; kind < VES_RECORD_KINDS; kind++)
        assert_int_equal(ops->record_list(store, (enum ves_record_kind)kind, no,
                                          0, false, 0, digest_record, &buf),
                         VES_OK);
    assert_int_equal(ops->key_list(store, &device->core.stream.tenant, NULL, no,
                                   digest_key, &buf),
                     VES_OK);
    ves_sha256_one(buf.ptr, buf.len, &hash);
    ves_buf_free(&buf);
    return hash;
}
