/* test_events.h -- signed envelopes and ingest requests with any content.
 *
 * Built from the fields alone, so that a test can also make what the library
 * would never write.
 */
#ifndef VES_TEST_EVENTS_H
#define VES_TEST_EVENTS_H

#include "base/buf.h"
#include "core/event.h"
#include "test/lib/test_signer.h"

struct test_event {
    struct ves_event fields; /* ids, types, numbers, context; hashes and
                              * signature are computed */
    const char *payload;     /* JSON object; "_ves" is added when
                              * fields.context.is_present */
    const char *extra;       /* members put in as they are, e.g. ",\"a\":1" */
    bool has_bad_hash;       /* payload_plain_hash of something else */
    bool has_bad_signature;
    bool is_upper_case; /* hexadecimal digits, and without "0x" */
};

/* Version 2, entity_type "order", entity_id "A-1", event_type
 * "order.updated", payload {"note":"n"}, no context; event_id ends in n. */
void test_event_init(struct test_event *event, const struct ves_stream *stream,
                     const struct ves_uuid *agent, uint32_t n);

/* Adds a context: agent_seq, prev (all ones when agent_seq > 1), seen,
 * schema = event type + "/1". */
void test_event_context(struct test_event *event, uint64_t agent_seq,
                        uint64_t seen);

/* Makes it member index of a group of count under command. */
void test_event_group(struct test_event *event, const struct ves_uuid *command,
                      uint32_t index, uint32_t count);

/* Appends the envelope; hash, when not NULL, gets the event hash. */
void test_event_write(struct ves_buf *out, const struct test_event *event,
                      const struct test_signer *agent, struct ves_hash *hash);

/* {"agentId":"...","events":[ ... ]} */
struct test_request {
    struct ves_buf body;
    size_t count;
};

void test_request_begin(struct test_request *request,
                        const struct ves_uuid *agent);
void test_request_event(struct test_request *request,
                        const struct test_event *event,
                        const struct test_signer *agent);
/* Text in the place of an event. */
void test_request_raw(struct test_request *request, const char *text);
/* Closes it; the view lives until test_request_free. */
struct ves_bytes test_request_end(struct test_request *request);
void test_request_free(struct test_request *request);

/* A UUID whose last four bytes are n. */
struct ves_uuid test_id(uint32_t n);

#endif
