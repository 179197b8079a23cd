/* test_server_heads.c -- the signed heads in a file of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/uuid.h"
#include "server/head_file.h"
#include "test/lib/test_util.h"

enum { BATCH = 100 };

static char folder[64], path[96];
static struct ves_uuid own = {{0xaa, 1}};
static struct ves_error error;

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof(folder), "/tmp/ves-heads-XXXXXX");
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof(path), "%s/heads", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static struct ves_log_head head(uint8_t stream, uint64_t size, uint8_t root)
{
    struct ves_log_head out = {.is_due = true};

    out.stream_id.b[0] = stream;
    out.row.size = size;
    out.row.root.b[31] = root;
    return out;
}

static enum ves_status open_file(bool can_create, struct ves_head_file *file)
{
    return ves_head_file_open(path, &own, can_create, ves_alloc_default(), 1,
                              file, &error);
}

static void write_heads(struct ves_head_file *file,
                        const struct ves_log_head *heads, size_t count)
{
    assert_int_equal(ves_head_file_write(file, heads, count, &error), VES_OK);
}

static void expect(const struct ves_head_file *file, uint8_t stream,
                   uint64_t size, uint8_t root)
{
    struct ves_hash id = {{stream}}, got;
    uint64_t got_size = 0;

    assert_int_equal(ves_head_file_get(file, &id, &got_size, &got), size != 0);
    assert_int_equal(got_size, size);
    if (size)
        assert_int_equal(got.b[31], root);
}

static void write_text(const char *text, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void test_last_head_counts(void **state)
{
    struct ves_head_file file;
    struct ves_log_head heads[3] = {head(1, 5, 50), head(2, 7, 70),
                                    head(1, 9, 90)};

    (void)state;
    assert_int_equal(open_file(false, &file), VES_NOT_FOUND);
    assert_non_null(strstr(error.text, "--new-head-file"));
    assert_int_equal(open_file(true, &file), VES_OK);
    heads[1].is_due = false;
    write_heads(&file, heads, 2);
    expect(&file, 1, 5, 50);
    expect(&file, 2, 0, 0);
    heads[1].is_due = true;
    write_heads(&file, heads + 1, 2);
    ves_head_file_close(&file);
    assert_int_equal(open_file(false, &file), VES_OK);
    expect(&file, 1, 9, 90);
    expect(&file, 2, 7, 70);
    expect(&file, 3, 0, 0);
    ves_head_file_close(&file);
}

/* It does not grow for ever, and nothing is lost when it shrinks. */
static void test_it_is_written_anew(void **state)
{
    struct ves_head_file file;
    struct stat info;

    (void)state;
    assert_int_equal(open_file(true, &file), VES_OK);
    for (uint64_t i = 1; i <= 3000; i += BATCH) {
        struct ves_log_head next[BATCH];
        for (uint64_t k = 0; k < BATCH; k++)
            next[k] = head((uint8_t)((i + k) % 3), i + k, (uint8_t)(i + k));
        write_heads(&file, next, BATCH);
    }
    assert_int_equal(stat(path, &info), 0);
    assert_true(info.st_size < 1200 * 140);
    ves_head_file_close(&file);
    assert_int_equal(open_file(false, &file), VES_OK);
    expect(&file, 0, 3000, (uint8_t)3000);
    expect(&file, 1, 2998, (uint8_t)2998);
    expect(&file, 2, 2999, (uint8_t)2999);
    ves_head_file_close(&file);
}

/* Whatever a crash left of the last line: the heads before it stand. */
static void test_torn_end(void **state)
{
    struct ves_head_file file;
    struct ves_log_head heads[2] = {head(1, 5, 50), head(1, 6, 60)};

    (void)state;
    assert_int_equal(open_file(true, &file), VES_OK);
    write_heads(&file, heads, 1);
    struct ves_bytes first = test_read_file(path);
    write_heads(&file, heads + 1, 1);
    ves_head_file_close(&file);
    struct ves_bytes both = test_read_file(path);
    for (size_t len = first.len; len < both.len; len += 13) {
        write_text((const char *)both.ptr, len);
        assert_int_equal(open_file(false, &file), VES_OK);
        expect(&file, 1, 5, 50);
        /* And it goes on in a line of its own. */
        write_heads(&file, heads + 1, 1);
        ves_head_file_close(&file);
        assert_int_equal(open_file(false, &file), VES_OK);
        expect(&file, 1, 6, 60);
        ves_head_file_close(&file);
    }
    free((void *)(uintptr_t)first.ptr);
    free((void *)(uintptr_t)both.ptr);
}

static void test_what_is_no_head_file(void **state)
{
    static const struct {
        const char *text;
        enum ves_status status;
    } bad[] = {
        {"", VES_MALFORMED},
        {"a shopping list\n", VES_MALFORMED},
        {"ves-heads 2 aa010000-0000-0000-0000-000000000000\n", VES_MALFORMED},
        {"ves-heads 1 aa01\n", VES_MALFORMED},
        {"ves-heads 1 bb010000-0000-0000-0000-000000000000\n", VES_REFUSED},
        {"ves-heads 1 aa010000-0000-0000-0000-000000000000\n12 5 13\n",
         VES_MALFORMED},
        {"ves-heads 1 aa010000-0000-0000-0000-000000000000\n\n", VES_MALFORMED},
#define FIRST "ves-heads 1 aa010000-0000-0000-0000-000000000000\n"
#define DIGITS \
    "ab00000000000000000000000000000000000000000000000000000000000000"
#define UPPER "AB00000000000000000000000000000000000000000000000000000000000000"
#define OTHER "ac00000000000000000000000000000000000000000000000000000000000000"
        /* One spelling. */
        {FIRST UPPER " 5 " DIGITS "\n", VES_MALFORMED},
        {FIRST DIGITS " 5 " UPPER "\n", VES_MALFORMED},
        {FIRST "0x" DIGITS " 5 " DIGITS "\n", VES_MALFORMED},
        {FIRST DIGITS " 05 " DIGITS "\n", VES_MALFORMED},
        {FIRST DIGITS " 5 " DIGITS " \n", VES_MALFORMED},
        {FIRST DIGITS " 5 " DIGITS "\r\n", VES_MALFORMED},
        {FIRST DIGITS " 0 " DIGITS "\n", VES_MALFORMED},
        {FIRST DIGITS " 9223372036854775808 " DIGITS "\n", VES_MALFORMED},
        /* What is signed is never taken back. */
        {FIRST DIGITS " 5 " DIGITS "\n" DIGITS " 4 " DIGITS "\n", VES_CORRUPT},
        {FIRST DIGITS " 5 " DIGITS "\n" DIGITS " 5 " OTHER "\n", VES_CORRUPT},
        {FIRST DIGITS " 5 " DIGITS "\n" DIGITS " 6 " OTHER "\n" DIGITS
                      " 5 " DIGITS "\n",
         VES_CORRUPT},
    };
    struct ves_head_file file;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        write_text(bad[i].text, strlen(bad[i].text));
        assert_int_equal(open_file(true, &file), bad[i].status);
        struct ves_bytes still = test_read_file(path);
        assert_int_equal(still.len, strlen(bad[i].text));
        free((void *)(uintptr_t)still.ptr);
    }
}

/* The same head again, after the key was rotated; another stream's is its own
 * affair. */
static void test_what_is_no_step_back(void **state)
{
    struct ves_head_file file;

    (void)state;
    write_text(FIRST DIGITS " 5 " DIGITS "\n" OTHER " 4 " DIGITS "\n" DIGITS
                            " 5 " DIGITS "\n",
               sizeof(FIRST) - 1 + 3 * (64 + 3 + 64 + 1));
    assert_int_equal(open_file(false, &file), VES_OK);
    expect(&file, 0xab, 5, 0);
    expect(&file, 0xac, 4, 0);
    ves_head_file_close(&file);
}

/* Nor does the file take a head that takes back one it has. */
static void test_no_head_is_taken_back(void **state)
{
    struct ves_log_head heads[4] = {head(1, 5, 50), head(1, 4, 40),
                                    head(1, 5, 51), head(1, 9, 90)};
    struct ves_head_file file;

    (void)state;
    heads[0].epoch = heads[1].epoch = heads[2].epoch = 1; /* the last: before */
    assert_int_equal(open_file(true, &file), VES_OK);
    write_heads(&file, heads, 1);
    for (size_t i = 1; i < 4; i++) {
        assert_int_equal(ves_head_file_write(&file, heads + i, 1, &error),
                         VES_CORRUPT);
        expect(&file, 1, 5, 50);
    }
    ves_head_file_close(&file);
    assert_int_equal(open_file(false, &file), VES_OK);
    expect(&file, 1, 5, 50);
    ves_head_file_close(&file);
}

static void test_place(void **state)
{
    char db[128], inside[160], sub[128];

    (void)state;
    snprintf(sub, sizeof(sub), "%s/data", folder);
    assert_int_equal(mkdir(sub, 0700), 0);
    snprintf(db, sizeof(db), "%s/data/hub.db", folder);
    snprintf(inside, sizeof(inside), "%s/data/heads", folder);
    assert_int_equal(ves_head_file_check_place(inside, db, &error),
                     VES_INVALID);
    assert_non_null(strstr(error.text, "folder of the database"));
    snprintf(inside, sizeof(inside), "%s/data/../data/./heads", folder);
    assert_int_equal(ves_head_file_check_place(inside, db, &error),
                     VES_INVALID);
    assert_int_equal(ves_head_file_check_place(path, db, &error), VES_OK);
    snprintf(inside, sizeof(inside), "%s/nowhere/heads", folder);
    assert_int_equal(ves_head_file_check_place(inside, db, &error),
                     VES_INVALID);
    assert_int_equal(rmdir(sub), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, begin, end)
        T(test_last_head_counts),
        T(test_it_is_written_anew),
        T(test_torn_end),
        T(test_what_is_no_head_file),
        T(test_what_is_no_step_back),
        T(test_no_head_is_taken_back),
        T(test_place),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_heads", tests, NULL, NULL);
}
