# src/core/part.c by test_part -- events and covers may lead to any root
s/if (ves_tlog_consistency_check(&page->path, page->to, &root,/if (false \&\& ves_tlog_consistency_check(\&page->path, page->to, \&root,/
