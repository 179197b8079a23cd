/* audit_picture.h -- an audit's report as one SVG picture. */
#ifndef VES_APP_AUDIT_PICTURE_H
#define VES_APP_AUDIT_PICTURE_H

#include <stdio.h>

#include "ves/json.h"

/* Volume over time, agents, checkpoints, findings; one part a stream.  jr is
 * the report of ves_audit_run.  Errors show in out. */
void audit_picture(FILE *out, struct ves_jr *jr);

#endif
