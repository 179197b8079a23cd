/* test_server_trail.c -- what administrators did is written down, and cannot be
 * rewritten unnoticed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "test/lib/test_serve.h"

enum { RECORDS_MAX = 32, TEXT_MAX = 1024 };

static struct test_serve serve;

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

struct seen {
    size_t count;
    char code[RECORDS_MAX][16];
    char detail[RECORDS_MAX][TEXT_MAX];
};

static void see(void *ctx, const struct ves_trail_record *record)
{
    struct seen *seen = ctx;
    assert_true(seen->count < RECORDS_MAX);
    assert_int_equal(record->no, seen->count + 1);
    assert_true(record->at_ms > 0);
    snprintf(seen->code[seen->count], 16, "%.*s", (int)record->code.len,
             (const char *)record->code.ptr);
    snprintf(seen->detail[seen->count], TEXT_MAX, "%.*s",
             (int)record->detail.len, (const char *)record->detail.ptr);
    seen->count++;
}

static enum ves_status read_trail(struct seen *seen, struct ves_trail *trail)
{
    struct ves_error error = {0};
    struct ves_serve_options options = {.db = serve.db};
    memset(seen, 0, sizeof(*seen));
    enum ves_status status =
        ves_server_trail(&options, see, seen, trail, &error);
    if (status)
        assert_true(error.text[0] != 0);
    return status;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("no %s in %s", part, text);
}

static void test_acts(void **state)
{
    (void)state;
    struct seen seen;
    struct ves_trail before, after;
    char api_key[64], path[128];
    /* The agent's key was registered. */
    assert_int_equal(read_trail(&seen, &before), VES_OK);
    assert_int_equal(seen.count, 2);
    has(seen.detail[0], "\"target\":\"/api/v1/agents/keys\"");
    /* One that is done, one that is not, and a read, which is no act. */
    test_serve_key(&serve, "\"rights\":[\"read\"]", api_key);
    snprintf(path, sizeof(path), "/api/v1/agents/%s/keys/9?tenant_id=%s",
             serve.agent_text, serve.tenant);
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 404);
    assert_int_equal(test_http_get(&serve.http, "/api/v1/api-keys"), 200);
    assert_int_equal(test_serve_push(&serve, &serve.http, 1, 1), 200);
    assert_int_equal(read_trail(&seen, &after), VES_OK);
    assert_int_equal(seen.count, 6);
    assert_string_equal(seen.code[2], "asked");
    assert_string_equal(seen.code[3], "ended");
    has(seen.detail[2], "\"method\":\"POST\",\"target\":\"/api/v1/api-keys\"");
    has(seen.detail[2],
        "\"tenantId\":\"00000000-0000-0000-0000-000000000000\"");
    has(seen.detail[3], "{\"of\":3,\"status\":200}");
    has(seen.detail[4], path);
    has(seen.detail[5], "{\"of\":5,\"status\":404,\"code\":");
    for (size_t i = 0; i < seen.count; i++) { /* no secret of anybody's */
        assert_null(strstr(seen.detail[i], api_key));
        assert_null(strstr(seen.detail[i], serve.admin_key));
    }
    assert_int_equal(after.count, 6);
    assert_memory_not_equal(&before.head, &after.head, sizeof(after.head));
    /* It goes on where it was. */
    test_serve_stop(&serve);
    test_serve_start(&serve);
    test_serve_key(&serve, "\"rights\":[\"read\"]", api_key);
    assert_int_equal(read_trail(&seen, &after), VES_OK);
    assert_int_equal(after.count, 8);
}

static void run_sql(const char *sql, int changed)
{
    sqlite3 *db;
    char *message = NULL;
    assert_int_equal(sqlite3_open(serve.db, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    assert_int_equal(sqlite3_changes(db), changed);
    sqlite3_close(db);
}

/* Somebody with the database file in hand, who knows how to get round the
 * triggers; each change is undone. */
static void test_rewriting(void **state)
{
    (void)state;
#define SET "UPDATE ves_trail SET "
    static const struct {
        const char *change, *undo;
    } changes[] = {
        {SET "at_ms = at_ms + 1 WHERE id = 3",
         SET "at_ms = at_ms - 1 WHERE id = 3"},
        {SET "detail = replace(detail, ':200', ':403') WHERE id = 2",
         SET "detail = replace(detail, ':403', ':200') WHERE id = 2"},
        {SET "code = 'endeD' WHERE id = 2", SET "code = 'ended' WHERE id = 2"},
        {SET "id = 999 WHERE id = 1", SET "id = 1 WHERE id = 999"},
        {SET "id = 999 WHERE id = 2", SET "id = 2 WHERE id = 999"},
        {SET "body = zeroblob(32) WHERE id = 4", NULL}};
    struct seen seen;
    struct ves_trail trail;
    char api_key[64];
    test_serve_key(&serve, "\"rights\":[\"read\"]", api_key);
    test_serve_stop(&serve);
    assert_int_equal(read_trail(&seen, &trail), VES_OK);
    assert_int_equal(trail.count, 4);
    run_sql("DROP TRIGGER ves_trail_no_update", 0);
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        run_sql(changes[i].change, 1);
        if (read_trail(&seen, &trail) != VES_CORRUPT)
            fail_msg("not noticed: %s", changes[i].change);
        if (!changes[i].undo)
            continue;
        run_sql(changes[i].undo, 1);
        assert_int_equal(read_trail(&seen, &trail), VES_OK);
    }
    test_serve_start(&serve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_acts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rewriting, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_trail", tests, NULL, NULL);
}
