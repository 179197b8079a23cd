/* checkpoints.h -- when heads are signed, and what becomes of them.
 *
 * After a group of events is durable and answered, the committer signs the
 * heads of the streams it touched, at most every VES_CHECKPOINTS_MS: what was
 * committed is read again through a connection of its own, compared, signed,
 * written to the head file, and only then into the store, where readers find
 * it.  Committer thread only, but for _start and _stop.
 */
#ifndef VES_SERVER_CHECKPOINTS_H
#define VES_SERVER_CHECKPOINTS_H

#include "server/head_file.h"

struct ves_server;
struct ves_serve_options;

enum {
    VES_CHECKPOINTS_MS = 200, /* between two signings while events come in */
    VES_CHECKPOINTS_RETRY_MS = 2000, /* the same after one that failed: each
                                        writes to the log */
    VES_CHECKPOINTS_STREAMS_MAX = 64 /* signed together */
};

struct ves_checkpoints {
    bool has_file;
    struct ves_head_file file;
    struct ves_store *reader; /* another view of the store; owned */
    struct ves_stream streams[VES_CHECKPOINTS_STREAMS_MAX]; /* grown since */
    size_t count;
    uint64_t signed_us; /* when it was done last */
    bool is_failing;    /* the last one left some unsigned */
};

/* Compares the store with the head file and refuses to start behind it
 * (VES_CORRUPT), then signs what an earlier process left unsigned.  reader
 * becomes the checkpoints'. */
VES_NODISCARD enum ves_status
ves_checkpoints_start(struct ves_server *server,
                      const struct ves_serve_options *options,
                      struct ves_store *reader, struct ves_error *error);
void ves_checkpoints_stop(struct ves_server *server);

/* A stream has new events. */
void ves_checkpoints_note(struct ves_server *server,
                          const struct ves_stream *stream);

/* Milliseconds until heads should be signed; UINT_MAX: there are none. */
unsigned ves_checkpoints_wait_ms(const struct ves_server *server);

/* Signs the heads of all noted streams.  What fails is tried again later. */
void ves_checkpoints_sign(struct ves_server *server);

#endif
