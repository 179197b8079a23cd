# src/core/judge.c -- a stale base version of another implementation is taken
s/^        version == event->base_version)$/        true)/
