# src/audit/heads.c by e2e/slow-54-audit-hostile -- heads that others keep are not compared
s/(head->is_outside && head->epoch < stream->epoch))/head->is_outside)/
