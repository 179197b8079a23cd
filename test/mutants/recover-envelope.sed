# src/engine/log_recover.c by test_log_tree -- a store's envelope is taken for the event of the receipt beside it
s/    if (!ves_hash_equal(&event.event_hash, &row->event_hash) ||/    if (/
s/        !ves_uuid_equal(&event.event_id, &row->event_id) ||/        0 ||/
