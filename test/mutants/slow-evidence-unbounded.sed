# src/engine/agent_quota.c by test_agent_pull -- evidence of lies fills the disk
s/kept->rows < VES_EVIDENCE_ROWS_MAX/kept->rows < 1000000/
