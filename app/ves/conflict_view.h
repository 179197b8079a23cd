/* conflict_view.h -- a conflict for people: side by side, or line by line. */
#ifndef VES_APP_CONFLICT_VIEW_H
#define VES_APP_CONFLICT_VIEW_H

#include "cli.h"

/* A document of ves_conflict_show; in columns where the terminal is wide
 * enough. */
void conflict_print(struct ves_jr *jr);

/* A document of ves_resolve, or of it only what was decided. */
void conflict_print_outcome(struct ves_jr *jr);
void conflict_print_decided(struct ves_jr *jr);

/* What may be typed next ("nextSteps"), a line each. */
void steps_print(struct ves_jr *jr);

/* What somebody should look at ("followUps"), a line each; nothing when there
 * is nothing.  Returns how many lines: at most that many. */
size_t follow_ups_print(struct ves_jr *jr, size_t max);

/* Columns of standard output: of its terminal, else $COLUMNS, else 80. */
size_t conflict_width(void);

#endif
