# src/engine/agent_rechain.c by test_rotate -- what was refused because its key was rotated stays refused
s/event.agent_key_id != core->key_id/false/
