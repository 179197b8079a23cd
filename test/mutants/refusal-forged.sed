# src/engine/agent_settle.c -- the signature of a refusal is not looked at
s/if (event->is_refusal_valid) {/if (true) {/
