# src/witness/witness.c by test_witness -- times go back with the clock
s/now_s > known.time_s ? now_s : known.time_s/now_s/
