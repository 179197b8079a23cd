# src/core/part.c by test_part -- an older head than one of a page before is taken
s/if (page->head.size < part->head_size)/if (false)/
