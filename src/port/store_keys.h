/* store_keys.h -- rows of agents' keys, of both roles; part of port/store.h. */
#ifndef VES_PORT_STORE_KEYS_H
#define VES_PORT_STORE_KEYS_H

#include "ves/ves.h"

struct ves_key_row {
    struct ves_uuid tenant;
    bool has_store; /* registered for one stream only */
    struct ves_uuid store;
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_public_key public_key;
    int64_t valid_from_ms, valid_to_ms, revoked_at_ms; /* 0: none */
    struct ves_bytes algorithm;
    struct ves_bytes registrar;
    struct ves_bytes proof; /* JSON kept with the entry, "" when none */
};

/* Validity of one key in one stream (design.md D17). */
struct ves_key_span {
    bool is_found;
    uint64_t valid_from_sequence; /* >= 1 */
    uint64_t revoked_at_sequence; /* 0: not revoked */
};

struct ves_key_name {
    struct ves_uuid agent;
    uint32_t key_id;
};

struct ves_key_found {
    bool is_found; /* false: all below is zero */
    struct ves_key_row row;
    struct ves_key_span span;
    struct ves_bytes policy; /* the agent's document; "" when none */
};

/* What an agent of a tenant may send (core/agent_policy.h). */
struct ves_agent_policy_row {
    struct ves_uuid tenant;
    struct ves_uuid agent;
    struct ves_bytes document; /* JSON object, never "" */
    int64_t updated_ms;
};

#endif
