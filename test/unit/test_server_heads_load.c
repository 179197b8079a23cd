/* test_server_heads_load.c -- heads are made as fast as they can be while many
 * clients push to several streams.
 *
 * Everything is asked over HTTP, as a stranger would.  The log that is expected
 * is made of what was pushed and of the numbers that were answered.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/text.h"
#include "core/checkpoint.h"
#include "core/merkle.h"
#include "core/note.h"
#include "core/tlog_tile.h"
#include "server/server.h"
#include "test/lib/test_serve.h"

enum {
    STREAMS = 3,
    PUSHERS = 6,
    PUSHES = 48, /* of one pusher */
    BATCH_MAX = 3,
    AHEAD_MAX = 6, /* pushes of one pusher, until another head was read */
    EVENTS_MAX = PUSHERS * PUSHES * BATCH_MAX,
    ID_TEXT = 2 * VES_HASH_SIZE + 1,
    HEADS_TO_SEE = 5 /* of one stream */
};

static struct test_serve serve;
static char heads_folder[64], heads_path[96];

/* The log of a stream as its pushers know it, and the heads that were read. */
struct log {
    struct ves_stream stream;
    char id[ID_TEXT];
    uint32_t number_of[EVENTS_MAX + 1]; /* by sequence number; 0: not told */
    struct ves_hash roots[EVENTS_MAX + 1];
    uint64_t size;
    struct ves_checkpoint head; /* read last; origin is unused */
    atomic_uint heads;          /* read */
    char vkey[512];
    atomic_uint pushing;      /* of its pushers */
    atomic_uint acknowledged; /* requests */
    atomic_bool is_awaited;   /* the maker of heads wants one more push */
};
static struct log logs[STREAMS];

/* ---- a maker of heads that is often overtaken ---------------------------- */

static const struct ves_store_ops *reader_ops;
static struct ves_store_ops slow_ops;

/* Every fourth time the stream grows before the maker reads on: what it reads
 * must be of one moment all the same. */
static enum ves_status slow_stream_get(struct ves_store *store,
                                       const struct ves_stream *stream,
                                       bool create, struct ves_stream_row *row)
{
    static unsigned calls; /* of one thread after the other */
    enum ves_status status = reader_ops->stream_get(store, stream, create, row);
    for (size_t i = 0; i < STREAMS && !status; i++) {
        struct log *log = &logs[i];
        if (!ves_stream_equal(&log->stream, stream) || calls++ % 4 != 0)
            continue;
        unsigned before = atomic_load(&log->acknowledged);
        atomic_store(&log->is_awaited, true);
        while (atomic_load(&log->pushing) > 0 &&
               atomic_load(&log->acknowledged) == before)
            sched_yield();
        atomic_store(&log->is_awaited, false);
    }
    return status;
}

/* The maker is not at work: nobody has pushed. */
static void slow_down(struct ves_checkpoints *checkpoints)
{
    pthread_mutex_lock(&checkpoints->lock);
    checkpoints->interval_ms = checkpoints->pause_ms = 0;
    reader_ops = checkpoints->reader->ops;
    slow_ops = *reader_ops;
    slow_ops.stream_get = slow_stream_get;
    checkpoints->reader->ops = &slow_ops;
    pthread_mutex_unlock(&checkpoints->lock);
}

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    test_serve_stop(&serve);
    snprintf(heads_folder, sizeof(heads_folder), "/tmp/ves-heads-XXXXXX");
    assert_non_null(mkdtemp(heads_folder));
    snprintf(heads_path, sizeof(heads_path), "%s/heads", heads_folder);
    serve.options.head_file = heads_path;
    test_serve_start(&serve);
    for (uint32_t i = 0; i < STREAMS; i++) {
        struct ves_hash id;
        logs[i].stream =
            (struct ves_stream){serve.stream.tenant, test_id(0xb0 + i)};
        ves_stream_id(&logs[i].stream, &id);
        ves_hex_encode(id.b, VES_HASH_SIZE, logs[i].id);
    }
    slow_down(&serve.server->checkpoints);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    (void)unlink(heads_path);
    return rmdir(heads_folder);
}

/* ---- pushing; threads may not use cmocka --------------------------------- */

struct pusher {
    pthread_t thread;
    uint32_t no;
    struct log *log;
    uint32_t other; /* answers other than 200 */
    char answer[300];
};

static struct test_event event_of(const struct log *log, uint32_t number)
{
    struct test_event event;
    test_event_init(&event, &log->stream, &serve.agent, number);
    return event;
}

/* Whoever reads heads is not left behind, however the machine shares itself
 * out. */
static void await_a_look(struct log *log, uint32_t *ahead, uint32_t *seen)
{
    if (++*ahead <= AHEAD_MAX)
        return;
    while (atomic_load(&log->heads) == *seen && !atomic_load(&log->is_awaited))
        usleep(500);
    if (atomic_load(&log->heads) == *seen)
        return;
    *seen = atomic_load(&log->heads);
    *ahead = 0;
}

static void *push_all(void *ctx)
{
    struct pusher *p = ctx;
    struct test_http http;
    uint32_t number = 100000 * (p->no + 1), ahead = 0, seen = 0;
    test_http_init(&http, ves_server_url(serve.server));
    test_http_auth(&http, "x-api-key: ", serve.admin_key);
    for (uint32_t i = 0; i < PUSHES && !p->other; i++) {
        uint32_t count = 1 + i % BATCH_MAX;
        struct test_request request;
        await_a_look(p->log, &ahead, &seen);
        test_request_begin(&request, &serve.agent);
        for (uint32_t k = 0; k < count; k++) {
            struct test_event event = event_of(p->log, number + k);
            test_request_event(&request, &event, &serve.agent_key);
        }
        uint32_t status =
            test_http_call(&http, "POST", "/api/v1/ves/events/ingest",
                           test_request_end(&request));
        test_request_free(&request);
        uint64_t first =
            status == 200 ? test_http_u64(&http, "/sequenceStart") : 0;
        if (first == 0 || first + count > EVENTS_MAX) {
            p->other++;
            snprintf(p->answer, sizeof(p->answer), "%u %.250s", status,
                     test_http_body(&http));
            break;
        }
        /* A number is given once, so no two pushers write one place. */
        for (uint32_t k = 0; k < count; k++)
            p->log->number_of[first + k] = number++;
        atomic_fetch_add(&p->log->acknowledged, 1);
    }
    test_http_free(&http);
    atomic_fetch_sub(&p->log->pushing, 1);
    return NULL;
}

/* ---- heads, as anybody reads them ---------------------------------------- */

static struct ves_bytes body_of(const struct test_http *http)
{
    return ves_bytes(http->body.ptr, http->body.len - 1);
}

/* About the log: its key, and that nothing stopped it. */
static void expect_not_frozen(struct log *log)
{
    struct test_http *http = &serve.http;
    char store[VES_UUID_TEXT + 1];
    ves_uuid_format(&log->stream.store, store);
    assert_int_equal(test_http_get(http,
                                   "/api/v1/ves/log?tenant_id=%s&store_id=%s",
                                   serve.tenant, store),
                     200);
    if (!test_http_is_null(http, "/frozen"))
        fail_msg("the stream is frozen: %s", test_http_body(http));
    snprintf(log->vkey, sizeof(log->vkey), "%s",
             test_http_text(http, "/vkeys/0"));
}

static void expect_consistent(const struct log *log,
                              const struct ves_checkpoint *head)
{
    struct test_http *http = &serve.http;
    struct ves_tlog_path path = {.count = 0};
    assert_int_equal(test_http_get(http,
                                   "/ves/%s/consistency?from=%llu&to=%llu",
                                   log->id, (unsigned long long)log->head.size,
                                   (unsigned long long)head->size),
                     200);
    for (;; path.count++) {
        char pointer[32];
        snprintf(pointer, sizeof(pointer), "/path/%u", path.count);
        if (!ves_json_pointer(http->json, ves_bytes_str(pointer)))
            break;
        assert_true(path.count < VES_TLOG_PATH_MAX);
        test_hex(test_http_text(http, pointer), path.hash[path.count].b,
                 VES_HASH_SIZE);
    }
    assert_int_equal(ves_tlog_consistency_check(&path, log->head.size,
                                                &log->head.root, head->size,
                                                &head->root),
                     VES_OK);
}

/* Its newest head continues the one that was read before. */
static void look(struct log *log)
{
    struct test_http *http = &serve.http;
    struct ves_note_key key;
    struct ves_note note;
    struct ves_checkpoint head;
    uint32_t status = test_http_get(http, "/ves/%s/checkpoint", log->id);
    if (status == 404 && log->heads == 0)
        return; /* nothing is signed, or was pushed, yet */
    assert_int_equal(status, 200);
    assert_int_equal(ves_note_read(body_of(http), &note, NULL), VES_OK);
    assert_int_equal(ves_checkpoint_read(note.text, &head, NULL), VES_OK);
    if (log->heads > 0 && head.size == log->head.size) {
        assert_memory_equal(head.root.b, log->head.root.b, VES_HASH_SIZE);
        expect_not_frozen(log); /* or its pushers would wait for ever */
        return;
    }
    if (log->heads > 0) {
        assert_int_equal(
            ves_note_key_read(ves_bytes_str(log->vkey), &key, NULL), VES_OK);
        assert_int_equal(ves_note_check(&note, &key, NULL), VES_NOTE_GOOD);
        assert_true(head.size > log->head.size);
        expect_consistent(log, &head);
    }
    log->head = head;
    log->heads++;
    expect_not_frozen(log);
}

/* ---- what the log must be ------------------------------------------------ */

static void entry_of(const struct log *log, uint64_t sequence,
                     uint8_t out[VES_LEAF_SIZE])
{
    struct test_event event = event_of(log, log->number_of[sequence]);
    struct ves_leaf leaf = {.stream = log->stream, .sequence_number = sequence};
    struct ves_buf text;
    ves_buf_init(&text, ves_alloc_default(), 65536);
    test_event_write(&text, &event, &serve.agent_key, &leaf.event_hash);
    ves_buf_free(&text);
    test_signer_sign(&serve.agent_key, &leaf.event_hash, &leaf.signature);
    ves_leaf_write(&leaf, out);
}

/* The root at every size; and the server gives out the same entries. */
static void make_roots(struct log *log)
{
    struct test_http *http = &serve.http;
    struct ves_tlog_edge edge = {.size = 0};
    struct ves_bytes bundle = {0}, entry;
    while (log->size < EVENTS_MAX && log->number_of[log->size + 1])
        log->size++;
    for (uint64_t sequence = log->size + 1; sequence <= EVENTS_MAX; sequence++)
        assert_int_equal(log->number_of[sequence], 0); /* no gap */
    for (uint64_t i = 0; i < log->size; i++) {
        uint8_t own[VES_LEAF_SIZE];
        struct ves_hash hash;
        if (i % VES_TILE_WIDTH == 0) {
            uint32_t width = ves_tile_width(0, i / VES_TILE_WIDTH, log->size);
            const struct ves_tile tile = {true, 0, i / VES_TILE_WIDTH, width};
            struct ves_buf path;
            ves_buf_init(&path, ves_alloc_default(), VES_TILE_PATH_TEXT);
            ves_tile_path_write(&path, &tile);
            assert_int_equal(test_http_get(http, "/ves/%s/%.*s", log->id,
                                           (int)path.len,
                                           (const char *)path.ptr),
                             200);
            ves_buf_free(&path);
            bundle = body_of(http);
        }
        assert_int_equal(ves_tile_entry_next(&bundle, &entry), VES_OK);
        entry_of(log, i + VES_TLOG_FIRST, own);
        assert_int_equal(entry.len, sizeof(own));
        assert_memory_equal(entry.ptr, own, sizeof(own));
        ves_tlog_leaf_hash(ves_bytes(own, sizeof(own)), &hash);
        assert_int_equal(ves_tlog_edge_add(&edge, 0, &hash), VES_OK);
        ves_tlog_edge_root(&edge, &log->roots[i + 1]);
    }
}

/* Every head that was ever signed lies in the file, or what took its place when
 * that was written anew: each is the log's, and larger than the one before. */
static void expect_file_agrees(void)
{
    struct ves_bytes text = test_read_file(heads_path);
    uint64_t sizes[STREAMS] = {0};
    assert_non_null(text.ptr);
    char *line = strchr((const char *)text.ptr, '\n') + 1;
    for (char *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char id[ID_TEXT], root[ID_TEXT];
        unsigned long long size;
        size_t i = 0;
        assert_int_equal(sscanf(line, "%64s %llu %64s", id, &size, root), 3);
        while (i < STREAMS && strcmp(logs[i].id, id) != 0)
            i++;
        assert_true(i < STREAMS && size > sizes[i] && size <= logs[i].size);
        sizes[i] = size;
        assert_true(test_is_hex(ves_bytes_str(root), logs[i].roots[size].b,
                                VES_HASH_SIZE));
    }
    for (size_t i = 0; i < STREAMS; i++)
        assert_int_equal(sizes[i], logs[i].size);
    free((void *)(uintptr_t)text.ptr);
}

/* The server signs what is unsigned before it stops; then it has nothing left
 * to do, and starts behind no head. */
static void expect_end(void)
{
    test_serve_stop(&serve);
    test_serve_start(&serve);
    for (size_t i = 0; i < STREAMS; i++) {
        struct log *log = &logs[i];
        look(log);
        make_roots(log);
        assert_int_equal(log->head.size, log->size);
        assert_memory_equal(log->head.root.b, log->roots[log->size].b,
                            VES_HASH_SIZE);
        expect_not_frozen(log);
    }
    test_serve_stop(&serve);
    expect_file_agrees();
    test_serve_start(&serve);
}

static bool is_pushed_to(void)
{
    unsigned pushing = 0;
    for (size_t i = 0; i < STREAMS; i++)
        pushing += atomic_load(&logs[i].pushing);
    return pushing > 0;
}

static void test_heads_while_many_push(void **state)
{
    static struct pusher pushers[PUSHERS];
    uint32_t events = 0;
    (void)state;
    for (uint32_t i = 0; i < PUSHERS; i++) {
        pushers[i].no = i;
        pushers[i].log = &logs[i % STREAMS];
        atomic_fetch_add(&pushers[i].log->pushing, 1);
        assert_int_equal(
            pthread_create(&pushers[i].thread, NULL, push_all, &pushers[i]), 0);
    }
    while (is_pushed_to())
        for (size_t i = 0; i < STREAMS; i++)
            look(&logs[i]);
    for (uint32_t i = 0; i < PUSHERS; i++) {
        pthread_join(pushers[i].thread, NULL);
        if (pushers[i].other)
            fail_msg("a push was answered %s", pushers[i].answer);
    }
    expect_end();
    for (size_t i = 0; i < STREAMS; i++) {
        events += (uint32_t)logs[i].size;
        print_message("# stream %zu: %llu events, %u heads read\n", i,
                      (unsigned long long)logs[i].size, logs[i].heads);
        assert_true(logs[i].heads >= HEADS_TO_SEE);
    }
    assert_int_equal(events, PUSHERS * PUSHES * 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heads_while_many_push),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
