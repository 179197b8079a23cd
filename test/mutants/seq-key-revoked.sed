# src/engine/commit_decide.c -- a key signs beyond the sequence it was revoked at
s/if (key->span.revoked_at_sequence != 0 &&/if (false \&\&/
