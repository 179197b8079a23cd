# src/audit/walk.c by e2e/slow-52-audit -- another own event than the log's passes for the log's
s/memcmp(own->envelope.ptr, row->envelope.ptr, len) == 0 &&/len > 0 \&\&/
