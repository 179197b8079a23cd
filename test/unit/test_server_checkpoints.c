/* test_server_checkpoints.c -- heads that cannot be signed or kept now. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/tlog.h"
#include "server/server.h"

static struct ves_server *server;
static struct ves_store store;
static struct ves_store_ops ops;
static enum ves_status store_says;
static bool is_reading; /* of one moment: others commit meanwhile */

/* Two streams of one event; that of tenant 2 cannot be read. */
static enum ves_status stream_get(struct ves_store *s,
                                  const struct ves_stream *stream, bool create,
                                  struct ves_stream_row *row)
{
    (void)s;
    (void)create;
    assert_true(is_reading);
    *row =
        (struct ves_stream_row){.stream_no = 1, .stream = *stream, .head = 1};
    return stream->tenant.b[0] == 2 ? VES_IO : VES_OK;
}

static enum ves_status tlog_get(struct ves_store *s, uint32_t stream_no,
                                struct ves_arena *arena,
                                struct ves_tlog_row *row)
{
    static uint8_t bytes[64];
    const struct ves_tlog_edge edge = {.size = 1, .count = 1};
    struct ves_buf buf;

    (void)s;
    (void)stream_no;
    (void)arena;
    assert_true(is_reading);
    ves_buf_init(&buf, ves_alloc_default(), sizeof(bytes));
    ves_tlog_edge_write(&buf, &edge);
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    memcpy(bytes, buf.ptr, buf.len);
    *row = (struct ves_tlog_row){.edge = ves_bytes(bytes, buf.len),
                                 .signed_size = 1};
    ves_buf_free(&buf);
    return VES_OK;
}

static enum ves_status tile_read(struct ves_store *s, uint32_t stream_no,
                                 uint32_t level, uint64_t index,
                                 struct ves_hash *hashes, size_t *count)
{
    (void)s;
    (void)stream_no;
    (void)level;
    (void)index;
    memset(hashes, 0, sizeof(*hashes));
    *count = 1;
    return VES_OK;
}

/* No epoch was opened. */
static enum ves_status entity_get(struct ves_store *s, uint32_t stream_no,
                                  const struct ves_entity_name *names,
                                  size_t count, struct ves_arena *arena,
                                  struct ves_entity_row *rows)
{
    (void)s;
    (void)stream_no;
    (void)arena;
    for (size_t i = 0; i < count; i++)
        rows[i] = (struct ves_entity_row){.key = names[i].key};
    return VES_OK;
}

static enum ves_status begin_read(struct ves_store *s)
{
    (void)s;
    assert_false(is_reading);
    is_reading = true;
    return VES_OK;
}

static void end_read(struct ves_store *s)
{
    (void)s;
    is_reading = false;
}

static enum ves_status begin(struct ves_store *s)
{
    (void)s;
    return store_says;
}

static enum ves_status commit(struct ves_store *s)
{
    (void)s;
    return VES_OK;
}

static enum ves_status tlog_sign(struct ves_store *s, uint32_t stream_no,
                                 uint64_t expected_size,
                                 const struct ves_head_row *head)
{
    (void)s;
    (void)stream_no;
    (void)expected_size;
    (void)head;
    return VES_OK;
}

static void sign_text(struct ves_signer *self, struct ves_bytes text,
                      struct ves_sig *sig)
{
    (void)self;
    (void)text;
    memset(sig, 0, sizeof(*sig));
}

static struct ves_signer signer = {.sign_text = sign_text};

static int set_up(void **state)
{
    struct ves_stream stream = {.tenant = {{1}}};

    (void)state;
    ops = (struct ves_store_ops){.begin = begin,
                                 .begin_read = begin_read,
                                 .end_read = end_read,
                                 .commit = commit,
                                 .entity_get = entity_get,
                                 .stream_get = stream_get,
                                 .tlog_get = tlog_get,
                                 .tlog_sign = tlog_sign,
                                 .tile_read = tile_read};
    store = (struct ves_store){.ops = &ops};
    server = calloc(1, sizeof(*server));
    assert_non_null(server);
    server->alloc = ves_alloc_default();
    server->sequencer.store = &store;
    server->sequencer.signer = &signer;
    server->sequencer.log_host = ves_bytes_str("log.example");
    server->checkpoints.reader = &store;
    server->checkpoints.interval_ms = VES_CHECKPOINTS_MS;
    ves_checkpoints_note(server, &stream);
    stream.tenant.b[0] = 2;
    ves_checkpoints_note(server, &stream);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(server);
    return 0;
}

static void no_stream_is_forgotten_when_nothing_can_be_kept(void **state)
{
    const struct ves_checkpoints *checkpoints = &server->checkpoints;

    (void)state;
    store_says = VES_IO;
    ves_checkpoints_sign(server);
    assert_int_equal(checkpoints->count, 2);
    assert_int_equal(checkpoints->streams[0].tenant.b[0], 1);
    assert_int_equal(checkpoints->streams[1].tenant.b[0], 2);
    store_says = VES_OK;
    ves_checkpoints_sign(server);
    assert_int_equal(checkpoints->count, 1);
    assert_int_equal(checkpoints->streams[0].tenant.b[0], 2);
}

static void what_fails_is_not_tried_five_times_a_second(void **state)
{
    const struct ves_checkpoints *checkpoints = &server->checkpoints;

    (void)state;
    server->checkpoints.streams[1].tenant.b[0] = 3;
    ves_checkpoints_sign(server);
    assert_int_equal(checkpoints->count, 0);
    assert_int_equal(checkpoints->pause_ms, VES_CHECKPOINTS_MS);
    server->checkpoints.streams[0].tenant.b[0] = 2;
    server->checkpoints.count = 1;
    ves_checkpoints_sign(server);
    assert_int_equal(checkpoints->pause_ms, VES_CHECKPOINTS_RETRY_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
        T(no_stream_is_forgotten_when_nothing_can_be_kept),
        T(what_fails_is_not_tried_five_times_a_second),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
