/* test_random_types.c -- rules that somebody might declare, at random. */
#include "test/lib/test_random_types.h"

#include "base/bytes.h"

uint64_t test_random_state = 1;

/* splitmix64 */
static uint64_t next_random(void)
{
    uint64_t z = (test_random_state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

unsigned test_below(unsigned n)
{
    return (unsigned)(next_random() % n);
}

/* ---- payloads ------------------------------------------------------------ */

void test_put_scalar(struct ves_buf *buf, bool has_nulls)
{
    static const char *const values[] = {"1", "2",           "\"x\"", "\"1.5\"",
                                         "0", "\"shipped\"", "true",  "null"};
    ves_buf_put_str(buf, values[test_below(has_nulls ? 8 : 7)]);
}

void test_put_random_payload(struct ves_buf *buf, bool has_nulls)
{
    ves_buf_putf(buf, "{\"id\":\"i%u\"", test_below(3));
    ves_buf_putf(buf, ",\"k\":\"L%u\"", test_below(3));
    ves_buf_putf(buf, ",\"n\":%u,\"f\":", test_below(4));
    test_put_scalar(buf, has_nulls);
    ves_buf_putf(buf, ",\"arr\":[{\"k\":\"L0\",\"v\":%u},{\"k\":\"L1\"}]",
                 test_below(2));
    ves_buf_putf(buf, ",\"t\":[\"t%u\"]", test_below(3));
    if (test_below(5) == 0)
        ves_buf_put_str(buf, ",\"o\":{}");
    else
        ves_buf_putf(buf, ",\"o\":{\"v\":%u}", test_below(2));
    ves_buf_put_str(buf, ",\"patch\":{\"o\":{");
    if (test_below(5) > 0)
        ves_buf_putf(buf, "\"w\":%u", test_below(2));
    ves_buf_put_u8(buf, '}');
    if (test_below(3) == 0) {
        ves_buf_putf(buf, ",\"l\":{\"L%u\"", test_below(3));
        ves_buf_putf(buf, ":{\"v\":%u}}", test_below(2));
    }
    if (test_below(3) == 0)
        ves_buf_putf(buf, ",\"x\":%u", test_below(3));
    ves_buf_put_str(buf, "}}");
}

/* ---- documents ----------------------------------------------------------- */

static const char *pick(const char *const *list, unsigned count)
{
    return list[test_below(count)];
}

static void put_operation(struct ves_buf *buf)
{
    static const char *const paths[] = {
        "/x",     "/y",       "/m_minor", "/p",        "/p/q",
        "/o",     "/o/v",     "/set",     "/list",     "/l",
        "/l/{k}", "/l/{k}/v", "/e/{id}",  "/e/{id}/c", "/n/{none|event_id}",
        "/s",     "/e"};
    static const char *const from[] = {"", "/f", "/n", "/o", "/arr", "/t"};
    static const char *const words[] = {"a", "b", "c", "z"};
    static const char *const signs[] = {"false", "true"};
    const char *path = pick(paths, 17);

    switch (test_below(14)) {
    case 0:
        ves_buf_putf(buf, "{\"op\":\"advance\",\"path\":\"/s\",\"to\":\"%s\"}",
                     pick(words, 3));
        return;
    case 1:
        ves_buf_putf(buf,
                     "{\"op\":\"transition\",\"path\":\"/s\",\"to\":\"%s\"}",
                     pick(words, 4));
        return;
    case 2:
        path = test_below(3) ? path : "@";
        ves_buf_putf(buf, "{\"op\":\"create\",\"path\":\"%s\",\"from\":\"%s\"}",
                     path, pick(from, 4));
        return;
    case 3:
        ves_buf_putf(buf, "{\"op\":\"remove\",\"path\":\"%s\"}", path);
        return;
    case 4:
    case 5:
        path = test_below(2) ? path : pick(paths, 3);
        ves_buf_putf(buf,
                     "{\"op\":\"delta\",\"path\":\"%s\",\"from\":\"/n\","
                     "\"negate\":%s}",
                     path, pick(signs, 2));
        return;
    case 6:
        ves_buf_putf(
            buf, "{\"op\":\"add_to_set\",\"path\":\"/set\",\"from\":\"/t\"}");
        return;
    case 7:
        ves_buf_putf(buf, "{\"op\":\"append\",\"path\":\"%s\"}",
                     test_below(2) ? "/list" : path);
        return;
    case 8:
        path = test_below(3) ? path : "";
        ves_buf_putf(buf, "{\"op\":\"patch\",\"path\":\"%s\",\"from\":\"%s\"}",
                     path, test_below(2) ? "/o" : "/patch");
        return;
    case 9:
        ves_buf_put_str(buf, "{\"op\":\"edit\"}");
        return;
    case 10:
        ves_buf_put_str(buf, "{\"op\":\"set\",\"path\":\"/p\",\"value\":[1]}");
        return;
    default:
        ves_buf_putf(buf, "{\"op\":\"set\",\"path\":\"%s\",\"from\":\"%s\"}",
                     path, pick(from, 6));
        return;
    }
}

static void put_class(struct ves_buf *buf, bool is_mixed)
{
    if (is_mixed && test_below(3)) {
        ves_buf_put_str(buf, "\"class\":\"intent\",\"base\":");
        ves_buf_put_str(buf, test_below(2) ? "\"required\"" : "\"none\"");
    } else {
        ves_buf_put_str(buf, "\"class\":\"fact\"");
    }
}

void test_put_random_types(struct ves_buf *buf, unsigned version, bool is_mixed)
{
    ves_buf_put_str(buf, "{\"rules\":1,\"entities\":[{\"name\":\"thing\","
                         "\"lists\":{\"l\":\"k\"},\"ladders\":{\"/s\":[\"a\","
                         "\"b\",\"c\"]},\"balances\":{\"bal\":[\"x\",\"y\"]}}],"
                         "\"types\":[");
    for (unsigned i = 0; i < TEST_RANDOM_TYPES; i++) {
        ves_buf_putf(buf, "%s{\"name\":\"thing.t%u\",\"version\":%u,",
                     i > 0 ? "," : "", i, version);
        put_class(buf, is_mixed);
        ves_buf_put_str(buf, ",\"operations\":[");
        for (unsigned n = 1 + test_below(3), k = 0; k < n; k++) {
            ves_buf_put_str(buf, k > 0 ? "," : "");
            put_operation(buf);
        }
        ves_buf_put_str(buf, "]}");
    }
    ves_buf_put_str(buf, "]}");
}
