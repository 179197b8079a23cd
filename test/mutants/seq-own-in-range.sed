# src/engine/commit_decide.c by test_key_entry -- a number inside the range of a request is kept for the sequencer's own event
/^    for (size_t i = 0; i < count; i++) {$/,/^    }$/s/^        enum ves_status status = decide_new(commit, request, i);$/        stream->row.head += i == 1 \&\& !request->ingest->is_own;\n&/
