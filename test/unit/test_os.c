/* test_os.c -- files, clocks, processes and signals of the real system, in a
 * directory of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "crypto/crypto.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/process.h"
#include "os/random.h"
#include "os/signals.h"
#include "os/timed.h"
#include "test/lib/test_dir.h"

static struct ves_error error;

static int set_up(void **state)
{
    (void)state;
    memset(&error, 0, sizeof(error));
    return 0;
}

static int set_up_all(void **state)
{
    return test_dir_make(state) || ves_crypto_init() != VES_OK;
}

static enum ves_status read_secret(size_t size)
{
    char out[256];
    size_t len;
    assert_in_range(size, 0, sizeof(out));
    memset(out, 'x', sizeof(out));
    enum ves_status status =
        ves_file_read_secret(test_dir_file, out, size, &len, &error);
    if (status) {
        assert_int_equal(status, error.status);
        assert_int_equal(len, 0);
        for (size_t i = 0; i < size; i++)
            assert_int_equal(out[i], 0);
    }
    return status;
}

/* ---- files -------------------------------------------------------------- */

static void whole_files_are_read_up_to_the_limit(void **state)
{
    struct ves_buf buf;
    (void)state;
    test_dir_put("0123456789", 0644);
    for (size_t max = 8; max <= 12; max++) {
        ves_buf_init(&buf, ves_alloc_default(), max);
        ves_buf_put_str(&buf, "a");
        bool fits = max >= 11;
        assert_int_equal(ves_file_read(test_dir_file, &buf, &error),
                         fits ? VES_OK : VES_LIMIT);
        assert_true(
            ves_bytes_is(ves_buf_view(&buf), fits ? "a0123456789" : "a"));
        ves_buf_free(&buf);
    }
    ves_buf_init(&buf, ves_alloc_default(), 100);
    test_dir_put("", 0600);
    assert_int_equal(ves_file_read(test_dir_file, &buf, &error), VES_OK);
    assert_int_equal(buf.len, 0);
    assert_int_equal(ves_file_read("/no/such/file", &buf, &error),
                     VES_NOT_FOUND);
    assert_non_null(strstr(error.text, "/no/such/file"));
    assert_int_equal(ves_file_read(test_dir, &buf, &error), VES_IO);
    ves_buf_free(&buf);
}

static void long_files_are_read_in_steps(void **state)
{
    enum { SIZE = 300 * 1024 + 7 };
    static uint8_t content[SIZE];
    struct ves_buf buf;
    (void)state;
    for (size_t i = 0; i < SIZE; i++)
        content[i] = (uint8_t)(i * 31 >> 3);
    assert_int_equal(ves_file_write(test_dir_file, ves_bytes(content, SIZE),
                                    VES_FILE_NEW, &error),
                     VES_OK);
    ves_buf_init(&buf, ves_alloc_default(), SIZE);
    assert_int_equal(ves_file_read(test_dir_file, &buf, &error), VES_OK);
    assert_int_equal(buf.len, SIZE);
    assert_memory_equal(buf.ptr, content, SIZE);
    ves_buf_free(&buf);
}

static void writing_is_all_or_nothing(void **state)
{
    struct stat st;
    (void)state;
    umask(0);
    assert_int_equal(ves_file_write(test_dir_file, ves_bytes_str("one"),
                                    VES_FILE_NEW, &error),
                     VES_OK);
    test_dir_expect("one");
    assert_int_equal(stat(test_dir_file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);

    assert_int_equal(ves_file_write(test_dir_file, ves_bytes_str("two"),
                                    VES_FILE_NEW, &error),
                     VES_CONFLICT);
    test_dir_expect("one");
    /* A reader that has the old file open keeps the old content. */
    FILE *before = fopen(test_dir_file, "rb");
    assert_non_null(before);
    assert_int_equal(ves_file_write(test_dir_file, ves_bytes_str("two"),
                                    VES_FILE_REPLACE, &error),
                     VES_OK);
    test_dir_expect("two");
    char text[8] = "";
    assert_int_equal(fread(text, 1, 7, before), 3);
    assert_string_equal(text, "one");
    fclose(before);
    assert_int_equal(test_dir_count(), 1); /* no temporary file is left */
}

static void failed_writes_leave_nothing(void **state)
{
    (void)state;
    /* A directory that is not empty cannot be replaced. */
    char inside[sizeof(test_dir_file) + 8];
    (void)snprintf(inside, sizeof(inside), "%s/inside", test_dir_file);
    assert_int_equal(mkdir(test_dir_file, 0700), 0);
    assert_int_equal(mkdir(inside, 0700), 0);
    assert_int_equal(ves_file_write(test_dir_file, ves_bytes_str("x"),
                                    VES_FILE_REPLACE, &error),
                     VES_IO);
    assert_int_equal(test_dir_count(), 1);
    assert_int_equal(rmdir(inside), 0);
    assert_int_equal(ves_file_write("/no/such/dir/x", ves_bytes_str("x"),
                                    VES_FILE_NEW, &error),
                     VES_NOT_FOUND);

    /* A write that fails half-way: files of this process may hold 4 bytes. */
    struct rlimit before, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(rmdir(test_dir_file), 0);
    test_dir_put("old", 0600);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum ves_status status =
        ves_file_write(test_dir_file, ves_bytes_str("longer than four"),
                       VES_FILE_REPLACE, &error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, VES_IO);
    test_dir_expect("old");
    assert_int_equal(test_dir_count(), 1);
}

/* Killed in the middle of a write, as by a power button: what it wrote may be a
 * key, and nobody would look for it again. */
static void who_is_killed_writing_leaves_nothing(void **state)
{
    int how;
    (void)state;
    test_dir_put("old", 0600);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const struct rlimit small = {4, 4};
        (void)signal(SIGXFSZ, SIG_DFL);
        if (setrlimit(RLIMIT_FSIZE, &small) == 0)
            (void)!ves_file_write(test_dir_file, ves_bytes_str("longer than 4"),
                                  VES_FILE_REPLACE, NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &how, 0), child);
    assert_true(WIFSIGNALED(how) && WTERMSIG(how) == SIGXFSZ);
    test_dir_expect("old");
    assert_int_equal(test_dir_count(), 1);
}

static void secrets_must_be_private(void **state)
{
    static const mode_t open_modes[] = {0640, 0604, 0620, 0610, 0601, 0666};
    (void)state;
    test_dir_put("secret", 0600);
    assert_int_equal(read_secret(6), VES_OK);
    assert_int_equal(read_secret(5), VES_LIMIT);
    assert_int_equal(chmod(test_dir_file, 0400), 0);
    assert_int_equal(read_secret(6), VES_OK);
    for (size_t i = 0; i < sizeof(open_modes) / sizeof(open_modes[0]); i++) {
        assert_int_equal(chmod(test_dir_file, open_modes[i]), 0);
        assert_int_equal(read_secret(6), VES_REFUSED);
        assert_non_null(strstr(error.text, "chmod 600"));
    }
}

static void secrets_are_files_of_ones_own(void **state)
{
    char target[sizeof(test_dir_file) + 8];
    (void)state;
    (void)snprintf(target, sizeof(target), "%s.target", test_dir_file);
    assert_int_equal(read_secret(6), VES_NOT_FOUND);
    test_dir_put("secret", 0600);
    assert_int_equal(rename(test_dir_file, target), 0);
    assert_int_equal(symlink(target, test_dir_file), 0);
    assert_int_equal(read_secret(6), VES_REFUSED);
    assert_non_null(strstr(error.text, "symbolic link"));
    assert_int_equal(unlink(test_dir_file), 0);
    /* Nobody ever opens the other end of this one. */
    assert_int_equal(mkfifo(test_dir_file, 0600), 0);
    assert_int_equal(read_secret(6), VES_REFUSED);
    assert_int_equal(unlink(test_dir_file), 0);
    assert_int_equal(mkdir(test_dir_file, 0700), 0);
    assert_int_equal(read_secret(6), VES_REFUSED);
}

static void secrets_of_somebody_else_are_refused(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        print_message("# only root can give a file away\n");
        skip();
    }
    test_dir_put("secret", 0600);
    assert_int_equal(chown(test_dir_file, 12345, 0), 0);
    assert_int_equal(read_secret(6), VES_REFUSED);
    assert_non_null(strstr(error.text, "12345"));
}

/* ---- clock, randomness, processes, signals ------------------------------ */

static void clocks_and_randomness(void **state)
{
    uint8_t a[64] = {0}, b[64] = {0};
    (void)state;
    /* 2020-01-01, long past when this was written. */
    assert_true(ves_clock_now_ms() > 1577836800000);
    int64_t before = ves_clock_monotonic_ms();
    assert_true(ves_clock_monotonic_ms() >= before);
    assert_int_equal(ves_random(a, sizeof(a), &error), VES_OK);
    assert_int_equal(ves_random(b, sizeof(b), &error), VES_OK);
    assert_memory_not_equal(a, b, sizeof(a));
    assert_int_equal(ves_random(a, 0, &error), VES_OK);
}

static void the_living_and_the_dead(void **state)
{
    struct ves_process self, other;
    int pipes[2];
    (void)state;
    assert_int_equal(ves_process_self(&self, &error), VES_OK);
    assert_int_equal(self.pid, getpid());
    assert_false(ves_uuid_is_nil(&self.boot_id));
    assert_true(ves_process_is_alive(&self));

    other = self;
    other.start++;
    assert_false(ves_process_is_alive(&other)); /* the pid was given again */
    other = self;
    other.boot_id.b[5] ^= 1;
    assert_false(ves_process_is_alive(&other));
    other = self;
    other.pid = UINT64_MAX;
    assert_false(ves_process_is_alive(&other));

    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct ves_process me;
        if (ves_process_self(&me, NULL) ||
            write(pipes[1], &me, sizeof(me)) != sizeof(me))
            _exit(1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(pipes[0], &other, sizeof(other)), sizeof(other));
    assert_int_equal(other.pid, child);
    assert_true(ves_process_is_alive(&other));
    assert_int_equal(kill(child, SIGKILL), 0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_false(ves_process_is_alive(&other)); /* a zombie */
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(ves_process_is_alive(&other));
    close(pipes[0]);
    close(pipes[1]);
}

/* The name of a program may look like the rest of the line. */
static void odd_program_names(void **state)
{
    struct ves_process before, after;
    char name[32];
    (void)state;
    assert_int_equal(ves_process_self(&before, &error), VES_OK);
    FILE *f = fopen("/proc/self/comm", "r+");
    assert_non_null(f);
    assert_non_null(fgets(name, sizeof(name), f));
    rewind(f);
    fputs("a) Z 1 (b) 2", f);
    fflush(f);
    assert_int_equal(ves_process_self(&after, &error), VES_OK);
    assert_true(ves_process_is_alive(&before));
    rewind(f);
    name[strcspn(name, "\n")] = '\0';
    fputs(name, f);
    fclose(f);
    assert_memory_equal(&before, &after, sizeof(before));
}

/* Runs work in a child; true when it ended with status 0. */
static bool in_child(int (*work)(void))
{
    int status;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(work());
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int forbid_dumps(void)
{
    struct rlimit core;
    struct ves_process self;
    if (ves_process_forbid_dumps(NULL) || getrlimit(RLIMIT_CORE, &core))
        return 1;
    /* What others need to see of us must stay visible. */
    return core.rlim_cur != 0 || core.rlim_max != 0 ||
           ves_process_self(&self, NULL) != VES_OK ||
           !ves_process_is_alive(&self);
}

static void dumps_can_be_forbidden(void **state)
{
    (void)state;
    assert_true(in_child(forbid_dumps));
}

static int stop_by_signal(void)
{
    struct ves_error e;
    if (ves_stop_fd() != -1 || ves_stop_requested())
        return 1;
    if (ves_stop_install(&e) || ves_stop_install(&e))
        return 2;
    struct pollfd item = {.fd = ves_stop_fd(), .events = POLLIN};
    if (poll(&item, 1, 0) != 0 || ves_stop_wait(1))
        return 3;
    if (kill(getpid(), SIGTERM) || !ves_stop_wait(10000))
        return 4;
    if (poll(&item, 1, 0) != 1 || !ves_stop_requested())
        return 5;
    /* Again, and a closed pipe: neither kills. */
    int pipes[2];
    if (kill(getpid(), SIGTERM) || pipe(pipes) || close(pipes[0]) ||
        write(pipes[1], "x", 1) != -1)
        return 6;
    return 0;
}

static void signals_ask_to_stop(void **state)
{
    (void)state;
    assert_true(in_child(stop_by_signal));
}

static int interrupt_twice(void)
{
    if (ves_stop_install(NULL) || raise(SIGINT) || !ves_stop_requested())
        return 1;
    (void)raise(SIGINT);
    return 2;
}

static void a_second_interrupt_ends_at_once(void **state)
{
    int status;
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(interrupt_twice());
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGINT);
}

/* ---- waiting ------------------------------------------------------------- */

static pthread_cond_t never;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Stands still as soon as the other thread waits. */
static void *stand_still(void *unused)
{
    pthread_mutex_lock(&lock);
    (void)kill(getpid(), SIGSTOP);
    pthread_mutex_unlock(&lock);
    return unused;
}

static int wait_a_second(void)
{
    pthread_t thread;
    unsigned left_ms = 1000;
    ves_timed_cond_init(&never);
    pthread_mutex_lock(&lock);
    if (pthread_create(&thread, NULL, stand_still, NULL))
        return 1;
    while (ves_timed_wait(&never, &lock, &left_ms))
        continue;
    return left_ms != 0;
}

/* A process that stood still longer than it wanted to wait waits all the same:
 * what it waits for stood still, too. */
static void who_stood_still_still_waits(void **state)
{
    int status;
    (void)state;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(wait_a_second());
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(usleep(1200000), 0);
    int64_t went_on_ms = ves_clock_monotonic_ms();
    assert_int_equal(kill(child, SIGCONT), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_true(ves_clock_monotonic_ms() - went_on_ms >= 400);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, test_dir_clear)
    const struct CMUnitTest tests[] = {
        CASE(whole_files_are_read_up_to_the_limit),
        CASE(long_files_are_read_in_steps),
        CASE(writing_is_all_or_nothing),
        CASE(failed_writes_leave_nothing),
        CASE(who_is_killed_writing_leaves_nothing),
        CASE(secrets_must_be_private),
        CASE(secrets_are_files_of_ones_own),
        CASE(secrets_of_somebody_else_are_refused),
        CASE(clocks_and_randomness),
        CASE(the_living_and_the_dead),
        CASE(odd_program_names),
        CASE(dumps_can_be_forbidden),
        CASE(signals_ask_to_stop),
        CASE(a_second_interrupt_ends_at_once),
        CASE(who_stood_still_still_waits),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("os", tests, set_up_all,
                                       test_dir_remove);
}
