/* log.h -- what the server says about itself, one line a time.
 *
 * Lines go to standard error in one write each, as text or as JSON.  Values
 * are escaped.  Nothing here ever sees a header, a body or a secret: callers
 * pass names, numbers and identifiers only.
 */
#ifndef VES_SERVER_LOG_H
#define VES_SERVER_LOG_H

#include "ves/ves.h"

enum ves_log_level { VES_LOG_ERROR, VES_LOG_NOTICE, VES_LOG_REQUEST };

struct ves_log {
    bool is_json;
    enum ves_log_level level; /* what is above it is dropped */
};

/* One named value of a line; text NULL means number. */
struct ves_log_field {
    const char *name;
    const char *text;
    uint64_t number;
};

/* Writes a line: time, level, event (a short word), fields. */
void ves_log_write(const struct ves_log *log, enum ves_log_level level,
                   const char *event, const struct ves_log_field *fields,
                   size_t count);

/* Same with one field "message". */
void ves_log_say(const struct ves_log *log, enum ves_log_level level,
                 const char *event, const char *message);

#endif
