/* cosign.c -- what this store vouches for goes with its next request.
 *
 * Nothing here ever makes a request fail: what cannot be signed or kept now is
 * said another time.
 */
#include <string.h>

#include "base/bytes.h"
#include "core/lines.h"
#include "os/clock.h"
#include "sync/session.h"

#define HEADER "x-ves-cosignature"

enum { TEXT_MAX = 32 * 1024 };

/* A sealed key is not asked for just for this. */
static bool has_key(struct ves_agent *agent)
{
    int (*passphrase)(void *ctx, char *out, size_t size) = agent->passphrase;
    struct ves_error ignored;

    if (agent->core.signer)
        return true;
    if (agent->is_read_only)
        return false;
    agent->passphrase = NULL;
    enum ves_status status = ves_agent_need_key(agent, &ignored);
    agent->passphrase = passphrase;
    return status == VES_OK;
}

void ves_session_vouch(struct ves_session *session)
{
    struct ves_agent *agent = session->agent;
    struct ves_core_cosignature *word = &session->word;
    struct ves_buf text;

    if (session->is_quiet || session->has_word ||
        !ves_agent_setting(agent, "cosign") || !has_key(agent))
        return;
    enum ves_status status =
        ves_core_cosign(&agent->core, ves_clock_now_ms(), word);
    ves_buf_init(&text, agent->alloc, TEXT_MAX);
    if (!status && word->note.len > 0) {
        ves_line_put_b64(&text, word->note.ptr, word->note.len);
        ves_buf_put_u8(&text, '\0');
        session->has_word = !ves_buf_status(&text) &&
                            !ves_http_client_header(session->client, HEADER,
                                                    (const char *)text.ptr);
    }
    ves_buf_free(&text);
    ves_buf_free(&word->note);
}

void ves_session_vouched(struct ves_session *session)
{
    if (!session->has_word)
        return;
    session->has_word = false;
    (void)!ves_http_client_header(session->client, HEADER, NULL);
    (void)!ves_core_cosigned(&session->agent->core, &session->word);
}
