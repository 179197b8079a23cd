/* tlog_proof.c -- one entry's proof as a file (C2SP tlog-proof). */
#include "core/tlog_proof.h"

#include "base/error.h"
#include "base/text.h"
#include "core/lines.h"

static const char first_line[] = "c2sp.org/tlog-proof@v1";

enum ves_status ves_tlog_proof_read(struct ves_bytes bytes,
                                    struct ves_tlog_proof *out,
                                    struct ves_error *error)
{
    size_t len;

    if (bytes.len > VES_TLOG_PROOF_MAX)
        return ves_fail(error, VES_LIMIT,
                        "a proof has at most %d bytes, this one %zu",
                        (int)VES_TLOG_PROOF_MAX, bytes.len);
    if (!ves_line_take_text(&bytes, first_line))
        return ves_fail(error, VES_MALFORMED,
                        "the first line of a proof is \"%s\"", first_line);
    out->has_extra = ves_line_take_value(&bytes, "extra", &out->extra);
    if (out->has_extra && !ves_b64_is_valid(out->extra, &len))
        return ves_fail(error, VES_MALFORMED,
                        "what follows \"extra\" in a proof is not base64");
    if (!ves_line_take_number(&bytes, "index", &out->index))
        return ves_fail(error, VES_MALFORMED,
                        "a proof needs a line \"index N\", N a decimal");
    if (!ves_line_take_path(&bytes, VES_TLOG_INCLUSION_MAX, &out->path))
        return ves_fail(error, VES_LIMIT, "a proof has at most %d hashes",
                        (int)VES_TLOG_INCLUSION_MAX);
    if (!ves_line_take_text(&bytes, ""))
        return ves_fail(error, VES_MALFORMED,
                        "an empty line must follow the hashes of a proof, each "
                        "44 characters of base64");
    if (bytes.len == 0)
        return ves_fail(error, VES_MALFORMED, "the proof has no checkpoint");
    out->note = bytes;
    return VES_OK;
}

void ves_tlog_proof_write(struct ves_buf *buf, const struct ves_bytes *extra,
                          uint64_t index, const struct ves_tlog_path *path,
                          struct ves_bytes note)
{
    ves_buf_put_str(buf, first_line);
    ves_buf_put_u8(buf, '\n');
    if (extra) {
        ves_buf_put_str(buf, "extra ");
        ves_line_put_b64(buf, extra->ptr, extra->len);
        ves_buf_put_u8(buf, '\n');
    }
    ves_buf_put_str(buf, "index ");
    ves_buf_put_decimal(buf, index);
    ves_buf_put_u8(buf, '\n');
    ves_line_put_path(buf, path);
    ves_buf_put_u8(buf, '\n');
    ves_buf_put_bytes(buf, note);
}
