# src/engine/key_entry.c by test_key_entry -- only the first tenant of a call lists the sequencer's own key
s/if (place->head == place->stream->head).*/if (*entry->count == 0)/
