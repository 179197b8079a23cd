/* queue.c -- requests on their way from thread to thread, in order. */
#include "server/queue.h"

#include <limits.h>

#include "os/timed.h"
#include "server/request.h"

void ves_queue_init(struct ves_queue *queue)
{
    *queue = (struct ves_queue){0};
    pthread_mutex_init(&queue->lock, NULL);
    ves_timed_cond_init(&queue->ready);
}

void ves_queue_deinit(struct ves_queue *queue)
{
    pthread_cond_destroy(&queue->ready);
    pthread_mutex_destroy(&queue->lock);
}

bool ves_queue_push(struct ves_queue *queue, struct ves_request *list)
{
    struct ves_request *last = list;
    size_t count = 1, bytes = list->body_len;
    for (; last->next; last = last->next) {
        count++;
        bytes += last->next->body_len;
    }
    pthread_mutex_lock(&queue->lock);
    bool is_open = !queue->is_closed;
    if (is_open) {
        if (queue->last)
            queue->last->next = list;
        else
            queue->first = list;
        queue->last = last;
        queue->count += count;
        queue->bytes += bytes;
        if (queue->waiting)
            pthread_cond_signal(&queue->ready);
    }
    pthread_mutex_unlock(&queue->lock);
    return is_open;
}

static void wait_for_first(struct ves_queue *queue)
{
    while (!queue->first && !queue->is_closed) {
        queue->waiting++;
        pthread_cond_wait(&queue->ready, &queue->lock);
        queue->waiting--;
    }
}

struct ves_request *ves_queue_take(struct ves_queue *queue, size_t takers,
                                   size_t share_max, size_t bytes_max)
{
    pthread_mutex_lock(&queue->lock);
    wait_for_first(queue);
    size_t share = (queue->count + takers - 1) / takers;
    if (share > share_max)
        share = share_max;
    struct ves_request *list = queue->first;
    struct ves_request *last = list;
    size_t taken = list ? 1 : 0;
    size_t bytes = list ? list->body_len : 0;
    while (taken < share && last->next && bytes < bytes_max) {
        last = last->next;
        bytes += last->body_len;
        taken++;
    }
    if (last) {
        queue->first = last->next;
        if (!queue->first)
            queue->last = NULL;
        last->next = NULL;
        queue->count -= taken;
        queue->bytes -= bytes;
        /* One push may have brought work for several. */
        if (queue->first && queue->waiting)
            pthread_cond_signal(&queue->ready);
    }
    pthread_mutex_unlock(&queue->lock);
    return list;
}

bool ves_queue_wait(struct ves_queue *queue, unsigned ms)
{
    int rc = 0;
    struct timespec end = {0, 0};
    if (ms != UINT_MAX)
        end = ves_timed_after(ms);
    pthread_mutex_lock(&queue->lock);
    while (rc == 0 && !queue->first && !queue->is_closed && !queue->is_poked) {
        queue->waiting++;
        rc = ms == UINT_MAX
                 ? pthread_cond_wait(&queue->ready, &queue->lock)
                 : pthread_cond_timedwait(&queue->ready, &queue->lock, &end);
        queue->waiting--;
    }
    queue->is_poked = false;
    bool is_there = queue->first || queue->is_closed;
    pthread_mutex_unlock(&queue->lock);
    return is_there;
}

void ves_queue_poke(struct ves_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_poked = true;
    if (queue->waiting)
        pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&queue->lock);
}

void ves_queue_gather(struct ves_queue *queue, const atomic_size_t *coming,
                      unsigned ms_max)
{
    int rc = 0;
    pthread_mutex_lock(&queue->lock);
    wait_for_first(queue);
    struct timespec end = ves_timed_after(ms_max);
    while (rc == 0 && queue->first && !queue->is_closed &&
           queue->bytes < atomic_load(coming)) {
        queue->waiting++;
        rc = pthread_cond_timedwait(&queue->ready, &queue->lock, &end);
        queue->waiting--;
    }
    pthread_mutex_unlock(&queue->lock);
}

void ves_queue_close(struct ves_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    pthread_cond_broadcast(&queue->ready);
    pthread_mutex_unlock(&queue->lock);
}

size_t ves_queue_count(struct ves_queue *queue)
{
    pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    pthread_mutex_unlock(&queue->lock);
    return count;
}
