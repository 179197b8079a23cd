# src/server/followers.c by test_server_live -- who begins to follow does not read the head
s/^    f->is_stale = true;/    f->is_stale = false;/
