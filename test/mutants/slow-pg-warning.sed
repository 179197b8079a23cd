# src/pg/store_pg_transaction.c by test_store_pg -- a commit whose wait for a standby was cut short counts as stored
s/return is_done \&\& !st->has_warning ? VES_OK : VES_AGAIN;/return is_done ? VES_OK : VES_AGAIN;/
