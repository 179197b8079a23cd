/* store_pg_call.c -- prepared statements, parameters, columns. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/error.h"
#include "pg/store_pg_internal.h"

/* Numbers that PostgreSQL gives its types (pg_type.dat). */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_INT8 = 20,
    OID_TEXT = 25,
    OID_BOOLS = 1000,
    OID_BYTEAS = 1001,
    OID_TEXTS = 1009,
    OID_INT8S = 1016,
    OID_UUID = 2950,
    OID_UUIDS = 2951
};

/* Of an array on the wire: dimensions, has NULLs, type, length, first index. */
enum { ARRAY_HEADER = 5 * 4, ARRAY_EMPTY = 3 * 4, ARRAY_LENGTH_AT = 3 * 4 };

static Oid type_of(char letter)
{
    switch (letter) {
    case 'i':
        return OID_INT8;
    case 'I':
        return OID_INT8S;
    case 'u':
        return OID_UUID;
    case 'U':
        return OID_UUIDS;
    case 'b':
        return OID_BYTEA;
    case 'B':
        return OID_BYTEAS;
    case 't':
        return OID_BOOL;
    case 'T':
        return OID_BOOLS;
    case 'w':
        return OID_TEXT;
    default:
        VES_ASSERT(letter == 'W');
        return OID_TEXTS;
    }
}

static bool is_array(char letter)
{
    return isupper((unsigned char)letter) != 0;
}

static Oid element_of(char letter)
{
    return type_of((char)tolower((unsigned char)letter));
}

/* ---- building -------------------------------------------------------------
 */

void ves_pg_open(struct ves_pg *st, struct ves_pg_call *q, enum ves_pg_id id,
                 const char *types, const char *text)
{
    memset(q, 0, sizeof *q);
    q->st = st;
    q->id = id;
    q->types = types;
    q->text = text;
    q->row = q->column = -1;
    q->params = strlen(types);
    VES_ASSERT(q->params <= VES_PG_PARAMS_MAX);
    q->first_array = q->params;
    for (size_t i = 0; i < q->params; i++) {
        ves_buf_reset(&st->params[i]);
        if (!is_array(types[i]))
            continue;
        if (q->first_array == q->params)
            q->first_array = i;
        ves_buf_put_u32(&st->params[i], 1);
        ves_buf_put_u32(&st->params[i], 0);
        ves_buf_put_u32(&st->params[i], (uint32_t)element_of(types[i]));
        ves_buf_put_u32(&st->params[i], 0);
        ves_buf_put_u32(&st->params[i], 1);
    }
}

/* Where the next parameter's bytes go; its letter in *letter. */
static struct ves_buf *next_param(struct ves_pg_call *q, char letter)
{
    if (q->param == q->params)
        q->param = q->first_array;
    VES_ASSERT(q->param < q->params);
    VES_ASSERT(q->types[q->param] == letter ||
               q->types[q->param] == toupper((unsigned char)letter));
    return &q->st->params[q->param++];
}

static void add_element(struct ves_buf *buf)
{
    if (buf->len >= ARRAY_HEADER)
        ves_store_u32(buf->ptr + ARRAY_LENGTH_AT,
                      ves_load_u32(buf->ptr + ARRAY_LENGTH_AT) + 1);
}

static void put(struct ves_pg_call *q, char letter, const void *ptr, size_t len)
{
    struct ves_buf *buf = next_param(q, letter);

    if (is_array(q->types[q->param - 1])) {
        add_element(buf);
        ves_buf_put_u32(buf, (uint32_t)len);
    }
    ves_buf_put(buf, ptr, len);
}

static void put_null(struct ves_pg_call *q, char letter)
{
    struct ves_buf *buf = next_param(q, letter);

    if (!is_array(q->types[q->param - 1])) {
        q->is_null[q->param - 1] = true;
        return;
    }
    add_element(buf);
    if (buf->len >= ARRAY_HEADER)
        ves_store_u32(buf->ptr + 4, 1);
    ves_buf_put_u32(buf, UINT32_MAX);
}

void ves_pg_put_i64(struct ves_pg_call *q, int64_t value)
{
    uint8_t bytes[8];

    ves_store_u64(bytes, (uint64_t)value);
    put(q, 'i', bytes, sizeof bytes);
}

/* No row has a larger one; as a bound it means "behind all of them". */
void ves_pg_put_u64(struct ves_pg_call *q, uint64_t value)
{
    ves_pg_put_i64(q, value > INT64_MAX ? INT64_MAX : (int64_t)value);
}

void ves_pg_put_bool(struct ves_pg_call *q, bool value)
{
    uint8_t byte = value;

    put(q, 't', &byte, 1);
}

void ves_pg_put_bytes(struct ves_pg_call *q, struct ves_bytes bytes)
{
    put(q, 'b', bytes.ptr, bytes.len);
}

void ves_pg_put_word(struct ves_pg_call *q, const char *word)
{
    put(q, 'w', word, strlen(word));
}

void ves_pg_put_blob(struct ves_pg_call *q, const void *ptr, size_t len)
{
    put(q, 'b', ptr, len);
}

void ves_pg_put_blob_if(struct ves_pg_call *q, bool is_there, const void *ptr,
                        size_t len)
{
    if (is_there)
        put(q, 'b', ptr, len);
    else
        put_null(q, 'b');
}

void ves_pg_put_hash(struct ves_pg_call *q, const struct ves_hash *hash)
{
    put(q, 'b', hash->b, sizeof hash->b);
}

void ves_pg_put_hash_or_null(struct ves_pg_call *q, const struct ves_hash *hash)
{
    ves_pg_put_blob_if(q, !ves_hash_is_zero(hash), hash->b, sizeof hash->b);
}

void ves_pg_put_uuid(struct ves_pg_call *q, const struct ves_uuid *uuid)
{
    put(q, 'u', uuid->b, sizeof uuid->b);
}

void ves_pg_put_uuid_if(struct ves_pg_call *q, bool is_there,
                        const struct ves_uuid *uuid)
{
    if (is_there)
        ves_pg_put_uuid(q, uuid);
    else
        put_null(q, 'u');
}

void ves_pg_put_uuid_or_null(struct ves_pg_call *q, const struct ves_uuid *uuid)
{
    ves_pg_put_uuid_if(q, !ves_uuid_is_nil(uuid), uuid);
}

/* ---- sending --------------------------------------------------------------
 */

static enum ves_status finish_params(struct ves_pg_call *q)
{
    struct ves_pg *st = q->st;

    VES_ASSERT(q->param == q->params || q->param == q->first_array);
    for (size_t i = 0; i < q->params; i++) {
        struct ves_buf *buf = &st->params[i];
        enum ves_status status = ves_buf_status(buf);

        if (status) {
            st->is_failed = st->is_in;
            return ves_fail(&st->store.error, status,
                            "The rows do not fit one step (%s). Nothing of it "
                            "was stored.",
                            ves_status_message(status));
        }
        if (is_array(q->types[i]) && buf->len == ARRAY_HEADER) {
            ves_store_u32(buf->ptr, 0);
            buf->len = ARRAY_EMPTY;
        }
    }
    return VES_OK;
}

static enum ves_status lost(struct ves_pg *st)
{
    st->is_failed = st->is_in;
    return ves_pg_lost(st);
}

/* What a statement is called on the server. */
static void name_call(const struct ves_pg_call *q, char name[16])
{
    snprintf(name, 16, "ves%d", (int)q->id);
}

static bool is_on_its_way(const struct ves_pg_call *q)
{
    for (unsigned i = 0; i < q->st->queued; i++)
        if (q->st->queue[i] == q->id)
            return true;
    return q->st->is_prepared[q->id];
}

static bool send_prepare(struct ves_pg_call *q, const char *name)
{
    struct ves_pg *st = q->st;
    Oid types[VES_PG_PARAMS_MAX];

    if (is_on_its_way(q))
        return true;
    for (size_t i = 0; i < q->params; i++)
        types[i] = type_of(q->types[i]);
    if (!PQsendPrepare(st->conn, name, q->text, (int)q->params, types))
        return false;
    st->queue[st->queued++] = (uint8_t)q->id;
    return true;
}

static bool send_call(struct ves_pg_call *q)
{
    struct ves_pg *st = q->st;
    const char *values[VES_PG_PARAMS_MAX];
    int lengths[VES_PG_PARAMS_MAX], formats[VES_PG_PARAMS_MAX];
    char name[16];

    name_call(q, name);
    if (!send_prepare(q, name))
        return false;
    for (size_t i = 0; i < q->params; i++) {
        const struct ves_buf *buf = &st->params[i];

        values[i] = q->is_null[i] ? NULL
                    : buf->len    ? (const char *)buf->ptr
                                  : "";
        lengths[i] = (int)buf->len;
        formats[i] = 1;
    }
    if (!PQsendQueryPrepared(st->conn, name, (int)q->params, values, lengths,
                             formats, 1))
        return false;
    st->queue[st->queued++] = q->is_counted ? VES_PG_COUNTED
                              : q->is_ends  ? VES_PG_ENDS
                                            : VES_PG_IDS;
    return true;
}

static enum ves_status send(struct ves_pg_call *q)
{
    struct ves_pg *st = q->st;
    enum ves_status status = finish_params(q);

    _Static_assert(VES_PG_ENDS < UINT8_MAX, "ids fit the queue");
    if (!status && st->is_in && st->is_failed)
        return ves_fail(&st->store.error, VES_IO,
                        "An earlier step of this transaction failed. Nothing "
                        "of it will be stored. Roll it back and try again.");
    /* Room for the statement, what prepares it, and a COMMIT. */
    if (!status && st->queued + 3 >= VES_PG_QUEUE_MAX)
        status = ves_pg_settle(st, NULL);
    if (!status && (!st->conn || !send_call(q)))
        status = lost(st);
    return status;
}

enum ves_status ves_pg_send(struct ves_pg_call *q)
{
    VES_ASSERT(q->st->is_in);
    return send(q);
}

/* Outside a transaction nothing was done that cannot be done again. */
static enum ves_status ask_alone(struct ves_pg_call *q)
{
    enum ves_status status = ves_pg_connect(q->st);

    if (!status)
        status = send(q);
    if (!status)
        status = ves_pg_settle(q->st, &q->result);
    if (!status || q->st->conn)
        return status;
    status = ves_pg_connect(q->st);
    if (!status)
        status = send(q);
    return status ? status : ves_pg_settle(q->st, &q->result);
}

enum ves_status ves_pg_ask(struct ves_pg_call *q)
{
    struct ves_pg *st = q->st;

    if (!st->is_in && !st->is_reading)
        return q->status = ask_alone(q);
    q->status = send(q);
    if (!q->status)
        q->status = ves_pg_settle(st, &q->result);
    return q->status;
}

enum ves_status ves_pg_run(struct ves_pg_call *q, uint64_t *changed)
{
    VES_ASSERT(q->st->is_in);
    enum ves_status status = ves_pg_ask(q);
    if (!status && changed)
        *changed = strtoull(PQcmdTuples(q->result), NULL, 10);
    ves_pg_close(q);
    return status;
}

void ves_pg_close(struct ves_pg_call *q)
{
    if (q->result && !q->is_borrowed)
        PQclear(q->result);
    q->result = NULL;
}

/* ---- rows -----------------------------------------------------------------
 */

bool ves_pg_next(struct ves_pg_call *q)
{
    if (q->status || !q->result || q->row + 1 >= PQntuples(q->result))
        return false;
    q->row++;
    q->column = -1;
    return true;
}

enum ves_status ves_pg_ask_row(struct ves_pg_call *q)
{
    enum ves_status status = ves_pg_ask(q);

    if (!status && !ves_pg_next(q))
        status = VES_NOT_FOUND;
    if (status)
        ves_pg_close(q);
    return status;
}

enum ves_status ves_pg_ask_u64(struct ves_pg_call *q, uint64_t *value)
{
    enum ves_status status = ves_pg_ask_row(q);

    if (status)
        return status;
    *value = ves_pg_u64(q);
    status = ves_pg_check(q);
    ves_pg_close(q);
    return status;
}

static void note_corrupt(struct ves_pg_call *q)
{
    if (q->status)
        return;
    q->st->is_failed = q->st->is_in;
    q->status = ves_fail(&q->st->store.error, VES_CORRUPT,
                         "A row of the store holds what this program never "
                         "wrote (column %s). Nothing was changed. Keep the "
                         "database and restore a backup.",
                         PQfname(q->result, q->column));
}

static bool is_null(struct ves_pg_call *q)
{
    return PQgetisnull(q->result, q->row, q->column);
}

static struct ves_bytes value(struct ves_pg_call *q)
{
    q->column++;
    VES_ASSERT(q->column < PQnfields(q->result));
    return ves_bytes(PQgetvalue(q->result, q->row, q->column),
                     (size_t)PQgetlength(q->result, q->row, q->column));
}

int64_t ves_pg_i64(struct ves_pg_call *q)
{
    struct ves_bytes bytes = value(q);

    if (is_null(q))
        return 0;
    if (bytes.len != 8) {
        note_corrupt(q);
        return 0;
    }
    return (int64_t)ves_load_u64(bytes.ptr);
}

uint64_t ves_pg_u64(struct ves_pg_call *q)
{
    return (uint64_t)ves_pg_i64(q);
}

uint32_t ves_pg_u32(struct ves_pg_call *q)
{
    int64_t number = ves_pg_i64(q);

    if (number < 0 || number > UINT32_MAX) {
        note_corrupt(q);
        return 0;
    }
    return (uint32_t)number;
}

bool ves_pg_bool(struct ves_pg_call *q)
{
    struct ves_bytes bytes = value(q);

    if (bytes.len != 1 && !is_null(q))
        note_corrupt(q);
    return bytes.len == 1 && bytes.ptr[0];
}

struct ves_bytes ves_pg_bytes(struct ves_pg_call *q)
{
    return value(q);
}

bool ves_pg_fixed(struct ves_pg_call *q, void *out, size_t len)
{
    struct ves_bytes bytes = value(q);

    memset(out, 0, len);
    if (is_null(q))
        return false;
    if (bytes.len != len) {
        note_corrupt(q);
        return false;
    }
    memcpy(out, bytes.ptr, len);
    return true;
}

bool ves_pg_word(struct ves_pg_call *q, const char *const *words, size_t count,
                 uint32_t *out)
{
    struct ves_bytes word = value(q);

    *out = 0;
    if (is_null(q))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        if (ves_bytes_is(word, words[i])) {
            *out = i;
            return true;
        }
    }
    note_corrupt(q);
    return false;
}

enum ves_status ves_pg_check(struct ves_pg_call *q)
{
    return q->status;
}

/* ---- many rows ------------------------------------------------------------
 */

static uint64_t at_most(uint64_t rows, uint64_t max)
{
    return rows < max ? rows : max;
}

enum ves_status ves_pg_scan_begin(struct ves_pg *st, struct ves_pg_scan *scan,
                                  uint32_t limit)
{
    *scan = (struct ves_pg_scan){.left = limit ? limit : UINT64_MAX};
    scan->rows = at_most(scan->left, VES_PG_PAGE_ROWS);
    if (scan->rows == scan->left || st->is_in || st->is_reading)
        return VES_OK;
    scan->is_own_read = true;
    return st->store.ops->begin_read(&st->store);
}

bool ves_pg_scan_more(struct ves_pg_scan *scan)
{
    uint64_t size = scan->got ? scan->bytes / scan->got + 1 : 1;

    scan->left -= scan->got;
    if (scan->got < scan->rows || scan->left == 0)
        return false;
    scan->rows = at_most(scan->left, at_most(VES_PG_PAGE_BYTES / size + 1,
                                             VES_PG_PAGE_ROWS_MAX));
    scan->got = scan->bytes = 0;
    return true;
}

void ves_pg_scan_end(struct ves_pg *st, struct ves_pg_scan *scan)
{
    if (scan->is_own_read)
        st->store.ops->end_read(&st->store);
}
