/* witnesses.c -- asking witnesses to cosign our heads. */
#include "server/witnesses.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/text.h"
#include "core/add_checkpoint.h"
#include "engine/log_epoch.h"
#include "engine/log_tree.h"
#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/timed.h"
#include "server/server.h"
#include "server/storage.h"

enum {
    PREFIX_MAX = 512,      /* of a witness's URL behind the host */
    REPLY_MAX = 64 * 1024, /* of a witness */
    ROUND_ARENA_MAX = 4 * 1024 * 1024,
    WORDS_MAX = 240
};

/* What one witness is known to have of one stream. */
struct standing {
    struct ves_stream stream;
    uint32_t stream_no;
    uint64_t size;     /* of its head of ours; 0 before it said so */
    uint64_t asked_us; /* when it cosigned last; 0: never */
    uint64_t next_us;  /* not before */
    uint32_t failures; /* in a row */
    bool is_alarmed;   /* it contradicted us, which is said once */
};

struct alarm {
    bool is_set;
    struct ves_stream stream;
    char words[WORDS_MAX];
    struct ves_buf evidence; /* a note of ours that we do not have; or "" */
};

struct peer {
    struct ves_witnesses *witnesses;
    const struct ves_policy_witness *witness;
    char name[128]; /* in log lines */
    char prefix[PREFIX_MAX];
    struct ves_http_client *client;
    struct ves_store *reader;
    struct standing *standings;
    size_t count, cap;
    struct ves_arena arena; /* of one stream's turn */
    pthread_t thread;
    bool is_running;
    struct alarm alarm; /* under the lock */
};

struct ves_witnesses {
    struct ves_server *server;
    struct ves_buf text; /* that policy views */
    struct ves_policy policy;
    struct peer peers[VES_WITNESSES_MAX];
    size_t count;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t signings; /* counts wake-ups */
    atomic_bool is_stopping;
    atomic_bool has_alarm;
};

/* One head on its way to one witness. */
struct turn {
    struct peer *peer;
    struct standing *standing;
    struct ves_tlog_row log;
    struct ves_buf origin;
    struct ves_http_reply reply;
};

static bool is_stopping(void *ctx)
{
    const struct peer *peer = ctx;

    return atomic_load(&peer->witnesses->is_stopping);
}

static void say(const struct peer *peer, enum ves_log_level level,
                const char *event, const char *words, uint64_t size)
{
    const struct ves_log_field fields[] = {{"witness", peer->name, 0},
                                           {"size", NULL, size},
                                           {"message", words, 0}};

    ves_log_write(&peer->witnesses->server->log, level, event, fields, 3);
}

/* ---- when ------------------------------------------------------------------
 */

static void put_off(struct turn *turn)
{
    struct standing *standing = turn->standing;
    uint64_t ms = VES_WITNESSES_RETRY_MS;

    for (uint32_t i = 0;
         i < standing->failures && ms < VES_WITNESSES_RETRY_MAX_MS; i++)
        ms *= 2;
    if (ms > VES_WITNESSES_RETRY_MAX_MS)
        ms = VES_WITNESSES_RETRY_MAX_MS;
    standing->failures++;
    standing->next_us = ves_metric_now_us() + 1000 * ms;
    ves_metric_add(&turn->peer->witnesses->server->metrics.witness_failures, 1);
}

static void fail(struct turn *turn, const char *words)
{
    /* The first of a row is news. */
    say(turn->peer,
        turn->standing->failures == 0 ? VES_LOG_NOTICE : VES_LOG_REQUEST,
        "witness_failed", words, turn->log.signed_size);
    put_off(turn);
}

/* When this stream is due at the witness, after its head was read. */
static uint64_t due_us(const struct turn *turn)
{
    const struct standing *standing = turn->standing;
    uint64_t at = standing->next_us;

    if (turn->log.signed_size == 0 || turn->log.frozen_at_ms)
        return UINT64_MAX;
    if (standing->asked_us && turn->log.signed_size == standing->size) {
        uint64_t again =
            standing->asked_us + UINT64_C(1000) * VES_WITNESSES_REFRESH_MS;
        at = again > at ? again : at;
    }
    return at;
}

/* ---- alarms ----------------------------------------------------------------
 */

/* What the witness has, when it says so: its own word is nothing, but a note
 * that our key signed is. */
static bool is_evidence(struct turn *turn, struct ves_bytes bytes)
{
    struct peer *peer = turn->peer;
    struct ves_server *server = peer->witnesses->server;
    struct ves_note *note =
        ves_arena_alloc(&peer->arena, sizeof(struct ves_note));
    struct ves_checkpoint head;
    struct ves_stream_row stream;
    struct ves_buf own;
    enum ves_log_claim claim;

    if (!note || ves_note_read(bytes, note, NULL) ||
        ves_checkpoint_read(note->text, &head, NULL) ||
        !ves_bytes_equal(head.origin, ves_buf_view(&turn->origin)) ||
        peer->reader->ops->tlog_find(peer->reader, &turn->log.stream_id,
                                     &stream) ||
        ves_log_claim_compare(peer->reader, &stream, &head, &claim) ||
        claim == VES_LOG_AGREES)
        return false;
    ves_buf_init(&own, server->alloc, VES_NOTE_MAX);
    bool is_ours =
        ves_identity_own_lines(&server->identity, head.origin, note, &own);
    ves_buf_free(&own);
    return is_ours;
}

static void fetch_evidence(struct turn *turn, struct ves_buf *evidence)
{
    struct peer *peer = turn->peer;
    char path[PREFIX_MAX + 2 * VES_HASH_SIZE + 16], hex[2 * VES_HASH_SIZE + 1];
    struct ves_http_reply reply;
    struct ves_hash hash;

    ves_sha256_one(turn->origin.ptr, turn->origin.len, &hash);
    ves_hex_encode(hash.b, VES_HASH_SIZE, hex);
    hex[2 * VES_HASH_SIZE] = 0;
    snprintf(path, sizeof(path), "%s/%s/checkpoint", peer->prefix, hex);
    if (ves_http_request(peer->client, "GET", path, ves_bytes(NULL, 0), &reply,
                         NULL) == VES_OK &&
        reply.status == 200 && is_evidence(turn, reply.body))
        ves_buf_put_bytes(evidence, reply.body);
}

static void raise_alarm(struct turn *turn, const char *what, uint64_t size)
{
    struct peer *peer = turn->peer;
    struct ves_witnesses *witnesses = peer->witnesses;
    struct ves_server *server = witnesses->server;
    struct ves_buf evidence;
    char words[WORDS_MAX];

    put_off(turn);
    turn->standing->next_us =
        ves_metric_now_us() + UINT64_C(1000) * VES_WITNESSES_RETRY_MAX_MS;
    if (turn->standing->is_alarmed)
        return;
    turn->standing->is_alarmed = true;
    snprintf(words, sizeof(words),
             "the witness %.60s %s %llu entries; our head has %llu. Was this "
             "database restored from a backup?",
             peer->name, what, (unsigned long long)size,
             (unsigned long long)turn->log.signed_size);
    say(peer, VES_LOG_ERROR, "witness_disagrees", words, turn->log.signed_size);
    ves_metric_add(&server->metrics.witness_alarms, 1);
    ves_buf_init(&evidence, server->alloc, REPLY_MAX);
    fetch_evidence(turn, &evidence);
    pthread_mutex_lock(&witnesses->lock);
    ves_buf_free(&peer->alarm.evidence);
    peer->alarm.evidence = evidence;
    peer->alarm.is_set = true;
    peer->alarm.stream = turn->standing->stream;
    memcpy(peer->alarm.words, words, sizeof(words));
    pthread_mutex_unlock(&witnesses->lock);
    atomic_store(&witnesses->has_alarm, true);
    ves_pipeline_poke(server);
}

bool ves_witnesses_has_alarm(struct ves_witnesses *witnesses)
{
    return witnesses && atomic_load(&witnesses->has_alarm);
}

static enum ves_status keep_alert(struct ves_server *server,
                                  const struct ves_stream *stream,
                                  const char *words)
{
    struct ves_store *store = server->sequencer.store;
    struct ves_stream_row row;
    const struct ves_record record = {.at_ms = ves_clock_now_ms(),
                                      .code = ves_bytes_str("witness"),
                                      .detail = ves_bytes_str(words)};

    enum ves_status status = store->ops->begin(store);
    if (status)
        return status;
    status = store->ops->stream_get(store, stream, false, &row);
    if (!status)
        status = store->ops->record_append(store, VES_RECORD_ALERT,
                                           row.stream_no, &record, 1);
    if (!status)
        status = store->ops->commit(store);
    if (status)
        store->ops->rollback(store);
    return status;
}

void ves_witnesses_settle(struct ves_witnesses *witnesses)
{
    if (!ves_witnesses_has_alarm(witnesses))
        return;
    struct ves_server *server = witnesses->server;
    atomic_store(&witnesses->has_alarm, false);
    for (size_t i = 0; i < witnesses->count; i++) {
        struct alarm alarm;
        pthread_mutex_lock(&witnesses->lock);
        alarm = witnesses->peers[i].alarm;
        witnesses->peers[i].alarm.is_set = false;
        ves_buf_init(&witnesses->peers[i].alarm.evidence, server->alloc,
                     REPLY_MAX);
        pthread_mutex_unlock(&witnesses->lock);
        if (!alarm.is_set)
            continue;
        bool is_ours = alarm.evidence.len > 0;
        enum ves_status status =
            is_ours ? ves_log_freeze(&server->sequencer, &alarm.stream,
                                     ves_bytes_str(alarm.words),
                                     ves_buf_view(&alarm.evidence),
                                     ves_clock_now_ms())
                    : keep_alert(server, &alarm.stream, alarm.words);
        if (is_ours)
            ves_log_say(&server->log, VES_LOG_ERROR, "log_frozen", alarm.words);
        if (status)
            ves_log_say(&server->log, VES_LOG_ERROR, "alert_failed",
                        server->sequencer.store->error.text);
        ves_buf_free(&alarm.evidence);
    }
}

/* ---- asking ----------------------------------------------------------------
 */

/* The lines of a 200: one must be the witness's over what was sent. */
static void take_lines(struct turn *turn)
{
    struct peer *peer = turn->peer;
    struct ves_server *server = peer->witnesses->server;
    const struct ves_note_key *key = &peer->witness->key;
    struct ves_note *note =
        ves_arena_alloc(&peer->arena, sizeof(struct ves_note));
    struct ves_log_cosigned item = {.stream_no = turn->standing->stream_no,
                                    .note = turn->log.note};
    struct ves_buf whole;
    bool is_good = false;

    ves_buf_init(&whole, server->alloc, VES_NOTE_MAX);
    ves_buf_put_bytes(&whole, turn->log.note);
    ves_buf_put_bytes(&whole, turn->reply.body);
    if (note && !ves_buf_status(&whole) &&
        !ves_note_read(ves_buf_view(&whole), note, NULL) &&
        !ves_checkpoint_read(note->text, &item.head, NULL) &&
        ves_note_check(note, key, NULL) == VES_NOTE_GOOD) {
        for (size_t i = 0; i < note->count; i++) {
            if (note->lines[i].key_id == key->id &&
                ves_bytes_equal(note->lines[i].name, key->name))
                is_good = ves_cosigned_line_read(&note->lines[i], &item.line);
        }
    }
    if (is_good) {
        (void)!ves_cosignatures_push(server, &item);
        turn->standing->size = turn->log.signed_size;
        turn->standing->asked_us = ves_metric_now_us();
        turn->standing->next_us = 0;
        if (turn->standing->failures > 0)
            say(peer, VES_LOG_NOTICE, "witness_answers", "it cosigns again",
                turn->log.signed_size);
        turn->standing->failures = 0;
        ves_metric_add(&server->metrics.witness_cosignatures, 1);
    } else {
        fail(turn, "its answer has no good line of its key");
    }
    ves_buf_free(&whole);
}

static enum ves_status write_request(struct turn *turn, struct ves_buf *body)
{
    struct ves_log_source source;
    struct ves_tlog_path path = {.count = 0};
    uint64_t from = turn->standing->size, to = turn->log.signed_size;
    enum ves_status status = VES_OK;

    if (from > 0 && from < to) {
        ves_log_source_init(&source, turn->peer->reader,
                            turn->standing->stream_no, to);
        status =
            ves_tlog_consistency_make(&source.tiles.source, from, to, &path);
    }
    ves_add_checkpoint_write(body, from, &path, turn->log.note);
    return status ? status : ves_buf_status(body);
}

static bool post(struct turn *turn)
{
    struct peer *peer = turn->peer;
    struct ves_error error = {0};
    struct ves_buf body;
    char path[PREFIX_MAX + 32];

    ves_buf_init(&body, peer->witnesses->server->alloc, VES_ADD_CHECKPOINT_MAX);
    snprintf(path, sizeof(path), "%s/add-checkpoint", peer->prefix);
    enum ves_status status = write_request(turn, &body);
    if (status)
        (void)ves_fail(&error, status, "the request cannot be made: %s",
                       ves_status_message(status));
    else
        status = ves_http_request(peer->client, "POST", path,
                                  ves_buf_view(&body), &turn->reply, &error);
    ves_buf_free(&body);
    /* Stopped in between is nobody's failure. */
    if (status && !is_stopping(peer))
        fail(turn, error.text);
    return !status;
}

/* 409: it has another size.  true: worth asking again at once. */
static bool take_size(struct turn *turn)
{
    uint64_t size;

    if (ves_witness_size_read(turn->reply.body, &size)) {
        fail(turn, "a 409 without a size");
        return false;
    }
    if (size > turn->log.signed_size) {
        raise_alarm(turn, "has cosigned a head of ours of", size);
        return false;
    }
    bool is_new = size != turn->standing->size;
    turn->standing->size = size;
    if (!is_new)
        fail(turn, "a 409 with the size that was sent");
    return is_new;
}

static bool ask_once(struct turn *turn)
{
    char words[64];

    if (!post(turn))
        return false;
    switch (turn->reply.status) {
    case VES_WITNESS_OK:
        take_lines(turn);
        return false;
    case VES_WITNESS_CONFLICT:
        return take_size(turn);
    case VES_WITNESS_INCONSISTENT:
        raise_alarm(turn, "does not find our head to grow from its own of",
                    turn->standing->size);
        return false;
    default:
        snprintf(words, sizeof(words), "HTTP %u%s", turn->reply.status,
                 turn->reply.status == VES_WITNESS_UNKNOWN
                     ? ": it does not know this log"
                 : turn->reply.status == VES_WITNESS_FORBIDDEN
                     ? ": it does not know our key"
                     : "");
        fail(turn, words);
        return false;
    }
}

/* ---- rounds ----------------------------------------------------------------
 */

static enum ves_status note_stream(void *ctx, const struct ves_stream_row *row)
{
    struct peer *peer = ctx;
    const struct ves_alloc *alloc = peer->witnesses->server->alloc;

    for (size_t i = 0; i < peer->count; i++) {
        if (peer->standings[i].stream_no == row->stream_no)
            return VES_OK;
    }
    if (peer->count == peer->cap) {
        size_t cap = peer->cap ? 2 * peer->cap : 8;
        struct standing *more = alloc->realloc(alloc->ctx, peer->standings,
                                               cap * sizeof(*peer->standings));
        if (!more)
            return VES_NOMEM;
        peer->standings = more;
        peer->cap = cap;
    }
    peer->standings[peer->count++] =
        (struct standing){.stream = row->stream, .stream_no = row->stream_no};
    return VES_OK;
}

/* One stream's turn; when the next one is due. */
static uint64_t run_turn(struct peer *peer, struct standing *standing)
{
    struct ves_server *server = peer->witnesses->server;
    struct turn turn = {.peer = peer, .standing = standing};
    uint64_t at = UINT64_MAX;

    ves_arena_reset(&peer->arena);
    if (peer->reader->ops->tlog_get(peer->reader, standing->stream_no,
                                    &peer->arena, &turn.log))
        return at;
    at = due_us(&turn);
    if (at > ves_metric_now_us())
        return at;
    ves_buf_init(&turn.origin, server->alloc, VES_ORIGIN_MAX);
    bool is_named = ves_log_origin_write(&turn.origin, &server->sequencer,
                                         peer->reader, standing->stream_no,
                                         &turn.log.stream_id) == VES_OK;
    /* Twice: a witness that has another size says which. */
    if (is_named && ask_once(&turn) && !is_stopping(peer))
        (void)ask_once(&turn);
    ves_buf_free(&turn.origin);
    return due_us(&turn);
}

/* Sleeps until heads were signed, something is due, or the end; false: the
 * end. */
static bool wait_until(struct peer *peer, uint64_t *signings, uint64_t at_us)
{
    struct ves_witnesses *witnesses = peer->witnesses;
    uint64_t now = ves_metric_now_us();
    uint64_t soonest = now + UINT64_C(1000) * VES_WITNESSES_PAUSE_MS;
    struct timespec end;

    if (at_us < soonest)
        at_us = soonest;
    if (at_us - now > UINT64_C(1000000) * 3600)
        at_us = now + UINT64_C(1000000) * 3600;
    pthread_mutex_lock(&witnesses->lock);
    for (;;) {
        now = ves_metric_now_us();
        uint64_t until = *signings != witnesses->signings ? soonest : at_us;
        if (now >= until || atomic_load(&witnesses->is_stopping))
            break;
        end.tv_sec = (time_t)(until / 1000000);
        end.tv_nsec = (long)(until % 1000000) * 1000;
        pthread_cond_timedwait(&witnesses->changed, &witnesses->lock, &end);
    }
    *signings = witnesses->signings;
    pthread_mutex_unlock(&witnesses->lock);
    return !atomic_load(&witnesses->is_stopping);
}

static void *run(void *ctx)
{
    struct peer *peer = ctx;
    uint64_t signings = 0, at;

    do {
        at = UINT64_MAX;
        if (peer->reader->ops->stream_list(peer->reader, note_stream, peer))
            say(peer, VES_LOG_NOTICE, "witness_failed",
                "the streams cannot be listed", 0);
        for (size_t i = 0; i < peer->count && !is_stopping(peer); i++) {
            uint64_t next = run_turn(peer, &peer->standings[i]);
            at = next < at ? next : at;
        }
    } while (wait_until(peer, &signings, at));
    return NULL;
}

void ves_witnesses_wake(struct ves_witnesses *witnesses)
{
    if (!witnesses)
        return;
    pthread_mutex_lock(&witnesses->lock);
    witnesses->signings++;
    pthread_cond_broadcast(&witnesses->changed);
    pthread_mutex_unlock(&witnesses->lock);
}

/* ---- life ------------------------------------------------------------------
 */

/* "https://host:port" and what stands behind it. */
static enum ves_status split_url(struct peer *peer, char *base, size_t size,
                                 struct ves_error *error)
{
    const struct ves_policy_witness *witness = peer->witness;
    const char *url = (const char *)witness->url.ptr;
    size_t len = witness->url.len, at = 0;

    for (size_t slashes = 0; at < len; at++) {
        slashes += url[at] == '/';
        if (slashes == 3)
            break;
    }
    size_t rest = len - at;
    while (rest > 0 && url[at + rest - 1] == '/')
        rest--;
    bool is_plain = at < size && rest < sizeof(peer->prefix);
    for (size_t i = 0; i < rest && is_plain; i++)
        is_plain = (uint8_t)url[at + i] > 0x20 && (uint8_t)url[at + i] < 0x7F &&
                   url[at + i] != '?' && url[at + i] != '#';
    if (!is_plain)
        return ves_fail(error, VES_INVALID,
                        "the URL of the witness %s is not one that paths can "
                        "be added to",
                        peer->name);
    snprintf(base, size, "%.*s", (int)at, url);
    snprintf(peer->prefix, sizeof(peer->prefix), "%.*s", (int)rest, url + at);
    return VES_OK;
}

static enum ves_status open_peer(struct peer *peer, struct ves_error *error)
{
    struct ves_server *server = peer->witnesses->server;
    struct ves_error why = {0};
    char base[1024];
    struct ves_hash ignored;

    snprintf(peer->name, sizeof(peer->name), "%.*s",
             (int)peer->witness->name.len,
             (const char *)peer->witness->name.ptr);
    if (ves_origin_stream(peer->witness->key.name, &ignored))
        return ves_fail(error, VES_INVALID,
                        "the witness %s has the name of a log", peer->name);
    enum ves_status status = split_url(peer, base, sizeof(base), error);
    if (status)
        return status;
    const struct ves_http_options options = {
        .url = base,
        .timeout_ms = VES_WITNESSES_TIMEOUT_MS,
        .content_type = "text/plain; charset=utf-8",
        .reply_max = REPLY_MAX,
        .is_stopped = is_stopping,
        .is_stopped_ctx = peer};
    status = ves_http_client_open(&options, server->alloc, &peer->client, &why);
    return status ? ves_fail(error, status, "the witness %s: %s", peer->name,
                             why.text)
                  : VES_OK;
}

static enum ves_status read_policy(struct ves_witnesses *witnesses,
                                   const char *path, struct ves_error *error)
{
    struct ves_error why = {0};

    enum ves_status status = ves_file_read(path, &witnesses->text, error);
    if (status)
        return status;
    status = ves_policy_read(ves_buf_view(&witnesses->text), &witnesses->policy,
                             &why);
    if (status)
        return ves_fail(error, status, "%s: %s", path, why.text);
    for (size_t i = 0; i < witnesses->policy.witness_count; i++) {
        const struct ves_policy_witness *witness =
            &witnesses->policy.witnesses[i];
        if (witness->url.len == 0)
            continue;
        if (witnesses->count == VES_WITNESSES_MAX)
            return ves_fail(error, VES_LIMIT,
                            "%s: more than %d witnesses have a URL", path,
                            (int)VES_WITNESSES_MAX);
        struct peer *peer = &witnesses->peers[witnesses->count++];
        peer->witnesses = witnesses;
        peer->witness = witness;
        ves_arena_init(&peer->arena, witnesses->server->alloc, ROUND_ARENA_MAX);
        ves_buf_init(&peer->alarm.evidence, witnesses->server->alloc,
                     REPLY_MAX);
    }
    return witnesses->count > 0
               ? VES_OK
               : ves_fail(error, VES_INVALID,
                          "%s: no witness has a URL, so there is nobody to "
                          "ask",
                          path);
}

enum ves_status
ves_witnesses_open(struct ves_server *server,
                   const struct ves_serve_options *options,
                   enum ves_status (*open)(void *ctx, struct ves_store **store,
                                           struct ves_error *error),
                   void *ctx, struct ves_error *error)
{
    const struct ves_alloc *alloc = server->alloc;

    if (!options->witness_policy)
        return VES_OK;
    struct ves_witnesses *witnesses =
        alloc->realloc(alloc->ctx, NULL, sizeof(*witnesses));
    if (!witnesses)
        return ves_fail(error, VES_NOMEM, "out of memory");
    memset(witnesses, 0, sizeof(*witnesses));
    witnesses->server = server;
    ves_buf_init(&witnesses->text, alloc, VES_POLICY_MAX);
    pthread_mutex_init(&witnesses->lock, NULL);
    ves_timed_cond_init(&witnesses->changed);
    server->witnesses = witnesses;
    enum ves_status status =
        read_policy(witnesses, options->witness_policy, error);
    for (size_t i = 0; i < witnesses->count && !status; i++) {
        struct peer *peer = &witnesses->peers[i];
        status = open_peer(peer, error);
        if (!status)
            status = open(ctx, &peer->reader, error);
    }
    return status;
}

enum ves_status ves_witnesses_run(struct ves_witnesses *witnesses,
                                  struct ves_error *error)
{
    for (size_t i = 0; witnesses && i < witnesses->count; i++) {
        struct peer *peer = &witnesses->peers[i];
        peer->is_running = pthread_create(&peer->thread, NULL, run, peer) == 0;
        if (!peer->is_running)
            return ves_fail(error, VES_NOMEM, "no more threads can be made");
    }
    return VES_OK;
}

void ves_witnesses_stop(struct ves_witnesses *witnesses)
{
    if (!witnesses)
        return;
    atomic_store(&witnesses->is_stopping, true);
    ves_witnesses_wake(witnesses);
    for (size_t i = 0; i < witnesses->count; i++) {
        struct peer *peer = &witnesses->peers[i];
        if (peer->is_running)
            pthread_join(peer->thread, NULL);
        peer->is_running = false;
    }
}

void ves_witnesses_free(struct ves_witnesses *witnesses)
{
    if (!witnesses)
        return;
    const struct ves_alloc *alloc = witnesses->server->alloc;
    for (size_t i = 0; i < witnesses->count; i++) {
        struct peer *peer = &witnesses->peers[i];
        ves_http_client_close(peer->client);
        ves_storage_close(peer->reader);
        ves_arena_free(&peer->arena);
        ves_buf_free(&peer->alarm.evidence);
        alloc->realloc(alloc->ctx, peer->standings, 0);
    }
    pthread_cond_destroy(&witnesses->changed);
    pthread_mutex_destroy(&witnesses->lock);
    ves_buf_free(&witnesses->text);
    alloc->realloc(alloc->ctx, witnesses, 0);
}
