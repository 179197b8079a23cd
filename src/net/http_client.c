/* http_client.c -- one connection to a sequencer, HTTP(S) by libcurl. */
#include "net/http_client.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/limits.h"
#include "net/curl.h"

enum {
    /* Without a limit by the caller a request may take as long as bytes
     * come: a large page on a slow line is no silence. */
    SILENCE_S = 60,
    SLOW_BYTES_PER_S = 512,
    CONNECT_TIMEOUT_MS = 10000,
    ASK_MS = 100, /* how often the caller is asked whether to go on */
    /* A page of 1,000 events of 1 MiB would be larger, but no server sends
     * one; ours cuts pages by bytes. */
    REPLY_MAX = 64 * 1024 * 1024,
    URL_MAX = 2048,
    CREDENTIAL_MAX = 4096
};

#define NONCE "x-ves-nonce"

struct ves_http_client {
    const struct ves_alloc *alloc;
    CURL *curl;
    CURLM *multi; /* keeps the connection between requests */
    struct curl_slist *headers;
    char url[URL_MAX];
    struct ves_buf body;
    uint32_t retry_after_s;
    char nonce[VES_HTTP_NONCE_MAX + 1]; /* asked with; "": none */
    char told[VES_HTTP_NONCE_MAX + 1];  /* of the answer at hand */
    bool (*is_stopped)(void *ctx);
    void *is_stopped_ctx;
    ves_http_sink *sink; /* NULL: answers are collected */
    void *sink_ctx;
    const char *sink_type;
    char words[CURL_ERROR_SIZE];
};

/* Is this the answer that was hoped for? */
static bool is_for_sink(struct ves_http_client *client)
{
    const char *type = NULL;
    long status = 0;

    ves_curl.easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    ves_curl.easy_getinfo(client->curl, CURLINFO_CONTENT_TYPE, &type);
    return status == 200 && type &&
           strncasecmp(type, client->sink_type, strlen(client->sink_type)) == 0;
}

static size_t take_body(char *data, size_t size, size_t count, void *ctx)
{
    struct ves_http_client *client = ctx;

    if (client->sink && is_for_sink(client))
        return client->sink(client->sink_ctx, ves_bytes(data, size * count))
                   ? size * count
                   : 0;
    ves_buf_put(&client->body, data, size * count);
    return ves_buf_status(&client->body) ? 0 : size * count;
}

/* Where the value begins of a line that is the header NAME; 0: it is not. */
static size_t value_of(const char *data, size_t len, const char *name)
{
    size_t i = strlen(name);

    if (len <= i || strncasecmp(data, name, i) != 0)
        return 0;
    while (i < len && data[i] == ' ')
        i++;
    return i;
}

static void take_nonce(struct ves_http_client *client, const char *data,
                       size_t len)
{
    size_t i = value_of(data, len, NONCE ":"), n = 0;

    if (i == 0)
        return;
    while (n < VES_HTTP_NONCE_MAX && i < len && data[i] > ' ')
        client->told[n++] = data[i++];
    client->told[n] = '\0';
}

static size_t take_header(char *data, size_t size, size_t count, void *ctx)
{
    struct ves_http_client *client = ctx;
    size_t len = size * count;
    size_t i = value_of(data, len, "retry-after:");
    uint32_t seconds = 0;

    take_nonce(client, data, len);
    if (i == 0)
        return len;
    /* The other form, a date, would need a clock; treated as absent. */
    for (; i < len && data[i] >= '0' && data[i] <= '9'; i++)
        seconds =
            seconds > 86400 ? 86400 : seconds * 10 + (uint32_t)(data[i] - '0');
    client->retry_after_s = seconds;
    return len;
}

static bool url_is_plain(const char *url)
{
    const char *host;

    if (strncmp(url, "https://", 8) == 0)
        host = url + 8;
    else if (strncmp(url, "http://", 7) == 0)
        host = url + 7;
    else
        return false;
    if (strlen(url) > 1024 || *host == '\0')
        return false;
    return strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                        "0123456789.-:[]_") == strlen(host);
}

static void set_pin(CURL *curl, const struct ves_hash *pin)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnop"
                                 "qrstuvwxyz0123456789+/";
    char text[64] = "sha256//";
    size_t n = strlen(text);

    for (size_t i = 0; i < VES_HASH_SIZE; i += 3) {
        uint32_t word = (uint32_t)pin->b[i] << 16;
        if (i + 1 < VES_HASH_SIZE)
            word |= (uint32_t)pin->b[i + 1] << 8;
        if (i + 2 < VES_HASH_SIZE)
            word |= pin->b[i + 2];
        text[n++] = digits[word >> 18];
        text[n++] = digits[word >> 12 & 63];
        text[n++] = i + 1 < VES_HASH_SIZE ? digits[word >> 6 & 63] : '=';
        text[n++] = i + 2 < VES_HASH_SIZE ? digits[word & 63] : '=';
    }
    text[n] = '\0';
    ves_curl.easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, text);
    /* The pin came in the invitation and names the key itself, so who signed
     * the certificate and for which name adds nothing. */
    ves_curl.easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    ves_curl.easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
}

/* Where a sequencer lets in only clients with a certificate.  It is the
 * machine's rather than a store's, so the environment names it. */
static void set_own_certificate(CURL *curl)
{
    const char *cert = secure_getenv("VES_TLS_CERT");
    const char *key = secure_getenv("VES_TLS_KEY");

    if (cert && *cert)
        ves_curl.easy_setopt(curl, CURLOPT_SSLCERT, cert);
    if (key && *key)
        ves_curl.easy_setopt(curl, CURLOPT_SSLKEY, key);
}

/* The option by name came with curl 7.85; the one by number is deprecated
 * since, and warns. */
static void restrict_protocols(CURL *curl)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    ves_curl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    ves_curl.easy_setopt(curl, CURLOPT_PROTOCOLS,
                         (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static bool add_header(struct ves_http_client *client, const char *line)
{
    struct curl_slist *longer = ves_curl.slist_append(client->headers, line);

    if (!longer)
        return false;
    client->headers = longer;
    return true;
}

static bool put_content_type(struct ves_http_client *client, const char *type)
{
    char line[128];

    snprintf(line, sizeof(line), "Content-Type: %s",
             type ? type : "application/json");
    return add_header(client, line);
}

static bool set_up(struct ves_http_client *client,
                   const struct ves_http_options *options)
{
    CURL *curl = client->curl;
    char line[CREDENTIAL_MAX + 16];

    ves_curl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    restrict_protocols(curl);
    ves_curl.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    ves_curl.easy_setopt(curl, CURLOPT_HTTP_VERSION,
                         (long)CURL_HTTP_VERSION_1_1);
    ves_curl.easy_setopt(curl, CURLOPT_USERAGENT, "ves/" VES_VERSION);
    ves_curl.easy_setopt(curl, CURLOPT_ERRORBUFFER, client->words);
    ves_curl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    ves_curl.easy_setopt(curl, CURLOPT_WRITEDATA, client);
    ves_curl.easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    ves_curl.easy_setopt(curl, CURLOPT_HEADERDATA, client);
    ves_curl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                         (long)CONNECT_TIMEOUT_MS);
    ves_curl.easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)options->timeout_ms);
    ves_curl.easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
    ves_curl.easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, (long)SLOW_BYTES_PER_S);
    ves_curl.easy_setopt(curl, CURLOPT_SSLVERSION,
                         (long)CURL_SSLVERSION_TLSv1_2);
    set_own_certificate(curl);
    if (options->tls_ca)
        ves_curl.easy_setopt(curl, CURLOPT_CAINFO, options->tls_ca);
    if (options->has_tls_pin)
        set_pin(curl, &options->tls_pin);

    /* Without "Expect:" curl waits for a 100 before large bodies. */
    bool ok = add_header(client, "Expect:") &&
              put_content_type(client, options->content_type);
    if (ok && options->credential) {
        snprintf(line, sizeof(line), "x-api-key: %s", options->credential);
        ok = add_header(client, line);
        explicit_bzero(line, sizeof(line));
    }
    if (ok && options->nonce) {
        snprintf(client->nonce, sizeof(client->nonce), "%s", options->nonce);
        snprintf(line, sizeof(line), NONCE ": %s", client->nonce);
        ok = add_header(client, line);
    }
    ves_curl.easy_setopt(curl, CURLOPT_HTTPHEADER, client->headers);
    return ok;
}

/* Is a line of this header? */
static bool is_named(const char *line, const char *name)
{
    size_t len = strlen(name);

    return strncasecmp(line, name, len) == 0 && line[len] == ':';
}

enum ves_status ves_http_client_header(struct ves_http_client *client,
                                       const char *name, const char *value)
{
    const struct ves_alloc *alloc = client->alloc;
    struct curl_slist *lines = NULL, *longer;
    size_t size = strlen(name) + (value ? strlen(value) : 0) + 3;
    char *line = alloc->realloc(alloc->ctx, NULL, size);
    bool ok = line != NULL;

    VES_ASSERT(!strpbrk(name, "\r\n") && (!value || !strpbrk(value, "\r\n")));
    for (const struct curl_slist *h = client->headers; h && ok; h = h->next) {
        if (is_named(h->data, name))
            continue;
        longer = ves_curl.slist_append(lines, h->data);
        ok = longer != NULL;
        lines = longer ? longer : lines;
    }
    if (ok && value) {
        snprintf(line, size, "%s: %s", name, value);
        longer = ves_curl.slist_append(lines, line);
        ok = longer != NULL;
        lines = longer ? longer : lines;
    }
    alloc->realloc(alloc->ctx, line, 0);
    struct curl_slist *old = ok ? client->headers : lines;
    if (ok) {
        client->headers = lines;
        ves_curl.easy_setopt(client->curl, CURLOPT_HTTPHEADER, lines);
    }
    for (struct curl_slist *h = old; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    ves_curl.slist_free_all(old);
    return ok ? VES_OK : VES_NOMEM;
}

enum ves_status ves_http_client_open(const struct ves_http_options *options,
                                     const struct ves_alloc *alloc,
                                     struct ves_http_client **out,
                                     struct ves_error *error)
{
    VES_ASSERT(options != NULL && out != NULL);

    const char *url = options->url;
    const char *key = options->credential;

    if (!url || !url_is_plain(url))
        return ves_fail(error, VES_INVALID,
                        "the sequencer's address must look like "
                        "https://host:port or http://host:port, without a "
                        "path");
    if (key && (strlen(key) >= CREDENTIAL_MAX || strpbrk(key, "\r\n")))
        return ves_fail(error, VES_INVALID,
                        "the API key is too long or has a line break in it");

    enum ves_status status = ves_curl_load(error);
    if (status)
        return status;
    struct ves_http_client *client =
        alloc->realloc(alloc->ctx, NULL, sizeof(*client));
    if (!client)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(client, 0, sizeof(*client));
    client->alloc = alloc;
    client->is_stopped = options->is_stopped;
    client->is_stopped_ctx = options->is_stopped_ctx;
    snprintf(client->url, sizeof(client->url), "%s", url);
    ves_buf_init(&client->body, alloc,
                 options->reply_max ? options->reply_max : REPLY_MAX);
    client->curl = ves_curl.easy_init();
    client->multi = ves_curl.multi_init();
    if (!client->curl || !client->multi || !set_up(client, options)) {
        ves_http_client_close(client);
        return ves_fail(error, VES_NOMEM, "out of memory");
    }
    *out = client;
    return VES_OK;
}

/* A TLS connection that the other side closed ends a process that does not
 * ignore SIGPIPE: libcurl before 7.87 writes to it by write(), and leaves
 * signals alone when it is told to (CURLOPT_NOSIGNAL).  So this thread takes
 * none while it talks, and swallows the one it may have caused. */
static bool hold_sigpipe(sigset_t *before)
{
    sigset_t pipe_only, pending;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, before);
    return !sigismember(&pending, SIGPIPE);
}

static void let_sigpipe(const sigset_t *before, bool is_ours)
{
    static const struct timespec now = {0, 0};
    sigset_t pipe_only;

    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    if (is_ours)
        (void)sigtimedwait(&pipe_only, NULL, &now);
    pthread_sigmask(SIG_SETMASK, before, NULL);
}

void ves_http_client_close(struct ves_http_client *client)
{
    sigset_t before;

    if (!client)
        return;
    for (struct curl_slist *h = client->headers; h; h = h->next)
        explicit_bzero(h->data, strlen(h->data));
    ves_curl.slist_free_all(client->headers);
    bool is_ours = hold_sigpipe(&before);
    if (client->curl)
        ves_curl.easy_cleanup(client->curl);
    if (client->multi)
        ves_curl.multi_cleanup(client->multi);
    let_sigpipe(&before, is_ours);
    ves_buf_free(&client->body);
    client->alloc->realloc(client->alloc->ctx, client, 0);
}

/* What a person can do about it, by curl's code. */
static enum ves_status explain(struct ves_http_client *client, CURLcode code,
                               struct ves_error *error)
{
    const char *words =
        client->words[0] ? client->words : ves_curl.easy_strerror(code);

    switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
        return ves_fail(error, VES_AGAIN, "stopped before the answer came");
    case CURLE_WRITE_ERROR:
        if (client->sink)
            return ves_fail(error, VES_REFUSED,
                            "the stream of events makes no sense");
        return ves_fail(error, ves_buf_status(&client->body),
                        "the answer is longer than %zu bytes",
                        client->body.max);
    case CURLE_OUT_OF_MEMORY:
        return ves_fail(error, VES_NOMEM, "out of memory");
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        return ves_fail(error, VES_UNREACHABLE,
                        "the server at this address shows another TLS key "
                        "than the invitation pinned; nothing was sent. If "
                        "the operator changed it, ask for a new invitation");
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        return ves_fail(error, VES_UNREACHABLE,
                        "the server's certificate does not verify (%s); "
                        "nothing was sent. If its authority is your own, "
                        "name it (--ca FILE) or have the machine trust it",
                        words);
    default:
        return ves_fail(error, VES_UNREACHABLE,
                        "no answer: %s; once the sequencer answers, do the "
                        "same again",
                        words);
    }
}

/* A name that is being looked up holds up the end of curl's handles until the
 * resolver gives in, which may take half a minute; its thread is left to end
 * by itself.  The option came with curl 7.87. */
static void let_go(struct ves_http_client *client)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    ves_curl.easy_setopt(client->curl, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)client;
#endif
}

static CURLcode result_of(struct ves_http_client *client)
{
    const CURLMsg *message;
    CURLcode code = CURLE_FAILED_INIT;
    int left;

    while ((message = ves_curl.multi_info_read(client->multi, &left)) != NULL)
        if (message->msg == CURLMSG_DONE)
            code = message->data.result;
    return code;
}

/* One request, asking the caller all the while: curl by itself would ask once
 * a second at best, and not at all while it looks up a name. */
static CURLcode perform(struct ves_http_client *client)
{
    CURLMcode code = ves_curl.multi_add_handle(client->multi, client->curl);
    CURLcode result = CURLE_OK;
    int running = 1;

    while (!code && !result && running) {
        code = ves_curl.multi_perform(client->multi, &running);
        if (!code && running)
            code = ves_curl.multi_poll(client->multi, NULL, 0, ASK_MS, NULL);
        if (!code && running && client->is_stopped &&
            client->is_stopped(client->is_stopped_ctx))
            result = CURLE_ABORTED_BY_CALLBACK;
    }
    if (result)
        let_go(client);
    else
        result = code ? code == CURLM_OUT_OF_MEMORY ? CURLE_OUT_OF_MEMORY
                                                    : CURLE_FAILED_INIT
                      : result_of(client);
    ves_curl.multi_remove_handle(client->multi, client->curl);
    return result;
}

/* Who gives no nonce back is another implementation, or older. */
static bool is_old(const struct ves_http_client *client, const char *path)
{
    return client->nonce[0] && client->told[0] &&
           strcmp(client->nonce, client->told) != 0 &&
           strncmp(path, "/ves/", 5) != 0;
}

enum ves_status ves_http_request(struct ves_http_client *client,
                                 const char *method, const char *path,
                                 struct ves_bytes body,
                                 struct ves_http_reply *reply,
                                 struct ves_error *error)
{
    VES_ASSERT(client != NULL && path != NULL && path[0] == '/');

    CURL *curl = client->curl;
    char url[2 * URL_MAX];
    sigset_t before;
    long status = 0;
    int n = snprintf(url, sizeof(url), "%s%s", client->url, path);

    memset(reply, 0, sizeof(*reply));
    if (n < 0 || (size_t)n >= sizeof(url))
        return ves_fail(error, VES_LIMIT, "the request's path is too long");
    ves_buf_reset(&client->body);
    client->retry_after_s = 0;
    client->words[0] = '\0';
    client->told[0] = '\0';

    ves_curl.easy_setopt(curl, CURLOPT_URL, url);
    ves_curl.easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    if (strcmp(method, "GET") != 0) {
        ves_curl.easy_setopt(curl, CURLOPT_POST, 1L);
        ves_curl.easy_setopt(curl, CURLOPT_POSTFIELDS,
                             body.len ? (const char *)body.ptr : "");
        ves_curl.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                             (curl_off_t)body.len);
    }
    ves_curl.easy_setopt(curl, CURLOPT_CUSTOMREQUEST,
                         strcmp(method, "GET") == 0 ? NULL : method);

    bool is_ours = hold_sigpipe(&before);
    CURLcode code = perform(client);
    let_sigpipe(&before, is_ours);
    if (code != CURLE_OK)
        return explain(client, code, error);
    if (is_old(client, path))
        return ves_fail(error, VES_UNREACHABLE,
                        "the answer that came is an old one, or somebody "
                        "else's: something on the way to the sequencer (a "
                        "cache) keeps its answers. Nothing of it was taken");
    ves_curl.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply->status = (uint32_t)status;
    reply->body = ves_buf_view(&client->body);
    reply->retry_after_s = client->retry_after_s;
    return VES_OK;
}

enum ves_status ves_http_stream(struct ves_http_client *client,
                                const char *path, const char *content_type,
                                ves_http_sink *sink, void *sink_ctx,
                                struct ves_http_reply *reply,
                                struct ves_error *error)
{
    struct ves_bytes none = {NULL, 0};

    client->sink = sink;
    client->sink_ctx = sink_ctx;
    client->sink_type = content_type;
    ves_curl.easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME, 0L);
    enum ves_status status =
        ves_http_request(client, "GET", path, none, reply, error);
    ves_curl.easy_setopt(client->curl, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
    client->sink = NULL;
    return status;
}
