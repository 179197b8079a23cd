/* test_server_rates.c -- who asks too often waits, and nobody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "server/server.h"
#include "test/lib/test_serve.h"

enum { S = 1000000, ASKED_MAX = 100000 };

static struct ves_rates rates;
static const uint8_t seed[VES_SIPHASH_KEY] = {11, 22};

static void begin(uint32_t credential, uint32_t tenant, uint32_t address)
{
    const uint32_t per_s[VES_RATE_KINDS] = {credential, tenant, address};
    assert_int_equal(ves_rates_init(&rates, ves_alloc_default(), per_s, seed),
                     VES_OK);
}

static void end(void)
{
    ves_rates_deinit(&rates, ves_alloc_default());
}

static struct ves_bytes key(uint32_t n)
{
    static uint8_t bytes[VES_RATE_KEY_MAX];
    memcpy(bytes, &n, sizeof(n));
    return ves_bytes(bytes, sizeof(bytes));
}

static struct ves_rate_state take(enum ves_rate_kind kind, uint32_t n,
                                  uint64_t now_us)
{
    struct ves_rate_state state;
    ves_rates_take(&rates, kind, key(n), now_us, &state);
    return state;
}

static void test_bucket(void **state)
{
    (void)state;
    begin(5, 0, 0);
    struct ves_rate_state s;
    for (uint32_t i = 0; i < 50; i++) {
        s = take(VES_RATE_CREDENTIAL, 1, 100 * S);
        assert_true(s.is_limited && !s.is_over);
        assert_int_equal(s.left, 49 - i);
    }
    assert_int_equal(s.full_s, 10);
    for (int i = 0; i < 3; i++) { /* asking costs those over it nothing */
        s = take(VES_RATE_CREDENTIAL, 1, 100 * S);
        assert_true(s.is_over);
        assert_int_equal(s.left, 0);
        assert_int_equal(s.wait_s, 1);
    }
    /* Others are not in it, of another key, kind or no limit. */
    assert_false(take(VES_RATE_CREDENTIAL, 2, 100 * S).is_over);
    assert_false(take(VES_RATE_TENANT, 1, 100 * S).is_limited);
    /* A fifth of a second brings one, and no more. */
    assert_true(take(VES_RATE_CREDENTIAL, 1, 100 * S + 199999).is_over);
    assert_true(ves_rates_is_over(&rates, VES_RATE_CREDENTIAL, key(1),
                                  100 * S + 199999));
    assert_false(take(VES_RATE_CREDENTIAL, 1, 100 * S + 200000).is_over);
    assert_true(take(VES_RATE_CREDENTIAL, 1, 100 * S + 200000).is_over);
    /* It is never fuller than full. */
    assert_int_equal(take(VES_RATE_CREDENTIAL, 1, 5000000ULL * S).left, 49);
    ves_rates_give(&rates, VES_RATE_CREDENTIAL, key(1));
    assert_int_equal(take(VES_RATE_CREDENTIAL, 1, 5000000ULL * S).left, 49);
    end();
}

/* Three processes let pass what one would, and a limit is never none. */
static void test_parts(void **state)
{
    (void)state;
    uint32_t passed = 0;
    begin(6, 1, 0);
    atomic_store(&rates.parts, 3);
    struct ves_rate_state s = take(VES_RATE_CREDENTIAL, 1, 100 * S);
    assert_int_equal(s.most, 20);
    assert_int_equal(s.left, 19);
    for (uint64_t ms = 0; ms < 100000; ms += 10)
        passed += !take(VES_RATE_CREDENTIAL, 1, 100 * S + ms * 1000).is_over;
    assert_in_range(passed, 19 + 2 * 99, 19 + 2 * 100);
    /* One of them goes: the next second is worth more. */
    atomic_store(&rates.parts, 1);
    passed = 0;
    for (uint64_t ms = 0; ms < 10000; ms += 10)
        passed += !take(VES_RATE_CREDENTIAL, 1, 200 * S + ms * 1000).is_over;
    assert_in_range(passed, 6 * 9, 60 + 6 * 10);
    atomic_store(&rates.parts, 1000);
    assert_false(take(VES_RATE_TENANT, 9, 100 * S).is_over);
    s = take(VES_RATE_TENANT, 9, 100 * S);
    assert_true(s.is_over);
    assert_int_equal(s.most, 1);
    assert_int_equal(s.wait_s, 1000);
    assert_false(take(VES_RATE_TENANT, 9, 1100 * S).is_over);
    end();
}

/* Over any second but the first ten's worth, no more than the limit pass. */
static void test_long_run(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 3, 7, 500, 999999};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
        uint64_t passed = 0, step = S / limits[i] / 3 + 1, now = S, last = 0;
        begin(limits[i], 0, 0);
        for (; passed < 30 * (uint64_t)limits[i] && passed < 20000;
             now += step) {
            if (!take(VES_RATE_CREDENTIAL, 1, now).is_over) {
                passed++;
                last = now;
            }
        }
        uint64_t allowed = 10 * (uint64_t)limits[i] +
                           (last - S) * limits[i] / S + 2 +
                           (last - S) / S; /* of rounding */
        assert_true(passed <= allowed);
        end();
    }
}

/* However many there are, memory is what it was, and whoever floods stays
 * where he is. */
static void test_many(void **state)
{
    (void)state;
    begin(1, 0, 0);
    while (!take(VES_RATE_CREDENTIAL, 7, S).is_over)
        ;
    for (uint32_t n = 100; n < 100 + 4 * VES_RATE_SETS * VES_RATE_WAYS; n++)
        assert_false(take(VES_RATE_CREDENTIAL, n, S).is_over);
    assert_true(take(VES_RATE_CREDENTIAL, 7, S).is_over);
    end();
}

/* ---- over HTTP ----------------------------------------------------------- */

static struct test_serve serve;

static int set_up(void **state)
{
    (void)state;
    test_serve_init(&serve);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_serve_free(&serve);
    return 0;
}

static void restart(uint32_t credential, uint32_t tenant, uint32_t address)
{
    test_serve_stop(&serve);
    serve.options.rate_limit = credential;
    serve.options.tenant_rate_limit = tenant;
    serve.options.address_rate_limit = address;
    test_serve_start(&serve);
}

static void expect_limited(struct test_http *http, const char *which)
{
    assert_true(test_http_has_header(http, "Retry-After: 1"));
    assert_true(test_http_has_header(http, "RateLimit: \""));
    assert_true(test_http_has_header(http, "RateLimit-Policy: \""));
    assert_string_equal(test_http_text(http, "/code"), "RATE_LIMIT_EXCEEDED");
    assert_int_equal(test_http_u64(http, "/error/numeric_code"), 2001);
    if (!strstr(test_http_text(http, "/message"), which))
        fail_msg("not the %s's: %s", which, test_http_body(http));
}

/* Asks until it is 429; the bucket refills in a second, so it will be. */
static void flood(struct test_http *http, uint32_t until)
{
    uint32_t status = 0;
    for (int i = 0; i < ASKED_MAX && status != 429; i++) {
        status = test_http_get(http, "/api/v1/ves/head?%s", serve.scope);
        if (status != 429)
            assert_int_equal(status, until);
    }
    assert_int_equal(status, 429);
}

static void test_http_limits(void **state)
{
    (void)state;
    char first[64], second[64];
    struct test_http one, other, nobody;
    test_serve_key(&serve, "\"rights\":[\"read\"]", first);
    test_serve_key(&serve, "\"rights\":[\"read\"]", second);
    /* On loopback nobody is limited who did not ask for it. */
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    assert_false(test_http_has_header(&serve.http, "RateLimit"));
    restart(1, 0, 1);
    test_http_init(&one, serve.http.url);
    test_http_auth(&one, "x-api-key: ", first);
    test_http_init(&other, serve.http.url);
    test_http_auth(&other, "x-api-key: ", second);
    test_http_init(&nobody, serve.http.url);
    test_http_auth(&nobody, "x-api-key: ", "ss_guessed");
    assert_int_equal(test_http_get(&one, "/api/v1/ves/head?%s", serve.scope),
                     200);
    assert_true(test_http_has_header(
        &one, "RateLimit-Policy: \"credential\";q=10;w=10\r"));
    assert_true(
        test_http_has_header(&one, "RateLimit: \"credential\";r=9;t=1\r"));
    /* As the open sequencer has it, and an older draft. */
    assert_true(test_http_has_header(&one, "RateLimit-Limit: 10\r"));
    assert_true(test_http_has_header(&one, "RateLimit-Remaining: 9\r"));
    assert_true(test_http_has_header(&one, "RateLimit-Reset: 1\r"));
    flood(&one, 200);
    expect_limited(&one, "credential");
    flood(&nobody, 401);
    expect_limited(&nobody, "address");
    /* Neither keeps the other key of that address out, nor health. */
    assert_int_equal(test_http_get(&other, "/api/v1/ves/head?%s", serve.scope),
                     200);
    assert_int_equal(test_http_get(&nobody, "/health"), 200);
    assert_int_equal(test_http_get(&nobody, "/ready"), 200);
    assert_false(test_http_has_header(&nobody, "RateLimit"));
    test_http_free(&one);
    test_http_free(&other);
    test_http_free(&nobody);
    /* All keys of a tenant together. */
    restart(VES_SERVE_NO_LIMIT, 1, 0);
    test_http_init(&one, serve.http.url);
    test_http_auth(&one, "x-api-key: ", first);
    test_http_init(&other, serve.http.url);
    test_http_auth(&other, "x-api-key: ", second);
    flood(&one, 200);
    expect_limited(&one, "tenant");
    flood(&other, 200);
    expect_limited(&other, "tenant");
    /* The operator is of no tenant. */
    assert_int_equal(test_http_get(&serve.http, "/metrics"), 200);
    assert_non_null(strstr(test_http_body(&serve.http),
                           "\nsequencer_ratelimit_refused_total "));
    test_http_free(&one);
    test_http_free(&other);
    restart(VES_SERVE_RATE_MAX, VES_SERVE_RATE_MAX, VES_SERVE_RATE_MAX);
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    assert_true(test_http_has_header(
        &serve.http, "RateLimit-Policy: \"credential\";q=10000000;w=10, "
                     "\"tenant\";q=10000000;w=10\r"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bucket),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_long_run),
        cmocka_unit_test(test_many),
        cmocka_unit_test_setup_teardown(test_http_limits, set_up, tear_down),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_rates", tests, NULL, NULL);
}
