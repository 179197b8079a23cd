/* session.h -- one conversation with the sequencer, for the files of src/sync.
 */
#ifndef VES_SYNC_SESSION_H
#define VES_SYNC_SESSION_H

#include "agent/agent.h"
#include "net/http_client.h"
#include "ves/sync.h"

struct ves_session {
    struct ves_agent *agent;
    struct ves_http_client *client;
    const struct ves_sync_options *options;
    bool is_quiet; /* nothing is written; contact has what showed */
    struct ves_contact contact;
    bool is_caught_up; /* pulled to the end in this conversation */
    bool is_stopped;   /* the caller's progress function said so */
    bool has_word;     /* word is in the next request's header */
    struct ves_core_cosignature word; /* its note is gone */
    uint32_t wait_s;  /* the last answer said that it is busy, for so long */
    const char *what; /* told last, and told again while a request waits */
    uint64_t done, total;
};

/* Connects with the store's URL, credential and TLS pin. */
VES_NODISCARD enum ves_status
ves_session_open(struct ves_session *session, struct ves_agent *agent,
                 const struct ves_sync_options *options,
                 struct ves_error *error);
void ves_session_close(struct ves_session *session);

/* Sends the largest head of the log that this store verified with every request
 * from now on. */
VES_NODISCARD enum ves_status
ves_session_known_head(struct ves_session *session, struct ves_error *error);

/* Lets the next request bring this store's cosignature of that head, when it
 * says something new and the key is at hand; and notes that it went. */
void ves_session_vouch(struct ves_session *session);
void ves_session_vouched(struct ves_session *session);

/* Does it say no (409) by one of these codes?  NULL ends them. */
bool ves_session_is_refused_for(struct ves_session *session,
                                const struct ves_http_reply *reply,
                                const char *const *codes);
/* Is this the answer of a sequencer whose log has not that head? */
bool ves_session_is_behind(struct ves_session *session,
                           const struct ves_http_reply *reply);
/* Stops pushing until a pull shows that it has its history back; returns
 * VES_DIVERGED with words. */
VES_NODISCARD enum ves_status
ves_session_note_behind(struct ves_session *session, struct ves_error *error);

#define VES_KNOWN_HEAD_HEADER "x-ves-known-head"

/* Is this the answer of a sequencer that opened a new epoch behind that head?
 * Then it is not shown any more in this conversation, and the request may be
 * made again. */
bool ves_session_is_in_epoch(struct ves_session *session,
                             const struct ves_http_reply *reply);
/* Asks, when the log is not as it was, whether a new epoch was opened of which
 * this store has more than was kept; then *error says so. */
void ves_session_seek_epoch(struct ves_session *session,
                            struct ves_error *error);

/* Asks for what shows to others that the sequencer lies, when it does: of a
 * page that was refused, or of the head it has now.  Writes
 * FILE.N.ves-evidence beside the store, and its name into *error. */
void ves_session_seek_evidence(struct ves_session *session,
                               const struct ves_page *page,
                               struct ves_error *error);
void ves_session_seek_fork(struct ves_session *session,
                           struct ves_error *error);
/* After a pull that ended before the head verified first: does theirs, told
 * since, go on from it?  VES_REFUSED: it does not, or that was not shown; a
 * file is beside the store, and *error says so. */
VES_NODISCARD enum ves_status
ves_session_join_heads(struct ves_session *session, struct ves_bytes theirs,
                       struct ves_error *error);

/* Shows progress; false when the caller wants to stop. */
bool ves_session_progress(struct ves_session *session, const char *what,
                          uint64_t done, uint64_t total);

/* One request; keeps for status, unless it is quiet, whether the sequencer
 * answered.  VES_OK only
 * for a 2xx status. */
VES_NODISCARD enum ves_status
ves_session_request(struct ves_session *session, const char *method,
                    const char *path, struct ves_bytes body,
                    struct ves_http_reply *reply, struct ves_error *error);

/* Keeps whether an answer says that the sequencer is busy; a loop's next
 * request waits for as long as it asked.  For those who make plain requests. */
void ves_session_note_busy(struct ves_session *session,
                           const struct ves_http_reply *reply);
/* May a loop make a request now?  VES_UNREACHABLE, with wait_s set: the
 * sequencer asked to be left alone. */
VES_NODISCARD enum ves_status ves_session_may_ask(struct ves_session *session,
                                                  struct ves_error *error);

/* What a status that is not 2xx means, with the server's words made safe to
 * print. */
VES_NODISCARD enum ves_status
ves_session_explain(const struct ves_alloc *alloc,
                    const struct ves_http_reply *reply, const char *what,
                    struct ves_error *error);

/* Asks for the sequencer's receipt keys and pins those that their
 * predecessors vouch for (design.md D18). */
VES_NODISCARD enum ves_status
ves_session_sequencer_keys(struct ves_session *session,
                           struct ves_error *error);

/* Appends "tenant_id=...&store_id=..." to a path. */
void ves_session_stream_query(const struct ves_stream *stream, char *out,
                              size_t size);

/* Own events that are not at the sequencer: *waiting, the pending ones, and in
 * the report those that failed and both together. */
VES_NODISCARD enum ves_status
ves_session_remaining(struct ves_agent *agent, uint64_t *waiting,
                      struct ves_push_report *report);
/* Before events are sent: asks whether the log holds events of this agent that
 * this store lost, and if so takes them back and signs again what was written
 * since (own.c).  VES_REFUSED: they cannot be pulled. */
VES_NODISCARD enum ves_status ves_session_own(struct ves_session *session,
                                              struct ves_error *error);
/* Pulls to the end, whatever the caller's limit for what is pushed. */
VES_NODISCARD enum ves_status ves_session_catch_up(struct ves_session *session,
                                                   struct ves_error *error);
/* Signs again what has to be, with the key that is current. */
VES_NODISCARD enum ves_status
ves_session_sign_again(struct ves_session *session, struct ves_error *error);
/* Sends the rotation of this store's key that waits, if one does, and takes
 * what the log made of it (rotate.c).  One that was refused waits no more:
 * VES_REFUSED.  VES_UNSUPPORTED: the sequencer could not do it, and may take
 * events all the same. */
VES_NODISCARD enum ves_status ves_session_rotate(struct ves_session *session,
                                                 struct ves_error *error);
/* Counts a push that came to nothing before an event was claimed. */
VES_NODISCARD enum ves_status ves_session_unsent(struct ves_session *session,
                                                 uint32_t http_status,
                                                 uint32_t retry_after_s);
VES_NODISCARD enum ves_status ves_session_push(struct ves_session *session,
                                               struct ves_push_report *report,
                                               struct ves_error *error);
VES_NODISCARD enum ves_status ves_session_pull(struct ves_session *session,
                                               uint64_t since,
                                               struct ves_pull_report *report,
                                               struct ves_error *error);

#endif
