/* cmd_import.c -- ves import: a shop's invoices become events.
 *
 * One order.created or return.created per invoice, one customer.created at a
 * customer's first sight, one inventory.adjusted per row.  Ids are made from
 * what the rows say, so that importing twice adds nothing.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "retail.h"

static const struct cli_option options[] = {
    {"format", "online-retail", "columns of the file"},
    {"currency", "CODE", "currency of the prices, ISO 4217 (default GBP)"},
    {"dry-run", NULL, "only read and count"},
    {NULL, NULL, NULL}};

enum {
    FILE_MAX = 512 * 1024 * 1024,
    PAYLOAD_MAX = 2 * 1024 * 1024,
    /* Rows between commits: large enough that syncing to disk does not count,
     * small enough that another process waits a moment only. */
    ROWS_PER_COMMIT = 2000,
    COMPLAINTS_MAX = 20
};

static const char FORMAT[] = "online-retail";

struct import {
    struct cli *cli;
    struct ves_agent *agent;
    const char *currency;
    bool is_dry;
    struct ves_jw *payload;
    struct ves_jw *complaints;                        /* with --json */
    uint64_t orders, returns, customers, adjustments; /* appended */
    uint64_t already; /* events that were there */
    uint64_t complained;
};

/* Rows of one invoice; they need not stand together in the file. */
struct invoice {
    const struct retail_row **rows;
    size_t count;
};

static void complain(void *ctx, size_t line, const char *reason)
{
    struct import *import = ctx;

    import->complained++;
    if (import->complaints) {
        ves_jw_object(import->complaints);
        ves_jw_key(import->complaints, "line");
        ves_jw_u64(import->complaints, line);
        ves_jw_key(import->complaints, "reason");
        ves_jw_str(import->complaints, reason);
        ves_jw_end(import->complaints);
    } else if (import->complained <= COMPLAINTS_MAX) {
        fprintf(stderr, "line %zu skipped: %s\n", line, reason);
    } else if (import->complained == COMPLAINTS_MAX + 1) {
        fputs("more lines skipped; --json lists them all\n", stderr);
    }
}

static void member(struct ves_jw *jw, const char *name, const char *value)
{
    if (!*value)
        return;
    ves_jw_key(jw, name);
    ves_jw_str(jw, value);
}

static void decimal(struct ves_jw *jw, const char *name, int64_t value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    member(jw, name, text);
}

/* Appends one event unless it is there; *counter counts the appended. */
static enum ves_status add(struct import *import, const char *type,
                           const char *aggregate_id, const char *number,
                           size_t ordinal, uint64_t *counter)
{
    struct ves_append what = {.type = type, .aggregate_id = aggregate_id};
    struct ves_uuid id, appended;
    bool is_there = false;

    ves_import_id(import->agent, FORMAT, type, number, ordinal, &id);
    enum ves_status status =
        ves_agent_has_event(import->agent, &id, &is_there, &import->cli->error);
    if (status)
        return status;
    if (is_there) {
        import->already++;
        return VES_OK;
    }
    ++*counter;
    if (import->is_dry)
        return VES_OK;
    status = ves_jw_status(import->payload);
    if (status)
        return status;
    what.event_id = &id;
    what.payload = ves_jw_view(import->payload);
    return ves_append(import->agent, &what, &appended, &import->cli->error);
}

static enum ves_status add_customer(struct import *import,
                                    const struct retail_row *row)
{
    struct ves_jw *jw = import->payload;

    ves_jw_reset(jw);
    ves_jw_object(jw);
    member(jw, "customer_id", row->customer);
    member(jw, "country", row->country);
    member(jw, "source", FORMAT);
    ves_jw_end(jw);
    return add(import, "customer.created", row->customer, row->customer, 0,
               &import->customers);
}

static void write_line(struct ves_jw *jw, const struct retail_row *row,
                       bool is_return)
{
    int64_t quantity = is_return ? -row->quantity : row->quantity;

    ves_jw_object(jw);
    decimal(jw, "line_uid", (int64_t)row->ordinal);
    member(jw, "product_id", row->stock_code);
    member(jw, "name", row->description);
    decimal(jw, "quantity", quantity);
    member(jw, "unit_price", row->price);
    /* Not every price is whole hundredths; then the decimal text stands
     * alone. */
    if (row->has_price_minor) {
        ves_jw_key(jw, "unit_price_minor");
        ves_jw_i64(jw, row->price_minor);
    }
    ves_jw_end(jw);
}

/* Sum of the lines in minor units, if every price has them. */
static bool total(const struct invoice *invoice, int64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < invoice->count; i++) {
        int64_t line;
        if (!invoice->rows[i]->has_price_minor ||
            __builtin_mul_overflow(invoice->rows[i]->price_minor,
                                   invoice->rows[i]->quantity, &line) ||
            __builtin_add_overflow(*out, line, out))
            return false;
    }
    return *out <= INT64_C(9007199254740991) &&
           *out >= -INT64_C(9007199254740991);
}

static enum ves_status add_document(struct import *import,
                                    const struct invoice *invoice)
{
    const struct retail_row *first = invoice->rows[0];
    bool is_return = retail_is_return(first->invoice);
    struct ves_jw *jw = import->payload;
    int64_t sum;

    ves_jw_reset(jw);
    ves_jw_object(jw);
    member(jw, is_return ? "return_number" : "order_number", first->invoice);
    member(jw, "currency", import->currency);
    member(jw, "customer_id", first->customer);
    member(jw, "country", first->country);
    member(jw, is_return ? "returned_at" : "ordered_at", first->date);
    member(jw, "source", FORMAT);
    ves_jw_key(jw, "lines");
    ves_jw_array(jw);
    for (size_t i = 0; i < invoice->count; i++)
        write_line(jw, invoice->rows[i], is_return);
    ves_jw_end(jw);
    if (total(invoice, &sum)) {
        ves_jw_key(jw, "totals");
        ves_jw_object(jw);
        ves_jw_key(jw, "total_minor");
        ves_jw_i64(jw, is_return ? -sum : sum);
        ves_jw_end(jw);
    }
    ves_jw_end(jw);
    return add(import, is_return ? "return.created" : "order.created",
               first->invoice, first->invoice, 0,
               is_return ? &import->returns : &import->orders);
}

static enum ves_status add_adjustment(struct import *import,
                                      const struct retail_row *row)
{
    bool is_return = retail_is_return(row->invoice);
    struct ves_jw *jw = import->payload;

    ves_jw_reset(jw);
    ves_jw_object(jw);
    member(jw, "product_id", row->stock_code);
    decimal(jw, "delta", -row->quantity);
    member(jw, "reason_code", is_return ? "return" : "sale");
    member(jw, is_return ? "return_id" : "order_id", row->invoice);
    ves_jw_end(jw);
    return add(import, "inventory.adjusted", row->stock_code, row->invoice,
               row->ordinal, &import->adjustments);
}

/* All events of one invoice, in one transaction. */
static enum ves_status add_invoice(struct import *import,
                                   const struct invoice *invoice)
{
    enum ves_status status = VES_OK;

    for (size_t i = 0; !status && i < invoice->count; i++)
        if (invoice->rows[i]->is_first_of_customer)
            status = add_customer(import, invoice->rows[i]);
    if (!status)
        status = add_document(import, invoice);
    for (size_t i = 0; !status && i < invoice->count; i++)
        status = add_adjustment(import, invoice->rows[i]);
    return status;
}

static int by_invoice(const void *a, const void *b)
{
    const struct retail_row *x = *(const struct retail_row *const *)a;
    const struct retail_row *y = *(const struct retail_row *const *)b;
    int order = strcmp(x->invoice, y->invoice);

    return order ? order : (x->line > y->line) - (x->line < y->line);
}

static int by_first_line(const void *a, const void *b)
{
    const struct invoice *x = a, *y = b;

    return (x->rows[0]->line > y->rows[0]->line) -
           (x->rows[0]->line < y->rows[0]->line);
}

/* Rows sorted into invoices, invoices in the order of the file.  NULL when
 * memory is out. */
static struct invoice *group(const struct retail_sheet *sheet,
                             const struct retail_row ***rows, size_t *count)
{
    struct invoice *invoices =
        calloc(sheet->count ? sheet->count : 1, sizeof(*invoices));

    *rows = calloc(sheet->count ? sheet->count : 1, sizeof(**rows));
    *count = 0;
    if (!invoices || !*rows) {
        free(invoices);
        return NULL;
    }
    for (size_t i = 0; i < sheet->count; i++)
        (*rows)[i] = &sheet->rows[i];
    qsort(*rows, sheet->count, sizeof(**rows), by_invoice);
    for (size_t i = 0; i < sheet->count; i++) {
        if (i == 0 || strcmp((*rows)[i]->invoice, (*rows)[i - 1]->invoice) != 0)
            invoices[(*count)++].rows = &(*rows)[i];
        invoices[*count - 1].count++;
    }
    qsort(invoices, *count, sizeof(*invoices), by_first_line);
    return invoices;
}

/* Appends everything, a few thousand rows to a transaction. */
static enum ves_status add_all(struct import *import,
                               const struct invoice *invoices, size_t count,
                               size_t rows)
{
    enum ves_status status = VES_OK;
    size_t done = 0, open = 0;

    for (size_t i = 0; !status && i < count && !cli_is_stopped(); i++) {
        if (open == 0 && !import->is_dry)
            status = ves_agent_begin(import->agent, &import->cli->error);
        if (!status)
            status = add_invoice(import, &invoices[i]);
        done += invoices[i].count;
        open += invoices[i].count;
        if (!status && !import->is_dry &&
            (open >= ROWS_PER_COMMIT || i + 1 == count || cli_is_stopped())) {
            status = ves_agent_commit(import->agent, &import->cli->error);
            open = 0;
            cli_progress(import->cli, "import", done, rows);
        }
    }
    if (open && !import->is_dry) {
        if (status)
            ves_agent_rollback(import->agent);
        else
            status = ves_agent_commit(import->agent, &import->cli->error);
    }
    return status;
}

static int report(struct import *import, const struct retail_sheet *sheet)
{
    struct cli *cli = import->cli;
    uint64_t appended = import->orders + import->returns + import->customers +
                        import->adjustments;
    int code = sheet->unreadable ? CLI_PARTIAL : CLI_DONE;

    if (!cli->is_json) {
        printf("%s%llu events from %zu rows: %llu orders, %llu returns, %llu "
               "customers, %llu stock changes",
               import->is_dry ? "would append " : "appended ",
               (unsigned long long)appended, sheet->count,
               (unsigned long long)import->orders,
               (unsigned long long)import->returns,
               (unsigned long long)import->customers,
               (unsigned long long)import->adjustments);
        if (import->already)
            printf("; %llu were there already",
                   (unsigned long long)import->already);
        if (sheet->unreadable)
            printf("; %zu rows skipped", sheet->unreadable);
        putchar('\n');
        return code;
    }
    struct ves_jw *jw = cli_writer();
    ves_jw_object(jw);
    ves_jw_key(jw, "rows");
    ves_jw_u64(jw, sheet->count);
    ves_jw_key(jw, "appended");
    ves_jw_u64(jw, appended);
    ves_jw_key(jw, "orders");
    ves_jw_u64(jw, import->orders);
    ves_jw_key(jw, "returns");
    ves_jw_u64(jw, import->returns);
    ves_jw_key(jw, "customers");
    ves_jw_u64(jw, import->customers);
    ves_jw_key(jw, "adjustments");
    ves_jw_u64(jw, import->adjustments);
    ves_jw_key(jw, "alreadyThere");
    ves_jw_u64(jw, import->already);
    ves_jw_key(jw, "dryRun");
    ves_jw_bool(jw, import->is_dry);
    ves_jw_key(jw, "skipped");
    ves_jw_raw(jw, ves_jw_view(import->complaints));
    ves_jw_end(jw);
    int printed = cli_print(jw);
    return printed ? printed : code;
}

static enum ves_status import_sheet(struct import *import,
                                    const struct retail_sheet *sheet)
{
    const struct retail_row **rows = NULL;
    size_t count = 0;
    struct invoice *invoices = group(sheet, &rows, &count);
    enum ves_status status = VES_NOMEM;

    if (invoices)
        status = add_all(import, invoices, count, sheet->count);
    free(invoices);
    free(rows);
    return status;
}

static bool currency_is_valid(const char *text)
{
    return strlen(text) == 3 && isupper((unsigned char)text[0]) &&
           isupper((unsigned char)text[1]) && isupper((unsigned char)text[2]);
}

static int import_bytes(struct import *import, const char *bytes, size_t len)
{
    struct cli *cli = import->cli;
    struct retail_sheet sheet;
    const char *reason;

    if (cli->is_json) {
        import->complaints = cli_writer();
        ves_jw_array(import->complaints);
    }
    if (retail_read(bytes, len, complain, import, &sheet, &reason)) {
        snprintf(cli->error.text, sizeof(cli->error.text),
                 "%s: %s; nothing was imported", cli->argv[0], reason);
        return cli_fail(cli, VES_MALFORMED);
    }
    if (import->complaints)
        ves_jw_end(import->complaints);
    cli_catch_signals();
    enum ves_status status = import_sheet(import, &sheet);
    cli_progress_end(cli);
    int code = status ? cli_fail_here(cli, status) : report(import, &sheet);
    if (!status && cli_is_stopped()) {
        fputs("ves import: interrupted; what is counted above is in, the same "
              "command goes on with the rest\n",
              stderr);
        code = CLI_PARTIAL;
    }
    retail_free(&sheet);
    return code;
}

static int run(struct cli *cli)
{
    struct import import = {.cli = cli,
                            .currency = cli_get(cli, "currency"),
                            .is_dry = cli_get(cli, "dry-run") != NULL};
    char path[4096];
    size_t len;

    if (!cli_get(cli, "format") || strcmp(cli_get(cli, "format"), FORMAT) != 0)
        cli_usage(cli, "--format %s is needed; there is no other yet", FORMAT);
    if (!import.currency)
        import.currency = "GBP";
    if (!currency_is_valid(import.currency))
        cli_usage(cli, "--currency takes three capital letters");
    snprintf(path, sizeof(path), "%s%s",
             strcmp(cli->argv[0], "-") == 0 ? "" : "@", cli->argv[0]);
    char *bytes = cli_read_argument(cli, path, FILE_MAX, &len);
    if (!bytes)
        return cli_fail(cli, VES_IO);
    int code = cli_open(cli, false, &import.agent);
    if (!code) {
        import.payload = ves_jw_new(ves_alloc_default(), PAYLOAD_MAX);
        code = import.payload ? import_bytes(&import, bytes, len)
                              : cli_fail(cli, VES_NOMEM);
        ves_jw_free(import.payload);
        ves_jw_free(import.complaints);
        ves_agent_close(import.agent);
    }
    free(bytes);
    return code;
}

const struct cli_command cli_cmd_import = {
    .name = "import",
    .args = "FILE",
    .summary = "turn a file of invoices into events",
    .args_min = 1,
    .args_max = 1,
    .is_store = true,
    .options = options,
    .run = run,
};
