/* commit.h -- the work of one commit, step by step.  Inside src/engine only.
 *
 * Everything is decided here, in memory that goes with the commit; requests
 * are written to only after the transaction is durable (S4).
 */
#ifndef VES_ENGINE_COMMIT_H
#define VES_ENGINE_COMMIT_H

#include "core/agent_policy.h"
#include "engine/key_log.h"
#include "engine/log_tree.h"
#include "engine/map.h"
#include "engine/sequencer.h"
#include "engine/verdicts.h"

struct ves_commit_entity {
    struct ves_verdict_entity verdict; /* first: the judge knows it as this */
    struct ves_entity_name name;
    bool is_loaded;
    bool is_written; /* an event that may be new is about it */
    /* What its next event takes over from a row of the log (chain.h); 0: it
     * was not asked for. */
    uint64_t wanted, jump;
    struct ves_commit_entity *next; /* of the stream */
};

struct ves_commit_key {
    bool is_found; /* registered and for this stream */
    struct ves_key_row row;
    struct ves_key_span span;
    bool is_unwanted; /* the owner of the stream did not sign for it, and
                         accepts no others */
    const struct ves_agent_policy *policy; /* of the agent; NULL: none */
};

/* An event id within this commit. */
struct ves_commit_id {
    struct ves_id_row stored;          /* what the log has */
    const struct ves_ingest *named_by; /* last request with this id */
    struct ves_commit_event *accepted; /* in this commit; NULL: none yet */
};

/* A command id within this commit. */
struct ves_commit_command {
    bool is_used; /* in the log or by an event accepted before */
};

struct ves_commit_event {
    struct ves_ingest_event *event;
    struct ves_commit_event *next;      /* of the stream, in order */
    struct ves_commit_id *id;           /* NULL: not legible */
    struct ves_commit_command *command; /* NULL: none */
    struct ves_commit_entity *entity;   /* NULL until it matters */
    bool is_replay;                     /* the log has it, and the same */

    enum ves_outcome_kind outcome; /* NONE: not decided yet */
    struct ves_log_row *row;       /* ACCEPTED, REPLAYED */
    struct ves_refusal *refusal;   /* REFUSED */
    struct ves_sig refusal_signature;
};

struct ves_commit_request {
    struct ves_ingest *ingest;
    struct ves_commit_stream *stream;
    struct ves_commit_event *events; /* ingest->count of them */
    uint64_t sequence_start, sequence_end;
};

struct ves_commit_stream {
    struct ves_stream_row row; /* head moves as events are accepted */
    uint64_t old_head;
    bool is_frozen; /* nothing of its requests is looked at */
    struct ves_bytes frozen_why;
    struct ves_bytes edge; /* of the tree, before */
    struct ves_commit_event *first, *last;
    size_t event_count;
    struct ves_map ids, commands, entities, keys;
    bool is_strict; /* the owner wants to have signed for every key */
    struct ves_commit_entity *first_entity;
    size_t entity_count;
    struct ves_log_row *rows; /* new ones; room for event_count */
    size_t row_count;
    struct ves_log_row *replays; /* ascending by sequence */
    size_t replay_count;
    size_t refused_count;
    struct ves_rules_log rules;
    struct ves_key_log keys_logged; /* asked by key events only */
    struct ves_verdicts verdicts;
    bool has_verdicts; /* and rules */
    struct ves_commit *commit;
};

struct ves_commit {
    struct ves_sequencer *sequencer;
    struct ves_store *store;
    int64_t now_ms;
    struct ves_arena arena;
    struct ves_uuid secret; /* of the maps; 16 random bytes */
    struct ves_commit_request *requests;
    size_t request_count;
    struct ves_commit_stream *streams;
    size_t stream_count;
    size_t event_count;
};

/* commit_load.c: sorts requests by stream and fetches what deciding them
 * needs, in a number of store calls that depends on streams only. */
VES_NODISCARD enum ves_status ves_commit_load(struct ves_commit *commit,
                                              struct ves_ingest **ingests,
                                              size_t count);
/* The key an event names, from the store at first sight. */
VES_NODISCARD enum ves_status
ves_commit_find_key(struct ves_commit *commit, struct ves_commit_stream *stream,
                    const struct ves_event *event,
                    const struct ves_commit_key **key);
/* The entity of that name, from the store at first sight. */
VES_NODISCARD enum ves_status ves_commit_find_entity(
    struct ves_commit *commit, struct ves_commit_stream *stream,
    const struct ves_entity_name *name, struct ves_commit_entity **entity);

/* commit_decide.c: gives every event of a request its outcome, and new ones
 * their place. */
VES_NODISCARD enum ves_status
ves_commit_decide(struct ves_commit *commit,
                  struct ves_commit_request *request);

/* sequencer.c: a commit of the sequencer's own events (engine/own_event.h).
 * gather runs inside the transaction, changes what it has to, and makes
 * prepared requests, which are freed here; none is fine.  All of it is stored
 * or nothing: VES_REFUSED, with words in *error, when one of them was.
 * *entered (may be NULL): how many. */
struct ves_commit_own {
    enum ves_status (*gather)(void *ctx, struct ves_arena *arena,
                              struct ves_ingest **ingests, size_t *count);
    void *ctx;
};
enum { VES_COMMIT_OWN_MAX = 256 }; /* events of one such commit */
VES_NODISCARD enum ves_status ves_commit_own(struct ves_sequencer *sequencer,
                                             const struct ves_commit_own *own,
                                             int64_t now_ms,
                                             struct ves_error *error,
                                             size_t *entered);

#endif
