# src/core/part.c by test_part -- a head of another stream is taken
s/if (!ves_origin_stream(page->head.origin, &named) ||/if (false \&\& !ves_origin_stream(page->head.origin, \&named) \&\&/
