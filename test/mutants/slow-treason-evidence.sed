# src/engine/agent_evidence.c -- evidence of two histories shows the other's hash as its own
s/^    out->heads\[0\].hash = ours;/    out->heads[0].hash = *theirs;/
