# src/core/part.c by test_part -- a receipt is believed without its signature
s/if (ves_ed25519_verify(&part->keys\[i\].public_key,/if (true || ves_ed25519_verify(\&part->keys[i].public_key,/
