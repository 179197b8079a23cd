# src/engine/agent_log.c by test_agent_log -- a later head takes the place of one whose entries have not come
s/bool is_awaited = log->row.logged > log->edge.size;/bool is_awaited = false;/
