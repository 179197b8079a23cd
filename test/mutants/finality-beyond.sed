# src/engine/agent_log.c by test_agent_log -- what a head far beyond the cursor covers is called logged
s/\.logged = smaller(row\.logged, cursor)/.logged = row.logged/
