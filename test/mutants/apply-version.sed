# src/engine/verdicts.c -- the version of an entity does not advance
s/^    row->version++;//
