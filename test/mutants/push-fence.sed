# src/engine/agent_settle.c -- a pusher that was replaced goes on as if it were not
s/settle->is_fenced = settle->lease.token != settle->push->token;/settle->is_fenced = false;/
