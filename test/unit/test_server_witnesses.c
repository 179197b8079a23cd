/* test_server_witnesses.c -- what the sequencer makes of the answers of
 * witnesses: good ones, strange ones, and those that know more than it does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "base/text.h"
#include "core/add_checkpoint.h"
#include "core/cosign.h"
#include "server/server.h"
#include "test/lib/test_serve.h"

enum { WITNESSES_MAX = 6, REQUEST_MAX = 64 * 1024, FURTHER = 1000000 };

#define SECRET "/only-those-who-know-it"

static struct test_serve serve;

/* ---- witnesses of a script ----------------------------------------------- */

enum script {
    COSIGNS,
    HAS_ANOTHER_SIZE, /* says so, then cosigns */
    SIGNS_WRONG,      /* by a key that is not its own */
    IS_BROKEN,
    KNOWS_MORE, /* and cannot show it */
    SHOWS_MORE, /* a head that the sequencer signed */
    DISAGREES   /* does not find the head to grow */
};

struct witness {
    enum script script;
    int fd;
    unsigned port;
    pthread_t thread;
    struct test_signer key, stranger;
    char name[32];
    atomic_uint asked, gone_on; /* requests; of them with a proof */
    struct ves_buf shown;       /* to whoever asks what it has */
    bool is_at_its_path;
};
static struct witness witnesses[WITNESSES_MAX];
static size_t witness_count;

/* A head of this log, signed by its own key, that it does not have. */
static void make_shown(struct witness *w, const struct ves_checkpoint *head)
{
    struct ves_signer *signer = serve.server->sequencer.signer;
    struct ves_checkpoint other = *head;
    struct ves_note_key key;
    struct ves_sig sig;

    other.size = FURTHER;
    other.root.b[0] ^= 1;
    ves_buf_reset(&w->shown);
    ves_checkpoint_write(&w->shown, &other);
    signer->sign_text(signer, ves_buf_view(&w->shown), &sig);
    ves_note_key_init(&key, head->origin, VES_NOTE_ED25519,
                      &signer->public_key);
    ves_buf_put_u8(&w->shown, '\n');
    ves_note_line_write(&w->shown, &key, sig.b, VES_SIG_SIZE);
}

static uint32_t answer_head(struct witness *w, struct ves_bytes body,
                            struct ves_buf *out)
{
    static struct ves_add_checkpoint requests[WITNESSES_MAX];
    struct ves_add_checkpoint *request = &requests[w - witnesses];
    const struct test_signer *signer =
        w->script == SIGNS_WRONG ? &w->stranger : &w->key;
    struct ves_note_key key;

    if (ves_add_checkpoint_read(body, request, NULL))
        return 400;
    unsigned asked = atomic_fetch_add(&w->asked, 1);
    if (request->old_size == 1 &&
        (request->checkpoint.size == 1 || request->path.count > 0))
        atomic_fetch_add(&w->gone_on, 1);
    if (w->script == SHOWS_MORE)
        make_shown(w, &request->checkpoint);
    if (w->script == IS_BROKEN)
        return 500;
    if (w->script == DISAGREES)
        return VES_WITNESS_INCONSISTENT;
    if (w->script == KNOWS_MORE || w->script == SHOWS_MORE ||
        (w->script == HAS_ANOTHER_SIZE && asked == 0)) {
        ves_witness_size_write(out,
                               w->script == HAS_ANOTHER_SIZE ? 1 : FURTHER);
        return VES_WITNESS_CONFLICT;
    }
    ves_note_key_init(&key, ves_bytes_str(w->name), VES_NOTE_COSIGNATURE,
                      &w->key.signer.public_key);
    ves_cosign(out, request->note.text, (uint64_t)time(NULL), &key,
               &signer->secret);
    return VES_WITNESS_OK;
}

/* Reads to the end of the body; false: there is none. */
static bool read_request(int fd, char *text, struct ves_bytes *body)
{
    size_t len = 0, want = REQUEST_MAX;
    char *end = NULL;

    while (len < want) {
        ssize_t n = read(fd, text + len, REQUEST_MAX - len);
        if (n <= 0)
            return false;
        len += (size_t)n;
        text[len] = '\0';
        end = end ? end : strstr(text, "\r\n\r\n");
        if (!end)
            continue;
        const char *length = strcasestr(text, "\r\ncontent-length:");
        size_t head = (size_t)(end - text) + 4;
        want = head + (length ? strtoul(length + 17, NULL, 10) : 0);
        *body = ves_bytes(text + head, want - head);
    }
    return end != NULL;
}

static void answer(struct witness *w, int fd)
{
    static char texts[WITNESSES_MAX][REQUEST_MAX + 1];
    char *text = texts[w - witnesses];
    struct ves_buf out, reply;
    struct ves_bytes body;
    uint32_t status = 404;

    if (!read_request(fd, text, &body))
        return;
    ves_buf_init(&out, ves_alloc_default(), REQUEST_MAX);
    ves_buf_init(&reply, ves_alloc_default(), REQUEST_MAX);
    if (strncmp(text, "POST " SECRET "/add-checkpoint ", 20 + sizeof(SECRET)) ==
        0) {
        w->is_at_its_path = true;
        status = answer_head(w, body, &out);
    } else if (strncmp(text, "GET " SECRET "/", 4 + sizeof(SECRET)) == 0 &&
               w->shown.len > 0) {
        status = 200;
        ves_buf_put_bytes(&out, ves_buf_view(&w->shown));
    }
    ves_buf_putf(&reply,
                 "HTTP/1.1 %u X\r\nContent-Length: %zu\r\n"
                 "Connection: close\r\n\r\n",
                 status, out.len);
    ves_buf_put_bytes(&reply, ves_buf_view(&out));
    for (size_t at = 0; at < reply.len;) {
        ssize_t n = send(fd, reply.ptr + at, reply.len - at, MSG_NOSIGNAL);
        if (n <= 0)
            break;
        at += (size_t)n;
    }
    ves_buf_free(&out);
    ves_buf_free(&reply);
}

static void *listen_always(void *ctx)
{
    struct witness *w = ctx;

    for (;;) {
        int fd = accept(w->fd, NULL, NULL);
        if (fd < 0)
            return NULL;
        answer(w, fd);
        close(fd);
    }
}

static struct witness *add_witness(enum script script)
{
    struct witness *w = &witnesses[witness_count];
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(at);

    memset(w, 0, sizeof(*w));
    w->script = script;
    snprintf(w->name, sizeof(w->name), "witness-%zu.example", witness_count);
    test_signer_init(&w->key, (uint8_t)(0x70 + witness_count));
    test_signer_init(&w->stranger, 0x90);
    ves_buf_init(&w->shown, ves_alloc_default(), VES_NOTE_MAX);
    w->fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(w->fd >= 0);
    assert_int_equal(bind(w->fd, (struct sockaddr *)&at, sizeof(at)), 0);
    assert_int_equal(listen(w->fd, 8), 0);
    assert_int_equal(getsockname(w->fd, (struct sockaddr *)&at, &len), 0);
    w->port = ntohs(at.sin_port);
    witness_count++;
    return w;
}

/* ---- the sequencer that asks them ---------------------------------------- */

static char policy_path[128], log_path[128];
static int own_stderr;

static void write_policy(void)
{
    FILE *file = fopen(policy_path, "w");

    assert_non_null(file);
    for (size_t i = 0; i < witness_count; i++) {
        struct witness *w = &witnesses[i];
        struct ves_note_key key;
        struct ves_buf vkey;
        ves_note_key_init(&key, ves_bytes_str(w->name), VES_NOTE_COSIGNATURE,
                          &w->key.signer.public_key);
        ves_buf_init(&vkey, ves_alloc_default(), 1024);
        ves_note_key_write(&vkey, &key);
        fprintf(file, "witness w%zu %.*s http://127.0.0.1:%u" SECRET "/\n", i,
                (int)vkey.len, (const char *)vkey.ptr, w->port);
        ves_buf_free(&vkey);
    }
    fprintf(file, "quorum none\n");
    assert_int_equal(fclose(file), 0);
}

/* What the server says on standard error goes into a file meanwhile. */
static void begin(void)
{
    snprintf(policy_path, sizeof(policy_path), "%s/policy", serve.folder);
    snprintf(log_path, sizeof(log_path), "%s/log", serve.folder);
    write_policy();
    test_serve_stop(&serve);
    fflush(stderr);
    own_stderr = dup(STDERR_FILENO);
    int fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(own_stderr >= 0 && fd >= 0);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    close(fd);
    for (size_t i = 0; i < witness_count; i++)
        assert_int_equal(pthread_create(&witnesses[i].thread, NULL,
                                        listen_always, &witnesses[i]),
                         0);
    serve.options.witness_policy = policy_path;
    serve.options.log_level = 2;
    test_serve_start(&serve);
}

static void end_asking(void)
{
    test_serve_stop(&serve);
    fflush(stderr);
    assert_true(dup2(own_stderr, STDERR_FILENO) >= 0);
    close(own_stderr);
    for (size_t i = 0; i < witness_count; i++) {
        shutdown(witnesses[i].fd, SHUT_RDWR);
        pthread_join(witnesses[i].thread, NULL);
        close(witnesses[i].fd);
        ves_buf_free(&witnesses[i].shown);
    }
}

static int set_up(void **state)
{
    (void)state;
    witness_count = 0;
    test_serve_init(&serve);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

static uint64_t metric(const char *name)
{
    char line[128];

    snprintf(line, sizeof(line), "\n%s ", name);
    assert_int_equal(test_http_get(&serve.http, "/metrics"), 200);
    const char *at = strstr(test_http_body(&serve.http), line);
    assert_non_null(at);
    return strtoull(at + strlen(line), NULL, 10);
}

static void wait_for(const char *name, uint64_t count)
{
    const struct timespec pause = {0, 10 * 1000000};

    for (int i = 0; i < 3000 && metric(name) < count; i++)
        nanosleep(&pause, NULL);
    assert_true(metric(name) >= count);
}

static uint64_t alerts(const char *code)
{
    sqlite3 *db;
    sqlite3_stmt *q;

    assert_int_equal(sqlite3_open(serve.db, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT count(*) FROM ves_alerts WHERE code = ?",
                           -1, &q, NULL),
        SQLITE_OK);
    sqlite3_bind_text(q, 1, code, -1, SQLITE_STATIC);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    uint64_t count = (uint64_t)sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    sqlite3_close(db);
    return count;
}

static const char *checkpoint(void)
{
    struct test_http *http = &serve.http;
    char prefix[128];

    assert_int_equal(test_http_get(http, "/api/v1/ves/log?%s", serve.scope),
                     200);
    snprintf(prefix, sizeof(prefix), "%s", test_http_text(http, "/prefix"));
    assert_int_equal(test_http_get(http, "%s/checkpoint", prefix), 200);
    return test_http_body(http);
}

static bool is_frozen(void)
{
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/log?%s", serve.scope), 200);
    return !test_http_is_null(&serve.http, "/frozen");
}

static bool log_says(const char *words)
{
    struct ves_bytes text = test_read_file(log_path);

    assert_non_null(text.ptr);
    bool is_there = strstr((const char *)text.ptr, words) != NULL;
    free((void *)(uintptr_t)text.ptr);
    return is_there;
}

/* ---- tests --------------------------------------------------------------- */

/* Each is worth what it answers, and holds up neither the others nor a push. */
static void answers_of_all_kinds(void **state)
{
    (void)state;
    struct witness *good = add_witness(COSIGNS);
    struct witness *behind = add_witness(HAS_ANOTHER_SIZE);
    struct witness *wrong = add_witness(SIGNS_WRONG);
    add_witness(IS_BROKEN);
    add_witness(KNOWS_MORE);
    add_witness(DISAGREES);
    begin();
    assert_int_equal(test_serve_push(&serve, &serve.http, 1, 5), 200);
    wait_for("sequencer_witness_cosignatures_total", 2);
    wait_for("sequencer_witness_alarms_total", 2);
    wait_for("sequencer_witness_failures_total", 4);
    wait_for("sequencer_cosignatures_total", 2);
    const char *note = checkpoint();
    assert_non_null(strstr(note, good->name));
    assert_non_null(strstr(note, behind->name));
    assert_null(strstr(note, wrong->name));
    /* It was asked from the size that it has on, with the proof. */
    assert_int_equal(atomic_load(&behind->gone_on), 1);
    /* Words alone freeze nothing. */
    assert_false(is_frozen());
    assert_int_equal(test_serve_push(&serve, &serve.http, 10, 1), 200);
    end_asking();
    assert_int_equal(alerts("witness"), 2);
    assert_int_equal(alerts("log_frozen"), 0);
    for (size_t i = 0; i < witness_count; i++)
        assert_true(witnesses[i].is_at_its_path);
    assert_true(log_says("its answer has no good line of its key"));
    assert_true(log_says("HTTP 500"));
    assert_true(log_says("has cosigned a head of ours of 1000000 entries"));
    /* Where a witness is found may be a secret that lets one in. */
    assert_false(log_says(SECRET));
}

/* What our own key signed, and our log does not have, is believed. */
static void a_head_that_is_shown(void **state)
{
    (void)state;
    add_witness(SHOWS_MORE);
    begin();
    assert_int_equal(test_serve_push(&serve, &serve.http, 1, 2), 200);
    wait_for("sequencer_witness_alarms_total", 1);
    const struct timespec pause = {0, 10 * 1000000};
    for (int i = 0; i < 3000 && !is_frozen(); i++)
        nanosleep(&pause, NULL);
    assert_true(is_frozen());
    assert_int_equal(test_serve_push(&serve, &serve.http, 10, 1), 503);
    assert_string_equal(test_http_text(&serve.http, "/error/code"),
                        "LOG_FROZEN");
    end_asking();
    assert_int_equal(alerts("log_frozen"), 1);
}

static void expect_refused(const char *policy, const char *words)
{
    struct ves_serve_options options = serve.options;
    struct ves_error error = {.status = VES_OK};
    struct ves_server *server;

    FILE *file = fopen(policy_path, "w");
    assert_non_null(file);
    assert_true(fputs(policy, file) >= 0);
    assert_int_equal(fclose(file), 0);
    options.witness_policy = policy_path;
    assert_int_not_equal(ves_server_start(&options, &server, &error), VES_OK);
    if (!strstr(error.text, words))
        fail_msg("\"%s\" is not in: %s", words, error.text);
}

/* A policy with which nobody can be asked is a mistake of who starts it. */
static void policies_that_ask_nobody(void **state)
{
    (void)state;
    struct ves_note_key key;
    struct test_signer signer;
    struct ves_buf vkey;
    char text[1024];

    snprintf(policy_path, sizeof(policy_path), "%s/policy", serve.folder);
    test_serve_stop(&serve);
    test_signer_init(&signer, 0x71);
    ves_note_key_init(&key, ves_bytes_str("w.example"), VES_NOTE_COSIGNATURE,
                      &signer.signer.public_key);
    ves_buf_init(&vkey, ves_alloc_default(), 1024);
    ves_note_key_write(&vkey, &key);
    ves_buf_put_u8(&vkey, 0);
    expect_refused("quorum none\n", "no witness has a URL");
    expect_refused("nonsense\n", policy_path);
    snprintf(text, sizeof(text), "witness w %s\nquorum w\n",
             (const char *)vkey.ptr);
    expect_refused(text, "no witness has a URL");
    snprintf(text, sizeof(text), "witness w %s http://h/?token=1\nquorum w\n",
             (const char *)vkey.ptr);
    expect_refused(text, "not one that paths can be added to");
    snprintf(text, sizeof(text), "witness w %s ftp://h/\nquorum w\n",
             (const char *)vkey.ptr);
    expect_refused(text, "the witness w: ");
    ves_buf_free(&vkey);
    serve.options.witness_policy = NULL;
    test_serve_start(&serve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(answers_of_all_kinds),
        T(a_head_that_is_shown),
        T(policies_that_ask_nobody),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
