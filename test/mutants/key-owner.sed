# src/core/key_state.c by test_key_event -- the owner's signature is not looked at
s/    return is_signed(&world->owner, &hash, &s->owner_signature)/    return true/
