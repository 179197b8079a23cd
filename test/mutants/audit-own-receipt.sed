# src/audit/walk.c by e2e/slow-52-audit -- another receipt than the log's passes for the log's
s/        memcmp(row->receipt.b, own->receipt.b, VES_SIG_SIZE) == 0;/        true;/
