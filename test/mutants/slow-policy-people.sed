# src/engine/agent_automatic.c -- a policy decides about goods that came back
s/ves_bytes_is(entity_type, "return");/false;/
s/^           strcmp(conflict->of.function, VES_MERGE_NEVER) == 0;/           false;/
