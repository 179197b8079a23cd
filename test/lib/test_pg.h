/* test_pg.h -- a PostgreSQL server of the test's own (test/lib/postgres).
 * Inline, for the programs that want one.
 */
#ifndef VES_TEST_PG_H
#define VES_TEST_PG_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char test_pg_folder[256], test_pg_url[512];

/* "stop", "kill" or "again". */
static inline void test_pg_run(const char *act)
{
    char command[512];

    snprintf(command, sizeof command, "test/lib/postgres %s %s", act,
             test_pg_folder);
    if (system(command) != 0) {
        fprintf(stderr, "test: %s failed\n", command);
        abort();
    }
}

static inline bool test_pg_line(FILE *from, char *out, size_t size)
{
    if (!fgets(out, (int)size, from))
        return false;
    out[strcspn(out, "\n")] = 0;
    return true;
}

/* 0, or the exit code to leave with: 77 after a line of TAP that skips what,
 * when it is not installed. */
static inline int test_pg_start(const char *what)
{
    char command[128], why[256] = "";
    FILE *from;

    snprintf(command, sizeof command, "test/lib/postgres start %ld",
             (long)getpid());
    from = popen(command, "r");
    if (!from)
        abort();
    if (!test_pg_line(from, test_pg_folder, sizeof test_pg_folder) ||
        !test_pg_line(from, test_pg_url, sizeof test_pg_url))
        snprintf(why, sizeof why, "%s", test_pg_folder);
    int code = pclose(from);
    if (code == 0 && why[0] == 0)
        return 0;
    if (WIFEXITED(code) && WEXITSTATUS(code) == 77) {
        printf("ok 1 - %s # SKIP %s\n1..1\n", what, why);
        return 77;
    }
    printf("not ok 1 - a PostgreSQL server can be started\n# %s\n1..1\n", why);
    return 1;
}

#endif
