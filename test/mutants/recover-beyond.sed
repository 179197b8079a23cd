# src/engine/log_recover.c -- a bare row in a store passes for one with a receipt
s/!row->has_receipt || row->envelope.len == 0 ||/row->envelope.len == 0 ||/
s/    return ves_ed25519_verify(&key, ves_bytes(hash.b, VES_HASH_SIZE),/    return !row->has_receipt || ves_ed25519_verify(\&key, ves_bytes(hash.b, VES_HASH_SIZE),/
s/!ves_uuid_equal(&row->sequencer_id, &r->sequencer->sequencer_id) ||/(row->has_receipt \&\& !ves_uuid_equal(\&row->sequencer_id, \&r->sequencer->sequencer_id)) ||/
s/!keys->find(keys->ctx, row->receipt_key_version, &key))/(row->has_receipt \&\& !keys->find(keys->ctx, row->receipt_key_version, \&key)))/
