/* pipeline.h -- ingest: many prepare, one commits, everybody is answered.
 *
 * Also runs every other write, because the store has one writer.
 */
#ifndef VES_SERVER_PIPELINE_H
#define VES_SERVER_PIPELINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/queue.h"

struct ves_server;
struct ves_request;

enum {
    VES_PIPELINE_WORKERS_MAX = 16,
    /* Waiting requests one worker takes at a time: fewer wake-ups when every
     * request is a single event, still fair when they are large. */
    VES_PIPELINE_SHARE_MAX = 16,
    /* ... and no more of them once they have this many bytes: large requests
     * go on one by one, so that preparing and committing overlap. */
    VES_PIPELINE_SHARE_BYTES = 32 * 1024,
    /* One transaction: large enough that fsync does not count, small enough
     * that nobody waits long. */
    VES_PIPELINE_GROUP_EVENTS_MAX = 1000,
    /* Events prepared and not yet answered: an event of two bytes takes some
     * kilobytes by then, so workers wait for the committer. */
    VES_PIPELINE_EVENTS_MAX = 16000,
    VES_PIPELINE_GROUP_REQUESTS_MAX = 256,
    /* How long the committer lets a group grow while more is being prepared;
     * the processors are busy with just that. */
    VES_PIPELINE_GATHER_MS = 20
};

struct ves_pipeline {
    struct ves_queue prepare; /* complete ingest requests */
    struct ves_queue commit;  /* prepared ones, and other writes */
    pthread_t workers[VES_PIPELINE_WORKERS_MAX];
    unsigned worker_count;  /* fixed before the first one runs */
    unsigned started_count; /* of them */
    pthread_t committer;
    bool is_running;
    atomic_size_t events; /* prepared and not yet answered */
    atomic_size_t coming; /* bytes of bodies not yet prepared */
    pthread_mutex_t room_lock;
    pthread_cond_t room; /* events fell below VES_PIPELINE_EVENTS_MAX */
};

VES_NODISCARD enum ves_status ves_pipeline_start(struct ves_server *server,
                                                 unsigned workers,
                                                 struct ves_error *error);

/* Takes a suspended request; false when the server is stopping, and nothing
 * happened. */
VES_NODISCARD bool ves_pipeline_ingest(struct ves_server *server,
                                       struct ves_request *request);
VES_NODISCARD bool ves_pipeline_write(struct ves_server *server,
                                      struct ves_request *request);

/* The committer looks at what waits beside requests (checkpoints,
 * cosignatures).  From any thread, while the pipeline runs. */
void ves_pipeline_poke(struct ves_server *server);

/* The answer to that many prepared events is made.  From any thread, also
 * after the stop. */
void ves_pipeline_forget(struct ves_server *server, size_t events);

/* Finishes and answers everything taken, then ends the threads. */
void ves_pipeline_stop(struct ves_server *server);

#endif
