# src/engine/agent_conflicts.c -- an own event stays in conflict after that was decided
s/^    else if (row->status == VES_OUTBOX_CONFLICT)/    else if (false)/
