/* test_buf.c -- buffers and arenas, with memory that runs out. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/bytes.h"

/* A heap that fails after so many calls and counts what is out. */
struct heap {
    struct ves_alloc alloc;
    size_t calls_left;
    size_t blocks;
};

static void *heap_realloc(void *ctx, void *ptr, size_t size)
{
    struct heap *heap = ctx;
    if (size == 0) {
        heap->blocks -= ptr != NULL;
        free(ptr);
        return NULL;
    }
    if (heap->calls_left == 0)
        return NULL;
    heap->calls_left--;
    heap->blocks += ptr == NULL;
    return realloc(ptr, size);
}

static void heap_init(struct heap *heap, size_t calls)
{
    *heap = (struct heap){.alloc = {heap_realloc, heap}, .calls_left = calls};
}

static void test_buf_content(void **state)
{
    (void)state;
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), 4096);
    assert_int_equal(ves_buf_view(&buf).len, 0);
    ves_buf_put(&buf, "ab", 2);
    ves_buf_put(&buf, NULL, 0);
    ves_buf_put_str(&buf, "cd");
    ves_buf_put_str(&buf, NULL);
    ves_buf_put_bytes(&buf, ves_bytes_str("ef"));
    ves_buf_put_u8(&buf, 0x80);
    ves_buf_put_u32(&buf, 0x01020304);
    ves_buf_put_u64(&buf, UINT64_C(0x05060708090A0B0C));
    ves_buf_put_lstr(&buf, ves_bytes_str("xyz"));
    static const uint8_t want[] = {'a', 'b', 'c', 'd', 'e', 'f', 0x80, 1,  2,
                                   3,   4,   5,   6,   7,   8,   9,    10, 11,
                                   12,  0,   0,   0,   3,   'x', 'y',  'z'};
    assert_int_equal(ves_buf_status(&buf), VES_OK);
    assert_int_equal(buf.len, sizeof(want));
    assert_memory_equal(buf.ptr, want, sizeof(want));
    ves_buf_reset(&buf);
    ves_buf_put_decimal(&buf, 0);
    ves_buf_put_u8(&buf, ' ');
    ves_buf_put_decimal(&buf, UINT64_MAX);
    ves_buf_put_u8(&buf, ' ');
    ves_buf_put_hex(&buf, "\x00\xa9\xff", 3);
    ves_buf_put_hex(&buf, NULL, 0);
    ves_buf_put_u8(&buf, ' ');
    struct ves_uuid uuid = {{1, 2, 3}};
    ves_buf_put_uuid(&buf, &uuid);
    ves_buf_putf(&buf, " %d-%s", -5, "x");
    assert_true(ves_bytes_is(ves_buf_view(&buf),
                             "0 18446744073709551615 00a9ff "
                             "01020300-0000-0000-0000-000000000000 -5-x"));
    uint8_t *room = ves_buf_reserve(&buf, 100);
    assert_non_null(room);
    size_t len = buf.len;
    memset(room, 'r', 100);
    buf.len += 100;
    assert_int_equal(ves_buf_view(&buf).ptr[len + 99], 'r');
    ves_buf_free(&buf);
    assert_null(buf.ptr);
    ves_buf_put_str(&buf, "again");
    assert_true(ves_bytes_is(ves_buf_view(&buf), "again"));
    ves_buf_free(&buf);
}

static void test_buf_limit(void **state)
{
    (void)state;
    for (size_t max = 0; max < 200; max++) {
        struct ves_buf buf;
        ves_buf_init(&buf, ves_alloc_default(), max);
        for (size_t i = 0; i < max; i++)
            ves_buf_put_u8(&buf, (uint8_t)i);
        assert_int_equal(ves_buf_status(&buf), VES_OK);
        assert_int_equal(buf.len, max);
        assert_true(buf.cap <= max);
        ves_buf_put_u8(&buf, 1);
        assert_int_equal(ves_buf_status(&buf), VES_LIMIT);
        /* Nothing more goes in, although it would fit after a reset. */
        buf.len = 0;
        ves_buf_put(&buf, "", 0);
        ves_buf_put_u8(&buf, 2);
        ves_buf_putf(&buf, "%d", 3);
        assert_null(ves_buf_reserve(&buf, 1));
        assert_int_equal(buf.len, 0);
        ves_buf_reset(&buf);
        assert_int_equal(ves_buf_status(&buf), VES_OK);
        ves_buf_free(&buf);
    }
    struct ves_buf buf;
    ves_buf_init(&buf, ves_alloc_default(), SIZE_MAX);
    ves_buf_put_u8(&buf, 1);
    assert_null(ves_buf_reserve(&buf, SIZE_MAX));
    assert_int_equal(ves_buf_status(&buf), VES_LIMIT);
    ves_buf_reset(&buf);
    ves_buf_put_hex(&buf, "x", SIZE_MAX / 2 + 1);
    assert_int_equal(ves_buf_status(&buf), VES_LIMIT);
    ves_buf_reset(&buf);
    ves_buf_put_lstr(&buf, ves_bytes("x", (size_t)UINT32_MAX + 1));
    assert_int_equal(ves_buf_status(&buf), VES_LIMIT);
    assert_int_equal(buf.len, 0);
    ves_buf_free(&buf);
}

/* Formatted text of every length around the inner buffer's, at a maximum
 * that it exactly fits and exactly misses. */
static void test_buf_putf(void **state)
{
    (void)state;
    for (size_t len = 1; len < 600; len++) {
        char text[601];
        memset(text, 'p', len);
        text[len] = '\0';
        struct ves_buf buf;
        ves_buf_init(&buf, ves_alloc_default(), len);
        ves_buf_putf(&buf, "%s", text);
        assert_int_equal(ves_buf_status(&buf), VES_OK);
        assert_true(ves_bytes_is(ves_buf_view(&buf), text));
        ves_buf_free(&buf);
        ves_buf_init(&buf, ves_alloc_default(), len - 1);
        ves_buf_putf(&buf, "%s", text);
        assert_int_equal(ves_buf_status(&buf), VES_LIMIT);
        assert_int_equal(buf.len, 0);
        ves_buf_free(&buf);
    }
}

static void test_buf_nomem(void **state)
{
    (void)state;
    for (size_t calls = 0; calls < 20; calls++) {
        struct heap heap;
        struct ves_buf buf;
        heap_init(&heap, calls);
        ves_buf_init(&buf, &heap.alloc, 100000);
        size_t put = 0;
        while (put < 5000 && !ves_buf_status(&buf)) {
            ves_buf_put_u8(&buf, (uint8_t)put);
            put++;
        }
        ves_buf_putf(&buf, "%0300d", 7);
        /* 64, 128, ... 8192 are 8 calls; putf takes one of its own. */
        assert_int_equal(ves_buf_status(&buf), calls < 9 ? VES_NOMEM : VES_OK);
        if (calls < 8)
            assert_int_equal(buf.len, put - 1);
        else
            assert_int_equal(buf.len, calls == 8 ? 5000 : 5300);
        for (size_t i = 0; i < buf.len && i < 5000; i++)
            assert_int_equal(buf.ptr[i], (uint8_t)i);
        ves_buf_free(&buf);
        assert_int_equal(heap.blocks, 0);
    }
}

static void test_arena_blocks(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static uint8_t *blocks[COUNT];
    static size_t sizes[COUNT];
    struct heap heap;
    struct ves_arena arena;
    heap_init(&heap, SIZE_MAX);
    ves_arena_init(&arena, &heap.alloc, 64u << 20);
    uint32_t random = 12345;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            random = random * 1664525 + 1013904223;
            sizes[i] = random >> 24;
            if (i % 500 == 499)
                sizes[i] = random >> 12; /* up to a megabyte */
            bool aligned = random >> 8 & 1;
            blocks[i] = aligned ? ves_arena_alloc(&arena, sizes[i])
                                : ves_arena_bytes(&arena, sizes[i]);
            assert_non_null(blocks[i]);
            if (aligned) {
                assert_int_equal((uintptr_t)blocks[i] % _Alignof(max_align_t),
                                 0);
                for (size_t k = 0; k < sizes[i]; k++)
                    assert_int_equal(blocks[i][k], 0);
            }
            memset(blocks[i], (int)(i % 251), sizes[i]);
        }
        for (size_t i = 0; i < COUNT; i++) {
            for (size_t k = 0; k < sizes[i]; k++) {
                if (blocks[i][k] != i % 251)
                    fail_msg("block %zu overlaps another", i);
            }
        }
        assert_true(heap.blocks > 1);
        ves_arena_reset(&arena);
        assert_int_equal(heap.blocks, 1);
        assert_true(arena.total >= 512 * 1024);
    }
    struct ves_bytes copy;
    assert_int_equal(ves_arena_copy(&arena, ves_bytes_str("text"), &copy),
                     VES_OK);
    assert_true(ves_bytes_is(copy, "text"));
    assert_int_equal(ves_arena_copy(&arena, ves_bytes(NULL, 0), &copy), VES_OK);
    assert_non_null(copy.ptr);
    ves_arena_free(&arena);
    assert_int_equal(heap.blocks, 0);
    assert_int_equal(arena.total, 0);
    assert_non_null(ves_arena_alloc(&arena, 0));
    assert_non_null(ves_arena_bytes(&arena, 1));
    uint8_t *list = ves_arena_list(&arena, 3, 5);
    assert_int_equal((uintptr_t)list % _Alignof(max_align_t), 0);
    assert_true(ves_arena_bytes(&arena, 1) >= list + 15);
    ves_arena_reset(&arena);
    ves_arena_free(&arena);
    ves_arena_reset(&arena);
    ves_arena_free(&arena);
    assert_int_equal(heap.blocks, 0);
}

/* Many small requests need few chunks: 16 KiB, 32, 64 ... 1 MiB. */
static void test_arena_growth(void **state)
{
    (void)state;
    struct heap heap;
    struct ves_arena arena;
    heap_init(&heap, SIZE_MAX);
    ves_arena_init(&arena, &heap.alloc, SIZE_MAX);
    assert_non_null(ves_arena_alloc(&arena, 1));
    assert_int_equal(arena.total, 16 * 1024);
    for (int i = 0; i < 40000; i++)
        assert_non_null(ves_arena_alloc(&arena, 100));
    /* 4.5 MB: 16 KiB up to 1 MiB in doubling is 2 MiB less 16 KiB. */
    assert_int_equal(heap.blocks, 7 + 3);
    size_t blocks = heap.blocks;
    /* A large request leaves the current chunk in use. */
    assert_non_null(ves_arena_bytes(&arena, 3 << 20));
    assert_non_null(ves_arena_bytes(&arena, 1));
    assert_int_equal(heap.blocks, blocks + 1);
    ves_arena_free(&arena);
    assert_int_equal(heap.blocks, 0);
}

static void test_arena_limits(void **state)
{
    (void)state;
    struct heap heap;
    struct ves_arena arena;
    heap_init(&heap, SIZE_MAX);
    for (size_t max = 0; max < 100000; max += 777) {
        ves_arena_init(&arena, &heap.alloc, max);
        size_t got = 0;
        while (ves_arena_bytes(&arena, 50))
            got += 50;
        assert_true(got <= arena.total);
        assert_true(arena.total <= max);
        assert_true(max < 1000 || got > max - max / 10);
        assert_null(ves_arena_alloc(&arena, SIZE_MAX));
        assert_null(ves_arena_bytes(&arena, SIZE_MAX - 8));
        assert_null(ves_arena_list(&arena, SIZE_MAX / 8 + 2, 8));
        struct ves_bytes out;
        static const uint8_t text[64];
        assert_int_equal(ves_arena_copy(&arena, ves_bytes(text, 64), &out),
                         VES_NOMEM);
        ves_arena_free(&arena);
    }
    assert_int_equal(heap.blocks, 0);
    for (size_t calls = 0; calls < 4; calls++) {
        heap_init(&heap, calls);
        ves_arena_init(&arena, &heap.alloc, SIZE_MAX);
        size_t got = 0;
        while (ves_arena_alloc(&arena, 8000))
            got++;
        assert_int_equal(heap.blocks, calls);
        assert_int_equal(got > 0, calls > 0);
        ves_arena_free(&arena);
        assert_int_equal(heap.blocks, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_content),
        cmocka_unit_test(test_buf_limit),
        cmocka_unit_test(test_buf_putf),
        cmocka_unit_test(test_buf_nomem),
        cmocka_unit_test(test_arena_blocks),
        cmocka_unit_test(test_arena_growth),
        cmocka_unit_test(test_arena_limits),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
