# src/engine/agent_fold.c -- what is in conflict is in the state
s/^    if (judgement->verdict != VES_VERDICT_APPLIED)/    if (judgement->verdict == VES_VERDICT_WAITING)/
