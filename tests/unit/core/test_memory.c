/* SPDX-License-Identifier: MIT */
#include "core/memory.h"

#include "unit.h"

static void keep(struct memory *memory, const char *key, uint64_t sequence, const char *content)
{
    memory_keep(memory, &(struct memory_entry){.kind = "k",
                                               .key = slice_of(key),
                                               .sequence = sequence,
                                               .content = slice_of(content)});
}

/* The content that a message with this number sees; "" for none. */
static const char *find(const struct memory *memory, const char *key, uint64_t sequence)
{
    static char text[20];
    struct memory_entry entry = {0};
    bool found = memory_find(memory, "k", slice_of(key), sequence, &entry);
    snprintf(text, sizeof(text), "%.*s", found ? (int) entry.content.length : 0,
             found ? entry.content.data : "");
    return text;
}

static void test_newest_before(void)
{
    struct memory *memory = memory_new(MEMORY_BYTES_MAX);
    struct memory_entry entry;
    CHECK_TEXT_EQ(find(memory, "a", 5), "");
    keep(memory, "a", 20, "twenty");
    keep(memory, "a", 10, "ten");
    keep(memory, "b", 15, "other");
    keep(memory, "ab", 1, "longer");
    CHECK_TEXT_EQ(find(memory, "a", 10), "");
    CHECK_TEXT_EQ(find(memory, "a", 11), "ten");
    CHECK_TEXT_EQ(find(memory, "a", 20), "ten");
    CHECK_TEXT_EQ(find(memory, "a", 21), "twenty");
    CHECK_TEXT_EQ(find(memory, "b", 100), "other");
    CHECK_TEXT_EQ(find(memory, "c", 100), "");
    CHECK_TEXT_EQ(find(memory, "", 100), "");
    CHECK(!memory_find(memory, "l", slice_of("a"), 100, &entry));
    keep(memory, "a", 10, "again");
    CHECK_TEXT_EQ(find(memory, "a", 11), "ten");
    CHECK_INT_EQ(memory_count(memory), 4);
    CHECK_INT_EQ(memory_bytes(memory), 4 * sizeof(struct memory_entry) + 3 + 6 + 5 + 6 +
                                           strlen("a"
                                                  "a"
                                                  "b"
                                                  "ab"));
    memory_check(memory);
    CHECK(memory_find_later(memory, "k", slice_of("a"), 5, &entry));
    CHECK_INT_EQ(entry.sequence, 10);
    CHECK(!memory_find_later(memory, "k", slice_of("a"), 21, &entry));
    memory_free(memory);
}

static void test_forget(void)
{
    struct memory *memory = memory_new(MEMORY_BYTES_MAX);
    keep(memory, "a", 10, "ten");
    keep(memory, "a", 20, "twenty");
    keep(memory, "b", 5, "five");
    memory_forget(memory,
                  &(struct memory_entry){.kind = "k", .key = slice_of("a"), .sequence = 11});
    memory_forget(memory,
                  &(struct memory_entry){.kind = "k", .key = slice_of("c"), .sequence = 10});
    CHECK_INT_EQ(memory_count(memory), 3);
    memory_forget(memory,
                  &(struct memory_entry){.kind = "k", .key = slice_of("a"), .sequence = 10});
    CHECK_INT_EQ(memory_count(memory), 2);
    CHECK_TEXT_EQ(find(memory, "a", 15), "");
    CHECK_TEXT_EQ(find(memory, "a", 30), "twenty");
    CHECK_TEXT_EQ(find(memory, "b", 6), "five");
    memory_reset(memory);
    CHECK_INT_EQ(memory_count(memory), 0);
    CHECK_INT_EQ(memory_bytes(memory), 0);
    memory_free(memory);
}

/* No entry beyond the bound, and no older one in its place. */
static void test_bound(void)
{
    size_t one = sizeof(struct memory_entry) + 1 + 4;
    struct memory *memory = memory_new(3 * one);
    struct memory_entry entry;
    keep(memory, "a", 10, "tena");
    keep(memory, "b", 11, "tenb");
    keep(memory, "c", 12, "tenc");
    CHECK(!memory_is_full(memory));
    CHECK_INT_EQ(memory_bytes(memory), 3 * one);
    keep(memory, "d", 13, "tend");
    CHECK(memory_is_full(memory));
    CHECK(!memory_find(memory, "k", slice_of("d"), 20, &entry));
    for (uint64_t sequence = 20; sequence < 40; sequence++) {
        keep(memory, "a", sequence, "more");
    }
    CHECK_TEXT_EQ(find(memory, "a", 20), "tena");
    CHECK(memory_find(memory, "k", slice_of("a"), 50, &entry));
    CHECK(entry.left_out && entry.content.length == 0);
    CHECK_INT_EQ(entry.sequence, 20);
    CHECK_INT_EQ(memory_count(memory), 4); /* one stands for the twenty */
    memory_check(memory);
    CHECK(!memory_make_room(memory, 39)); /* nothing was forgotten */
    memory_forget(memory,
                  &(struct memory_entry){.kind = "k", .key = slice_of("a"), .sequence = 10});
    CHECK(memory_make_room(memory, 39));
    CHECK(!memory_make_room(memory, 39)); /* nothing is left out */
    CHECK(!memory_is_full(memory));
    CHECK_INT_EQ(memory_count(memory), 2);
    keep(memory, "a", 39, "more");
    CHECK_TEXT_EQ(find(memory, "a", 40), "more");
    memory_check(memory);
    memory_reset(memory);
    CHECK(!memory_is_full(memory));
    keep(memory, "d", 13, "tend");
    CHECK_TEXT_EQ(find(memory, "d", 20), "tend");
    memory_free(memory);
}

/* What no message of the journal needs goes first: of any number of BIRTHs only the last one of a
 * key counts, and those behind the position. */
static void test_old_ones_go(void)
{
    size_t one = sizeof(struct memory_entry) + 1 + 100;
    struct memory *memory = memory_new(10 * one);
    struct memory_entry entry;
    char content[100] = "";
    for (uint64_t sequence = 1; sequence <= 200; sequence++) {
        struct memory_entry birth = {.kind = "k",
                                     .key = slice_of(sequence % 2 == 0 ? "a" : "b"),
                                     .sequence = sequence,
                                     .content = slice_make(content, sizeof(content))};
        memory_set_position(memory, sequence > 4 ? sequence - 4 : 0);
        memory_keep(memory, &birth);
        UNIT_CASE("%d", (int) sequence);
        memory_check(memory);
        CHECK(!memory_is_full(memory));
        CHECK(memory_bytes(memory) <= 10 * one);
        for (uint64_t back = 0; back < 5 && back + 2 <= sequence; back++) {
            CHECK(memory_find(memory, "k", slice_of((sequence - back) % 2 == 0 ? "b" : "a"),
                              sequence - back, &entry));
            CHECK(entry.sequence == sequence - back - 1 && !entry.left_out);
        }
    }
    CHECK(memory_find(memory, "k", slice_of("a"), 50, &entry));
    CHECK(entry.left_out); /* for a dead letter it is not the one before */
    CHECK(!memory_find(memory, "k", slice_of("a"), 2, &entry));
    memory_reset(memory);
    for (uint64_t sequence = 1; sequence <= 200; sequence++) { /* all at once: nothing is stored */
        keep(memory, "a", sequence, "xxxx");
    }
    CHECK(memory_is_full(memory));
    memory_check(memory);
    memory_free(memory);
}

/* The table has entries up to the position only. One behind it that was left out stays so: marked,
 * behind an earlier mark of its key, or without a mark because its key was not there. */
static void test_left_out_behind_position(void)
{
    static const struct {
        const char *key;
        uint64_t earlier; /* is left out too, at or before the position; 0: none */
    } cases[] = {{"a", 0}, {"a", 60}, {"c", 60}};
    size_t one = sizeof(struct memory_entry) + 1 + 4;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct memory *memory = memory_new(2 * one);
        struct memory_entry entry;

        keep(memory, "a", 50, "olda");
        keep(memory, "b", 51, "oldb");
        if (cases[i].earlier > 0) {
            keep(memory, cases[i].key, cases[i].earlier, "60th");
        }
        keep(memory, cases[i].key, 100, "newa");
        memory_forget(memory,
                      &(struct memory_entry){.kind = "k", .key = slice_of("b"), .sequence = 51});
        CHECK(!memory_make_room(memory, 99));
        CHECK(memory_is_full(memory));
        CHECK(!memory_find(memory, "k", slice_of(cases[i].key), 110, &entry) || entry.left_out);
        memory_check(memory);
        CHECK(memory_make_room(memory, 100)); /* it is in the table now */
        CHECK(!memory_is_full(memory));
        keep(memory, cases[i].key, 100, "newa");
        CHECK_TEXT_EQ(find(memory, cases[i].key, 110), "newa");
        memory_check(memory);
        memory_free(memory);
    }
}

UNIT_MAIN("memory", {"old ones go", test_old_ones_go},
          {"newest before a number", test_newest_before}, {"forget", test_forget},
          {"bound", test_bound}, {"left out behind the position", test_left_out_behind_position})
