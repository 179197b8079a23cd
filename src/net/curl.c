/* curl.c -- libcurl, loaded when the first connection is opened. */
#include "net/curl.h"

#include <pthread.h>

#include "base/error.h"
#include "os/library.h"

/* The number of its interface, the same since 2006. */
#define LIBRARY "libcurl.so.4"

struct ves_curl ves_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;
static char reason[VES_LIBRARY_REASON]; /* why not */

static void load(void)
{
    const struct ves_library_symbol symbols[] = {
        {"curl_global_init", &ves_curl.global_init},
        {"curl_easy_init", &ves_curl.easy_init},
        {"curl_easy_cleanup", &ves_curl.easy_cleanup},
        {"curl_easy_setopt", &ves_curl.easy_setopt},
        {"curl_easy_getinfo", &ves_curl.easy_getinfo},
        {"curl_easy_strerror", &ves_curl.easy_strerror},
        {"curl_multi_init", &ves_curl.multi_init},
        {"curl_multi_cleanup", &ves_curl.multi_cleanup},
        {"curl_multi_add_handle", &ves_curl.multi_add_handle},
        {"curl_multi_remove_handle", &ves_curl.multi_remove_handle},
        {"curl_multi_perform", &ves_curl.multi_perform},
        {"curl_multi_poll", &ves_curl.multi_poll},
        {"curl_multi_info_read", &ves_curl.multi_info_read},
        {"curl_slist_append", &ves_curl.slist_append},
        {"curl_slist_free_all", &ves_curl.slist_free_all},
        {NULL, NULL}};

    is_loaded = ves_library_load(LIBRARY, symbols, reason);
    if (is_loaded)
        ves_curl.global_init(CURL_GLOBAL_DEFAULT);
}

enum ves_status ves_curl_load(struct ves_error *error)
{
    pthread_once(&once, load);
    if (is_loaded)
        return VES_OK;
    return ves_fail(error, VES_IO,
                    "the library that speaks HTTP cannot be loaded (%s); "
                    "nothing was sent; install libcurl 4",
                    reason);
}
