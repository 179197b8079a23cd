# src/engine/key_recover.c by test_key_entry -- a store's tables end a key at the sequencer
s/^    if (is_shown(e, one))$/    if (true)/
