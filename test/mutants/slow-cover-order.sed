# src/core/tlog_cover.c by prop_tlog_cover -- a choice of entries need not ascend
s/if (kept.index\[i\] < from || /if (/
