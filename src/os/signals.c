/* signals.c -- being asked to stop. */
#include "os/signals.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/error.h"
#include "os/clock.h"
#include "os/file.h"

static atomic_bool is_requested;
static atomic_int event_fd = -1;

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "a signal handler may use them");

void ves_stop_request(void)
{
    const uint64_t one = 1;
    int number = errno;
    atomic_store(&is_requested, true);
    int fd = atomic_load(&event_fd);
    if (fd >= 0) {
        /* Full (after 2^64-2 requests) is as readable as can be. */
        ssize_t n = write(fd, &one, sizeof(one));
        (void)n;
    }
    errno = number;
}

static void on_signal(int signal_number)
{
    (void)signal_number;
    ves_stop_request();
}

static enum ves_status install(int signal_number, void (*handler)(int),
                               int flags, struct ves_error *error)
{
    struct sigaction action;
    memset(&action, 0, sizeof(action));
    action.sa_handler = handler;
    action.sa_flags = flags;
    sigemptyset(&action.sa_mask);
    if (sigaction(signal_number, &action, NULL))
        return ves_fail(error, VES_IO, "cannot handle signal %d: %s",
                        signal_number, ves_file_reason(errno));
    return VES_OK;
}

enum ves_status ves_stop_install(struct ves_error *error)
{
    if (atomic_load(&event_fd) < 0) {
        int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (fd < 0)
            return ves_fail(error, VES_IO, "cannot make an event: %s",
                            ves_file_reason(errno));
        atomic_store(&event_fd, fd);
    }
    enum ves_status status = install(SIGTERM, on_signal, SA_RESTART, error);
    if (!status)
        status =
            install(SIGINT, on_signal, SA_RESTART | (int)SA_RESETHAND, error);
    if (!status)
        status = install(SIGPIPE, SIG_IGN, 0, error);
    return status;
}

bool ves_stop_requested(void)
{
    return atomic_load(&is_requested);
}

int ves_stop_fd(void)
{
    return atomic_load(&event_fd);
}

bool ves_stop_wait(int timeout_ms)
{
    struct pollfd item = {.fd = ves_stop_fd(), .events = POLLIN};
    int64_t end = ves_clock_monotonic_ms() + timeout_ms;
    while (!ves_stop_requested()) {
        int64_t left = end - ves_clock_monotonic_ms();
        if (left <= 0)
            break;
        (void)poll(&item, 1, (int)left);
    }
    return ves_stop_requested();
}
