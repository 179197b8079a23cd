# src/engine/agent_log.c -- a head beyond the page need not be proven
s/if (ves_tlog_consistency_check(&told->path, edge->size, &root,/if (edge->size == 0 \&\& ves_tlog_consistency_check(\&told->path, edge->size, \&root,/
