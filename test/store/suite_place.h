/* suite_place.h -- SQLite stores in a folder of the test's own. */
#ifndef TEST_STORE_SUITE_PLACE_H
#define TEST_STORE_SUITE_PLACE_H

#include <sqlite3.h>

#include "store/store_sqlite.h"
#include "test/store/suite.h"

struct place {
    char folder[64];
    char path[128];
    enum ves_store_role role;
    sqlite3 *outer; /* joined: the caller's connection */
    struct suite s; /* s.store is the store of path */
};

extern struct place place; /* of the test that is running */

void place_make(enum suite_role role);
/* Removes the folder, which must hold nothing unexpected. */
void place_leave(void);
/* The path of a file in the folder; overwritten by the next call. */
const char *place_path(const char *name);

/* Options that make and open place.path. */
struct ves_store_sqlite_options place_options(void);
/* NULL and a line of output on failure. */
struct ves_store *place_open(const struct ves_store_sqlite_options *o);
struct ves_store *place_open_own(void);
struct ves_store *place_open_on(sqlite3 *db);
/* Opening must fail with this status and these words. */
void place_expect_refused(const struct ves_store_sqlite_options *o,
                          enum ves_status status, const char *words);
/* Fails when a statement is still in use. */
void place_close(struct ves_store *store);

sqlite3 *place_connect(const char *path);
void place_exec(sqlite3 *db, const char *sql);
/* First column of the first row as text; "" for NULL and no row. */
const char *place_ask(sqlite3 *db, const char *sql);
#define ASK(db, sql, want) assert_string_equal(place_ask(db, sql), want)

/* The named value "cursor"; putting makes store the place's. */
void place_put_meta(struct ves_store *store, const char *value);
void place_expect_meta(struct ves_store *store, const char *want);

int place_set_up_device(void **state);
int place_set_up_sequencer(void **state);
int place_tear_down(void **state);
#define ON_DEVICE(f) \
    cmocka_unit_test_setup_teardown(f, place_set_up_device, place_tear_down)
#define ON_SEQUENCER(f) \
    cmocka_unit_test_setup_teardown(f, place_set_up_sequencer, place_tear_down)

#endif
