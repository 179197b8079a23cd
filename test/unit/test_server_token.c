/* test_server_token.c -- JSON web tokens: what is let in, and what is not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "base/text.h"
#include "server/token.h"
#include "test/lib/test_serve.h"

#define TENANT  "00000000-0000-4000-8000-0000000000a1"
#define STORE   "00000000-0000-4000-8000-0000000000a2"
#define AGENT   "00000000-0000-4000-8000-0000000000a3"
#define NOW_S   1800000000
#define HEADER  "{\"alg\":\"HS256\",\"kid\":\"h\"}"
#define RHEADER "{\"alg\":\"RS256\",\"kid\":\"r\"}"
#define REST    "\"aud\":\"shop\",\"sub\":\"" TENANT "\",\"perms\":\"read\""
#define GOOD    "{\"exp\":1800000100," REST "}"

static const char secret[] = "0123456789abcdef0123456789abcdef";
static char folder[64], keys_path[96], public_pem[2048];
static EVP_PKEY *rsa, *other_rsa;
static struct ves_tokens *tokens;

static size_t put_b64u(char *out, const void *data, size_t len)
{
    ves_b64u_encode(data, len, out);
    return ves_b64u_len(len);
}

static size_t put_member(char *out, EVP_PKEY *key, const char *name)
{
    BIGNUM *n = NULL;
    uint8_t bytes[1024];
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &n), 1);
    int len = BN_bn2bin(n, bytes);
    BN_free(n);
    size_t size = put_b64u(out, bytes, (size_t)len);
    out[size] = 0;
    return size;
}

static void write_keys(const char *text, mode_t mode)
{
    FILE *file = fopen(keys_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(keys_path, mode), 0);
}

static enum ves_status open_keys(const char *text, mode_t mode)
{
    struct ves_error error;
    struct ves_token_rules rules = {.keys_file = keys_path, .audience = "shop"};
    write_keys(text, mode);
    enum ves_status status =
        ves_tokens_new(ves_alloc_default(), &rules, &tokens, &error);
    if (status) {
        assert_true(error.text[0] != 0);
        assert_null(strstr(error.text, secret)); /* it never says them */
        tokens = NULL;
    }
    return status;
}

static char both_keys[4096];

static int set_up(void **state)
{
    (void)state;
    char n[1024], e[32], k[64];
    assert_int_equal(ves_crypto_init(), VES_OK);
    snprintf(folder, sizeof(folder), "/tmp/ves-token-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(keys_path, sizeof(keys_path), "%s/keys", folder);
    rsa = EVP_RSA_gen(2048);
    other_rsa = EVP_RSA_gen(2048);
    assert_true(rsa && other_rsa);
    put_member(n, rsa, OSSL_PKEY_PARAM_RSA_N);
    put_member(e, rsa, OSSL_PKEY_PARAM_RSA_E);
    k[put_b64u(k, secret, strlen(secret))] = 0;
    snprintf(both_keys, sizeof(both_keys),
             "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"alg\":\"HS256\","
             "\"k\":\"%s\"},{\"kty\":\"RSA\",\"kid\":\"r\",\"alg\":\"RS256\","
             "\"n\":\"%s\",\"e\":\"%s\"}]}",
             k, n, e);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(bio && PEM_write_bio_PUBKEY(bio, rsa));
    int len = BIO_read(bio, public_pem, sizeof(public_pem) - 1);
    assert_true(len > 0);
    public_pem[len] = 0;
    BIO_free(bio);
    assert_int_equal(open_keys(both_keys, 0600), VES_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ves_tokens_free(tokens);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(other_rsa);
    (void)unlink(keys_path);
    (void)rmdir(folder);
    return 0;
}

/* ---- made by hand -------------------------------------------------------- */

static char token[8192];

static size_t begin(const char *header, const char *claims)
{
    size_t len = put_b64u(token, header, strlen(header));
    token[len++] = '.';
    len += put_b64u(token + len, claims, strlen(claims));
    token[len] = 0;
    return len;
}

static void end(size_t len, const void *sig, size_t size)
{
    token[len++] = '.';
    len += put_b64u(token + len, sig, size);
    token[len] = 0;
}

static void hmac(const char *header, const char *claims, const void *key,
                 size_t size, const EVP_MD *md)
{
    uint8_t sig[EVP_MAX_MD_SIZE];
    unsigned n;
    size_t len = begin(header, claims);
    assert_non_null(
        HMAC(md, key, (int)size, (const uint8_t *)token, len, sig, &n));
    end(len, sig, n);
}

static void sign(const char *header, const char *claims, EVP_PKEY *key)
{
    uint8_t sig[1024];
    size_t n = sizeof(sig), len = begin(header, claims);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_true(ctx &&
                EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(ctx, sig, &n, (const uint8_t *)token, len) == 1);
    EVP_MD_CTX_free(ctx);
    end(len, sig, n);
}

static enum ves_auth_result check_at(int64_t now_s, struct ves_token *out)
{
    return ves_tokens_check(tokens, ves_bytes_str(token), now_s * 1000, out);
}

static enum ves_auth_result check(void)
{
    struct ves_token out;
    return check_at(NOW_S, &out);
}

static void expect(const char *what, enum ves_auth_result wanted)
{
    if (check() != wanted)
        fail_msg("%s: %s", what, token);
}

/* ---- what is let in ------------------------------------------------------ */

static void test_good(void **state)
{
    (void)state;
    struct ves_token one, two;
    hmac(HEADER, GOOD, secret, 32, EVP_sha256());
    assert_int_equal(check_at(NOW_S, &one), VES_AUTH_OK);
    assert_int_equal(one.caller.rights, VES_RIGHT_READ);
    assert_false(one.caller.has_store || one.caller.has_agent);
    struct ves_uuid tenant, store, agent;
    assert_true(!ves_uuid_parse(ves_bytes_str(TENANT), &tenant) &&
                !ves_uuid_parse(ves_bytes_str(STORE), &store) &&
                !ves_uuid_parse(ves_bytes_str(AGENT), &agent));
    assert_true(ves_uuid_equal(&one.caller.tenant, &tenant));
    assert_int_equal(one.until_ms, (1800000100 + VES_TOKEN_LEEWAY_S) * 1000LL);
    /* Another token of the same caller is the same caller. */
    hmac(HEADER, "{\"jti\":\"2\",\"exp\":1800000200," REST "}", secret, 32,
         EVP_sha256());
    assert_int_equal(check_at(NOW_S, &two), VES_AUTH_OK);
    assert_memory_equal(&one.id, &two.id, sizeof(one.id));
    sign(RHEADER,
         "{\"exp\":1800000100,\"nbf\":1800000000,\"aud\":[\"x\",\"shop\"],"
         "\"sub\":\"" TENANT "\",\"stores\":\"" STORE "\",\"agent\":\"" AGENT
         "\",\"perms\":\"write,read,admin\"}",
         rsa);
    assert_int_equal(check_at(NOW_S, &two), VES_AUTH_OK);
    assert_int_equal(two.caller.rights,
                     VES_RIGHT_READ | VES_RIGHT_WRITE | VES_RIGHT_ADMIN);
    assert_true(two.caller.has_store && two.caller.has_agent);
    assert_true(ves_uuid_equal(&two.caller.store, &store));
    assert_true(ves_uuid_equal(&two.caller.agent, &agent));
    assert_memory_not_equal(&one.id, &two.id, sizeof(one.id));
}

static void test_times(void **state)
{
    (void)state;
    struct ves_token out;
    hmac(HEADER, "{\"nbf\":1800000000,\"exp\":1800000100," REST "}", secret, 32,
         EVP_sha256());
    assert_int_equal(check_at(NOW_S - 31, &out), VES_AUTH_BAD_JWT);
    assert_int_equal(check_at(NOW_S - 30, &out), VES_AUTH_OK);
    assert_int_equal(check_at(NOW_S + 129, &out), VES_AUTH_OK);
    assert_int_equal(check_at(NOW_S + 130, &out), VES_AUTH_EXPIRED);
    /* Numbers at the ends. */
    hmac(HEADER, "{\"exp\":9007199254740991," REST "}", secret, 32,
         EVP_sha256());
    assert_int_equal(check_at(NOW_S, &out), VES_AUTH_OK);
    hmac(HEADER, "{\"exp\":0," REST "}", secret, 32, EVP_sha256());
    assert_int_equal(check_at(NOW_S, &out), VES_AUTH_EXPIRED);
    assert_int_equal(check_at(-5, &out), VES_AUTH_OK); /* before 1970 it is */
}

/* ---- what is not --------------------------------------------------------- */

static void test_wrong_signatures(void **state)
{
    (void)state;
    /* A public key is no secret, under whatever name, with or without its NUL.
     */
    static const char *const headers[] = {
        HEADER, "{\"alg\":\"HS256\",\"kid\":\"r\"}", "{\"alg\":\"HS256\"}",
        "{\"alg\":\"RS256\",\"kid\":\"h\"}", RHEADER};
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        size_t len = strlen(public_pem);
        for (size_t more = 0; more < 2; more++) {
            hmac(headers[i], GOOD, public_pem, len + more, EVP_sha256());
            expect("signed with the public key", VES_AUTH_BAD_JWT);
        }
        sign(headers[i], GOOD, other_rsa);
        expect("signed with another RSA key", VES_AUTH_BAD_JWT);
        hmac(headers[i], GOOD, "another secret of thirty-two bytes", 32,
             EVP_sha256());
        expect("another secret", VES_AUTH_BAD_JWT);
        hmac(headers[i], GOOD, "", 0, EVP_sha256());
        expect("no secret", VES_AUTH_BAD_JWT);
    }
    /* Good signatures under the wrong name. */
    hmac("{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD, secret, 32, EVP_sha256());
    expect("the secret under the RSA key's kid", VES_AUTH_BAD_JWT);
    sign("{\"alg\":\"RS256\",\"kid\":\"h\"}", GOOD, rsa);
    expect("RSA under the secret's kid", VES_AUTH_BAD_JWT);
    sign("{\"alg\":\"HS256\",\"kid\":\"r\"}", GOOD, rsa);
    expect("RSA that says HS256", VES_AUTH_BAD_JWT);
    static const char *const others[] = {
        "{\"alg\":\"HS384\",\"kid\":\"h\"}",
        "{\"alg\":\"HS512\",\"kid\":\"h\"}",
        "{\"alg\":\"hs256\",\"kid\":\"h\"}",
        "{\"alg\":\"none\",\"kid\":\"h\"}",
        "{\"alg\":\"None\",\"kid\":\"h\"}",
        "{\"alg\":\"\",\"kid\":\"h\"}",
        "{\"alg\":null,\"kid\":\"h\"}",
        "{\"kid\":\"h\"}",
        "{\"alg\":\"HS256\",\"kid\":\"x\"}",
        "{\"alg\":\"HS256\",\"kid\":7}",
        "{\"alg\":\"HS256\"}", /* two keys: which? */
        "{\"alg\":\"HS256\",\"kid\":\"h\",\"crit\":[\"b64\"],\"b64\":false}",
        "{\"alg\":\"none\",\"alg\":\"HS256\",\"kid\":\"h\"}",
        "{\"alg\":\"HS256\",\"kid\":\"h\",\"kid\":\"r\"}",
        "[]",
        "7",
        "{}"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        hmac(others[i], GOOD, secret, 32, EVP_sha256());
        expect(others[i], VES_AUTH_BAD_JWT);
        hmac(others[i], GOOD, secret, 32, EVP_sha512());
        expect(others[i], VES_AUTH_BAD_JWT);
        begin(others[i], GOOD);
        strncat(token, ".", 1);
        expect("no signature", VES_AUTH_BAD_JWT);
    }
}

static void test_wrong_shapes(void **state)
{
    (void)state;
    static const char *const texts[] = {"",    ".",     "..",      "...", "a",
                                        "a.b", "a.b.c", "a.b.c.d", "ss_x"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snprintf(token, sizeof(token), "%s", texts[i]);
        expect("a shape", VES_AUTH_BAD_JWT);
    }
    /* Each byte of a good one matters, and so does its end. */
    hmac(HEADER, GOOD, secret, 32, EVP_sha256());
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        char was = token[i];
        token[i] = was == 'A' ? 'B' : 'A';
        /* The last digit has bits that stand for nothing. */
        if (i + 1 < len)
            expect("one byte changed", VES_AUTH_BAD_JWT);
        token[i] = was;
    }
    for (size_t i = 0; i < len; i++) {
        struct ves_token out;
        assert_int_equal(
            ves_tokens_check(tokens, ves_bytes(token, i), NOW_S * 1000LL, &out),
            VES_AUTH_BAD_JWT);
    }
    memset(token, 'a', VES_TOKEN_MAX + 1);
    token[VES_TOKEN_MAX + 1] = 0;
    expect("too long", VES_AUTH_BAD_JWT);
}

static void test_wrong_claims(void **state)
{
    (void)state;
#define EXP "\"exp\":1800000100,"
#define SUB "\"sub\":\"" TENANT "\","
#define AUD "\"aud\":\"shop\","
    static const char *const claims[] = {
        "{" AUD SUB "\"perms\":\"read\"}",                   /* no exp */
        "{\"exp\":\"1800000100\"," REST "}",                 /* no number */
        "{\"exp\":-1," REST "}",                             /* before all */
        "{\"exp\":1e30," REST "}",                           /* after all */
        "{" EXP "\"nbf\":\"0\"," REST "}",                   /**/
        "{" EXP SUB "\"perms\":\"read\"}",                   /* no aud */
        "{" EXP SUB "\"aud\":\"other\",\"perms\":\"read\"}", /**/
        "{" EXP SUB "\"aud\":\"shop2\",\"perms\":\"read\"}", /**/
        "{" EXP SUB "\"aud\":[],\"perms\":\"read\"}",        /**/
        "{" EXP SUB "\"aud\":{\"shop\":1},\"perms\":\"read\"}",
        "{" EXP AUD "\"perms\":\"read\"}", /* no tenant */
        "{" EXP AUD "\"sub\":\"\",\"perms\":\"read\"}",
        "{" EXP AUD "\"sub\":\"shop\",\"perms\":\"read\"}",
        "{" EXP AUD "\"sub\":\"00000000-0000-0000-0000-000000000000\","
        "\"perms\":\"admin\"}",                       /* the operator */
        "{" EXP AUD "\"sub\":\"" TENANT "\"}",        /* no perms */
        "{" EXP AUD SUB "\"perms\":\"\"}",            /**/
        "{" EXP AUD SUB "\"perms\":\"read,\"}",       /**/
        "{" EXP AUD SUB "\"perms\":\"read, write\"}", /**/
        "{" EXP AUD SUB "\"perms\":\"everything\"}",  /**/
        "{" EXP AUD SUB "\"perms\":[\"read\"]}",      /**/
        "{" EXP REST ",\"stores\":\"" STORE "," STORE "\"}",
        "{" EXP REST ",\"stores\":[\"" STORE "\"]}",
        "{" EXP REST ",\"stores\":\"all\"}",
        "{" EXP REST ",\"stores\":null}",
        "{" EXP REST ",\"agent\":\"till\"}",
        "{" EXP REST ",\"agent\":0}",
        "{" EXP REST "," REST "}", /* twice */
        "[" GOOD "]",
        "",
        "{"};
    for (size_t i = 0; i < sizeof(claims) / sizeof(claims[0]); i++) {
        hmac(HEADER, claims[i], secret, 32, EVP_sha256());
        expect(claims[i], VES_AUTH_BAD_JWT);
    }
}

static void test_issuer(void **state)
{
    (void)state;
    struct ves_token_rules rules = {
        .keys_file = keys_path, .audience = "shop", .issuer = "https://idp"};
    struct ves_tokens *strict, *usual = tokens;
    struct ves_error error;
    assert_int_equal(
        ves_tokens_new(ves_alloc_default(), &rules, &strict, &error), VES_OK);
    tokens = strict;
    hmac(HEADER, GOOD, secret, 32, EVP_sha256());
    expect("no issuer", VES_AUTH_BAD_JWT);
    hmac(HEADER, "{\"iss\":\"https://idp2\"," EXP REST "}", secret, 32,
         EVP_sha256());
    expect("another issuer", VES_AUTH_BAD_JWT);
    hmac(HEADER, "{\"iss\":\"https://idp\"," EXP REST "}", secret, 32,
         EVP_sha256());
    expect("that issuer", VES_AUTH_OK);
    tokens = usual;
    ves_tokens_free(strict);
    rules.audience = "";
    assert_int_equal(
        ves_tokens_new(ves_alloc_default(), &rules, &strict, &error),
        VES_INVALID);
}

static void test_key_sets(void **state)
{
    (void)state;
    struct ves_tokens *usual = tokens;
    static const char short_secret[] =
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"alg\":\"HS256\",\"k\":"
        "\"MDEyMzQ1Njc4OWFiY2RlZg\"}]}";
    static const char *const wrong[] = {
        "",
        "[]",
        "{}",
        "{\"keys\":[]}",
        "{\"keys\":[7]}",
        short_secret,
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"h\",\"alg\":\"none\",\"k\":\"\"}"
        "]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"alg\":\"HS256\",\"n\":"
        "\"AQAB\","
        "\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"kid\":\"r\",\"alg\":\"RS256\",\"n\":"
        "\"AQAB\","
        "\"e\":\"AQAB\"}]}",
        "{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"RS256\",\"n\":\"AQAB\",\"e\":"
        "\"AQAB\"}]}"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_true(open_keys(wrong[i], 0600) != VES_OK);
    /* A file with a secret that others may read is not used. */
    assert_int_equal(open_keys(both_keys, 0640), VES_REFUSED);
    assert_int_equal(open_keys(both_keys, 0604), VES_REFUSED);
    assert_int_equal(open_keys(both_keys, 0600), VES_OK);
    ves_tokens_free(tokens);
    tokens = usual;
}

/* ---- over HTTP ----------------------------------------------------------- */

static void test_http(void **state)
{
    (void)state;
    struct test_serve serve;
    struct test_http http;
    char claims[512];
    test_serve_init(&serve);
    test_http_init(&http, serve.http.url);
    long until = (long)time(NULL) + 3600;
    snprintf(claims, sizeof(claims),
             "{\"exp\":%ld,\"aud\":\"shop\",\"sub\":\"%s\",\"perms\":\"read\"}",
             until, serve.tenant);
    hmac(HEADER, claims, secret, 32, EVP_sha256());
    test_http_auth(&http, "Authorization: Bearer ", token);
    assert_int_equal(test_http_get(&http, "/api/v1/ves/head?%s", serve.scope),
                     401);
    assert_string_equal(test_http_text(&http, "/code"), "invalid_jwt");
    test_serve_stop(&serve);
    serve.options.jwt_keys = keys_path;
    serve.options.jwt_audience = "shop";
    test_serve_start(&serve);
    snprintf(http.url, sizeof(http.url), "%s", serve.http.url);
    assert_int_equal(test_http_get(&http, "/api/v1/ves/head?%s", serve.scope),
                     200);
    snprintf(claims, sizeof(claims),
             "{\"exp\":%ld,\"aud\":\"shop\",\"sub\":\"%s\",\"stores\":\"%s\","
             "\"agent\":\"%s\",\"perms\":\"read,write\"}",
             until, serve.tenant, serve.store, serve.agent_text);
    sign(RHEADER, claims, rsa);
    test_http_auth(&http, "Authorization: Bearer ", token);
    assert_int_equal(test_serve_push(&serve, &http, 1, 3), 200);
    assert_int_equal(test_http_get(&http, "/api/v1/ves/head?%s", serve.scope),
                     200);
    assert_int_equal(test_http_u64(&http, "/head_sequence"), 3);
    /* What it lacks it lacks: another store, another tenant, administration. */
    assert_int_equal(test_http_get(&http,
                                   "/api/v1/ves/head?tenant_id=%s&store_id=%s",
                                   serve.tenant, serve.tenant),
                     403);
    assert_int_equal(test_http_get(&http,
                                   "/api/v1/ves/head?tenant_id=%s&store_id=%s",
                                   serve.store, serve.store),
                     403);
    assert_int_equal(test_http_get(&http, "/api/v1/api-keys"), 403);
    assert_int_equal(test_http_get(&http, "/metrics"), 403);
    /* A token that has expired says so. */
    snprintf(claims, sizeof(claims),
             "{\"exp\":%ld,\"aud\":\"shop\",\"sub\":\"%s\",\"perms\":\"read\"}",
             until - 7200, serve.tenant);
    hmac(HEADER, claims, secret, 32, EVP_sha256());
    test_http_auth(&http, "Authorization: Bearer ", token);
    assert_int_equal(test_http_get(&http, "/api/v1/ves/head?%s", serve.scope),
                     401);
    assert_string_equal(test_http_text(&http, "/code"), "token_expired");
    /* API keys are what they were. */
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    test_http_free(&http);
    test_serve_free(&serve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_wrong_signatures),
        cmocka_unit_test(test_wrong_shapes),
        cmocka_unit_test(test_wrong_claims),
        cmocka_unit_test(test_issuer),
        cmocka_unit_test(test_key_sets),
        cmocka_unit_test(test_http),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("server_token", tests, set_up,
                                       tear_down);
}
