/* status.c -- names and messages of enum ves_status; the library's version. */
#include "ves/ves.h"

const char *ves_status_message(enum ves_status status)
{
    switch (status) {
#define X(name, value, message) \
    case VES_##name:            \
        return message;
        VES_STATUS_MAP(X)
#undef X
    }
    return "unknown status";
}

const char *ves_status_name(enum ves_status status)
{
    switch (status) {
#define X(name, value, message) \
    case VES_##name:            \
        return #name;
        VES_STATUS_MAP(X)
#undef X
    }
    return "UNKNOWN";
}

const char *ves_version(void)
{
    return VES_VERSION;
}
