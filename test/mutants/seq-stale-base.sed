# src/core/judge.c -- a stale base version of another implementation is taken
s/if (status || version == event->base_version)/if (true)/
