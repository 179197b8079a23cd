# src/engine/agent_promise.c by test_agent_log -- a receipt that nobody signed accuses the sequencer
s/if (status || !is_good)/if (status)/
