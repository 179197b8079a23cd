/* audit_picture.c -- an audit's report as one SVG picture.
 *
 * Each stream is a strip over its time: above, bars of events; below, a lane
 * for each of its busiest agents, darker where it was busier.  Checkpoints are
 * marks under the bars, findings red lines at the time of their events.
 */
#include "audit_picture.h"

#include <string.h>

#include "cli.h"

enum {
    BUCKETS = 120,
    LEFT = 210,
    BAR = 7,
    WIDTH = LEFT + BUCKETS * BAR + 30,
    TOP = 70, /* above the first strip */
    BARS = 120,
    LANE = 18,
    LANES_MAX = 12,
    GAP = 70,
    MARKS_MAX = 500 /* a stream */
};

/* Ids and words are others' text. */
static void put_text(FILE *out, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", out);
            break;
        case '>':
            fputs("&gt;", out);
            break;
        case '&':
            fputs("&amp;", out);
            break;
        case '"':
            fputs("&quot;", out);
            break;
        default:
            /* Controls may not stand in XML at all. */
            fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
        }
    }
}

static size_t lanes_of(struct ves_jr *jr, size_t stream)
{
    size_t agents = ves_jr_count(jr, "/streams/%zu/agents", stream);
    return agents < LANES_MAX ? agents : LANES_MAX;
}

static size_t height_of(struct ves_jr *jr, size_t stream)
{
    return BARS + 30 + lanes_of(jr, stream) * LANE + GAP;
}

static void put_bars(FILE *out, struct ves_jr *jr, size_t stream, size_t y)
{
    uint64_t most = 1;

    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = ves_jr_u64(jr, "/streams/%zu/volume/%zu", stream, i);
        most = n > most ? n : most;
    }
    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = ves_jr_u64(jr, "/streams/%zu/volume/%zu", stream, i);
        double high = (double)n / (double)most * BARS;
        if (n > 0)
            fprintf(out,
                    "<rect x=\"%zu\" y=\"%.1f\" width=\"%d\" height=\"%.1f\" "
                    "class=\"bar\"><title>%llu events</title></rect>\n",
                    LEFT + i * BAR, (double)(y + BARS) - high, BAR - 1, high,
                    (unsigned long long)n);
    }
    fprintf(out,
            "<line x1=\"%d\" y1=\"%zu\" x2=\"%d\" y2=\"%zu\" class=\"axis\"/>\n"
            "<text x=\"%d\" y=\"%zu\" class=\"small end\">%llu</text>\n",
            LEFT, y + BARS, LEFT + BUCKETS * BAR, y + BARS, LEFT - 6, y + 10,
            (unsigned long long)most);
}

/* The lanes are those of the agents with most events. */
static bool is_busier(struct ves_jr *jr, size_t stream, size_t a, size_t b)
{
    uint64_t x = ves_jr_u64(jr, "/streams/%zu/agents/%zu/events", stream, a);
    uint64_t y = ves_jr_u64(jr, "/streams/%zu/agents/%zu/events", stream, b);
    return x != y ? x > y : a < b;
}

static void put_lane(FILE *out, struct ves_jr *jr, size_t stream, size_t agent,
                     size_t y)
{
    uint64_t most = 1;

    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = ves_jr_u64(jr, "/streams/%zu/agents/%zu/volume/%zu",
                                stream, agent, i);
        most = n > most ? n : most;
    }
    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"small end\">", LEFT - 6,
            y + 12);
    put_text(out,
             ves_jr_str(jr, "/streams/%zu/agents/%zu/agentId", stream, agent));
    fputs("</text>\n", out);
    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = ves_jr_u64(jr, "/streams/%zu/agents/%zu/volume/%zu",
                                stream, agent, i);
        if (n > 0)
            fprintf(out,
                    "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" "
                    "class=\"lane\" fill-opacity=\"%.2f\"><title>%llu "
                    "events</title></rect>\n",
                    LEFT + i * BAR, y, BAR - 1, LANE - 4,
                    0.25 + 0.75 * (double)n / (double)most,
                    (unsigned long long)n);
    }
    uint64_t missing =
        ves_jr_u64(jr, "/streams/%zu/agents/%zu/missingTotal", stream, agent);
    if (missing > 0)
        fprintf(out,
                "<text x=\"%d\" y=\"%zu\" class=\"small hole\">-%llu<title>"
                "%llu numbers of its chain are not in the log</title></text>\n",
                LEFT + BUCKETS * BAR + 2, y + 12, (unsigned long long)missing,
                (unsigned long long)missing);
}

static void put_lanes(FILE *out, struct ves_jr *jr, size_t stream, size_t y)
{
    size_t agents = ves_jr_count(jr, "/streams/%zu/agents", stream);
    size_t chosen[LANES_MAX], count = 0;

    for (size_t a = 0; a < agents; a++) {
        size_t at = count < LANES_MAX ? count++ : LANES_MAX;
        if (at == LANES_MAX) {
            if (!is_busier(jr, stream, a, chosen[LANES_MAX - 1]))
                continue;
            at = LANES_MAX - 1;
        }
        for (; at > 0 && is_busier(jr, stream, a, chosen[at - 1]); at--)
            chosen[at] = chosen[at - 1];
        chosen[at] = a;
    }
    for (size_t i = 0; i < count; i++)
        put_lane(out, jr, stream, chosen[i], y + i * LANE);
    if (agents > count)
        fprintf(out,
                "<text x=\"%d\" y=\"%zu\" class=\"small\">and %zu agents "
                "more</text>\n",
                LEFT, y + count * LANE + 12, agents - count);
}

static void put_mark(FILE *out, double x, size_t y, const char *what,
                     uint64_t number)
{
    fprintf(out,
            "<path d=\"M%.1f %zu l-4 8 h8 z\" class=\"mark\"><title>%s "
            "%llu</title></path>\n",
            x, y + 2, what, (unsigned long long)number);
}

/* Where a time lies on the strip. */
static double place_of(double at, double first, double last)
{
    double part = last > first ? (at - first) / (last - first) : 0;

    part = part < 0 ? 0 : part > 1 ? 1 : part;
    return LEFT + part * BUCKETS * BAR;
}

static void put_checkpoints(FILE *out, struct ves_jr *jr, size_t stream,
                            size_t y)
{
    double first = (double)ves_jr_u64(jr, "/streams/%zu/firstMs", stream);
    double last = (double)ves_jr_u64(jr, "/streams/%zu/lastMs", stream);
    size_t count = ves_jr_count(jr, "/streams/%zu/commitments", stream);
    size_t step = count / MARKS_MAX + 1;

    for (size_t i = 0; i < count; i += step) {
        double at = (double)ves_jr_u64(jr, "/streams/%zu/commitments/%zu/atMs",
                                       stream, i);
        put_mark(out, place_of(at, first, last), y, "committed up to",
                 ves_jr_u64(jr, "/streams/%zu/commitments/%zu/sequenceEnd",
                            stream, i));
    }
    if (ves_jr_has(jr, "/streams/%zu/checkpoint/size", stream))
        put_mark(out,
                 place_of((double)ves_jr_u64(jr, "/streams/%zu/checkpoint/atMs",
                                             stream),
                          first, last),
                 y, "signed tree of",
                 ves_jr_u64(jr, "/streams/%zu/checkpoint/size", stream));
}

/* In which bucket the event with that number lies: as many are before it. */
static size_t bucket_of(struct ves_jr *jr, size_t stream, uint64_t sequence)
{
    uint64_t passed = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        passed += ves_jr_u64(jr, "/streams/%zu/volume/%zu", stream, i);
        if (passed >= sequence)
            return i;
    }
    return BUCKETS - 1;
}

/* A report does not say which of several streams a finding is of. */
static void put_findings(FILE *out, struct ves_jr *jr, size_t stream, size_t y,
                         size_t bottom)
{
    size_t count = ves_jr_count(jr, "/findings");

    for (size_t i = 0; i < count && i < MARKS_MAX; i++) {
        uint64_t sequence = ves_jr_u64(jr, "/findings/%zu/sequenceNumber", i);
        if (sequence == 0)
            continue;
        size_t x = LEFT + bucket_of(jr, stream, sequence) * BAR + BAR / 2;
        fprintf(out,
                "<line x1=\"%zu\" y1=\"%zu\" x2=\"%zu\" y2=\"%zu\" "
                "class=\"finding\"><title>%llu: ",
                x, y, x, bottom, (unsigned long long)sequence);
        put_text(out, ves_jr_str(jr, "/findings/%zu/check", i));
        fputs(": ", out);
        put_text(out, ves_jr_str(jr, "/findings/%zu/text", i));
        fputs("</title></line>\n", out);
    }
}

static void put_strip(FILE *out, struct ves_jr *jr, size_t stream, size_t y)
{
    size_t lanes = y + BARS + 30;
    size_t bottom = lanes + lanes_of(jr, stream) * LANE;

    fprintf(out, "<text x=\"20\" y=\"%zu\">", y - 8);
    put_text(out, ves_jr_str(jr, "/streams/%zu/tenantId", stream));
    fputs(" / ", out);
    put_text(out, ves_jr_str(jr, "/streams/%zu/storeId", stream));
    fprintf(out, ": %llu events</text>\n",
            (unsigned long long)ves_jr_u64(jr, "/streams/%zu/events", stream));
    put_bars(out, jr, stream, y);
    put_checkpoints(out, jr, stream, y + BARS);
    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"small\">", LEFT,
            y + BARS + 22);
    put_text(out, ves_jr_str(jr, "/streams/%zu/firstAt", stream));
    fprintf(out, "</text><text x=\"%d\" y=\"%zu\" class=\"small end\">",
            LEFT + BUCKETS * BAR, y + BARS + 22);
    put_text(out, ves_jr_str(jr, "/streams/%zu/lastAt", stream));
    fputs("</text>\n", out);
    put_lanes(out, jr, stream, lanes);
    if (ves_jr_count(jr, "/streams") == 1)
        put_findings(out, jr, stream, y, bottom);
}

void audit_picture(FILE *out, struct ves_jr *jr)
{
    size_t streams = ves_jr_count(jr, "/streams"), height = TOP, y = TOP;

    for (size_t i = 0; i < streams; i++)
        height += height_of(jr, i);
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
            "height=\"%zu\" viewBox=\"0 0 %d %zu\" font-family=\"sans-serif\" "
            "font-size=\"13\">\n"
            "<style>.bar{fill:#3b6ea5}.lane{fill:#2a7f62}.mark{fill:#8a5a00}"
            ".finding{stroke:#c00000;stroke-width:2}.axis{stroke:#555}"
            ".small{font-size:10px;fill:#333}.end{text-anchor:end}"
            ".hole{fill:#c00000}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"20\" y=\"28\" font-size=\"17\">",
            WIDTH, height, WIDTH, height);
    put_text(out, ves_jr_str(jr, "/path"));
    fputs(": ", out);
    put_text(out, ves_jr_str(jr, "/verdict"));
    fprintf(out, ", %llu findings</text>\n",
            (unsigned long long)ves_jr_u64(jr, "/findingsTotal"));
    for (size_t i = 0; i < streams; i++) {
        put_strip(out, jr, i, y);
        y += height_of(jr, i);
    }
    fputs("</svg>\n", out);
}
