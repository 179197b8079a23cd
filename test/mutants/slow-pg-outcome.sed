# src/pg/store_pg_transaction.c by test_store_pg -- a lost commit is taken for one that happened
s/\*is_there = found == st->commit_no;/*is_there = true;/
