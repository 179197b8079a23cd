/* limits.h -- every bound VES puts on input, with its reason (design.md 5). */
#ifndef VES_BASE_LIMITS_H
#define VES_BASE_LIMITS_H

#include <stdint.h>

enum {
    /* protocol.md B.2: what public servers accept; a bigger body is refused
     * before it is read. */
    VES_BODY_MAX = 10 * 1024 * 1024,
    VES_EVENTS_PER_REQUEST_MAX = 1000,
    VES_PAYLOAD_MAX = 1024 * 1024, /* canonical bytes of one payload */
    VES_ENTITY_TYPE_MAX = 128,
    VES_ENTITY_ID_MAX = 512,
    VES_EVENT_TYPE_MAX = 256,
    VES_CREATED_AT_MAX = 64, /* RFC 3339 with nanoseconds fits in 35 */
    VES_REASON_MAX = 256,    /* refusal reasons are sentences, not essays */
    VES_JSON_DEPTH_MAX = 64, /* bounds the parser's stack */
    /* What other sequencers may have taken and a log may so hold: serde_json
     * reads 128 levels, and numbers such as 1e20 grow fivefold when a payload
     * of VES_PAYLOAD_MAX is made canonical. */
    VES_LOG_DEPTH_MAX = 128,
    VES_LOG_PAYLOAD_MAX = 6 * 1024 * 1024,
    VES_DEPS_MAX = 64,          /* declared dependencies of one event */
    VES_PROOF_PATH_MAX = 64,    /* 2^63-1 leaves need 63 siblings */
    VES_COMMITMENT_MAX = 65536, /* leaves in one commitment: bounds memory */
    VES_RECIPIENTS_MAX = 256,   /* sealed copies of one payload key */
    VES_PULL_PAGE_MAX = 1000    /* protocol.md B.4 */
};

/* Integers JSON numbers carry exactly (RFC 8785 3.2.2.3, RFC 7493 2.2). */
#define VES_SAFE_INTEGER_MAX INT64_C(9007199254740991)

/* Longest stream: sequence numbers are signed 64-bit in every database. */
#define VES_SEQUENCE_MAX INT64_MAX

#endif
