# src/pg/store_pg_transaction.c by test_store_pg -- who wants the whole database shares it
s/status = ves_pg_queue(st, TAKE_LOCK);/status = ves_pg_queue(st, SHARE_LOCK);/
