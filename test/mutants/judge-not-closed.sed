# src/engine/verdicts.c -- a decision does not close its conflict
s/^        row->closed = event->row->sequence_number;/        row->closed = 0;/
