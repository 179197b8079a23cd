# src/pg/store_pg_transaction.c by test_store_pg -- streams are locked in the order in which they are named
s/put_streams(&q, wanted);/for (size_t i = 0; i < wanted->count; i++) { ves_pg_put_uuid(\&q, \&wanted->streams[i].tenant); ves_pg_put_uuid(\&q, \&wanted->streams[i].store); }/
