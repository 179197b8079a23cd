/* cli.c -- what the subcommands of ves share: options, output, exit codes. */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

enum { DOCUMENT_MAX = 256 * 1024 * 1024, BAR = 30 };

static volatile sig_atomic_t is_stopped;

/* ---- what a terminal must not see ---------------------------------------- */

/* The character at p: its bytes and *code; 1 and the byte itself when that is
 * no UTF-8. */
static size_t character(const char *text, size_t left, unsigned *code,
                        bool *is_valid)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t len = *p < 0x80   ? 1
                 : *p < 0xc2 ? 0
                 : *p < 0xe0 ? 2
                 : *p < 0xf0 ? 3
                 : *p < 0xf5 ? 4
                             : 0;

    *code = len > 1 ? *p & (0x7fu >> len) : *p;
    *is_valid = len > 0 && len <= left;
    for (size_t i = 1; i < len && *is_valid; i++) {
        *is_valid = (p[i] & 0xc0) == 0x80;
        *code = *code << 6 | (p[i] & 0x3fu);
    }
    if (*is_valid)
        return len;
    *code = *p;
    return 1;
}

/* Controls (C0, DEL, C1), line and paragraph separators, writing directions,
 * and what is not seen at all. */
static bool is_obeyed(unsigned code)
{
    static const struct {
        unsigned from, to;
    } ranges[] = {{0, 0x1f},         {0x7f, 0x9f},     {0x61c, 0x61c},
                  {0x200b, 0x200b},  {0x200e, 0x200f}, {0x2028, 0x202e},
                  {0x2060, 0x206f},  {0xfeff, 0xfeff}, {0xfff9, 0xfffb},
                  {0xe0000, 0xe007f}};

    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        if (code >= ranges[i].from && code <= ranges[i].to)
            return true;
    }
    return false;
}

/* Longest what a byte can stand for in the result. */
enum { SPELT = 6, SPELT_MAX = 13 };

/* Bytes of the character at p; how it is spelt out if a terminal might obey
 * it, else "". */
static size_t spell(const char *text, size_t left, char spelt[SPELT_MAX])
{
    unsigned code;
    bool is_valid;
    size_t bytes = character(text, left, &code, &is_valid);

    spelt[0] = '\0';
    if (is_valid && !is_obeyed(code))
        return bytes;
    if (!is_valid)
        snprintf(spelt, SPELT_MAX, "\\x%02x", code & 0xff);
    else if (code < 0x10000)
        snprintf(spelt, SPELT_MAX, "\\u%04x", code & 0xffff);
    else
        snprintf(spelt, SPELT_MAX, "\\u%04x\\u%04x",
                 (0xd7c0 + (code >> 10)) & 0xffff, 0xdc00 | (code & 0x3ff));
    return bytes;
}

size_t cli_character(const char *text, size_t left, bool *is_safe)
{
    char spelt[SPELT_MAX];
    size_t bytes = spell(text, left, spelt);

    *is_safe = !spelt[0];
    return bytes;
}

const char *cli_clean(const char *text)
{
    /* Kept to the end of the program: there are few. */
    static struct kept {
        struct kept *next;
        char text[];
    } * all;
    size_t len = strlen(text);
    size_t at = 0, n = 0;
    char spelt[SPELT_MAX];

    bool is_clean = true;

    for (size_t i = 0; i < len && is_clean;) {
        i += spell(text + i, len - i, spelt);
        is_clean = spelt[0] == '\0';
    }
    if (is_clean)
        return text;
    struct kept *kept = malloc(sizeof(*kept) + SPELT * len + 1);
    if (!kept)
        return "(out of memory)";
    kept->next = all;
    all = kept;
    while (at < len) {
        size_t bytes = spell(text + at, len - at, spelt);
        const char *from = spelt[0] ? spelt : text + at;
        size_t count = spelt[0] ? strlen(spelt) : bytes;
        memcpy(kept->text + n, from, count);
        n += count;
        at += bytes;
    }
    kept->text[n] = '\0';
    return kept->text;
}

const char *cli_str(struct ves_jr *jr, const char *pointer, ...)
{
    char text[256];
    va_list args;

    va_start(args, pointer);
    vsnprintf(text, sizeof(text), pointer, args);
    va_end(args);
    return cli_clean(ves_jr_str(jr, "%s", text));
}

/* A document as it is; on a terminal it stays the same document. */
static bool write_document(FILE *out, struct ves_bytes doc)
{
    const char *text = (const char *)doc.ptr;
    size_t at = 0, start = 0;
    char spelt[SPELT_MAX];

    while (isatty(fileno(out)) && at < doc.len) {
        size_t bytes = spell(text + at, doc.len - at, spelt);
        if (!spelt[0] || text[at] == '\n' || text[at] == '\t') {
            at += bytes;
            continue;
        }
        fwrite(text + start, 1, at - start, out);
        fputs(spelt, out);
        at += bytes;
        start = at;
    }
    fwrite(text + start, 1, doc.len - start, out);
    return putc('\n', out) != EOF && fflush(out) != EOF && !ferror(out);
}

/* ---- options -------------------------------------------------------------
 */

const char *cli_get(const struct cli *cli, const char *name)
{
    for (size_t i = 0; cli->command->options[i].name; i++)
        if (strcmp(cli->command->options[i].name, name) == 0)
            return cli->values[i];
    /* Asking for an option the command has not is our own mistake. */
    abort();
}

const char *cli_next(const struct cli *cli, const char *name, size_t *at)
{
    while (*at < cli->given_count) {
        size_t i = (*at)++;
        if (strcmp(cli->given[i].name, name) == 0)
            return cli->given[i].value;
    }
    return NULL;
}

uint64_t cli_number(const struct cli *cli, const char *name, uint64_t min,
                    uint64_t max, uint64_t fallback)
{
    const char *text = cli_get(cli, name);
    char *end;

    if (!text)
        return fallback;
    errno = 0;
    uint64_t value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end || errno || value < min ||
        value > max)
        cli_usage(cli, "--%s takes a whole number from %llu to %llu", name,
                  (unsigned long long)min, (unsigned long long)max);
    return value;
}

const char *cli_word(const struct cli *cli, const char *name,
                     const char *const *words)
{
    const char *text = cli_get(cli, name);
    char list[256] = "";
    size_t n = 0;

    if (!text)
        return NULL;
    for (size_t i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0)
            return text;
        n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s",
                              i == 0         ? ""
                              : words[i + 1] ? ", "
                                             : " or ",
                              words[i]);
    }
    cli_usage(cli, "--%s takes %s, not \"%.60s\"", name, list, text);
}

static void print_json_error(const char *code, const char *text)
{
    struct ves_jw *jw = cli_writer();

    ves_jw_object(jw);
    ves_jw_key(jw, "error");
    ves_jw_object(jw);
    ves_jw_key(jw, "code");
    ves_jw_str(jw, code);
    ves_jw_key(jw, "message");
    ves_jw_str(jw, text);
    ves_jw_end(jw);
    ves_jw_end(jw);
    (void)write_document(stderr, ves_jw_view(jw));
    ves_jw_free(jw);
}

void cli_print_usage(FILE *out, const struct cli_command *command)
{
    enum { WIDTH = 79, INDENT = 4 };
    const char *args = command->args;
    size_t room =
        WIDTH - (size_t)fprintf(out, "usage: ves %s [OPTIONS]", command->name);

    if (args[0] && strlen(args) < room)
        fputc(' ', out);
    else if (args[0])
        fprintf(out, "\n%*s", INDENT, "");
    for (room = WIDTH - INDENT; strlen(args) > room;) {
        size_t len = room;
        while (len > 0 && args[len - 1] != '|' && args[len - 1] != ' ')
            len--;
        len = len > 0 ? len : room;
        fprintf(out, "%.*s\n%*s", (int)len, args, INDENT, "");
        args += len;
    }
    fprintf(out, "%s\n", args);
}

void cli_usage(const struct cli *cli, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (cli->is_json) {
        print_json_error("USAGE", text);
    } else {
        fprintf(stderr, "ves %s: %s\n", cli->command->name, cli_clean(text));
        cli_print_usage(stderr, cli->command);
        fprintf(stderr, "(ves %s --help)\n", cli->command->name);
    }
    exit(CLI_USAGE);
}

int cli_exit_code(enum ves_status status)
{
    switch (status) {
    case VES_OK:
        return CLI_DONE;
    case VES_UNREACHABLE:
        return CLI_UNREACHABLE;
    case VES_AUTH:
    case VES_FORBIDDEN:
    case VES_REFUSED:
    case VES_DIVERGED:
        return CLI_REFUSED;
    default:
        return CLI_FAILED;
    }
}

int cli_fail(struct cli *cli, enum ves_status status)
{
    const char *text =
        cli->error.text[0] ? cli->error.text : ves_status_message(status);

    cli_progress_end(cli);
    if (cli->is_json)
        print_json_error(ves_status_name(status), text);
    else
        fprintf(stderr, "ves %s: %s\n", cli->command->name, cli_clean(text));
    return cli_exit_code(status);
}

int cli_fail_here(struct cli *cli, enum ves_status status)
{
    int code = cli_fail(cli, status);

    return code == CLI_REFUSED ? CLI_FAILED : code;
}

/* Reads a passphrase from the file named in VES_PASSPHRASE_FILE, or from the
 * terminal without echo. */
static int ask_passphrase(void *ctx, char *out, size_t size)
{
    const char *path = getenv("VES_PASSPHRASE_FILE");
    struct termios before, quiet;
    int fd;

    (void)ctx;
    if (path && *path)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    else
        fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return -1;
    bool is_tty = tcgetattr(fd, &before) == 0;
    if (is_tty) {
        static const char prompt[] = "passphrase of the key: ";
        quiet = before;
        quiet.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(fd, TCSAFLUSH, &quiet);
        if (write(fd, prompt, sizeof(prompt) - 1) < 0)
            is_tty = true;
    }
    ssize_t n = read(fd, out, size);
    if (is_tty) {
        tcsetattr(fd, TCSAFLUSH, &before);
        if (write(fd, "\n", 1) < 0)
            n = -1;
    }
    close(fd);
    while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
        n--;
    return (int)n;
}

void cli_store_options(struct cli *cli, struct ves_agent_options *options)
{
    memset(options, 0, sizeof(*options));
    options->path = cli->db;
    options->passphrase = ask_passphrase;
}

int cli_open(struct cli *cli, bool is_read_only, struct ves_agent **agent)
{
    struct ves_agent_options options;
    struct stat st;

    if (stat(cli->db, &st) == 0 && !S_ISREG(st.st_mode)) {
        snprintf(cli->error.text, sizeof(cli->error.text),
                 "%.200s is not a file; nothing was changed; name the store's "
                 "file with --db",
                 cli->db);
        return cli_fail_here(cli, VES_INVALID);
    }
    cli_store_options(cli, &options);
    options.is_read_only = is_read_only;
    enum ves_status status = ves_agent_open(&options, agent, &cli->error);
    if (status == VES_UNSUPPORTED && is_read_only) {
        /* Perhaps its tables are an older program's: writing brings them up to
         * date. */
        options.is_read_only = false;
        status = ves_agent_open(&options, agent, &cli->error);
    }
    return status ? cli_fail_here(cli, status) : CLI_DONE;
}

struct ves_jw *cli_writer(void)
{
    struct ves_jw *jw = ves_jw_new(ves_alloc_default(), DOCUMENT_MAX);

    if (!jw) {
        fputs("ves: out of memory\n", stderr);
        exit(CLI_FAILED);
    }
    return jw;
}

int cli_print(struct ves_jw *jw)
{
    int code = CLI_DONE;

    if (ves_jw_status(jw) || !write_document(stdout, ves_jw_view(jw))) {
        fputs("ves: the result could not be written\n", stderr);
        code = CLI_FAILED;
    }
    ves_jw_free(jw);
    return code;
}

void cli_print_indented(const char *json)
{
    bool is_text = false;
    int depth = 0;

    for (const char *p = cli_clean(json); *p; p++) {
        bool opens = !is_text && (*p == '{' || *p == '[');
        bool closes = !is_text && (*p == '}' || *p == ']');
        bool is_empty = opens && (p[1] == '}' || p[1] == ']');
        if (closes)
            printf("\n%*s", 2 * --depth, "");
        putchar(*p);
        if (is_text && *p == '\\' && p[1])
            putchar(*++p);
        else if (*p == '"')
            is_text = !is_text;
        if (is_empty)
            putchar(*++p);
        else if (opens)
            printf("\n%*s", 2 * ++depth, "");
        else if (!is_text && *p == ',')
            printf("\n%*s", 2 * depth, "");
        else if (!is_text && *p == ':')
            putchar(' ');
    }
    putchar('\n');
}

void cli_print_error(struct ves_jw *jw)
{
    (void)write_document(stderr, ves_jw_view(jw));
    ves_jw_free(jw);
}

static char *read_all(struct cli *cli, int fd, const char *name, size_t max,
                      size_t *len)
{
    size_t cap = 4096;
    char *text = malloc(cap + 1);

    *len = 0;
    while (text) {
        ssize_t n = read(fd, text + *len, cap - *len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            snprintf(cli->error.text, sizeof(cli->error.text),
                     "cannot read %s: %s; nothing was changed", name,
                     strerror(errno));
            free(text);
            return NULL;
        }
        if (n == 0) {
            text[*len] = '\0';
            return text;
        }
        *len += (size_t)n;
        if (*len > max) {
            snprintf(cli->error.text, sizeof(cli->error.text),
                     "%s is longer than %zu bytes; nothing was changed", name,
                     max);
            free(text);
            return NULL;
        }
        if (*len == cap) {
            char *more = realloc(text, 2 * cap + 1);
            if (!more) {
                free(text);
                break;
            }
            text = more;
            cap *= 2;
        }
    }
    snprintf(cli->error.text, sizeof(cli->error.text), "out of memory");
    return NULL;
}

char *cli_read_file(struct cli *cli, const char *path, size_t max, size_t *len)
{
    if (strcmp(path, "-") == 0)
        return read_all(cli, STDIN_FILENO, "standard input", max, len);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(cli->error.text, sizeof(cli->error.text),
                 "cannot open %s: %s; nothing was changed", path,
                 strerror(errno));
        return NULL;
    }
    char *text = read_all(cli, fd, path, max, len);
    close(fd);
    return text;
}

char *cli_read_argument(struct cli *cli, const char *argument, size_t max,
                        size_t *len)
{
    if (argument[0] == '@')
        return cli_read_file(cli, argument + 1, max, len);
    if (strcmp(argument, "-") == 0)
        return cli_read_file(cli, argument, max, len);
    *len = strlen(argument);
    return strdup(argument);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool cli_is_uuid(const char *text)
{
    size_t n = 0;

    for (; text[n] && n < VES_UUID_TEXT; n++) {
        if (n == 8 || n == 13 || n == 18 || n == 23) {
            if (text[n] != '-')
                return false;
        } else if (hex_digit(text[n]) < 0) {
            return false;
        }
    }
    return n == VES_UUID_TEXT && text[n] == '\0';
}

void cli_uuid(const struct cli *cli, const char *text, struct ves_uuid *out)
{
    if (!cli_is_uuid(text))
        cli_usage(cli, "not a UUID: %.60s", text);
    for (size_t i = 0, k = 0; i < VES_UUID_SIZE; i++) {
        if (text[k] == '-')
            k++;
        out->b[i] = (uint8_t)(hex_digit(text[k]) << 4 | hex_digit(text[k + 1]));
        k += 2;
    }
}

const char *cli_uuid_text(const struct ves_uuid *uuid,
                          char out[VES_UUID_TEXT + 1])
{
    char *p = out;

    for (size_t i = 0; i < VES_UUID_SIZE; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        p += snprintf(p, 3, "%02x", uuid->b[i]);
    }
    return out;
}

static void on_signal(int number)
{
    (void)number;
    is_stopped = 1;
}

void cli_catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

static volatile sig_atomic_t is_hung_up;

static void on_hangup(int number)
{
    (void)number;
    is_hung_up = 1;
}

void cli_catch_hangup(void)
{
    struct sigaction action = {.sa_handler = on_hangup};

    sigaction(SIGHUP, &action, NULL);
}

bool cli_take_hangup(void)
{
    bool was = is_hung_up != 0;
    is_hung_up = 0;
    return was;
}

bool cli_is_stopped(void)
{
    return is_stopped != 0;
}

bool cli_progress(void *ctx, const char *what, uint64_t done, uint64_t total)
{
    struct cli *cli = ctx;

    if (cli->is_terminal && total > 0) {
        uint64_t part = done >= total ? BAR : done * BAR / total;
        fprintf(stderr, "\r%-10s [%.*s%*s] %llu of %llu ", what, (int)part,
                "##############################", (int)(BAR - part), "",
                (unsigned long long)done, (unsigned long long)total);
        cli->shows_progress = true;
    } else if (cli->is_terminal) {
        fprintf(stderr, "\r%-10s %llu ", what, (unsigned long long)done);
        cli->shows_progress = true;
    }
    return !is_stopped;
}

void cli_progress_end(struct cli *cli)
{
    if (cli->shows_progress)
        fputs("\r\033[K", stderr);
    cli->shows_progress = false;
}

/* https://no-color.org: any value of NO_COLOR turns colours off. */
static const char *escape(const char *sequence)
{
    const char *no = getenv("NO_COLOR");

    return isatty(STDOUT_FILENO) && !(no && *no) ? sequence : "";
}

const char *cli_bold(void)
{
    return escape("\033[1m");
}

const char *cli_red(void)
{
    return escape("\033[31m");
}

const char *cli_green(void)
{
    return escape("\033[32m");
}

const char *cli_plain(void)
{
    return escape("\033[0m");
}
