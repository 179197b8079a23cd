# src/pg/store_pg_connect.c by test_server_shared -- a connection that was made anew does not listen
s/st->is_silent = st->is_listening = false;/st->is_silent = false;/
