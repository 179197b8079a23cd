# src/audit/tree.c by e2e/slow-52-audit -- a head that the caller knows contradicts nothing
s/audit->heads_missed\[i\] = true;/audit->heads_met[i] = true;/
