# src/engine/agent_push.c -- rows claimed by a dead pusher are never given back
s/return ves_device_reset_claims(begin->core, begin->arena, lease);/return VES_OK;/
