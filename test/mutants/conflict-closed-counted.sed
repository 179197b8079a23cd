# src/store/store_mem_conflict.c -- conflicts that were decided are counted as open
s/ open = {.open_only = true};/ open = {.open_only = false};/
