/* load.c -- the load generator: plain sockets, one thread, requests that were
 * built before.
 *
 * It shares the cores with the server it measures, so it does as little as it
 * can: a request is one write if the socket takes it, an answer is kept as it
 * came and looked at when the clock has stopped.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/error.h"
#include "bench/bench.h"

enum {
    ANSWER_START = 4096,
    HEAD_MAX = 8192,
    EVENTS = 64,
    SILENCE_MS = 30000 /* so long nothing at all: something is wrong */
};

struct connection {
    int fd;
    size_t next;    /* request under way or to come */
    size_t sent;    /* of it */
    double started; /* its first byte left */
    uint8_t *in;
    size_t in_len, in_cap;
    size_t body_at, body_len; /* 0: head not complete */
    bool wants_write;
};

struct sender {
    struct ves_bench_run *run;
    struct ves_bench_load *load;
    struct connection *connections;
    size_t count;
    size_t open; /* with requests left */
    int epoll;
};

static enum ves_status fail(struct sender *s, const char *what)
{
    return ves_fail(s->run->error, VES_UNREACHABLE,
                    "the load generator: %s (%s)", what, strerror(errno));
}

/* ---- one connection -------------------------------------------------------
 */

static enum ves_status connect_one(struct sender *s, struct connection *c,
                                   size_t index)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(s->run->server.port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = index};
    int on = 1;
    *c = (struct connection){.next = index};
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)))
        return fail(s, "no connection to the server");
    if (setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
        epoll_ctl(s->epoll, EPOLL_CTL_ADD, c->fd, &event))
        return fail(s, "epoll");
    c->in = malloc(ANSWER_START);
    c->in_cap = ANSWER_START;
    return c->in ? VES_OK : ves_fail(s->run->error, VES_NOMEM, "out of memory");
}

static enum ves_status watch(struct sender *s, struct connection *c,
                             bool wants_write)
{
    struct epoll_event event = {.events =
                                    EPOLLIN | (wants_write ? EPOLLOUT : 0),
                                .data.u64 = (uint64_t)(c - s->connections)};
    if (c->wants_write == wants_write)
        return VES_OK;
    c->wants_write = wants_write;
    return epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->fd, &event) ? fail(s, "epoll")
                                                             : VES_OK;
}

/* Sends what the socket takes of the present request. */
static enum ves_status send_more(struct sender *s, struct connection *c)
{
    const struct ves_bench_request *request = &s->load->requests[c->next];
    if (c->sent == 0)
        c->started = ves_bench_now();
    while (c->sent < request->len) {
        ssize_t n = send(c->fd, request->bytes + c->sent,
                         request->len - c->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return watch(s, c, true);
        if (n < 0)
            return fail(s, "send");
        c->sent += (size_t)n;
    }
    return watch(s, c, false);
}

/* Status and Content-Length of a complete head; *length SIZE_MAX: not said. */
static bool read_head(const uint8_t *in, size_t head_len, uint32_t *status,
                      size_t *length)
{
    static const char name[] = "\r\ncontent-length:";
    char head[HEAD_MAX + 1];
    if (head_len > HEAD_MAX || head_len < 12)
        return false;
    memcpy(head, in, head_len);
    head[head_len] = '\0';
    const char *at = strcasestr(head, name);
    if (strncmp(head, "HTTP/1.1 ", 9) != 0 || !at)
        return false;
    *status = (uint32_t)strtoul(head + 9, NULL, 10);
    *length = strtoul(at + sizeof(name) - 1, NULL, 10);
    return true;
}

static enum ves_status make_room(struct sender *s, struct connection *c)
{
    size_t need = c->body_at ? c->body_at + c->body_len : c->in_len + HEAD_MAX;
    if (need <= c->in_cap)
        return VES_OK;
    uint8_t *in = realloc(c->in, need);
    if (!in)
        return ves_fail(s->run->error, VES_NOMEM, "out of memory");
    c->in = in;
    c->in_cap = need;
    return VES_OK;
}

static enum ves_status look_at_head(struct sender *s, struct connection *c)
{
    const uint8_t *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
    if (!end) {
        return c->in_len < HEAD_MAX ? VES_OK
                                    : fail(s, "an answer without an end");
    }
    size_t head_len = (size_t)(end - c->in) + 4;
    errno = 0;
    if (!read_head(c->in, head_len, &s->load->requests[c->next].status,
                   &c->body_len))
        return fail(s, "an answer that is not HTTP, or has no length");
    c->body_at = head_len;
    return make_room(s, c);
}

/* The answer is complete: keep it, send the next request. */
static enum ves_status finish(struct sender *s, struct connection *c)
{
    struct ves_bench_request *request = &s->load->requests[c->next];
    request->latency_us = (uint64_t)((ves_bench_now() - c->started) * 1e6);
    request->answer = malloc(c->body_len ? c->body_len : 1);
    if (!request->answer)
        return ves_fail(s->run->error, VES_NOMEM, "out of memory");
    memcpy(request->answer, c->in + c->body_at, c->body_len);
    request->answer_len = c->body_len;
    c->in_len = c->body_at = c->body_len = c->sent = 0;
    c->next += s->count;
    if (c->next < s->load->count)
        return send_more(s, c);
    s->open--;
    return VES_OK;
}

static enum ves_status receive(struct sender *s, struct connection *c)
{
    for (;;) {
        enum ves_status status = make_room(s, c);
        if (status)
            return status;
        size_t room = c->in_cap - c->in_len;
        ssize_t n = recv(c->fd, c->in + c->in_len, room, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return VES_OK;
        if (n <= 0)
            return fail(s, n ? "recv" : "the server closed a connection");
        c->in_len += (size_t)n;
        if (!c->body_at)
            status = look_at_head(s, c);
        if (status)
            return status;
        if (c->body_at && c->in_len >= c->body_at + c->body_len)
            return finish(s, c);
        if ((size_t)n < room)
            return VES_OK;
    }
}

/* ---- all of them ----------------------------------------------------------
 */

static enum ves_status run_all(struct sender *s)
{
    struct epoll_event events[EVENTS];
    enum ves_status status = VES_OK;
    for (size_t i = 0; !status && i < s->count; i++)
        status = send_more(s, &s->connections[i]);
    while (!status && s->open > 0) {
        int n = epoll_wait(s->epoll, events, EVENTS, SILENCE_MS);
        if (n == 0)
            return fail(s, "the server does not answer");
        if (n < 0 && errno != EINTR)
            return fail(s, "epoll");
        for (int i = 0; !status && i < n; i++) {
            struct connection *c = &s->connections[events[i].data.u64];
            if (c->wants_write && (events[i].events & EPOLLOUT))
                status = send_more(s, c);
            if (!status && (events[i].events & ~(uint32_t)EPOLLOUT))
                status = receive(s, c);
        }
    }
    return status;
}

static int compare_u64(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

static void note_latencies(struct ves_bench_load *load)
{
    uint64_t *all = malloc(load->count * sizeof(*all));
    if (!all)
        return;
    for (size_t i = 0; i < load->count; i++)
        all[i] = load->requests[i].latency_us;
    qsort(all, load->count, sizeof(*all), compare_u64);
    load->p50_us = all[load->count / 2];
    load->p99_us = all[load->count * 99 / 100];
    free(all);
}

static double thread_cpu(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

enum ves_status ves_bench_send(struct ves_bench_run *run,
                               struct ves_bench_load *load, size_t connections)
{
    struct sender s = {.run = run, .load = load, .open = connections};
    enum ves_status status = VES_OK;
    VES_ASSERT(load->agents % connections == 0 && load->count >= connections);
    s.connections = calloc(connections, sizeof(*s.connections));
    s.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!s.connections || s.epoll < 0) {
        free(s.connections);
        return fail(&s, "cannot begin");
    }
    for (; !status && s.count < connections; s.count++)
        status = connect_one(&s, &s.connections[s.count], s.count);
    double start = ves_bench_now(), sender = thread_cpu();
    double server = ves_bench_server_cpu(&run->server);
    double database = ves_bench_database_cpu(&run->server);
    if (!status)
        status = run_all(&s);
    load->seconds = ves_bench_now() - start;
    load->sender_s = thread_cpu() - sender;
    load->server_s = ves_bench_server_cpu(&run->server) - server;
    load->database_s = ves_bench_database_cpu(&run->server) - database;
    for (size_t i = 0; i < s.count; i++) {
        if (s.connections[i].fd >= 0)
            close(s.connections[i].fd);
        free(s.connections[i].in);
    }
    close(s.epoll);
    free(s.connections);
    if (!status)
        note_latencies(load);
    return status;
}
