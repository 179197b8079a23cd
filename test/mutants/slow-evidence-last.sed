# src/core/verify_evidence.c by e2e/50-verify -- a tree that only grew is a contradiction
s/else if (ves_hash_equal(&then, &small->root))/else if (false)/
