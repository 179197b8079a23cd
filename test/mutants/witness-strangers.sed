# src/witness/witness.c by test_witness -- lines of strangers go into its state
s/            if (keys\[k\].id == line->key_id &&/            if (keys[k].id != 0 ||/
