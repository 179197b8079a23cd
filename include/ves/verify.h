/* ves/verify.h -- checking bundles, proofs and evidence, offline.
 *
 * Pure functions: no file, no clock, no network, no global state.  What is
 * believed comes from the caller alone, never from the file; the file's own
 * keys and names are claims to be checked.  doc/bundle.md describes the three
 * formats and how to check them by hand.
 */
#ifndef VES_VERIFY_H
#define VES_VERIFY_H

#include "ves/ves.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An agent's key the caller believes. */
struct ves_verify_agent {
    struct ves_uuid agent;
    uint32_t key_id;
    struct ves_public_key key;
    uint64_t from_sequence;  /* first event it may sign; 0 or 1: any */
    uint64_t until_sequence; /* first it may no longer sign; 0: no end */
};

/* A head of a log the caller has verified before. */
struct ves_verify_head {
    uint64_t size;
    struct ves_hash root;
    struct ves_bytes origin; /* the log's name; empty: of the log at hand */
};

/* Everything that is believed.  Borrowed during the call only. */
struct ves_verify_anchors {
    /* Which logs, which witnesses, which quorum: text in the C2SP tlog-policy
     * form.  Needed. */
    struct ves_bytes policy;
    /* The stream the log must be of; NULL: the one its origin names. */
    const struct ves_stream *stream;
    /* Keys that sign the sequencer's receipts and key directories; the one the
     * policy has for the log, under its name of any epoch, counts, too, and
     * those of its other logs do not. */
    const struct ves_public_key *sequencer_keys;
    size_t sequencer_key_count;
    const struct ves_verify_agent *agents;
    size_t agent_count;
    const struct ves_verify_head *heads;
    size_t head_count;
    /* With both, a checkpoint no quorum has confirmed for that long is called
     * stale; unix seconds, and 0: not asked. */
    uint64_t now_s;
    uint64_t stale_after_s;
    /* The stream's owner, whose word the keys of agents are or follow from;
     * NULL: not asked, "keys in the log" is not proven then. */
    const struct ves_public_key *owner_key;
};

enum ves_verify_finding {
    VES_FINDING_PROVEN = 0,
    VES_FINDING_NOT_PROVEN = 1, /* nothing wrong, but nothing that shows it */
    VES_FINDING_FAILED = 2
};

/* "PROVEN", "NOT PROVEN" or "FAILED". */
VES_API const char *ves_verify_finding_name(enum ves_verify_finding finding);

/* Values are exit codes of "ves verify". */
enum ves_verify_verdict {
    VES_VERIFY_PROVEN = 0,
    VES_VERIFY_BELOW_POLICY = 10,  /* valid, but less than was asked for */
    VES_VERIFY_CONTRADICTION = 30, /* contradicts a head the caller knows */
    VES_VERIFY_INVALID = 40
};

enum { VES_VERIFY_PROPERTIES_MAX = 16, VES_VERIFY_UNPROVABLE_MAX = 8 };

struct ves_verify_property {
    const char *name; /* static: "log signature", "position" ... */
    enum ves_verify_finding finding;
    char text[512]; /* NUL-terminated UTF-8, one line */
};

struct ves_verify_report {
    enum ves_verify_verdict verdict;
    const char *format; /* "bundle", "proof", "evidence"; static */
    size_t count;
    struct ves_verify_property properties[VES_VERIFY_PROPERTIES_MAX];
    /* What no such file can prove, whatever it holds; static sentences. */
    size_t unprovable_count;
    const char *unprovable[VES_VERIFY_UNPROVABLE_MAX];
    /* Of the (first) checkpoint, when there is one that could be read. */
    char origin[256]; /* NUL-terminated; "" if none */
    struct ves_verify_head head;
    uint64_t events;       /* that were looked at */
    uint64_t witnessed_at; /* a quorum had seen it then; unix seconds, 0: no */
};

/* Verifies a .ves-bundle, a .tlog-proof or a .ves-evidence; the first line
 * tells which.  entry is what a .tlog-proof is about, the 147 bytes of a leaf;
 * of an empty one the event in the proof's "extra" is taken.  alloc NULL: the
 * C library's heap.  VES_OK when a report was made, whatever it says;
 * VES_INVALID when the anchors cannot be used, VES_NOMEM, VES_IO when the
 * cryptographic library does not start; the report's verdict is then
 * VES_VERIFY_INVALID. */
VES_API VES_NODISCARD enum ves_status
ves_verify(const struct ves_alloc *alloc, struct ves_bytes file,
           struct ves_bytes entry, const struct ves_verify_anchors *anchors,
           struct ves_verify_report *report, struct ves_error *error);

#ifdef __cplusplus
}
#endif
#endif /* VES_VERIFY_H */
