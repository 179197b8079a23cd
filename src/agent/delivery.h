/* delivery.h -- how news reach a store: what who follows its sequencer leaves
 * in FILE.delivery for those who ask (ADR 0045).
 *
 * The file is locked as long as somebody follows: who has died, also by kill
 * -9, is not said to follow.  It is a note for people; nothing is decided by
 * it, and without it everything goes on.
 */
#ifndef VES_AGENT_DELIVERY_H
#define VES_AGENT_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "ves/json.h"

enum { VES_DELIVERY_WHY_MAX = 256 };

struct ves_delivery {
    bool is_live;     /* the stream is followed; otherwise why tells why not */
    int64_t since_ms; /* when that began */
    uint64_t head;    /* that the stream told last; 0: none yet */
    int64_t head_ms;  /* when it did */
    char why[VES_DELIVERY_WHY_MAX];
};

/* Notes it.  *fd is -1 before the first; when another follows this store, the
 * note is his, and this one is tried again with the next. */
void ves_delivery_note(const char *path, const struct ves_alloc *alloc, int *fd,
                       const struct ves_delivery *delivery);
/* Nobody is said to follow afterwards.  -1 allowed. */
void ves_delivery_end(int *fd);
/* What is noted, zeros when nothing is or it makes no sense; *is_followed:
 * is he who noted it still there? */
void ves_delivery_read(const char *path, const struct ves_alloc *alloc,
                       struct ves_delivery *out, bool *is_followed);
/* The member "delivery" of a status. */
void ves_delivery_put(struct ves_jw *jw, const char *path,
                      const struct ves_alloc *alloc);

#endif
