/* schema.h -- checks a value against a JSON Schema, in words.
 *
 * Pure.  Knows what our definitions use: type, enum, const, minimum, maximum,
 * minLength, maxLength, minItems, maxItems, format (uuid, date-time), items,
 * properties, required, additionalProperties, minProperties.  Other keywords
 * are passed over; nothing remote is ever fetched.
 */
#ifndef VES_MCP_SCHEMA_H
#define VES_MCP_SCHEMA_H

#include "json/json.h"

struct ves_mcp_problem {
    char text[512]; /* one sentence without a full stop; never a string that
                       was a value */
    char next[160]; /* arguments that would do, as JSON; "" when not known */
};

/* False with *problem filled for the first thing that is wrong. */
bool ves_mcp_schema_check(const struct ves_json *schema,
                          const struct ves_json *value,
                          struct ves_mcp_problem *problem);

#endif
