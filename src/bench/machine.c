/* machine.c -- what a figure was measured on. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "bench/bench.h"
#include "store/sqlite_api.h"

enum { LINE = 512 };

double ves_bench_load_average(void)
{
    double load = 0;
    return getloadavg(&load, 1) == 1 ? load : 0;
}

/* The text after the first line that begins with name and a colon. */
static bool find_line(const char *path, const char *name, char *out,
                      size_t size)
{
    char line[LINE];
    bool is_found = false;
    FILE *file = fopen(path, "re");
    if (!file)
        return false;
    while (!is_found && fgets(line, sizeof(line), file)) {
        char *colon = strchr(line, ':');
        if (!colon || strncmp(line, name, strlen(name)) != 0)
            continue;
        colon += 1 + strspn(colon + 1, " \t");
        colon[strcspn(colon, "\n")] = '\0';
        snprintf(out, size, "%s", colon);
        is_found = true;
    }
    fclose(file);
    return is_found;
}

static void name_filesystem(const char *folder, struct ves_bench_machine *out)
{
    /* statfs(2) */
    static const struct {
        unsigned long type;
        const char *name;
        bool is_in_memory;
    } known[] = {{0xEF53, "ext4", false},      {0x58465342, "xfs", false},
                 {0x9123683E, "btrfs", false}, {0x01021994, "tmpfs", true},
                 {0x858458F6, "ramfs", true},  {0x794C7630, "overlay", false},
                 {0x2FC12FC1, "zfs", false},   {0x6969, "nfs", false},
                 {0xF2F52010, "f2fs", false}};
    struct statfs info;
    if (statfs(folder, &info))
        return;
    unsigned long type = (unsigned long)info.f_type & 0xFFFFFFFFUL;
    snprintf(out->filesystem, sizeof(out->filesystem), "type %lx", type);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        if (known[i].type != type)
            continue;
        snprintf(out->filesystem, sizeof(out->filesystem), "%s", known[i].name);
        out->is_in_memory = known[i].is_in_memory;
    }
}

void ves_bench_machine(const char *folder, struct ves_bench_machine *out)
{
    char text[LINE] = "";
    struct utsname kernel;
    cpu_set_t set;
    (void)find_line("/proc/cpuinfo", "model name", out->processor,
                    sizeof(out->processor));
    if (find_line("/proc/meminfo", "MemTotal", text, sizeof(text)))
        out->memory_mb = strtoull(text, NULL, 10) / 1024;
    if (uname(&kernel) == 0)
        snprintf(out->kernel, sizeof(out->kernel), "%.20s %.40s %.20s",
                 kernel.sysname, kernel.release, kernel.machine);
    out->cores = sched_getaffinity(0, sizeof(set), &set) == 0
                     ? (unsigned)CPU_COUNT(&set)
                     : 1;
    name_filesystem(folder, out);
#ifdef __clang__
    out->compiler = "clang " __clang_version__;
#else
    out->compiler = "gcc " __VERSION__;
#endif
    out->sqlite = sqlite3_libversion();
    out->load_before = ves_bench_load_average();
}

bool ves_bench_process(pid_t pid, struct ves_bench_process *out)
{
    char path[64], text[1024] = "";
    unsigned long user, system, gone_user, gone_system;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    FILE *file = fopen(path, "re");
    const char *name =
        file && fgets(text, sizeof(text), file) ? strchr(text, '(') : NULL;
    /* proc(5): the name may hold blanks and parentheses. */
    char *end = name ? strrchr(text, ')') : NULL;
    if (file)
        fclose(file);
    if (!end ||
        sscanf(end + 1,
               " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %lu %lu",
               &out->parent, &user, &system, &gone_user, &gone_system) != 5)
        return false;
    *end = '\0';
    snprintf(out->name, sizeof(out->name), "%s", name + 1);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    out->own_s = (double)(user + system) / ticks;
    out->gone_s = (double)(gone_user + gone_system) / ticks;
    return true;
}
