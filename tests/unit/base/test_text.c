/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include "unit.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BYTES(literal) \
    { \
        literal, sizeof(literal) - 1 \
    }

/* A byte that is no ASCII is seen at each place of texts of each length around a word's. */
static void test_utf8_places(void)
{
    char text[24];
    for (size_t length = 1; length <= sizeof(text); length++) {
        for (size_t at = 0; at < length; at++) {
            UNIT_CASE("%zu of %zu", at, length);
            memset(text, 'a', sizeof(text));
            CHECK(text_is_utf8(slice_make(text, length)));
            text[at] = '\xc3';
            CHECK(!text_is_utf8(slice_make(text, length)));
            if (at + 1 < length) {
                text[at + 1] = '\xa4';
                CHECK(text_is_utf8(slice_make(text, length)));
            }
        }
    }
}

static void test_utf8(void)
{
    static const struct {
        struct slice text;
        bool good;
        size_t characters;
    } cases[] = {
        {BYTES(""), true, 0},
        {BYTES("abc"), true, 3},
        {BYTES("a\0b"), true, 3},
        {BYTES("\x7f"), true, 1},
        {BYTES("\xc2\x80"), true, 1}, /* U+0080, the first of two bytes */
        {BYTES("\xdf\xbf"), true, 1},
        {BYTES("\xe0\xa0\x80"), true, 1}, /* U+0800, the first of three */
        {BYTES("\xed\x9f\xbf"), true, 1}, /* U+D7FF, the last before the surrogates */
        {BYTES("\xee\x80\x80"), true, 1}, /* U+E000, the first behind them */
        {BYTES("\xef\xbf\xbf"), true, 1},
        {BYTES("\xf0\x90\x80\x80"), true, 1}, /* U+10000 */
        {BYTES("\xf4\x8f\xbf\xbf"), true, 1}, /* U+10FFFF */
        {BYTES("\xf0\x9f\x98\x80!"), true, 2},
        {BYTES("\x80"), false, 0},
        {BYTES("\xc0\x80"), false, 0}, /* overlong NUL */
        {BYTES("\xc1\xbf"), false, 0},
        {BYTES("\xc2"), false, 0},
        {BYTES("\xc2\x7f"), false, 0},
        {BYTES("\xc2\xc0"), false, 0},
        {BYTES("\xe0\x9f\xbf"), false, 0}, /* overlong */
        {BYTES("\xe1\x80"), false, 0},
        {BYTES("\xe1\x80\x7f"), false, 0},
        {BYTES("\xed\xa0\x80"), false, 0},     /* surrogate */
        {BYTES("\xf0\x8f\xbf\xbf"), false, 0}, /* overlong */
        {BYTES("\xf0\x90\x80"), false, 0},
        {BYTES("\xf0\x90\x80\xc0"), false, 0},
        {BYTES("\xf4\x90\x80\x80"), false, 0}, /* beyond U+10FFFF */
        {BYTES("\xf5\x80\x80\x80"), false, 0},
        {BYTES("\xff"), false, 0},
        {BYTES("good\xc3"), false, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        UNIT_CASE("case %zu", i);
        CHECK_INT_EQ(text_is_utf8(cases[i].text), cases[i].good);
        if (cases[i].good) {
            CHECK_INT_EQ(text_characters(cases[i].text), cases[i].characters);
        }
    }
    UNIT_CASE("%s", "");
    CHECK(text_has_nul(slice_make("a\0", 2)));
    CHECK(!text_has_nul(slice_make("a\0", 1)));
    CHECK(!text_has_nul(slice_make(NULL, 0)));
}

static void test_parse_duration(void)
{
    static const struct {
        const char *text;
        int64_t milliseconds; /* -1: no duration */
    } cases[] = {
        {"0", 0},
        {"0s", 0},
        {"250ms", 250},
        {"30s", 30000},
        {"15m", 900000},
        {"2h", 7200000},
        {"7d", 604800000},
        {"9223372036854775807ms", INT64_MAX},
        {"", -1},
        {"1", -1},
        {"s", -1},
        {"-1s", -1},
        {"+1s", -1},
        {"1 s", -1},
        {" 1s", -1},
        {"1s ", -1},
        {"1.5s", -1},
        {"1S", -1},
        {"1w", -1},
        {"00", -1},
        {"1h30m", -1},
        {"9223372036854775808ms", -1},
        {"9223372036854776s", -1},
        {"99999999999999999999999s", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = 42;
        UNIT_CASE("%s", cases[i].text);
        CHECK_INT_EQ(text_parse_duration(slice_of(cases[i].text), &got),
                     cases[i].milliseconds >= 0);
        CHECK_INT_EQ(got, cases[i].milliseconds >= 0 ? cases[i].milliseconds : 42);
    }
}

static void test_parse_size(void)
{
    static const struct {
        const char *text;
        int64_t bytes; /* -1: no size */
    } cases[] = {
        {"0", 0},
        {"512", 512},
        {"64KB", 65536},
        {"64KiB", 65536},
        {"64kB", 65536},
        {"8Gi", INT64_C(8) << 30},
        {"512Mi", 512 << 20},
        {"8G", -1},
        {"8MB", 8388608},
        {"8MiB", 8388608},
        {"10GB", INT64_C(10737418240)},
        {"12B", 12},
        {"1TB", INT64_C(1099511627776)},
        {"1TiB", INT64_C(1099511627776)},
        {"8388607TB", INT64_C(8388607) << 40},
        {"8388608TB", -1},
        {"", -1},
        {"KB", -1},
        {"1 KB", -1},
        {"1K", -1},
        {"1PB", -1},
        {"-1", -1},
        {"1.5GB", -1},
        {"1mb", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t got = 42;
        UNIT_CASE("%s", cases[i].text);
        CHECK_INT_EQ(text_parse_size(slice_of(cases[i].text), &got), cases[i].bytes >= 0);
        CHECK_INT_EQ(got, cases[i].bytes >= 0 ? cases[i].bytes : 42);
    }
}

static void test_format(void)
{
    static const struct {
        void (*format)(struct buf *out, int64_t value);
        int64_t value;
        const char *text;
    } cases[] = {
        {text_format_duration, 0, "0"},
        {text_format_duration, 250, "250ms"},
        {text_format_duration, 1000, "1s"},
        {text_format_duration, 90000, "90s"},
        {text_format_duration, 3600000, "1h"},
        {text_format_duration, 604800000, "7d"},
        {text_format_duration, 604800001, "604800001ms"},
        {text_format_span, -1, "0 s"},
        {text_format_span, 99, "99 s"},
        {text_format_span, 3630, "60 min"},
        {text_format_span, 11000, "3 h 3 min"},
        {text_format_span, 172800, "2 days"},
        {text_format_size, 0, "0"},
        {text_format_size, 512, "512"},
        {text_format_size, 1025, "1025"},
        {text_format_size, 1572864, "1536KB"},
        {text_format_size, INT64_C(10737418240), "10GB"},
        {text_format_size, INT64_C(1) << 50, "1024TB"},
        {text_format_time, INT64_C(1795404570123456), "2026-11-23T03:29:30.123456Z"},
        {text_format_time, 0, "1970-01-01T00:00:00.000000Z"},
        {text_format_time, -1, "1969-12-31T23:59:59.999999Z"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&out);
        cases[i].format(&out, cases[i].value);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].text);
    }
    buf_fini(&out);
}

static void test_format_count(void)
{
    static const struct {
        uint64_t count;
        const char *text;
    } cases[] = {
        {0, "0"},
        {999, "999"},
        {1000, "1,000"},
        {1234567, "1,234,567"},
        {1000000, "1,000,000"},
        {UINT64_MAX, "18,446,744,073,709,551,615"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&out);
        text_format_count(&out, cases[i].count);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].text);
    }
    buf_fini(&out);
}

static void test_json(void)
{
    static const struct {
        struct slice text;
        const char *json;
    } cases[] = {
        {BYTES(""), "\"\""},
        {BYTES("plain"), "\"plain\""},
        {BYTES("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
        {BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {BYTES("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\x7f\""},
        {BYTES("ä€😀"), "\"ä€😀\""},
        {BYTES("\xff\xc3"), "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {BYTES("a\xed\xa0\x80z"), "\"a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\""},
    };
    struct buf out = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&out);
        text_append_json(&out, cases[i].text);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].json);
        CHECK(text_is_utf8(buf_slice(&out)));
    }
    buf_fini(&out);
}

static void test_printable(void)
{
    static const struct {
        struct slice text;
        size_t characters_max;
        const char *printed;
    } cases[] = {
        {BYTES(""), 0, ""},
        {BYTES("abc"), 3, "abc"},
        {BYTES("abcd"), 3, "abc…"},
        {BYTES("x"), 0, "…"},
        {BYTES("äöü"), 3, "äöü"},
        {BYTES("äöü"), 2, "äö…"},
        {BYTES("a\nb\x1b[31m\0"), 100, "a\\x0ab\\x1b[31m\\x00"},
        {BYTES("\xc2\x9b"
               "31m"),
         100, "\\xc2\\x9b31m"}, /* C1: CSI in one character */
        {BYTES("\xc2\xa0"), 100, "\xc2\xa0"},
        {BYTES("\xff\x7f"), 100, "\\xff\\x7f"},
    };
    struct buf out = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        buf_reset(&out);
        UNIT_CASE("case %zu", i);
        text_append_printable(&out, cases[i].text, cases[i].characters_max);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].printed);
    }
    buf_fini(&out);
}

static void test_suggest(void)
{
    /* The words are a column of a table. */
    static const struct {
        int other;
        const char *name;
    } table[] = {{1, "keepalive"}, {2, "client_id"}, {3, "url"},    {4, NULL},
                 {5, "username"},  {6, "unix_s"},    {7, "unix_ms"}};
    static const struct {
        const char *word;
        const char *suggestion;
    } cases[] = {
        {"keepalive", "keepalive"},
        {"keep_alive", "keepalive"},
        {"kepealive", "keepalive"},
        {"clientid", "client_id"},
        {"client", NULL},
        {"ulr", "url"},
        {"uri", "url"},
        {"URL", "url"},
        {"KeepAlive", "keepalive"},
        {"ClientID", "client_id"},
        {"user", NULL},
        {"usrname", "username"},
        {"unixms", "unix_ms"},
        {"unix_x", "unix_s"},
        {"x", NULL},
        {"", NULL},
        {"entirely_other", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        UNIT_CASE("%s", cases[i].word);
        CHECK_TEXT_EQ(
            text_suggest(slice_of(cases[i].word), &table[0].name, COUNT(table), sizeof(table[0])),
            cases[i].suggestion);
    }
    char longer[200];
    memset(longer, 'k', sizeof(longer));
    CHECK(text_suggest(slice_make(longer, sizeof(longer)), &table[0].name, 1, sizeof(table[0])) ==
          NULL);
}

static void test_json_is_printable(void)
{
    struct buf out = {0};
    text_append_json(&out, slice_of("\xc2\x9b|\xe2\x80\xae|\xd8\x9c|\r|\xc3\xbc|\xe2\x82\xac"));
    CHECK_TEXT_EQ(buf_string(&out), "\"\\u009b|\\u202e|\\u061c|\\r|\xc3\xbc|\xe2\x82\xac\"");
    buf_fini(&out);
}

static void test_is_printable(void)
{
    static const struct {
        const char *text;
        bool printable;
        const char *escaped;
    } cases[] = {
        {"plain", true, "plain"},
        {"two\n\tlines", true, "two\\x0a\\x09lines"},
        {"back\rhidden", false, "back\\x0dhidden"},
        {"esc\x1b[2J", false, "esc\\x1b[2J"},
        {"csi\xc2\x9b"
         "2J",
         false, "csi\\xc2\\x9b2J"},
        {"nel\xc2\x85", false, "nel\\xc2\\x85"},
        {"nbsp\xc2\xa0", true, "nbsp\xc2\xa0"},
        {"rlo\xe2\x80\xae", false, "rlo\\xe2\\x80\\xae"},
        {"lrm\xe2\x80\x8e", false, "lrm\\xe2\\x80\\x8e"},
        {"line\xe2\x80\xa8", false, "line\\xe2\\x80\\xa8"},
        {"pdi\xe2\x81\xa9", false, "pdi\\xe2\\x81\\xa9"},
        {"alm\xd8\x9c", false, "alm\\xd8\\x9c"},
        {"dots\xe2\x80\xa6", true, "dots\xe2\x80\xa6"},
        {"\xff", false, "\\xff"},
        {"\xf0\x9f\x8e\x89", true, "\xf0\x9f\x8e\x89"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct buf out = {0};
        UNIT_CASE("case %zu", i);
        CHECK(text_is_printable(slice_of(cases[i].text)) == cases[i].printable);
        text_append_printable(&out, slice_of(cases[i].text), 100);
        CHECK_TEXT_EQ(buf_string(&out), cases[i].escaped);
        buf_fini(&out);
    }
}

UNIT_MAIN("text", {"utf8", test_utf8}, {"utf8 places", test_utf8_places},
          {"parse duration", test_parse_duration}, {"parse size", test_parse_size},
          {"format", test_format}, {"format count", test_format_count}, {"json", test_json},
          {"printable", test_printable}, {"is printable", test_is_printable},
          {"JSON is printable", test_json_is_printable}, {"suggest", test_suggest})
