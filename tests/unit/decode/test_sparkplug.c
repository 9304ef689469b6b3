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
    memory = memory_new(MEMORY_BYTES_MAX);
    sequence = 0;
    cases_run("sparkplug/sparkplug.cases", run_case);
    memory_free(memory);
}

/* A message depends on what came before it, whenever it is decoded. */
static void test_by_number(void)
{
    static const char topic[] = "spBv1.0/G/NDATA/E";
    struct arena *arena = arena_new(1000);
    struct memory *births = memory_new(MEMORY_BYTES_MAX);
    struct error error;
    const struct node *root;
    static const char *const names[] = {"first", "second"};
    for (unsigned i = 0; i < 2; i++) {
        struct birth_metric metric = {
            .name = slice_of(names[i]), .alias = 1, .has_alias = true, .datatype = 3};
        memory_keep(births, &(struct memory_entry){.kind = MEMORY_SPARKPLUG,
                                                   .key = slice_of("G/E"),
                                                   .sequence = 10 + i * 10,
                                                   .content = sparkplug_birth_write(
                                                       (struct birth_head){0}, &metric, 1, arena)});
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
    struct birth_head head = {.broker = 15, .has_bdseq = true, .bdseq = 3};
    struct slice content = sparkplug_birth_write(head, metrics, 3, arena);
    struct birth_metric found;
    head = (struct birth_head){0};
    CHECK(sparkplug_birth_head(content, &head));
    CHECK(head.state == BIRTH_READ && head.broker == 15 && head.has_bdseq && head.bdseq == 3);
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
            (void) sparkplug_birth_head(damaged, &head);
            (void) sparkplug_birth_by_alias(damaged, 9, &found);
            (void) sparkplug_birth_by_name(damaged, slice_of("ee"), &found);
            free(exact);
        }
    }
    arena_free(arena);
}

/* "\x12\x04\x10\x01\x50\x05": one metric with alias 1 and the value 5. */
static const struct slice data_of_alias_1 = SLICE_LITERAL("\x12\x04\x10\x01\x50\x05");

static void check_reason(const struct decode_input *input, const char *reason)
{
    struct arena *arena = arena_new(1000);
    const struct node *root;
    struct error error;
    enum outcome outcome = decode_sparkplug(input, arena, &root, &error);
    CHECK_INT_EQ(outcome == OUTCOME_OK, reason == NULL);
    if (outcome != OUTCOME_OK && reason != NULL && !CHECK(strstr(error.text, reason) != NULL)) {
        fprintf(stderr, "    %s\n", error.text);
    }
    arena_free(arena);
}

static struct slice birth_of_alias_1(struct birth_head head, struct arena *arena)
{
    struct birth_metric metric = {
        .name = slice_of("m"), .alias = 1, .has_alias = true, .datatype = 3};
    return sparkplug_birth_write(head, &metric, 1, arena);
}

/* A BIRTH counts for the broker that it came from, for all where they are a cluster, and where
 * nobody knows who it was: for dead letters, and behind a journal that was begun anew. */
static void test_brokers(void)
{
    static const struct {
        uint8_t born_at, asked_at;
        uint64_t sequence;
        bool cluster, known;
    } cases[] = {{1, 1, 5, false, true}, {1, 2, 5, false, false}, {1, 2, 5, true, true},
                 {1, 0, 5, false, true}, {0, 2, 5, false, true},  {1, 2, 0, false, true}};
    struct arena *arena = arena_new(1000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memory *births = memory_new(MEMORY_BYTES_MAX);
        const struct format_options options = {.sparkplug.cluster = cases[i].cluster};
        const struct decode_input input = {.payload = data_of_alias_1,
                                           .topic = slice_of("spBv1.0/G/NDATA/E"),
                                           .sequence = 6,
                                           .broker = cases[i].asked_at,
                                           .options = &options,
                                           .memory = births};
        UNIT_CASE("%zu", i);
        memory_keep(births, &(struct memory_entry){
                                .kind = MEMORY_SPARKPLUG,
                                .key = slice_of("G/E"),
                                .sequence = cases[i].sequence,
                                .content = birth_of_alias_1(
                                    (struct birth_head){.broker = cases[i].born_at}, arena)});
        check_reason(&input, cases[i].known ? NULL : "its BIRTH came from another address");
        CHECK_INT_EQ(decode_sparkplug_wants_birth(&input, arena), !cases[i].known);
        memory_free(births);
    }
    arena_free(arena);
}

/* So many metrics as take more than SPARKPLUG_BIRTH_BYTES_MAX. */
static void test_too_large(void)
{
    struct arena *arena = arena_new(1000);
    struct memory *births = memory_new(MEMORY_BYTES_MAX);
    struct memory_entry entry;
    size_t count = SPARKPLUG_BIRTH_BYTES_MAX / 24;
    struct birth_metric *metrics = calloc(count + 1, sizeof(*metrics));
    CHECK(sparkplug_birth_write((struct birth_head){0}, metrics, count - 1, arena).length <=
          SPARKPLUG_BIRTH_BYTES_MAX);
    struct slice content =
        sparkplug_birth_write((struct birth_head){.broker = 2}, metrics, count, arena);
    CHECK_INT_EQ(content.length, 17);
    free(metrics);
    memory_keep(births,
                &(struct memory_entry){.kind = MEMORY_SPARKPLUG,
                                       .key = slice_of("G/E"),
                                       .sequence = 4,
                                       .content = birth_of_alias_1((struct birth_head){0}, arena)});
    memory_keep(births, &(struct memory_entry){.kind = MEMORY_SPARKPLUG,
                                               .key = slice_of("G/E"),
                                               .sequence = 5,
                                               .content = content});
    struct decode_input data = {.payload = data_of_alias_1,
                                .topic = slice_of("spBv1.0/G/NDATA/E"),
                                .sequence = 6,
                                .memory = births};
    check_reason(&data, "its BIRTH has too many metrics");
    CHECK(!decode_sparkplug_wants_birth(&data, arena));
    /* What can't be read ends what was known, too. */
    const struct decode_input damaged = {
        .payload = slice_of("\x12\x7f"), .topic = slice_of("spBv1.0/G/NBIRTH/E"), .sequence = 7};
    CHECK(decode_sparkplug_learn(&damaged, arena, &entry));
    memory_keep(births, &entry);
    data.sequence = 8;
    check_reason(&data, "its BIRTH could not be read");
    CHECK(decode_sparkplug_wants_birth(&data, arena));
    memory_free(births);
    arena_free(arena);
}

/* With no room for a BIRTH, the one before it does not answer in its place. */
static void test_memory_full(void)
{
    struct arena *arena = arena_new(1000);
    struct slice content = birth_of_alias_1((struct birth_head){0}, arena);
    size_t one = sizeof(struct memory_entry) + strlen("G/E") + content.length;
    struct memory *births = memory_new(one + one / 2);
    struct memory_entry entry = {
        .kind = MEMORY_SPARKPLUG, .key = slice_of("G/E"), .sequence = 5, .content = content};
    struct decode_input data = {.payload = data_of_alias_1,
                                .topic = slice_of("spBv1.0/G/NDATA/E"),
                                .sequence = 6,
                                .memory = births};
    memory_keep(births, &entry);
    check_reason(&data, NULL);
    entry.sequence = 7;
    memory_keep(births, &entry);
    check_reason(&data, NULL);
    data.sequence = 8;
    check_reason(&data, "take too much memory");
    data.topic = slice_of("spBv1.0/G/NDATA/F");
    check_reason(&data, "take too much memory");
    memory_check(births);
    memory_free(births);
    arena_free(arena);
}

/* What a rebirth is asked for. */
static void test_wants_birth(void)
{
    static const struct {
        const char *topic, *payload;
        bool wanted;
    } cases[] = {
        {"spBv1.0/G/NDATA/E", "\x12\x04\x10\x01\x50\x05", false},
        {"spBv1.0/G/NDATA/E", "\x12\x04\x10\x02\x50\x05", true}, /* another alias */
        {"spBv1.0/G/NDATA/E", "\x18\x01", false},                /* no metrics */
        {"spBv1.0/G/NDATA/F", "\x18\x01", true},
        {"spBv1.0/G/DDATA/E/D", "\x12\x04\x10\x01\x50\x05", true},
        {"spBv1.0/G/NDATA/E", "\x12\x7f", false}, /* not read: a BIRTH would not help */
        {"spBv1.0/G/NDEATH/F", "", false},
        {"spBv1.0/STATE/F", "{}", false},
        {"other", "", false},
    };
    struct arena *arena = arena_new(1000);
    struct memory *births = memory_new(MEMORY_BYTES_MAX);
    memory_keep(births,
                &(struct memory_entry){.kind = MEMORY_SPARKPLUG,
                                       .key = slice_of("G/E"),
                                       .sequence = 5,
                                       .content = birth_of_alias_1((struct birth_head){0}, arena)});
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct decode_input input = {.payload = slice_of(cases[i].payload),
                                           .topic = slice_of(cases[i].topic),
                                           .sequence = 6,
                                           .memory = births};
        UNIT_CASE("%zu", i);
        CHECK_INT_EQ(decode_sparkplug_wants_birth(&input, arena), cases[i].wanted);
    }
    memory_free(births);
    arena_free(arena);
}

UNIT_MAIN("sparkplug", {"cases", test_cases}, {"by number", test_by_number},
          {"damaged births", test_damaged_births}, {"brokers", test_brokers},
          {"too large", test_too_large}, {"memory full", test_memory_full},
          {"wants a BIRTH", test_wants_birth})
