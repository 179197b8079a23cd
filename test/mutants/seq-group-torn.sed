# src/engine/commit_decide.c -- members of an atomic group are placed one by one
s/if (!context->has_cmd)/if (true)/
