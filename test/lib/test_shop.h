/* test_shop.h -- stores on disk and a sequencer in memory, without a network.
 *
 * A folder of its own for every shop; requests and replies are handed over as
 * bytes.  What goes wrong in here fails the running cmocka test.
 */
#ifndef VES_TEST_SHOP_H
#define VES_TEST_SHOP_H

#include "agent/agent.h"
#include "test/lib/test_hub.h"

struct test_shop {
    char folder[64];
    struct ves_store *hub_store;
    struct test_hub hub;
};

/* shop must not move. */
void test_shop_open(struct test_shop *shop);
/* Removes the folder with everything in it. */
void test_shop_close(struct test_shop *shop);

/* FOLDER/name; valid until the fourth call after it. */
const char *test_shop_path(const struct test_shop *shop, const char *name);

/* A new store of the shop's stream; its key is known to the sequencer.  On
 * connection, or one of its own when that is NULL. */
struct ves_agent *test_shop_store(struct test_shop *shop, const char *name,
                                  struct sqlite3 *connection);
/* A store, not known to the sequencer, whose key is sealed with word; its own
 * handle can open it. */
struct ves_agent *test_shop_sealed(struct test_shop *shop, const char *name,
                                   const char *word);
/* Opens it again; no key is read before it is needed. */
struct ves_agent *test_shop_again(const struct test_shop *shop,
                                  const char *name, struct sqlite3 *connection);

/* One request with all that is pending, its reply taken.  Returns how many
 * were accepted. */
uint64_t test_shop_push(struct test_shop *shop, struct ves_agent *agent);
/* The same; meanwhile happens after the sequencer answered and before the reply
 * is taken. */
uint64_t test_shop_push_late(struct test_shop *shop, struct ves_agent *agent,
                             void (*meanwhile)(void));
/* One request with all that is pending, answered with that HTTP status and no
 * reply; 0: not answered. */
void test_shop_push_fails(struct test_shop *shop, struct ves_agent *agent,
                          uint32_t http_status);
/* Everything above the cursor in one page. */
uint64_t test_shop_pull(struct test_shop *shop, struct ves_agent *agent);

/* Appends; must work. */
struct ves_uuid test_shop_append(struct ves_agent *agent, const char *type,
                                 const char *id, const char *payload);

/* A document of the agent's, to be looked into with JSON pointers. */
struct test_document {
    struct ves_jw *jw;
    struct ves_arena arena;
    const struct ves_json *root;
};

/* Reads what was written into document->jw, which must be one good JSON
 * value; the second makes it ready for the next. */
void test_document_open(struct test_document *document);
void test_document_read(struct test_document *document);
void test_document_close(struct test_document *document);
/* The text or the number at a pointer; fails the test when there is none. */
const char *test_text(const struct test_document *document,
                      const char *pointer);
uint64_t test_number(const struct test_document *document, const char *pointer);
bool test_is_true(const struct test_document *document, const char *pointer);
size_t test_count(const struct test_document *document, const char *pointer);

#endif
