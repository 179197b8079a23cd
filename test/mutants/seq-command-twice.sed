# src/engine/commit_decide.c -- a command id may be used again
s/if (!e->command || !e->command->is_used)/if (true)/
