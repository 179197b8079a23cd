/* mhd.h -- libmicrohttpd, loaded when somebody listens.
 *
 * It brings GnuTLS and ten more libraries along, which took a third of the
 * time of every command that serves nobody: status, append, outbox.  The only
 * way to its own header; its functions keep their names.
 */
#ifndef VES_OS_MHD_H
#define VES_OS_MHD_H

#include <microhttpd.h>

#include "ves/ves.h"

/* What is used of it, named as in libmicrohttpd(3) without "MHD_". */
struct ves_mhd {
    __typeof__(MHD_start_daemon) *start_daemon;
    __typeof__(MHD_stop_daemon) *stop_daemon;
    __typeof__(MHD_get_connection_info) *get_connection_info;
    __typeof__(MHD_get_connection_values) *get_connection_values;
    __typeof__(MHD_lookup_connection_value) *lookup_connection_value;
    __typeof__(MHD_suspend_connection) *suspend_connection;
    __typeof__(MHD_resume_connection) *resume_connection;
    __typeof__(MHD_create_response_from_buffer) *create_response_from_buffer;
    __typeof__(MHD_create_response_from_callback)
        *create_response_from_callback;
    __typeof__(MHD_add_response_header) *add_response_header;
    __typeof__(MHD_queue_response) *queue_response;
    __typeof__(MHD_destroy_response) *destroy_response;
};

/* Complete after ves_mhd_load has said VES_OK once. */
extern struct ves_mhd ves_mhd;

/* From any thread, as often as wanted; before the first of the calls below.
 * VES_IO when it is not installed; the text says what to install. */
VES_NODISCARD enum ves_status ves_mhd_load(struct ves_error *error);

#ifndef VES_OS_MHD_C
#define MHD_start_daemon                  ves_mhd.start_daemon
#define MHD_stop_daemon                   ves_mhd.stop_daemon
#define MHD_get_connection_info           ves_mhd.get_connection_info
#define MHD_get_connection_values         ves_mhd.get_connection_values
#define MHD_lookup_connection_value       ves_mhd.lookup_connection_value
#define MHD_suspend_connection            ves_mhd.suspend_connection
#define MHD_resume_connection             ves_mhd.resume_connection
#define MHD_create_response_from_buffer   ves_mhd.create_response_from_buffer
#define MHD_create_response_from_callback ves_mhd.create_response_from_callback
#define MHD_add_response_header           ves_mhd.add_response_header
#define MHD_queue_response                ves_mhd.queue_response
#define MHD_destroy_response              ves_mhd.destroy_response
#endif

#endif
