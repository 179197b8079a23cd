/* kill_at.c -- ends the process at the n-th operation that could be the last.
 *
 * Preloaded into the program.  VES_KILL_AT=N: the N-th of the calls below kills
 * the process as kill -9 does, before it is made; VES_KILL_COUNT=FILE: how many
 * there were is written there at the end.  They are those that make something
 * true outside the process: a name given or taken, bytes on disk, bytes sent.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int count;

static void step(void)
{
    const char *at = getenv("VES_KILL_AT");

    if (at && ++count == strtol(at, NULL, 10))
        raise(SIGKILL);
}

__attribute__((destructor)) static void tell(void)
{
    const char *path = getenv("VES_KILL_COUNT");
    FILE *file = path ? fopen(path, "w") : NULL;

    if (file) {
        fprintf(file, "%d\n", count);
        fclose(file);
    }
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

int rename(const char *from, const char *to)
{
    step();
    return NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned int flags)
{
    step();
    return NEXT(int (*)(int, const char *, int, const char *, unsigned int),
                "renameat2")(from_dir, from, to_dir, to, flags);
}

int fsync(int fd)
{
    step();
    return NEXT(int (*)(int), "fsync")(fd);
}

int fdatasync(int fd)
{
    step();
    return NEXT(int (*)(int), "fdatasync")(fd);
}

ssize_t send(int fd, const void *data, size_t len, int flags)
{
    step();
    return NEXT(ssize_t(*)(int, const void *, size_t, int), "send")(fd, data,
                                                                    len, flags);
}

/* An answer that is never read. */
ssize_t recv(int fd, void *data, size_t len, int flags)
{
    step();
    return NEXT(ssize_t(*)(int, void *, size_t, int), "recv")(fd, data, len,
                                                              flags);
}
