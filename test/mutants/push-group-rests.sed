# src/engine/agent_claim.c by test_agent_push -- members of a group wait for one that is in the log and rests
s/(is_same_group(last, &next) && !is_settled(&next))/is_same_group(last, \&next)/
