# src/audit/published.c by e2e/54-audit-hostile -- entries may stand in any order
s/if (leaf.sequence_number != sequence)/if (false)/
