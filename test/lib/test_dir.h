/* test_dir.h -- a directory of its own for a test of files.
 *
 * One directory, one file name in it; fails the running cmocka test when the
 * system does not let it.
 */
#ifndef VES_TEST_DIR_H
#define VES_TEST_DIR_H

#include <sys/types.h>

enum { TEST_DIR_PATH = 128 };

extern char test_dir[TEST_DIR_PATH];
extern char test_dir_file[TEST_DIR_PATH]; /* test_dir/file */

/* Group set-up and tear-down: make the directory, remove it. */
int test_dir_make(void **state);
int test_dir_remove(void **state);
/* Tear-down of one test: removes files and empty directories in it. */
int test_dir_clear(void **state);

/* Names in it. */
int test_dir_count(void);
/* Writes test_dir_file with that mode, without the code under test. */
void test_dir_put(const char *text, mode_t mode);
/* Does test_dir_file hold exactly this? */
void test_dir_expect(const char *text);

#endif
