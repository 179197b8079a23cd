# src/store/store_sqlite.c by test_store_sqlite -- who reads once keeps as many pages as all
s/options->reads_once  *? ONCE_CACHE_KIB/false ? ONCE_CACHE_KIB/
