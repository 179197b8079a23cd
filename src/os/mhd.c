/* mhd.c -- libmicrohttpd, loaded when somebody listens. */
#define VES_OS_MHD_C
#include "os/mhd.h"

#include <pthread.h>

#include "base/error.h"
#include "os/library.h"

/* The number of its interface, the same since 2014. */
#define LIBRARY "libmicrohttpd.so.12"

struct ves_mhd ves_mhd;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;
static char reason[VES_LIBRARY_REASON]; /* why not */

static void load(void)
{
    const struct ves_library_symbol symbols[] = {
        {"MHD_start_daemon", &ves_mhd.start_daemon},
        {"MHD_stop_daemon", &ves_mhd.stop_daemon},
        {"MHD_get_connection_info", &ves_mhd.get_connection_info},
        {"MHD_get_connection_values", &ves_mhd.get_connection_values},
        {"MHD_lookup_connection_value", &ves_mhd.lookup_connection_value},
        {"MHD_suspend_connection", &ves_mhd.suspend_connection},
        {"MHD_resume_connection", &ves_mhd.resume_connection},
        {"MHD_create_response_from_buffer",
         &ves_mhd.create_response_from_buffer},
        {"MHD_create_response_from_callback",
         &ves_mhd.create_response_from_callback},
        {"MHD_add_response_header", &ves_mhd.add_response_header},
        {"MHD_queue_response", &ves_mhd.queue_response},
        {"MHD_destroy_response", &ves_mhd.destroy_response},
        {NULL, NULL}};

    is_loaded = ves_library_load(LIBRARY, symbols, reason);
}

enum ves_status ves_mhd_load(struct ves_error *error)
{
    pthread_once(&once, load);
    if (is_loaded)
        return VES_OK;
    return ves_fail(error, VES_IO,
                    "the library that serves HTTP cannot be loaded (%s); "
                    "nobody listens; install libmicrohttpd 12",
                    reason);
}
