# src/core/judge.c -- who goes on upon what is in conflict does not join it
s/^    if (conflict.is_found && conflict.is_open) {/    if (conflict.is_found \&\& conflict.is_open \&\& false) {/
