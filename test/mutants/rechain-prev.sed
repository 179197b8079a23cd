# src/engine/agent_rechain.c -- what is signed again stays where it stood
s/event.context.agent_seq = chain->agent_seq + 1;/event.context.agent_seq = row->agent_seq;/
