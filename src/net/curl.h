/* curl.h -- libcurl, loaded when the first connection is opened.
 *
 * It brings some twenty libraries along, which took half of the time of every
 * command that never talks to anybody: status, append, outbox.
 */
#ifndef VES_NET_CURL_H
#define VES_NET_CURL_H

#include <curl/curl.h>

#include "ves/ves.h"

/* What is used of it, named as in libcurl-easy(3) without "curl_". */
struct ves_curl {
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_cleanup)(CURL *curl);
    CURLcode (*easy_setopt)(CURL *curl, CURLoption option, ...);
    CURLcode (*easy_getinfo)(CURL *curl, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    CURLM *(*multi_init)(void);
    CURLMcode (*multi_cleanup)(CURLM *multi);
    CURLMcode (*multi_add_handle)(CURLM *multi, CURL *curl);
    CURLMcode (*multi_remove_handle)(CURLM *multi, CURL *curl);
    CURLMcode (*multi_perform)(CURLM *multi, int *running);
    CURLMcode (*multi_poll)(CURLM *multi, struct curl_waitfd *fds,
                            unsigned count, int timeout_ms, int *ready);
    CURLMsg *(*multi_info_read)(CURLM *multi, int *left);
    struct curl_slist *(*slist_append)(struct curl_slist *list,
                                       const char *text);
    void (*slist_free_all)(struct curl_slist *list);
};

/* Complete after ves_curl_load has said VES_OK once. */
extern struct ves_curl ves_curl;

/* From any thread, as often as wanted.  VES_IO when it is not installed; the
 * text says what to install. */
VES_NODISCARD enum ves_status ves_curl_load(struct ves_error *error);

#endif
