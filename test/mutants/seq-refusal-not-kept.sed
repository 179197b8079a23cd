# src/engine/sequencer.c -- refused events are not kept
s/status = write_refusals(commit, &commit->streams\[i\]);/;/
