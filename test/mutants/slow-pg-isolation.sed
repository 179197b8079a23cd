# src/pg/store_pg_transaction.c by test_store_pg -- what follows the lock sees what was there before the wait
s/ISOLATION LEVEL READ COMMITTED READ WRITE/READ WRITE/
