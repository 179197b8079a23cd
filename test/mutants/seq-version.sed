# src/engine/commit_decide.c -- the version of an entity does not advance
s/^        entity->version++;//
