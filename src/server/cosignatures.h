/* cosignatures.h -- who vouches for our heads: taking it in and giving it out.
 *
 * A store that verified a head signs it and sends the line with its next
 * request, whatever that is:
 *
 *   x-ves-cosignature: BASE64[,BASE64 ...]
 *
 * each a signed note: the checkpoint, our line, the store's line.  The line is
 * checked on the connection's thread, waits in memory, and is stored by the
 * committer after it has answered everybody.  A request fares the same with
 * it, without it, and with a wrong one: that is counted and logged.
 */
#ifndef VES_SERVER_COSIGNATURES_H
#define VES_SERVER_COSIGNATURES_H

#include <pthread.h>
#include <stdatomic.h>

#include "engine/log_cosigned.h"
#include "server/request.h"

#define VES_COSIGNATURE "x-ves-cosignature"

enum {
    VES_COSIGNATURES_NOTES_MAX = 4, /* in one header */
    VES_COSIGNATURES_WAITING_MAX = 64,
    VES_COSIGNATURES_MS = 500, /* between two times that they are stored */
    /* A store's clock may be wrong; what is dated later would look fresh for
     * ever. */
    VES_COSIGNATURES_AHEAD_S = 86400
};

struct ves_cosignatures {
    pthread_mutex_t lock;
    struct ves_log_cosigned *waiting[VES_COSIGNATURES_WAITING_MAX]; /* owned:
                                             each with its bytes behind it */
    size_t count;
    uint64_t stored_us;          /* committer thread only */
    atomic_uint_fast64_t said_s; /* when a wrong one was logged last */
};

void ves_cosignatures_init(struct ves_cosignatures *cosignatures);
/* Forgets what waits. */
void ves_cosignatures_deinit(struct ves_cosignatures *cosignatures,
                             const struct ves_alloc *alloc);

/* Looks at the header's text, with a reader's store in request->store. */
void ves_cosignatures_take(struct ves_request *request, struct ves_bytes text);

/* Lets a good line wait for the committer; false: there is no room. */
bool ves_cosignatures_push(struct ves_server *server,
                           const struct ves_log_cosigned *item);

/* Committer thread: milliseconds until lines should be stored (UINT_MAX:
 * there are none), and storing them. */
unsigned ves_cosignatures_wait_ms(struct ves_server *server);
void ves_cosignatures_store(struct ves_server *server);

#endif
