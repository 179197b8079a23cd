# src/engine/agent_key_log.c by test_key_entry -- the log may enter another key of the sequencer than was pinned
s/newest->sequence == event->sequence_number &&/newest->sequence == 0 \&\&/
