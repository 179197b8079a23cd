/* signals.h -- being asked to stop.
 *
 * One per process, as signals are.  SIGTERM and SIGINT set a flag and make a
 * descriptor readable; the program ends when it has left everything
 * consistent.  A second SIGINT ends it at once, which is safe too, only less
 * polite.  SIGPIPE is ignored: a closed connection is an error value.
 */
#ifndef VES_OS_SIGNALS_H
#define VES_OS_SIGNALS_H

#include "ves/ves.h"

/* Installs the handlers; call it once, before threads.  Again is harmless. */
VES_NODISCARD enum ves_status ves_stop_install(struct ves_error *error);

/* Has somebody asked? */
bool ves_stop_requested(void);

/* As if a signal had come; may be called from any thread and from signal
 * handlers. */
void ves_stop_request(void);

/* Becomes and stays readable once somebody has asked; for poll().  -1 before
 * ves_stop_install. */
int ves_stop_fd(void);

/* Waits until somebody asks or the time is over; true when asked. */
bool ves_stop_wait(int timeout_ms);

#endif
