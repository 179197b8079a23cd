/* kept.h -- an answer that is given again while the store stays as it is.
 *
 * Inside src/agent only.
 */
#ifndef VES_AGENT_KEPT_H
#define VES_AGENT_KEPT_H

#include "base/buf.h"
#include "ves/agent.h"

/* What a status said, and of which state of the file. */
struct ves_kept {
    bool is_there;
    unsigned version;           /* of the file, as this connection counts */
    struct ves_contact contact; /* that it was written with */
    struct ves_buf text;
};

void ves_kept_init(struct ves_kept *kept, const struct ves_alloc *alloc);
void ves_kept_free(struct ves_kept *kept);
/* Version of the file in the transaction that is open, in which something was
 * read.  Whoever commits, this connection, another or another process, makes
 * it another number; false: it cannot be told. */
bool ves_kept_version(struct ves_agent *agent, unsigned *version);
/* Is what is kept the answer still? */
bool ves_kept_holds(const struct ves_kept *kept, unsigned version,
                    const struct ves_contact *contact);
/* Keeps text; without memory for it, nothing. */
void ves_kept_put(struct ves_kept *kept, unsigned version,
                  const struct ves_contact *contact, struct ves_bytes text);

#endif
