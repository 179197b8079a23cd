# src/engine/agent_rechain.c -- an event goes on saying that it has seen what was given up
s/^    event->context.seen = rechain->seen_below - 1;$//
