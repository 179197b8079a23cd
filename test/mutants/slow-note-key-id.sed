# src/core/note.c by test_note -- a key is known by its id alone
s/if (line->key_id != key->id || !ves_bytes_equal(line->name, key->name))/if (line->key_id != key->id)/
