# src/server/head_file.c by test_server_heads -- a head file takes a head that takes back another
s/(is_same && size < head->size) ||/false ||/
