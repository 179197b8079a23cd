# src/engine/log_recover.c -- a stream whose tail came back stays frozen
s/status = store->ops->tlog_freeze(store, r->stream.stream_no, 0,/status = store->ops->tlog_freeze(store, r->stream.stream_no, 1,/
