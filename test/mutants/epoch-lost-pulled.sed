# src/engine/agent_given_up.c -- own events that were pulled and given up are not sent again
s/^            moved\[away++\] = g->rows\[i\];$/            continue;/
