# src/engine/agent_settle.c by test_agent_push -- a receipt may promise a number that the log has given away
s/^    if (broken) {$/    if (false) {/
