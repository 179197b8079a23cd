# src/engine/sequencer.c src/engine/commit_load.c -- the head is kept in memory, so a commit whose answer was lost is numbered over
/^static void tell(/i uint64_t ves_mutant_head;
s/^        ingest->head = request->stream->row.head;/&\n        ves_mutant_head = ingest->head;/
s/^    stream->old_head = stream->row.head;/    extern uint64_t ves_mutant_head;\n    if (stream->row.head == 0)\n        ves_mutant_head = 0;\n    if (ves_mutant_head > 0)\n        stream->row.head = ves_mutant_head;\n&/
