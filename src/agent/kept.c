/* kept.c -- an answer that is given again while the store stays as it is. */
#include "agent/kept.h"

#include "agent/agent.h"
#include "store/sqlite_api.h"

enum { TEXT_MAX = 64 * 1024 };

void ves_kept_init(struct ves_kept *kept, const struct ves_alloc *alloc)
{
    kept->is_there = false;
    ves_buf_init(&kept->text, alloc, TEXT_MAX);
}

void ves_kept_free(struct ves_kept *kept)
{
    ves_buf_free(&kept->text);
}

bool ves_kept_version(struct ves_agent *agent, unsigned *version)
{
    return sqlite3_file_control(agent->connection, "main",
                                SQLITE_FCNTL_DATA_VERSION,
                                version) == SQLITE_OK;
}

static bool is_same_contact(const struct ves_contact *a,
                            const struct ves_contact *b)
{
    return a->at_ms == b->at_ms && a->is_reachable == b->is_reachable &&
           a->head == b->head && a->wait_s == b->wait_s &&
           a->is_refused == b->is_refused;
}

bool ves_kept_holds(const struct ves_kept *kept, unsigned version,
                    const struct ves_contact *contact)
{
    return kept->is_there && kept->version == version &&
           is_same_contact(&kept->contact, contact);
}

void ves_kept_put(struct ves_kept *kept, unsigned version,
                  const struct ves_contact *contact, struct ves_bytes text)
{
    ves_buf_reset(&kept->text);
    ves_buf_put_bytes(&kept->text, text);
    kept->version = version;
    kept->contact = *contact;
    kept->is_there = ves_buf_status(&kept->text) == VES_OK;
}
