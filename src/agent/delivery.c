/* delivery.c -- a note of one fixed size, written at once and over the last. */
#include "agent/delivery.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/words.h"
#include "base/buf.h"
#include "os/file.h"

enum {
    NOTE_SIZE = 4096, /* why takes six bytes a byte in JSON, at worst */
    LOOKS = 3         /* a note may be read while it is written */
};

void ves_delivery_note(const char *path, const struct ves_alloc *alloc, int *fd,
                       const struct ves_delivery *delivery)
{
    char note[NOTE_SIZE];

    if (*fd < 0 && ves_file_lock(path, fd, NULL))
        return;
    struct ves_jw *jw = ves_jw_new(alloc, sizeof(note) - 1);
    if (!jw)
        return;
    ves_jw_object(jw);
    ves_jw_member_bool(jw, "live", delivery->is_live);
    ves_jw_member_u64(jw, "since", (uint64_t)delivery->since_ms);
    ves_jw_member_u64(jw, "head", delivery->head);
    ves_jw_member_u64(jw, "at", (uint64_t)delivery->head_ms);
    ves_jw_member_str(jw, "why", delivery->why);
    ves_jw_end(jw);
    struct ves_bytes text = ves_jw_view(jw);
    if (!ves_jw_status(jw)) {
        memset(note, ' ', sizeof(note));
        memcpy(note, text.ptr, text.len);
        note[sizeof(note) - 1] = '\n';
        /* A disk that takes nothing costs the note only. */
        ssize_t n = pwrite(*fd, note, sizeof(note), 0);
        (void)n;
    }
    ves_jw_free(jw);
}

void ves_delivery_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool read_once(const char *path, const struct ves_alloc *alloc,
                      struct ves_delivery *out)
{
    struct ves_buf text;

    ves_buf_init(&text, alloc, NOTE_SIZE);
    bool is_read = !ves_file_read(path, &text, NULL);
    struct ves_jr *jr = is_read ? ves_jr_new(alloc, ves_buf_view(&text)) : NULL;
    ves_buf_free(&text);
    if (!jr)
        return false;
    uint64_t since_ms = ves_jr_u64(jr, "/since"), at_ms = ves_jr_u64(jr, "/at");
    if (since_ms > 0) {
        out->is_live = ves_jr_bool(jr, "/live");
        out->since_ms = (int64_t)since_ms;
        out->head = ves_jr_u64(jr, "/head");
        out->head_ms = (int64_t)at_ms;
        snprintf(out->why, sizeof(out->why), "%s", ves_jr_str(jr, "/why"));
    }
    ves_jr_free(jr);
    return since_ms > 0;
}

void ves_delivery_read(const char *path, const struct ves_alloc *alloc,
                       struct ves_delivery *out, bool *is_followed)
{
    memset(out, 0, sizeof(*out));
    *is_followed = ves_file_is_locked(path);
    for (int i = 0; i < LOOKS && !read_once(path, alloc, out); i++)
        continue;
}

void ves_delivery_put(struct ves_jw *jw, const char *path,
                      const struct ves_alloc *alloc)
{
    struct ves_delivery now;
    bool is_followed;

    ves_delivery_read(path, alloc, &now, &is_followed);
    ves_jw_key(jw, "delivery");
    ves_jw_object(jw);
    ves_jw_member_str(jw, "mode",
                      !is_followed  ? "none"
                      : now.is_live ? "stream"
                                    : "polling");
    ves_jw_member_time(jw, "since", is_followed ? now.since_ms : 0);
    ves_jw_member_str(jw, "why", is_followed && !now.is_live ? now.why : NULL);
    ves_jw_member_u64(jw, "toldUpTo", now.head);
    ves_jw_member_time(jw, "toldAt", now.head_ms);
    ves_jw_end(jw);
}
