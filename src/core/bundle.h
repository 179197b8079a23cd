/* bundle.h -- events with the proof that they stand in a log, in one file.
 *
 * Suffix .ves-bundle; doc/bundle.md describes it line by line.  All events
 * share one signed checkpoint and one list of hashes, which covers what lies
 * between them: adding, from left to right, covers and events to an empty
 * edge leads to the checkpoint's root.
 */
#ifndef VES_CORE_BUNDLE_H
#define VES_CORE_BUNDLE_H

#include "core/checkpoint.h"
#include "core/event.h"
#include "core/merkle.h"
#include "core/note.h"

enum {
    VES_BUNDLE_MAX = 256 * 1024 * 1024, /* bytes */
    VES_BUNDLE_EVENTS_MAX = 100000,
    VES_BUNDLE_KEYS_MAX = 64, /* key directories */
    VES_BUNDLE_NAME_MAX = 128 /* bytes of a policy's name */
};

/* A bundle taken apart; views the bytes it was read from.  Nothing in it is
 * verified yet, and events are not yet looked into. */
struct ves_bundle {
    struct ves_stream stream;
    struct ves_bytes policy; /* name of the maker's policy; empty: none */
    struct ves_bytes keys;   /* lines of key directories */
    size_t keys_count;
    struct ves_bytes events; /* lines of events */
    size_t event_count;      /* at least 1 */
    struct ves_bytes covers; /* lines of hashes, as many as the gaps imply */
    struct ves_note note;
    struct ves_bytes note_bytes;
    struct ves_checkpoint checkpoint;
};

/* VES_MALFORMED, VES_LIMIT.  Checks all but what is inside the JSON: order
 * and range of the sequence numbers, and the number of hashes. */
VES_NODISCARD enum ves_status ves_bundle_read(struct ves_bytes bytes,
                                              struct ves_bundle *out,
                                              struct ves_error *error);

/* Takes the next directory's JSON from the front of *keys; false at the end.
 */
bool ves_bundle_next_keys(struct ves_bytes *keys, struct ves_bytes *json);

struct ves_bundle_event {
    uint64_t sequence_number;
    struct ves_bytes envelope; /* JSON, on one line */
};

/* Takes the next event from the front of *events; false at the end. */
bool ves_bundle_next_event(struct ves_bytes *events,
                           struct ves_bundle_event *out);

/* Reads one event's envelope and checks what needs no key: it is written as
 * ves_event_write does, of the bundle's stream, and its hashes are right.
 * *leaf is what the log has of it.  VES_REFUSED with *refusal filled. */
VES_NODISCARD enum ves_status
ves_bundle_event_check(struct ves_arena *arena, const struct ves_bundle *bundle,
                       const struct ves_bundle_event *item,
                       struct ves_event *event, struct ves_leaf *leaf,
                       struct ves_refusal *refusal);

/* Adds up the edge over covers and events. */
struct ves_bundle_sum {
    struct ves_tlog_edge edge;
    struct ves_bytes covers; /* not yet used */
};

void ves_bundle_sum_init(struct ves_bundle_sum *sum,
                         const struct ves_bundle *bundle);
/* The events in their order: covers before it, then its leaf. */
void ves_bundle_sum_add(struct ves_bundle_sum *sum,
                        const struct ves_leaf *leaf);
/* After the last one: the root everything leads to. */
void ves_bundle_sum_end(struct ves_bundle_sum *sum,
                        const struct ves_bundle *bundle, struct ves_hash *root);

/* ---- writing --------------------------------------------------------------
 * In this order: begin, keys, events by ascending number, end. */

/* Printable ASCII, 1 to VES_BUNDLE_NAME_MAX bytes? */
bool ves_bundle_name_is_valid(struct ves_bytes text);

/* policy_name is empty or valid. */
void ves_bundle_begin(struct ves_buf *buf, const struct ves_stream *stream,
                      struct ves_bytes policy_name);
/* A signed key directory, as the sequencer sent it.  VES_MALFORMED when it
 * has a line end in it. */
VES_NODISCARD enum ves_status ves_bundle_keys(struct ves_buf *buf,
                                              struct ves_bytes json);
/* event has been read and checked. */
void ves_bundle_event(struct ves_buf *buf, uint64_t sequence_number,
                      const struct ves_event *event);
/* source gives the nodes of the log; sequences are those of the events; size
 * is that of the checkpoint in note. */
VES_NODISCARD enum ves_status
ves_bundle_end(struct ves_buf *buf, const struct ves_tlog_source *source,
               const uint64_t *sequences, size_t count, uint64_t size,
               struct ves_bytes note);

/* Appends the .tlog-proof of one of its events, the envelope as extra.
 * VES_NOT_FOUND when it has no event of this number; VES_REFUSED when one of
 * its events is not right. */
VES_NODISCARD enum ves_status
ves_bundle_extract(const struct ves_bundle *bundle,
                   const struct ves_alloc *alloc, uint64_t sequence_number,
                   struct ves_buf *out);

#endif
