/* test_shop.c -- stores on disk and a sequencer in memory, without a network.
 */
#include "test/lib/test_shop.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "os/keyfile.h"
#include "store/store_mem.h"

enum { DOCUMENT_MAX = 16 * 1024 * 1024, BODY_MAX = 16 * 1024 * 1024 };

/* ---- the folder ---------------------------------------------------------- */

void test_shop_open(struct test_shop *shop)
{
    const char *tmp = getenv("TMPDIR");

    memset(shop, 0, sizeof(*shop));
    snprintf(shop->folder, sizeof(shop->folder), "%.40s/ves-shop.XXXXXX",
             tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(shop->folder));
    assert_int_equal(ves_store_mem_open(ves_alloc_default(), &shop->hub_store),
                     VES_OK);
    test_hub_init(&shop->hub, shop->hub_store);
}

void test_shop_close(struct test_shop *shop)
{
    DIR *dir = opendir(shop->folder);
    struct dirent *entry;

    ves_store_mem_close(shop->hub_store);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] != '.' ||
            (entry->d_name[1] != '\0' && entry->d_name[1] != '.'))
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    assert_int_equal(rmdir(shop->folder), 0);
}

const char *test_shop_path(const struct test_shop *shop, const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof(paths[0]), "%s/%s", shop->folder, name);
    return path;
}

/* ---- stores -------------------------------------------------------------- */

static void assert_done(enum ves_status status, const struct ves_error *error)
{
    if (status)
        fail_msg("%s: %s", ves_status_name(status), error->text);
}

struct ves_agent *test_shop_store(struct test_shop *shop, const char *name,
                                  struct sqlite3 *connection)
{
    const struct ves_agent_options options = {
        .path = test_shop_path(shop, name), .connection = connection};
    const struct ves_agent_identity identity = {
        .stream = shop->hub.stream,
        .sequencer_id = shop->hub.sequencer.sequencer_id,
        .sequencer_key = &shop->hub.key.signer.public_key,
        .url = "http://127.0.0.1:1",
        .credential = "ss_test",
    };
    struct ves_error error;
    struct ves_agent *agent = NULL;

    assert_done(ves_agent_create(&options, &identity, &agent, &error), &error);
    struct ves_key_row row = {
        .tenant = shop->hub.stream.tenant,
        .agent = agent->core.agent,
        .key_id = agent->core.key_id,
        .public_key = agent->public_key,
        .algorithm = ves_bytes_str("ed25519"),
        .registrar = ves_bytes_str("invitation"),
    };
    assert_done(
        ves_sequencer_register_key(&shop->hub.sequencer, &row, 1, &error),
        &error);
    test_keys_add(&shop->hub.keys, &row.tenant, &row.agent, row.key_id,
                  &row.public_key);
    return agent;
}

static int say_word(void *ctx, char *out, size_t size)
{
    const char *word = *(const char *const *)ctx;
    size_t len = strlen(word);

    assert_true(len <= size);
    memcpy(out, word, len);
    return (int)len;
}

struct ves_agent *test_shop_sealed(struct test_shop *shop, const char *name,
                                   const char *word)
{
    /* Outlives the handle. */
    static const char *said;
    const struct ves_agent_options options = {
        .path = test_shop_path(shop, name),
        .passphrase = say_word,
        .passphrase_ctx = &said,
    };
    const struct ves_agent_make make = {
        .identity = {.stream = shop->hub.stream, .key_id = 1},
        .seal_key = true,
    };
    struct ves_error error;
    struct ves_agent *agent = NULL;

    said = word;
    assert_done(ves_agent_make(&options, &make, &agent, &error), &error);
    return agent;
}

struct ves_agent *test_shop_again(const struct test_shop *shop,
                                  const char *name, struct sqlite3 *connection)
{
    const struct ves_agent_options options = {
        .path = test_shop_path(shop, name), .connection = connection};
    struct ves_error error;
    struct ves_agent *agent = NULL;

    assert_done(ves_agent_open(&options, &agent, &error), &error);
    return agent;
}

struct ves_uuid test_shop_append(struct ves_agent *agent, const char *type,
                                 const char *id, const char *payload)
{
    const struct ves_append what = {
        .type = type,
        .aggregate_id = id,
        .payload = ves_bytes_str(payload),
    };
    struct ves_uuid event_id;
    struct ves_error error;

    assert_done(ves_append(agent, &what, &event_id, &error), &error);
    return event_id;
}

/* ---- push ----------------------------------------------------------------
 */

static bool is_gone(const struct ves_lease *holder)
{
    (void)holder;
    return false;
}

static struct ves_core_env env_of(const struct test_shop *shop)
{
    return (struct ves_core_env){.now_ms = shop->hub.now_ms};
}

uint64_t test_shop_push(struct test_shop *shop, struct ves_agent *agent)
{
    return test_shop_push_late(shop, agent, NULL);
}

uint64_t test_shop_push_late(struct test_shop *shop, struct ves_agent *agent,
                             void (*meanwhile)(void))
{
    const struct ves_lease self = {.pid = 1, .process_start = 1};
    const struct ves_core_env env = env_of(shop);
    struct ves_agent_core *core = &agent->core;
    struct ves_push push = {0};
    struct ves_push_result result = {0};
    struct ves_ingest ingest;
    struct ves_buf reply;

    ves_buf_init(&push.body, agent->alloc, BODY_MAX);
    assert_done(ves_core_push_begin(core, &self, is_gone, shop->hub.now_ms,
                                    1000, true, &push),
                &core->error);
    if (push.count > 0) {
        shop->hub.caller.agent = core->agent;
        test_hub_push(&shop->hub, &ingest, ves_buf_view(&push.body));
        ves_buf_init(&reply, agent->alloc, BODY_MAX);
        assert_int_equal(ves_ingest_answer(&ingest, &shop->hub.sequencer,
                                           VES_DIALECT_JS, &reply),
                         VES_OK);
        if (meanwhile)
            meanwhile();
        assert_done(ves_core_push_end(core, &push, &env, 200,
                                      ves_buf_view(&reply), 0, &result),
                    &core->error);
        ves_buf_free(&reply);
        ves_ingest_free(&ingest);
    }
    ves_core_push_release(core, &push);
    ves_push_free(&push, agent->alloc);
    return result.accepted;
}

void test_shop_push_fails(struct test_shop *shop, struct ves_agent *agent,
                          uint32_t http_status)
{
    const struct ves_lease self = {.pid = 1, .process_start = 1};
    const struct ves_core_env env = env_of(shop);
    struct ves_agent_core *core = &agent->core;
    struct ves_push push = {0};
    struct ves_push_result result = {0};

    ves_buf_init(&push.body, agent->alloc, BODY_MAX);
    assert_done(ves_core_push_begin(core, &self, is_gone, shop->hub.now_ms,
                                    1000, true, &push),
                &core->error);
    assert_true(push.count > 0);
    /* What it says of a request that failed is its own tests' business. */
    enum ves_status status = ves_core_push_end(core, &push, &env, http_status,
                                               ves_bytes(NULL, 0), 0, &result);
    assert_int_not_equal(status, VES_NOMEM);
    ves_core_push_release(core, &push);
    ves_push_free(&push, agent->alloc);
}

/* ---- pull ----------------------------------------------------------------
 */

/* As if the directory had been fetched and verified. */
static void pin_keys(struct test_shop *shop, struct ves_agent *agent)
{
    const struct ves_store_ops *ops = agent->store->ops;
    const struct ves_key_span span = {true, 1, 0};

    assert_int_equal(ops->begin(agent->store), VES_OK);
    for (size_t i = 0; i < shop->hub.keys.count; i++) {
        struct ves_key_row row = {
            .tenant = shop->hub.stream.tenant,
            .agent = shop->hub.keys.keys[i].agent,
            .key_id = shop->hub.keys.keys[i].key_id,
            .public_key = shop->hub.keys.keys[i].key,
            .algorithm = ves_bytes_str("ed25519"),
            .registrar = ves_bytes_str("invitation"),
        };
        assert_int_equal(ops->key_put(agent->store, &row), VES_OK);
        assert_int_equal(ops->key_span_put(agent->store, agent->core.stream_no,
                                           &row.agent, row.key_id, &span),
                         VES_OK);
    }
    assert_int_equal(ops->commit(agent->store), VES_OK);
}

struct page {
    struct test_shop *shop;
    struct ves_buf buf;
    size_t count;
};

static enum ves_status put_item(void *ctx, const struct ves_log_row *row)
{
    struct page *page = ctx;
    struct ves_receipt receipt = {
        .sequencer_id = row->sequencer_id,
        .event_id = row->event_id,
        .sequence_number = row->sequence_number,
        .sequenced_at_ms = row->sequenced_at_ms,
        .signature = row->receipt,
        .key_version = row->receipt_key_version,
    };

    ves_receipt_hash(&page->shop->hub.stream, &row->event_id,
                     row->sequence_number, &row->event_hash,
                     &receipt.receipt_hash);
    ves_buf_put_str(&page->buf, page->count++ ? "," : "");
    ves_buf_put_str(&page->buf, "{\"envelope\":");
    ves_buf_put_bytes(&page->buf, row->envelope);
    ves_event_write_position(&page->buf, row->sequence_number,
                             ves_bytes_str("2026-11-22T14:02:11.000Z"));
    ves_buf_put_str(&page->buf, ",\"receipt\":");
    ves_receipt_write(&page->buf, &receipt);
    ves_buf_put_str(&page->buf, "}");
    return ves_buf_status(&page->buf);
}

static void write_page(struct page *page, uint64_t from)
{
    struct test_shop *shop = page->shop;
    struct ves_stream_row stream = {0};

    enum ves_status status = shop->hub_store->ops->stream_get(
        shop->hub_store, &shop->hub.stream, false, &stream);
    assert_true(status == VES_OK || status == VES_NOT_FOUND);
    ves_buf_init(&page->buf, ves_alloc_default(), BODY_MAX);
    ves_buf_put_str(&page->buf, "{\"events\":[");
    if (stream.stream_no > 0)
        assert_int_equal(shop->hub_store->ops->log_read(shop->hub_store,
                                                        stream.stream_no, from,
                                                        0, put_item, page),
                         VES_OK);
    ves_buf_putf(&page->buf,
                 "],\"count\":%zu,\"head_sequence\":%llu,\"has_more\":false}",
                 page->count, (unsigned long long)stream.head);
}

uint64_t test_shop_pull(struct test_shop *shop, struct ves_agent *agent)
{
    struct ves_agent_core *core = &agent->core;
    struct page page = {.shop = shop};
    struct ves_pull_result result = {0};
    struct ves_page *read = NULL;
    bool needs_keys = false;
    uint64_t from;

    pin_keys(shop, agent);
    assert_done(ves_core_pull_from(core, &from), &core->error);
    write_page(&page, from);
    assert_done(ves_core_page_read(core, ves_buf_view(&page.buf), from, &read,
                                   &needs_keys),
                &core->error);
    assert_false(needs_keys);
    ves_core_page_verify(core, read);
    assert_done(ves_core_page_apply(core, read, shop->hub.now_ms, &result),
                &core->error);
    ves_page_free(read);
    ves_buf_free(&page.buf);
    return result.applied;
}

/* ---- documents ----------------------------------------------------------- */

void test_document_open(struct test_document *document)
{
    document->jw = ves_jw_new(ves_alloc_default(), DOCUMENT_MAX);
    assert_non_null(document->jw);
    ves_arena_init(&document->arena, ves_alloc_default(), 4 * DOCUMENT_MAX);
    document->root = NULL;
}

void test_document_read(struct test_document *document)
{
    struct ves_json_where where = {0, ""};
    struct ves_bytes copy;

    ves_arena_reset(&document->arena);
    assert_int_equal(
        ves_arena_copy(&document->arena, ves_jw_view(document->jw), &copy),
        VES_OK);
    if (ves_json_read(&document->arena, copy, NULL, &document->root, &where))
        fail_msg("not JSON at %zu: %s\n%.*s", where.offset, where.reason,
                 (int)copy.len, (const char *)copy.ptr);
    ves_jw_reset(document->jw);
}

void test_document_close(struct test_document *document)
{
    ves_jw_free(document->jw);
    ves_arena_free(&document->arena);
}

static const struct ves_json *at(const struct test_document *document,
                                 const char *pointer)
{
    const struct ves_json *node =
        ves_json_pointer(document->root, ves_bytes_str(pointer));

    if (!node)
        fail_msg("there is no %s in %.*s", pointer,
                 (int)document->root->text.len,
                 (const char *)document->root->text.ptr);
    return node;
}

const char *test_text(const struct test_document *document, const char *pointer)
{
    static char texts[4][4096];
    static unsigned next;
    char *text = texts[next++ % 4];
    const struct ves_json *node = at(document, pointer);

    assert_int_equal(node->type, VES_JSON_STRING);
    assert_true(node->string.len < sizeof(texts[0]));
    memcpy(text, node->string.ptr, node->string.len);
    text[node->string.len] = '\0';
    return text;
}

uint64_t test_number(const struct test_document *document, const char *pointer)
{
    uint64_t number;

    assert_true(ves_json_as_u64(at(document, pointer), &number));
    return number;
}

bool test_is_true(const struct test_document *document, const char *pointer)
{
    const struct ves_json *node = at(document, pointer);

    assert_true(node->type == VES_JSON_TRUE || node->type == VES_JSON_FALSE);
    return node->type == VES_JSON_TRUE;
}

size_t test_count(const struct test_document *document, const char *pointer)
{
    return at(document, pointer)->count;
}
