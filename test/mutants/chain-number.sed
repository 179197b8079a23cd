# src/engine/agent_append.c -- agent_seq does not advance
s/^    append->chain.agent_seq++;//
