/* framing.c -- heads of requests that say two things. */
#include "os/framing.h"

#include <stddef.h>
#include <strings.h>

#include "base/assert.h"

struct framing {
    const char *const *once;
    unsigned counts[VES_FRAMING_NAMES_MAX];
    unsigned bodies; /* fields that say where the body ends */
    bool is_misread;
};

static bool is_misspelt(const char *name)
{
    for (; *name; name++) {
        if ((unsigned char)*name <= ' ' || (unsigned char)*name >= 0x7f)
            return true;
    }
    return false;
}

static enum MHD_Result count_field(void *ctx, enum MHD_ValueKind kind,
                                   const char *name, const char *value)
{
    struct framing *f = ctx;
    (void)kind;
    if (is_misspelt(name))
        f->is_misread = true;
    if (strcasecmp(name, "Content-Length") == 0) {
        f->bodies++;
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        f->bodies++;
        if (!value || strcasecmp(value, "chunked") != 0)
            f->is_misread = true;
    }
    for (size_t i = 0; f->once[i]; i++) {
        VES_ASSERT(i < VES_FRAMING_NAMES_MAX);
        if (strcasecmp(name, f->once[i]) == 0 && f->counts[i]++)
            f->is_misread = true;
    }
    return MHD_YES;
}

bool ves_framing_is_ambiguous(struct MHD_Connection *connection,
                              const char *const *once)
{
    struct framing f = {.once = once};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_field, &f);
    return f.is_misread || f.bodies > 1;
}
