/* queue.c -- requests on their way from thread to thread. */
#include "server/queue.h"

#include <limits.h>

#include "os/timed.h"
#include "server/request.h"

void ves_queue_init(struct ves_queue *queue, enum ves_lane_no lane_no)
{
    *queue = (struct ves_queue){.lane_no = lane_no};
    pthread_mutex_init(&queue->lock, NULL);
    ves_timed_cond_init(&queue->ready);
}

void ves_queue_deinit(struct ves_queue *queue)
{
    pthread_cond_destroy(&queue->ready);
    pthread_mutex_destroy(&queue->lock);
}

/* ---- turns --------------------------------------------------------------- */

static struct ves_lane *lane_of(struct ves_queue *queue,
                                const struct ves_request *request)
{
    struct ves_account *account = request->held ? request->held->account : NULL;
    return account ? &account->lanes[queue->lane_no] : &queue->common;
}

/* Behind everybody whose turn comes before. */
static void enter_ring(struct ves_queue *queue, struct ves_lane *lane)
{
    lane->credit = VES_QUEUE_QUANTUM;
    if (!queue->turn) {
        lane->next = lane;
        queue->turn = lane;
    } else {
        lane->next = queue->turn;
        queue->before->next = lane;
    }
    queue->before = lane;
}

static void leave_ring(struct ves_queue *queue)
{
    struct ves_lane *lane = queue->turn;
    if (lane->next == lane) {
        queue->turn = queue->before = NULL;
    } else {
        queue->before->next = lane->next;
        queue->turn = lane->next;
    }
    lane->next = NULL;
}

static void append(struct ves_queue *queue, struct ves_request *request)
{
    struct ves_lane *lane = lane_of(queue, request);
    request->next = NULL;
    if (lane->first) {
        lane->last->next = request;
    } else {
        lane->first = request;
        enter_ring(queue, lane);
    }
    lane->last = request;
    if (queue->latest && queue->latest != lane)
        queue->mixed = VES_QUEUE_MIXED_REQUESTS;
    else if (queue->mixed)
        queue->mixed--;
    queue->latest = lane;
    queue->count++;
    queue->bytes += request->body_len;
    queue->events += request->ingest.count;
}

/* Whose turn it is: the first that may take what it wants next.  There is
 * one. */
static struct ves_lane *choose(struct ves_queue *queue)
{
    for (;;) {
        struct ves_lane *lane = queue->turn;
        uint64_t cost = lane->first->body_len + VES_QUEUE_REQUEST_COST;
        if (lane->credit >= cost || lane->next == lane)
            return lane;
        lane->credit += VES_QUEUE_QUANTUM;
        queue->before = lane;
        queue->turn = lane->next;
    }
}

static struct ves_request *take_from(struct ves_queue *queue,
                                     struct ves_lane *lane)
{
    struct ves_request *request = lane->first;
    uint64_t cost = request->body_len + VES_QUEUE_REQUEST_COST;
    /* Who is alone owes nothing to those who come later. */
    lane->credit = lane->credit > cost ? lane->credit - cost : 0;
    lane->first = request->next;
    if (!lane->first) {
        lane->last = NULL;
        leave_ring(queue);
    }
    request->next = NULL;
    queue->count--;
    queue->bytes -= request->body_len;
    queue->events -= request->ingest.count;
    return request;
}

/* ---- in and out ---------------------------------------------------------- */

bool ves_queue_push(struct ves_queue *queue, struct ves_request *list)
{
    pthread_mutex_lock(&queue->lock);
    bool is_open = !queue->is_closed;
    while (is_open && list) {
        struct ves_request *next = list->next;
        append(queue, list);
        list = next;
    }
    if (is_open && queue->waiting)
        pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&queue->lock);
    return is_open;
}

static void wait_for_first(struct ves_queue *queue)
{
    while (!queue->turn && !queue->is_closed) {
        queue->waiting++;
        pthread_cond_wait(&queue->ready, &queue->lock);
        queue->waiting--;
    }
}

struct ves_request *ves_queue_take(struct ves_queue *queue, size_t takers,
                                   size_t share_max, size_t bytes_max)
{
    struct ves_request *list = NULL, **end = &list;
    size_t taken = 0, bytes = 0;
    pthread_mutex_lock(&queue->lock);
    wait_for_first(queue);
    size_t share = (queue->count + takers - 1) / takers;
    if (share > share_max)
        share = share_max;
    while (queue->turn &&
           (taken == 0 || (taken < share && bytes < bytes_max))) {
        struct ves_request *request = take_from(queue, choose(queue));
        *end = request;
        end = &request->next;
        bytes += request->body_len;
        taken++;
    }
    /* One push may have brought work for several. */
    if (taken && queue->turn && queue->waiting)
        pthread_cond_signal(&queue->ready);
    pthread_mutex_unlock(&queue->lock);
    return list;
}

static size_t group_of(const struct ves_queue *queue, size_t events)
{
    return queue->mixed ? events / VES_QUEUE_MIXED_SHARE : events;
}

struct ves_request *ves_queue_take_group(struct ves_queue *queue,
                                         size_t requests_max, size_t events_max)
{
    struct ves_request *list = NULL, **end = &list;
    size_t taken = 0, events = 0;
    pthread_mutex_lock(&queue->lock);
    wait_for_first(queue);
    events_max = group_of(queue, events_max);
    while (queue->turn && taken < requests_max) {
        struct ves_lane *lane = choose(queue);
        size_t more = lane->first->ingest.count;
        if (taken > 0 && events + more > events_max)
            break;
        struct ves_request *request = take_from(queue, lane);
        *end = request;
        end = &request->next;
        events += more;
        taken++;
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
    while (rc == 0 && !queue->turn && !queue->is_closed && !queue->is_poked) {
        queue->waiting++;
        rc = ms == UINT_MAX
                 ? pthread_cond_wait(&queue->ready, &queue->lock)
                 : pthread_cond_timedwait(&queue->ready, &queue->lock, &end);
        queue->waiting--;
    }
    queue->is_poked = false;
    bool is_there = queue->turn || queue->is_closed;
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
                      size_t events_enough, unsigned ms_max)
{
    int rc = 0;
    pthread_mutex_lock(&queue->lock);
    wait_for_first(queue);
    struct timespec end = ves_timed_after(ms_max);
    while (rc == 0 && queue->turn && !queue->is_closed &&
           queue->events < group_of(queue, events_enough) &&
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
