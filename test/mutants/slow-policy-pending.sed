# src/engine/agent_conflict.c -- an own decision that is on its way is not seen
s/out->has_pending = true/out->has_pending = false/
