# src/engine/agent_push.c -- a restored store sends before it has pulled
s/if (state->is_restoring || state->is_backup)/if (false)/
