/* url.c -- what a store's URL says, and what may be said of it. */
#include <stdio.h>
#include <string.h>

#include "pg/store_pg.h"

bool ves_store_pg_is_url(const char *text)
{
    return strncmp(text, "postgres://", 11) == 0 ||
           strncmp(text, "postgresql://", 13) == 0;
}

void ves_store_pg_describe(const char *url, char *out, size_t size)
{
    const char *rest = strstr(url, "://");
    const char *end, *at = NULL;

    rest = rest ? rest + 3 : url;
    end = rest + strcspn(rest, "?");
    /* Up to the last @ it may be anything, also half of a password. */
    for (const char *p = rest; *p; p++)
        if (*p == '@')
            at = p;
    if (at && at >= end)
        end = rest = "";
    else if (at)
        rest = at + 1;
    snprintf(out, size, "postgres://%.*s", (int)(end - rest), rest);
}

bool ves_store_pg_holds_password(const char *url)
{
    const char *rest = strstr(url, "://") + 3;
    const char *colon = strchr(rest, ':'), *at = strrchr(rest, '@');

    return strstr(url, "password") || (at && colon && colon < at);
}
