# src/audit/walk.c by e2e/52-audit -- a revoked key may sign
s/^    else if (key->span.is_found \&\& (n < key->span.valid_from_sequence ||/    else if (false \&\& (n < key->span.valid_from_sequence ||/
