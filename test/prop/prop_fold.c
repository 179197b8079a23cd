/* prop_fold.c -- laws of the fold, over random events.
 *
 * Stock deltas commute and sum exactly (semantics.md 3.4), checked against
 * schoolbook arithmetic on digit strings; a patch equals RFC 7396 written down
 * recursively; the state is canonical after every event.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "core/quantity.h"
#include "test/lib/test_folder.h"
#include "json/jcs.h"
#include "json/json.h"

static struct test_folder folder;
static uint64_t seed;
static uint64_t random_state;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = (random_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static unsigned below(unsigned n)
{
    return (unsigned)(next_random() % n);
}

static int set_up(void **state)
{
    (void)state;
    const char *text = getenv("VES_SEED");
    seed = text ? strtoull(text, NULL, 0) : 1;
    print_message("# seed %llu (VES_SEED to change it)\n",
                  (unsigned long long)seed);
    test_folder_init(&folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_folder_free(&folder);
    return 0;
}

/* ---- schoolbook arithmetic ---------------------------------------------- */

enum { DIGITS = 40, POINT = 20 };

/* Ten's complement: digit i counts 10^(i - POINT). */
struct big {
    uint8_t digit[DIGITS];
};

static struct big big_add(struct big a, struct big b)
{
    unsigned carry = 0;
    for (size_t i = 0; i < DIGITS; i++) {
        unsigned sum = a.digit[i] + b.digit[i] + carry;
        a.digit[i] = (uint8_t)(sum % 10);
        carry = sum / 10;
    }
    return a;
}

static struct big big_negate(struct big a)
{
    struct big one = {{1}};
    for (size_t i = 0; i < DIGITS; i++)
        a.digit[i] = (uint8_t)(9 - a.digit[i]);
    return big_add(a, one);
}

static struct big big_read(const char *text)
{
    struct big out = {{0}};
    const char *start = text + (*text == '-');
    size_t before = strcspn(start, ".");
    for (size_t i = 0; i < before; i++)
        out.digit[POINT + before - 1 - i] = (uint8_t)(start[i] - '0');
    if (start[before])
        for (size_t i = 0; start[before + 1 + i]; i++)
            out.digit[POINT - 1 - i] = (uint8_t)(start[before + 1 + i] - '0');
    return *text == '-' ? big_negate(out) : out;
}

static void big_write(struct big a, char *out)
{
    bool is_negative = a.digit[DIGITS - 1] >= 5;
    if (is_negative)
        a = big_negate(a);
    size_t high = DIGITS - 1, low = 0;
    while (high > POINT && a.digit[high] == 0)
        high--;
    while (low < POINT && a.digit[low] == 0)
        low++;
    if (is_negative)
        *out++ = '-';
    for (size_t i = high + 1; i-- > low;) {
        *out++ = (char)('0' + a.digit[i]);
        if (i == POINT && low < POINT)
            *out++ = '.';
    }
    *out = '\0';
}

/* Up to digits before and decimals after the point. */
static void random_decimal(char *out, unsigned digits, unsigned decimals)
{
    if (below(2))
        *out++ = '-';
    unsigned n = 1 + below(digits);
    for (unsigned i = 0; i < n; i++)
        *out++ = (char)('0' + (i == 0 && n > 1 ? 1 + below(9) : below(10)));
    n = below(decimals + 1);
    if (n)
        *out++ = '.';
    while (n-- > 0)
        *out++ = (char)('0' + below(10));
    *out = '\0';
}

static unsigned significant_digits(const char *text)
{
    unsigned count = 0, zeros = 0;
    for (; *text; text++) {
        if (*text == '0')
            zeros++;
        if (*text >= '1' && *text <= '9') {
            count += 1 + (count ? zeros : 0);
            zeros = 0;
        }
    }
    return count;
}

static void sums_equal_schoolbook_sums(void **state)
{
    (void)state;
    random_state = seed;
    for (int round = 0; round < 20000; round++) {
        char a[64], b[64], expected[64];
        struct ves_quantity x, y, sum;
        random_decimal(a, 12, 6);
        random_decimal(b, 12, 6);
        assert_int_equal(ves_quantity_parse(ves_bytes_str(a), &x), VES_OK);
        assert_int_equal(ves_quantity_parse(ves_bytes_str(b), &y), VES_OK);
        bool minus = below(2);
        struct big right = minus ? big_negate(big_read(b)) : big_read(b);
        big_write(big_add(big_read(a), right), expected);
        bool fits = minus ? ves_quantity_subtract(x, y, &sum)
                          : ves_quantity_add(x, y, &sum);
        /* 13 digits before the point: 10^12 and more. */
        assert_int_equal(fits,
                         strcspn(expected + (*expected == '-'), ".") <= 12);
        if (!fits)
            continue;
        char text[VES_QUANTITY_TEXT + 1];
        text[ves_quantity_format(sum, text)] = '\0';
        assert_string_equal(text, expected);
        assert_int_equal(ves_quantity_fits_number(sum),
                         significant_digits(expected) <= 15);
    }
}

/* ---- stock -------------------------------------------------------------- */

enum { EVENTS = 12 };

static void shuffle(unsigned order[EVENTS])
{
    for (unsigned i = EVENTS - 1; i > 0; i--) {
        unsigned k = below(i + 1);
        unsigned kept = order[i];
        order[i] = order[k];
        order[k] = kept;
    }
}

static void any_order_of_deltas_gives_the_same_state(void **state)
{
    (void)state;
    random_state = seed + 1;
    for (int round = 0; round < 300; round++) {
        char deltas[EVENTS][64];
        unsigned order[EVENTS];
        struct big sum = {{0}};
        char expected[64], first[256] = "";
        for (unsigned i = 0; i < EVENTS; i++) {
            /* Small enough that no order leaves the range. */
            random_decimal(deltas[i], round % 2 ? 10 : 3, 6);
            sum = big_add(sum, big_read(deltas[i]));
            order[i] = i;
        }
        big_write(sum, expected);
        for (int permutation = 0; permutation < 6; permutation++) {
            test_folder_reset(&folder);
            for (unsigned i = 0; i < EVENTS; i++) {
                char payload[128];
                /* A string, or the number when it carries the value. */
                bool as_number =
                    significant_digits(deltas[order[i]]) <= 15 && below(2);
                const char *quote = as_number ? "" : "\"";
                (void)snprintf(payload, sizeof(payload),
                               "{\"product_id\":\"p\",\"delta\":%s%s%s}", quote,
                               deltas[order[i]], quote);
                test_folder_apply(&folder, "inventory.adjusted", payload);
                assert_false(folder.note.is_unusable);
            }
            if (permutation == 0) {
                const char *quote =
                    significant_digits(expected) <= 15 ? "" : "\"";
                (void)snprintf(first, sizeof(first),
                               "{\"available\":%s%s%s,\"on_hand\":%s%s%s,"
                               "\"product_id\":\"p\"}",
                               quote, expected, quote, quote, expected, quote);
            }
            assert_string_equal(test_folder_state(&folder), first);
            shuffle(order);
        }
    }
}

/* Deltas among reservations: available = on_hand - reserved in every order
 * that reserves before it releases. */
static void reservations_and_deltas_commute(void **state)
{
    (void)state;
    random_state = seed + 2;
    for (int round = 0; round < 200; round++) {
        char expected[2048] = "";
        char payloads[EVENTS][128];
        unsigned order[EVENTS];
        for (unsigned i = 0; i < EVENTS; i++) {
            order[i] = i;
            (void)snprintf(payloads[i], sizeof(payloads[i]),
                           i % 2 ? "{\"delta\":\"%u.%u\"}"
                                 : "{\"quantity\":\"%u.%u\","
                                   "\"reservation_id\":\"r%u\"}",
                           below(100), below(1000), i);
        }
        for (int permutation = 0; permutation < 5; permutation++) {
            test_folder_reset(&folder);
            for (unsigned i = 0; i < EVENTS; i++)
                test_folder_apply(&folder,
                                  order[i] % 2 ? "inventory.adjusted"
                                               : "inventory.reserved",
                                  payloads[order[i]]);
            if (permutation == 0)
                (void)snprintf(expected, sizeof(expected), "%s",
                               test_folder_state(&folder));
            assert_string_equal(test_folder_state(&folder), expected);
            shuffle(order);
        }
        /* All released: as if nobody had ever reserved. */
        for (unsigned i = 0; i < EVENTS; i += 2) {
            char payload[64];
            (void)snprintf(payload, sizeof(payload),
                           "{\"reservation_id\":\"r%u\"}", i);
            test_folder_apply(&folder, "inventory.released", payload);
        }
        assert_non_null(strstr(test_folder_state(&folder),
                               "\"reservations\":{},\"reserved\":0}"));
    }
}

/* ---- patches ------------------------------------------------------------ */

/* Text and its NUL; the length without it. */
static size_t put(char *out, const char *text)
{
    size_t len = strlen(text);
    memcpy(out, text, len + 1);
    return len;
}

static size_t put_random_json(char *out, unsigned depth)
{
    static const char *const leaves[] = {"null", "1", "\"s\"",
                                         "[null,{\"a\":null}]", "true"};
    if (depth == 0 || below(3) == 0)
        return put(out, leaves[below(5)]);
    size_t len = put(out, "{");
    unsigned names = below(32); /* each bit one name, in a random direction */
    bool backwards = below(2);
    for (unsigned i = 0; i < 5; i++) {
        unsigned name = backwards ? 4 - i : i;
        if (!(names >> name & 1))
            continue;
        const char key[] = {'"', (char)('a' + name), '"', ':', '\0'};
        len += put(out + len, len > 1 ? "," : "");
        len += put(out + len, key);
        len += put_random_json(out + len, depth - 1);
    }
    return len + put(out + len, "}");
}

/* RFC 7396 section 2, as written there; appends canonical JSON. */
static void naive_patch(struct ves_buf *out, const struct ves_json *target,
                        const struct ves_json *patch)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "x"};
    bool is_first = true;
    if (patch->type != VES_JSON_OBJECT) {
        assert_int_equal(ves_jcs_write(out, &folder.arena, patch), VES_OK);
        return;
    }
    if (target && target->type != VES_JSON_OBJECT)
        target = NULL;
    ves_buf_put_str(out, "{");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const struct ves_json *old = ves_json_member(target, names[i]);
        const struct ves_json *new = ves_json_member(patch, names[i]);
        if (new ? new->type == VES_JSON_NULL : !old)
            continue;
        ves_buf_putf(out, "%s\"%s\":", is_first ? "" : ",", names[i]);
        is_first = false;
        if (new)
            naive_patch(out, old, new);
        else
            assert_int_equal(ves_jcs_write(out, &folder.arena, old), VES_OK);
    }
    ves_buf_put_str(out, "}");
}

static void patches_equal_the_rfc(void **state)
{
    static char patch[1 << 16], payload[1 << 17];
    struct ves_buf expected;
    (void)state;
    random_state = seed + 3;
    ves_buf_init(&expected, ves_alloc_default(), VES_STATE_MAX);
    for (int round = 0; round < 400; round++) {
        test_folder_reset(&folder);
        test_folder_apply(&folder, "order.updated", "{\"x\":0}");
        for (int step = 0; step < 5; step++) {
            const struct ves_json *target, *root;
            do
                put_random_json(patch, 4);
            while (patch[0] != '{');
            (void)snprintf(payload, sizeof(payload), "{\"patch\":%s}", patch);
            ves_arena_reset(&folder.arena);
            assert_int_equal(ves_json_read(&folder.arena,
                                           ves_buf_view(&folder.state), NULL,
                                           &target, NULL),
                             VES_OK);
            assert_int_equal(ves_json_read(&folder.arena, ves_bytes_str(patch),
                                           NULL, &root, NULL),
                             VES_OK);
            ves_buf_reset(&expected);
            naive_patch(&expected, target, root);
            ves_buf_put_u8(&expected, 0);
            test_folder_apply(&folder, "order.updated", payload);
            assert_false(folder.note.is_unusable);
            assert_string_equal(test_folder_state(&folder),
                                (const char *)expected.ptr);
        }
    }
    ves_buf_free(&expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_equal_schoolbook_sums),
        cmocka_unit_test(any_order_of_deltas_gives_the_same_state),
        cmocka_unit_test(reservations_and_deltas_commute),
        cmocka_unit_test(patches_equal_the_rfc),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("prop_fold", tests, set_up, tear_down);
}
