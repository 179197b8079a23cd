/* test_part.c -- filtered pages: what is true is taken and proven, and every
 * lie is refused with nothing taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/part.h"
#include "core/receipt.h"
#include "test/lib/test_bundle.h"
#include "test/lib/test_page.h"

enum { EVENTS = 60, SIZE = 53 };

static struct test_bundle shop;
static struct ves_sequencer_key key;
static struct ves_part part;
static struct ves_error error;

static int begin(void **state)
{
    (void)state;
    test_bundle_open(&shop, EVENTS);
    key.version = 1;
    key.public_key = shop.log.log_key.key;
    ves_part_init(&part, ves_alloc_default(), &shop.log.stream,
                  ves_bytes_str("customer"), ves_bytes(NULL, 0), &key, 1);
    error.status = VES_OK;
    error.text[0] = '\0';
    return 0;
}

static int end(void **state)
{
    (void)state;
    ves_part_free(&part);
    test_bundle_close(&shop);
    return 0;
}

/* What the sequencer has of the type in [from, to). */
static struct test_page customers(uint64_t from, uint64_t to)
{
    return test_page(&shop, "customer", "", from, to, SIZE);
}

static enum ves_status take(struct test_page *page, bool *more)
{
    struct ves_buf text;

    test_log_buf(&text);
    test_page_write(page, &text);
    enum ves_status status =
        ves_part_take(&part, ves_buf_view(&text), more, &error);
    ves_buf_free(&text);
    return status;
}

static void expect_taken(uint64_t from, uint64_t to)
{
    struct test_page page = customers(from, to);
    bool more;

    assert_int_equal(take(&page, &more), VES_OK);
    assert_int_equal(part.edge.size, to - 1);
    assert_int_equal(more, to <= SIZE);
}

static void expect_bundle(void)
{
    struct ves_verify_report report;
    struct ves_verify_anchors anchors = {.policy =
                                             ves_bytes_str(shop.no_witness)};
    struct ves_buf directory, out;

    test_log_buf(&directory);
    test_log_buf(&out);
    test_bundle_directory(&shop, &directory, 0);
    assert_int_equal(ves_part_bundle(&part, ves_bytes(NULL, 0),
                                     ves_buf_view(&directory), &out),
                     VES_OK);
    assert_int_equal(test_bundle_verify(&anchors, ves_buf_view(&out),
                                        ves_bytes(NULL, 0), &report),
                     VES_VERIFY_PROVEN);
    assert_int_equal(report.events, part.count);
    assert_int_equal(report.head.size, SIZE);
    ves_buf_free(&directory);
    ves_buf_free(&out);
}

/* However it is cut into pages, it is the same part and the same bundle. */
static void test_pages_of_any_size(void **state)
{
    (void)state;
    for (uint64_t step = 1; step <= SIZE; step++) {
        ves_part_free(&part);
        ves_part_init(&part, ves_alloc_default(), &shop.log.stream,
                      ves_bytes_str("customer"), ves_bytes(NULL, 0), &key, 1);
        for (uint64_t from = 1; from <= SIZE; from += step)
            expect_taken(from, from + step > SIZE ? SIZE + 1 : from + step);
        assert_int_equal(part.count, (SIZE + 2) / 3);
        assert_int_equal(part.receipts, part.count);
        for (size_t i = 0; i < part.count; i++)
            assert_int_equal(part.sequences[i], 3 * i + 1);
        expect_bundle();
    }
}

static void test_one_entity(void **state)
{
    (void)state;
    struct test_page page = test_page(&shop, "order", "A-1", 1, SIZE + 1, SIZE);
    bool more;

    part.entity_type = ves_bytes_str("order");
    part.entity_id = ves_bytes_str("A-1");
    assert_int_equal(take(&page, &more), VES_OK);
    assert_false(more);
    assert_int_equal(part.count, 7); /* 2 12 17 27 32 42 47 */
    assert_int_equal(part.sequences[6], 47);
    expect_bundle();
}

/* The log grows between two pages. */
static void test_a_growing_log(void **state)
{
    (void)state;
    struct test_page page = test_page(&shop, "customer", "", 1, 31, 40);
    bool more;

    assert_int_equal(take(&page, &more), VES_OK);
    assert_true(more);
    expect_taken(31, SIZE + 1);
    expect_bundle();
}

/* ---- lies ---------------------------------------------------------------- */

/* Refused for that reason, and nothing of it is taken. */
static void expect_refused(struct test_page *page, enum ves_status status,
                           const char *words)
{
    struct ves_tlog_edge edge = part.edge;
    size_t count = part.count, covers = part.cover_count, run = part.run.count;
    size_t len = part.lines.len;
    bool more = true;

    error.text[0] = '\0';
    enum ves_status got = take(page, &more);
    if (got != status || !strstr(error.text, words))
        print_error("%d: %s; wanted %d: %s\n", (int)got, error.text,
                    (int)status, words);
    assert_int_equal(got, status);
    assert_non_null(strstr(error.text, words));
    assert_false(more);
    assert_memory_equal(&part.edge, &edge, sizeof(edge));
    assert_int_equal(part.count, count);
    assert_int_equal(part.cover_count, covers);
    assert_int_equal(part.run.count, run);
    assert_int_equal(part.lines.len, len);
}

static void test_positions(void **state)
{
    (void)state;
    struct test_page page;
    size_t last;

    expect_taken(1, 11);
    page = customers(11, 41);
    test_page_drop(&page, 2);
    expect_refused(&page, VES_REFUSED, "another number of covers");
    page = customers(11, 41);
    last = page.count - 1;
    page.sequences[last] = page.said[last] = 43; /* behind the page */
    expect_refused(&page, VES_REFUSED, "do not ascend");
    page = customers(11, 41);
    page.said[3] = page.said[2]; /* twice the same number */
    expect_refused(&page, VES_REFUSED, "do not ascend");
    page = customers(11, 41);
    page.said[3] += 1; /* and its receipt says so, too */
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = customers(11, 41);
    page.sequences[0] = 16; /* two true events, each in the other's place */
    page.sequences[1] = 13;
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = customers(11, 41);
    page.cover[1].b[4] ^= 1;
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = customers(11, 41);
    page.cover_count--;
    expect_refused(&page, VES_REFUSED, "another number of covers");
    page = customers(11, 41);
    page.cover[page.cover_count++] = page.cover[0];
    expect_refused(&page, VES_REFUSED, "another number of covers");
    page = customers(11, 41);
    page.next = 42; /* a page that claims one more than it covers */
    expect_refused(&page, VES_REFUSED, "another number of covers");
    page = customers(11, 41);
    page.next = 10;
    expect_refused(&page, VES_REFUSED, "lies before the page");
    page = customers(10, 41); /* overlaps what was taken */
    expect_refused(&page, VES_REFUSED, "do not ascend");
    page = customers(11, 11);
    expect_refused(&page, VES_AGAIN, "gives nothing after 10");
    expect_taken(11, SIZE + 1);
    expect_bundle();
}

static void test_heads(void **state)
{
    (void)state;
    struct test_page page;
    struct ves_hash root;

    expect_taken(1, 11);
    page = customers(11, 41);
    root = test_log_root(&shop.log, SIZE);
    root.b[0] ^= 1;
    page.root = &root;
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = customers(11, 41);
    page.path.hash[0].b[0] ^= 1;
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = customers(11, 41);
    page.path.count--;
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = customers(11, 41);
    page.path.hash[page.path.count] = page.path.hash[0];
    page.path.count++;
    expect_refused(&page, VES_REFUSED, "do not add up to the root");
    page = test_page(&shop, "customer", "", 11, 41, SIZE);
    page.size = 30;
    expect_refused(&page, VES_REFUSED, "older than that of a page before");
    page = customers(11, 41);
    page.has_bad_note = true;
    expect_refused(&page, VES_REFUSED, "does not verify");
    page = customers(11, 41);
    page.origin =
        "shop.example/ves/"
        "0000000000000000000000000000000000000000000000000000000000000"
        "000";
    expect_refused(&page, VES_REFUSED, "another stream's log");
    page = customers(11, 41);
    page.has_null_note = true;
    expect_refused(&page, VES_AGAIN, "no head of the log is signed yet");
    key.public_key.b[0] ^= 1;
    page = customers(11, 41);
    expect_refused(&page, VES_NOT_FOUND, "not signed by a key");
    key.public_key.b[0] ^= 1;
    page = test_page(&shop, "customer", "", 11, EVENTS + 1, EVENTS);
    page.size = SIZE; /* goes on where nothing is signed */
    expect_refused(&page, VES_REFUSED, "beyond its signed checkpoint");
    expect_taken(11, SIZE + 1);
}

static void test_events(void **state)
{
    (void)state;
    struct test_page page;

    page = customers(1, 21);
    page.replace[0] = "number 1\"";
    page.replace[1] = "number 9\"";
    expect_refused(&page, VES_REFUSED, "payload");
    page = customers(1, 21);
    page.type = "order"; /* true, and not what was asked for */
    test_page_fill(&page);
    expect_refused(&page, VES_REFUSED, "something else than was asked for");
    page = customers(1, 21);
    page.has_bad_receipt = true;
    expect_refused(&page, VES_REFUSED, "of a receipt does not verify");
    page = customers(1, 21);
    page.receipt_version = 2;
    expect_refused(&page, VES_NOT_FOUND, "sequencer key 2");
    page = customers(1, 21);
    page.replace[0] = "\"receiptHash\":\"";
    page.replace[1] = "\"receiptHash\":\"00";
    expect_refused(&page, VES_REFUSED, "not one for its event");
    page = customers(1, 21);
    page.replace[0] = "\"store_id\":\"";
    page.replace[1] = "\"store_id\":\"x";
    expect_refused(&page, VES_REFUSED, "store_id");
    page = customers(1, 21);
    page.has_no_receipts = true; /* the tree is enough */
    bool more;
    assert_int_equal(take(&page, &more), VES_OK);
    assert_int_equal(part.receipts, 0);
}

static void test_form(void **state)
{
    (void)state;
    static const struct {
        const char *old, *new, *words;
        enum ves_status status;
    } bad[] = {
        {"\"covers\":[", "\"kovers\":[", "has no covers", VES_UNSUPPORTED},
        {"\"covers\":[", "\"covers\":[1,", "not a hash", VES_REFUSED},
        {"\"covers\":[\"", "\"covers\":[\"0", "not a hash", VES_REFUSED},
        {"\"events\":[", "\"events\":{},\"x\":[", "no list of events",
         VES_REFUSED},
        {"\"events\":[", "\"events\":[7,", "an item is no object", VES_REFUSED},
        {"\"next_sequence\":", "\"next\":", "next_sequence is missing",
         VES_REFUSED},
        {"\"next_sequence\":", "\"next_sequence\":-", "next_sequence",
         VES_REFUSED},
        {"\"consistency\":[", "\"consistency\":[null,", "not of its form",
         VES_REFUSED},
        {"\"consistency\":[", "\"consistent\":[", "not of its form",
         VES_REFUSED},
        {"\"checkpoint\":\"", "\"checkpoint\":7,\"x\":\"", "not of its form",
         VES_REFUSED},
        {"\"checkpoint\":\"", "\"checkpoint\":\"\\n", "checkpoint",
         VES_REFUSED},
        {"{\"events\"", "[{\"events\"", "not a page of events", VES_MALFORMED},
        {"{\"events\"", "{\"events\":[],\"events\"", "not a page of events",
         VES_MALFORMED},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct test_page page = customers(1, 21);
        page.replace[0] = bad[i].old;
        page.replace[1] = bad[i].new;
        expect_refused(&page, bad[i].status, bad[i].words);
    }
    expect_taken(1, 21);
}

/* Every byte of a page changed: refused, or the same events are taken. */
static void test_every_byte(void **state)
{
    (void)state;
    struct test_page page = customers(1, 8);
    struct ves_buf text, lines;
    bool more;

    test_log_buf(&text);
    test_log_buf(&lines);
    test_page_write(&page, &text);
    assert_int_equal(ves_part_take(&part, ves_buf_view(&text), &more, &error),
                     VES_OK);
    ves_buf_put_bytes(&lines, ves_buf_view(&part.lines));
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        ves_part_free(&part);
        ves_part_init(&part, ves_alloc_default(), &shop.log.stream,
                      ves_bytes_str("customer"), ves_bytes(NULL, 0), &key, 1);
        text.ptr[i] ^= 1;
        enum ves_status status =
            ves_part_take(&part, ves_buf_view(&text), &more, &error);
        text.ptr[i] = byte;
        if (status)
            continue;
        /* What nobody signs: names of members nobody reads, times to show. */
        assert_int_equal(part.lines.len, lines.len);
        assert_memory_equal(part.lines.ptr, lines.ptr, lines.len);
        assert_int_equal(part.edge.size, 7);
    }
    ves_buf_free(&text);
    ves_buf_free(&lines);
}

/* A head that was known before is a beginning of this log, or is not. */
static enum ves_status extends(uint64_t size, const struct ves_hash *root,
                               const struct ves_tlog_path *path,
                               const char *name)
{
    const struct ves_checkpoint known = {ves_bytes_str(shop.origin), size,
                                         *root};
    struct ves_buf answer;

    test_log_buf(&answer);
    ves_buf_putf(&answer, "{\"%s\":[", name);
    for (uint32_t i = 0; i < path->count; i++) {
        ves_buf_put_str(&answer, i ? ",\"" : "\"");
        ves_buf_put_hex(&answer, path->hash[i].b, VES_HASH_SIZE);
        ves_buf_put_str(&answer, "\"");
    }
    ves_buf_put_str(&answer, "]}");
    enum ves_status status =
        ves_part_extends(&part, &known, ves_buf_view(&answer), &error);
    assert_true(status == VES_OK || error.status == VES_REFUSED);
    ves_buf_free(&answer);
    return status;
}

static void test_known_heads(void **state)
{
    (void)state;
    expect_taken(1, SIZE + 1);
    for (uint64_t size = 1; size <= EVENTS; size++) {
        struct ves_hash root = test_log_root(&shop.log, size);
        struct ves_tlog_path path = {.count = 0};
        if (size <= SIZE)
            assert_int_equal(ves_tlog_consistency_make(
                                 test_log_source(&shop.log), size, SIZE, &path),
                             VES_OK);
        assert_int_equal(extends(size, &root, &path, "path"),
                         size <= SIZE ? VES_OK : VES_REFUSED);
        assert_int_equal(extends(size, &root, &path, "paths"), VES_REFUSED);
        root.b[9] ^= 4;
        assert_int_equal(extends(size, &root, &path, "path"), VES_REFUSED);
        root.b[9] ^= 4;
        path.hash[path.count].b[0] = 1;
        path.count++;
        assert_int_equal(extends(size, &root, &path, "path"), VES_REFUSED);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_pages_of_any_size),
        T(test_one_entity),
        T(test_a_growing_log),
        T(test_positions),
        T(test_heads),
        T(test_events),
        T(test_form),
        T(test_every_byte),
        T(test_known_heads),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
