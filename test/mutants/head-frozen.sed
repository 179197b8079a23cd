# src/engine/log_head.c -- a frozen stream is signed on
s/if (m->log.frozen_at_ms || m->stream.head == 0/if (m->stream.head == 0/
