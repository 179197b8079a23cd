/* retail.c -- invoice rows out of CSV in the columns of UCI "Online Retail". */
#include "retail.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS = 8,
    FIELD_MAX = 4096,
    RECORD_LINES_MAX = 64, /* an open quote must not swallow the file */
    QUANTITY_DIGITS = 12,
    PRICE_DIGITS = 12
};

enum { INVOICE, CODE, NAME, QUANTITY, DATE, PRICE, CUSTOMER, COUNTRY };

static const char *const header[COLUMNS] = {
    "InvoiceNo",   "StockCode", "Description", "Quantity",
    "InvoiceDate", "UnitPrice", "CustomerID",  "Country"};

/* The fields of the record that is being read. */
struct record {
    char field[COLUMNS][FIELD_MAX];
    size_t columns;
    bool is_too_long;
    bool is_complete;
};

struct reader {
    struct retail_sheet *sheet;
    size_t row_capacity;
    char *text; /* room for every string the input can hold */
    size_t text_len;
    retail_complaint *complain;
    void *ctx;
};

static void on_field(void *data, size_t len, void *ctx)
{
    struct record *record = ctx;

    if (record->columns < COLUMNS && len < FIELD_MAX) {
        memcpy(record->field[record->columns], data, len);
        record->field[record->columns][len] = '\0';
        if (memchr(data, '\0', len))
            record->is_too_long = true;
    } else if (len >= FIELD_MAX) {
        record->is_too_long = true;
    }
    record->columns++;
}

static void on_record(int terminator, void *ctx)
{
    struct record *record = ctx;

    (void)terminator;
    record->is_complete = true;
}

/* Blanks belong to the fields they stand in. */
static int no_space(unsigned char c)
{
    (void)c;
    return 0;
}

/* One record from bytes on.  Returns the bytes it took, with *lines; 0 when its
 * quotes are wrong. */
static size_t read_record(const char *bytes, size_t len, struct record *record,
                          size_t *lines)
{
    struct csv_parser parser;
    size_t taken = 0;

    record->columns = 0;
    record->is_too_long = record->is_complete = false;
    *lines = 0;
    if (csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI | CSV_REPALL_NL) != 0)
        return 0;
    csv_set_space_func(&parser, no_space);
    while (taken < len && !record->is_complete && *lines < RECORD_LINES_MAX) {
        const char *end = memchr(bytes + taken, '\n', len - taken);
        size_t n = end ? (size_t)(end - bytes) + 1 - taken : len - taken;
        if (csv_parse(&parser, bytes + taken, n, on_field, on_record, record) !=
            n)
            break;
        taken += n;
        ++*lines;
    }
    if (!record->is_complete && taken == len &&
        csv_fini(&parser, on_field, on_record, record) != 0)
        record->is_complete = false;
    csv_free(&parser);
    /* A blank line is a record without fields. */
    if (!record->is_complete && record->columns == 0 && taken > 0)
        return taken;
    return record->is_complete ? taken : 0;
}

static bool utf8_is_valid(const char *text)
{
    const unsigned char *p = (const unsigned char *)text;

    while (*p) {
        int more = *p < 0x80 ? 0 : *p >> 5 == 6 ? 1 : *p >> 4 == 14 ? 2 : 3;
        uint32_t c = *p;
        if (more) {
            if ((more == 3 && *p >> 3 != 30))
                return false;
            c = *p & (0x3fu >> more);
        }
        for (int i = 0; i < more; i++) {
            if ((*++p & 0xc0) != 0x80)
                return false;
            c = c << 6 | (*p & 0x3f);
        }
        static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
        if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
            return false;
        p++;
    }
    return true;
}

/* "-12" */
static bool read_quantity(const char *text, int64_t *out)
{
    const char *p = text + (*text == '-');
    int64_t value = 0;

    if (!*p || strspn(p, "0123456789") != strlen(p) ||
        strlen(p) > QUANTITY_DIGITS)
        return false;
    for (; *p; p++)
        value = value * 10 + (*p - '0');
    *out = *text == '-' ? -value : value;
    return true;
}

/* "-2.55": is it a decimal, and is it whole hundredths? */
static bool read_price(const char *text, struct retail_row *row)
{
    const char *p = text + (*text == '-');
    size_t whole = strspn(p, "0123456789");
    const char *fraction = p + whole;
    int64_t value = 0;

    if (whole == 0 || whole > PRICE_DIGITS)
        return false;
    if (*fraction == '.') {
        size_t digits = strspn(++fraction, "0123456789");
        if (digits == 0 || digits > PRICE_DIGITS || fraction[digits])
            return false;
    } else if (*fraction) {
        return false;
    }
    for (size_t i = 0; i < whole; i++)
        value = value * 10 + (p[i] - '0');
    for (int i = 0; i < 2; i++)
        value = value * 10 + (*fraction ? *fraction++ - '0' : 0);
    row->has_price_minor = strspn(fraction, "0") == strlen(fraction);
    row->price_minor = *text == '-' ? -value : value;
    return true;
}

/* "17850.0" or "17850" or "" */
static bool trim_customer(char *text)
{
    size_t digits = strspn(text, "0123456789");

    if (strcmp(text + digits, ".0") == 0)
        text[digits] = '\0';
    return text[digits] == '\0';
}

static const char *keep(struct reader *reader, const char *text)
{
    char *to = reader->text + reader->text_len;
    size_t n = strlen(text) + 1;

    memcpy(to, text, n);
    reader->text_len += n;
    return to;
}

/* NULL when the record is a row; else why it is not. */
static const char *take_row(struct reader *reader, struct record *record,
                            struct retail_row *row)
{
    if (record->columns != COLUMNS)
        return "it does not have 8 columns";
    if (record->is_too_long)
        return "a field is longer than 4,095 bytes or holds a NUL";
    for (size_t i = 0; i < COLUMNS; i++)
        if (!utf8_is_valid(record->field[i]))
            return "a field is not valid UTF-8";
    if (!record->field[INVOICE][0])
        return "InvoiceNo is empty";
    if (!record->field[CODE][0])
        return "StockCode is empty";
    if (strlen(record->field[INVOICE]) > 128 ||
        strlen(record->field[CODE]) > 128)
        return "InvoiceNo or StockCode is longer than 128 bytes";
    if (!read_quantity(record->field[QUANTITY], &row->quantity))
        return "Quantity is not a whole number";
    if (!read_price(record->field[PRICE], row))
        return "UnitPrice is not a decimal number";
    if (!trim_customer(record->field[CUSTOMER]))
        return "CustomerID is not a number";
    row->invoice = keep(reader, record->field[INVOICE]);
    row->stock_code = keep(reader, record->field[CODE]);
    row->description = keep(reader, record->field[NAME]);
    row->date = keep(reader, record->field[DATE]);
    row->price = keep(reader, record->field[PRICE]);
    row->customer = keep(reader, record->field[CUSTOMER]);
    row->country = keep(reader, record->field[COUNTRY]);
    return NULL;
}

static bool add_row(struct reader *reader, const struct retail_row *row)
{
    struct retail_sheet *sheet = reader->sheet;

    if (sheet->count == reader->row_capacity) {
        size_t more = reader->row_capacity ? 2 * reader->row_capacity : 1024;
        struct retail_row *rows =
            realloc(sheet->rows, more * sizeof(*sheet->rows));
        if (!rows)
            return false;
        sheet->rows = rows;
        reader->row_capacity = more;
    }
    sheet->rows[sheet->count++] = *row;
    return true;
}

/* A row that cannot be read still takes its place in its invoice, so that the
 * ids of its neighbours stay the same when somebody mends it. */
static bool add_unreadable(struct reader *reader, const struct record *record,
                           size_t line)
{
    struct retail_row row = {.line = line};

    reader->sheet->unreadable++;
    if (record->columns == 0 || record->is_too_long ||
        !record->field[INVOICE][0] || !utf8_is_valid(record->field[INVOICE]))
        return true;
    row.invoice = keep(reader, record->field[INVOICE]);
    return add_row(reader, &row);
}

static bool is_blank_line(const char *bytes, size_t len)
{
    while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
        len--;
    return len == 0;
}

static int read_rows(struct reader *reader, struct record *record,
                     const char *bytes, size_t len, const char **reason)
{
    size_t at = 0, line = 2, lines; /* the header was line 1 */

    while (at < len) {
        struct retail_row row = {.line = line};
        const char *wrong = "its quotes do not match";
        size_t taken = read_record(bytes + at, len - at, record, &lines);

        if (taken == 0) {
            const char *end = memchr(bytes + at, '\n', len - at);
            taken = end ? (size_t)(end - (bytes + at)) + 1 : len - at;
            lines = 1;
            record->columns = 0;
        } else if (record->columns > 0) {
            wrong = take_row(reader, record, &row);
        }
        bool is_blank = is_blank_line(bytes + at, taken);
        bool is_kept = true;
        if (wrong && !is_blank) {
            if (reader->complain)
                reader->complain(reader->ctx, line, wrong);
            is_kept = add_unreadable(reader, record, line);
        } else if (!is_blank) {
            is_kept = add_row(reader, &row);
        }
        if (!is_kept) {
            *reason = "out of memory";
            return -1;
        }
        at += taken;
        line += lines;
    }
    return 0;
}

static int by_invoice(const void *a, const void *b)
{
    const struct retail_row *x = *(struct retail_row *const *)a;
    const struct retail_row *y = *(struct retail_row *const *)b;
    int order = strcmp(x->invoice, y->invoice);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_customer(const void *a, const void *b)
{
    const struct retail_row *x = *(struct retail_row *const *)a;
    const struct retail_row *y = *(struct retail_row *const *)b;
    int order = strcmp(x->customer, y->customer);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static void mark_customers(struct retail_sheet *sheet,
                           struct retail_row **sorted)
{
    for (size_t i = 0; i < sheet->count; i++)
        sorted[i] = &sheet->rows[i];
    qsort(sorted, sheet->count, sizeof(struct retail_row *), by_customer);
    for (size_t i = 0; i < sheet->count; i++)
        sorted[i]->is_first_of_customer =
            sorted[i]->customer[0] &&
            (i == 0 ||
             strcmp(sorted[i]->customer, sorted[i - 1]->customer) != 0);
}

/* Numbers the rows of each invoice, wherever they stand in the file, takes out
 * those that could not be read, and marks each customer's first. */
static bool number_rows(struct retail_sheet *sheet)
{
    struct retail_row **sorted =
        calloc(sheet->count ? sheet->count : 1, sizeof(struct retail_row *));
    size_t kept = 0;

    if (!sorted)
        return false;
    for (size_t i = 0; i < sheet->count; i++)
        sorted[i] = &sheet->rows[i];
    qsort(sorted, sheet->count, sizeof(*sorted), by_invoice);
    for (size_t i = 1; i < sheet->count; i++)
        if (strcmp(sorted[i]->invoice, sorted[i - 1]->invoice) == 0)
            sorted[i]->ordinal = sorted[i - 1]->ordinal + 1;
    for (size_t i = 0; i < sheet->count; i++)
        if (sheet->rows[i].stock_code)
            sheet->rows[kept++] = sheet->rows[i];
    sheet->count = kept;
    mark_customers(sheet, sorted);
    free(sorted);
    return true;
}

static bool header_is_right(const char *bytes, size_t len,
                            struct record *record, size_t *taken)
{
    size_t lines;
    /* A byte order mark, as spreadsheets write it. */
    size_t mark = len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    *taken = read_record(bytes + mark, len - mark, record, &lines);
    if (*taken == 0 || lines != 1 || record->columns != COLUMNS)
        return false;
    *taken += mark;
    for (size_t i = 0; i < COLUMNS; i++)
        if (strcmp(record->field[i], header[i]) != 0)
            return false;
    return true;
}

int retail_read(const char *bytes, size_t len, retail_complaint *complain,
                void *ctx, struct retail_sheet *sheet, const char **reason)
{
    struct record *record = calloc(1, sizeof(*record));
    struct reader reader = {.sheet = sheet, .complain = complain, .ctx = ctx};
    size_t taken = 0;
    int result = -1;

    memset(sheet, 0, sizeof(*sheet));
    /* Every field ends at a comma or line end, which pays for its NUL; the
     * last may not. */
    reader.text = malloc(len + COLUMNS + 1);
    sheet->text = reader.text;
    *reason = "out of memory";
    if (record && reader.text) {
        if (header_is_right(bytes, len, record, &taken))
            result =
                read_rows(&reader, record, bytes + taken, len - taken, reason);
        else
            *reason = "the first line is not the header InvoiceNo,StockCode,"
                      "Description,Quantity,InvoiceDate,UnitPrice,CustomerID,"
                      "Country";
    }
    free(record);
    if (!result && !number_rows(sheet)) {
        *reason = "out of memory";
        result = -1;
    }
    if (result)
        retail_free(sheet);
    return result;
}

void retail_free(struct retail_sheet *sheet)
{
    free(sheet->rows);
    free(sheet->text);
    memset(sheet, 0, sizeof(*sheet));
}

bool retail_is_return(const char *invoice)
{
    return invoice[0] == 'C';
}
