# src/engine/agent_ack.c -- what was sent counts as taken
s/^    if (!row->has_receipt)$/    if (false)/
s/^    if (!row->has_verdict)$/    if (false)/
s/if (ves_device_is_valid(&items\[n\], keys))/if (true)/
