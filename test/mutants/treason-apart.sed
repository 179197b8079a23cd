# src/engine/agent_evidence.c -- two heads beyond what was pulled are taken for heads of one history
s/\*is_apart = is_beyond \&\& evidence/*is_apart = !is_beyond \&\& evidence/
