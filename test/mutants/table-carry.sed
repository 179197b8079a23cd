# src/crypto/field25519.c by test_ed25519 -- bytes of an element at p itself are not canonical
s/    uint64_t carry = 19;/    uint64_t carry = 18;/
