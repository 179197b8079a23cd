# src/engine/agent_push.c -- two processes push at once
s/if (lease->is_held && !is_mine && begin->is_alive(&holder))/if (false)/
