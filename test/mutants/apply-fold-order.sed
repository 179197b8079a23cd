# src/engine/agent_fold.c -- the state depends on how pages cut the log
s/slot->is_folded ? ves_buf_view(&slot->state) : slot->entity.row.state;/slot->entity.row.state;/
