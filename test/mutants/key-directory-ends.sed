# src/engine/agent_keys.c -- a directory ends a key that the log goes on with
/^static enum ves_status take_end/,/^}/s/^    if (logged)$/    if (false)/
