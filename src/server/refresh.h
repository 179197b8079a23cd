/* refresh.h -- what other processes on the same database change and this one
 * keeps in memory: the API keys.
 *
 * A thread looks twice a second whether any was made or revoked, and reads
 * them anew.  An API key that is not known is looked for at once, so that one
 * that another process made is good from its first use; one that another
 * process revoked is taken for VES_REFRESH_MS longer at most, while the
 * database can be reached.
 *
 * The same thread tells the other processes which streams have grown here, and
 * hears from them (LISTEN), so that whoever follows a stream is told at once,
 * wherever he is connected.  What is noted while it is telling is told
 * together: a row of commits is one notice.  Notices may be lost, with a
 * connection or with who wanted to send one; so after each connect, and now and
 * then, all streams are looked at, and the processes are counted that serve the
 * database: each gives its part of every rate (rate.h).
 */
#ifndef VES_SERVER_REFRESH_H
#define VES_SERVER_REFRESH_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "port/store.h"

enum {
    VES_REFRESH_MS = 500,
    VES_REFRESH_STREAMS_MS = 10000, /* between two looks at all streams */
    VES_REFRESH_NOTED_MAX = 64      /* streams; beyond it: any */
};

struct ves_server;

struct ves_refresh {
    bool is_running;
    pthread_t thread;
    pthread_mutex_t lock;
    int wake_fd; /* eventfd: something was noted, or it is to stop */
    /* Under the lock. */
    bool is_stopping;
    struct ves_stream noted[VES_REFRESH_NOTED_MAX];
    size_t noted_count;
    bool is_any_noted;
    _Atomic int64_t looked_ms; /* at all streams; 0: they are due */
    atomic_uint streams_ms;    /* VES_REFRESH_STREAMS_MS, but for tests */
    /* Its own thread's. */
    struct ves_store *reader; /* owned */
    int64_t keys_ms;          /* looked at the keys */
    struct ves_buf seen;      /* what the mark was when they were read */
};

/* reader is taken over, also on failure. */
VES_NODISCARD enum ves_status ves_refresh_start(struct ves_server *server,
                                                struct ves_store *reader,
                                                struct ves_error *error);
/* Safe on a zeroed struct. */
void ves_refresh_stop(struct ves_server *server);

/* A stream has grown here; after the commit, from any thread, cheap.  Nothing
 * when the store is not shared. */
void ves_refresh_note(struct ves_server *server,
                      const struct ves_stream *stream);

/* Asks the database for an API key that is not in memory; is it there now? */
bool ves_refresh_find(struct ves_server *server,
                      const struct ves_hash *key_hash);

#endif
