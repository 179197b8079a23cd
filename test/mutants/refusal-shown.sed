# src/engine/agent_settle.c -- a refused event stays in the local view
s/if (settle->rows\[i\].is_refused && settle->rows\[i\].is_in_overlay)/if (false)/
