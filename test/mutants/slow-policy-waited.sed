# src/engine/agent_conflicts.c by test_conflicts -- a policy does not look again when an event that waited is judged
s/^    return ves_device_automatic_again(fold->core, fold->arena, first);/    return VES_OK;/
