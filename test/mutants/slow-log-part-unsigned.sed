# src/engine/log_part.c by test_log_part -- a page of one entity goes on beyond the signed head
s/part->sequences\[part->count - 1\] > search->size/false/
