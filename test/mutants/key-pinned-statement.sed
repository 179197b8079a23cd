# src/engine/agent_key_log.c by test_key_entry -- a store takes a version of the sequencer's key without the statement of the one it pinned
s/^    if (find_pinned(core, newest->key.version - 1, &pinned) &&$/    if (false \&\&/
