# src/pg/store_pg_transaction.c by test_store_pg -- a commit does not take its stream
s/"  FOR NO KEY UPDATE) s"/") s"/
