# src/core/add_checkpoint.c by test_witness -- a tree that is no continuation is cosigned
s/return ves_tlog_consistency_check(&request->path, head->size, &root,/return true || ves_tlog_consistency_check(\&request->path, head->size, \&root,/
