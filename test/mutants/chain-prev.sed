# src/engine/agent_append.c -- prev names the same event again and again
s/^    append->chain.prev = append->event.event_hash;//
