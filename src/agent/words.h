/* words.h -- how events, rows and states are said in documents.
 *
 * Inside src/agent only.  Views live in the agent's arena or in the row.
 */
#ifndef VES_AGENT_WORDS_H
#define VES_AGENT_WORDS_H

#include "agent/agent.h"
#include "base/buf.h"
#include "core/event.h"

/* "pending" ... */
const char *ves_outbox_status_name(enum ves_outbox_status status);
/* Bit for a filter; VES_INVALID names what is allowed.  NULL: all. */
VES_NODISCARD enum ves_status ves_outbox_status_mask(const char *name,
                                                     uint32_t *mask,
                                                     struct ves_error *error);

/* "offline" ...; "" for none. */
const char *ves_error_class_name(uint32_t error_class);

/* Which of the three conflict types a row shows; NULL when it shows none. */
const char *ves_conflict_type(const struct ves_outbox_row *row);

/* What became of a sequenced event: the row's disposition, else its verdict;
 * "" while neither is known. */
struct ves_bytes ves_row_disposition(const struct ves_outbox_row *row);

/* Writes name and value; nothing when the value is empty. */
void ves_jw_member(struct ves_jw *jw, const char *name, struct ves_bytes value);
void ves_jw_member_str(struct ves_jw *jw, const char *name, const char *value);
void ves_jw_member_u64(struct ves_jw *jw, const char *name, uint64_t value);
void ves_jw_member_uuid(struct ves_jw *jw, const char *name,
                        const struct ves_uuid *value);
void ves_jw_member_time(struct ves_jw *jw, const char *name, int64_t unix_ms);
void ves_jw_member_bool(struct ves_jw *jw, const char *name, bool value);
void ves_jw_member_hex(struct ves_jw *jw, const char *name, const void *data,
                       size_t len);

/* Writes JSON text of the store's as it stands; as a string when somebody made
 * it something else, so that the document stays one. */
void ves_jw_stored(struct ves_jw *jw, struct ves_bytes text);

/* "one event", "3 events": the number and a noun with its plural s. */
void ves_buf_put_count(struct ves_buf *buf, uint64_t count, const char *noun);
void ves_buf_put_time(struct ves_buf *buf, int64_t unix_ms);

/* Reads a stored envelope, with or without its closing brace, and checks its
 * hashes.  VES_CORRUPT with words when it is not what it was. */
VES_NODISCARD enum ves_status ves_agent_read_envelope(struct ves_agent *agent,
                                                      struct ves_bytes envelope,
                                                      bool is_open,
                                                      struct ves_event *event,
                                                      struct ves_error *error);

/* The short form {eventId, type, aggregateId, payload, signature, timestamp}
 * (semantics.md decision 9); the payload without "_ves". */
VES_NODISCARD enum ves_status ves_agent_put_event(struct ves_agent *agent,
                                                  struct ves_jw *jw,
                                                  const struct ves_event *event,
                                                  struct ves_error *error);

/* Copies a row into the arena, so that it outlives its visitor. */
VES_NODISCARD enum ves_status
ves_agent_keep_outbox_row(struct ves_agent *agent,
                          const struct ves_outbox_row *row,
                          struct ves_outbox_row *out);

#endif
