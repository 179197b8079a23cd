# src/store/store_sqlite_vfs.c by test_sqlite_vfs -- pages that were spilled and taken back are written behind the next writer's frames
s/    if (wal && flags & SQLITE_SHM_UNLOCK && flags & SQLITE_SHM_EXCLUSIVE) {/    if (false) {/
