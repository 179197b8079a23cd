# src/store/store_sqlite_match.c by test_store_sqlite -- what an envelope says is believed although its key does not vouch for it
s/^    \*is_told = ves_hash_equal(&made, key);/    *is_told = made.b[0] == key->b[0] || true;/
