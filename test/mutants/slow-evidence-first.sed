# src/engine/agent_quota.c by test_agent_pull -- a first proof that is large is not kept
s/(kept->rows == 0 ||/(false ||/
