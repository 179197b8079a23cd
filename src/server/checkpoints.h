/* checkpoints.h -- when heads are signed, and what becomes of them.
 *
 * After a group of events is durable and answered, the committer notes the
 * streams it touched.  A thread of its own makes their heads, at most every
 * VES_CHECKPOINTS_MS: it reads what was committed again through a connection
 * of its own, compares, signs and writes the head file.  Only then does the
 * committer, the store's one writer, put them into the store, where readers
 * find them.
 *
 *   committer -- note --> maker: read, compare, sign, head file
 *       ^                   |
 *       +------ keep -------+   (the maker waits for it)
 */
#ifndef VES_SERVER_CHECKPOINTS_H
#define VES_SERVER_CHECKPOINTS_H

#include <pthread.h>

#include "server/head_file.h"

struct ves_server;
struct ves_serve_options;
struct ves_checkpoints_made;

enum {
    VES_CHECKPOINTS_MS = 200, /* between two signings while events come in */
    VES_CHECKPOINTS_RETRY_MS = 2000, /* the same after one that failed: each
                                        writes to the log */
    VES_CHECKPOINTS_STREAMS_MAX = 64 /* signed together */
};

struct ves_checkpoints {
    /* The maker's; without a maker the caller's. */
    bool has_file;
    struct ves_head_file file;
    struct ves_store *reader; /* another view of the store; owned */
    uint64_t signed_us;       /* when it was done last */
    unsigned pause_ms;        /* from then to the next */

    pthread_t maker;
    bool is_running;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock. */
    unsigned interval_ms; /* the pause when nothing failed */
    struct ves_stream streams[VES_CHECKPOINTS_STREAMS_MAX]; /* grown since */
    size_t count;
    struct ves_checkpoints_made *made; /* to be kept by the committer */
    bool is_stopping;
    bool has_ended; /* the maker, after is_stopping */
};

/* Compares the store with the head file and refuses to start behind it
 * (VES_CORRUPT), then signs what an earlier process left unsigned.  reader
 * becomes the checkpoints'. */
VES_NODISCARD enum ves_status
ves_checkpoints_start(struct ves_server *server,
                      const struct ves_serve_options *options,
                      struct ves_store *reader, struct ves_error *error);
/* Nobody commits any more. */
void ves_checkpoints_stop(struct ves_server *server);

/* ---- the committer's ---------------------------------------------------- */

/* Starts the maker; before the committer.  VES_NOMEM. */
VES_NODISCARD enum ves_status ves_checkpoints_run(struct ves_server *server,
                                                  struct ves_error *error);

/* A stream has new events. */
void ves_checkpoints_note(struct ves_server *server,
                          const struct ves_stream *stream);

/* Puts what the maker made into the store; false: there was nothing.  The maker
 * pokes the pipeline when there is something. */
bool ves_checkpoints_keep(struct ves_server *server);

/* Ends the maker and signs what is unsigned; for the end of the committer. */
void ves_checkpoints_finish(struct ves_server *server);

/* ---- without a maker ---------------------------------------------------- */

/* Signs the heads of all noted streams.  What fails stays noted. */
void ves_checkpoints_sign(struct ves_server *server);

#endif
