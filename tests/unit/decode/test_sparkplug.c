/* SPDX-License-Identifier: MIT */
#include "decode/decode_sparkplug.h"
#include "decode/sparkplug_birth.h"
#include "format_case.h"
#include "unit.h"

static struct memory *memory;
static uint64_t sequence;

/* Learns, then decodes, as a batch does; later cases see what earlier ones taught. */
static void run_case(const struct test_case *test)
{
    struct arena *arena = arena_new(1000);
    struct slice payload = format_case_bytes(test->fields[1]);
    struct memory_entry entry;
    const struct node *root = NULL;
    struct error error;
    struct decode_input input = {
        .payload = payload, .topic = test->fields[0], .sequence = ++sequence, .memory = memory};
    CHECK_INT_EQ(test->count, 3);
    if (decode_sparkplug_learn(&input, arena, &entry)) {
        memory_keep(memory, &entry);
    }
    if (slice_is(test->fields[2], "nothing")) {
        CHECK_INT_EQ(decode_sparkplug(&input, arena, &root, &error), OUTCOME_OK);
        CHECK(root == NULL);
    } else {
        format_case_check("sparkplug_b", &input, test->fields[2]);
    }
    free((void *) payload.data);
    arena_free(arena);
}

static void test_cases(void)
{
    memory = memory_new();
    sequence = 0;
    cases_run("sparkplug/sparkplug.cases", run_case);
    memory_free(memory);
}

/* A message depends on what came before it, whenever it is decoded. */
static void test_by_number(void)
{
    static const char topic[] = "spBv1.0/G/NDATA/E";
    struct arena *arena = arena_new(1000);
    struct memory *births = memory_new();
    struct error error;
    const struct node *root;
    static const char *const names[] = {"first", "second"};
    for (unsigned i = 0; i < 2; i++) {
        struct birth_metric metric = {
            .name = slice_of(names[i]), .alias = 1, .has_alias = true, .datatype = 3};
        memory_keep(births, &(struct memory_entry){
                                .kind = MEMORY_SPARKPLUG,
                                .key = slice_of("G/E"),
                                .sequence = 10 + i * 10,
                                .content = sparkplug_birth_write(&metric, 1, NULL, arena)});
    }
    static const struct {
        uint64_t sequence;
        bool late;
        const char *name; /* NULL: unknown */
    } cases[] = {{5, false, NULL},     {10, false, NULL},     {11, false, "first"},
                 {20, false, "first"}, {21, false, "second"}, {5, true, "first"},
                 {15, true, "first"},  {25, true, "second"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct decode_input input = {.payload = SLICE_LITERAL("\x12\x04\x10\x01\x50\x05"),
                                           .topic = slice_of(topic),
                                           .sequence = cases[i].sequence,
                                           .late = cases[i].late,
                                           .memory = births};
        UNIT_CASE("%zu", i);
        enum outcome outcome = decode_sparkplug(&input, arena, &root, &error);
        CHECK_INT_EQ(outcome == OUTCOME_OK, cases[i].name != NULL);
        if (outcome == OUTCOME_OK) {
            const struct node *metric = node_element(node_member(root, slice_of("metrics")), 0);
            CHECK_SLICE_EQ(node_member(metric, slice_of("name"))->text, cases[i].name);
        }
    }
    memory_free(births);
    arena_free(arena);
}

/* The content of an entry comes out of a table: damaged ones are never read beyond their end. */
static void test_damaged_births(void)
{
    struct arena *arena = arena_new(1000);
    struct birth_metric metrics[] = {
        {.name = slice_of("abc"), .alias = 7, .has_alias = true, .datatype = 3},
        {.name = slice_of("d"), .alias = 9, .has_alias = true, .datatype = 4},
        {.name = slice_of("ee"), .datatype = 5},
    };
    uint64_t bdseq = 3;
    struct slice content = sparkplug_birth_write(metrics, 3, &bdseq, arena);
    struct birth_metric found;
    CHECK(sparkplug_birth_by_alias(content, 9, &found));
    CHECK_SLICE_EQ(found.name, "d");
    CHECK(sparkplug_birth_by_name(content, slice_of("ee"), &found));
    CHECK_INT_EQ(found.datatype, 5);
    CHECK(!sparkplug_birth_by_alias(content, 0, &found));
    CHECK(!sparkplug_birth_by_name(content, slice_of("e"), &found));
    for (size_t length = 0; length <= content.length; length++) {
        for (size_t flip = 0; flip < length; flip += 3) {
            char *exact = malloc(length);
            memcpy(exact, content.data, length);
            exact[flip] = (char) (exact[flip] ^ 0xff);
            struct slice damaged = slice_make(exact, length);
            uint64_t born;
            (void) sparkplug_birth_bdseq(damaged, &born);
            (void) sparkplug_birth_by_alias(damaged, 9, &found);
            (void) sparkplug_birth_by_name(damaged, slice_of("ee"), &found);
            free(exact);
        }
    }
    arena_free(arena);
}

UNIT_MAIN("sparkplug", {"cases", test_cases}, {"by number", test_by_number},
          {"damaged births", test_damaged_births})
