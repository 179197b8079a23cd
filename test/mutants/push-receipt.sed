# src/engine/agent_reply.c -- receipts of an answer are not verified
/if (ves_device_is_valid(&reply->items\[event->receipt_first\],/s/if (/if (event->receipt_count > 0 || /
