# src/engine/agent_append.c -- own events are not in the local view
s/\.is_in_overlay = true,/.is_in_overlay = false,/
