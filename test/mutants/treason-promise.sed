# src/engine/agent_promise.c -- what a receipt of this store promised may be another's in the log
s/if (!is_kept(own, page, &rows\[i\]))/if (false)/
