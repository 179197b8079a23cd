/* audit.c -- a store checked from its first event on: copy, walk, replay. */
#include "audit/audit.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/random.h"
#include "store/sqlite_api.h"
#include "json/json.h"

enum { BUSY_TIMEOUT_MS = 10000, ARENA_MAX = 1024 * 1024 * 1024 };

/* ---- findings ------------------------------------------------------------ */

void ves_audit_count(struct ves_audit *audit, enum ves_audit_id check,
                     uint64_t count)
{
    pthread_mutex_lock(&audit->lock);
    audit->checks[check].examined += count;
    pthread_mutex_unlock(&audit->lock);
}

__attribute__((format(printf, 5, 0))) static void
find(struct ves_audit *audit, uint32_t stream_no, enum ves_audit_id check,
     uint64_t sequence, const char *format, va_list args)
{
    pthread_mutex_lock(&audit->lock);
    audit->checks[check].problems++;
    if (audit->finding_count++ < VES_AUDIT_FINDINGS_MAX) {
        struct ves_audit_finding *finding =
            audit->alloc->realloc(audit->alloc->ctx, NULL, sizeof(*finding));
        if (finding) {
            memset(finding, 0, sizeof(*finding));
            finding->check = check;
            finding->stream_no = stream_no;
            finding->sequence = sequence;
            vsnprintf(finding->text, sizeof(finding->text), format, args);
            *audit->findings_end = finding;
            audit->findings_end = &finding->next;
        }
    }
    pthread_mutex_unlock(&audit->lock);
}

void ves_audit_find(struct ves_audit *audit, enum ves_audit_id check,
                    uint64_t sequence, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    find(audit, audit->walked, check, sequence, format, args);
    va_end(args);
}

void ves_audit_find_in(struct ves_audit *audit, uint32_t stream_no,
                       enum ves_audit_id check, uint64_t sequence,
                       const char *format, ...)
{
    va_list args;

    va_start(args, format);
    find(audit, stream_no, check, sequence, format, args);
    va_end(args);
}

void ves_audit_unknown(struct ves_audit *audit, enum ves_audit_id check,
                       const char *format, ...)
{
    va_list args;

    pthread_mutex_lock(&audit->lock);
    if (audit->checks[check].unknown++ == 0) {
        va_start(args, format);
        ves_vfail(&audit->checks[check].reason, VES_OK, format, args);
        va_end(args);
    }
    pthread_mutex_unlock(&audit->lock);
}

/* ---- the copy ------------------------------------------------------------ */

static enum ves_status open_original(struct ves_audit *audit,
                                     struct ves_store **out)
{
    struct ves_store_sqlite_options options = {.path = audit->path,
                                               .is_read_only = true,
                                               .role = VES_STORE_DEVICE,
                                               .busy_timeout_ms =
                                                   BUSY_TIMEOUT_MS};
    struct ves_error why = {.status = VES_OK};

    enum ves_status status =
        ves_store_sqlite_open(&options, audit->alloc, out, &why);
    if (status == VES_INVALID) {
        options.role = VES_STORE_SEQUENCER;
        status = ves_store_sqlite_open(&options, audit->alloc, out, &why);
    }
    audit->role = options.role;
    if (!audit->kind)
        audit->kind = audit->role == VES_STORE_DEVICE ? "device" : "database";
    return status ? ves_fail(audit->error, status, "%s", why.text) : VES_OK;
}

static enum ves_status make_folder(struct ves_audit *audit)
{
    const char *work = audit->options->work_dir;

    int n = snprintf(audit->folder, sizeof(audit->folder),
                     "%s/ves-audit.XXXXXX", work);
    if (n < 0 || (size_t)n >= sizeof(audit->folder) ||
        !mkdtemp(audit->folder)) {
        audit->folder[0] = '\0';
        return ves_fail(audit->error, VES_IO,
                        "no folder can be made in %s for the copy", work);
    }
    snprintf(audit->copy, sizeof(audit->copy), "%s/copy.db", audit->folder);
    snprintf(audit->pulled, sizeof(audit->pulled), "%s/pulled.db",
             audit->folder);
    return VES_OK;
}

/* Whoever judges the copy writes while it is read, which only a WAL allows: a
 * file that VACUUM INTO made has none, and its writer would wait for the end
 * of the log. */
static enum ves_status open_to_writers(struct ves_audit *audit)
{
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(audit->copy, &db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_exec(db, "PRAGMA synchronous = OFF; PRAGMA journal_mode = WAL",
                     NULL, NULL, NULL) != SQLITE_OK)
        ves_fail(audit->error, VES_IO, "the copy %s: %s", audit->copy,
                 sqlite3_errmsg(db));
    else
        audit->error->status = VES_OK;
    sqlite3_close(db);
    return audit->error->status;
}

static enum ves_status make_copy(struct ves_audit *audit)
{
    struct ves_store *original;

    enum ves_status status = open_original(audit, &original);
    if (status)
        return status;
    status = ves_store_sqlite_copy(original, audit->copy, audit->error);
    ves_store_sqlite_close(original);
    return status ? status : open_to_writers(audit);
}

static void remove_copy(struct ves_audit *audit)
{
    static const char *const ends[] = {
        "", "-wal", "-shm", "-journal", ".key", ".credential", ".lock"};
    char path[sizeof(audit->copy) + 16];

    if (!audit->folder[0])
        return;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        snprintf(path, sizeof(path), "%s%s", audit->copy, ends[i]);
        (void)unlink(path);
        snprintf(path, sizeof(path), "%s%s", audit->pulled, ends[i]);
        (void)unlink(path);
    }
    (void)rmdir(audit->folder);
}

/* ---- what the store knows ------------------------------------------------ */

/* A device pins lines "VERSION HEX"; a sequencer keeps its own history as a
 * JSON array. */
static bool read_pin(struct ves_audit *audit, struct ves_bytes line)
{
    struct ves_audit_sequencer_key *key = &audit->keys[audit->key_count];
    const uint8_t *space = memchr(line.ptr, ' ', line.len);
    uint64_t version;

    if (!space || audit->key_count == VES_AUDIT_KEYS_MAX)
        return false;
    size_t n = (size_t)(space - line.ptr);
    if (ves_decimal_parse(ves_bytes(line.ptr, n), &version) ||
        ves_hex_decode(ves_bytes(space + 1, line.len - n - 1), key->key.b,
                       VES_KEY_SIZE))
        return false;
    key->version = (uint32_t)version;
    audit->key_count++;
    return true;
}

static bool read_pins(struct ves_audit *audit, struct ves_bytes text)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t n = end ? (size_t)(end - text.ptr) : text.len;
        if (!read_pin(audit, ves_bytes(text.ptr, n)))
            return false;
        n += end ? 1 : 0;
        text = ves_bytes(text.ptr + n, text.len - n);
    }
    return true;
}

static bool read_history(struct ves_audit *audit, struct ves_bytes text)
{
    const struct ves_json *root;

    if (ves_json_read(&audit->arena, text, NULL, &root, NULL) ||
        root->type != VES_JSON_ARRAY)
        return false;
    for (const struct ves_json *item = root->first; item; item = item->next) {
        struct ves_audit_sequencer_key *key = &audit->keys[audit->key_count];
        struct ves_bytes hex;
        uint64_t version;
        if (audit->key_count == VES_AUDIT_KEYS_MAX ||
            !ves_json_get_u64(item, "version", &version) ||
            !ves_json_get_string(item, "publicKey", &hex) ||
            ves_hex_decode(hex, key->key.b, VES_KEY_SIZE))
            return false;
        key->version = (uint32_t)version;
        audit->key_count++;
    }
    return true;
}

static enum ves_status read_keys(struct ves_audit *audit)
{
    struct ves_store *store = audit->store;
    struct ves_bytes text;

    enum ves_status status =
        store->ops->meta_get(store, "sequencer.keys", &audit->arena, &text);
    if (status == VES_NOT_FOUND)
        return VES_OK;
    if (status)
        return ves_fail(audit->error, status, "%s", store->error.text);
    bool is_read = audit->role == VES_STORE_DEVICE ? read_pins(audit, text)
                                                   : read_history(audit, text);
    if (!is_read)
        ves_audit_find(audit, VES_AUDIT_RECEIPTS, 0,
                       "the sequencer's keys in the store are not readable");
    return VES_OK;
}

static enum ves_status take_stream(void *ctx, const struct ves_stream_row *row)
{
    struct ves_audit *audit = ctx;
    struct ves_audit_stream *stream =
        ves_arena_alloc(&audit->arena, sizeof(*stream));
    struct ves_audit_stream **end = &audit->streams;

    if (!stream)
        return VES_NOMEM;
    stream->row = *row;
    while (*end)
        end = &(*end)->next;
    *end = stream;
    audit->total += row->head;
    return VES_OK;
}

static enum ves_status open_copy(struct ves_audit *audit)
{
    const struct ves_store_sqlite_options options = {.path = audit->copy,
                                                     .is_read_only = true,
                                                     .role = audit->role,
                                                     .busy_timeout_ms =
                                                         BUSY_TIMEOUT_MS};

    enum ves_status status = ves_store_sqlite_open(&options, audit->alloc,
                                                   &audit->store, audit->error);
    if (status)
        return status;
    ves_audit_file_start(audit);
    status = read_keys(audit);
    if (!status)
        status =
            audit->store->ops->stream_list(audit->store, take_stream, audit);
    return status;
}

/* ---- the run ------------------------------------------------------------- */

static enum ves_status read_all(struct ves_audit *audit)
{
    enum ves_status status = VES_OK;

    for (struct ves_audit_stream *s = audit->streams; s && !status; s = s->next)
        status = ves_audit_walk(audit, s);
    if (!status && audit->role == VES_STORE_DEVICE)
        status = ves_audit_outbox(audit);
    enum ves_status flushed = ves_audit_checker_flush(audit);
    return status ? status : flushed;
}

static enum ves_status examine_store(struct ves_audit *audit)
{
    struct ves_audit_replay replay;

    enum ves_status status = make_copy(audit);
    if (status)
        return status;
    ves_audit_replay_prepare(&replay, audit);
    status = open_copy(audit);
    if (!status)
        status = ves_audit_checker_start(audit);
    if (!status) {
        ves_audit_replay_start(&replay);
        status = read_all(audit);
    }
    ves_audit_replay_end(&replay, status == VES_OK);
    ves_audit_file_end(audit);
    if (!status)
        ves_audit_tree_heads(audit);
    for (const struct ves_audit_stream *s = audit->streams; s; s = s->next) {
        if (s->pruned > 0)
            ves_audit_unknown(audit, VES_AUDIT_EVENTS,
                              "%llu bodies were pruned: their hashes and "
                              "signatures are checked, their payloads are gone",
                              (unsigned long long)s->pruned);
    }
    return status;
}

static enum ves_status examine(struct ves_audit *audit)
{
    const struct ves_audit_options *options = audit->options;
    enum ves_status status = VES_OK;

    audit->path = audit->label = options->path;
    audit->heads_met = ves_arena_alloc(&audit->arena, options->head_count);
    audit->heads_missed = ves_arena_alloc(&audit->arena, options->head_count);
    audit->known_used = ves_arena_alloc(&audit->arena, options->known_count);
    if (!audit->heads_met || !audit->heads_missed || !audit->known_used)
        return VES_NOMEM;
    if (options->tiles_dir)
        return ves_audit_folder(audit);
    status = make_folder(audit);
    if (!status && options->url) {
        status = ves_audit_remote(audit);
        audit->path = audit->pulled;
    }
    return status ? status : examine_store(audit);
}

static void forget(struct ves_audit *audit)
{
    ves_audit_checker_stop(audit);
    if (audit->store)
        ves_store_sqlite_close(audit->store);
    remove_copy(audit);
    while (audit->findings) {
        struct ves_audit_finding *next = audit->findings->next;
        audit->alloc->realloc(audit->alloc->ctx, audit->findings, 0);
        audit->findings = next;
    }
    ves_arena_free(&audit->arena);
    pthread_mutex_destroy(&audit->lock);
}

static enum ves_status run_once(const struct ves_audit_options *options,
                                bool ignores_resume, struct ves_jw *jw,
                                enum ves_audit_verdict *verdict,
                                struct ves_error *error)
{
    const struct ves_alloc *alloc = ves_alloc_default();
    int64_t started_ms = ves_clock_monotonic_ms();

    struct ves_audit *audit = alloc->realloc(alloc->ctx, NULL, sizeof(*audit));
    if (!audit)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(audit, 0, sizeof(*audit));
    audit->alloc = alloc;
    audit->options = options;
    audit->ignores_resume = ignores_resume;
    audit->error = error;
    audit->findings_end = &audit->findings;
    pthread_mutex_init(&audit->lock, NULL);
    ves_arena_init(&audit->arena, alloc, ARENA_MAX);
    enum ves_status status =
        ves_random(audit->secret.b, sizeof(audit->secret.b), error);
    if (!status)
        status = examine(audit);
    if (status == VES_AGAIN)
        ves_fail(error, status, "stopped at event %llu of %llu",
                 (unsigned long long)audit->done,
                 (unsigned long long)audit->total);
    else if (status == VES_NOMEM)
        ves_fail(error, status, "out of memory; the audit was not finished");
    else if (!status)
        *verdict =
            ves_audit_report(audit, jw, ves_clock_monotonic_ms() - started_ms);
    if (!status && options->resume_path)
        (void)unlink(options->resume_path);
    forget(audit);
    alloc->realloc(alloc->ctx, audit, 0);
    return status;
}

enum ves_status ves_audit_run(const struct ves_audit_options *options,
                              struct ves_jw *jw,
                              enum ves_audit_verdict *verdict,
                              struct ves_error *error)
{
    *verdict = VES_AUDIT_WRONG;
    if (ves_crypto_init())
        return ves_fail(error, VES_IO, VES_CRYPTO_WORDS);
    enum ves_status status = run_once(options, false, jw, verdict, error);
    /* What an earlier run kept is of another store: from the beginning. */
    if (status == VES_CONFLICT && options->resume_path)
        status = run_once(options, true, jw, verdict, error);
    return status ? status : ves_jw_status(jw);
}
