# src/engine/agent_claim.c by test_agent_push -- a group is sent without a member that failed
s/if (row->cmd_count > 0) {/if (false) {/
