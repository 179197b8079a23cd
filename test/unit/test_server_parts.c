/* test_server_parts.c -- the server's small parts, without sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/bytes.h"
#include "os/listen.h"
#include "server/auth.h"
#include "server/body.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/queue.h"
#include "server/request.h"
#include "server/table.h"
#include "server/uri.h"
#include "test/lib/test_util.h"

static struct ves_arena arena;

static int set_up(void **state)
{
    (void)state;
    ves_arena_init(&arena, ves_alloc_default(), 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_arena_free(&arena);
    return 0;
}

/* ---- uri ----------------------------------------------------------------- */

static void test_decode(void **state)
{
    (void)state;
    static const struct {
        const char *text, *path, *query; /* NULL: refused */
    } rows[] = {{"", "", ""},
                {"abc", "abc", "abc"},
                {"a+b%20c", "a+b c", "a b c"},
                {"%2F%2f%c3%A9", "//\xc3\xa9", "//\xc3\xa9"},
                {"%", NULL, NULL},
                {"%4", NULL, NULL},
                {"%4g", NULL, NULL},
                {"a%00", NULL, NULL},
                {"%c3", NULL, NULL},
                {"%ed%a0%80", NULL, NULL},
                {"\xff", NULL, NULL}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (int is_query = 0; is_query < 2; is_query++) {
            struct ves_bytes out;
            const char *want = is_query ? rows[i].query : rows[i].path;
            enum ves_status status = ves_uri_decode(
                &arena, ves_bytes_str(rows[i].text), is_query, &out);
            assert_int_equal(status, want ? VES_OK : VES_INVALID);
            if (want)
                assert_true(ves_bytes_is(out, want));
        }
    }
}

static void test_uri(void **state)
{
    (void)state;
    struct ves_uri uri;
    struct ves_error error;
    struct ves_bytes value;
    uint64_t number;
    assert_int_equal(ves_uri_read(&arena,
                                  ves_bytes_str("/a/b?x=1&y=&&z&w=a%3Db=c"),
                                  &uri, &error),
                     VES_OK);
    assert_true(ves_bytes_is(uri.path, "/a/b"));
    assert_int_equal(uri.param_count, 4);
    assert_true(ves_uri_param(&uri, "w", &value));
    assert_true(ves_bytes_is(value, "a=b=c"));
    assert_true(ves_uri_param(&uri, "z", &value));
    assert_int_equal(value.len, 0);
    assert_false(ves_uri_param(&uri, "a", &value));
    assert_int_equal(ves_uri_u64(&uri, "x", &number, &error), VES_OK);
    assert_int_equal(number, 1);
    assert_int_equal(ves_uri_u64(&uri, "y", &number, &error), VES_INVALID);
    assert_int_equal(ves_uri_u64(&uri, "q", &number, &error), VES_NOT_FOUND);
    static const char *const bad[] = {"",  "a",         "?a=1",  "http://x/",
                                      "*", "/?a=1&a=2", "/?a=%", "/?%zz=1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            ves_uri_read(&arena, ves_bytes_str(bad[i]), &uri, &error),
            VES_INVALID);
    char many[400] = "/?";
    for (int i = 0; i < 33; i++)
        snprintf(many + strlen(many), 16, "a%d&", i);
    assert_int_equal(ves_uri_read(&arena, ves_bytes_str(many), &uri, &error),
                     VES_INVALID);
}

static void test_match(void **state)
{
    (void)state;
    struct ves_bytes c[VES_URI_CAPTURES_MAX];
    assert_true(ves_uri_match("/a/{}/c/{}", ves_bytes_str("/a/x%2Fy/c/z"), c));
    assert_true(ves_bytes_is(c[0], "x%2Fy"));
    assert_true(ves_bytes_is(c[1], "z"));
    static const char *const no[] = {"/a/x/c",   "/a//c/z", "/a/x/c/z/",
                                     "/a/x/d/z", "a/x/c/z", "/a/x/c/"};
    for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
        assert_false(ves_uri_match("/a/{}/c/{}", ves_bytes_str(no[i]), c));
    assert_true(ves_uri_match("/health", ves_bytes_str("/health"), c));
    assert_false(ves_uri_match("/health", ves_bytes_str("/health/"), c));
}

/* ---- auth ---------------------------------------------------------------- */

static void test_rights(void **state)
{
    (void)state;
    const struct ves_uuid nil = {{0}}, a = {{1}}, b = {{2}};
    struct ves_caller reader = {.tenant = a, .rights = VES_RIGHT_READ};
    assert_int_equal(ves_auth_allows(&reader, VES_RIGHT_READ, &a, &b),
                     VES_AUTH_OK);
    assert_int_equal(ves_auth_allows(&reader, VES_RIGHT_WRITE, &a, &b),
                     VES_AUTH_RIGHTS);
    assert_int_equal(ves_auth_allows(&reader, VES_RIGHT_READ, &b, &b),
                     VES_AUTH_RIGHTS);
    /* The nil tenant opens nothing without admin. */
    struct ves_caller odd = {.tenant = nil, .rights = VES_RIGHT_READ};
    assert_int_equal(ves_auth_allows(&odd, VES_RIGHT_READ, &a, &b),
                     VES_AUTH_RIGHTS);
    struct ves_caller root = {.tenant = nil, .rights = VES_RIGHT_ADMIN};
    assert_int_equal(ves_auth_allows(&root, VES_RIGHT_WRITE, &a, NULL),
                     VES_AUTH_OK);
    struct ves_caller local = {.tenant = a, .rights = VES_RIGHT_ADMIN};
    assert_int_equal(ves_auth_allows(&local, VES_RIGHT_WRITE, &a, NULL),
                     VES_AUTH_OK);
    assert_int_equal(ves_auth_allows(&local, VES_RIGHT_ADMIN, &nil, NULL),
                     VES_AUTH_RIGHTS);
    local.has_store = true;
    local.store = b;
    assert_int_equal(ves_auth_allows(&local, VES_RIGHT_READ, &a, &b),
                     VES_AUTH_OK);
    assert_int_equal(ves_auth_allows(&local, VES_RIGHT_READ, &a, &a),
                     VES_AUTH_STORE);
    assert_int_equal(ves_auth_allows(&local, VES_RIGHT_READ, &a, NULL),
                     VES_AUTH_OK);
    assert_int_equal(ves_auth_allows(&local, VES_RIGHT_ADMIN, &a, NULL),
                     VES_AUTH_STORE);
}

static void test_key_text(void **state)
{
    (void)state;
    struct ves_uuid tenant = test_uuid("12345678-9abc-4def-8123-456789abcdef");
    uint8_t random[VES_API_KEY_RANDOM];
    char text[VES_API_KEY_TEXT + 1];
    memset(random, 0xff, sizeof(random));
    ves_api_key_make(&tenant, random, text);
    assert_string_equal(text, "ss_12345678________________________________");
}

/* ---- bodies -------------------------------------------------------------- */

static void test_bodies(void **state)
{
    (void)state;
    struct ves_cursor_body cursor;
    struct ves_error error;
#define IDS                                                  \
    "\"tenantId\":\"12345678-9abc-4def-8123-456789abcdef\"," \
    "\"store_id\":\"12345678-9abc-4def-8123-456789abcdef\""
    assert_int_equal(
        ves_cursor_body_read(&arena,
                             ves_bytes_str("{" IDS ",\"sequenceNumber\":7}"),
                             &cursor, &error),
        VES_OK);
    assert_int_equal(cursor.sequence_number, 7);
    static const struct {
        const char *text;
        enum ves_status status;
        const char *word;
    } rows[] = {
        {"", VES_MALFORMED, "byte 0"},
        {"[]", VES_INVALID, "object"},
        {"{}", VES_INVALID, "tenantId is missing"},
        {"{" IDS "}", VES_INVALID, "sequenceNumber is missing"},
        {"{" IDS ",\"sequenceNumber\":null}", VES_INVALID, "missing"},
        {"{" IDS ",\"sequenceNumber\":-1}", VES_INVALID, "whole number"},
        {"{" IDS ",\"sequenceNumber\":1.5}", VES_INVALID, "whole number"},
        {"{" IDS ",\"sequenceNumber\":\"1\"}", VES_INVALID, "whole number"},
        {"{\"tenantId\":1}", VES_INVALID, "not a UUID"},
        {"{" IDS ",\"sequenceNumber\":1,\"sequenceNumber\":1}", VES_MALFORMED,
         "byte"}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ves_cursor_body_read(&arena,
                                              ves_bytes_str(rows[i].text),
                                              &cursor, &error),
                         rows[i].status);
        if (!strstr(error.text, rows[i].word))
            fail_msg("no %s in: %s", rows[i].word, error.text);
    }
}

/* ---- table, queue -------------------------------------------------------- */

static bool count_node(void *ctx, struct ves_table_node *node)
{
    size_t *count = ctx;
    (void)node;
    return ++*count < 1000;
}

static void test_table(void **state)
{
    (void)state;
    struct ves_table table;
    uint32_t key;
    size_t count = 0;
    ves_table_init(&table, ves_alloc_default(), sizeof(key), 42);
    key = 1;
    assert_null(ves_table_find(&table, &key));
    for (key = 0; key < 5000; key++)
        assert_non_null(
            ves_table_add(&table, &key, sizeof(struct ves_table_node)));
    for (key = 0; key < 5000; key++) {
        struct ves_table_node *node = ves_table_find(&table, &key);
        assert_non_null(node);
        assert_memory_equal(node->key, &key, sizeof(key));
    }
    assert_null(ves_table_find(&table, &key));
    ves_table_each(&table, count_node, &count);
    assert_int_equal(count, 1000);
    ves_table_free(&table);
}

enum { QUEUED = 2000 };
static struct ves_request queued[QUEUED];

static void *feed(void *ctx)
{
    struct ves_queue *queue = ctx;
    for (size_t i = 0; i < QUEUED; i += 2) {
        queued[i].next = &queued[i + 1];
        queued[i + 1].next = NULL;
        if (!ves_queue_push(queue, &queued[i]))
            break;
    }
    ves_queue_close(queue);
    return NULL;
}

static void test_queue(void **state)
{
    (void)state;
    struct ves_queue queue;
    struct ves_request *list;
    pthread_t thread;
    size_t seen = 0;
    ves_queue_init(&queue, VES_LANE_PREPARE);
    assert_int_equal(pthread_create(&thread, NULL, feed, &queue), 0);
    while ((list = ves_queue_take(&queue, 2, 5, SIZE_MAX))) {
        size_t length = 0;
        for (; list; list = list->next, length++)
            assert_ptr_equal(list, &queued[seen++]);
        assert_true(length <= 5);
    }
    pthread_join(thread, NULL);
    assert_int_equal(seen, QUEUED);
    assert_false(ves_queue_push(&queue, &queued[0]));
    ves_queue_deinit(&queue);
}

static void test_queue_shares(void **state)
{
    (void)state;
    struct ves_queue queue;
    ves_queue_init(&queue, VES_LANE_PREPARE);
    for (size_t i = 0; i < 10; i++) {
        queued[i].next = NULL;
        queued[i].body_len = 100;
        assert_true(ves_queue_push(&queue, &queued[i]));
    }
    struct ves_request *list = ves_queue_take(&queue, 2, 16, SIZE_MAX);
    assert_int_equal(ves_queue_count(&queue), 5); /* half */
    assert_ptr_equal(list, &queued[0]);
    list = ves_queue_take(&queue, 1, 16, 200);
    assert_int_equal(ves_queue_count(&queue), 3); /* two have 200 bytes */
    assert_ptr_equal(list, &queued[5]);
    assert_null(list->next->next);
    (void)ves_queue_take(&queue, 1, SIZE_MAX, SIZE_MAX);
    assert_int_equal(ves_queue_count(&queue), 0);
    ves_queue_deinit(&queue);
}

struct gathering {
    struct ves_queue queue;
    atomic_size_t coming;
};

static void *prepare_more(void *ctx)
{
    struct gathering *g = ctx;
    const struct timespec nap = {0, 20 * 1000 * 1000};
    for (size_t i = 1; i < 5; i++) {
        nanosleep(&nap, NULL);
        atomic_fetch_sub(&g->coming, 100);
        if (!ves_queue_push(&g->queue, &queued[i]))
            break;
    }
    return NULL;
}

/* 100 of 1,000 bytes are here: it is worth waiting for half of them. */
static void test_queue_gathers(void **state)
{
    (void)state;
    struct gathering g = {.coming = 900};
    pthread_t thread;
    ves_queue_init(&g.queue, VES_LANE_COMMIT);
    for (size_t i = 0; i < 5; i++) {
        queued[i].next = NULL;
        queued[i].body_len = 100;
    }
    assert_true(ves_queue_push(&g.queue, &queued[0]));
    assert_int_equal(pthread_create(&thread, NULL, prepare_more, &g), 0);
    ves_queue_gather(&g.queue, &g.coming, SIZE_MAX, 60 * 1000);
    assert_int_equal(ves_queue_count(&g.queue), 5);
    pthread_join(thread, NULL);
    /* Nothing more comes, or not in time: what is here is enough. */
    atomic_store(&g.coming, 0);
    ves_queue_gather(&g.queue, &g.coming, SIZE_MAX, 60 * 1000);
    atomic_store(&g.coming, 10000);
    ves_queue_gather(&g.queue, &g.coming, SIZE_MAX, 1);
    ves_queue_close(&g.queue);
    ves_queue_gather(&g.queue, &g.coming, SIZE_MAX, 60 * 1000);
    assert_int_equal(ves_queue_count(&g.queue), 5);
    ves_queue_deinit(&g.queue);
}

/* ---- listen, log, metrics ------------------------------------------------ */

static void test_listen(void **state)
{
    (void)state;
    struct ves_listen_address address;
    assert_int_equal(ves_listen_read("[::1]:8080", &address, NULL), VES_OK);
    assert_string_equal(address.host, "::1");
    assert_string_equal(address.port, "8080");
    assert_true(address.is_v6);
    static const char *const bad[] = {
        "",     "x",    ":1",    "x:",      "x:-1",   "x:1 ",
        "x:01", "[]:1", "::1:1", "x:65536", "[::1]1", "x:999999"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(ves_listen_read(bad[i], &address, NULL), VES_INVALID);
}

/* What a call writes to standard error. */
static const char *logged(const struct ves_log *log,
                          const struct ves_log_field *fields, size_t count)
{
    static char text[8192];
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    assert_true(dup2(fileno(file), STDERR_FILENO) >= 0);
    ves_log_write(log, VES_LOG_NOTICE, "test", fields, count);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    rewind(file);
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return text;
}

static void test_log(void **state)
{
    (void)state;
    struct ves_log log = {.level = VES_LOG_NOTICE};
    char big[6000];
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    const struct ves_log_field fields[] = {{"plain", "abc", 0},
                                           {"quoted", "a b\n\"c\"", 0},
                                           {"number", NULL, 7},
                                           {"bad", "\xff", 0},
                                           {"big", big, 0}};
    const char *text = logged(&log, fields, 5);
    assert_int_equal(strncmp(text + 24, " notice test plain=abc", 22), 0);
    assert_non_null(strstr(text, " quoted=\"a b\\n\\\"c\\\"\" number=7 "));
    assert_non_null(strstr(text, " bad=\"(not UTF-8)\"\n"));
    log.is_json = true;
    text = logged(&log, fields, 5);
    const struct ves_json *root = test_json(&arena, text);
    uint64_t number;
    struct ves_bytes value;
    assert_true(ves_json_get_u64(root, "number", &number));
    assert_true(ves_json_get_string(root, "quoted", &value));
    assert_true(ves_bytes_is(value, "a b\n\"c\""));
    log.level = VES_LOG_ERROR;
    assert_string_equal(logged(&log, fields, 1), "");
}

static void test_histogram(void **state)
{
    (void)state;
    static struct ves_metrics metrics;
    struct ves_buf buf;
    ves_metric_size(&metrics.group_events, 100);
    ves_metric_size(&metrics.group_events, 101);
    ves_metric_size(&metrics.group_events, 1000000);
    ves_metric_time(&metrics.commit_us, 1500000);
    ves_buf_init(&buf, ves_alloc_default(), 1 << 20);
    ves_metrics_write(&buf, &metrics);
    ves_buf_put_u8(&buf, 0);
    static const char *const lines[] = {
        "per_group_bucket{le=\"50\"} 0\n",
        "per_group_bucket{le=\"100\"} 1\n",
        "per_group_bucket{le=\"200\"} 2\n",
        "per_group_bucket{le=\"20000\"} 2\n",
        "per_group_bucket{le=\"+Inf\"} 3\n",
        "per_group_sum 1000201\n",
        "per_group_count 3\n",
        "sequencer_commit_seconds_sum 1.500000\n",
        "commit_seconds_bucket{le=\"0.000250\"} 0\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (!strstr((const char *)buf.ptr, lines[i]))
            fail_msg("no %s", lines[i]);
    }
    ves_buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_uri),
        cmocka_unit_test(test_match),
        cmocka_unit_test(test_rights),
        cmocka_unit_test(test_key_text),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_queue_shares),
        cmocka_unit_test(test_queue_gathers),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_log),
        cmocka_unit_test(test_histogram),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
