/* fuzz_retail.c -- any bytes as an invoice file, and as rows below its header.
 *
 * Asserted: every string of a row stands in the input (quotes may be doubled
 * there), line numbers grow, ordinals are the places of the rows in their
 * invoice, every complaint has a line and words, and a file that is refused
 * leaves nothing behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "app/ves/retail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(cond) ((cond) ? (void)0 : abort())

static const char header[] = "InvoiceNo,StockCode,Description,Quantity,"
                             "InvoiceDate,UnitPrice,CustomerID,Country\n";

struct input {
    const char *bytes;
    size_t len;
};

struct complaints {
    size_t count, last_line;
};

static void complain(void *ctx, size_t line, const char *reason)
{
    struct complaints *complaints = ctx;

    REQUIRE(line > 1 && line > complaints->last_line);
    REQUIRE(reason[0] != '\0');
    complaints->last_line = line;
    complaints->count++;
}

static void require_in_input(const struct input *input, const char *text)
{
    size_t len = strlen(text), n = 0;
    char *doubled;

    if (len == 0 || memmem(input->bytes, input->len, text, len))
        return;
    doubled = malloc(2 * len);
    REQUIRE(doubled);
    for (size_t i = 0; i < len; i++) {
        doubled[n++] = text[i];
        if (text[i] == '"')
            doubled[n++] = '"';
    }
    REQUIRE(memmem(input->bytes, input->len, doubled, n));
    free(doubled);
}

/* Places in the invoice: dense, unless rows that could not be read took some.
 */
static void check_ordinals(const struct retail_sheet *sheet)
{
    for (size_t i = 0; i < sheet->count; i++) {
        const struct retail_row *row = &sheet->rows[i];
        size_t before = 0, last = 0;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(sheet->rows[k].invoice, row->invoice) != 0)
                continue;
            before++;
            last = sheet->rows[k].ordinal + 1;
        }
        REQUIRE(row->ordinal >= last && row->ordinal >= before);
        REQUIRE(row->ordinal - before <= sheet->unreadable);
    }
}

static void check_row(const struct input *input, const struct retail_row *row)
{
    REQUIRE(row->invoice[0] && row->stock_code[0]);
    require_in_input(input, row->invoice);
    require_in_input(input, row->stock_code);
    require_in_input(input, row->description);
    require_in_input(input, row->date);
    require_in_input(input, row->price);
    require_in_input(input, row->customer);
    require_in_input(input, row->country);
    REQUIRE(row->customer[strspn(row->customer, "0123456789")] == '\0');
    if (row->has_price_minor)
        REQUIRE((row->price_minor < 0) <= (row->price[0] == '-'));
}

static void try_bytes(const char *bytes, size_t len)
{
    const struct input input = {bytes, len};
    struct complaints complaints = {0, 0};
    struct retail_sheet sheet;
    const char *reason = NULL;
    size_t line = 1, lines = 1;

    for (size_t i = 0; i < len; i++)
        lines += bytes[i] == '\n';
    if (retail_read(bytes, len, complain, &complaints, &sheet, &reason)) {
        REQUIRE(reason && reason[0] && !sheet.rows && sheet.count == 0);
        return;
    }
    REQUIRE(sheet.unreadable == complaints.count);
    for (size_t i = 0; i < sheet.count; i++) {
        REQUIRE(sheet.rows[i].line > line && sheet.rows[i].line <= lines);
        line = sheet.rows[i].line;
        check_row(&input, &sheet.rows[i]);
    }
    check_ordinals(&sheet);
    retail_free(&sheet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const size_t head = sizeof(header) - 1;
    char *text = malloc(head + size);

    REQUIRE(text);
    if (size > 64 * 1024)
        size = 64 * 1024;
    memcpy(text, header, head);
    if (size > 0)
        memcpy(text + head, data, size);
    /* Exactly as long as it is, so that reading on is seen. */
    try_bytes(text + head, size);
    try_bytes(text, head + size);
    free(text);
    return 0;
}
