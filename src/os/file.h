/* file.h -- whole files: read with a limit, written all or not at all.
 *
 * Messages name the path and what to do; they never hold content.
 */
#ifndef VES_OS_FILE_H
#define VES_OS_FILE_H

#include "base/buf.h"
#include "ves/ves.h"

/* Appends the file's bytes to out.  VES_NOT_FOUND; VES_LIMIT when it holds
 * more than out may take; VES_NOMEM; VES_IO.  Nothing is appended then. */
VES_NODISCARD enum ves_status
ves_file_read(const char *path, struct ves_buf *out, struct ves_error *error);

/* Reads a file that holds a secret into memory of the caller's, size bytes of
 * room; *len is how many there were.  Besides the above, VES_REFUSED when it
 * is a symbolic link, not a regular file, owned by somebody else or open to
 * group or others.  out is wiped on failure. */
VES_NODISCARD enum ves_status ves_file_read_secret(const char *path, void *out,
                                                   size_t size, size_t *len,
                                                   struct ves_error *error);

enum ves_file_mode {
    VES_FILE_NEW,    /* VES_CONFLICT when something has the name */
    VES_FILE_REPLACE /* takes the place of what has the name */
};

/* Writes a file of mode 0600: a temporary file beside it, flushed to disk,
 * then given the name, then the directory flushed.  After a crash there is
 * the old file or the whole new one.  VES_IO, VES_CONFLICT: the name still
 * stands for what it did before, except when the very last step failed, which
 * *error says. */
VES_NODISCARD enum ves_status ves_file_write(const char *path,
                                             struct ves_bytes content,
                                             enum ves_file_mode mode,
                                             struct ves_error *error);

/* Gives from the name to, whose file is gone then, and flushes the directory,
 * which is that of both.  After a crash it has one name or the other.
 * VES_NOT_FOUND, VES_IO. */
VES_NODISCARD enum ves_status ves_file_rename(const char *from, const char *to,
                                              struct ves_error *error);

/* Locks a file that is there for nothing else (made with mode 0600 when it is
 * missing, and left behind) until *fd is closed, also by a crash.  VES_BUSY:
 * somebody else has it.  VES_REFUSED: a symbolic link.  VES_IO. */
VES_NODISCARD enum ves_status ves_file_lock(const char *path, int *fd,
                                            struct ves_error *error);

/* Does somebody hold that lock, this process included?  Who asks just then may
 * find it held by this look. */
bool ves_file_is_locked(const char *path);

/* Is there something of that name, a dangling symbolic link included? */
bool ves_file_exists(const char *path);

/* Why a call with that errno failed, as text. */
const char *ves_file_reason(int error_number);

#endif
