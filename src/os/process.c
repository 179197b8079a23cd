/* process.c -- who this process is, whether another still lives, and keeping
 * secrets out of core dumps. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "os/file.h"

enum { STAT_MAX = 1024, STATE_FIELD = 3, START_FIELD = 22 };

/* Reads a small file of /proc; -1 with errno on failure. */
static ssize_t read_small(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t n;
    do
        n = read(fd, out, size);
    while (n < 0 && errno == EINTR);
    int number = errno;
    close(fd);
    errno = number;
    return n;
}

static bool read_boot_id(struct ves_uuid *out)
{
    char text[64];
    ssize_t n =
        read_small("/proc/sys/kernel/random/boot_id", text, sizeof(text));
    return n >= VES_UUID_TEXT &&
           ves_uuid_parse(ves_bytes(text, VES_UUID_TEXT), out) == VES_OK;
}

/* Takes state letter and start time out of /proc/PID/stat.  The second field
 * is the program's name in brackets, which may hold blanks and brackets, so
 * counting begins after the last closing one (proc(5)). */
static bool parse_stat(const char *text, size_t len, char *state,
                       uint64_t *start)
{
    const char *end = text + len;
    const char *at = memrchr(text, ')', len);
    if (!at)
        return false;
    at++;
    for (int field = STATE_FIELD; at < end; field++) {
        while (at < end && *at == ' ')
            at++;
        const char *from = at;
        while (at < end && *at != ' ')
            at++;
        if (field == STATE_FIELD && at > from)
            *state = *from;
        if (field == START_FIELD)
            return ves_decimal_parse(ves_bytes(from, (size_t)(at - from)),
                                     start) == VES_OK;
    }
    return false;
}

static bool read_stat(uint64_t pid, char *state, uint64_t *start)
{
    char path[64];
    char text[STAT_MAX];
    (void)snprintf(path, sizeof(path), "/proc/%llu/stat",
                   (unsigned long long)pid);
    ssize_t n = read_small(path, text, sizeof(text));
    return n > 0 && parse_stat(text, (size_t)n, state, start);
}

enum ves_status ves_process_self(struct ves_process *out,
                                 struct ves_error *error)
{
    char state;
    out->pid = (uint64_t)getpid();
    if (!read_stat(out->pid, &state, &out->start) ||
        !read_boot_id(&out->boot_id))
        return ves_fail(error, VES_IO,
                        "cannot read /proc, which tells this process from "
                        "others; is it mounted?");
    return VES_OK;
}

bool ves_process_is_alive(const struct ves_process *process)
{
    struct ves_uuid boot_id;
    uint64_t start;
    char state;
    if (read_boot_id(&boot_id) && !ves_uuid_equal(&boot_id, &process->boot_id))
        return false;
    if (read_stat(process->pid, &state, &start))
        return start == process->start && state != 'Z' && state != 'X';

    /* /proc may hide others' processes (hidepid); signal 0 asks the kernel. */
    pid_t pid = (pid_t)process->pid;
    if (pid <= 0 || (uint64_t)pid != process->pid)
        return false;
    return kill(pid, 0) == 0 || errno != ESRCH;
}

enum ves_status ves_process_forbid_dumps(struct ves_error *error)
{
    const struct rlimit none = {0, 0};
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) || setrlimit(RLIMIT_CORE, &none))
        return ves_fail(error, VES_IO, "cannot switch core dumps off: %s",
                        ves_file_reason(errno));
    return VES_OK;
}

size_t ves_process_allow_files(size_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return count;
    if (limit.rlim_cur >= count)
        return (size_t)limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return getrlimit(RLIMIT_NOFILE, &limit) ? count : (size_t)limit.rlim_cur;
}

void ves_thread_give_way(void)
{
    enum { NICENESS = 5 }; /* a third of the time of others */

    /* On Linux a thread has a niceness of its own, by its number. */
    (void)setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), NICENESS);
}

void ves_thread_name(const char *name)
{
    VES_ASSERT(strlen(name) < 16);
    (void)prctl(PR_SET_NAME, name);
}
