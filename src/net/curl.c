/* curl.c -- libcurl, loaded when the first connection is opened. */
#include "net/curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* The number of its interface, the same since 2006. */
#define LIBRARY "libcurl.so.4"

struct ves_curl ves_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static bool is_loaded;
static char reason[256]; /* why not */

static void say_reason(void)
{
    const char *words = dlerror();
    snprintf(reason, sizeof(reason), "%s", words ? words : "no reason given");
}

/* POSIX wants the address of a function to fit a void pointer. */
static bool find(void *library, const char *name, void *out)
{
    void *address = dlsym(library, name);
    memcpy(out, &address, sizeof(address));
    if (!address)
        say_reason();
    return address != NULL;
}

/* Never unloaded: threads of its libraries may still run. */
static void load(void)
{
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        say_reason();
        return;
    }
    is_loaded = find(library, "curl_global_init", &ves_curl.global_init) &&
                find(library, "curl_easy_init", &ves_curl.easy_init) &&
                find(library, "curl_easy_cleanup", &ves_curl.easy_cleanup) &&
                find(library, "curl_easy_setopt", &ves_curl.easy_setopt) &&
                find(library, "curl_easy_perform", &ves_curl.easy_perform) &&
                find(library, "curl_easy_getinfo", &ves_curl.easy_getinfo) &&
                find(library, "curl_easy_strerror", &ves_curl.easy_strerror) &&
                find(library, "curl_slist_append", &ves_curl.slist_append) &&
                find(library, "curl_slist_free_all", &ves_curl.slist_free_all);
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
