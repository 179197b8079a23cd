/* followers.h -- who follows a stream, and how they hear that it has grown
 * (ADR 0044).
 *
 *   committer -- note --> a thread of its own: reads the head, wakes
 *                              |
 *                              v
 *   connection's thread: ves_followers_take, or suspended while there is
 *                        nothing to say
 *
 * A follower is a place in the log and a little text: nothing is queued for
 * one who does not read, and what was not told is read from the log later.
 * Whoever else learns that a stream has grown (another process through the
 * database) calls ves_followers_note as the committer does.
 */
#ifndef VES_SERVER_FOLLOWERS_H
#define VES_SERVER_FOLLOWERS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "engine/sequencer.h"

struct ves_follower;
struct ves_request;
struct ves_server;

enum {
    VES_FOLLOWERS_MAX = 2048,
    VES_FOLLOWERS_STREAM_MAX = 1024, /* of one stream */
    VES_FOLLOWERS_KEY_MAX = 64,      /* with one API key */
    VES_FOLLOWERS_ALIVE_S = 15,      /* a comment when nothing else came */
    VES_FOLLOWERS_NOTED_MAX = 64,    /* streams; beyond it all are looked at */
    VES_FOLLOWERS_BUCKETS = 256
};

struct ves_followers {
    pthread_t thread;
    bool is_made, is_running;
    atomic_uint alive_ms; /* VES_FOLLOWERS_ALIVE_S, but for tests */
    atomic_size_t count;  /* open; grows under the lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_cond_t left; /* a follower has gone */
    /* Under the lock. */
    struct ves_follower *buckets[VES_FOLLOWERS_BUCKETS]; /* by stream */
    struct ves_stream noted[VES_FOLLOWERS_NOTED_MAX];
    size_t noted_count;
    bool is_all_noted;
    bool is_recheck;   /* credentials have changed */
    uint64_t rechecks; /* how often */
    bool is_stopping;
};

/* Before the first request; server->readers are open.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_followers_start(struct ves_server *server,
                                                  struct ves_error *error);
/* Tells everybody that the server stops and waits for them to take it, at most
 * timeout_ms.  Afterwards no follower's connection is suspended.  Nobody
 * commits any more.  Again is harmless. */
void ves_followers_stop(struct ves_server *server, unsigned timeout_ms);
/* After the HTTP server has stopped; safe on a zeroed struct. */
void ves_followers_deinit(struct ves_server *server);

/* A stream has grown; after the commit, from any thread, cheap. */
void ves_followers_note(struct ves_server *server,
                        const struct ves_stream *stream);
/* API keys were revoked or changed: everybody's is looked at again. */
void ves_followers_recheck(struct ves_server *server);

/* What a follower wants. */
struct ves_follow {
    struct ves_stream stream;
    uint64_t next;      /* the first sequence number, >= 1 */
    bool is_heads_only; /* numbers instead of events */
    bool with_receipts;
};

/* Begins to follow; request->follower is set.  false: the answer is made. */
bool ves_followers_open(struct ves_request *request,
                        const struct ves_follow *what);

/* The next bytes for the client: at most max, 0 when there are none for now
 * and the connection was suspended, -1 at the end. */
int64_t ves_followers_take(struct ves_request *request, char *out, size_t max);

/* The connection is going; request->follower is freed. */
void ves_followers_close(struct ves_request *request);

#endif
