# src/engine/agent_claim.c -- an unsigned conflict is never sent again
s/(row->status == VES_OUTBOX_CONFLICT && row->sequence_number == 0)/false/
