# src/engine/agent_own.c by test_agent_pull -- an old end of the log makes a backup take itself for a copy
s/ || state->was_backup//
