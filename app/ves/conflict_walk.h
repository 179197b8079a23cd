/* conflict_walk.h -- going through the open conflicts with a person. */
#ifndef VES_APP_CONFLICT_WALK_H
#define VES_APP_CONFLICT_WALK_H

#include "cli.h"

/* Shows and asks, one conflict after the other; id NULL: all that are open.
 * The exit code: CLI_PARTIAL when some stay open. */
int conflict_walk(struct cli *cli, struct ves_agent *agent, const char *id);

#endif
