# src/witness/witness.c by test_witness -- a prefix fits every origin
s/? origin.len <= log->name.len ||/? false \&\&/
