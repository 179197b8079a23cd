/* agent_reply.h -- the sequencer's answer to a push, read and verified.
 *
 * Inside src/engine only.
 */
#ifndef VES_ENGINE_AGENT_REPLY_H
#define VES_ENGINE_AGENT_REPLY_H

#include "engine/agent_internal.h"

enum ves_reply_receipt {
    VES_REPLY_NO_RECEIPT,
    VES_REPLY_UNSIGNED,    /* the sequencer has no key */
    VES_REPLY_KEY_UNKNOWN, /* it, or a refusal, is by a key not pinned */
    VES_REPLY_FALSE,       /* malformed, for something else, bad signature */
    VES_REPLY_VALID
};

/* What the answer says of one event. */
struct ves_reply_event {
    enum ves_reply_receipt receipt_state;
    struct ves_receipt receipt;
    struct ves_bytes receipt_text;       /* as received */
    size_t receipt_first, receipt_count; /* verify items */

    bool is_refused;
    struct ves_bytes reason, message;
    bool has_refusal_signature;
    bool is_refusal_valid;
    struct ves_sig refusal_signature;
    size_t refusal_first, refusal_count;

    bool has_verdict;
    enum ves_verdict verdict;
    struct ves_bytes disposition;
};

struct ves_reply {
    struct ves_agent_core *core;
    struct ves_arena *arena;
    const struct ves_outbox_row *rows; /* the events pushed, with envelopes */
    struct ves_reply_event *events;    /* one for each row */
    size_t count;
    uint64_t sequence_start, sequence_end; /* of the new ones, 0: none */
    uint32_t *index;                       /* open addressing over event ids */
    size_t index_size;
    struct ves_verify_item *items;
    size_t item_count;
};

/* Reads body as the answer of protocol.md B.3 to rows and verifies all its
 * signatures.  VES_MALFORMED when it is no such answer. */
VES_NODISCARD enum ves_status ves_reply_read(struct ves_reply *reply,
                                             struct ves_bytes body);

#endif
