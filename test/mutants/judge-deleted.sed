# src/engine/verdicts.c from 820 -- what is deleted has no tombstone
s/^        row->tombstone = event->row->sequence_number;/        row->tombstone = 0;/
