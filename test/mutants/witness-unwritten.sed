# src/witness/witness.c by test_witness -- the cosignature leaves although it could not be written down
s/        refuse(reply, 500, "the witness cannot write its state");/        reply->status = VES_WITNESS_OK, ves_buf_put_bytes(\&reply->body, ves_buf_view(\&line));/
