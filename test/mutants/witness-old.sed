# src/core/add_checkpoint.c by test_witness -- a log may name an older head than the one that was cosigned
s/if (request->old_size != head->size)/if (request->old_size > head->size)/
