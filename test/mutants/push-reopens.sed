# src/engine/agent_settle.c -- the reply to a push puts a row back into a conflict that is decided
s/row->status = is_in_conflict ?/row->status = row->has_verdict \&\& row->verdict == VES_VERDICT_CONFLICT ?/
