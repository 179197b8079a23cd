/* test_dir.c -- a directory of its own for a test of files. */
#include "test/lib/test_dir.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

char test_dir[TEST_DIR_PATH];
char test_dir_file[TEST_DIR_PATH];

int test_dir_make(void **state)
{
    (void)state;
    snprintf(test_dir, sizeof(test_dir), "/tmp/ves-test-XXXXXX");
    if (!mkdtemp(test_dir))
        return -1;
    snprintf(test_dir_file, sizeof(test_dir_file), "%.64s/file", test_dir);
    return 0;
}

int test_dir_remove(void **state)
{
    (void)state;
    return rmdir(test_dir);
}

/* Calls visit for every name in the directory; returns how many. */
static int each_name(void (*visit)(const char *name))
{
    DIR *d = opendir(test_dir);
    assert_non_null(d);
    int count = 0;
    for (struct dirent *e = readdir(d); e; e = readdir(d)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        count++;
        if (visit)
            visit(e->d_name);
    }
    closedir(d);
    return count;
}

static void remove_name(const char *name)
{
    char full[512];
    (void)snprintf(full, sizeof(full), "%s/%s", test_dir, name);
    assert_int_equal(remove(full), 0);
}

int test_dir_clear(void **state)
{
    (void)state;
    each_name(remove_name);
    return 0;
}

int test_dir_count(void)
{
    return each_name(NULL);
}

void test_dir_put(const char *text, mode_t mode)
{
    FILE *f = fopen(test_dir_file, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(test_dir_file, mode), 0);
}

void test_dir_expect(const char *text)
{
    char content[8192];
    FILE *f = fopen(test_dir_file, "rb");
    assert_non_null(f);
    size_t len = fread(content, 1, sizeof(content), f);
    fclose(f);
    assert_int_equal(len, strlen(text));
    assert_memory_equal(content, text, len);
}
