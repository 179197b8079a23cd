/* test_witness.c -- a witness: what it answers, what it remembers, over HTTP.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/text.h"
#include "core/policy.h"
#include "os/file.h"
#include "test/lib/test_dir.h"
#include "test/lib/test_http.h"
#include "test/lib/test_log.h"
#include "witness/witness.h"

enum { EVENTS = 40, NOW = 1700000000, THREADS = 8 };

static struct test_log source_log, forked;
static char folder[256], list[256];
static struct ves_witness *witness;
static struct ves_witness_reply reply;
static struct ves_error error;

static int set_up(void **state)
{
    test_log_open(&source_log);
    test_log_grow(&source_log, EVENTS);
    test_log_open(&forked);
    for (size_t i = 0; i < EVENTS; i++) {
        struct ves_leaf leaf = source_log.leaves[i == 7 ? 8 : i];
        test_log_append(&forked, &leaf);
    }
    return test_dir_make(state);
}

static int tear_down(void **state)
{
    test_log_close(&source_log);
    test_log_close(&forked);
    return test_dir_remove(state);
}

static void write_list(const char *text)
{
    assert_int_equal(
        ves_file_write(list, ves_bytes_str(text), VES_FILE_REPLACE, NULL),
        VES_OK);
}

static struct ves_witness_options options_of(void)
{
    const struct ves_witness_options options = {.dir = folder,
                                                .name = "w.example",
                                                .logs = list,
                                                .listen = "127.0.0.1:0"};
    return options;
}

static void open_witness(void)
{
    struct ves_witness_options options = options_of();
    if (ves_witness_open(&options, &witness, &error))
        fail_msg("%s", error.text);
}

/* A folder of its own for each test, and the golden log in the list. */
static int start(void **state)
{
    char text[512];
    struct ves_bytes vkey = test_log_text(&source_log, "log_vkey");

    (void)state;
    snprintf(folder, sizeof(folder), "%s/w", test_dir);
    snprintf(list, sizeof(list), "%s/logs", test_dir);
    snprintf(text, sizeof(text), "# ours\n\nlog %.*s\n", (int)vkey.len,
             (const char *)vkey.ptr);
    write_list(text);
    test_log_buf(&reply.body);
    open_witness();
    return 0;
}

static int stop(void **state)
{
    char command[600];

    (void)state;
    ves_buf_free(&reply.body);
    ves_witness_close(witness);
    witness = NULL;
    snprintf(command, sizeof(command), "rm -rf '%s' '%s'", folder, list);
    return system(command);
}

/* The body of a request: from old to new in a log. */
static void put_request(struct ves_buf *out, struct test_log *log, uint64_t old,
                        uint64_t new)
{
    struct ves_tlog_path path = {0};
    struct ves_buf note;

    test_log_buf(&note);
    test_log_checkpoint(log, &note, new);
    if (old > 0 && old <= new)
        assert_int_equal(
            ves_tlog_consistency_make(test_log_source(log), old, new, &path),
            VES_OK);
    ves_add_checkpoint_write(out, old, &path, ves_buf_view(&note));
    ves_buf_free(&note);
}

static unsigned add_bytes(struct ves_bytes body)
{
    ves_buf_free(&reply.body);
    ves_witness_add(witness, body, NOW, &reply);
    return reply.status;
}

static unsigned add(struct test_log *log, uint64_t old, uint64_t new)
{
    struct ves_buf body;

    test_log_buf(&body);
    put_request(&body, log, old, new);
    unsigned status = add_bytes(ves_buf_view(&body));
    ves_buf_free(&body);
    return status;
}

/* The reply is a line that makes the log's checkpoint of that size witnessed;
 * returns the line's time. */
static uint64_t check_cosigned(uint64_t size)
{
    struct ves_buf note, policy;
    static struct ves_policy read;
    static struct ves_note taken;
    struct ves_checkpoint checkpoint;
    struct ves_policy_verdict verdict;
    struct ves_bytes vkey = test_log_text(&source_log, "log_vkey");

    test_log_buf(&note);
    test_log_buf(&policy);
    test_log_checkpoint(&source_log, &note, size);
    ves_buf_put_bytes(&note, ves_buf_view(&reply.body));
    ves_buf_putf(&policy, "log %.*s\nwitness w %s\nquorum w\n", (int)vkey.len,
                 (const char *)vkey.ptr, ves_witness_vkey(witness));
    assert_int_equal(ves_policy_read(ves_buf_view(&policy), &read, NULL),
                     VES_OK);
    assert_int_equal(ves_note_read(ves_buf_view(&note), &taken, NULL), VES_OK);
    assert_int_equal(ves_checkpoint_read(taken.text, &checkpoint, NULL),
                     VES_OK);
    ves_policy_check(&read, &taken, &checkpoint, &verdict);
    assert_false(verdict.has_bad);
    assert_true(verdict.is_met);
    ves_buf_free(&note);
    ves_buf_free(&policy);
    return verdict.witnessed_at;
}

static void expect_size(const char *text)
{
    assert_true(reply.is_size);
    assert_true(
        ves_bytes_equal(ves_buf_view(&reply.body), ves_bytes_str(text)));
}

static void test_growing(void **state)
{
    (void)state;
    assert_int_equal(add(&source_log, 0, 5), 200);
    assert_int_equal(check_cosigned(5), NOW);
    assert_int_equal(add(&source_log, 5, 12), 200);
    check_cosigned(12);
    /* The same again: a fresh time for it. */
    assert_int_equal(add(&source_log, 12, 12), 200);
    check_cosigned(12);
    for (uint64_t size = 13; size <= EVENTS; size++)
        assert_int_equal(add(&source_log, size - 1, size), 200);
}

static void test_conflicts(void **state)
{
    (void)state;
    assert_int_equal(add(&source_log, 5, 9), 409);
    expect_size("0\n");
    assert_int_equal(add(&source_log, 0, 9), 200);
    assert_int_equal(add(&source_log, 0, 12), 409);
    expect_size("9\n");
    assert_int_equal(add(&source_log, 8, 12), 409);
    expect_size("9\n");
    /* An old checkpoint again is a conflict, not a step back. */
    assert_int_equal(add(&source_log, 5, 8), 409);
    expect_size("9\n");
    assert_int_equal(add(&source_log, 12, 9), 400);
    assert_int_equal(add(&source_log, 9, 12), 200);
}

static void test_forks(void **state)
{
    (void)state;
    assert_int_equal(add(&source_log, 0, 12), 200);
    /* Same size, and larger, with the fork's own good proof. */
    assert_int_equal(add(&forked, 12, 12), 422);
    assert_int_equal(add(&forked, 12, 20), 422);
    /* A proof where none may be, none where one must be, one hash more. */
    struct ves_tlog_path path = {.count = 1};
    struct ves_buf note, body;
    test_log_buf(&note);
    test_log_buf(&body);
    test_log_checkpoint(&source_log, &note, 12);
    ves_add_checkpoint_write(&body, 12, &path, ves_buf_view(&note));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 422);
    ves_buf_reset(&body);
    ves_buf_reset(&note);
    path.count = 0;
    test_log_checkpoint(&source_log, &note, 20);
    ves_add_checkpoint_write(&body, 12, &path, ves_buf_view(&note));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 422);
    assert_int_equal(
        ves_tlog_consistency_make(test_log_source(&source_log), 12, 20, &path),
        VES_OK);
    path.hash[path.count++] = path.hash[0];
    ves_buf_reset(&body);
    ves_add_checkpoint_write(&body, 12, &path, ves_buf_view(&note));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 422);
    ves_buf_free(&note);
    ves_buf_free(&body);
    /* Nothing of that was remembered. */
    assert_int_equal(add(&source_log, 12, 20), 200);
}

/* A tree of no entries has one root. */
static void test_empty_tree(void **state)
{
    (void)state;
    struct ves_tlog_path path = {0};
    struct ves_hash root = source_log.edge.hash[0];
    struct ves_buf note, body;

    test_log_buf(&note);
    test_log_buf(&body);
    test_log_sign(&source_log, &note, 0, &root);
    ves_add_checkpoint_write(&body, 0, &path, ves_buf_view(&note));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 422);
    ves_tlog_empty_root(&root);
    ves_buf_reset(&note);
    ves_buf_reset(&body);
    test_log_sign(&source_log, &note, 0, &root);
    ves_add_checkpoint_write(&body, 0, &path, ves_buf_view(&note));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 200);
    ves_buf_free(&note);
    ves_buf_free(&body);
    assert_int_equal(add(&source_log, 0, 3), 200);
}

static void test_strangers(void **state)
{
    (void)state;
    struct ves_buf body;
    const uint8_t zero[64] = {0};

    /* Another origin. */
    test_log_buf(&body);
    struct test_log other = source_log;
    ves_note_key_init(&other.log_key, ves_bytes_str("other.example"),
                      VES_NOTE_ED25519, &source_log.log_key.key);
    put_request(&body, &other, 0, 5);
    assert_int_equal(add_bytes(ves_buf_view(&body)), 404);
    /* This origin, signed by somebody else under the log's name. */
    ves_buf_reset(&body);
    other = source_log;
    ves_note_key_init(&other.log_key, source_log.log_key.name, VES_NOTE_ED25519,
                      &source_log.agent_key);
    other.log_secret = source_log.agent_secret;
    put_request(&body, &other, 0, 5);
    assert_int_equal(add_bytes(ves_buf_view(&body)), 403);
    /* A wrong signature beside the right one. */
    ves_buf_reset(&body);
    put_request(&body, &source_log, 0, 5);
    ves_note_line_write(&body, &source_log.log_key, zero, sizeof(zero));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 403);
    ves_buf_free(&body);
    assert_int_equal(add(&source_log, 0, 5), 200);
}

static void test_malformed(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "old 0",
                                        "old 0\n",
                                        "old 0\n\n",
                                        "old -1\n\nx\n1\n",
                                        "old 0\n\nx\n1\nAAAA\n\n"};
    struct ves_buf body;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_int_equal(add_bytes(ves_bytes_str(texts[i])), 400);
    /* A good request, with a leading zero. */
    test_log_buf(&body);
    ves_buf_put_str(&body, "old 0");
    struct ves_buf good;
    test_log_buf(&good);
    put_request(&good, &source_log, 0, 5);
    ves_buf_put(&body, good.ptr + 4, good.len - 4);
    assert_int_equal(add_bytes(ves_buf_view(&body)), 400);
    /* 64 hashes. */
    ves_buf_reset(&body);
    ves_buf_put_str(&body, "old 1\n");
    for (int i = 0; i < 64; i++)
        ves_buf_put_str(&body,
                        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    ves_buf_put(&body, good.ptr + 6, good.len - 6);
    assert_int_equal(add_bytes(ves_buf_view(&body)), 400);
    ves_buf_free(&good);
    ves_buf_free(&body);
}

static void restart(void)
{
    ves_witness_close(witness);
    witness = NULL;
    open_witness();
}

static void test_remembers(void **state)
{
    (void)state;
    assert_int_equal(add(&source_log, 0, 12), 200);
    char *before = strdup(ves_witness_vkey(witness));
    restart();
    assert_string_equal(ves_witness_vkey(witness), before);
    free(before);
    assert_int_equal(add(&source_log, 0, 20), 409);
    expect_size("12\n");
    assert_int_equal(add(&forked, 12, 20), 422);
    /* The clock went back; what was said was not. */
    struct ves_buf body;
    test_log_buf(&body);
    put_request(&body, &source_log, 12, 20);
    ves_buf_free(&reply.body);
    ves_witness_add(witness, ves_buf_view(&body), NOW - 5000, &reply);
    ves_buf_free(&body);
    assert_int_equal(reply.status, 200);
    assert_int_equal(check_cosigned(20), NOW);
}

static void state_path(char out[400])
{
    struct ves_hash hash;
    char hex[65] = "";

    ves_sha256_one(TEST_LOG_ORIGIN, strlen(TEST_LOG_ORIGIN), &hash);
    ves_hex_encode(hash.b, VES_HASH_SIZE, hex);
    snprintf(out, 400, "%s/%.64s", folder, hex);
}

/* A state that is not our own word any more stops the origin: the witness does
 * not start over. */
static void test_damaged_state(void **state)
{
    (void)state;
    char path[400];
    struct ves_buf file;

    assert_int_equal(add(&source_log, 0, 12), 200);
    state_path(path);
    test_log_buf(&file);
    assert_int_equal(ves_file_read(path, &file, NULL), VES_OK);
    file.ptr[strlen(TEST_LOG_ORIGIN) + 1] = '0' + 2; /* 12 becomes 22 */
    assert_int_equal(
        ves_file_write(path, ves_buf_view(&file), VES_FILE_REPLACE, NULL),
        VES_OK);
    assert_int_equal(add(&source_log, 12, 20), 500);
    assert_int_equal(add(&source_log, 0, 20), 500);
    ves_buf_free(&file);
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(add(&source_log, 0, 20), 500);
}

/* A list of the golden log and one more, and a witness that has read it. */
static void open_with(const struct ves_note_key *other)
{
    struct ves_bytes vkey = test_log_text(&source_log, "log_vkey");
    struct ves_buf text;

    ves_witness_close(witness);
    witness = NULL;
    test_log_buf(&text);
    ves_buf_putf(&text, "log %.*s\nlog ", (int)vkey.len,
                 (const char *)vkey.ptr);
    ves_note_key_write(&text, other);
    ves_buf_put_bytes(&text, ves_bytes("\n", 2));
    write_list((const char *)text.ptr);
    ves_buf_free(&text);
    open_witness();
}

/* The state of one origin in the place of another's. */
static void test_other_state(void **state)
{
    (void)state;
    char path[400], other_path[400], hex[65] = "";
    struct test_log other = source_log;
    struct ves_hash hash;
    struct ves_buf body;

    ves_note_key_init(&other.log_key, ves_bytes_str("other.example"),
                      VES_NOTE_ED25519, &source_log.log_key.key);
    open_with(&other.log_key);
    test_log_buf(&body);
    put_request(&body, &other, 0, 5);
    assert_int_equal(add_bytes(ves_buf_view(&body)), 200);
    ves_buf_free(&body);
    ves_sha256_one("other.example", 13, &hash);
    ves_hex_encode(hash.b, VES_HASH_SIZE, hex);
    snprintf(other_path, sizeof(other_path), "%s/%.64s", folder, hex);
    state_path(path);
    assert_int_equal(rename(other_path, path), 0);
    assert_int_equal(add(&source_log, 5, 12), 500);
}

/* Of two keys of one log one signs well and one wrongly; and what strangers
 * sign is not kept. */
static void test_lines(void **state)
{
    (void)state;
    const uint8_t zero[64] = {0};
    char path[400];
    struct ves_note_key second, stranger;
    struct ves_buf body, file;

    ves_note_key_init(&second, source_log.log_key.name, VES_NOTE_ED25519,
                      &source_log.agent_key);
    ves_note_key_init(&stranger, ves_bytes_str("stranger.example"),
                      VES_NOTE_ED25519, &source_log.agent_key);
    open_with(&second);
    test_log_buf(&body);
    put_request(&body, &source_log, 0, 5);
    ves_note_line_write(&body, &second, zero, sizeof(zero));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 403);
    ves_buf_reset(&body);
    put_request(&body, &source_log, 0, 5);
    ves_note_line_write(&body, &stranger, zero, sizeof(zero));
    assert_int_equal(add_bytes(ves_buf_view(&body)), 200);
    ves_buf_free(&body);
    state_path(path);
    test_log_buf(&file);
    assert_int_equal(ves_file_read(path, &file, NULL), VES_OK);
    assert_null(memmem(file.ptr, file.len, "stranger", 8));
    ves_buf_free(&file);
}

/* What cannot be written is not said. */
static void test_unwritable(void **state)
{
    (void)state;
    char path[400];

    state_path(path);
    /* A folder in its place cannot be replaced by a file, root or not. */
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(add(&source_log, 0, 12), 500);
    assert_null(memmem(reply.body.ptr, reply.body.len, "w.example", 9));
    assert_int_equal(rmdir(path), 0);
    /* Nor is what finds no room on the disk. */
    struct rlimit limit, none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    unsigned status = add(&source_log, 0, 12);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, 500);
    assert_null(memmem(reply.body.ptr, reply.body.len, "w.example", 9));
    assert_int_equal(add(&source_log, 0, 12), 200);
}

static void test_folder(void **state)
{
    (void)state;
    struct ves_witness_options options = options_of();
    struct ves_witness *second;
    struct stat st;
    char path[400];

    snprintf(path, sizeof(path), "%s/key", folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(ves_witness_open(&options, &second, &error), VES_BUSY);
    assert_null(second);
    ves_witness_close(witness);
    witness = NULL;
    options.name = "other.example";
    assert_int_equal(ves_witness_open(&options, &second, &error), VES_INVALID);
    options.name = NULL;
    assert_int_equal(ves_witness_open(&options, &witness, &error), VES_OK);
    ves_witness_close(witness);
    witness = NULL;
    /* A lost key is not replaced by one that has seen nothing. */
    assert_int_equal(unlink(path), 0);
    assert_int_equal(ves_witness_open(&options, &second, &error), VES_CORRUPT);
    assert_int_equal(stat(path, &st), -1);
}

static void test_lists(void **state)
{
    (void)state;
    static const char *const bad[] = {"log nonsense\n", "logs x\n",
                                      "prefix ves.example/s/\n",
                                      "prefix ves.example/s/ AAAA\n"};
    struct ves_witness_options options = options_of();
    struct ves_witness *second;

    ves_witness_close(witness);
    witness = NULL;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_list(bad[i]);
        assert_int_equal(ves_witness_open(&options, &second, &error),
                         VES_MALFORMED);
        assert_non_null(strstr(error.text, "line 1"));
    }
    /* One key for every origin of a sequencer. */
    char text[512];
    struct ves_bytes vkey = test_log_text(&source_log, "log_vkey");
    const uint8_t *plus = memrchr(vkey.ptr, '+', vkey.len);
    /* base64 has plus signs of its own; an id has eight digits. */
    while (plus[-9] != '+')
        plus = memrchr(vkey.ptr, '+', (size_t)(plus - vkey.ptr));
    snprintf(text, sizeof(text), "prefix ves.example/s/ %.*s # all of it\n",
             (int)(vkey.ptr + vkey.len - plus - 1), (const char *)plus + 1);
    write_list(text);
    assert_int_equal(ves_witness_open(&options, &second, &error),
                     VES_MALFORMED);
    *strchr(text, '#') = '\0';
    write_list(text);
    open_witness();
    assert_int_equal(add(&source_log, 0, 12), 200);
    memcpy(strstr(text, "ves.example/s/"), "ves.example/t/", 14);
    write_list(text);
    ves_witness_close(witness);
    open_witness();
    assert_int_equal(add(&source_log, 12, 20), 404);
}

/* ---- concurrency --------------------------------------------------------- */

struct rival {
    pthread_t thread;
    struct ves_buf body;
    unsigned status;
};

static void *submit(void *ctx)
{
    struct rival *rival = ctx;
    struct ves_witness_reply own;

    ves_witness_add(witness, ves_buf_view(&rival->body), NOW, &own);
    rival->status = own.status;
    ves_buf_free(&own.body);
    return NULL;
}

/* Of several that grow one tree at once, half of them a fork, one wins a step;
 * whatever won, all cosigned heads are of one history. */
static void test_rivals(void **state)
{
    (void)state;
    static struct rival rivals[THREADS];

    assert_int_equal(add(&source_log, 0, 7), 200);
    for (uint64_t size = 7; size < 27; size += 4) {
        size_t winners = 0;
        for (size_t i = 0; i < THREADS; i++) {
            test_log_buf(&rivals[i].body);
            put_request(&rivals[i].body, i % 2 ? &source_log : &forked, size,
                        size + 4);
            assert_int_equal(
                pthread_create(&rivals[i].thread, NULL, submit, &rivals[i]), 0);
        }
        for (size_t i = 0; i < THREADS; i++) {
            pthread_join(rivals[i].thread, NULL);
            winners += rivals[i].status == 200;
            ves_buf_free(&rivals[i].body);
        }
        assert_int_equal(winners, 1);
        /* The first step decides which history it is. */
        struct test_log *loser =
            add(&source_log, size + 4, size + 4) == 200 ? &forked : &source_log;
        assert_int_equal(add(loser, size + 4, size + 4), 422);
        if (loser == &source_log)
            break;
    }
}

/* ---- HTTP ---------------------------------------------------------------- */

static void test_http(void **state)
{
    (void)state;
    struct ves_witness_options options = options_of();
    struct ves_witness *served;
    struct test_http http;
    struct ves_buf body;
    char path[400], hex[400], token[400];

    snprintf(token, sizeof(token), "%s/token", folder);
    assert_int_equal(
        ves_file_write(token, ves_bytes_str("sesame\n"), VES_FILE_NEW, NULL),
        VES_OK);
    ves_witness_close(witness);
    witness = NULL;
    options.token_file = token;
    options.listen = "0.0.0.0:0";
    assert_int_equal(ves_witness_start(&options, &served, &error), VES_REFUSED);
    options.listen = "127.0.0.1:0";
    assert_int_equal(ves_witness_start(&options, &served, &error), VES_OK);
    test_http_init(&http, ves_witness_url(served));
    test_log_buf(&body);
    put_request(&body, &source_log, 0, 12);
    assert_int_equal(
        test_http_call(&http, "POST", "/add-checkpoint", ves_buf_view(&body)),
        401);
    test_http_auth(&http, "Authorization: Bearer ", "sesame");
    assert_int_equal(
        test_http_call(&http, "POST", "/add-checkpoint", ves_buf_view(&body)),
        200);
    assert_int_equal(
        test_http_call(&http, "POST", "/add-checkpoint", ves_buf_view(&body)),
        409);
    assert_string_equal(test_http_body(&http), "12\n");
    assert_true(test_http_has_header(&http, "content-type: text/x.tlog.size"));
    assert_int_equal(test_http_get(&http, "/add-checkpoint"), 405);
    assert_int_equal(test_http_get(&http, "/"), 404);
    assert_int_equal(test_http_get(&http, "/key"), 404);
    /* Folders are not to be walked. */
    assert_int_equal(test_http_get(&http, "/../../../../etc/passwd"), 404);
    char *large = calloc(1, 40000);
    memset(large, 'x', 39999);
    assert_int_equal(
        test_http_call(&http, "POST", "/add-checkpoint", ves_bytes_str(large)),
        400);
    free(large);
    /* The read side. */
    state_path(path);
    snprintf(hex, sizeof(hex), "%s", strrchr(path, '/'));
    assert_int_equal(test_http_get(&http, "%s/checkpoint", hex), 200);
    assert_non_null(strstr(test_http_body(&http), TEST_LOG_ORIGIN "\n12\n"));
    assert_non_null(strstr(test_http_body(&http), "w.example"));
    hex[1] = hex[1] == '0' ? '1' : '0';
    assert_int_equal(test_http_get(&http, "%s/checkpoint", hex), 404);
    ves_buf_free(&body);
    test_http_free(&http);
    ves_witness_stop(served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_growing, start, stop),
        cmocka_unit_test_setup_teardown(test_conflicts, start, stop),
        cmocka_unit_test_setup_teardown(test_forks, start, stop),
        cmocka_unit_test_setup_teardown(test_empty_tree, start, stop),
        cmocka_unit_test_setup_teardown(test_strangers, start, stop),
        cmocka_unit_test_setup_teardown(test_malformed, start, stop),
        cmocka_unit_test_setup_teardown(test_remembers, start, stop),
        cmocka_unit_test_setup_teardown(test_damaged_state, start, stop),
        cmocka_unit_test_setup_teardown(test_other_state, start, stop),
        cmocka_unit_test_setup_teardown(test_lines, start, stop),
        cmocka_unit_test_setup_teardown(test_unwritable, start, stop),
        cmocka_unit_test_setup_teardown(test_folder, start, stop),
        cmocka_unit_test_setup_teardown(test_lists, start, stop),
        cmocka_unit_test_setup_teardown(test_rivals, start, stop),
        cmocka_unit_test_setup_teardown(test_http, start, stop)};
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
