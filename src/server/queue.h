/* queue.h -- requests on their way from thread to thread, in order. */
#ifndef VES_SERVER_QUEUE_H
#define VES_SERVER_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/account.h"

enum {
    VES_QUEUE_QUANTUM = 64 * 1024,
    VES_QUEUE_REQUEST_COST = 1024, /* bytes that any request counts at least */
    /* While several come, groups are this many times smaller: everybody waits
     * for the group before his own.  Until so many in a row are of one. */
    VES_QUEUE_MIXED_SHARE = 4,
    VES_QUEUE_MIXED_REQUESTS = 64
};

struct ves_queue {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    enum ves_lane_no lane_no;
    struct ves_lane common;  /* of requests without an account */
    struct ves_lane *turn;   /* a ring of the lanes that have requests ... */
    struct ves_lane *before; /* ... and the one before it; both NULL: empty */
    const struct ves_lane *latest; /* that something came to */
    unsigned mixed;                /* requests until one is alone; 0: it is */
    size_t count;
    size_t events;  /* that are prepared */
    size_t bytes;   /* of their bodies */
    size_t waiting; /* takers asleep */
    bool is_closed;
    bool is_poked;
};

/* One of two queues with the same accounts has another lane_no. */
void ves_queue_init(struct ves_queue *queue, enum ves_lane_no lane_no);
void ves_queue_deinit(struct ves_queue *queue);

/* Appends a list linked by next and wakes a taker.  false once closed:
 * nothing was taken. */
VES_NODISCARD bool ves_queue_push(struct ves_queue *queue,
                                  struct ves_request *list);

/* Waits, then takes a share of what is there: everything when takers is 1,
 * else about a takers-th, at most share_max of them, and none further once
 * their bodies have bytes_max bytes.  NULL: closed and empty. */
struct ves_request *ves_queue_take(struct ves_queue *queue, size_t takers,
                                   size_t share_max, size_t bytes_max);

/* Waits, then takes at most so many requests that have at most so many events
 * together (fewer while several come), or one that has more.  NULL: closed and
 * empty. */
struct ves_request *ves_queue_take_group(struct ves_queue *queue,
                                         size_t requests_max,
                                         size_t events_max);

/* Waits for something, then, at most so long, while fewer bytes are here than
 * are on their way, and fewer events than are enough (likewise): what is taken
 * then is large enough to be worth a commit, and as much again is being
 * prepared meanwhile. */
void ves_queue_gather(struct ves_queue *queue, const atomic_size_t *coming,
                      size_t events_enough, unsigned ms_max);

/* Waits at most ms for something (UINT_MAX: without end), or until it is poked;
 * false when nothing came.  True also once it is closed. */
bool ves_queue_wait(struct ves_queue *queue, unsigned ms);

/* Ends a wait, the present one or the next, though nothing came. */
void ves_queue_poke(struct ves_queue *queue);

/* Refuses further pushes; takers get what is left, then NULL. */
void ves_queue_close(struct ves_queue *queue);

size_t ves_queue_count(struct ves_queue *queue);

#endif
