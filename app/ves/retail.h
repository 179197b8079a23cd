/* retail.h -- invoice rows out of CSV in the columns of UCI "Online Retail".
 *
 *     InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,
 *     CustomerID,Country
 *
 * Quoting as RFC 4180.  A row that cannot be read is reported with its line
 * and a reason and left out; nothing is guessed.
 */
#ifndef VES_APP_RETAIL_H
#define VES_APP_RETAIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct retail_row {
    size_t line;    /* where the row begins, 1 is the header */
    size_t ordinal; /* place among the rows of its invoice, from 0, wherever
                       they stand in the file; rows that cannot be read count
                       too when their invoice number can */
    const char *invoice; /* NUL-terminated UTF-8, owned by the sheet */
    const char *stock_code;
    const char *description;   /* "" when empty */
    const char *date;          /* as written */
    const char *price;         /* decimal text as written */
    const char *customer;      /* without ".0"; "" when unknown */
    const char *country;       /* "" when empty */
    bool is_first_of_customer; /* no earlier row of the file names it */
    int64_t quantity;
    bool has_price_minor; /* price has at most two decimals */
    int64_t price_minor;  /* hundredths */
};

struct retail_sheet {
    struct retail_row *rows; /* in the order of the file */
    size_t count;
    size_t unreadable;
    void *text; /* all strings */
};

/* Told of every row that is left out. */
typedef void retail_complaint(void *ctx, size_t line, const char *reason);

/* Reads a whole file's bytes.  0, or -1 with *reason (static) when it is no
 * such file at all (wrong header) or memory is out; *sheet is then empty. */
int retail_read(const char *bytes, size_t len, retail_complaint *complain,
                void *ctx, struct retail_sheet *sheet, const char **reason);
void retail_free(struct retail_sheet *sheet);

/* Is the invoice a cancellation (its number begins with C)? */
bool retail_is_return(const char *invoice);

#endif
