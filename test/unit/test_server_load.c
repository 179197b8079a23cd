/* test_server_load.c -- the HTTP sequencer with many clients at once, stopped
 * while they push, and over TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "base/text.h"
#include "crypto/spki_openssl.h"
#include "test/lib/test_serve.h"

enum {
    CLIENTS = 50,
    EVENTS_EACH = 6,
    PUSHERS = 40,
    PUSHES_MAX = 4000, /* of one pusher; stop comes long before */
    ACKS_BEFORE_STOP = 200
};

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

/* Threads may not use cmocka: they count, the test asserts. */
struct pusher {
    pthread_t thread;
    char url[128];
    char key[128];
    uint32_t first; /* number of its first event */
    uint32_t count; /* pushes to make */
    atomic_uint *acknowledged;
    uint32_t acks;        /* of this one */
    uint64_t *sequences;  /* of acknowledged events, count of them */
    uint32_t other;       /* answers other than 200 */
    uint32_t unavailable; /* of them 503 */
};

static void *push_all(void *ctx)
{
    struct pusher *p = ctx;
    struct test_http http;
    test_http_init(&http, p->url);
    test_http_auth(&http, "x-api-key: ", p->key);
    for (uint32_t i = 0; i < p->count; i++) {
        uint32_t status = test_serve_push(&serve, &http, p->first + i, 1);
        if (status != 200) {
            p->other++;
            p->unavailable += status == 503;
            break;
        }
        p->sequences[p->acks++] = test_http_u64(&http, "/sequenceStart");
        atomic_fetch_add(p->acknowledged, 1);
    }
    test_http_free(&http);
    return NULL;
}

static void start_pusher(struct pusher *p, uint32_t first, uint32_t count,
                         atomic_uint *acknowledged)
{
    memset(p, 0, sizeof(*p));
    snprintf(p->url, sizeof(p->url), "%s", ves_server_url(serve.server));
    snprintf(p->key, sizeof(p->key), "%s", serve.admin_key);
    p->first = first;
    p->count = count;
    p->acknowledged = acknowledged;
    p->sequences = calloc(count, sizeof(*p->sequences));
    assert_non_null(p->sequences);
    assert_int_equal(pthread_create(&p->thread, NULL, push_all, p), 0);
}

/* The event with that sequence, as the log has it. */
static void expect_in_log(uint64_t sequence, uint32_t n)
{
    struct ves_uuid id = test_id(n);
    char text[VES_UUID_TEXT + 1];
    ves_uuid_format(&id, text);
    assert_int_equal(test_http_get(&serve.http,
                                   "/api/v1/ves/events?%s&from=%llu&limit=1",
                                   serve.scope, (unsigned long long)sequence),
                     200);
    assert_int_equal(
        test_http_u64(&serve.http, "/events/0/envelope/sequence_number"),
        sequence);
    assert_string_equal(
        test_http_text(&serve.http, "/events/0/envelope/event_id"), text);
}

static void test_many_clients(void **state)
{
    (void)state;
    static struct pusher pushers[CLIENTS];
    static bool seen[CLIENTS * EVENTS_EACH + 1];
    atomic_uint acknowledged = 0;
    for (uint32_t i = 0; i < CLIENTS; i++)
        start_pusher(&pushers[i], 1000 * (i + 1), EVENTS_EACH, &acknowledged);
    for (uint32_t i = 0; i < CLIENTS; i++)
        pthread_join(pushers[i].thread, NULL);
    for (uint32_t i = 0; i < CLIENTS; i++) {
        assert_int_equal(pushers[i].acks, EVENTS_EACH);
        for (uint32_t k = 0; k < EVENTS_EACH; k++) {
            uint64_t sequence = pushers[i].sequences[k];
            assert_true(sequence >= 1 && sequence <= CLIENTS * EVENTS_EACH);
            assert_false(seen[sequence]);
            seen[sequence] = true;
        }
        expect_in_log(pushers[i].sequences[0], pushers[i].first);
        free(pushers[i].sequences);
    }
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(&serve.http, "/head_sequence"),
                     CLIENTS * EVENTS_EACH);
}

static void test_stop_under_load(void **state)
{
    (void)state;
    static struct pusher pushers[PUSHERS];
    atomic_uint acknowledged = 0;
    for (uint32_t i = 0; i < PUSHERS; i++)
        start_pusher(&pushers[i], 100000 * (i + 1), PUSHES_MAX, &acknowledged);
    while (atomic_load(&acknowledged) < ACKS_BEFORE_STOP)
        sched_yield();
    test_serve_stop(&serve);
    for (uint32_t i = 0; i < PUSHERS; i++)
        pthread_join(pushers[i].thread, NULL);
    test_serve_start(&serve);
    assert_int_equal(
        test_http_get(&serve.http, "/api/v1/ves/head?%s", serve.scope), 200);
    uint64_t head = test_http_u64(&serve.http, "/head_sequence");
    uint64_t total = CLIENTS * EVENTS_EACH;
    for (uint32_t i = 0; i < PUSHERS; i++) {
        const struct pusher *p = &pushers[i];
        assert_true(p->acks < PUSHES_MAX);
        assert_int_equal(p->other, 1); /* it was told, or cut off */
        for (uint32_t k = 0; k < p->acks; k++) {
            assert_true(p->sequences[k] <= head);
            if (k % 10 == 0 || k + 1 == p->acks)
                expect_in_log(p->sequences[k], p->first + k);
        }
        total += p->acks;
        free(p->sequences);
    }
    /* Nothing was stored whose sender was not told: every answer left before
     * the end. */
    assert_int_equal(head, total);
}

static void test_stop_with_idle_clients(void **state)
{
    (void)state;
    struct test_http idle;
    test_http_init(&idle, ves_server_url(serve.server));
    assert_int_equal(test_http_get(&idle, "/health"), 200);
    /* An open connection does not hold the server up. */
    test_serve_stop(&serve);
    assert_int_equal(test_http_get(&idle, "/health"), 0);
    test_http_free(&idle);
    test_serve_start(&serve);
}

/* The disk is full, then it is not. */
static void test_full_disk(void **state)
{
    (void)state;
    struct test_http *h = &serve.http;
    struct rlimit limit, small;
    assert_int_equal(test_http_get(h, "/api/v1/ves/head?%s", serve.scope), 200);
    uint64_t head = test_http_u64(h, "/head_sequence");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    signal(SIGXFSZ, SIG_IGN);
    small = limit;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint32_t status = test_serve_push(&serve, h, 10, 100);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(status, 503);
    assert_true(test_http_has_header(h, "Retry-After: "));
    assert_string_equal(test_http_text(h, "/code"), "SERVICE_UNAVAILABLE");
    assert_int_equal(test_http_get(h, "/api/v1/ves/head?%s", serve.scope), 200);
    assert_int_equal(test_http_u64(h, "/head_sequence"), head);
    assert_int_equal(test_serve_push(&serve, h, 10, 100), 200);
    assert_int_equal(test_http_u64(h, "/eventsAccepted"), 100);
    assert_int_equal(test_http_u64(h, "/sequenceStart"), head + 1);
}

/* ---- TLS ----------------------------------------------------------------- */

static void write_pair(const char *cert_path, const char *key_path,
                       EVP_PKEY *key)
{
    X509 *cert = X509_new();
    assert_non_null(cert);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               (const unsigned char *)"localhost", -1, -1, 0);
    X509_set_issuer_name(cert, name);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    FILE *file = fopen(cert_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, cert), 1);
    assert_int_equal(fclose(file), 0);
    file = fopen(key_path, "w");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL),
                     1);
    assert_int_equal(fclose(file), 0);
    X509_free(cert);
}

/* "sha256//" and base64 of the key's hash, which libcurl compares itself. */
static void pin_of(EVP_PKEY *key, char out[128], struct ves_hash *hash)
{
    unsigned char *der = NULL;
    unsigned char text[64];
    unsigned int len = VES_HASH_SIZE;
    int size = i2d_PUBKEY(key, &der);
    assert_true(size > 0);
    assert_int_equal(
        EVP_Digest(der, (size_t)size, hash->b, &len, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    EVP_EncodeBlock(text, hash->b, VES_HASH_SIZE);
    snprintf(out, 128, "sha256//%s", (const char *)text);
}

static void test_tls(void **state)
{
    (void)state;
    char cert[128], key[128];
    struct ves_hash hash, own;
    struct ves_server *server;
    struct ves_error error;
    struct test_http http;
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    EVP_PKEY *other = EVP_EC_gen("P-256");
    assert_non_null(pair);
    snprintf(cert, sizeof(cert), "%s/cert.pem", serve.folder);
    snprintf(key, sizeof(key), "%s/key.pem", serve.folder);
    write_pair(cert, key, pair);
    test_serve_stop(&serve);
    struct ves_serve_options options = serve.options;
    options.tls_cert = cert;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_INVALID);
    options.tls_key = cert;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_INVALID);
    assert_non_null(strstr(error.text, "is not the private key"));
    options.tls_cert = key; /* no certificate */
    assert_int_equal(ves_server_start(&options, &server, &error),
                     VES_MALFORMED);
    options.tls_cert = cert;
    options.tls_key = key;
    options.listen = "0.0.0.0:0";
    assert_int_equal(ves_server_start(&options, &server, &error), VES_INVALID);
    assert_non_null(strstr(error.text, "--head-file"));
    options.head_file = cert; /* beside the database */
    assert_int_equal(ves_server_start(&options, &server, &error), VES_INVALID);
    assert_non_null(strstr(error.text, "folder of the database"));
    char elsewhere[] = "/tmp/ves-heads-XXXXXX", heads[64];
    assert_non_null(mkdtemp(elsewhere));
    snprintf(heads, sizeof(heads), "%s/heads", elsewhere);
    options.head_file = heads;
    assert_int_equal(ves_server_start(&options, &server, &error), VES_OK);
    assert_int_equal(strncmp(ves_server_url(server), "https://0.0.0.0:", 16),
                     0);
    test_http_init(&http, ves_server_url(server));
    pin_of(other, http.pin, &own);
    assert_int_equal(test_http_get(&http, "/health"), 0);
    pin_of(pair, http.pin, &own);
    assert_int_equal(test_http_get(&http, "/health"), 200);
    struct ves_bytes pem = test_read_file(cert);
    assert_int_equal(ves_tls_spki_hash(pem, &hash), VES_OK);
    assert_memory_equal(hash.b, own.b, VES_HASH_SIZE);
    assert_int_equal(ves_tls_spki_hash(ves_bytes(pem.ptr, pem.len / 2), &hash),
                     VES_MALFORMED);
    free((void *)(uintptr_t)pem.ptr);
    test_http_auth(&http, "x-api-key: ", serve.admin_key);
    assert_int_equal(test_serve_push(&serve, &http, 200, 100), 200);
    assert_int_equal(test_http_u64(&http, "/eventsAccepted"), 100);
    test_http_free(&http);
    ves_server_stop(server);
    EVP_PKEY_free(pair);
    EVP_PKEY_free(other);
    /* Forgotten once, it would not notice a restored copy. */
    assert_int_equal(ves_server_start(&serve.options, &server, &error),
                     VES_INVALID);
    assert_non_null(strstr(error.text, "--head-file"));
    serve.options.head_file = heads;
    test_serve_start(&serve);
    serve.options.head_file = NULL;
    assert_int_equal(unlink(heads), 0);
    assert_int_equal(rmdir(elsewhere), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_clients),
        cmocka_unit_test(test_stop_under_load),
        cmocka_unit_test(test_stop_with_idle_clients),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_tls),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
