# src/engine/verdicts.c -- what has waited counts as applied where it stands in the log
s/^    event->row->applied_at = now;/    event->row->applied_at = event->row->sequence_number;/
