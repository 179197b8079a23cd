# src/engine/key_entry.c by test_key_entry -- a rotation whose answer was lost is entered again
s/    if (status || is_entered(entry->event, state))/    if (status)/
