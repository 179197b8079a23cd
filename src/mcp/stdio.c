/* stdio.c -- standard input and output: one message a line. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "mcp/lines.h"
#include "mcp/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/signals.h"

enum { CHUNK = 64 * 1024 };

struct pipe_sink {
    struct ves_mcp_sink sink;
    pthread_mutex_t lock;
    int fd;
};

/* One message, one line, in one piece. */
static void write_line(struct ves_mcp_sink *sink, struct ves_bytes message)
{
    struct pipe_sink *out = (struct pipe_sink *)sink;
    struct ves_buf scratch;

    ves_buf_init(&scratch, ves_alloc_default(), VES_MCP_REPLY_MAX);
    message = ves_mcp_one_line(&scratch, message);
    struct iovec parts[2] = {{(void *)(uintptr_t)message.ptr, message.len},
                             {(void *)(uintptr_t) "\n", 1}};
    size_t at = 0;

    pthread_mutex_lock(&out->lock);
    while (message.len && at < 2 && !atomic_load(&sink->is_gone)) {
        ssize_t n = writev(out->fd, parts + at, (int)(2 - at));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN) {
            struct pollfd item = {.fd = out->fd, .events = POLLOUT};
            (void)poll(&item, 1, -1);
            continue;
        }
        if (n < 0) {
            /* Nobody reads any more: the same as the end of input. */
            atomic_store(&sink->is_gone, true);
            ves_stop_request();
            break;
        }
        for (; at < 2 && (size_t)n >= parts[at].iov_len; at++)
            n -= (ssize_t)parts[at].iov_len;
        if (at < 2) {
            parts[at].iov_base = (char *)parts[at].iov_base + n;
            parts[at].iov_len -= (size_t)n;
        }
    }
    pthread_mutex_unlock(&out->lock);
    ves_buf_free(&scratch);
}

static void finish_line(struct ves_mcp_sink *sink, struct ves_bytes message,
                        int status)
{
    (void)status;
    write_line(sink, message);
}

static void destroy_pipe(struct ves_mcp_sink *sink)
{
    (void)sink;
}

/* ---- reading ------------------------------------------------------------- */

static bool is_blank(struct ves_bytes line)
{
    for (size_t i = 0; i < line.len; i++) {
        if (line.ptr[i] != ' ' && line.ptr[i] != '\t')
            return false;
    }
    return true;
}

static void complain(const struct ves_mcp *mcp, struct ves_mcp_sink *sink,
                     int code, const char *words)
{
    struct ves_buf out;

    ves_buf_init(&out, mcp->alloc, CHUNK);
    ves_mcp_put_error(&out, ves_bytes(NULL, 0), code, words, NULL);
    sink->send(sink, ves_buf_view(&out));
    ves_buf_free(&out);
}

static void take_line(struct ves_mcp *mcp, const struct ves_mcp_inlet *inlet,
                      enum ves_mcp_line what, struct ves_bytes line)
{
    char words[96];

    if (what == VES_MCP_LINE_TOO_LONG) {
        struct ves_error error;
        ves_fail(&error, VES_LIMIT, "a message of more than %zu bytes",
                 mcp->options.message_max);
        memcpy(words, error.text, sizeof(words));
        words[sizeof(words) - 1] = '\0';
        complain(mcp, inlet->sink, VES_MCP_INVALID_REQUEST, words);
        return;
    }
    if (what == VES_MCP_LINE_WHOLE && is_blank(line))
        return;
    struct ves_mcp_call *call =
        what == VES_MCP_LINE_WHOLE ? ves_mcp_call_new(mcp, line) : NULL;
    if (call)
        ves_mcp_take(call, inlet);
    else
        complain(mcp, inlet->sink, VES_MCP_INTERNAL_ERROR, "out of memory");
}

/* False at the end of input, or when the process is asked to stop. */
static bool read_some(int fd, uint8_t *buffer, struct ves_bytes *bytes)
{
    struct pollfd items[2] = {{.fd = fd, .events = POLLIN},
                              {.fd = ves_stop_fd(), .events = POLLIN}};

    for (;;) {
        if (poll(items, 2, -1) < 0 && errno != EINTR)
            return false;
        if (ves_stop_requested())
            return false;
        if (!items[0].revents)
            continue;
        ssize_t n = read(fd, buffer, CHUNK);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        *bytes = ves_bytes(buffer, n > 0 ? (size_t)n : 0);
        return n > 0;
    }
}

static void read_all(struct ves_mcp *mcp, const struct ves_mcp_inlet *inlet)
{
    static uint8_t buffer[CHUNK];
    struct ves_mcp_lines lines;
    struct ves_bytes bytes, line;
    enum ves_mcp_line what;

    ves_mcp_lines_init(&lines, mcp->alloc, mcp->options.message_max);
    while (read_some(STDIN_FILENO, buffer, &bytes)) {
        ves_mcp_lines_put(&lines, bytes);
        while ((what = ves_mcp_lines_next(&lines, &line)) != VES_MCP_LINE_NONE)
            take_line(mcp, inlet, what, line);
    }
    what = ves_mcp_lines_end(&lines, &line);
    if (what != VES_MCP_LINE_NONE && !ves_stop_requested())
        take_line(mcp, inlet, what, line);
    ves_mcp_lines_free(&lines);
}

/* Whatever the program prints goes to standard error; only we have what was
 * standard output. */
static int take_output(struct ves_error *error)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

    if (fd >= 0 && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0)
        return fd;
    ves_fail(error, VES_IO, "standard output cannot be used: %s",
             ves_file_reason(errno));
    return -1;
}

static void begin_end(struct ves_mcp *mcp)
{
    atomic_store(&mcp->end_ms, ves_clock_monotonic_ms() + VES_MCP_END_MS);
    if (ves_stop_requested())
        atomic_store(&mcp->is_stopping, true);
    atomic_store(&mcp->is_ending, true);
    pthread_mutex_lock(&mcp->lock);
    pthread_cond_broadcast(&mcp->changed);
    pthread_mutex_unlock(&mcp->lock);
}

enum ves_status ves_mcp_run_stdio(struct ves_mcp *mcp, struct ves_error *error)
{
    struct pipe_sink out = {.sink = {.send = write_line,
                                     .finish = finish_line,
                                     .destroy = destroy_pipe}};
    struct ves_mcp_session *session;
    enum ves_status status = ves_stop_install(error);

    if (status)
        return status;
    out.fd = take_output(error);
    session = ves_mcp_session_new(mcp);
    if (out.fd < 0 || !session) {
        ves_mcp_session_drop(session);
        return out.fd < 0 ? VES_IO : ves_fail(error, VES_NOMEM, "no memory");
    }
    ves_mcp_sink_init(&out.sink);
    pthread_mutex_init(&out.lock, NULL);
    session->general = ves_mcp_sink_keep(&out.sink);
    const struct ves_mcp_inlet inlet = {.session = session,
                                        .sink = &out.sink,
                                        .assumed = VES_MCP_LEGACY_LATEST};
    read_all(mcp, &inlet);
    begin_end(mcp);
    ves_mcp_drain(mcp);
    ves_mcp_end_subscriptions(mcp);
    ves_mcp_session_close(session);
    ves_mcp_session_drop(session);
    pthread_mutex_destroy(&out.lock);
    (void)close(out.fd);
    return VES_OK;
}
