# src/engine/key_log.c by test_key_entry -- the first version of the sequencer's key in a log needs nobody's word
s/^        \*out = &row->public_key;$/        *out = NULL;/
