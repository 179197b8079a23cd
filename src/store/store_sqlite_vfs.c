/* store_sqlite_vfs.c -- a commit's frames reach the WAL in few writes. */
#include "store/store_sqlite_vfs.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "store/sqlite_api.h"

#ifdef VES_SQLITE_EXTENSION

const char *ves_sqlite_vfs_hold(void)
{
    return NULL;
}

void ves_sqlite_vfs_release(void)
{
}

#else

enum {
    GATHER_MAX = 64 * 1024, /* some 15 frames: what is left is the copying */
    FRAME_HEADER = 24,      /* https://www.sqlite.org/fileformat2.html 4.1 */
    FRAME_SIZE_AT = 4       /* pages of the database; 0: not a commit's last */
};

/* A database or its WAL; the file of the default VFS lies behind it. */
struct file {
    sqlite3_file base; /* first: SQLite knows it as this */
    sqlite3_file *real;
    struct file *wal; /* of a database: the WAL opened for it; NULL: none */
    struct file *database; /* of a WAL */
    unsigned char *bytes;  /* of a WAL: GATHER_MAX; NULL until it is written */
    int count;             /* gathered */
    sqlite3_int64 at;      /* where they go */
    bool ends_commit;      /* the page that comes next is a commit's last */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned holders; /* under lock */
static sqlite3_vfs vfs;  /* changed only while nobody holds it */
static sqlite3_vfs *unix_vfs;

static struct file *file_of(sqlite3_file *f)
{
    return (struct file *)f;
}

static sqlite3_file *real_of(sqlite3_file *f)
{
    return file_of(f)->real;
}

/* ---- gathering ------------------------------------------------------------
 */

/* Whatever comes of it, nothing is gathered any more: SQLite takes the
 * transaction back when a write fails, and these bytes with it. */
static int put_gathered(struct file *f)
{
    int count = f->count;

    f->count = 0;
    if (count == 0)
        return SQLITE_OK;
    return f->real->pMethods->xWrite(f->real, f->bytes, count, f->at);
}

static int gather(struct file *f, const void *bytes, int count,
                  sqlite3_int64 at)
{
    bool is_last = f->ends_commit;
    int rc = SQLITE_OK;

    f->ends_commit = false;
    if (count == FRAME_HEADER) {
        static const unsigned char none[4];
        const unsigned char *size =
            (const unsigned char *)bytes + FRAME_SIZE_AT;

        f->ends_commit = memcmp(size, none, sizeof none) != 0;
    }
    if (!f->bytes)
        f->bytes = sqlite3_malloc(GATHER_MAX);
    if (f->count > 0 &&
        (at != f->at + f->count || count > GATHER_MAX - f->count))
        rc = put_gathered(f);
    if (rc != SQLITE_OK)
        return rc;
    if (!f->bytes || count > GATHER_MAX)
        return f->real->pMethods->xWrite(f->real, bytes, count, at);
    if (f->count == 0)
        f->at = at;
    memcpy(f->bytes + f->count, bytes, (size_t)count);
    f->count += count;
    return is_last ? put_gathered(f) : SQLITE_OK;
}

/* ---- the methods of a file ------------------------------------------------
 */

static int file_close(sqlite3_file *f)
{
    struct file *file = file_of(f);
    int put = put_gathered(file);
    int rc = file->real->pMethods->xClose(file->real);

    if (file->database)
        file->database->wal = NULL;
    if (file->wal)
        file->wal->database = NULL;
    sqlite3_free(file->bytes);
    file->bytes = NULL;
    return rc == SQLITE_OK ? put : rc;
}

static int file_read(sqlite3_file *f, void *bytes, int count, sqlite3_int64 at)
{
    int rc = put_gathered(file_of(f));

    return rc == SQLITE_OK
               ? real_of(f)->pMethods->xRead(real_of(f), bytes, count, at)
               : rc;
}

static int file_write(sqlite3_file *f, const void *bytes, int count,
                      sqlite3_int64 at)
{
    if (file_of(f)->database)
        return gather(file_of(f), bytes, count, at);
    return real_of(f)->pMethods->xWrite(real_of(f), bytes, count, at);
}

static int file_truncate(sqlite3_file *f, sqlite3_int64 size)
{
    int rc = put_gathered(file_of(f));

    return rc == SQLITE_OK ? real_of(f)->pMethods->xTruncate(real_of(f), size)
                           : rc;
}

static int file_sync(sqlite3_file *f, int flags)
{
    int rc = put_gathered(file_of(f));

    return rc == SQLITE_OK ? real_of(f)->pMethods->xSync(real_of(f), flags)
                           : rc;
}

static int file_size(sqlite3_file *f, sqlite3_int64 *size)
{
    int rc = put_gathered(file_of(f));

    return rc == SQLITE_OK ? real_of(f)->pMethods->xFileSize(real_of(f), size)
                           : rc;
}

static int file_lock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int file_unlock(sqlite3_file *f, int level)
{
    return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int file_reserved(sqlite3_file *f, int *is_reserved)
{
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), is_reserved);
}

static int file_control(sqlite3_file *f, int op, void *arg)
{
    int rc = put_gathered(file_of(f));

    return rc == SQLITE_OK
               ? real_of(f)->pMethods->xFileControl(real_of(f), op, arg)
               : rc;
}

static int file_sector(sqlite3_file *f)
{
    return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int file_traits(sqlite3_file *f)
{
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int file_shm_map(sqlite3_file *f, int page, int size, int extend,
                        void volatile **out)
{
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
}

/* Pages that SQLite spilled before a commit, and then took back, may wait
 * still: the next writer's frames go where they would go. */
static int file_shm_lock(sqlite3_file *f, int at, int count, int flags)
{
    struct file *wal = file_of(f)->wal;

    if (wal && flags & SQLITE_SHM_UNLOCK && flags & SQLITE_SHM_EXCLUSIVE) {
        /* Nobody needs what cannot be written: a commit's end was. */
        (void)put_gathered(wal);
    }
    return real_of(f)->pMethods->xShmLock(real_of(f), at, count, flags);
}

static void file_shm_barrier(sqlite3_file *f)
{
    real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int file_shm_unmap(sqlite3_file *f, int is_deleting)
{
    return real_of(f)->pMethods->xShmUnmap(real_of(f), is_deleting);
}

static int file_fetch(sqlite3_file *f, sqlite3_int64 at, int count, void **out)
{
    return real_of(f)->pMethods->xFetch(real_of(f), at, count, out);
}

static int file_unfetch(sqlite3_file *f, sqlite3_int64 at, void *page)
{
    return real_of(f)->pMethods->xUnfetch(real_of(f), at, page);
}

static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
    .xFetch = file_fetch,
    .xUnfetch = file_unfetch,
};

/* ---- the VFS --------------------------------------------------------------
 */

static bool is_ours(const sqlite3_file *f)
{
    return f && f->pMethods == &methods;
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *f,
                     int flags, int *out_flags)
{
    struct file *file = file_of(f);
    sqlite3_file *database = NULL;

    (void)self;
    if (flags & SQLITE_OPEN_WAL)
        database = sqlite3_database_file_object(name);
    if (!(flags & SQLITE_OPEN_MAIN_DB) && !is_ours(database))
        return unix_vfs->xOpen(unix_vfs, name, f, flags, out_flags);
    memset(file, 0, sizeof *file);
    file->real = (sqlite3_file *)(file + 1);
    int rc = unix_vfs->xOpen(unix_vfs, name, file->real, flags, out_flags);
    if (!file->real->pMethods)
        return rc;
    VES_ASSERT(file->real->pMethods->iVersion >= 3);
    file->base.pMethods = &methods;
    if (database) {
        file->database = file_of(database);
        file->database->wal = file;
    }
    return rc;
}

const char *ves_sqlite_vfs_hold(void)
{
    static const char name[] = "ves";
    sqlite3_vfs *found = sqlite3_vfs_find(NULL);
    bool is_held = false;

    pthread_mutex_lock(&lock);
    if (holders > 0) {
        is_held = true;
    } else if (found && found->iVersion >= 3 &&
               strcmp(found->zName, "unix") == 0) {
        unix_vfs = found;
        vfs = *found;
        vfs.pNext = NULL;
        vfs.zName = name;
        vfs.szOsFile += (int)sizeof(struct file);
        vfs.xOpen = open_file;
        is_held = sqlite3_vfs_register(&vfs, 0) == SQLITE_OK;
    }
    holders += is_held;
    pthread_mutex_unlock(&lock);
    return is_held ? name : NULL;
}

void ves_sqlite_vfs_release(void)
{
    pthread_mutex_lock(&lock);
    VES_ASSERT(holders > 0);
    if (--holders == 0)
        sqlite3_vfs_unregister(&vfs);
    pthread_mutex_unlock(&lock);
}

#endif
