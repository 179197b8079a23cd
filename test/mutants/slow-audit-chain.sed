# src/audit/chain.c by e2e/slow-52-audit -- a number of a chain may come twice
s/return fill(audit, agent, row, prev);/return fill == NULL ? VES_NOMEM : VES_OK;/
