# src/core/judge_step.c -- what was waited for arrives and nobody is told
s/^        status = writer->waiters(writer->ctx, &event, push, heap);/        status = VES_OK;/
