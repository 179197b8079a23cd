# src/engine/verdicts.c -- a decision that is taken back does not open its conflict again
s/^        row->closed = 0;/        (void)row->closed;/
