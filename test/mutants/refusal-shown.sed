# src/engine/agent_settle.c -- a refused event stays in the local view
s/if (row->is_refused && row->is_in_overlay)/if (false)/
