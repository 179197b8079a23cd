/* test_random_types.h -- rules that somebody might declare, at random.
 *
 * All of it is drawn from one state, so that a seed says the same everywhere.
 */
#ifndef VES_TEST_RANDOM_TYPES_H
#define VES_TEST_RANDOM_TYPES_H

#include <stdint.h>

#include "base/buf.h"

enum { TEST_RANDOM_TYPES = 8 };

extern uint64_t test_random_state;

/* Never twice among the arguments of one call: compilers differ in which they
 * draw first. */
unsigned test_below(unsigned n);

void test_put_scalar(struct ves_buf *buf, bool has_nulls);

/* A document of types thing.t0 ... of that version, which the reader of rules
 * may refuse.  Facts all of them, or, when is_mixed, intents as well. */
void test_put_random_types(struct ves_buf *buf, unsigned version,
                           bool is_mixed);

/* A payload with whatever their operations may ask for. */
void test_put_random_payload(struct ves_buf *buf, bool has_nulls);

#endif
