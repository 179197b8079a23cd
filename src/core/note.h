/* note.h -- signed notes and the keys that sign them (C2SP signed-note).
 *
 * A note is a text, an empty line, and one line for each signature.  Lines of
 * unknown keys say nothing; one wrong signature of a known key makes the whole
 * note worthless.
 */
#ifndef VES_CORE_NOTE_H
#define VES_CORE_NOTE_H

#include "base/buf.h"
#include "crypto/crypto.h"
#include "ves/ves.h"

enum {
    VES_NOTE_MAX = 128 * 1024, /* bytes; 32 post-quantum lines fit */
    VES_NOTE_LINES_MAX = 64,   /* signatures; C2SP wants 16 at least */
    VES_NOTE_PAYLOAD_MAX = 72  /* bytes of a signature that is kept */
};

/* What a key signs, and how; the numbers are C2SP's. */
enum ves_note_type {
    VES_NOTE_ED25519 = 0x01,    /* the text */
    VES_NOTE_COSIGNATURE = 0x04 /* time and text (core/cosign.h) */
};

struct ves_note_key {
    struct ves_bytes name; /* borrowed */
    uint32_t id;
    enum ves_note_type type;
    struct ves_public_key key;
};

/* Not empty, UTF-8, no Unicode space, no control character, no '+'. */
bool ves_note_name_is_valid(struct ves_bytes name);

/* Fills key; its id follows from the rest.  name must be valid. */
void ves_note_key_init(struct ves_note_key *key, struct ves_bytes name,
                       enum ves_note_type type,
                       const struct ves_public_key *public_key);

/* Reads "name+id+base64"; key->name views text.  VES_MALFORMED, also when the
 * id is not the one the rest implies; VES_UNSUPPORTED for types other than the
 * two above; VES_REFUSED for bytes that are no Ed25519 key. */
VES_NODISCARD enum ves_status ves_note_key_read(struct ves_bytes vkey,
                                                struct ves_note_key *key,
                                                struct ves_error *error);
void ves_note_key_write(struct ves_buf *buf, const struct ves_note_key *key);

struct ves_note_line {
    struct ves_bytes text; /* the whole line with its LF */
    struct ves_bytes name;
    uint32_t key_id;
    size_t payload_len; /* bytes of the signature, which may not fit below */
    uint8_t payload[VES_NOTE_PAYLOAD_MAX];
};

/* A note taken apart; views the bytes it was read from. */
struct ves_note {
    struct ves_bytes text; /* what is signed, its last LF included */
    size_t count;
    struct ves_note_line lines[VES_NOTE_LINES_MAX];
};

/* VES_MALFORMED, VES_LIMIT; nothing is verified. */
VES_NODISCARD enum ves_status ves_note_read(struct ves_bytes bytes,
                                            struct ves_note *note,
                                            struct ves_error *error);
/* Takes signature lines alone, as witnesses answer them: at least one. */
VES_NODISCARD enum ves_status ves_note_lines_read(struct ves_bytes bytes,
                                                  struct ves_note *note,
                                                  struct ves_error *error);

enum ves_note_verdict {
    VES_NOTE_ABSENT, /* no line of this key */
    VES_NOTE_GOOD,
    VES_NOTE_BAD /* a line of this key does not verify: refuse the note */
};

/* When a key's cosignatures were made, unix seconds. */
struct ves_note_times {
    uint64_t first, last;
};

/* What the lines of one key are worth; *times (may be NULL) is filled when
 * they are good and cosignatures. */
enum ves_note_verdict ves_note_check(const struct ves_note *note,
                                     const struct ves_note_key *key,
                                     struct ves_note_times *times);

/* Appends the signature line of an Ed25519 key over text. */
void ves_note_sign(struct ves_buf *buf, struct ves_bytes text,
                   const struct ves_note_key *key,
                   const struct ves_secret_key *secret);
/* Appends the line of a signature that was made elsewhere. */
void ves_note_line_write(struct ves_buf *buf, const struct ves_note_key *key,
                         const void *payload, size_t len);

#endif
