/* test_number_node.c -- 200,000 doubles as Node's JSON.stringify prints them,
 * and decimal texts as its JSON.parse reads them.
 *
 * $VES_NODE is the program to ask, else "node" on the path.
 */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "json/number.h"

enum { DOUBLES = 200000, TEXTS = 50000 };

/* Lines of "b" and 16 digits are the bits of a double to print; other lines
 * are texts to read. */
static const char script[] =
    "const fs = require(\"fs\"), b = Buffer.alloc(8), out = [];"
    "for (const l of fs.readFileSync(process.argv[1], "
    "\"latin1\").split(\"\\n\"))"
    "  if (l[0] == \"b\") {"
    "    b.writeBigUInt64BE(BigInt(\"0x\" + l.slice(1)));"
    "    out.push(JSON.stringify(b.readDoubleBE(0)));"
    "  } else if (l) {"
    "    b.writeDoubleBE(JSON.parse(l)); out.push(b.toString(\"hex\"));"
    "  }"
    "process.stdout.write(out.join(\"\\n\") + \"\\n\");";

static uint64_t random_state = UINT64_C(0x2026000000000001);

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static const char *node(void)
{
    const char *path = getenv("VES_NODE");
    return path && *path ? path : "node";
}

/* Opens a pipe from `node ARGUMENTS`. */
static FILE *open_node(const char *option, const char *what, const char *file)
{
    char command[4096];
    int n = snprintf(command, sizeof(command), "'%s' %s '%s' '%s'", node(),
                     option, what, file);
    assert_true(n > 0 && (size_t)n < sizeof(command));
    return popen(command, "r");
}

static bool has_node(void)
{
    char line[64] = "";
    FILE *pipe = open_node("-p", "6*7", "");
    if (!pipe)
        return false;
    char *got = fgets(line, sizeof(line), pipe);
    return pclose(pipe) == 0 && got && strcmp(line, "42\n") == 0;
}

/* Runs the script over the lines in file and gives its lines one by one. */
static FILE *ask_node(const char *file)
{
    FILE *pipe = open_node("-e", script, file);
    assert_non_null(pipe);
    return pipe;
}

static FILE *new_file(char name[64])
{
    snprintf(name, 64, "/tmp/ves-test-node.XXXXXX");
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    assert_non_null(file);
    return file;
}

static void read_line(FILE *pipe, char *line, size_t size)
{
    assert_non_null(fgets(line, (int)size, pipe));
    line[strcspn(line, "\n")] = '\0';
}

static double from_bits(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t to_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double power_of_ten(int exponent)
{
    char text[16];
    snprintf(text, sizeof(text), "1e%d", exponent);
    return strtod(text, NULL);
}

/* Half of them any bits; the others of the kinds that matter. */
static double pick(unsigned index)
{
    if (index < 2098) /* every power of two */
        return from_bits(index < 52 ? UINT64_C(1) << index
                                    : (uint64_t)(index - 51) << 52);
    if (index < 2098 + 633)
        return power_of_ten((int)index - 2098 - 324);
    uint64_t r = next_random();
    switch (index % 12) {
    case 0: /* integers of all sizes */
        return (double)(int64_t)r / (double)(UINT64_C(1) << r % 63);
    case 1: /* prices */
        return (double)(r % 100000000) / 100;
    case 2: /* around 10^21 and 10^-7, where the layout changes */
        return from_bits(to_bits(r & 1 ? 1e21 : 1e-6) + r % 2000 - 1000);
    case 3: /* subnormal */
        return from_bits(r >> 12);
    case 4: /* near a power of ten */
        return from_bits(to_bits(power_of_ten((int)(r % 600) - 300)) + r % 5 -
                         2);
    case 5: /* near a power of two */
        return from_bits((r % 2046 + 1) << 52) *
               (1 + (double)(r >> 60) * 1e-16);
    default:
        return from_bits(r);
    }
}

static void test_printing(void **state)
{
    (void)state;
    static double values[DOUBLES];
    char name[64];
    FILE *file = new_file(name);
    for (unsigned i = 0; i < DOUBLES; i++) {
        do {
            values[i] = pick(i);
        } while (!isfinite(values[i]));
        fprintf(file, "b%016llx\n", (unsigned long long)to_bits(values[i]));
    }
    assert_int_equal(fclose(file), 0);
    FILE *pipe = ask_node(name);
    for (unsigned i = 0; i < DOUBLES; i++) {
        char want[64];
        char got[VES_NUMBER_TEXT + 1];
        read_line(pipe, want, sizeof(want));
        got[ves_number_format(values[i], got)] = '\0';
        if (strcmp(got, want) != 0)
            fail_msg("%a is \"%s\", Node says \"%s\"", values[i], got, want);
    }
    assert_int_equal(pclose(pipe), 0);
    unlink(name);
}

static void make_text(char *text, size_t size)
{
    uint64_t r = next_random();
    size_t len = 0;
    if (r & 1)
        text[len++] = '-';
    text[len++] = (char)('1' + (r >> 1) % 9);
    for (size_t n = (r >> 8) % 22; n > 0; n--)
        text[len++] = (char)('0' + next_random() % 10);
    if (r >> 16 & 1) {
        text[len++] = '.';
        for (size_t n = 1 + (r >> 20) % 22; n > 0; n--)
            text[len++] = (char)('0' + next_random() % 10);
    }
    text[len] = '\0';
    if (r >> 17 & 1)
        snprintf(text + len, size - len, "e%d",
                 (int)(r >> 24 & 1023) % 660 - 340);
}

static void test_reading(void **state)
{
    (void)state;
    static char texts[TEXTS][64];
    char name[64];
    FILE *file = new_file(name);
    for (unsigned i = 0; i < TEXTS; i++) {
        make_text(texts[i], sizeof(texts[i]));
        fprintf(file, "%s\n", texts[i]);
    }
    assert_int_equal(fclose(file), 0);
    FILE *pipe = ask_node(name);
    for (unsigned i = 0; i < TEXTS; i++) {
        char line[64];
        read_line(pipe, line, sizeof(line));
        double want = from_bits(strtoull(line, NULL, 16));
        double got = NAN;
        enum ves_status status =
            ves_number_parse(ves_bytes_str(texts[i]), &got);
        if (isinf(want) ? status != VES_MALFORMED
                        : status || to_bits(got) != to_bits(want))
            fail_msg("%s is %a, Node says %a", texts[i], got, want);
    }
    assert_int_equal(pclose(pipe), 0);
    unlink(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_printing),
        cmocka_unit_test(test_reading),
    };
    if (!has_node()) {
        printf("1..1\nok 1 - numbers as Node has them # SKIP \"%s\" does not "
               "run; set VES_NODE\n",
               node());
        return 0;
    }
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
