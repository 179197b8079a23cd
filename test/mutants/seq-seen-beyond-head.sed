# src/engine/commit_decide.c -- an event may have seen what is not there yet
s/if (!context->is_present || context->seen < sequence)/if (true)/
