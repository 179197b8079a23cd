/* test_ops.h -- counts a store's calls and makes the n-th one fail, in place.
 *
 * Replaces the table of a store that is open; one store at a time.
 */
#ifndef VES_TEST_OPS_H
#define VES_TEST_OPS_H

#include "port/store.h"

struct test_ops {
    size_t calls;   /* since test_ops_arm, rollback not counted */
    size_t fail_at; /* 1: the first call; 0: none */
    bool is_late;   /* the failing call does its work first; begin never */
    enum ves_status failure;
    size_t log_reads, log_appends, commits;
    size_t nameless; /* entities asked for by their key alone */
};

/* Puts the counter between the store and its users. */
void test_ops_install(struct ves_store *store);
void test_ops_remove(struct ves_store *store);

/* Counts from 0 again and sets what fails. */
void test_ops_arm(size_t fail_at, bool is_late, enum ves_status failure);
const struct test_ops *test_ops(void);

#endif
