# src/core/key_state.c -- a revocation ends its key from the number that whoever entered it gave
s/^    key->revoked_at = sequence;$/    key->revoked_at = claimed ? claimed : sequence;/
