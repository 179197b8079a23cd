/* stdio.c -- standard input and output: one message a line. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "mcp/lines.h"
#include "mcp/server.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/signals.h"

enum {
    CHUNK = 64 * 1024,
    TICK_MS = 200,
    /* A client that does not read keeps a server that is to end so long. */
    STUCK_MS = 2 * 1000
};

struct pipe_sink {
    struct ves_mcp_sink sink;
    const struct ves_mcp *mcp;
    pthread_mutex_t lock;
    int fd;
};

/* Waits until the client takes more; false: it does not, and the server is to
 * end. */
static bool await_reader(const struct pipe_sink *out)
{
    struct pollfd item = {.fd = out->fd, .events = POLLOUT};
    int64_t since = ves_clock_monotonic_ms();

    for (;;) {
        if (poll(&item, 1, TICK_MS) > 0)
            return true;
        int64_t waited = ves_clock_monotonic_ms() - since;
        if ((ves_stop_requested() && waited > STUCK_MS) ||
            (atomic_load(&out->mcp->is_ending) && waited > VES_MCP_END_MS))
            return false;
    }
}

/* Writes all of it.  A pipe that has room takes PIPE_BUF bytes without making
 * anybody wait, and no more is given it at a time. */
static bool write_all(const struct pipe_sink *out, struct ves_bytes bytes)
{
    while (bytes.len) {
        if (!await_reader(out))
            return false;
        ssize_t n = write(out->fd, bytes.ptr,
                          bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return false;
        bytes = ves_bytes(bytes.ptr + n, bytes.len - (size_t)n);
    }
    return true;
}

/* One message, one line, in one piece. */
static void write_line(struct ves_mcp_sink *sink, struct ves_bytes message)
{
    struct pipe_sink *out = (struct pipe_sink *)sink;
    struct ves_buf line;

    if (!message.len)
        return;
    ves_buf_init(&line, ves_alloc_default(), VES_MCP_REPLY_MAX + 1);
    ves_mcp_put_line(&line, message);
    ves_buf_put_u8(&line, '\n');
    pthread_mutex_lock(&out->lock);
    if (!atomic_load(&sink->is_gone) && !ves_buf_status(&line) &&
        !write_all(out, ves_buf_view(&line))) {
        /* Nobody reads any more: the same as the end of input. */
        atomic_store(&sink->is_gone, true);
        ves_stop_request();
    }
    pthread_mutex_unlock(&out->lock);
    ves_buf_free(&line);
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
        complain(mcp, inlet->sink, VES_MCP_INTERNAL_ERROR,
                 "too much is under way, or no memory is left; try again "
                 "later");
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
                                     .destroy = destroy_pipe},
                            .mcp = mcp};
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
