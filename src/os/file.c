/* file.c -- whole files: read with a limit, written all or not at all. */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "crypto/crypto.h"

#define TEMP_SUFFIX ".tmp-XXXXXX"

enum {
    READ_STEP = 64 * 1024,
    LETTERS = 6 /* of TEMP_SUFFIX that differ */
};

const char *ves_file_reason(int error_number)
{
    /* strerror() is not thread-safe; this gives C-locale text. */
    const char *text = strerrordesc_np(error_number);
    return text ? text : "unknown error";
}

bool ves_file_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static enum ves_status fail(struct ves_error *error, const char *act,
                            const char *path, int number)
{
    enum ves_status status = number == ENOENT   ? VES_NOT_FOUND
                             : number == ENOMEM ? VES_NOMEM
                                                : VES_IO;
    return ves_fail(error, status, "cannot %s %s: %s", act, path,
                    ves_file_reason(number));
}

/* ---- reading ------------------------------------------------------------ */

/* read() that goes on after signals; -1 with errno on failure. */
static ssize_t read_some(int fd, void *out, size_t size)
{
    ssize_t n;
    do
        n = read(fd, out, size);
    while (n < 0 && errno == EINTR);
    return n;
}

static enum ves_status too_long(struct ves_error *error, const char *path,
                                size_t max)
{
    return ves_fail(error, VES_LIMIT, "%s is longer than %zu bytes", path, max);
}

static enum ves_status read_all(int fd, const char *path, struct ves_buf *out,
                                struct ves_error *error)
{
    const size_t limit = out->max - out->len;
    size_t total = 0;
    for (;;) {
        size_t room = limit - total;
        uint8_t spare;
        uint8_t *to = &spare;
        if (room > READ_STEP)
            room = READ_STEP;
        if (room > 0)
            to = ves_buf_reserve(out, room);
        if (!to)
            return ves_fail(error, VES_NOMEM, "out of memory reading %s", path);
        /* At the limit one more byte is tried, to tell full from too long. */
        ssize_t n = read_some(fd, to, room > 0 ? room : 1);
        if (n < 0)
            return fail(error, "read", path, errno);
        if (n == 0)
            return VES_OK;
        if (room == 0)
            return too_long(error, path, limit);
        out->len += (size_t)n;
        total += (size_t)n;
    }
}

enum ves_status ves_file_read(const char *path, struct ves_buf *out,
                              struct ves_error *error)
{
    size_t start = out->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail(error, "open", path, errno);
    enum ves_status status = read_all(fd, path, out, error);
    close(fd);
    if (status)
        out->len = start;
    return status;
}

static enum ves_status check_private(int fd, const char *path,
                                     struct ves_error *error)
{
    struct stat st;
    if (fstat(fd, &st))
        return fail(error, "examine", path, errno);
    if (!S_ISREG(st.st_mode))
        return ves_fail(error, VES_REFUSED, "%s is not a regular file", path);
    if (st.st_uid != geteuid())
        return ves_fail(error, VES_REFUSED,
                        "%s belongs to user %u, not to you (user %u); a secret "
                        "somebody else can change is none",
                        path, (unsigned)st.st_uid, (unsigned)geteuid());
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return ves_fail(error, VES_REFUSED,
                        "%s is open to others (mode %03o); run: chmod 600 %s",
                        path, (unsigned)(st.st_mode & 0777), path);
    return VES_OK;
}

static enum ves_status read_secret(int fd, const char *path, uint8_t *out,
                                   size_t size, size_t *len,
                                   struct ves_error *error)
{
    enum ves_status status = check_private(fd, path, error);
    if (status)
        return status;
    for (*len = 0;;) {
        uint8_t spare;
        size_t room = size - *len;
        ssize_t n = read_some(fd, room ? out + *len : &spare, room ? room : 1);
        if (n < 0)
            return fail(error, "read", path, errno);
        if (n == 0)
            return VES_OK;
        if (room == 0) {
            ves_wipe(&spare, sizeof(spare));
            return too_long(error, path, size);
        }
        *len += (size_t)n;
    }
}

static enum ves_status open_secret(const char *path, int *fd,
                                   struct ves_error *error)
{
    /* Checks are made on the open file, so nobody can swap it in between.
     * O_NONBLOCK: opening a FIFO somebody put there must not hang. */
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (*fd < 0 && errno == ELOOP)
        return ves_fail(error, VES_REFUSED,
                        "%s is a symbolic link; give the file itself", path);
    return *fd < 0 ? fail(error, "open", path, errno) : VES_OK;
}

enum ves_status ves_file_read_secret(const char *path, void *out, size_t size,
                                     size_t *len, struct ves_error *error)
{
    int fd;
    enum ves_status status = open_secret(path, &fd, error);
    if (!status) {
        status = read_secret(fd, path, out, size, len, error);
        close(fd);
    }
    if (status) {
        ves_wipe(out, size);
        *len = 0;
    }
    return status;
}

/* ---- locking ------------------------------------------------------------ */

enum ves_status ves_file_lock(const char *path, int *fd,
                              struct ves_error *error)
{
    *fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
               S_IRUSR | S_IWUSR);
    if (*fd < 0 && errno == ELOOP)
        return ves_fail(error, VES_REFUSED, "%s is a symbolic link; remove it",
                        path);
    if (*fd < 0)
        return fail(error, "open", path, errno);
    if (flock(*fd, LOCK_EX | LOCK_NB) == 0)
        return VES_OK;
    int number = errno;
    close(*fd);
    *fd = -1;
    return number == EWOULDBLOCK
               ? ves_fail(error, VES_BUSY, "%s is locked by another process",
                          path)
               : fail(error, "lock", path, number);
}

bool ves_file_is_locked(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return false;
    bool is_locked = flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;
    close(fd);
    return is_locked;
}

/* ---- writing ------------------------------------------------------------ */

static int write_all(int fd, struct ves_bytes content)
{
    while (content.len > 0) {
        ssize_t n = write(fd, content.ptr, content.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno;
        content.ptr += n;
        content.len -= (size_t)n;
    }
    return 0;
}

/* The directory of path; errno, 0 on success. */
static int directory_of(const char *path, char dir[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= PATH_MAX)
        return ENAMETOOLONG;
    if (slash)
        memcpy(dir, path, len);
    dir[len] = '\0';
    if (len == 0)
        memcpy(dir, slash ? "/" : ".", 2);
    return 0;
}

/* Fills in the template's X; errno, 0 on success. */
static int name_temp(int fd, char *temp)
{
    enum { TRIES = 100 };
    static const char letters[] = "0123456789abcdefghijklmnopqrstuv";
    uint8_t random[LETTERS];
    char *end = temp + strlen(temp) - LETTERS, from[64];
    (void)snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    for (int i = 0; i < TRIES; i++) {
        if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
            return EIO;
        for (int k = 0; k < LETTERS; k++)
            end[k] = letters[random[k] % (sizeof(letters) - 1)];
        if (linkat(AT_FDCWD, from, AT_FDCWD, temp, AT_SYMLINK_FOLLOW) == 0)
            return 0;
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

static int fill(int fd, struct ves_bytes content)
{
    int number = write_all(fd, content);
    return !number && fsync(fd) ? errno : number;
}

/* A file that has no name before it is complete is gone with a process that
 * is killed meanwhile: what it holds may be a secret.  errno; EOPNOTSUPP where
 * there is no such thing, and temp is then as it was. */
static int write_unnamed(char *temp, struct ves_bytes content)
{
    char dir[PATH_MAX];
    int number = directory_of(temp, dir);
    if (number)
        return number;
    int fd = open(dir, O_TMPFILE | O_WRONLY | O_CLOEXEC, S_IRUSR | S_IWUSR);
    if (fd < 0)
        return EOPNOTSUPP;
    number = fill(fd, content);
    if (!number && name_temp(fd, temp)) {
        memset(temp + strlen(temp) - LETTERS, 'X', LETTERS);
        number = EOPNOTSUPP;
    }
    close(fd);
    return number;
}

/* Makes the temporary file, complete and on disk; its name is in temp, which
 * holds the template.  errno, 0 on success; nothing is left on failure. */
static int write_temp(char *temp, struct ves_bytes content)
{
    int number = write_unnamed(temp, content);
    if (number != EOPNOTSUPP)
        return number;
    int fd = mkostemp(temp, O_CLOEXEC); /* mode 0600 */
    if (fd < 0)
        return errno;
    number = fill(fd, content);
    if (close(fd) && !number)
        number = errno;
    if (number)
        unlink(temp);
    return number;
}

/* Gives temp the name path; errno, 0 on success. */
static int give_name(const char *temp, const char *path,
                     enum ves_file_mode mode)
{
    if (mode == VES_FILE_REPLACE)
        return rename(temp, path) ? errno : 0;
    if (renameat2(AT_FDCWD, temp, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    /* A file system without that flag: a second name is as exclusive. */
    if (link(temp, path))
        return errno;
    unlink(temp);
    return 0;
}

static int sync_directory(const char *path)
{
    char dir[PATH_MAX];
    int number = directory_of(path, dir);
    if (number)
        return number;
    int fd = open(dir, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
    if (fd < 0)
        return errno;
    number = fsync(fd) ? errno : 0;
    close(fd);
    return number;
}

enum ves_status ves_file_rename(const char *from, const char *to,
                                struct ves_error *error)
{
    if (rename(from, to))
        return fail(error, "rename", from, errno);
    int number = sync_directory(to);
    if (number)
        return ves_fail(error, VES_IO,
                        "%s has its name, but flushing its directory failed "
                        "(%s): it might not after a power cut",
                        to, ves_file_reason(number));
    return VES_OK;
}

enum ves_status ves_file_write(const char *path, struct ves_bytes content,
                               enum ves_file_mode mode, struct ves_error *error)
{
    char temp[PATH_MAX];
    if (strlen(path) + sizeof(TEMP_SUFFIX) > sizeof(temp))
        return fail(error, "write", path, ENAMETOOLONG);
    (void)snprintf(temp, sizeof(temp), "%s%s", path, TEMP_SUFFIX);

    int number = write_temp(temp, content);
    if (!number) {
        number = give_name(temp, path, mode);
        if (number)
            unlink(temp);
    }
    if (number == EEXIST && mode == VES_FILE_NEW)
        return ves_fail(error, VES_CONFLICT,
                        "%s exists already and is left as it is", path);
    if (number)
        return fail(error, "write", path, number);
    number = sync_directory(path);
    if (number)
        return ves_fail(error, VES_IO,
                        "%s is written, but flushing its directory failed "
                        "(%s): it might be gone after a power cut",
                        path, ves_file_reason(number));
    return VES_OK;
}
