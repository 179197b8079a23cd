# src/core/epoch.c by test_epoch -- an opening may give up a head of another log
s/        !ves_bytes_equal(out->lost.origin, out->common.origin))/        false)/
