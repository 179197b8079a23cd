# src/engine/sequencer.c from 532 -- the reply does not wait for the commit to succeed
s/status = store->ops->commit(store);/if (store->ops->commit(store))\n                store->ops->rollback(store);/
