# src/crypto/key_table.c by prop_key_table -- in a batch all sums are divided by the first one's Z
s/points\[i\].z = z\[i\];/points[i].z = z[0];/
