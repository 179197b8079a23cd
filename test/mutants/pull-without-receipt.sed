# src/engine/agent_own.c from 1005 -- an own event pulled without receipt is never proven
s/row->has_receipt ? VES_OUTBOX_SYNCING : VES_OUTBOX_PENDING/VES_OUTBOX_SYNCING/
