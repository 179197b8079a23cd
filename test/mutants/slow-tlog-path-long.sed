# src/core/tlog.c by prop_tlog -- hashes too many in an inclusion path are passed over
s/^        if (last == 0)$/        if (last == 0) break; if (false)/
