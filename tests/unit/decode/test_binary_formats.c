/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "decode/nodes.h"
#include "format_case.h"
#include "unit.h"

static void run(const char *format, const struct test_case *test)
{
    struct slice payload = format_case_bytes(test->fields[0]);
    CHECK_INT_EQ(test->count, 2);
    format_case_check(format, &(struct decode_input){.payload = payload}, test->fields[1]);
    free((void *) payload.data);
}

static void run_msgpack(const struct test_case *test)
{
    run("msgpack", test);
}

static void run_cbor(const struct test_case *test)
{
    run("cbor", test);
}

static void test_msgpack(void)
{
    cases_run("msgpack.cases", run_msgpack);
}

static void test_cbor(void)
{
    cases_run("cbor.cases", run_cbor);
}

/* Arrays in arrays, in both formats: as deep as the limit, and one deeper. */
static void test_depth(void)
{
    static const struct {
        const char *format;
        char array;
        char leaf;
    } cases[] = {{"msgpack", (char) 0x91, (char) 0xc0}, {"cbor", (char) 0x81, (char) 0xf6}};
    for (size_t i = 0; i < 2; i++) {
        for (int depth = NODES_DEPTH_MAX; depth <= NODES_DEPTH_MAX + 1; depth++) {
            char payload[NODES_DEPTH_MAX + 2];
            struct arena *arena = arena_new(1000);
            const struct node *root;
            struct error error;
            memset(payload, cases[i].array, sizeof(payload));
            payload[depth] = cases[i].leaf;
            const struct decode_input input = {.payload = slice_make(payload, (size_t) depth + 1)};
            enum outcome outcome =
                decoder_find(slice_of(cases[i].format))->decode(&input, arena, &root, &error);
            UNIT_CASE("%s, %d", cases[i].format, depth);
            CHECK_INT_EQ(outcome, depth > NODES_DEPTH_MAX ? OUTCOME_REJECT : OUTCOME_OK);
            if (outcome != OUTCOME_OK) {
                CHECK_TEXT_EQ(error.text, "byte 129: nested too deep");
            }
            arena_free(arena);
        }
    }
}

static double half_of(int bits)
{
    int exponent = bits >> 10;
    return exponent == 0 ? ldexp(bits, -24) : ldexp((bits & 0x3ff) + 1024, exponent - 25);
}

/* Does the decimal read back as this half, and not as a neighbour? */
static bool is_nearest(double said, int bits)
{
    double low = bits == 0 ? 0 : (half_of(bits - 1) + half_of(bits)) / 2;
    double high = (half_of(bits) + half_of(bits + 1)) / 2; /* behind the largest: 65536 */
    return bits == 0 ? said == 0 : said > low && said < high;
}

/* The number with so many digits. */
static double rounded(double number, int digits)
{
    char text[32];
    snprintf(text, sizeof(text), "%.*e", digits - 1, number);
    return strtod(text, NULL);
}

/* Each finite half float is written with the fewest digits that read back as it. */
static void test_halves(void)
{
    for (int bits = 0; bits < 0x7c00; bits++) {
        char payload[] = {(char) 0xf9, (char) (bits >> 8), (char) bits};
        char text[32];
        struct arena *arena = arena_new(1000);
        const struct node *root = NULL;
        struct error error;
        const struct decode_input input = {.payload = slice_make(payload, sizeof(payload))};
        CHECK_INT_EQ(decoder_find(slice_of("cbor"))->decode(&input, arena, &root, &error),
                     OUTCOME_OK);
        snprintf(text, sizeof(text), "%.*s", SLICE_ARGS(root->text));
        double said = strtod(text, NULL);
        UNIT_CASE("%04x is %s", (unsigned) bits, text);
        CHECK(is_nearest(said, bits));
        int digits = 1;
        for (; rounded(said, digits) != said; digits++) {
        }
        CHECK(digits == 1 || !is_nearest(rounded(half_of(bits), digits - 1), bits));
        arena_free(arena);
    }
}

/* What a header announces costs nothing before it is there. */
static void test_announced(void)
{
    struct arena *arena = arena_new(1000);
    const struct node *root;
    struct error error;
    struct decode_input input = {.payload = SLICE_LITERAL("\xdd\xff\xff\xff\xff\x01")};
    CHECK_INT_EQ(decoder_find(slice_of("msgpack"))->decode(&input, arena, &root, &error),
                 OUTCOME_REJECT);
    input.payload = slice_make("\x9b\x7f\xff\xff\xff\xff\xff\xff\xff\x01", 10);
    CHECK_INT_EQ(decoder_find(slice_of("cbor"))->decode(&input, arena, &root, &error),
                 OUTCOME_REJECT);
    CHECK(arena_used(arena) < 10000);
    arena_free(arena);
}

UNIT_MAIN("binary formats", {"MessagePack", test_msgpack}, {"CBOR", test_cbor},
          {"depth", test_depth}, {"half floats", test_halves},
          {"announced and not there", test_announced})
