# src/pg/store_pg_log.c by test_store_pg -- a log goes on from any number
s/ AND head = \$2 - 1"/"/
