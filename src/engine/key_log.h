/* key_log.h -- what a stream's log says of keys, for one run.
 *
 * Inside src/engine only; the same for both roles.  Key events are the events
 * of one entity (core/key_event.h), so that finding them costs nothing where
 * there are none.  They are read when somebody asks; a store keeps what
 * follows from them, who may sign where, in its table of spans, so that an
 * ordinary event asks nothing of this.
 */
#ifndef VES_ENGINE_KEY_LOG_H
#define VES_ENGINE_KEY_LOG_H

#include "core/key_event.h"
#include "port/store.h"

/* The keys of one agent. */
struct ves_key_log_agent {
    struct ves_key_state state;
    bool is_changed; /* by events added in this run */
    struct ves_key_log_agent *next;
};

/* A version of the sequencer's key that entered the log. */
struct ves_key_log_version {
    struct ves_sequencer_key key;
    uint64_t sequence;
    struct ves_key_log_version *next; /* older */
};

struct ves_key_log {
    struct ves_store *store;
    uint32_t stream_no;
    struct ves_arena *arena; /* everything read lives in it */
    struct ves_key_world world;
    struct ves_uuid sequencer;
    bool is_loaded;
    bool is_policy_changed; /* by an event added in this run */
    struct ves_key_log_agent *agents;
    struct ves_key_log_version *versions; /* newest first */
};

/* owner NULL: the stream has none.  A nil sequencer: nobody knows who enters
 * keys, so nothing of what is entered is followed. */
void ves_key_log_open(struct ves_key_log *log, struct ves_store *store,
                      uint32_t stream_no, const struct ves_stream *stream,
                      const struct ves_public_key *owner,
                      const struct ves_uuid *sequencer,
                      struct ves_arena *arena);

/* Reads what the store's log holds now, whether or not somebody asks. */
VES_NODISCARD enum ves_status ves_key_log_load(struct ves_key_log *log);

/* *out is NULL when the log holds no key of that agent. */
VES_NODISCARD enum ves_status
ves_key_log_find(struct ves_key_log *log, const struct ves_uuid *agent,
                 const struct ves_key_state **out);

/* A new event of the run, which stands at sequence.  Others than key events
 * pass.  VES_OK with why->status not VES_OK: it makes nothing known, and *why
 * says why not (its first word is a code of core/key_event.h). */
VES_NODISCARD enum ves_status ves_key_log_add(struct ves_key_log *log,
                                              const struct ves_event *event,
                                              uint64_t sequence,
                                              struct ves_error *why);

/* Does the policy let the key sign what comes now?  key NULL: not logged. */
bool ves_key_log_allows(const struct ves_key_log *log,
                        const struct ves_logged_key *key);

/* A device keeps the last directory that showed it the end of a key, as it
 * came, if it is no larger (engine/key_recover.c reads it). */
#define VES_KEY_DIRECTORY "keys.directory"
enum { VES_KEY_DIRECTORY_MAX = 1024 * 1024 };

/* Name of the value that holds a stream's policy. */
enum { VES_KEY_LOG_POLICY_NAME = 21 };
void ves_key_log_policy_name(uint32_t stream_no,
                             char name[VES_KEY_LOG_POLICY_NAME]);

/* Is only the owner's word accepted in that stream, as its log has it?  From
 * one small value, for those who have no use for the rest. */
VES_NODISCARD enum ves_status ves_key_log_is_strict(struct ves_store *store,
                                                    uint32_t stream_no,
                                                    struct ves_arena *arena,
                                                    bool *is_strict);

/* Writes who may sign where, of the agents that events of this run changed,
 * into the store's tables.  now_ms: when, for people. */
VES_NODISCARD enum ves_status ves_key_log_save(struct ves_key_log *log,
                                               int64_t now_ms);

#endif
