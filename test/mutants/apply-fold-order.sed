# src/engine/agent_fold.c -- the state depends on how pages cut the log
s/return slot->is_folded ? ves_buf_view(&slot->state) : slot->row.state;/return slot->row.state;/
