/* test_retail.c -- the CSV reader of `ves import`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "app/ves/retail.h"

#define HEADER                                                        \
    "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice," \
    "CustomerID,Country\n"
#define ROW(invoice) invoice ",22423,CAKESTAND,2,2011-01-04,12.75,13094,UK\n"

static struct retail_sheet sheet;
static const char *reason;
static size_t bad_lines[16];
static const char *bad_reasons[16];
static size_t bad_count;

static void note(void *ctx, size_t line, const char *why)
{
    (void)ctx;
    assert_true(bad_count < sizeof(bad_lines) / sizeof(bad_lines[0]));
    bad_lines[bad_count] = line;
    bad_reasons[bad_count++] = why;
}

static int read_bytes(const char *bytes, size_t len)
{
    char *exact = malloc(len ? len : 1);

    assert_non_null(exact);
    memcpy(exact, bytes, len);
    bad_count = 0;
    int result = retail_read(exact, len, note, NULL, &sheet, &reason);
    free(exact);
    return result;
}

static void read_text(const char *text)
{
    retail_free(&sheet);
    assert_int_equal(read_bytes(text, strlen(text)), 0);
    assert_int_equal(sheet.unreadable, bad_count);
}

static int forget(void **state)
{
    (void)state;
    retail_free(&sheet);
    return 0;
}

static void a_row_is_read_whole(void **state)
{
    (void)state;
    read_text(HEADER "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,"
                     "2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n");
    assert_int_equal(sheet.count, 1);
    const struct retail_row *row = &sheet.rows[0];
    assert_int_equal(row->line, 2);
    assert_int_equal(row->ordinal, 0);
    assert_string_equal(row->invoice, "536365");
    assert_string_equal(row->stock_code, "85123A");
    assert_string_equal(row->description, "WHITE HANGING HEART T-LIGHT HOLDER");
    assert_int_equal(row->quantity, 6);
    assert_string_equal(row->date, "2010-12-01 08:26:00");
    assert_string_equal(row->price, "2.55");
    assert_true(row->has_price_minor);
    assert_int_equal(row->price_minor, 255);
    assert_string_equal(row->customer, "17850");
    assert_string_equal(row->country, "United Kingdom");
    assert_true(row->is_first_of_customer);
}

static void quoting_is_rfc_4180(void **state)
{
    (void)state;
    read_text(HEADER "1,A,\"a, \"\"b\"\"\",1,d,1,,\r\n"
                     "2,B,\"two\nlines\",1,d,1,,\"\"\r\n"
                     "\"3\",C, blank ,1,d,1,,U\r\n");
    assert_int_equal(bad_count, 0);
    assert_int_equal(sheet.count, 3);
    assert_string_equal(sheet.rows[0].description, "a, \"b\"");
    assert_string_equal(sheet.rows[0].country, "");
    assert_string_equal(sheet.rows[1].description, "two\nlines");
    assert_string_equal(sheet.rows[2].description, " blank ");
    assert_int_equal(sheet.rows[1].line, 3);
    assert_int_equal(sheet.rows[2].line, 5); /* the one before took two */
}

static void byte_order_mark_and_missing_last_line_end_are_fine(void **state)
{
    (void)state;
    read_text("\xef\xbb\xbf" HEADER "1,A,x,1,d,1,,UK");
    assert_int_equal(sheet.count, 1);
    assert_string_equal(sheet.rows[0].country, "UK");
}

static void blank_lines_are_passed_over_but_counted(void **state)
{
    (void)state;
    read_text(HEADER "\n" ROW("1") "\r\n\n" ROW("2") "\n");
    assert_int_equal(bad_count, 0);
    assert_int_equal(sheet.count, 2);
    assert_int_equal(sheet.rows[0].line, 3);
    assert_int_equal(sheet.rows[1].line, 6);
}

static void another_file_is_refused_with_words(void **state)
{
    static const char *const files[] = {
        "",
        "\n",
        "InvoiceNo\n",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,"
        "CustomerID\n",
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,"
        "CustomerID,Land\n",
        ROW("1"),
        "\"" HEADER};

    (void)state;
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        assert_int_equal(read_bytes(files[i], strlen(files[i])), -1);
        assert_true(strlen(reason) > 0);
        assert_int_equal(sheet.count, 0);
        assert_null(sheet.rows);
    }
}

struct bad_row {
    const char *row, *reason;
};

static void what_cannot_be_read_is_told_and_left_out(void **state)
{
    static const struct bad_row rows[] = {
        {"1,A,x,1,d,1,C\n", "it does not have 8 columns"},
        {"1,A,x,1,d,1,,UK,9\n", "it does not have 8 columns"},
        {",A,x,1,d,1,,UK\n", "InvoiceNo is empty"},
        {"1,,x,1,d,1,,UK\n", "StockCode is empty"},
        {"1,A,x,1.5,d,1,,UK\n", "Quantity is not a whole number"},
        {"1,A,x,,d,1,,UK\n", "Quantity is not a whole number"},
        {"1,A,x,-,d,1,,UK\n", "Quantity is not a whole number"},
        {"1,A,x,+1,d,1,,UK\n", "Quantity is not a whole number"},
        {"1,A,x,1234567890123,d,1,,UK\n", "Quantity is not a whole number"},
        {"1,A,x,1,d,,,UK\n", "UnitPrice is not a decimal number"},
        {"1,A,x,1,d,.5,,UK\n", "UnitPrice is not a decimal number"},
        {"1,A,x,1,d,5.,,UK\n", "UnitPrice is not a decimal number"},
        {"1,A,x,1,d,1e3,,UK\n", "UnitPrice is not a decimal number"},
        {"1,A,x,1,d,1234567890123,,UK\n", "UnitPrice is not a decimal number"},
        {"1,A,x,1,d,1,17850.5,UK\n", "CustomerID is not a number"},
        {"1,A,x,1,d,1,abc,UK\n", "CustomerID is not a number"},
        {"1,A,\xff,1,d,1,,UK\n", "a field is not valid UTF-8"},
        {"1,A,\xc0\x80,1,d,1,,UK\n", "a field is not valid UTF-8"},
        {"1,A,\xed\xa0\x80,1,d,1,,UK\n", "a field is not valid UTF-8"},
        {"1,A,\xf4\x90\x80\x80,1,d,1,,UK\n", "a field is not valid UTF-8"},
        {"1,A,\"x\"y,1,d,1,,UK\n", "its quotes do not match"},
        {"1,A,x\"y,1,d,1,,UK\n", "its quotes do not match"},
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s%s%s%s", HEADER, ROW("7"),
                       rows[i].row, ROW("8"));
        read_text(text);
        assert_int_equal(bad_count, 1);
        assert_int_equal(bad_lines[0], 3);
        assert_string_equal(bad_reasons[0], rows[i].reason);
        assert_int_equal(sheet.count, 2);
        assert_int_equal(sheet.rows[1].line, 4);
    }
}

static void an_open_quote_costs_its_own_line_only(void **state)
{
    (void)state;
    read_text(HEADER "1,A,\"open,1,d,1,,UK\n" ROW("2") ROW("3"));
    assert_int_equal(bad_count, 1);
    assert_int_equal(bad_lines[0], 2);
    assert_int_equal(sheet.count, 2);
    assert_int_equal(sheet.rows[0].line, 3);
}

static void nul_and_long_fields_are_told(void **state)
{
    static const char with_nul[] = HEADER "1,A,x\0y,1,d,1,,UK\n" ROW("2");
    char text[5200];

    (void)state;
    retail_free(&sheet);
    assert_int_equal(read_bytes(with_nul, sizeof(with_nul) - 1), 0);
    assert_int_equal(bad_count, 1);
    assert_int_equal(sheet.count, 1);

    /* 4,095 bytes are the most a field may have. */
    for (int len = 4095; len <= 4096; len++) {
        (void)snprintf(text, sizeof(text), "%s1,A,%0*d,1,d,1,,UK\n", HEADER,
                       len, 0);
        read_text(text);
        assert_int_equal(bad_count, len == 4096);
    }
    for (int len = 128; len <= 129; len++) {
        (void)snprintf(text, sizeof(text), "%s%0*d,A,x,1,d,1,,UK\n", HEADER,
                       len, 0);
        read_text(text);
        assert_int_equal(bad_count, len == 129);
    }
}

static void ordinals_follow_the_invoice_not_the_file(void **state)
{
    static const size_t expected[] = {0, 0, 1, 2, 1, 3};

    (void)state;
    read_text(HEADER ROW("5") ROW("9") ROW("5") ROW("5") ROW("9") ROW("5"));
    assert_int_equal(sheet.count, 6);
    for (size_t i = 0; i < sheet.count; i++)
        assert_int_equal(sheet.rows[i].ordinal, expected[i]);
}

/* Mending a row must not change the ids of its neighbours. */
static void an_unreadable_row_keeps_its_place_in_the_invoice(void **state)
{
    (void)state;
    read_text(HEADER ROW("5") "5,A,x,many,d,1,,UK\n" ROW("5"));
    assert_int_equal(sheet.count, 2);
    assert_int_equal(sheet.rows[0].ordinal, 0);
    assert_int_equal(sheet.rows[1].ordinal, 2);
}

static void prices_are_hundredths_when_they_can_be(void **state)
{
    static const struct {
        const char *price;
        bool has_minor;
        int64_t minor;
    } prices[] = {{"0", true, 0},
                  {"7", true, 700},
                  {"7.5", true, 750},
                  {"2.55", true, 255},
                  {"-11062.06", true, -1106206},
                  {"0.001", false, 0},
                  {"1.2500", true, 125},
                  {"1.2501", false, 125}};
    char text[512];

    (void)state;
    for (size_t i = 0; i < sizeof(prices) / sizeof(prices[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s1,A,x,1,d,%s,,UK\n", HEADER,
                       prices[i].price);
        read_text(text);
        assert_int_equal(sheet.count, 1);
        assert_string_equal(sheet.rows[0].price, prices[i].price);
        assert_int_equal(sheet.rows[0].has_price_minor, prices[i].has_minor);
        if (prices[i].has_minor)
            assert_int_equal(sheet.rows[0].price_minor, prices[i].minor);
    }
}

static void each_customer_is_first_once(void **state)
{
    size_t firsts = 0;

    (void)state;
    read_text(HEADER "1,A,x,1,d,1,2.0,UK\n1,B,x,1,d,1,1,UK\n"
                     "2,A,x,1,d,1,2,UK\n3,A,x,1,d,1,,UK\n4,A,x,1,d,1,,UK\n");
    for (size_t i = 0; i < sheet.count; i++)
        firsts += sheet.rows[i].is_first_of_customer;
    assert_int_equal(firsts, 2);
    assert_true(sheet.rows[0].is_first_of_customer);
    assert_true(sheet.rows[1].is_first_of_customer);
    assert_string_equal(sheet.rows[0].customer, "2");
}

static void returns_begin_with_c(void **state)
{
    (void)state;
    assert_true(retail_is_return("C536379"));
    assert_false(retail_is_return("536379"));
    assert_false(retail_is_return("A563185"));
    assert_false(retail_is_return(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_teardown(name, forget)
        TEST(a_row_is_read_whole),
        TEST(quoting_is_rfc_4180),
        TEST(byte_order_mark_and_missing_last_line_end_are_fine),
        TEST(blank_lines_are_passed_over_but_counted),
        TEST(another_file_is_refused_with_words),
        TEST(what_cannot_be_read_is_told_and_left_out),
        TEST(an_open_quote_costs_its_own_line_only),
        TEST(nul_and_long_fields_are_told),
        TEST(ordinals_follow_the_invoice_not_the_file),
        TEST(an_unreadable_row_keeps_its_place_in_the_invoice),
        TEST(prices_are_hundredths_when_they_can_be),
        TEST(each_customer_is_first_once),
        TEST(returns_begin_with_c),
#undef TEST
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
