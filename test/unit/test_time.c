/* test_time.c -- RFC 3339 text to milliseconds and back. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/time.h"

static void test_known_times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t ms;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000Z", 0},
        {"1970-01-01T00:00:00-00:00", 0},
        {"1969-12-31T23:59:59.999Z", -1},
        {"2001-09-09T01:46:40Z", INT64_C(1000000000000)},
        {"2001-09-09t01:46:40z", INT64_C(1000000000000)},
        /* The examples of RFC 3339, section 5.8. */
        {"1985-04-12T23:20:50.52Z", INT64_C(482196050520)},
        {"1996-12-19T16:39:57-08:00", INT64_C(851042397000)},
        {"1990-12-31T23:59:60Z", INT64_C(662687999000)},
        {"1990-12-31T15:59:60-08:00", INT64_C(662687999000)},
        {"1937-01-01T12:00:27.87+00:20", INT64_C(-1041337172130)},
        {"2038-01-19T03:14:08Z", INT64_C(2147483648000)},
        {"2001-09-09T01:46:40.1234567890123456789Z", INT64_C(1000000000123)},
        {"2001-09-09T01:46:40.9999Z", INT64_C(1000000000999)},
        {"2001-09-09T01:46:40.05Z", INT64_C(1000000000050)},
        {"2001-09-10T01:45:40+23:59", INT64_C(1000000000000)},
        {"2001-09-08T01:47:40-23:59", INT64_C(1000000000000)},
        {"0000-01-01T00:00:00Z", INT64_C(-62167219200000)},
        {"9999-12-31T23:59:59.999Z", INT64_C(253402300799999)},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = 42;
        struct ves_bytes text = ves_bytes_str(cases[i].text);
        if (ves_time_parse(text, &ms) != VES_OK || ms != cases[i].ms)
            fail_msg("%s is %lld, not %lld", cases[i].text, (long long)ms,
                     (long long)cases[i].ms);
        assert_int_equal(ves_time_parse(text, NULL), VES_OK);
    }
}

static void test_refused_times(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "2001",
        "2001-09-09",
        "2001-09-09T01:46:40",
        "2001-09-09T01:46Z",
        "2001-09-09 01:46:40Z",
        "2001-09-09T01:46:40ZZ",
        "2001-09-09T01:46:40Z ",
        " 2001-09-09T01:46:40Z",
        "2001-00-09T01:46:40Z",
        "2001-13-09T01:46:40Z",
        "2001-09-00T01:46:40Z",
        "2001-09-31T01:46:40Z",
        "2001-02-29T01:46:40Z",
        "1900-02-29T01:46:40Z",
        "2000-02-30T01:46:40Z",
        "2001-09-09T24:00:00Z",
        "2001-09-09T01:60:00Z",
        "2001-09-09T01:46:61Z",
        "2001-09-09T01:46:40.Z",
        "2001-09-09T01:46:40,5Z",
        "2001-09-09T01:46:40.5",
        "2001-09-09T01:46:40+24:00",
        "2001-09-09T01:46:40+01:60",
        "2001-09-09T01:46:40+0100",
        "2001-09-09T01:46:40+1:00",
        "2001-09-09T01:46:40+01",
        "20010909T014640Z",
        "+2001-09-09T01:46:40Z",
        "-001-09-09T01:46:40Z",
        "12001-09-09T01:46:40Z",
        "2001-9-09T01:46:40Z",
        "2001-09-09T1:46:40Z",
        "2001-09-09T01:46:4 Z",
        "200\xD9\xA1-09-09T01:46:40Z",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int64_t ms = 42;
        if (ves_time_parse(ves_bytes_str(cases[i]), &ms) != VES_MALFORMED)
            fail_msg("accepted: %s", cases[i]);
        assert_true(ms == 42);
    }
    assert_int_equal(
        ves_time_parse(ves_bytes_str("2000-02-29T00:00:00Z"), NULL), VES_OK);
}

/* Every day of the years 0 to 9999, counted one by one. */
static void test_every_day(void **state)
{
    (void)state;
    static const int lengths[12] = {31, 28, 31, 30, 31, 30,
                                    31, 31, 30, 31, 30, 31};
    int64_t ms = INT64_C(-62167219200000);
    for (int year = 0; year <= 9999; year++) {
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        for (int month = 1; month <= 12; month++) {
            int days = lengths[month - 1] + (month == 2 && leap);
            for (int day = 1; day <= days; day++) {
                char text[VES_TIME_TEXT + 1];
                char want[VES_TIME_TEXT + 1] = "0000-00-00T00:00:00.000Z";
                want[0] = (char)('0' + year / 1000);
                want[1] = (char)('0' + year / 100 % 10);
                want[2] = (char)('0' + year / 10 % 10);
                want[3] = (char)('0' + year % 10);
                want[5] = (char)('0' + month / 10);
                want[6] = (char)('0' + month % 10);
                want[8] = (char)('0' + day / 10);
                want[9] = (char)('0' + day % 10);
                ves_time_format(ms, text);
                int64_t back;
                if (strcmp(text, want) != 0 ||
                    ves_time_parse(ves_bytes_str(want), &back) || back != ms)
                    fail_msg("%s is written as %s", want, text);
                ms += INT64_C(86400000);
            }
        }
    }
    assert_true(ms == INT64_C(253402300800000));
}

/* Random moments against the C library's calendar. */
static void test_against_libc(void **state)
{
    (void)state;
    uint64_t random = 88172645463325252u;
    for (int i = 0; i < 100000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        int64_t ms = (int64_t)(random % 315569520000000u) - 62167219200000;
        time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0));
        int rest = (int)(ms - (int64_t)seconds * 1000);
        struct tm tm;
        char want[64];
        char text[VES_TIME_TEXT + 1];
        assert_non_null(gmtime_r(&seconds, &tm));
        snprintf(want, sizeof(want), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                 tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                 tm.tm_min, tm.tm_sec, rest);
        ves_time_format(ms, text);
        assert_string_equal(text, want);
        int64_t back = 0;
        assert_int_equal(ves_time_parse(ves_bytes_str(text), &back), VES_OK);
        assert_true(back == ms);
    }
}

static void test_clamps(void **state)
{
    (void)state;
    char text[VES_TIME_TEXT + 1];
    ves_time_format(INT64_MIN, text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    ves_time_format(INT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
    ves_time_format(INT64_C(-62167219200001), text);
    assert_string_equal(text, "0000-01-01T00:00:00.000Z");
    ves_time_format(INT64_C(253402300800000), text);
    assert_string_equal(text, "9999-12-31T23:59:59.999Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_times),
        cmocka_unit_test(test_refused_times),
        cmocka_unit_test(test_every_day),
        cmocka_unit_test(test_against_libc),
        cmocka_unit_test(test_clamps),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
