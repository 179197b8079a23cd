/* process.h -- who this process is, whether another still lives, and keeping
 * secrets out of core dumps. */
#ifndef VES_OS_PROCESS_H
#define VES_OS_PROCESS_H

#include "ves/ves.h"

/* Names one process of one boot of one machine (semantics.md decision 12). */
struct ves_process {
    uint64_t pid;
    uint64_t start; /* clock ticks since boot */
    struct ves_uuid boot_id;
};

/* VES_IO with *error when /proc does not say. */
VES_NODISCARD enum ves_status ves_process_self(struct ves_process *out,
                                               struct ves_error *error);

/* False only if the process is certainly gone: another boot, no such pid, a
 * pid that another process has now, or a zombie.  Processes of another pid
 * namespace on the same machine cannot be seen and count as gone. */
bool ves_process_is_alive(const struct ves_process *process);

/* No core dumps, no ptrace by others: for programs that hold keys.  VES_IO
 * with *error when the system does not let us; going on is possible. */
VES_NODISCARD enum ves_status ves_process_forbid_dumps(struct ves_error *error);

/* Lets this process open as many files as that, if the system does; returns how
 * many it may. */
size_t ves_process_allow_files(size_t count);

/* The calling thread runs after the others of this process when there are not
 * processors enough for all; not at all an error when that cannot be had. */
void ves_thread_give_way(void);

/* Names the calling thread for top, gdb and perf: at most 15 bytes. */
void ves_thread_name(const char *name);

#endif
