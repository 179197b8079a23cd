/* head_file.c -- the heads this sequencer signed, in a file of their own. */
#include "server/head_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "base/uuid.h"
#include "core/checkpoint.h"
#include "os/file.h"

enum {
    FILE_MAX = 256 * 1024 * 1024, /* bytes read at the start */
    LINE_MAX_BYTES = 64 + 1 + 20 + 1 + 64 + 1,
    LINES_MIN = 1024,  /* a file this small is not written anew */
    LINES_FACTOR = 16, /* lines a stream before it is */
    WRITE_MAX = 1024 * 1024
};

struct head {
    struct ves_table_node node; /* first; key: stream id */
    uint64_t epoch, size;
    struct ves_hash root;
};

/* ---- where it lies ------------------------------------------------------- */

/* Absolute path of the folder that holds path; out has PATH_MAX bytes. */
static bool folder_of(const char *path, char *out)
{
    char copy[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, path, len);
    copy[len] = 0;
    return realpath(!slash ? "." : len ? copy : "/", out) != NULL;
}

enum ves_status ves_head_file_check_place(const char *path, const char *db,
                                          struct ves_error *error)
{
    char own[PATH_MAX], data[PATH_MAX];
    if (!folder_of(path, own))
        return ves_fail(error, VES_INVALID,
                        "the folder of the head file %s is not there (%s)",
                        path, ves_file_reason(errno));
    if (!folder_of(db, data))
        return ves_fail(error, VES_INVALID,
                        "the folder of the database %s is not there (%s)", db,
                        ves_file_reason(errno));
    size_t len = strlen(data);
    if (len > 1 && strncmp(own, data, len) == 0 &&
        (own[len] == 0 || own[len] == '/'))
        return ves_fail(error, VES_INVALID,
                        "the head file %s lies in the folder of the database, "
                        "where a backup of the one restores the other; name a "
                        "path elsewhere, best on another volume",
                        path);
    return VES_OK;
}

/* ---- reading ------------------------------------------------------------- */

/* A head takes the place of a smaller one, or of itself, or of one of an
 * earlier epoch, never of another.  VES_CORRUPT. */
static enum ves_status put(struct ves_head_file *file,
                           const struct ves_hash *stream_id, uint64_t epoch,
                           uint64_t size, const struct ves_hash *root)
{
    struct head *head =
        (struct head *)ves_table_find(&file->heads, stream_id->b);
    bool is_same = head && epoch == head->epoch;
    if ((head && epoch < head->epoch) || (is_same && size < head->size) ||
        (is_same && size == head->size && !ves_hash_equal(root, &head->root)))
        return VES_CORRUPT;
    if (!head)
        head = (struct head *)ves_table_add(&file->heads, stream_id->b,
                                            sizeof(*head));
    if (!head)
        return VES_NOMEM;
    head->epoch = epoch;
    head->size = size;
    head->root = *root;
    return VES_OK;
}

/* Cuts the part before sep off the front; false when there is no sep. */
static bool cut(struct ves_bytes *rest, uint8_t sep, struct ves_bytes *part)
{
    const uint8_t *end = rest->len ? memchr(rest->ptr, sep, rest->len) : NULL;
    if (!end)
        return false;
    *part = ves_bytes(rest->ptr, (size_t)(end - rest->ptr));
    *rest = ves_bytes(end + 1, rest->len - part->len - 1);
    return true;
}

static enum ves_status read_line(struct ves_head_file *file,
                                 struct ves_bytes text)
{
    struct ves_head_line line;
    if (!ves_head_line_read(text, &line))
        return VES_MALFORMED;
    file->lines++;
    return put(file, &line.stream_id, line.epoch, line.size, &line.root);
}

static enum ves_status read_first(struct ves_head_file *file,
                                  struct ves_bytes line,
                                  struct ves_error *error)
{
    struct ves_uuid id;
    size_t len = sizeof(VES_HEAD_FILE_MARK) - 1;
    if (line.len < len || memcmp(line.ptr, VES_HEAD_FILE_MARK, len) != 0 ||
        ves_uuid_parse(ves_bytes(line.ptr + len, line.len - len), &id))
        return ves_fail(
            error, VES_MALFORMED,
            "%s is no head file: its first line is not \"" VES_HEAD_FILE_MARK
            "SEQUENCER-ID\"",
            file->path);
    if (!ves_uuid_equal(&id, &file->sequencer_id))
        return ves_fail(error, VES_REFUSED,
                        "%s holds the heads of another sequencer; name the "
                        "file that belongs to this database",
                        file->path);
    return VES_OK;
}

static enum ves_status read_all(struct ves_head_file *file,
                                struct ves_bytes text, struct ves_error *error)
{
    struct ves_bytes line;
    uint64_t number = 1;
    if (!cut(&text, '\n', &line))
        return ves_fail(error, VES_MALFORMED,
                        "%s is no head file: it has no first line", file->path);
    enum ves_status status = read_first(file, line, error);
    while (!status && cut(&text, '\n', &line)) {
        number++;
        status = read_line(file, line);
        if (status)
            (void)ves_fail(
                error, status, "line %llu of the head file %s %s",
                (unsigned long long)number, file->path,
                status == VES_CORRUPT
                    ? "takes back a head of an earlier line, and what is "
                      "signed is never taken back; bring the file back as it "
                      "was"
                    : "is no head; bring the file back as it was");
    }
    return status;
}

/* ---- writing ------------------------------------------------------------- */

static void put_line(struct ves_buf *buf, const struct ves_hash *stream_id,
                     uint64_t epoch, uint64_t size, const struct ves_hash *root)
{
    ves_buf_put_hex(buf, stream_id->b, VES_HASH_SIZE);
    ves_buf_put_u8(buf, ' ');
    ves_buf_put_decimal(buf, size);
    ves_buf_put_u8(buf, ' ');
    ves_buf_put_hex(buf, root->b, VES_HASH_SIZE);
    if (epoch > 0) {
        ves_buf_put_u8(buf, ' ');
        ves_buf_put_decimal(buf, epoch);
    }
    ves_buf_put_u8(buf, '\n');
}

static bool put_head(void *ctx, struct ves_table_node *node)
{
    const struct head *head = (const struct head *)node;
    struct ves_hash stream_id;
    memcpy(stream_id.b, node->key, VES_HASH_SIZE);
    put_line(ctx, &stream_id, head->epoch, head->size, &head->root);
    return true;
}

/* Takes the place of what is there; then appends go to the new one. */
static enum ves_status write_anew(struct ves_head_file *file,
                                  struct ves_error *error)
{
    struct ves_buf buf;
    ves_buf_init(&buf, file->alloc, FILE_MAX);
    ves_buf_put_str(&buf, VES_HEAD_FILE_MARK);
    ves_buf_put_uuid(&buf, &file->sequencer_id);
    ves_buf_put_u8(&buf, '\n');
    ves_table_each(&file->heads, put_head, &buf);
    enum ves_status status = ves_buf_status(&buf);
    if (!status)
        status = ves_file_write(file->path, ves_buf_view(&buf),
                                VES_FILE_REPLACE, error);
    ves_buf_free(&buf);
    if (status)
        return status;
    int fd = open(file->path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return ves_fail(error, VES_IO, "%s cannot be written to: %s",
                        file->path, ves_file_reason(errno));
    if (file->fd >= 0)
        (void)close(file->fd);
    file->fd = fd;
    file->lines = file->heads.count;
    return VES_OK;
}

static enum ves_status append(struct ves_head_file *file,
                              struct ves_bytes bytes, struct ves_error *error)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t n = write(file->fd, bytes.ptr + done, bytes.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (done == bytes.len && fdatasync(file->fd) == 0)
        return VES_OK;
    int reason = errno;
    /* Half a line must not stay in front of the next one. */
    (void)close(file->fd);
    file->fd = -1;
    return ves_fail(error, VES_IO, "the head file %s cannot be written: %s",
                    file->path, ves_file_reason(reason));
}

enum ves_status ves_head_file_write(struct ves_head_file *file,
                                    const struct ves_log_head *heads,
                                    size_t count, struct ves_error *error)
{
    struct ves_buf buf;
    enum ves_status status = VES_OK;
    size_t lines = 0;
    ves_buf_init(&buf, file->alloc, WRITE_MAX);
    for (size_t i = 0; i < count && !status; i++) {
        if (!heads[i].is_due)
            continue;
        lines++;
        put_line(&buf, &heads[i].stream_id, heads[i].epoch, heads[i].row.size,
                 &heads[i].row.root);
        status = put(file, &heads[i].stream_id, heads[i].epoch,
                     heads[i].row.size, &heads[i].row.root);
    }
    if (!status)
        status = ves_buf_status(&buf);
    if (status)
        (void)ves_fail(error, status, "%s",
                       status == VES_CORRUPT
                           ? "a head that is to be signed takes back one that "
                             "the head file has"
                           : "no memory for the head file");
    else if (file->fd < 0 ||
             file->lines + lines >
                 LINES_MIN + LINES_FACTOR * (uint64_t)file->heads.count)
        status = write_anew(file, error);
    else
        status = append(file, ves_buf_view(&buf), error);
    if (!status)
        file->lines += lines;
    ves_buf_free(&buf);
    return status;
}

/* ---- life ---------------------------------------------------------------- */

static enum ves_status load(struct ves_head_file *file, bool can_create,
                            struct ves_error *error)
{
    struct ves_buf buf;
    ves_buf_init(&buf, file->alloc, FILE_MAX);
    enum ves_status status = ves_file_read(file->path, &buf, error);
    if (!status)
        status = read_all(file, ves_buf_view(&buf), error);
    else if (status == VES_NOT_FOUND && can_create)
        status = VES_OK;
    else if (status == VES_NOT_FOUND)
        status = ves_fail(
            error, VES_NOT_FOUND,
            "the head file %s is missing, and this database has one: without "
            "it nobody can tell whether the database was restored from a "
            "backup. Bring the file back, or, if you are sure that the "
            "database is the newest there is, start once with --new-head-file",
            file->path);
    ves_buf_free(&buf);
    return status ? status : write_anew(file, error);
}

enum ves_status ves_head_file_open(const char *path,
                                   const struct ves_uuid *sequencer_id,
                                   bool can_create,
                                   const struct ves_alloc *alloc, uint64_t seed,
                                   struct ves_head_file *out,
                                   struct ves_error *error)
{
    size_t size = strlen(path) + 1;
    *out = (struct ves_head_file){
        .alloc = alloc, .sequencer_id = *sequencer_id, .fd = -1};
    ves_table_init(&out->heads, alloc, VES_HASH_SIZE, seed);
    out->path = alloc->realloc(alloc->ctx, NULL, size);
    if (!out->path)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memcpy(out->path, path, size);
    enum ves_status status = load(out, can_create, error);
    if (status)
        ves_head_file_close(out);
    return status;
}

void ves_head_file_close(struct ves_head_file *file)
{
    if (!file->path)
        return;
    if (file->fd >= 0)
        (void)close(file->fd);
    ves_table_free(&file->heads);
    file->alloc->realloc(file->alloc->ctx, file->path, 0);
    *file = (struct ves_head_file){.fd = -1};
}

bool ves_head_file_get(const struct ves_head_file *file,
                       const struct ves_hash *stream_id, uint64_t *size,
                       struct ves_hash *root)
{
    const struct head *head =
        (const struct head *)ves_table_find(&file->heads, stream_id->b);
    if (!head)
        return false;
    *size = head->size;
    *root = head->root;
    return true;
}

uint64_t ves_head_file_epoch(const struct ves_head_file *file,
                             const struct ves_hash *stream_id)
{
    const struct head *head =
        (const struct head *)ves_table_find(&file->heads, stream_id->b);

    return head ? head->epoch : 0;
}

struct each {
    bool (*visit)(void *ctx, const struct ves_hash *stream_id, uint64_t size,
                  const struct ves_hash *root);
    void *ctx;
};

static bool visit_head(void *ctx, struct ves_table_node *node)
{
    const struct each *each = ctx;
    const struct head *head = (const struct head *)node;
    struct ves_hash stream_id;
    memcpy(stream_id.b, node->key, VES_HASH_SIZE);
    return each->visit(each->ctx, &stream_id, head->size, &head->root);
}

void ves_head_file_each(const struct ves_head_file *file,
                        bool (*visit)(void *ctx,
                                      const struct ves_hash *stream_id,
                                      uint64_t size,
                                      const struct ves_hash *root),
                        void *ctx)
{
    struct each each = {visit, ctx};
    ves_table_each(&file->heads, visit_head, &each);
}
