/* store_sqlite_vfs.h -- a commit's frames reach the WAL in few writes.
 *
 * SQLite writes two pieces for each page of a commit, a header of 24 bytes and
 * the page: two system calls, which for some fifty pages cost as much as the
 * rest of a commit's processor time.  This VFS is the default one, "unix", but
 * for the WAL of a file opened with it: what is written behind each other is
 * gathered and written at once.  Nothing gathered is left when it could
 * matter: a frame that ends a commit is written at once with what waits, as is
 * everything before the WAL is read, flushed, cut, measured or closed, and
 * before the lock of the writer is given back.  Whoever reads the WAL reads up
 * to the end of a commit, so nobody can tell the difference; the bytes are
 * those of the default VFS.
 */
#ifndef VES_STORE_SQLITE_VFS_H
#define VES_STORE_SQLITE_VFS_H

/* Makes the VFS known to SQLite while somebody holds it; one release for each
 * hold, after the connections opened with it are closed.  Returns its name for
 * sqlite3_open_v2.  NULL, and nothing to release: the default VFS is not
 * SQLite's own, or this is the loadable extension, which opens no files; then
 * the default one does.  Safe from any thread. */
const char *ves_sqlite_vfs_hold(void);
void ves_sqlite_vfs_release(void);

#endif
