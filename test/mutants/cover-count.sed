# src/core/tlog_cover.c by prop_tlog_cover -- fewer covers than there are gaps will do
s/needed != cover_count ||/needed < cover_count ||/
