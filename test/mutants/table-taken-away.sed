# src/os/key_tables.c by test_key_tables -- a table that a batch holds is given to another key
s/        if (entry->table && entry->users == 0 &&/        if (entry->table \&\&/
