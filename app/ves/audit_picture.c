/* audit_picture.c -- an audit's report as one SVG picture.
 *
 * At the top the verdict and a line for each check.  Each stream is a strip
 * over its time: bars of events, marks for what was committed and signed, a
 * lane for each of its busiest agents, darker where it was busier.  Findings
 * are red lines at the time of their events, and the first of them stand below
 * in words.
 */
#include "audit_picture.h"

#include <string.h>

#include "cli.h"

enum {
    BUCKETS = 120,
    MARGIN = 24,
    LEFT = MARGIN + 250, /* of the strips: ids stand before them */
    BAR = 7,
    RIGHT = LEFT + BUCKETS * BAR,
    WIDTH = RIGHT + 110, /* counts stand behind them */
    CHECKS_TOP = 84,
    CHECK_LINE = 19,
    CHECK_WIDTH = (WIDTH - 2 * MARGIN) / 3,
    BARS = 120,
    ABOVE = 44, /* a strip's names */
    BELOW = 52, /* marks and times */
    LANE = 18,
    LANES_MAX = 12,
    GAP = 26,
    MARKS_MAX = 500, /* a stream */
    TOLD_MAX = 20,   /* findings in words */
    TOLD_LINE = 17,
    TOLD_CHARS = 150, /* that fit on a line */
    NUMBER_TEXT = 32
};

/* Ids and words are others' text.  At most max characters of it. */
static void put_some(FILE *out, const char *text, size_t max)
{
    size_t count = 0;

    for (; *text; text++) {
        /* A character begins where no continuation byte stands. */
        if (((unsigned char)*text & 0xc0) != 0x80 && count++ == max) {
            fputs("\xe2\x80\xa6", out);
            return;
        }
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

static void put_text(FILE *out, const char *text)
{
    put_some(out, text, SIZE_MAX);
}

/* 1234567 as 1,234,567. */
static const char *number(char text[NUMBER_TEXT], uint64_t n)
{
    char digits[NUMBER_TEXT];
    size_t at = 0;
    int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);

    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = '\0';
    return text;
}

/* ---- the top --------------------------------------------------------------
 */

static const char *colour_of(const char *finding)
{
    return strcmp(finding, "PROVEN") == 0 || strcmp(finding, "SOUND") == 0
               ? "good"
           : strcmp(finding, "FAILED") == 0 || strcmp(finding, "WRONG") == 0
               ? "bad"
               : "open";
}

static const char *words_of(const char *verdict)
{
    return strcmp(verdict, "SOUND") == 0 ? "everything was checked and holds"
           : strcmp(verdict, "WRONG") == 0
               ? "do not rely on it"
               : "nothing wrong, but not everything could be checked";
}

static void put_head(FILE *out, struct ves_jr *jr)
{
    const char *verdict = ves_jr_str(jr, "/verdict");
    char findings[NUMBER_TEXT], signatures[NUMBER_TEXT];
    uint64_t total = ves_jr_u64(jr, "/findingsTotal");

    fprintf(out, "<text x=\"%d\" y=\"32\" class=\"title\">Audit of ", MARGIN);
    put_some(out, ves_jr_str(jr, "/path"), 90);
    fprintf(out,
            "</text>\n<rect x=\"%d\" y=\"44\" width=\"104\" height=\"24\" "
            "rx=\"4\" class=\"%s\"/><text x=\"%d\" y=\"61\" "
            "class=\"badge\">%s</text>\n<text x=\"%d\" y=\"61\">%s; ",
            MARGIN, colour_of(verdict), MARGIN + 52, verdict, MARGIN + 116,
            words_of(verdict));
    fprintf(out, "%s finding%s, %s signatures verified in %.1f s</text>\n",
            number(findings, total), total == 1 ? "" : "s",
            number(signatures, ves_jr_u64(jr, "/signatures") +
                                   ves_jr_u64(jr, "/resumedSignatures")),
            (double)ves_jr_u64(jr, "/milliseconds") / 1000);
}

/* What is looked at: three to a row. */
static void put_checks(FILE *out, struct ves_jr *jr)
{
    size_t count = ves_jr_count(jr, "/checks");

    for (size_t i = 0; i < count; i++) {
        const char *finding = ves_jr_str(jr, "/checks/%zu/finding", i);
        uint64_t problems = ves_jr_u64(jr, "/checks/%zu/problems", i);
        size_t x = MARGIN + i % 3 * CHECK_WIDTH;
        size_t y = CHECKS_TOP + i / 3 * CHECK_LINE;
        char text[NUMBER_TEXT];
        fprintf(out,
                "<circle cx=\"%zu\" cy=\"%zu\" r=\"5\" class=\"%s\"/><text "
                "x=\"%zu\" y=\"%zu\" class=\"check\">",
                x + 5, y + 5, colour_of(finding), x + 17, y + 9);
        put_text(out, ves_jr_str(jr, "/checks/%zu/name", i));
        if (problems > 0)
            fprintf(out, ": %s problem%s", number(text, problems),
                    problems == 1 ? "" : "s");
        else
            fprintf(out, ": %s%s",
                    number(text, ves_jr_u64(jr, "/checks/%zu/examined", i)),
                    strcmp(finding, "PROVEN") == 0 ? "" : ", not all proven");
        fputs("<title>", out);
        put_text(out, ves_jr_str(jr, "/checks/%zu/text", i));
        fputs("</title></text>\n", out);
    }
}

static size_t top_of(struct ves_jr *jr)
{
    return CHECKS_TOP + (ves_jr_count(jr, "/checks") + 2) / 3 * CHECK_LINE +
           GAP;
}

/* ---- bars ------------------------------------------------------------------
 */

static size_t lanes_of(struct ves_jr *jr, size_t stream)
{
    size_t agents = ves_jr_count(jr, "/streams/%zu/agents", stream);
    return agents < LANES_MAX ? agents : LANES_MAX;
}

static size_t height_of(struct ves_jr *jr, size_t stream)
{
    size_t more =
        ves_jr_count(jr, "/streams/%zu/agents", stream) > LANES_MAX ? LANE : 0;
    return ABOVE + BARS + BELOW + lanes_of(jr, stream) * LANE + more + GAP;
}

/* How much time a bar is, in words. */
static void put_span(FILE *out, double ms)
{
    static const struct {
        double ms;
        const char *unit;
    } units[] = {{86400000, "days"},
                 {3600000, "hours"},
                 {60000, "minutes"},
                 {1000, "seconds"},
                 {0, "ms"}};
    size_t i = 0;

    while (ms < 2 * units[i].ms)
        i++;
    fprintf(out, "%.3g %s", units[i].ms > 0 ? ms / units[i].ms : ms,
            units[i].unit);
}

static void put_bars(FILE *out, struct ves_jr *jr, size_t stream, size_t y)
{
    double first = (double)ves_jr_u64(jr, "/streams/%zu/firstMs", stream);
    double last = (double)ves_jr_u64(jr, "/streams/%zu/lastMs", stream);
    char text[NUMBER_TEXT];
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
                    "class=\"bar\"><title>%s event%s</title></rect>\n",
                    LEFT + i * BAR, (double)(y + BARS) - high, BAR - 1, high,
                    number(text, n), n == 1 ? "" : "s");
    }
    fprintf(out,
            "<path d=\"M%d %zu H%d M%d %zu h-4 M%d %zu h-4\" "
            "class=\"axis\"/>\n<text x=\"%d\" y=\"%zu\" class=\"small "
            "end\">%s</text><text x=\"%d\" y=\"%zu\" class=\"small "
            "end\">0</text>\n<text x=\"%d\" y=\"%zu\" class=\"small "
            "end\">events, a bar for each</text><text x=\"%d\" y=\"%zu\" "
            "class=\"small end\">",
            LEFT, y + BARS, RIGHT, LEFT, y, LEFT, y + BARS, LEFT - 7, y + 4,
            number(text, most), LEFT - 7, y + BARS + 3, LEFT - 7, y + 54,
            LEFT - 7, y + 67);
    put_span(out, (last - first) / BUCKETS);
    fputs("</text>\n", out);
}

/* ---- lanes -----------------------------------------------------------------
 */

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
    const char *id =
        ves_jr_str(jr, "/streams/%zu/agents/%zu/agentId", stream, agent);
    char text[NUMBER_TEXT];
    uint64_t most = 1;

    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = ves_jr_u64(jr, "/streams/%zu/agents/%zu/volume/%zu",
                                stream, agent, i);
        most = n > most ? n : most;
    }
    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"id end\">", LEFT - 7,
            y + 11);
    if (ves_jr_bool(jr, "/streams/%zu/agents/%zu/isSequencer", stream, agent))
        fputs("the sequencer", out);
    else
        put_text(out, id);
    fputs("<title>", out);
    put_text(out, id);
    fputs("</title></text>\n", out);
    for (size_t i = 0; i < BUCKETS; i++) {
        uint64_t n = ves_jr_u64(jr, "/streams/%zu/agents/%zu/volume/%zu",
                                stream, agent, i);
        if (n > 0)
            fprintf(out,
                    "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" "
                    "class=\"lane\" fill-opacity=\"%.2f\"><title>%s "
                    "event%s</title></rect>\n",
                    LEFT + i * BAR, y, BAR - 1, LANE - 4,
                    0.25 + 0.75 * (double)n / (double)most, number(text, n),
                    n == 1 ? "" : "s");
    }
    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"small\">%s", RIGHT + 7,
            y + 11,
            number(text, ves_jr_u64(jr, "/streams/%zu/agents/%zu/events",
                                    stream, agent)));
    uint64_t missing =
        ves_jr_u64(jr, "/streams/%zu/agents/%zu/missingTotal", stream, agent);
    if (missing > 0)
        fprintf(out,
                "<tspan class=\"hole\"> (%s missing)</tspan><title>numbers of "
                "its chain that are not in the log</title>",
                number(text, missing));
    fputs("</text>\n", out);
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
                "<text x=\"%d\" y=\"%zu\" class=\"small end\">and %zu more "
                "agents</text>\n",
                LEFT - 7, y + count * LANE + 11, agents - count);
}

/* ---- marks -----------------------------------------------------------------
 */

static void put_mark(FILE *out, double x, size_t y, const char *shape,
                     const char *what, uint64_t n)
{
    char text[NUMBER_TEXT];

    fprintf(out,
            "<path d=\"M%.1f %zu %s\" class=\"%s\"><title>%s %s</title>"
            "</path>\n",
            x, y, shape, what[0] == 's' ? "signed" : "mark", what,
            number(text, n));
}

static const char triangle[] = "l-4 8 h8 z";
static const char diamond[] = "l5 5 l-5 5 l-5 -5 z";

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
        put_mark(out, place_of(at, first, last), y + 2, triangle,
                 "committed up to",
                 ves_jr_u64(jr, "/streams/%zu/commitments/%zu/sequenceEnd",
                            stream, i));
    }
    if (ves_jr_has(jr, "/streams/%zu/checkpoint/size", stream))
        put_mark(out,
                 place_of((double)ves_jr_u64(jr, "/streams/%zu/checkpoint/atMs",
                                             stream),
                          first, last),
                 y + 2, diamond, "signed tree of",
                 ves_jr_u64(jr, "/streams/%zu/checkpoint/size", stream));
}

/* What the marks are, in the middle of the line of times. */
static void put_legend(FILE *out, size_t y)
{
    size_t x = LEFT + BUCKETS * BAR / 2 - 150;

    put_mark(out, (double)x, y - 8, triangle, "committed up to", 0);
    fprintf(out, "<text x=\"%zu\" y=\"%zu\" class=\"small\">committed</text>",
            x + 9, y);
    put_mark(out, (double)x + 95, y - 9, diamond, "signed tree of", 0);
    fprintf(out,
            "<text x=\"%zu\" y=\"%zu\" class=\"small\">newest signed head"
            "</text><line x1=\"%zu\" y1=\"%zu\" x2=\"%zu\" y2=\"%zu\" "
            "class=\"finding\"/><text x=\"%zu\" y=\"%zu\" "
            "class=\"small\">finding</text>\n",
            x + 104, y, x + 225, y - 9, x + 225, y + 1, x + 231, y);
}

/* ---- findings --------------------------------------------------------------
 */

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

/* Of this stream, or of the only one there is. */
static bool is_of(struct ves_jr *jr, size_t finding, size_t stream)
{
    const char *name = ves_jr_str(jr, "/findings/%zu/stream", finding);
    const char *slash = strchr(name, '/');

    return slash ? strcmp(slash + 1, ves_jr_str(jr, "/streams/%zu/storeId",
                                                stream)) == 0 &&
                       strncmp(name,
                               ves_jr_str(jr, "/streams/%zu/tenantId", stream),
                               (size_t)(slash - name)) == 0
                 : ves_jr_count(jr, "/streams") == 1;
}

/* One line for a bucket, however many lie in it; not over the times. */
static void put_findings(FILE *out, struct ves_jr *jr, size_t stream, size_t y,
                         size_t bottom)
{
    size_t count = ves_jr_count(jr, "/findings");
    bool is_drawn[BUCKETS] = {false};

    for (size_t i = 0; i < count; i++) {
        uint64_t sequence = ves_jr_u64(jr, "/findings/%zu/sequenceNumber", i);
        if (sequence == 0 || !is_of(jr, i, stream))
            continue;
        size_t bucket = bucket_of(jr, stream, sequence);
        if (is_drawn[bucket])
            continue;
        is_drawn[bucket] = true;
        fprintf(out,
                "<path d=\"M%zu %zu V%zu M%zu %zu V%zu\" "
                "class=\"finding\"><title>%llu: ",
                LEFT + bucket * BAR + BAR / 2, y, y + BARS + 12,
                LEFT + bucket * BAR + BAR / 2, y + BARS + BELOW - 4, bottom,
                (unsigned long long)sequence);
        put_text(out, ves_jr_str(jr, "/findings/%zu/check", i));
        fputs(": ", out);
        put_text(out, ves_jr_str(jr, "/findings/%zu/text", i));
        fputs("</title></path>\n", out);
    }
}

static size_t told_of(struct ves_jr *jr)
{
    size_t count = ves_jr_count(jr, "/findings");
    return count < TOLD_MAX ? count : TOLD_MAX;
}

/* The first of them in words, which a printed picture has no other place for.
 */
static void put_told(FILE *out, struct ves_jr *jr, size_t y)
{
    uint64_t total = ves_jr_u64(jr, "/findingsTotal");
    size_t count = told_of(jr);
    char text[NUMBER_TEXT];

    if (count == 0)
        return;
    fprintf(out,
            "<text x=\"%d\" y=\"%zu\" class=\"name\">Findings, by number of "
            "the event</text>\n",
            MARGIN, y + 4);
    for (size_t i = 0; i < count; i++) {
        uint64_t sequence = ves_jr_u64(jr, "/findings/%zu/sequenceNumber", i);
        y += TOLD_LINE;
        fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"told end\">%s</text>",
                MARGIN + 70, y + 4, sequence > 0 ? number(text, sequence) : "");
        fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"told\">", MARGIN + 82,
                y + 4);
        put_text(out, ves_jr_str(jr, "/findings/%zu/check", i));
        fputs(": ", out);
        put_some(out, ves_jr_str(jr, "/findings/%zu/text", i), TOLD_CHARS);
        fputs("</text>\n", out);
    }
    if (total > count)
        fprintf(out,
                "<text x=\"%d\" y=\"%zu\" class=\"told\">and %s more</text>\n",
                MARGIN + 82, y + TOLD_LINE + 4, number(text, total - count));
}

/* ---- all of it -------------------------------------------------------------
 */

static void put_names(FILE *out, struct ves_jr *jr, size_t stream, size_t y)
{
    char text[NUMBER_TEXT];

    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"name\">Stream ", MARGIN,
            y + 8);
    put_text(out, ves_jr_str(jr, "/streams/%zu/storeId", stream));
    fputs("<tspan class=\"check\" dx=\"6\">of tenant ", out);
    put_text(out, ves_jr_str(jr, "/streams/%zu/tenantId", stream));
    fputs("</tspan></text>\n", out);
    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"check\">%s events, root ",
            MARGIN, y + 25,
            number(text, ves_jr_u64(jr, "/streams/%zu/events", stream)));
    put_text(out, ves_jr_str(jr, "/streams/%zu/rootHash", stream));
    fputs("</text>\n", out);
}

static void put_strip(FILE *out, struct ves_jr *jr, size_t stream, size_t y)
{
    size_t bars = y + ABOVE, lanes = bars + BARS + BELOW;
    size_t bottom = lanes + lanes_of(jr, stream) * LANE;

    put_names(out, jr, stream, y);
    put_bars(out, jr, stream, bars);
    put_checkpoints(out, jr, stream, bars + BARS);
    fprintf(out, "<text x=\"%d\" y=\"%zu\" class=\"small\">", LEFT,
            bars + BARS + 28);
    put_text(out, ves_jr_str(jr, "/streams/%zu/firstAt", stream));
    fprintf(out, "</text><text x=\"%d\" y=\"%zu\" class=\"small end\">", RIGHT,
            bars + BARS + 28);
    put_text(out, ves_jr_str(jr, "/streams/%zu/lastAt", stream));
    fputs("</text>\n", out);
    put_legend(out, bars + BARS + 28);
    fprintf(out,
            "<text x=\"%d\" y=\"%zu\" class=\"small end\">agents</text><text "
            "x=\"%d\" y=\"%zu\" class=\"small\">events</text>\n",
            LEFT - 7, lanes - 7, RIGHT + 7, lanes - 7);
    put_lanes(out, jr, stream, lanes);
    put_findings(out, jr, stream, bars, bottom);
}

void audit_picture(FILE *out, struct ves_jr *jr)
{
    size_t streams = ves_jr_count(jr, "/streams");
    size_t y = top_of(jr), told = told_of(jr), height = y;

    for (size_t i = 0; i < streams; i++)
        height += height_of(jr, i);
    if (told > 0)
        height += (told + 2) * TOLD_LINE;
    fprintf(out,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" "
            "height=\"%zu\" viewBox=\"0 0 %d %zu\" font-family=\"sans-serif\" "
            "font-size=\"13\">\n"
            "<style>.bar{fill:#3b6ea5}.lane{fill:#2a7f62}.mark{fill:#8a5a00}"
            ".signed{fill:#6a3d9a}.finding{stroke:#c00000;stroke-width:2}"
            ".axis{stroke:#555;fill:none}.title{font-size:18px}"
            ".name{font-size:13px;font-weight:bold}.check{font-size:12px;"
            "font-weight:normal}.told{font-size:12px}.small{font-size:10px;"
            "fill:#333}.id{font-size:10px;font-family:monospace;fill:#333}"
            ".end{text-anchor:end}.hole{fill:#c00000}.good{fill:#1f7a3a}"
            ".bad{fill:#c00000}.open{fill:#b87700}.badge{fill:#fff;"
            "font-weight:bold;text-anchor:middle}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n",
            WIDTH, height, WIDTH, height);
    put_head(out, jr);
    put_checks(out, jr);
    for (size_t i = 0; i < streams; i++) {
        put_strip(out, jr, i, y);
        y += height_of(jr, i);
    }
    put_told(out, jr, y);
    fputs("</svg>\n", out);
}
