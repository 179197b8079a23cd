/* crypt.h -- batches of signatures, so that a host may use all its cores.
 *
 * n messages, n keys, n separate answers (design.md D16).  An implementation
 * may run on several threads but returns only when all answers are there.
 */
#ifndef VES_PORT_CRYPT_H
#define VES_PORT_CRYPT_H

#include "ves/ves.h"

struct ves_verify_item {
    struct ves_public_key key;
    struct ves_hash hash; /* the signed message: always a 32-byte hash */
    struct ves_sig sig;
    bool is_valid; /* out */
};

struct ves_verifier {
    void (*verify)(struct ves_verifier *self, struct ves_verify_item *items,
                   size_t count);
};

struct ves_sign_item {
    struct ves_hash hash;
    struct ves_sig sig; /* out */
};

/* A batch that is signed while its owner does something else.  The owner fills
 * in the first two members; room is the signer's. */
struct ves_signing {
    struct ves_sign_item *items;
    size_t count;
    void *room[12];
};

/* Holds one secret key; nobody else sees it. */
struct ves_signer {
    struct ves_public_key public_key;
    void (*sign)(struct ves_signer *self, struct ves_sign_item *items,
                 size_t count);
    /* The two halves of sign.  begin returns at once; end returns when all
     * signatures are there, and makes those that nobody made meanwhile.  Each
     * begin has one end, of the same thread; in between the items are not
     * touched, and *signing stays where it is.  Both NULL where nobody signs
     * beside the caller. */
    void (*begin)(struct ves_signer *self, struct ves_signing *signing);
    void (*end)(struct ves_signer *self, struct ves_signing *signing);
    /* One signature over bytes of any length: the text of a note
     * (core/note.h).  NULL where nobody signs such. */
    void (*sign_text)(struct ves_signer *self, struct ves_bytes text,
                      struct ves_sig *sig);
};

#endif
