# src/engine/log_recover.c -- a tail that cannot be rebuilt whole is kept as far as it goes
s/    if (status)$/    if (status \&\& status != VES_NOT_FOUND)/
s/^        store->ops->rollback(store);/        store->ops->rollback(store);\n    else if (status)\n        status = store->ops->commit(store) ? VES_IO : VES_NOT_FOUND;/
