# src/engine/agent_automatic.c by test_conflicts -- a policy decides again and again what was refused
s/    bool is_idle = run->report->left == 0 && run->report->resolved == 0;/    bool is_idle = run->report->left == 0;/
s/ && !is_refused)/)/
