/* judge_scan.c -- what the judge gathers from the log about one event. */
#include "core/judge_scan.h"

#include "base/bytes.h"

/* ---- lists --------------------------------------------------------------- */

/* Room for one more of size bytes each in a list that grows in an arena. */
static void *grow(struct ves_arena *arena, void *old, size_t count, size_t *cap,
                  size_t size)
{
    if (count < *cap)
        return old;
    size_t new_cap = *cap > 0 ? *cap * 2 : 8;
    void *list = ves_arena_alloc(arena, new_cap * size);
    if (!list)
        return NULL;
    if (count > 0)
        memcpy(list, old, count * size);
    *cap = new_cap;
    return list;
}

enum ves_status ves_hash_list_add(struct ves_hash_list *list,
                                  struct ves_arena *arena,
                                  const struct ves_hash *hash)
{
    struct ves_hash *room = grow(arena, list->hashes.list, list->hashes.count,
                                 &list->cap, sizeof(*room));
    if (!room)
        return VES_NOMEM;
    list->hashes.list = room;
    room[list->hashes.count++] = *hash;
    return VES_OK;
}

/* One pass of a merge sort: runs of width in from become runs of twice that
 * in to. */
static void merge_runs(const struct ves_hash *from, struct ves_hash *to,
                       size_t count, size_t width)
{
    for (size_t start = 0; start < count; start += 2 * width) {
        size_t middle = start + width < count ? start + width : count;
        size_t end = middle + width < count ? middle + width : count;
        size_t a = start, b = middle;
        for (size_t i = start; i < end; i++) {
            bool is_left =
                a < middle &&
                (b == end || memcmp(from[a].b, from[b].b, VES_HASH_SIZE) <= 0);
            to[i] = is_left ? from[a++] : from[b++];
        }
    }
}

enum ves_status ves_hash_list_sort(struct ves_hash_list *list,
                                   struct ves_arena *arena)
{
    size_t count = list->hashes.count;
    struct ves_hash *from = list->hashes.list;

    if (count < 2)
        return VES_OK;
    struct ves_hash *to = ves_arena_alloc(arena, count * sizeof(*to));
    if (!to)
        return VES_NOMEM;
    for (size_t width = 1; width < count; width *= 2) {
        merge_runs(from, to, count, width);
        struct ves_hash *swap = from;
        from = to;
        to = swap;
    }
    size_t kept = 1;
    for (size_t i = 1; i < count; i++) {
        if (!ves_hash_equal(&from[i], &from[kept - 1]))
            from[kept++] = from[i];
    }
    list->hashes.list = from;
    list->hashes.count = kept;
    list->cap = count;
    return VES_OK;
}

void ves_hash_list_reverse(struct ves_hash_list *list)
{
    struct ves_hash *hashes = list->hashes.list;
    for (size_t i = 0, k = list->hashes.count; i + 1 < k; i++) {
        struct ves_hash swap = hashes[i];
        hashes[i] = hashes[--k];
        hashes[k] = swap;
    }
}

/* ---- Own(y) -------------------------------------------------------------- */

bool ves_judge_is_own(const struct ves_judge_subject *subject,
                      const struct ves_uuid *agent, uint64_t agent_seq,
                      uint64_t sequence)
{
    return subject->has_context && agent_seq > 0 &&
           ves_uuid_equal(agent, &subject->agent) &&
           agent_seq < subject->agent_seq && subject->seen < sequence &&
           sequence < subject->sequence;
}

struct ves_judge_scan ves_judge_scan_of(const struct ves_judge_view *view,
                                        struct ves_arena *arena,
                                        const struct ves_judge_subject *subject)
{
    return (struct ves_judge_scan){.view = view,
                                   .arena = arena,
                                   .subject = subject,
                                   .has_effects = subject->has_effects,
                                   .effects = subject->effects,
                                   .is_delta = subject->is_delta,
                                   .tombstone = subject->tombstone};
}

enum ves_status ves_judge_effects(const struct ves_judge_view *view,
                                  struct ves_arena *arena,
                                  const struct ves_judge_subject *subject,
                                  struct ves_effects *out)
{
    if (!subject->has_effects)
        return view->effects(view->ctx, subject, arena, out);
    *out = subject->effects;
    return VES_OK;
}

enum ves_status ves_judge_scan_entity(struct ves_judge_scan *scan)
{
    memset(&scan->entity, 0, sizeof(scan->entity));
    return scan->view->entity(scan->view->ctx, &scan->subject->entity_key,
                              &scan->entity);
}

struct own_visit {
    struct ves_judge_scan *scan;
    enum ves_status status;
};

static bool visit_own(void *ctx, const struct ves_judge_known *known)
{
    struct own_visit *visit = ctx;
    struct ves_judge_scan *scan = visit->scan;
    struct ves_judge_own *own = &scan->own;

    if (!ves_judge_is_own(scan->subject, &scan->subject->agent,
                          known->agent_seq, known->sequence))
        return true;
    struct ves_judge_known *room =
        grow(scan->arena, own->list, own->count, &own->cap, sizeof(*room));
    if (!room) {
        visit->status = VES_NOMEM;
        return false;
    }
    own->list = room;
    /* Newest first is the usual order, and then nothing moves: the list is
     * kept descending and turned round at the end. */
    size_t at = own->count++;
    while (at > 0 && (room[at - 1].agent_seq < known->agent_seq ||
                      (room[at - 1].agent_seq == known->agent_seq &&
                       room[at - 1].sequence < known->sequence))) {
        room[at] = room[at - 1];
        at--;
    }
    room[at] = *known;
    return true;
}

enum ves_status ves_judge_scan_own(struct ves_judge_scan *scan)
{
    const struct ves_judge_subject *subject = scan->subject;
    struct own_visit visit = {scan, VES_OK};

    if (!subject->has_context || scan->entity.last <= subject->seen)
        return VES_OK;
    enum ves_status status =
        scan->view->own(scan->view->ctx, &subject->entity_key, &subject->agent,
                        subject->seen, subject->sequence, visit_own, &visit);
    if (!status)
        status = visit.status;
    struct ves_judge_known *list = scan->own.list;
    for (size_t i = 0, k = scan->own.count; i + 1 < k; i++) {
        struct ves_judge_known swap = list[i];
        list[i] = list[--k];
        list[k] = swap;
    }
    return status;
}

/* ---- C(y) ---------------------------------------------------------------- */

struct applied_visit {
    struct ves_judge_scan *scan;
    uint64_t version; /* of the event about to be visited */
    enum ves_status status;
};

static bool is_line(struct ves_bytes path)
{
    static const char lines[] = "/lines";
    size_t len = sizeof(lines) - 1;
    return path.len >= len && memcmp(path.ptr, lines, len) == 0 &&
           (path.len == len || path.ptr[len] == '/');
}

static bool moves_status(enum ves_op op)
{
    return op == VES_OP_TRANSITION || op == VES_OP_ADVANCE;
}

static void note_meeting(struct ves_judge_scan *scan,
                         const struct ves_effect *a, const struct ves_effect *b)
{
    if (ves_bytes_is(a->path, VES_PATH_WHOLE) ||
        ves_bytes_is(b->path, VES_PATH_WHOLE) || !ves_effect_overlaps(a, b))
        return;
    if (a->op == VES_OP_CREATE && b->op == VES_OP_CREATE)
        scan->meets_birth = true;
    if (moves_status(a->op) || moves_status(b->op))
        scan->meets_transition = true;
    if (is_line(a->path))
        scan->meets_line = true;
}

static enum ves_status add_hit(struct ves_judge_scan *scan,
                               const struct ves_judge_applied *applied)
{
    for (size_t i = 0; i < scan->effects.count; i++) {
        for (size_t k = 0; k < applied->effects.count; k++)
            note_meeting(scan, &scan->effects.list[i],
                         &applied->effects.list[k]);
    }
    enum ves_status status =
        ves_hash_list_add(&scan->hits, scan->arena, &applied->hash);
    if (!status && applied->is_fact)
        status =
            ves_hash_list_add(&scan->fact_hits, scan->arena, &applied->hash);
    return status;
}

static bool visit_concurrent(void *ctx, const struct ves_judge_applied *applied)
{
    struct applied_visit *visit = ctx;
    struct ves_judge_scan *scan = visit->scan;

    if (applied->applied_at <= scan->subject->seen) {
        scan->has_known_head = true;
        scan->known_head = applied->hash;
        return false;
    }
    visit->version--;
    if (ves_judge_is_own(scan->subject, &applied->agent, applied->agent_seq,
                         applied->sequence))
        return true;
    visit->status =
        ves_hash_list_add(&scan->concurrent, scan->arena, &applied->hash);
    if (!visit->status && !ves_commutes(applied->effects, scan->effects))
        visit->status = add_hit(scan, applied);
    return visit->status == VES_OK;
}

enum ves_status ves_judge_scan_concurrent(struct ves_judge_scan *scan)
{
    const struct ves_judge_entity *entity = &scan->entity;
    struct applied_visit visit = {scan, entity->version, VES_OK};

    if (entity->version == 0 ||
        entity->head_applied_at <= scan->subject->seen) {
        scan->known_version = entity->version;
        scan->has_known_head = entity->version > 0;
        scan->known_head = entity->head;
        return VES_OK;
    }
    enum ves_status status = VES_OK;
    if (!scan->has_effects)
        status = ves_judge_effects(scan->view, scan->arena, scan->subject,
                                   &scan->effects);
    scan->has_effects = true;
    if (!status)
        status =
            scan->view->applied(scan->view->ctx, &scan->subject->entity_key,
                                visit_concurrent, &visit);
    if (!status)
        status = visit.status;
    scan->known_version = visit.version;
    ves_hash_list_reverse(&scan->concurrent);
    ves_hash_list_reverse(&scan->hits);
    ves_hash_list_reverse(&scan->fact_hits);
    return status;
}

/* ---- past(y) above the base ---------------------------------------------- */

struct stale_visit {
    struct ves_judge_scan *scan;
    struct ves_hash_list *list;
    bool *has_fact;
    uint64_t version;
    enum ves_status status;
};

static bool visit_stale(void *ctx, const struct ves_judge_applied *applied)
{
    struct stale_visit *visit = ctx;
    uint64_t version = visit->version--;

    if (version > visit->scan->known_version)
        return true;
    if (version <= visit->scan->subject->base_version)
        return false;
    *visit->has_fact = *visit->has_fact || applied->is_fact;
    visit->status =
        ves_hash_list_add(visit->list, visit->scan->arena, &applied->hash);
    return visit->status == VES_OK;
}

enum ves_status ves_judge_scan_stale(struct ves_judge_scan *scan,
                                     struct ves_hash_list *list, bool *has_fact)
{
    uint64_t base = scan->subject->base_version;
    enum ves_status status = VES_OK;
    size_t first = 0;

    if (base < scan->known_version) {
        struct stale_visit visit = {scan, list, has_fact, scan->entity.version,
                                    VES_OK};
        status = scan->view->applied(
            scan->view->ctx, &scan->subject->entity_key, visit_stale, &visit);
        if (!status)
            status = visit.status;
    } else {
        first = (size_t)(base - scan->known_version);
    }
    for (size_t i = first; i < scan->own.count && !status; i++) {
        const struct ves_judge_known *known = &scan->own.list[i];
        if (known->verdict != VES_VERDICT_APPLIED)
            continue;
        *has_fact = *has_fact || known->is_fact;
        status = ves_hash_list_add(list, scan->arena, &known->hash);
    }
    return status;
}
