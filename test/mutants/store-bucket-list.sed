# src/store/store_sqlite_entity.c by test_store_sqlite -- a new entity forgets the one before it in its bucket
s/^    ves_sql_put_i64(&q, newest);/    ves_sql_put_i64(\&q, 0);/
