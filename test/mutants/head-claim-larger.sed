# src/engine/log_head.c -- a head that is larger than the log agrees with it
s/    \*out = VES_LOG_CONTRADICTS;/    *out = head->size > stream->head ? VES_LOG_AGREES : VES_LOG_CONTRADICTS;/
