# src/core/inspection_keys.c by test_bundle_keys -- the sequencer's word about a key passes for the owner's
s/key->author == VES_KEY_BY_SEQUENCER/false/
