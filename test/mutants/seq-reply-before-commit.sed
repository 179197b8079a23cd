# src/engine/sequencer.c -- the reply does not wait for the commit to succeed
s/status = store->ops->commit(store);/if (store->ops->commit(store))\n                store->ops->rollback(store);/
