/* cosigned.h -- the heads of one log that somebody cosigned, and their lines.
 *
 * What a log keeps of cosignatures that came to it: heads as it signed them,
 * each with the lines of those who vouch for it.  It is kept and read as a
 * text, one signed note after the other, each behind a line that counts its
 * bytes:
 *
 *     note LEN
 *     ORIGIN ... the log's lines, the cosigners' lines
 *
 * Bounded whatever comes: the newest line of a cosigner is kept wherever it
 * is, older ones only on the newest VES_COSIGNED_RECENT heads, so that several
 * cosigners can meet on one; a head without lines is forgotten.  Nothing is
 * verified here: lines are checked before they are added.
 */
#ifndef VES_CORE_COSIGNED_H
#define VES_CORE_COSIGNED_H

#include "base/arena.h"
#include "core/checkpoint.h"
#include "core/note.h"

enum {
    VES_COSIGNED_RECENT = 8,      /* heads whose older lines are kept, too */
    VES_COSIGNED_AGENTS_MAX = 40, /* agents that are kept as cosigners */
    VES_COSIGNED_OTHERS_MAX = 16, /* witnesses; lines of a head fit a note */
    VES_COSIGNED_COSIGNERS_MAX =
        VES_COSIGNED_AGENTS_MAX + VES_COSIGNED_OTHERS_MAX,
    VES_COSIGNED_HEADS_MAX = VES_COSIGNED_RECENT + VES_COSIGNED_COSIGNERS_MAX,
    VES_COSIGNED_MAX = 512 * 1024 /* bytes of the text */
};

struct ves_cosigned_line {
    struct ves_bytes text; /* with its LF */
    struct ves_bytes name;
    uint32_t key_id;
    uint64_t time_s;
};

struct ves_cosigned_head {
    struct ves_checkpoint checkpoint;
    struct ves_bytes note; /* text, empty line, the log's own lines */
    struct ves_cosigned_line lines[VES_COSIGNED_COSIGNERS_MAX];
    size_t count; /* of lines; in the order of names and key ids */
};

/* Newest first.  Views the text it was read from and what was added. */
struct ves_cosigned {
    struct ves_cosigned_head *heads[VES_COSIGNED_HEADS_MAX + 1];
    size_t count;
    struct ves_arena *arena; /* where heads are made */
};

/* "" is a log that nobody cosigned.  VES_CORRUPT: not what _write wrote.
 * VES_NOMEM. */
VES_NODISCARD enum ves_status ves_cosigned_read(struct ves_bytes text,
                                                struct ves_arena *arena,
                                                struct ves_cosigned *out);
void ves_cosigned_write(struct ves_buf *buf, const struct ves_cosigned *set);

enum ves_cosigned_answer {
    VES_COSIGNED_ADDED,
    VES_COSIGNED_KNOWN, /* this cosigner said as much or more before */
    VES_COSIGNED_FULL   /* as many cosigners as are kept, all of them newer */
};

/* Takes a good line over a head of the log.  note: the head with the log's
 * own lines only; both are borrowed.  The cosigner's name is not the log's.
 * VES_NOMEM. */
VES_NODISCARD enum ves_status
ves_cosigned_add(struct ves_cosigned *set, struct ves_bytes note,
                 const struct ves_checkpoint *head,
                 const struct ves_cosigned_line *line,
                 enum ves_cosigned_answer *answer);

/* What a cosigner's line says it is: the time is its first eight bytes.
 * false: no cosignature. */
bool ves_cosigned_line_read(const struct ves_note_line *line,
                            struct ves_cosigned_line *out);
/* The head of that size, or NULL. */
const struct ves_cosigned_head *
ves_cosigned_find(const struct ves_cosigned *set, uint64_t size);
/* Appends a note and a head's lines (head may be NULL). */
void ves_cosigned_note_write(struct ves_buf *buf, struct ves_bytes note,
                             const struct ves_cosigned_head *head);

/* The name an agent's store cosigns by, from the log's origin: what stands
 * before "/ves/ID", "/agent/" and the agent's id.  origin must have that form
 * (ves_origin_stream). */
void ves_cosigner_name_write(struct ves_buf *buf, struct ves_bytes origin,
                             const struct ves_uuid *agent);
/* Whose store is it?  false: not a name of that form under this origin. */
bool ves_cosigner_agent(struct ves_bytes name, struct ves_bytes origin,
                        struct ves_uuid *agent);

#endif
