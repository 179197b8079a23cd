# src/engine/agent_rotate.c by test_rotate -- what was sent under the old key is never signed again
s/^    lease.sent = 0;$//
