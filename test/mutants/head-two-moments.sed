# src/engine/log_head.c by test_server_heads_load -- a head is made of rows that were read at two moments
s/    enum ves_status status = reader->ops->begin_read(reader);/    enum ves_status status = VES_OK;/
/    reader->ops->end_read(reader);/d
