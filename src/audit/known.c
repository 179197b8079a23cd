/* known.c -- heads that others keep: those that a store verified, those that
 * the sequencer wrote into its head file, and the newest that was cosigned, as
 * the sequencer tells it.
 *
 * An auditor who holds them asks whether all of them are heads of the one log
 * that is read; a sequencer that shows him another one than it showed to a
 * store is found out at the size of that store's head.
 */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/bytes.h"
#include "base/error.h"
#include "core/checkpoint.h"
#include "core/epoch.h"
#include "core/lines.h"
#include "core/merkle.h"
#include "core/note.h"
#include "core/policy.h"
#include "os/file.h"

enum {
    KEPT_CHUNK = 256,
    HEAD_FILE_MAX = 64 * 1024 * 1024,
    MARK_SIZE = 16,
    WORDS_SIZE = 160,
    BUSY_TIMEOUT_MS = 10000
};

static const char head_file_mark[] = VES_HEAD_FILE_MARK;

/* What the report calls a head of that file. */
static const char *words_of(struct ves_audit *audit, const char *what,
                            const char *path)
{
    const char *name = strrchr(path, '/');
    char *words = ves_arena_alloc(&audit->arena, WORDS_SIZE);

    if (words)
        snprintf(words, WORDS_SIZE, "%s %.100s", what, name ? name + 1 : path);
    return words;
}

static enum ves_status cannot(struct ves_audit *audit, enum ves_status status,
                              const char *path, const char *why)
{
    return ves_fail(audit->error, status, "--known %s: %s", path, why);
}

/* ---- a sequencer's head file --------------------------------------------- */

static enum ves_status take_head_file(struct ves_audit *audit,
                                      struct ves_audit_stream *stream,
                                      const char *path, bool *is_used)
{
    struct ves_audit_head head = {
        .words = words_of(audit, "a head in the head file", path),
        .is_outside = true};
    struct ves_error why = {.status = VES_OK};
    struct ves_bytes rest, line;
    struct ves_head_line named;
    struct ves_hash id;
    struct ves_buf text;

    ves_stream_id(&stream->row.stream, &id);
    ves_buf_init(&text, audit->alloc, HEAD_FILE_MAX);
    enum ves_status status =
        head.words ? ves_file_read(path, &text, &why) : VES_NOMEM;
    if (status && head.words)
        status = cannot(audit, status, path, why.text);
    rest = ves_buf_view(&text);
    if (!status)
        (void)ves_line_take(&rest, &line);
    /* A last line without its end was never published. */
    while (!status && ves_line_take(&rest, &line)) {
        if (!ves_head_line_read(line, &named)) {
            status = cannot(audit, VES_MALFORMED, path,
                            "it has a line that is no head");
        } else if (ves_hash_equal(&named.stream_id, &id)) {
            head.size = named.size;
            head.root = named.root;
            head.epoch = named.epoch;
            status = ves_audit_heads_add(audit, stream, &head);
            *is_used = true;
        }
    }
    ves_buf_free(&text);
    return status;
}

/* ---- a store ------------------------------------------------------------- */

static enum ves_status take_kept(struct ves_audit *audit,
                                 struct ves_audit_stream *stream,
                                 struct ves_store *store, uint32_t stream_no,
                                 struct ves_audit_head *head, bool *is_used)
{
    struct ves_kept_head kept[KEPT_CHUNK];
    enum ves_status status = VES_OK;
    size_t found = KEPT_CHUNK;
    uint64_t from = 1;

    while (found == KEPT_CHUNK && !status) {
        status = store->ops->kept_heads_read(store, stream_no, from, KEPT_CHUNK,
                                             kept, &found);
        for (size_t i = 0; !status && i < found; i++) {
            head->size = kept[i].size;
            head->root = kept[i].root;
            from = kept[i].size + 1;
            *is_used = true;
            status = ves_audit_heads_add(audit, stream, head);
        }
    }
    return status;
}

static enum ves_status take_rows(struct ves_audit *audit,
                                 struct ves_audit_stream *stream,
                                 struct ves_store *store,
                                 struct ves_audit_head *head, bool *is_used)
{
    struct ves_stream_row row;
    struct ves_follow_row follow;
    struct ves_bytes host;

    enum ves_status status =
        store->ops->stream_get(store, &stream->row.stream, false, &row);
    if (!status)
        status = store->ops->follow_get(store, row.stream_no, &audit->arena,
                                        &follow);
    if (status)
        return status == VES_NOT_FOUND ? VES_OK : status;
    head->epoch = ves_epoch_of_origin(follow.origin, &host);
    return take_kept(audit, stream, store, row.stream_no, head, is_used);
}

static enum ves_status take_store(struct ves_audit *audit,
                                  struct ves_audit_stream *stream,
                                  const char *path, bool *is_used)
{
    const struct ves_store_sqlite_options options = {.path = path,
                                                     .is_read_only = true,
                                                     .role = VES_STORE_DEVICE,
                                                     .busy_timeout_ms =
                                                         BUSY_TIMEOUT_MS};
    struct ves_audit_head head = {
        .words = words_of(audit, "a head that was verified by", path),
        .is_outside = true};
    struct ves_error why = {.status = VES_OK};
    struct ves_store *store;

    if (!head.words)
        return VES_NOMEM;
    enum ves_status status =
        ves_store_sqlite_open(&options, audit->alloc, &store, &why);
    if (status)
        return cannot(audit, status, path, why.text);
    status = take_rows(audit, stream, store, &head, is_used);
    if (status && status != VES_NOMEM)
        status = cannot(audit, status, path, store->error.text);
    ves_store_sqlite_close(store);
    return status;
}

/* ---- all of them --------------------------------------------------------- */

static enum ves_status take_file(struct ves_audit *audit,
                                 struct ves_audit_stream *stream,
                                 const char *path, bool *is_used)
{
    char mark[MARK_SIZE] = "";
    FILE *file = fopen(path, "rb");

    if (!file)
        return cannot(audit, VES_NOT_FOUND, path, "it cannot be opened");
    size_t len = fread(mark, 1, sizeof(mark), file);
    fclose(file);
    bool is_head_file =
        len >= sizeof(head_file_mark) - 1 &&
        memcmp(mark, head_file_mark, sizeof(head_file_mark) - 1) == 0;
    return is_head_file ? take_head_file(audit, stream, path, is_used)
                        : take_store(audit, stream, path, is_used);
}

/* The key of a witness may be the caller's; the log's own are looked at with
 * the other heads of the store. */
static void check_witnesses(struct ves_audit *audit)
{
    static struct ves_policy policy;
    struct ves_policy_verdict verdict;
    struct ves_checkpoint checkpoint;
    struct ves_note note;

    if (audit->options->policy.len == 0 ||
        ves_policy_read(audit->options->policy, &policy, NULL) ||
        ves_note_read(audit->witnessed, &note, NULL) ||
        ves_checkpoint_read(note.text, &checkpoint, NULL))
        return;
    ves_policy_check(&policy, &note, &checkpoint, &verdict);
    if (verdict.has_bad)
        ves_audit_find(audit, VES_AUDIT_TREE, checkpoint.size,
                       "the newest head that was cosigned has a false line of "
                       "%.*s",
                       (int)(verdict.bad.len < 100 ? verdict.bad.len : 100),
                       (const char *)verdict.bad.ptr);
}

enum ves_status ves_audit_known(struct ves_audit *audit,
                                struct ves_audit_stream *stream)
{
    const struct ves_audit_options *options = audit->options;
    enum ves_status status = VES_OK;

    for (size_t i = 0; i < options->known_count && !status; i++)
        status =
            take_file(audit, stream, options->known[i], &audit->known_used[i]);
    if (!status && audit->published_note.len > 0)
        status = ves_audit_heads_note(audit, stream, audit->published_note,
                                      "the checkpoint that is published");
    if (status || audit->witnessed.len == 0)
        return status;
    check_witnesses(audit);
    return ves_audit_heads_note(audit, stream, audit->witnessed,
                                "the newest head that was cosigned");
}
