# src/core/add_checkpoint.c by test_witness -- anybody may have signed the checkpoint
s/if (!is_signed(&request->note, keys, count))/if (!is_signed(\&request->note, keys, count) \&\& false)/
