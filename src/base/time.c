/* time.c -- RFC 3339 text and milliseconds since 1970, without libc time. */
#include "base/time.h"

#define MS_PER_DAY INT64_C(86400000)
/* 0000-01-01 and 10000-01-01, in days since 1970-01-01. */
#define DAY_FIRST INT64_C(-719528)
#define DAY_END   INT64_C(2932897)

/* Days since 1970-01-01 of a day in the Gregorian calendar.  Years are
 * counted from March, so that the leap day is the last of its year. */
static int64_t days_from_civil(int64_t year, int64_t month, int64_t day)
{
    year += month <= 2 ? 399 : 400; /* never negative */
    int64_t era = year / 400;
    int64_t year_of_era = year % 400;
    int64_t from_march = (month + 9) % 12;
    int64_t day_of_year = (153 * from_march + 2) / 5 + day - 1;
    int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (era - 1) * 146097 + day_of_era - 719468;
}

static void civil_from_days(int64_t days, unsigned *year, unsigned *month,
                            unsigned *day)
{
    int64_t z = days + 719468 + 146097; /* never negative in our range */
    int64_t era = z / 146097;
    int64_t day_of_era = z % 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
                           day_of_era / 146096) /
                          365;
    int64_t day_of_year =
        day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t from_march = (5 * day_of_year + 2) / 153;
    *day = (unsigned)(day_of_year - (153 * from_march + 2) / 5 + 1);
    *month = (unsigned)(from_march < 10 ? from_march + 3 : from_march - 9);
    *year = (unsigned)(year_of_era + era * 400 - 400 + (*month <= 2));
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30,
                                     31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap ? 1u : 0u);
}

struct cursor {
    const uint8_t *p;
    const uint8_t *end;
};

static bool take_digits(struct cursor *c, unsigned count, unsigned max,
                        unsigned *out)
{
    unsigned value = 0;
    for (unsigned i = 0; i < count; i++) {
        if (c->p == c->end || *c->p < '0' || *c->p > '9')
            return false;
        value = value * 10 + (unsigned)(*c->p++ - '0');
    }
    *out = value;
    return value <= max;
}

/* One of two characters. */
static bool take_char(struct cursor *c, char one, char other)
{
    if (c->p == c->end || (*c->p != (uint8_t)one && *c->p != (uint8_t)other))
        return false;
    c->p++;
    return true;
}

static bool take_date(struct cursor *c, int64_t *days)
{
    unsigned year;
    unsigned month;
    unsigned day;
    if (!take_digits(c, 4, 9999, &year) || !take_char(c, '-', '-') ||
        !take_digits(c, 2, 12, &month) || month == 0 ||
        !take_char(c, '-', '-') ||
        !take_digits(c, 2, days_in_month(year, month), &day) || day == 0)
        return false;
    *days = days_from_civil(year, month, day);
    return true;
}

static bool take_time(struct cursor *c, int64_t *ms)
{
    unsigned hour;
    unsigned minute;
    unsigned second;
    if (!take_digits(c, 2, 23, &hour) || !take_char(c, ':', ':') ||
        !take_digits(c, 2, 59, &minute) || !take_char(c, ':', ':') ||
        !take_digits(c, 2, 60, &second))
        return false;
    unsigned fraction = 0;
    if (take_char(c, '.', '.')) {
        unsigned digit;
        unsigned weight = 100;
        if (c->p == c->end || *c->p < '0' || *c->p > '9')
            return false;
        while (c->p != c->end && take_digits(c, 1, 9, &digit)) {
            fraction += digit * weight;
            weight /= 10;
        }
    }
    if (second == 60)
        second = 59;
    *ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + fraction;
    return true;
}

static bool take_offset(struct cursor *c, int64_t *ms)
{
    *ms = 0;
    if (take_char(c, 'Z', 'z'))
        return true;
    bool west = c->p != c->end && *c->p == '-';
    unsigned hour;
    unsigned minute;
    if (!take_char(c, '+', '-') || !take_digits(c, 2, 23, &hour) ||
        !take_char(c, ':', ':') || !take_digits(c, 2, 59, &minute))
        return false;
    *ms = (hour * 60 + minute) * INT64_C(60000);
    if (west)
        *ms = -*ms;
    return true;
}

enum ves_status ves_time_parse(struct ves_bytes text, int64_t *unix_ms)
{
    if (text.len == 0)
        return VES_MALFORMED;
    struct cursor c = {text.ptr, text.ptr + text.len};
    int64_t days;
    int64_t time_ms;
    int64_t offset_ms;
    if (!take_date(&c, &days) || !take_char(&c, 'T', 't') ||
        !take_time(&c, &time_ms) || !take_offset(&c, &offset_ms) ||
        c.p != c.end)
        return VES_MALFORMED;
    if (unix_ms)
        *unix_ms = days * MS_PER_DAY + time_ms - offset_ms;
    return VES_OK;
}

static char *put_digits(char *out, unsigned value, unsigned count)
{
    for (unsigned i = count; i > 0; i--) {
        out[i - 1] = (char)('0' + value % 10);
        value /= 10;
    }
    return out + count;
}

void ves_time_format(int64_t unix_ms, char out[VES_TIME_TEXT + 1])
{
    if (unix_ms < DAY_FIRST * MS_PER_DAY)
        unix_ms = DAY_FIRST * MS_PER_DAY;
    if (unix_ms > DAY_END * MS_PER_DAY - 1)
        unix_ms = DAY_END * MS_PER_DAY - 1;
    int64_t days = unix_ms / MS_PER_DAY;
    if (unix_ms % MS_PER_DAY < 0)
        days--;
    unsigned ms = (unsigned)(unix_ms - days * MS_PER_DAY);
    unsigned year;
    unsigned month;
    unsigned day;
    civil_from_days(days, &year, &month, &day);
    out = put_digits(out, year, 4);
    *out++ = '-';
    out = put_digits(out, month, 2);
    *out++ = '-';
    out = put_digits(out, day, 2);
    *out++ = 'T';
    out = put_digits(out, ms / 3600000, 2);
    *out++ = ':';
    out = put_digits(out, ms / 60000 % 60, 2);
    *out++ = ':';
    out = put_digits(out, ms / 1000 % 60, 2);
    *out++ = '.';
    out = put_digits(out, ms % 1000, 3);
    *out++ = 'Z';
    *out = '\0';
}
