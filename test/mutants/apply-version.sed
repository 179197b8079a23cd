# src/engine/agent_fold.c -- the version of an entity does not advance
s/^    slot->row.version++;//
