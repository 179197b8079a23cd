/* conflict_view.c -- a conflict for people: side by side, or line by line. */
#include "conflict_view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH = 80, NARROW = 72, WIDE = 160, PATH_MAX_SHOWN = 24 };

size_t conflict_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    unsigned long given = columns ? strtoul(columns, NULL, 10) : 0;
    return given > 0 && given < 1000 ? given : WIDTH;
}

/* Bytes of the first n characters; *used says how many there were. */
static size_t head_of(const char *text, size_t n, size_t *used)
{
    size_t at = 0;

    for (*used = 0; text[at] && *used < n; ++*used) {
        at++;
        while (((unsigned char)text[at] & 0xC0) == 0x80)
            at++;
    }
    return at;
}

/* In exactly width characters, the last cell of a line in fewer; what does not
 * fit ends in "..". */
static void print_cell(const char *text, size_t width, bool is_last)
{
    size_t used;
    size_t bytes = head_of(text, width, &used);

    if (text[bytes] && width > 2) {
        bytes = head_of(text, width - 2, &used);
        printf("%.*s..", (int)bytes, text);
        return;
    }
    printf("%.*s%*s", (int)bytes, text, is_last ? 0 : (int)(width - used), "");
}

/* A value as it is shown; nothing there is shown as a dash. */
static const char *value_of(struct ves_jr *jr, size_t field, const char *side)
{
    if (!ves_jr_has(jr, "/fields/%zu/%s", field, side))
        return "-";
    const char *text = cli_str(jr, "/fields/%zu/%s", field, side);
    return *text ? text : "\"\"";
}

/* That side is the state as it is; once it is decided, that is no side. */
static const char *theirs_word(struct ves_jr *jr)
{
    return strcmp(ves_jr_str(jr, "/status"), "resolved") == 0 ? "now"
                                                              : "theirs";
}

static void print_columns(struct ves_jr *jr, size_t width)
{
    size_t n = ves_jr_count(jr, "/fields");
    size_t path = PATH_MAX_SHOWN;
    size_t cell = (width - path - 8) / 3;

    printf("  %s", cli_bold());
    print_cell("field", path, false);
    fputs("  ", stdout);
    print_cell("before", cell, false);
    fputs("  ", stdout);
    print_cell("ours", cell, false);
    fputs("  ", stdout);
    print_cell(theirs_word(jr), cell, true);
    printf("%s\n", cli_plain());
    for (size_t i = 0; i < n; i++) {
        bool is_overlap = ves_jr_bool(jr, "/fields/%zu/isOverlap", i);
        printf("%s%s ", is_overlap ? cli_red() : "", is_overlap ? "!" : " ");
        print_cell(cli_str(jr, "/fields/%zu/path", i), path, false);
        fputs("  ", stdout);
        print_cell(value_of(jr, i, "base"), cell, false);
        fputs("  ", stdout);
        print_cell(value_of(jr, i, "ours"), cell, false);
        fputs("  ", stdout);
        print_cell(value_of(jr, i, "theirs"), cell, true);
        printf("%s\n", is_overlap ? cli_plain() : "");
    }
}

static void print_plain(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/fields");

    for (size_t i = 0; i < n; i++) {
        bool is_overlap = ves_jr_bool(jr, "/fields/%zu/isOverlap", i);
        printf("%s%s %s%s\n", is_overlap ? cli_red() : "",
               is_overlap ? "!" : " ", cli_str(jr, "/fields/%zu/path", i),
               is_overlap ? cli_plain() : "");
        printf("    before  %s\n", value_of(jr, i, "base"));
        printf("    ours    %s\n", value_of(jr, i, "ours"));
        printf("    %-6s  %s\n", theirs_word(jr), value_of(jr, i, "theirs"));
    }
}

static void print_side(struct ves_jr *jr, const char *side)
{
    size_t n = ves_jr_count(jr, "/%s/events", side);

    for (size_t i = 0; i < n; i++)
        printf(
            "%-7s %s  #%s %s%s\n        by %s%s, %s\n", i ? "" : side,
            cli_str(jr, "/%s/events/%zu/eventId", side, i),
            cli_str(jr, "/%s/events/%zu/sequenceNumber", side, i),
            cli_str(jr, "/%s/events/%zu/type", side, i),
            strcmp(ves_jr_str(jr, "/%s/events/%zu/class", side, i), "fact") == 0
                ? " (a fact)"
                : "",
            cli_str(jr, "/%s/events/%zu/agentId", side, i),
            ves_jr_bool(jr, "/%s/events/%zu/isOwn", side, i) ? " (this store)"
                                                             : "",
            cli_str(jr, "/%s/events/%zu/timestamp", side, i));
}

static void print_decisions(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/decisions");

    for (size_t i = 0; i < n; i++) {
        bool is_lost =
            strcmp(ves_jr_str(jr, "/decisions/%zu/verdict", i), "applied") != 0;
        printf("%s #%s %s by %s (%s), %s%s%s%s%s\n", i ? "       " : "decided",
               cli_str(jr, "/decisions/%zu/sequenceNumber", i),
               cli_str(jr, "/decisions/%zu/strategy", i),
               cli_str(jr, "/decisions/%zu/resolver", i),
               cli_str(jr, "/decisions/%zu/agentId", i),
               cli_str(jr, "/decisions/%zu/timestamp", i),
               is_lost ? ", not in effect: " : "",
               is_lost ? cli_str(jr, "/decisions/%zu/subCode", i) : "",
               ves_jr_has(jr, "/decisions/%zu/reason", i) ? ": " : "",
               cli_str(jr, "/decisions/%zu/reason", i));
    }
}

/* Which of the two that stand side by side. */
static const char *side_of(const char *strategy)
{
    return strcmp(strategy, "accept_local") == 0    ? "ours: "
           : strcmp(strategy, "accept_remote") == 0 ? "theirs: "
                                                    : "";
}

static void print_choices(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/choices");

    for (size_t i = 0; i < n; i++) {
        bool is_allowed = ves_jr_bool(jr, "/choices/%zu/isAllowed", i);
        printf("  %-14s %s%s%s%s%s\n", cli_str(jr, "/choices/%zu/strategy", i),
               side_of(ves_jr_str(jr, "/choices/%zu/strategy", i)),
               is_allowed ? "" : "not allowed: ",
               is_allowed ? cli_str(jr, "/choices/%zu/effect", i)
                          : cli_str(jr, "/choices/%zu/reason", i),
               is_allowed && ves_jr_has(jr, "/choices/%zu/reason", i) ? "; "
                                                                      : "",
               is_allowed ? cli_str(jr, "/choices/%zu/reason", i) : "");
    }
}

size_t follow_ups_print(struct ves_jr *jr, size_t max)
{
    size_t n = ves_jr_count(jr, "/followUps");

    n = n < max ? n : max;
    for (size_t i = 0; i < n; i++)
        printf("look at %s %s: %s\n",
               cli_str(jr, "/followUps/%zu/entity/type", i),
               cli_str(jr, "/followUps/%zu/entity/id", i),
               cli_str(jr, "/followUps/%zu/explanation", i));
    return n;
}

void conflict_print(struct ves_jr *jr)
{
    size_t width = conflict_width();
    bool is_open = strcmp(ves_jr_str(jr, "/status"), "open") == 0;

    printf("%s%s %s: %s (%s)%s\n", cli_bold(), cli_str(jr, "/entity/type"),
           cli_str(jr, "/entity/id"), cli_str(jr, "/conflictType"),
           cli_str(jr, "/subCode"), cli_plain());
    printf("conflict %s\n%s\n", cli_str(jr, "/conflictId"),
           cli_str(jr, "/explanation"));
    print_side(jr, "ours");
    print_side(jr, "theirs");
    if (ves_jr_bool(jr, "/isDeleted"))
        printf("%s is deleted now\n", cli_str(jr, "/entity/type"));
    putchar('\n');
    if (width >= NARROW)
        print_columns(jr, width < WIDE ? width : WIDE);
    else
        print_plain(jr);
    putchar('\n');
    print_decisions(jr);
    (void)follow_ups_print(jr, SIZE_MAX);
    if (!is_open)
        return;
    printf("suggested: %s%s%s, because %s\n", cli_bold(),
           cli_str(jr, "/suggestedStrategy"), cli_plain(),
           cli_str(jr, "/suggestionReason"));
    print_choices(jr);
}

/* ---- outcomes ------------------------------------------------------------ */

static void print_changes(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/changes");

    for (size_t i = 0; i < n; i++) {
        const char *from = ves_jr_has(jr, "/changes/%zu/from", i)
                               ? cli_str(jr, "/changes/%zu/from", i)
                               : "-";
        const char *to = ves_jr_has(jr, "/changes/%zu/to", i)
                             ? cli_str(jr, "/changes/%zu/to", i)
                             : "-";
        printf("  %s: %s -> %s\n", cli_str(jr, "/changes/%zu/path", i), from,
               to);
    }
    if (n == 0 && ves_jr_has(jr, "/changes"))
        puts("  no field changes");
}

void steps_print(struct ves_jr *jr)
{
    size_t n = ves_jr_count(jr, "/nextSteps");

    for (size_t i = 0; i < n; i++)
        printf("%s %s\n", i ? "    " : "next",
               cli_str(jr, "/nextSteps/%zu", i));
}

void conflict_print_decided(struct ves_jr *jr)
{
    puts(cli_str(jr, "/summary"));
    print_changes(jr);
    if (ves_jr_has(jr, "/resultEventId"))
        printf("event %s\n", cli_str(jr, "/resultEventId"));
}

void conflict_print_outcome(struct ves_jr *jr)
{
    conflict_print_decided(jr);
    if (ves_jr_has(jr, "/resolution"))
        printf("decided: %s by %s%s%s\n", cli_str(jr, "/resolution/strategy"),
               cli_str(jr, "/resolution/resolver"),
               ves_jr_has(jr, "/resolution/reason") ? ": " : "",
               cli_str(jr, "/resolution/reason"));
    if (ves_jr_has(jr, "/choices")) {
        print_plain(jr);
        print_choices(jr);
    }
    printf("left to decide: %s\n", cli_str(jr, "/remainingConflicts"));
    steps_print(jr);
}
