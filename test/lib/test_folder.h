/* test_folder.h -- one entity's state under a list of events.
 *
 * Fails the running cmocka test when ves_fold fails.
 */
#ifndef VES_TEST_FOLDER_H
#define VES_TEST_FOLDER_H

#include "base/arena.h"
#include "base/buf.h"
#include "core/fold.h"

struct test_folder {
    struct ves_arena arena;
    struct ves_buf state; /* canonical JSON, NUL behind it */
    struct ves_buf next;
    struct ves_fold_note note; /* of the last event */
    uint32_t count;            /* events folded; the last byte of their ids */
};

void test_folder_init(struct test_folder *folder);
void test_folder_free(struct test_folder *folder);
/* Forgets the state. */
void test_folder_reset(struct test_folder *folder);

/* Folds one event without causal context. */
void test_folder_apply(struct test_folder *folder, const char *event_type,
                       const char *payload);
/* Same with a context that names that rule version. */
void test_folder_apply_version(struct test_folder *folder,
                               const char *event_type, uint32_t version,
                               const char *payload);
void test_folder_apply_event(struct test_folder *folder,
                             const struct ves_event *event);

/* The state as text, "" when there is none. */
const char *test_folder_state(const struct test_folder *folder);

#endif
