/* nearest.h -- which name was meant. */
#ifndef VES_BASE_NEAREST_H
#define VES_BASE_NEAREST_H

#include <stddef.h>

#include "ves/ves.h"

/* Of `count` names the one that was probably meant, or -1: the first of those
 * that the fewest letters have to be added to, dropped from or changed in, at
 * most one and a quarter of its own. Capitals, "_" and "-" are not looked at,
 * nor what is behind the 48th letter. */
int ves_nearest(struct ves_bytes wrong, const struct ves_bytes *names,
                size_t count);

#endif
