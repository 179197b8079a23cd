# src/engine/agent_page.c by test_key_entry -- a revoked key may sign
s/    if (!ves_agent_key_covers(key, item->event.sequence_number))/    if (false)/
