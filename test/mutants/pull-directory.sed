# src/engine/agent_keys.c -- anybody may sign the key directory
s/if (!ves_device_is_valid(items, count))/if (false)/
