# src/engine/agent_automatic.c -- another setting does not make a policy look again
s/^    if (before != settings)/    if (before != settings \&\& false)/
