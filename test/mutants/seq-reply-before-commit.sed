# src/engine/sequencer.c -- the reply does not wait for the commit to succeed
s/status = store->ops->commit(store);/(void)store->ops->commit(store);/
