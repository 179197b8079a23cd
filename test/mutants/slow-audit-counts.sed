# src/audit/walk.c by e2e/slow-52-audit -- how own events are counted is not looked at
s/if (!status && memcmp(counts, walk->own_counts, sizeof(counts)) != 0)/if (false)/
