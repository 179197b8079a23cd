# src/engine/agent_promise.c by test_agent_log -- the head of a page that broke a promise is kept as verified
s/^    log->is_verified = false;$//
