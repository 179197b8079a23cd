# src/engine/rejudge.c -- conflicts of before stay when the log is judged again
s/^        store->ops->verdict_reset(store, reader->stream_no);/        VES_OK;/
