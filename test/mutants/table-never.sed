# src/os/key_tables.c by test_key_tables -- no key is ever worth a table
s/    leased->table = tables->base ? entry->table : NULL;/    leased->table = NULL;/
s/    leased->table = table;/    leased->table = NULL;/
