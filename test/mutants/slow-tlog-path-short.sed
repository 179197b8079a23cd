# src/core/tlog.c by prop_tlog -- an inclusion path may be shorter than the sizes imply
s/    if (last != 0)$/    if (false)/
