# src/engine/agent_reply.c -- a refusal by a key not pinned yet counts as forged
s/if (keys == 0 && event->receipt_state == VES_REPLY_NO_RECEIPT) {/if (false) {/
