# src/audit/published.c by e2e/slow-54-audit-hostile -- entries may stand in any order
s/if (leaf.sequence_number != sequence)/if (false)/
