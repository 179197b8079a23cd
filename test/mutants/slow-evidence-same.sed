# src/core/verify_evidence.c by test_evidence -- two heads of one root are a contradiction
s/ves_hash_equal(&first->root, &second->root)$/false/
