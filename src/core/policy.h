/* policy.h -- which logs and how many witnesses one wants to believe (C2SP
 * tlog-policy).
 *
 *     log NAME+ID+KEY [URL]
 *     witness NAME VKEY [URL]
 *     group NAME all|any|K MEMBER...
 *     quorum NAME|none
 */
#ifndef VES_CORE_POLICY_H
#define VES_CORE_POLICY_H

#include "core/checkpoint.h"
#include "core/note.h"

enum {
    VES_POLICY_MAX = 64 * 1024, /* bytes */
    VES_POLICY_ITEMS_MAX = 64,  /* logs, witnesses, groups: each; C2SP wants 32
                                   at least; a set of them fits 64 bits */
    VES_POLICY_NONE = -1        /* no group; no log */
};

struct ves_policy_log {
    struct ves_note_key key; /* its name is the log's origin */
    struct ves_bytes url;    /* empty: none */
};

struct ves_policy_witness {
    struct ves_bytes name; /* in the policy only */
    struct ves_note_key key;
    struct ves_bytes url;
    int group; /* the one it is a member of; VES_POLICY_NONE */
};

struct ves_policy_group {
    struct ves_bytes name;
    uint32_t needed; /* members that must have witnessed: 1 or more */
    int group;       /* the one it is a member of, always a later one */
};

/* A value that views the text it was read from. */
struct ves_policy {
    struct ves_policy_log logs[VES_POLICY_ITEMS_MAX];
    size_t log_count;
    struct ves_policy_witness witnesses[VES_POLICY_ITEMS_MAX];
    size_t witness_count;
    struct ves_policy_group groups[VES_POLICY_ITEMS_MAX];
    size_t group_count;
    enum { VES_QUORUM_NONE, VES_QUORUM_WITNESS, VES_QUORUM_GROUP } quorum;
    size_t quorum_index; /* of the witness or the group */
};

/* VES_MALFORMED with the line's number, VES_LIMIT, VES_UNSUPPORTED for keys of
 * other kinds. */
VES_NODISCARD enum ves_status ves_policy_read(struct ves_bytes text,
                                              struct ves_policy *out,
                                              struct ves_error *error);

/* Is the quorum met by these witnesses (bit i: witness i)? */
bool ves_policy_is_met(const struct ves_policy *policy, uint64_t witnesses);

/* What a signed checkpoint is worth under a policy. */
struct ves_policy_verdict {
    int log;      /* which one signed it; VES_POLICY_NONE */
    bool has_bad; /* a known key's signature is wrong: believe nothing */
    struct ves_bytes bad; /* that key's name */
    uint64_t witnesses;   /* good cosignatures, bit by bit */
    uint32_t witness_count;
    bool is_met; /* the quorum */
    /* Both 0 unless a quorum of witnesses is met; unix seconds.  A quorum had
     * seen it at witnessed_at; at fresh_at a quorum still knew no larger tree.
     */
    uint64_t witnessed_at, fresh_at;
};

/* checkpoint is that of note.  Logs count whose name is the origin. */
void ves_policy_check(const struct ves_policy *policy,
                      const struct ves_note *note,
                      const struct ves_checkpoint *checkpoint,
                      struct ves_policy_verdict *out);

/* The newest word of one witness about a log. */
struct ves_policy_word {
    uint64_t size; /* of the head it cosigned; 0: none */
    uint64_t time_s;
};

/* How far a quorum vouches for a log. */
struct ves_policy_reach {
    uint64_t size;     /* 0: nowhere; UINT64_MAX: nobody is asked for */
    uint64_t fresh_at; /* a quorum still said so then; 0: never */
};

/* Judges across heads, for one who knows that they are heads of one tree: a
 * witness that cosigned one vouches for all that is before it.  words[i] is
 * that of witness i. */
void ves_policy_reach(const struct ves_policy *policy,
                      const struct ves_policy_word *words,
                      struct ves_policy_reach *out);

#endif
