# src/core/judge.c -- whatever is written at the same time is applied
s/^    if (out->kind != VES_CONFLICT_KIND_NONE)/    if (found.has_fact \&\& false)/
