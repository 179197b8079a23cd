/* test_sqlite_vfs.c -- the VFS that gathers what goes to the WAL: whatever two
 * connections do to one file, one with it and one without, each finds what was
 * committed, and so does whoever finds the files as a crash left them.
 *
 * VES_VFS_ROUNDS: other histories than the few of every run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/sqlite_api.h"
#include "store/store_sqlite_vfs.h"

enum { ROWS = 400, SIDES = 2, ROUNDS = 6, STEPS = 60 };

struct model {
    int value[ROWS]; /* 0: there is no such row */
};

struct world {
    char dir[64], path[96];
    uint64_t random;
    sqlite3 *db[SIDES]; /* the first with the VFS */
    struct model kept;  /* what was committed last */
    /* The files are looked at as a crash would leave them.  Then without
     * savepoints: SQLite up to 3.45 itself loses what is committed after a
     * ROLLBACK TO that took back spilled pages (ADR 0075). */
    bool is_crash;
};

static unsigned pick(struct world *w, unsigned below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (unsigned)(w->random % below);
}

static void run(sqlite3 *db, const char *text)
{
    char *why = NULL;
    if (sqlite3_exec(db, text, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", text, why ? why : "?");
}

static sqlite3 *open_at(const char *path, const char *vfs)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     vfs),
                     SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    /* So few pages that large transactions spill before they are committed,
     * and so small ones that many frames make a commit. */
    run(db, "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL;"
            " PRAGMA synchronous = FULL; PRAGMA cache_size = 12;"
            " PRAGMA cache_spill = 12; PRAGMA wal_autocheckpoint = 60");
    return db;
}

static void read_all(sqlite3 *db, struct model *out)
{
    sqlite3_stmt *q;
    memset(out, 0, sizeof(*out));
    assert_int_equal(
        sqlite3_prepare_v2(db, "SELECT id, value, length(filler) FROM t", -1,
                           &q, NULL),
        SQLITE_OK);
    int rc;
    while ((rc = sqlite3_step(q)) == SQLITE_ROW) {
        int id = sqlite3_column_int(q, 0), value = sqlite3_column_int(q, 1);
        assert_in_range(id, 0, ROWS - 1);
        assert_int_equal(sqlite3_column_int(q, 2), 100 + value % 900);
        out->value[id] = value;
    }
    assert_int_equal(rc, SQLITE_DONE);
    sqlite3_finalize(q);
}

static void is_sound(sqlite3 *db)
{
    sqlite3_stmt *q;
    assert_int_equal(
        sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &q, NULL),
        SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    assert_string_equal((const char *)sqlite3_column_text(q, 0), "ok");
    sqlite3_finalize(q);
}

static void copy(const char *from, const char *to)
{
    char bytes[65536];
    size_t n;
    FILE *in = fopen(from, "rb");
    remove(to);
    if (!in)
        return;
    FILE *out = fopen(to, "wb");
    assert_non_null(out);
    while ((n = fread(bytes, 1, sizeof(bytes), in)) > 0)
        assert_int_equal(fwrite(bytes, 1, n, out), n);
    fclose(out);
    fclose(in);
}

/* The files now, without what is only in memory. */
static void check_crash(const struct world *w)
{
    char from[128], to[128];
    struct model found;
    static const char *const parts[] = {"", "-wal"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(from, sizeof(from), "%s%s", w->path, parts[i]);
        snprintf(to, sizeof(to), "%s/crashed%s", w->dir, parts[i]);
        copy(from, to);
    }
    snprintf(to, sizeof(to), "%s/crashed", w->dir);
    sqlite3 *db = open_at(to, NULL);
    is_sound(db);
    read_all(db, &found);
    assert_memory_equal(&found, &w->kept, sizeof(found));
    sqlite3_close(db);
}

static void change(struct world *w, sqlite3 *db, struct model *m)
{
    char text[200];
    unsigned count = pick(w, 8) ? pick(w, 20) + 1 : 150;
    while (count-- > 0) {
        unsigned id = pick(w, ROWS);
        int value = (int)pick(w, 1000000) + 1;
        if (pick(w, 5) == 0) {
            snprintf(text, sizeof(text), "DELETE FROM t WHERE id = %u", id);
            m->value[id] = 0;
        } else {
            snprintf(text, sizeof(text),
                     "REPLACE INTO t VALUES (%u, %d, zeroblob(%d))", id, value,
                     100 + value % 900);
            m->value[id] = value;
        }
        run(db, text);
    }
}

static void transaction(struct world *w, sqlite3 *db)
{
    struct model m = w->kept, inner;
    run(db, "BEGIN IMMEDIATE");
    change(w, db, &m);
    if (!w->is_crash && pick(w, 2)) {
        inner = m;
        run(db, "SAVEPOINT s");
        change(w, db, &inner);
        if (pick(w, 2)) {
            run(db, "ROLLBACK TO s");
            read_all(db, &inner);
            assert_memory_equal(&inner, &m, sizeof(m));
            change(w, db, &m);
        } else {
            m = inner;
        }
    }
    if (w->is_crash && pick(w, 4) == 0)
        check_crash(w);
    if (pick(w, 3) == 0) {
        run(db, "ROLLBACK");
    } else {
        run(db, "COMMIT");
        w->kept = m;
    }
}

static void look(struct world *w)
{
    struct model found;
    for (size_t i = 0; i < SIDES; i++) {
        read_all(w->db[i], &found);
        assert_memory_equal(&found, &w->kept, sizeof(found));
    }
    if (w->is_crash)
        check_crash(w);
}

static void step(struct world *w, const char *vfs)
{
    static const int modes[] = {
        SQLITE_CHECKPOINT_PASSIVE, SQLITE_CHECKPOINT_FULL,
        SQLITE_CHECKPOINT_RESTART, SQLITE_CHECKPOINT_TRUNCATE};
    size_t side = pick(w, SIDES);
    switch (pick(w, 12)) {
    case 0:
        assert_int_equal(sqlite3_wal_checkpoint_v2(
                             w->db[side], NULL, modes[pick(w, 4)], NULL, NULL),
                         SQLITE_OK);
        break;
    case 1:
        sqlite3_close(w->db[side]);
        w->db[side] = open_at(w->path, side == 0 ? vfs : NULL);
        break;
    default:
        transaction(w, w->db[side]);
    }
    look(w);
}

static void history(uint64_t seed)
{
    struct world w = {.random = seed * 2654435761 + 88172645463325252};
    snprintf(w.dir, sizeof(w.dir), "/tmp/ves-vfs-XXXXXX");
    assert_non_null(mkdtemp(w.dir));
    snprintf(w.path, sizeof(w.path), "%s/db", w.dir);
    w.is_crash = seed % 3 == 0;
    const char *vfs = ves_sqlite_vfs_hold();
    assert_non_null(vfs);
    for (size_t i = 0; i < SIDES; i++)
        w.db[i] = open_at(w.path, i == 0 ? vfs : NULL);
    run(w.db[0], "CREATE TABLE t (id INTEGER PRIMARY KEY, value INTEGER,"
                 " filler BLOB); CREATE INDEX t_value ON t (value)");
    for (unsigned i = 0; i < STEPS; i++)
        step(&w, vfs);
    is_sound(w.db[1]);
    for (size_t i = 0; i < SIDES; i++)
        assert_int_equal(sqlite3_close(w.db[i]), SQLITE_OK);
    ves_sqlite_vfs_release();
    static const char *const names[] = {"db", "crashed", "crashed-wal"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", w.dir, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(w.dir), 0);
}

static void each_finds_what_was_committed(void **state)
{
    const char *rounds = getenv("VES_VFS_ROUNDS");
    (void)state;
    for (uint64_t seed = 1;
         seed <= (rounds ? strtoull(rounds, NULL, 10) : ROUNDS); seed++) {
        history(seed);
    }
}

/* Nothing stays with SQLite once nobody holds it. */
static void it_is_known_while_it_is_held(void **state)
{
    (void)state;
    assert_null(sqlite3_vfs_find("ves"));
    const char *name = ves_sqlite_vfs_hold();
    assert_string_equal(name, "ves");
    assert_string_equal(ves_sqlite_vfs_hold(), "ves");
    assert_non_null(sqlite3_vfs_find(name));
    assert_ptr_not_equal(sqlite3_vfs_find(NULL), sqlite3_vfs_find(name));
    ves_sqlite_vfs_release();
    assert_non_null(sqlite3_vfs_find("ves"));
    ves_sqlite_vfs_release();
    assert_null(sqlite3_vfs_find("ves"));
}

/* Fifty pages that are changed take some three writes, not a hundred. */
static int write_calls;
static int (*real_write)(sqlite3_file *, const void *, int, sqlite3_int64);
static int (*real_open)(sqlite3_vfs *, sqlite3_filename, sqlite3_file *, int,
                        int *);
static sqlite3_io_methods counting;

static int count_write(sqlite3_file *f, const void *bytes, int count,
                       sqlite3_int64 at)
{
    write_calls++;
    return real_write(f, bytes, count, at);
}

static int count_open(sqlite3_vfs *self, sqlite3_filename name, sqlite3_file *f,
                      int flags, int *out)
{
    int rc = real_open(self, name, f, flags, out);
    if (rc == SQLITE_OK && flags & SQLITE_OPEN_WAL) {
        counting = *f->pMethods;
        real_write = counting.xWrite;
        counting.xWrite = count_write;
        f->pMethods = &counting;
    }
    return rc;
}

static void a_commit_is_few_writes(void **state)
{
    char dir[] = "/tmp/ves-vfs-XXXXXX", path[64];
    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/db", dir);
    sqlite3_vfs *under = sqlite3_vfs_find(NULL);
    real_open = under->xOpen;
    under->xOpen = count_open;
    sqlite3 *db;
    assert_int_equal(sqlite3_open_v2(path, &db,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                                     ves_sqlite_vfs_hold()),
                     SQLITE_OK);
    run(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
            " CREATE TABLE t (b BLOB)");
    write_calls = 0;
    run(db, "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50)"
            " INSERT INTO t SELECT zeroblob(3000) FROM n");
    assert_in_range(write_calls, 1, 6);
    sqlite3_close(db);
    under->xOpen = real_open;
    ves_sqlite_vfs_release();
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_known_while_it_is_held),
        cmocka_unit_test(a_commit_is_few_writes),
        cmocka_unit_test(each_finds_what_was_committed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("sqlite_vfs", tests, NULL, NULL);
}
