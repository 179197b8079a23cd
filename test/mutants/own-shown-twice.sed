# src/engine/agent_own.c -- an own event stays in the local view after it came back from the log
s/^    row->is_in_overlay = false;//
