# src/core/inspection_keys.c by test_bundle_keys -- a key that was entered behind an event proves it all the same
s/key->entered_at >= sequence/false/
