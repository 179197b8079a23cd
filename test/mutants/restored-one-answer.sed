# src/sync/own.c by e2e/17-restored -- a backup believes where the log ends without a second answer
s/if (!own.was_backup || own.needs_pull)/if (true)/
