# src/engine/sequencer.c -- a commit that failed leaves its transaction open
s/store->ops->rollback(store);/(void)store;/
