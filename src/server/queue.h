/* queue.h -- requests on their way from thread to thread, in order. */
#ifndef VES_SERVER_QUEUE_H
#define VES_SERVER_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "ves/ves.h"

struct ves_request;

struct ves_queue {
    pthread_mutex_t lock;
    pthread_cond_t ready;
    struct ves_request *first;
    struct ves_request *last;
    size_t count;
    size_t bytes;   /* of their bodies */
    size_t waiting; /* takers asleep */
    bool is_closed;
    bool is_poked;
};

void ves_queue_init(struct ves_queue *queue);
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

/* Waits for something, then, at most so long, while fewer bytes are here than
 * are on their way: what is taken then is large enough to be worth a commit,
 * and as much again is being prepared meanwhile. */
void ves_queue_gather(struct ves_queue *queue, const atomic_size_t *coming,
                      unsigned ms_max);

/* Waits at most ms for something (UINT_MAX: without end), or until it is poked;
 * false when nothing came.  True also once it is closed. */
bool ves_queue_wait(struct ves_queue *queue, unsigned ms);

/* Ends a wait, the present one or the next, though nothing came. */
void ves_queue_poke(struct ves_queue *queue);

/* Refuses further pushes; takers get what is left, then NULL. */
void ves_queue_close(struct ves_queue *queue);

size_t ves_queue_count(struct ves_queue *queue);

#endif
