/* metrics.h -- counters of the server, in Prometheus' text format.
 *
 * Lock-free: counters are added to from every thread.  Names follow
 * protocol.md B.8 where it has one.
 */
#ifndef VES_SERVER_METRICS_H
#define VES_SERVER_METRICS_H

#include <stdatomic.h>

#include "base/buf.h"

/* member, name on the wire, help */
#define VES_COUNTER_MAP(X)                                                  \
    X(events_ingested, "sequencer_events_ingested_total",                   \
      "Events received for ingest.")                                        \
    X(events_sequenced, "sequencer_events_sequenced_total",                 \
      "Events that got a sequence number.")                                 \
    X(events_replayed, "sequencer_events_replayed_total",                   \
      "Events that were already stored and got their receipt again.")       \
    X(events_rejected, "sequencer_events_rejected_total",                   \
      "Events that were refused.")                                          \
    X(events_verified, "sequencer_ves_events_verified_total",               \
      "Events whose signature was accepted.")                               \
    X(events_served, "sequencer_events_served_total",                       \
      "Events given out to readers.")                                       \
    X(notices_heard, "sequencer_notices_heard_total",                       \
      "News of streams from other processes on the database.")              \
    X(commit_groups, "sequencer_commit_groups_total",                       \
      "Durable transactions of ingest.")                                    \
    X(commit_failures, "sequencer_errors_commit_total",                     \
      "Transactions of ingest that failed.")                                \
    X(checkpoints, "sequencer_checkpoints_total",                           \
      "Heads of logs that were signed.")                                    \
    X(cosignatures, "sequencer_cosignatures_total",                         \
      "Lines of cosigners that were kept.")                                 \
    X(cosignatures_ignored, "sequencer_cosignatures_ignored_total",         \
      "Lines that stores sent and that were of no use.")                    \
    X(witness_cosignatures, "sequencer_witness_cosignatures_total",         \
      "Heads that a witness cosigned when asked.")                          \
    X(witness_failures, "sequencer_witness_failures_total",                 \
      "Times that a witness was asked and did not cosign.")                 \
    X(witness_alarms, "sequencer_witness_alarms_total",                     \
      "Times that a witness knew more than this log, or another one.")      \
    X(auth_failures, "sequencer_errors_auth_total",                         \
      "Requests without an accepted credential or right.")                  \
    X(connections_refused, "sequencer_connections_refused_total",           \
      "Connections beyond those of one credential or tenant, closed.")      \
    X(rate_limited, "sequencer_ratelimit_refused_total",                    \
      "Requests above a rate limit, answered 429.")                         \
    X(slow_clients, "sequencer_http_slow_clients_total",                    \
      "Connections ended because their client took too long.")              \
    X(client_errors, "sequencer_errors_client_total",                       \
      "Answers with a status from 400 to 499.")                             \
    X(server_errors, "sequencer_errors_server_total",                       \
      "Answers with a status from 500 to 599.")                             \
    X(requests, "sequencer_http_requests_total", "HTTP requests answered.") \
    X(body_bytes, "sequencer_http_body_bytes_total",                        \
      "Bytes of request bodies received.")

enum { VES_HISTOGRAM_BUCKETS = 14 };

/* Bounds are the caller's; the last bucket is +Inf. */
struct ves_histogram {
    atomic_uint_fast64_t buckets[VES_HISTOGRAM_BUCKETS + 1];
    atomic_uint_fast64_t sum;
};

struct ves_metrics {
#define X(member, name, help) atomic_uint_fast64_t member;
    VES_COUNTER_MAP(X)
#undef X
    struct ves_histogram ingest_us;      /* request complete to answer */
    struct ves_histogram commit_us;      /* one group */
    struct ves_histogram request_events; /* events in a request */
    struct ves_histogram group_events;   /* events in a group */
    atomic_uint_fast64_t in_flight;      /* requests with work under way */
    atomic_uint_fast64_t body_memory;    /* bytes of bodies held */
    atomic_uint_fast64_t reply_memory;   /* bytes of answers not yet taken */
    atomic_uint_fast64_t connections;
    atomic_uint_fast64_t followers;
};

/* Microseconds of a clock that never goes back, for durations. */
uint64_t ves_metric_now_us(void);

void ves_metric_add(atomic_uint_fast64_t *counter, uint64_t n);
void ves_metric_time(struct ves_histogram *histogram, uint64_t us);
void ves_metric_size(struct ves_histogram *histogram, uint64_t n);

/* Appends everything but what only the store knows. */
void ves_metrics_write(struct ves_buf *buf, struct ves_metrics *metrics);

#endif
