# src/engine/commit_decide.c by prop_keys -- a revoked key goes on signing for three numbers
s/^        sequence >= key->span.revoked_at_sequence)$/        sequence >= key->span.revoked_at_sequence + 3)/
