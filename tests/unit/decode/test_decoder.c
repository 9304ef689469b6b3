/* SPDX-License-Identifier: MIT */
#include "decode/decoder.h"

#include "decode/format.h"
#include "unit.h"

static const struct node *decode(const char *format, struct slice payload, struct arena *arena,
                                 struct error *error)
{
    const struct node *root = NULL;
    const struct decoder *decoder = decoder_find(slice_of(format));
    const struct decode_input input = {.payload = payload};
    if (!CHECK(decoder != NULL) || decoder->decode(&input, arena, &root, error) != OUTCOME_OK) {
        return NULL;
    }
    CHECK_INT_EQ(root->kind == VALUE_OBJECT || root->span == 1, true);
    return root;
}

static void test_find(void)
{
    for (size_t i = 0; i < decoder_count; i++) {
        CHECK(decoder_find(slice_of(decoders[i].name)) == &decoders[i]);
        CHECK(decoders[i].help[0] != '\0');
    }
    CHECK(decoder_find(slice_of("jso")) == NULL);
    CHECK(decoder_find(slice_of("JSON")) == NULL);
    CHECK(decoder_find((struct slice){0}) == NULL);
}

static void test_json(void)
{
    struct arena *arena = arena_new(1000);
    struct error error;
    const struct node *root = decode("json", slice_of("{\"a\":1}"), arena, &error);
    CHECK_INT_EQ(root->count, 1);
    CHECK(decode("json", slice_of("{"), arena, &error) == NULL);
    arena_free(arena);
}

static void test_text(void)
{
    static const struct {
        const char *payload;
        enum value_kind kind;
        const char *text;
    } cases[] = {
        {"", VALUE_TEXT, ""},
        {"ON", VALUE_TEXT, "ON"},
        {" two words\n", VALUE_TEXT, " two words\n"},
        {"21.5", VALUE_NUMBER, "21.5"},
        {" -3e2\r\n", VALUE_NUMBER, "-3e2"},
        {"\v\f1\t", VALUE_NUMBER, "1"},
        {"9007199254740993", VALUE_NUMBER, "9007199254740993"},
        {"21.5 C", VALUE_TEXT, "21.5 C"},
        {"1 2", VALUE_TEXT, "1 2"},
        {"007", VALUE_TEXT, "007"},
        {"+1", VALUE_TEXT, "+1"},
        {".5", VALUE_TEXT, ".5"},
        {"0x1F", VALUE_TEXT, "0x1F"},
        {"NaN", VALUE_TEXT, "NaN"},
        {"true", VALUE_TEXT, "true"},
        {"  \n ", VALUE_TEXT, "  \n "},
        {"22,5 °C", VALUE_TEXT, "22,5 °C"},
    };
    struct arena *arena = arena_new(1000);
    struct error error;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct node *root = decode("text", slice_of(cases[i].payload), arena, &error);
        UNIT_CASE("%s", cases[i].payload);
        CHECK_INT_EQ(root->kind, cases[i].kind);
        CHECK_SLICE_EQ(root->text, cases[i].text);
    }
    const struct node *root = decode("text", slice_make("a\0b", 3), arena, &error);
    CHECK(slice_equal(root->text, slice_make("a\0b", 3)));
    CHECK_INT_EQ(decode("text", (struct slice){0}, arena, &error)->text.length, 0);
    arena_free(arena);
}

static void test_text_malformed(void)
{
    static const struct {
        const char *payload;
        const char *reason;
    } cases[] = {
        {"\xff", "byte 1: not UTF-8"},      {"ab\x80", "byte 3: not UTF-8"},
        {"é\xe2\x82", "byte 3: not UTF-8"}, {"€\xed\xa0\x80", "byte 4: not UTF-8"},
        {"😀\xc3(", "byte 5: not UTF-8"},
    };
    struct arena *arena = arena_new(1000);
    struct error error;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        UNIT_CASE("%zu", i);
        CHECK(decode("text", slice_of(cases[i].payload), arena, &error) == NULL);
        CHECK_INT_EQ(error.outcome, OUTCOME_REJECT);
        CHECK_TEXT_EQ(error.text, cases[i].reason);
    }
    arena_free(arena);
}

static void test_raw(void)
{
    struct arena *arena = arena_new(1000);
    struct error error;
    const struct node *root = decode("raw", slice_make("\xff\0\n", 3), arena, &error);
    CHECK_INT_EQ(root->kind, VALUE_BYTES);
    CHECK(slice_equal(root->text, slice_make("\xff\0\n", 3)));
    CHECK_INT_EQ(decode("raw", (struct slice){0}, arena, &error)->text.length, 0);
    arena_free(arena);
}

/* Two rules share a document only where their options make the same one of it. */
static void test_same(void)
{
    static const struct {
        const char *format;
        struct format_options left, right;
        bool same;
    } cases[] = {
        {"json", {0}, {0}, true},
        {"json", {0}, {.lenient = true}, false},
        {"json", {0}, {.compression = COMPRESSION_AUTO}, false},
        {"json", {.max_decoded_bytes = 1}, {.max_decoded_bytes = 2}, false},
        {"csv", {0}, {0}, true},
        {"csv", {0}, {.csv = {.delimiter = {.text = ";"}}}, false},
        {"csv", {.csv = {.delimiter = {.text = ";"}}}, {.csv = {.delimiter = {.text = ";"}}}, true},
        {"csv", {0}, {.csv = {.header = true}}, false},
        {"csv", {0}, {.csv = {.quote = {.text = ""}}}, false},
        {"csv", {0}, {.csv = {.comment = {.text = "#"}}}, false},
        {"influx", {0}, {.influx = {.precision = PRECISION_S}}, false},
        {"sparkplug_b", {0}, {.sparkplug = {.rebirth = REBIRTH_GAP}}, true},
        {"sparkplug_b", {0}, {.sparkplug = {.cluster = true}}, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct option_text name = {.text = cases[i].format};
        struct problems problems = {0};
        struct format *left = format_new(&name, &cases[i].left, &problems);
        struct format *right = format_new(&name, &cases[i].right, &problems);
        UNIT_CASE("%zu %s", i, cases[i].format);
        if (CHECK(left != NULL && right != NULL)) {
            CHECK_INT_EQ(format_same(left, right), cases[i].same);
        }
        format_free(left);
        format_free(right);
        problems_fini(&problems);
    }
}

UNIT_MAIN("decoder", {"same", test_same}, {"find", test_find}, {"json", test_json},
          {"text", test_text}, {"malformed text", test_text_malformed}, {"raw", test_raw})
