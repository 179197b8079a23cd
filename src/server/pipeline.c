/* pipeline.c -- ingest: many prepare, one commits, everybody is answered. */
#include "server/pipeline.h"

#include <string.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/uuid.h"
#include "os/clock.h"
#include "os/process.h"
#include "os/random.h"
#include "server/routes.h"
#include "server/server.h"
#include "server/trail.h"

/* ---- workers ------------------------------------------------------------- */

static bool is_crowded(struct ves_pipeline *pipeline)
{
    return atomic_load(&pipeline->events) >= VES_PIPELINE_EVENTS_MAX;
}

static void wait_for_room(struct ves_pipeline *pipeline)
{
    pthread_mutex_lock(&pipeline->room_lock);
    while (is_crowded(pipeline))
        pthread_cond_wait(&pipeline->room, &pipeline->room_lock);
    pthread_mutex_unlock(&pipeline->room_lock);
}

void ves_pipeline_forget(struct ves_server *server, size_t events)
{
    struct ves_pipeline *pipeline = &server->pipeline;
    size_t before = atomic_fetch_sub(&pipeline->events, events);
    if (before < VES_PIPELINE_EVENTS_MAX ||
        before - events >= VES_PIPELINE_EVENTS_MAX)
        return;
    pthread_mutex_lock(&pipeline->room_lock);
    pthread_cond_broadcast(&pipeline->room);
    pthread_mutex_unlock(&pipeline->room_lock);
}

/* Reads and prepares; false when it is answered already. */
static bool prepare(struct ves_server *server, struct ves_request *request)
{
    struct ves_ingest *ingest = &request->ingest;
    struct ves_key_source keys = ves_keyring_source(&server->keyring);
    struct ves_bytes body = ves_bytes(request->body, request->body_len);
    if (!ves_request_has_room(request))
        return false;
    enum ves_status status =
        ves_ingest_read(ingest, server->alloc, body, &request->caller);
    if (!status) {
        request->has_ingest = true;
        request->prepared = ingest->count;
        atomic_fetch_add(&server->pipeline.events, ingest->count);
        ves_metric_add(&server->metrics.events_ingested, ingest->count);
        ves_metric_size(&server->metrics.request_events, ingest->count);
        if (ingest->http_status != 200) {
            ves_reply_error(request, ingest->http_status, NULL, "%s",
                            ingest->error.text);
            return false;
        }
        status = ves_ingest_prepare(ingest, server->alloc, &keys,
                                    ves_pool_verifier(server->pool),
                                    server->sequencer.require_v2);
    }
    if (status)
        ves_reply_status(request, status, NULL);
    return !status;
}

static void *work(void *ctx)
{
    struct ves_server *server = ctx;
    struct ves_pipeline *pipeline = &server->pipeline;
    struct ves_request *list;
    ves_thread_name("ves-prepare");
    /* Everybody waits for the committer, and there is one of it. */
    ves_thread_give_way();
    while ((list = ves_queue_take(&pipeline->prepare, pipeline->worker_count,
                                  VES_PIPELINE_SHARE_MAX,
                                  VES_PIPELINE_SHARE_BYTES))) {
        struct ves_request *first = NULL;
        struct ves_request **end = &first;
        while (list) {
            struct ves_request *request = list;
            list = request->next;
            request->next = NULL;
            if (is_crowded(pipeline)) {
                /* What is prepared makes room only once it is committed. */
                if (first)
                    (void)!ves_queue_push(&pipeline->commit, first);
                first = NULL;
                end = &first;
                wait_for_room(pipeline);
            }
            bool is_ready = prepare(server, request);
            atomic_fetch_sub(&pipeline->coming, request->body_len);
            if (!is_ready) {
                ves_http_resume(request);
                continue;
            }
            *end = request;
            end = &request->next;
        }
        /* The committer's queue closes only after the workers have ended. */
        if (first)
            (void)!ves_queue_push(&pipeline->commit, first);
    }
    return NULL;
}

/* ---- committer ----------------------------------------------------------- */

struct group {
    struct ves_request *requests[VES_PIPELINE_GROUP_REQUESTS_MAX];
    struct ves_ingest *ingests[VES_PIPELINE_GROUP_REQUESTS_MAX];
    struct ves_uuid batch_ids[VES_PIPELINE_GROUP_REQUESTS_MAX];
    uint8_t random[VES_PIPELINE_GROUP_REQUESTS_MAX][8];
    size_t count;
    size_t events;
};

static void count_outcome(struct ves_server *server,
                          const struct ves_ingest *ingest)
{
    struct ves_metrics *metrics = &server->metrics;
    ves_metric_add(&metrics->events_sequenced, ingest->accepted);
    ves_metric_add(&metrics->events_replayed, ingest->replayed);
    ves_metric_add(&metrics->events_rejected, ingest->refused);
    ves_metric_add(&metrics->events_verified,
                   ingest->accepted + ingest->replayed);
}

/* Commits count requests of a group from first on. */
static enum ves_status commit(struct ves_server *server, struct group *group,
                              size_t first, size_t count)
{
    struct ves_error error = {0};
    int64_t now_ms = ves_clock_now_ms();
    uint64_t start = ves_metric_now_us();
    enum ves_status status =
        ves_random(group->random, count * sizeof(group->random[0]), &error);
    for (size_t i = 0; i < count; i++)
        ves_uuid_make_v7((uint64_t)now_ms, (uint16_t)(first + i),
                         group->random[i], &group->batch_ids[first + i]);
    if (!status)
        status =
            ves_sequencer_commit(&server->sequencer, group->ingests + first,
                                 count, group->batch_ids + first, now_ms);
    if (status) {
        const char *words =
            error.text[0] ? error.text : server->sequencer.store->error.text;
        const struct ves_log_field fields[] = {
            {"status", ves_status_name(status), 0},
            {"requests", NULL, count},
            {"message", words, 0}};
        ves_metric_add(&server->metrics.commit_failures, 1);
        ves_log_write(&server->log, VES_LOG_ERROR, "commit_failed", fields, 3);
        return status;
    }
    ves_metric_add(&server->metrics.commit_groups, 1);
    ves_metric_time(&server->metrics.commit_us, ves_metric_now_us() - start);
    return VES_OK;
}

static void answer(struct ves_server *server, struct ves_request *request,
                   enum ves_status status)
{
    if (status == VES_NOMEM || status == VES_LIMIT)
        ves_reply_error(request, 503, NULL,
                        "not enough memory for this request now; nothing was "
                        "stored: send fewer events at a time, or later");
    else if (status == VES_IO)
        /* A database that is a network away may not even say that it failed. */
        ves_reply_error(request, 503, NULL,
                        "the store did not confirm the events: send the same "
                        "again later, what it holds keeps its number");
    else if (status)
        ves_reply_error(request, 503, NULL,
                        "the events could not be stored (%s); nothing was "
                        "stored: send the same again later",
                        ves_status_message(status));
    else if (request->ingest.http_status != 200)
        ves_reply_error(request, request->ingest.http_status, "LOG_FROZEN",
                        "%s", request->ingest.error.text);
    else
        count_outcome(server, &request->ingest);
    ves_http_resume(request);
}

static void commit_group(struct ves_server *server, struct group *group)
{
    if (group->count == 0)
        return;
    ves_metric_size(&server->metrics.group_events, group->events);
    enum ves_status status = commit(server, group, 0, group->count);
    for (size_t i = 0; i < group->count; i++) {
        enum ves_status own = status;
        /* One request must not take the others down with it; a store that
         * cannot write will not do so for one of them either. */
        if (status && status != VES_IO && status != VES_BUSY &&
            group->count > 1)
            own = commit(server, group, i, 1);
        /* Noted first: once it is answered, it is not ours any more. */
        if (!own && group->ingests[i]->accepted > 0) {
            ves_checkpoints_note(server, &group->ingests[i]->stream);
            ves_followers_note(server, &group->ingests[i]->stream);
            ves_refresh_note(server, &group->ingests[i]->stream);
        }
        answer(server, group->requests[i], own);
    }
    group->count = group->events = 0;
}

static void add(struct group *group, struct ves_request *request)
{
    group->requests[group->count] = request;
    group->ingests[group->count++] = &request->ingest;
    group->events += request->ingest.count;
}

static bool is_full(const struct group *group, const struct ves_request *next)
{
    return group->count == VES_PIPELINE_GROUP_REQUESTS_MAX ||
           (group->count > 0 &&
            group->events + next->ingest.count > VES_PIPELINE_GROUP_EVENTS_MAX);
}

static void run_write(struct ves_request *request)
{
    uint64_t no;
    if (request->route->access != VES_ACCESS_ADMIN) {
        request->route->handle(request);
        return;
    }
    if (ves_trail_begin(request, &no)) {
        ves_reply_error(request, 503, NULL,
                        "what administrators do is written down first, and "
                        "that failed; nothing was done");
        return;
    }
    request->route->handle(request);
    ves_trail_end(request, no);
}

static void run_list(struct ves_server *server, struct group *group,
                     struct ves_request *list)
{
    while (list) {
        struct ves_request *request = list;
        list = request->next;
        request->next = NULL;
        if (request->route->kind == VES_ROUTE_INGEST) {
            if (is_full(group, request))
                commit_group(server, group);
            add(group, request);
            continue;
        }
        request->store = server->sequencer.store;
        run_write(request);
        request->store = NULL;
        ves_http_resume(request);
    }
    commit_group(server, group);
}

/* What is there, and what comes while it is worth waiting for. */
static struct ves_request *take_group(struct ves_pipeline *pipeline)
{
    ves_queue_gather(&pipeline->commit, &pipeline->coming,
                     VES_PIPELINE_GROUP_EVENTS_MAX, VES_PIPELINE_GATHER_MS);
    return ves_queue_take_group(&pipeline->commit,
                                VES_PIPELINE_GROUP_REQUESTS_MAX,
                                VES_PIPELINE_GROUP_EVENTS_MAX);
}

/* Until something other than a request is to be done. */
static unsigned wait_ms(struct ves_server *server)
{
    return ves_witnesses_has_alarm(server->witnesses)
               ? 0
               : ves_cosignatures_wait_ms(server);
}

static void run_errands(struct ves_server *server)
{
    if (ves_checkpoints_keep(server))
        ves_witnesses_wake(server->witnesses);
    if (ves_cosignatures_wait_ms(server) == 0)
        ves_cosignatures_store(server);
    ves_witnesses_settle(server->witnesses);
}

static void *commit_all(void *ctx)
{
    struct ves_server *server = ctx;
    struct group group;
    struct ves_request *list;
    ves_thread_name("ves-commit");
    group.count = group.events = 0;
    struct ves_pipeline *pipeline = &server->pipeline;
    for (;;) {
        bool is_there = ves_queue_wait(&pipeline->commit, wait_ms(server));
        run_errands(server);
        if (!is_there)
            continue;
        if (!(list = take_group(pipeline)))
            break;
        run_list(server, &group, list);
    }
    ves_checkpoints_finish(server);
    ves_cosignatures_store(server);
    return NULL;
}

/* ---- life ---------------------------------------------------------------- */

static void join_workers(struct ves_pipeline *pipeline)
{
    ves_queue_close(&pipeline->prepare);
    for (unsigned i = 0; i < pipeline->started_count; i++)
        pthread_join(pipeline->workers[i], NULL);
}

enum ves_status ves_pipeline_start(struct ves_server *server, unsigned workers,
                                   struct ves_error *error)
{
    struct ves_pipeline *pipeline = &server->pipeline;
    if (workers > VES_PIPELINE_WORKERS_MAX)
        workers = VES_PIPELINE_WORKERS_MAX;
    memset(pipeline, 0, sizeof(*pipeline));
    /* Never destroyed: the last answers are made after the stop. */
    pthread_mutex_init(&pipeline->room_lock, NULL);
    pthread_cond_init(&pipeline->room, NULL);
    ves_queue_init(&pipeline->prepare, VES_LANE_PREPARE);
    ves_queue_init(&pipeline->commit, VES_LANE_COMMIT);
    enum ves_status status = ves_checkpoints_run(server, error);
    pipeline->is_running = status == VES_OK;
    if (!status &&
        pthread_create(&pipeline->committer, NULL, commit_all, server)) {
        pipeline->is_running = false;
        ves_checkpoints_finish(server);
        status = ves_fail(error, VES_NOMEM, "no more threads can be made");
    }
    if (status) {
        ves_queue_deinit(&pipeline->prepare);
        ves_queue_deinit(&pipeline->commit);
        return status;
    }
    pipeline->worker_count = workers;
    for (unsigned i = 0; i < workers; i++) {
        if (pthread_create(&pipeline->workers[i], NULL, work, server)) {
            ves_pipeline_stop(server);
            return ves_fail(error, VES_NOMEM, "no more threads can be made");
        }
        pipeline->started_count = i + 1;
    }
    return VES_OK;
}

bool ves_pipeline_ingest(struct ves_server *server, struct ves_request *request)
{
    struct ves_pipeline *pipeline = &server->pipeline;
    size_t bytes = request->body_len;
    atomic_fetch_add(&pipeline->coming, bytes);
    bool is_taken = ves_queue_push(&pipeline->prepare, request);
    if (!is_taken)
        atomic_fetch_sub(&pipeline->coming, bytes);
    return is_taken;
}

bool ves_pipeline_write(struct ves_server *server, struct ves_request *request)
{
    return ves_queue_push(&server->pipeline.commit, request);
}

void ves_pipeline_poke(struct ves_server *server)
{
    ves_queue_poke(&server->pipeline.commit);
}

void ves_pipeline_stop(struct ves_server *server)
{
    struct ves_pipeline *pipeline = &server->pipeline;
    if (!pipeline->is_running)
        return;
    join_workers(pipeline);
    ves_queue_close(&pipeline->commit);
    pthread_join(pipeline->committer, NULL);
    ves_queue_deinit(&pipeline->prepare);
    ves_queue_deinit(&pipeline->commit);
    pipeline->is_running = false;
}
