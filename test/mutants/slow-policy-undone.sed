# src/engine/agent_automatic.c -- a policy decides again what somebody took back
s/ && !conflict.was_undone//
