/* metrics.c -- counters of the server, in Prometheus' text format. */
#include "server/metrics.h"

#include <time.h>

static const uint64_t time_bounds_us[VES_HISTOGRAM_BUCKETS] = {
    250,   500,    1000,   2500,   5000,    10000,   25000,
    50000, 100000, 250000, 500000, 1000000, 5000000, 30000000};

static const uint64_t size_bounds[VES_HISTOGRAM_BUCKETS] = {
    1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000};

uint64_t ves_metric_now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

void ves_metric_add(atomic_uint_fast64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void observe(struct ves_histogram *histogram, const uint64_t *bounds,
                    uint64_t value)
{
    size_t i = 0;
    while (i < VES_HISTOGRAM_BUCKETS && value > bounds[i])
        i++;
    ves_metric_add(&histogram->buckets[i], 1);
    ves_metric_add(&histogram->sum, value);
}

void ves_metric_time(struct ves_histogram *histogram, uint64_t us)
{
    observe(histogram, time_bounds_us, us);
}

void ves_metric_size(struct ves_histogram *histogram, uint64_t n)
{
    observe(histogram, size_bounds, n);
}

static uint64_t load(atomic_uint_fast64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static void put_value(struct ves_buf *buf, uint64_t value, bool is_time)
{
    if (is_time)
        ves_buf_putf(buf, "%llu.%06llu", (unsigned long long)(value / 1000000),
                     (unsigned long long)(value % 1000000));
    else
        ves_buf_put_decimal(buf, value);
}

static void put_histogram(struct ves_buf *buf, const char *name,
                          const char *help, struct ves_histogram *histogram,
                          bool is_time)
{
    const uint64_t *bounds = is_time ? time_bounds_us : size_bounds;
    uint64_t count = 0;
    ves_buf_putf(buf, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name);
    for (size_t i = 0; i < VES_HISTOGRAM_BUCKETS; i++) {
        count += load(&histogram->buckets[i]);
        ves_buf_putf(buf, "%s_bucket{le=\"", name);
        put_value(buf, bounds[i], is_time);
        ves_buf_putf(buf, "\"} %llu\n", (unsigned long long)count);
    }
    count += load(&histogram->buckets[VES_HISTOGRAM_BUCKETS]);
    ves_buf_putf(buf, "%s_bucket{le=\"+Inf\"} %llu\n%s_sum ", name,
                 (unsigned long long)count, name);
    put_value(buf, load(&histogram->sum), is_time);
    ves_buf_putf(buf, "\n%s_count %llu\n", name, (unsigned long long)count);
}

static void put_one(struct ves_buf *buf, const char *name, const char *help,
                    const char *type, uint64_t value)
{
    ves_buf_putf(buf, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name,
                 type, name, (unsigned long long)value);
}

void ves_metrics_write(struct ves_buf *buf, struct ves_metrics *metrics)
{
#define X(member, name, help) \
    put_one(buf, name, help, "counter", load(&metrics->member));
    VES_COUNTER_MAP(X)
#undef X
    put_histogram(buf, "sequencer_ingest_latency_seconds",
                  "From a complete ingest request to its answer.",
                  &metrics->ingest_us, true);
    put_histogram(buf, "sequencer_commit_seconds",
                  "One durable transaction of ingest.", &metrics->commit_us,
                  true);
    put_histogram(buf, "sequencer_request_events_per_batch",
                  "Events in an ingest request.", &metrics->request_events,
                  false);
    put_histogram(buf, "sequencer_commit_events_per_group",
                  "Events in a durable transaction.", &metrics->group_events,
                  false);
    put_one(buf, "sequencer_http_in_flight", "Requests with work under way.",
            "gauge", load(&metrics->in_flight));
    put_one(buf, "sequencer_http_connections", "Open connections.", "gauge",
            load(&metrics->connections));
    put_one(buf, "sequencer_followers", "Connections that follow a stream.",
            "gauge", load(&metrics->followers));
    put_one(buf, "sequencer_http_body_memory_bytes",
            "Memory held by request bodies.", "gauge",
            load(&metrics->body_memory));
    put_one(buf, "sequencer_http_reply_memory_bytes",
            "Memory held by answers that were not yet taken.", "gauge",
            load(&metrics->reply_memory));
}
