# src/core/inspection.c by test_bundle -- a head one knows contradicts nothing
s/if (ves_hash_equal(&head->root, &checkpoint->root))/if (true || ves_hash_equal(\&head->root, \&checkpoint->root))/
