/* test_server_cosign.c -- what stores say of the log's heads: taken in, kept,
 * given out; and that a request fares the same whatever they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/text.h"
#include "core/cosign.h"
#include "core/cosigned.h"
#include "core/merkle.h"
#include "os/clock.h"
#include "test/lib/test_log.h"
#include "test/lib/test_serve.h"

static struct test_serve serve;
static char prefix[80]; /* "/ves/ID" */

/* A signed note as text, and what it says. */
struct head {
    char text[16384];
    struct ves_note note;
    struct ves_checkpoint checkpoint;
};

static void take_head(struct head *head, const char *text)
{
    assert_true(strlen(text) < sizeof head->text);
    snprintf(head->text, sizeof head->text, "%s", text);
    assert_int_equal(
        ves_note_read(ves_bytes_str(head->text), &head->note, NULL), VES_OK);
    assert_int_equal(
        ves_checkpoint_read(head->note.text, &head->checkpoint, NULL), VES_OK);
}

static void get_head(struct head *head)
{
    assert_int_equal(test_http_get(&serve.http, "%s/checkpoint", prefix), 200);
    take_head(head, test_http_body(&serve.http));
}

static void pause_ms(long ms)
{
    struct timespec time = {0, ms * 1000000};

    nanosleep(&time, NULL);
}

static uint64_t log_size(void)
{
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    return test_http_u64(&serve.http, "/head_sequence");
}

/* The head of everything that is there. */
static void wait_for_head(struct head *head)
{
    uint64_t size = log_size();

    for (int i = 0; i < 6000; i++) {
        if (test_http_get(&serve.http, "%s/checkpoint", prefix) == 200) {
            take_head(head, test_http_body(&serve.http));
            if (head->checkpoint.size == size)
                return;
        }
        pause_ms(10);
    }
    fail_msg("no head of %llu events", (unsigned long long)size);
}

static uint64_t metric(const char *name)
{
    assert_int_equal(test_http_get(&serve.http, "/metrics"), 200);
    const char *at = strstr(test_http_body(&serve.http), name);
    while (at && at[strlen(name)] != ' ')
        at = strstr(at + 1, name);
    assert_non_null(at);
    return strtoull(at + strlen(name), NULL, 10);
}

static uint64_t kept(void)
{
    return metric("\nsequencer_cosignatures_total");
}
static uint64_t ignored(void)
{
    return metric("\nsequencer_cosignatures_ignored_total");
}

static void wait_until_kept(uint64_t count)
{
    for (int i = 0; i < 6000 && kept() < count; i++)
        pause_ms(10);
    assert_int_equal(kept(), count);
}

/* ---- what a store says ----------------------------------------------------
 */

struct word {
    const char *text;             /* of the checkpoint; NULL: the head's */
    const char *log_lines;        /* NULL: the head's */
    const char *name;             /* NULL: that of agent */
    const struct ves_uuid *agent; /* NULL: the serve's */
    const struct test_signer *key;
    uint64_t time_s;
    const char *signs; /* what is really signed; NULL: the text */
};

static void write_word(struct ves_buf *out, const struct head *head,
                       const struct word *word)
{
    struct ves_note_key key;
    struct ves_buf name;
    struct ves_bytes text =
        word->text ? ves_bytes_str(word->text) : head->note.text;

    test_log_buf(&name);
    if (word->name)
        ves_buf_put_str(&name, word->name);
    else
        ves_cosigner_name_write(&name, head->checkpoint.origin,
                                word->agent ? word->agent : &serve.agent);
    ves_note_key_init(&key, ves_buf_view(&name), VES_NOTE_COSIGNATURE,
                      &word->key->signer.public_key);
    ves_buf_put_bytes(out, text);
    ves_buf_put_u8(out, '\n');
    if (word->log_lines)
        ves_buf_put_str(out, word->log_lines);
    else
        ves_buf_put_bytes(out, head->note.lines[0].text);
    ves_cosign(out, word->signs ? ves_bytes_str(word->signs) : text,
               word->time_s, &key, &word->key->secret);
    ves_buf_free(&name);
}

static void put_header(const char *value, size_t len)
{
    snprintf(serve.http.extra, sizeof serve.http.extra,
             "x-ves-cosignature: %.*s", (int)len, value);
}

/* The header of one word. */
static void say(const struct head *head, const struct word *word)
{
    static char base64[8192];
    struct ves_buf note;

    test_log_buf(&note);
    write_word(&note, head, word);
    assert_true(ves_b64_len(note.len) < sizeof base64);
    ves_b64_encode(note.ptr, note.len, base64);
    put_header(base64, ves_b64_len(note.len));
    ves_buf_free(&note);
}

static uint64_t now_s(void)
{
    return (uint64_t)(ves_clock_now_ms() / 1000);
}

/* With that header a read and a write fare as without; *count more are
 * ignored. */
static void expect_ignored(const char *what)
{
    uint64_t before, size;
    char extra[sizeof serve.http.extra];

    memcpy(extra, serve.http.extra, sizeof extra);
    serve.http.extra[0] = 0;
    before = ignored();
    size = log_size();
    memcpy(serve.http.extra, extra, sizeof extra);
    if (log_size() != size)
        fail_msg("%s: another answer", what);
    serve.http.extra[0] = 0;
    if (ignored() != before + 1)
        fail_msg("%s: was not ignored", what);
}

static int set_up(void **state)
{
    struct ves_hash id;
    struct head head;

    (void)state;
    test_serve_init(&serve);
    ves_stream_id(&serve.stream, &id);
    snprintf(prefix, sizeof prefix, "/ves/");
    ves_hex_encode(id.b, VES_HASH_SIZE, prefix + 5);
    prefix[5 + 2 * VES_HASH_SIZE] = 0;
    assert_int_equal(test_serve_push(&serve, &serve.http, 10, 5), 200);
    wait_for_head(&head);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

/* ---- the tests ------------------------------------------------------------
 */

static void merged_with_the_head(void **state)
{
    struct head head, merged;
    struct ves_note_key key;
    struct ves_buf name;

    (void)state;
    get_head(&head);
    assert_int_equal(head.note.count, 1);
    assert_int_equal(test_http_get(&serve.http, "%s/witnessed", prefix), 404);
    /* It comes with any request, here a push, which fares as ever. */
    say(&head, &(struct word){.key = &serve.agent_key, .time_s = now_s()});
    assert_int_equal(test_serve_push(&serve, &serve.http, 10, 1), 200);
    serve.http.extra[0] = 0;
    wait_until_kept(1);
    get_head(&merged);
    assert_int_equal(merged.note.count, 2);
    test_log_buf(&name);
    ves_cosigner_name_write(&name, head.checkpoint.origin, &serve.agent);
    ves_note_key_init(&key, ves_buf_view(&name), VES_NOTE_COSIGNATURE,
                      &serve.agent_key.signer.public_key);
    assert_int_equal(ves_note_check(&merged.note, &key, NULL), VES_NOTE_GOOD);
    ves_buf_free(&name);
    assert_int_equal(test_http_get(&serve.http, "%s/witnessed", prefix), 200);
    assert_string_equal(test_http_body(&serve.http), merged.text);
}

/* The head moves on; what was cosigned is still there to be found, also after
 * a restart. */
static void shown_beside_a_younger_head(void **state)
{
    struct head old, young;
    char witnessed[4096];

    (void)state;
    get_head(&old);
    assert_int_equal(old.note.count, 2);
    assert_int_equal(test_serve_push(&serve, &serve.http, 30, 3), 200);
    wait_for_head(&young);
    assert_int_equal(young.note.count, 1);
    for (int restart = 0; restart < 2; restart++) {
        assert_int_equal(test_http_get(&serve.http, "%s/witnessed", prefix),
                         200);
        assert_string_equal(test_http_body(&serve.http), old.text);
        assert_int_equal(
            test_http_get(&serve.http,
                          "/api/v1/ves/events?%s&from=1&checkpoint=1",
                          serve.scope),
            200);
        snprintf(witnessed, sizeof witnessed, "%s",
                 test_http_text(&serve.http, "/witnessed/0"));
        assert_string_equal(witnessed, old.text);
        assert_string_equal(test_http_text(&serve.http, "/checkpoint"),
                            young.text);
        test_serve_stop(&serve);
        test_serve_start(&serve);
    }
}

static void what_is_wrong_changes_nothing(void **state)
{
    struct test_signer stranger;
    struct ves_uuid other = test_id(0x77);
    struct head head, after;
    static char text[1024], many[3000];
    uint64_t time_s = now_s();
    const struct word good = {.key = &serve.agent_key, .time_s = time_s};
    struct word word;

    (void)state;
    test_signer_init(&stranger, 99);
    wait_for_head(&head);
    put_header("!", 1);
    expect_ignored("no base64");
    memset(many, 'A', sizeof many - 1);
    put_header(many, sizeof many - 1);
    expect_ignored("no note");
    word = good;
    word.key = &stranger;
    say(&head, &word);
    expect_ignored("a key that is not registered");
    word = good;
    word.agent = &other;
    say(&head, &word);
    expect_ignored("an agent that is not registered");
    word = good;
    word.name = "w.example";
    say(&head, &word);
    expect_ignored("nobody's name");
    word = good;
    word.time_s = time_s + 2 * 86400;
    say(&head, &word);
    expect_ignored("a time to come");
    word = good;
    word.log_lines = "\xE2\x80\x94 x AAAAAAAA\n";
    say(&head, &word);
    expect_ignored("not our signature");
    /* Larger than the log; of its size with another root; another stream. */
    snprintf(text, sizeof text, "%.*s\n%llu\n%s\n",
             (int)head.checkpoint.origin.len,
             (const char *)head.checkpoint.origin.ptr,
             (unsigned long long)head.checkpoint.size + 1,
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    word = good;
    word.text = text;
    say(&head, &word);
    expect_ignored("a head that is not there");
    snprintf(text, sizeof text, "%.*s\n%llu\n%s\n",
             (int)head.checkpoint.origin.len,
             (const char *)head.checkpoint.origin.ptr,
             (unsigned long long)head.checkpoint.size,
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    say(&head, &word);
    expect_ignored("another root");
    snprintf(text, sizeof text, "x/ves/%064d\n1\n%s\n", 7,
             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    word.name = "x/agent/00000000-0000-4000-8000-000000000000";
    say(&head, &word);
    expect_ignored("another log");
    /* A signature of something else under the right key id. */
    snprintf(text, sizeof text, "%.*s", (int)head.note.text.len,
             (const char *)head.note.text.ptr);
    word = good;
    say(&head, &word);
    char *at = strstr(serve.http.extra, ": ") + 2;
    size_t len = strlen(at);
    /* Within the last signature, four characters before its end. */
    at[len - 12] = at[len - 12] == 'A' ? 'B' : 'A';
    expect_ignored("a broken signature");
    word = good;
    word.signs = "something else\n";
    say(&head, &word);
    expect_ignored("a good key's signature of something else");
    wait_for_head(&after);
    assert_string_equal(after.text, head.text);
}

static void replayed_and_refreshed(void **state)
{
    struct head head, merged;
    uint64_t before = kept(), time_s = now_s() - 60;

    (void)state;
    wait_for_head(&head);
    say(&head, &(struct word){.key = &serve.agent_key, .time_s = time_s});
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    serve.http.extra[0] = 0;
    wait_until_kept(before + 1);
    say(&head, &(struct word){.key = &serve.agent_key, .time_s = time_s});
    expect_ignored("the same again");
    say(&head, &(struct word){.key = &serve.agent_key, .time_s = time_s - 1});
    expect_ignored("an older one");
    say(&head, &(struct word){.key = &serve.agent_key, .time_s = time_s + 9});
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    serve.http.extra[0] = 0;
    wait_until_kept(before + 2);
    get_head(&merged);
    assert_int_equal(merged.note.count, 2);
}

/* Another agent's credential, a credential of another stream, a revoked key. */
static void who_may_say_it(void **state)
{
    struct test_signer key;
    struct head head;
    char api_key[64], path[256], members[128], admin[sizeof serve.http.auth];
    uint64_t before;

    (void)state;
    wait_for_head(&head);
    memcpy(admin, serve.http.auth, sizeof admin);
    test_signer_init(&key, 41);
    test_serve_register(&serve, &serve.agent, 2, &key);
    wait_for_head(&head);

    snprintf(members, sizeof members,
             "\"rights\":[\"read\"],\"agentId\":\"%s\"",
             "00000000-0000-4000-8000-0000000000f1");
    test_serve_key(&serve, members, api_key);
    before = ignored();
    test_http_auth(&serve.http, "x-api-key: ", api_key);
    say(&head, &(struct word){.key = &key, .time_s = now_s()});
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    serve.http.extra[0] = 0;
    memcpy(serve.http.auth, admin, sizeof admin);
    assert_int_equal(ignored(), before + 1);

    snprintf(members, sizeof members,
             "\"rights\":[\"read\"],\"storeId\":\"%s\"",
             "00000000-0000-4000-8000-0000000000f2");
    test_serve_key(&serve, members, api_key);
    test_http_auth(&serve.http, "x-api-key: ", api_key);
    say(&head, &(struct word){.key = &key, .time_s = now_s()});
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 403);
    assert_int_equal(test_http_get(&serve.http, "/api/v1/ves/sequencer-keys"),
                     200);
    serve.http.extra[0] = 0;
    memcpy(serve.http.auth, admin, sizeof admin);
    assert_true(ignored() > before + 1);

    snprintf(path, sizeof path, "/api/v1/agents/%s/keys/2?tenant_id=%s",
             serve.agent_text, serve.tenant);
    assert_int_equal(
        test_http_call(&serve.http, "DELETE", path, ves_bytes(NULL, 0)), 200);
    wait_for_head(&head);
    say(&head, &(struct word){.key = &key, .time_s = now_s()});
    expect_ignored("a revoked key");
}

/* Several notes in one header, ascending; more than are looked at. */
static void several_at_once(void **state)
{
    static char text[16000];
    struct head one, two;
    struct ves_buf note;
    uint64_t before = kept();
    size_t len = 0;

    (void)state;
    wait_for_head(&one);
    assert_int_equal(test_serve_push(&serve, &serve.http, 60, 1), 200);
    wait_for_head(&two);
    for (int i = 0; i < 2; i++) {
        const struct word word = {.key = &serve.agent_key,
                                  .time_s = now_s() + 20};
        test_log_buf(&note);
        write_word(&note, i ? &two : &one, &word);
        if (i)
            text[len++] = ',';
        ves_b64_encode(note.ptr, note.len, text + len);
        len += ves_b64_len(note.len);
        ves_buf_free(&note);
    }
    put_header(text, len);
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    serve.http.extra[0] = 0;
    wait_until_kept(before + 2);
    put_header(",,,,,,,,,,", 10);
    before = ignored();
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    serve.http.extra[0] = 0;
    assert_int_equal(ignored(), before + 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged_with_the_head),
        cmocka_unit_test(shown_beside_a_younger_head),
        cmocka_unit_test(what_is_wrong_changes_nothing),
        cmocka_unit_test(replayed_and_refreshed),
        cmocka_unit_test(who_may_say_it),
        cmocka_unit_test(several_at_once),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
