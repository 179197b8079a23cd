/* nearest.c -- which name was meant. */
#include "base/nearest.h"

enum { NAME_COMPARED = 48 }; /* bytes of a name that are looked at */

/* Lower case, without "_" and "-": what people get wrong first. */
static size_t simplify(struct ves_bytes name, char out[NAME_COMPARED])
{
    size_t n = 0;
    for (size_t i = 0; i < name.len && n < NAME_COMPARED; i++) {
        uint8_t c = name.ptr[i];
        if (c == '_' || c == '-')
            continue;
        out[n++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return n;
}

/* Letters to add, drop or change (Levenshtein). */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
    size_t row[NAME_COMPARED + 1];
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

int ves_nearest(struct ves_bytes wrong, const struct ves_bytes *names,
                size_t count)
{
    char a[NAME_COMPARED], b[NAME_COMPARED];
    size_t n = simplify(wrong, a), best = SIZE_MAX;
    int found = -1;

    for (size_t i = 0; i < count; i++) {
        size_t m = simplify(names[i], b);
        size_t d = distance(a, n, b, m);
        if (d < best && d <= 1 + m / 4) {
            best = d;
            found = (int)i;
        }
    }
    return found;
}
