/* derive.c -- bytes that only the holder of the agent's key can make. */
#include "agent/agent.h"
#include "base/bytes.h"
#include "crypto/crypto.h"

/* Ed25519 is deterministic, so that the signature of a fixed text is a secret
 * that needs no place to be kept.  The text's hash is no event's: it begins
 * with a name that no signed preimage begins with. */
enum ves_status ves_agent_derive(struct ves_agent *agent, const char *purpose,
                                 uint8_t out[32], struct ves_error *error)
{
    static const char name[] = "VES_DERIVE_V1";
    struct ves_sign_item item;
    struct ves_hash secret;

    ves_agent_start(agent);
    enum ves_status status = ves_agent_need_key(agent, error);
    if (status)
        return status;
    const struct ves_bytes text[] = {ves_bytes(name, sizeof(name)),
                                     ves_bytes_str(purpose)};
    ves_sha256(text, 2, &item.hash);
    agent->core.signer->sign(agent->core.signer, &item, 1);
    ves_sha256_one(item.sig.b, VES_SIG_SIZE, &secret);
    for (size_t i = 0; i < VES_HASH_SIZE; i++)
        out[i] = secret.b[i];
    ves_wipe(&secret, sizeof(secret));
    ves_wipe(&item, sizeof(item));
    return VES_OK;
}
