# src/pg/store_pg_transaction.c by test_store_pg -- a lost commit is taken for one that did not happen
s/\*is_there = found == st->commit_no;/*is_there = found != found;/
