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
    struct memory *memory = memory_new();
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
    CHECK_INT_EQ(memory_bytes(memory), 3 + 6 + 5 + 6);
    CHECK(memory_find_later(memory, "k", slice_of("a"), 5, &entry));
    CHECK_INT_EQ(entry.sequence, 10);
    CHECK(!memory_find_later(memory, "k", slice_of("a"), 21, &entry));
    memory_free(memory);
}

static void test_forget(void)
{
    struct memory *memory = memory_new();
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

UNIT_MAIN("memory", {"newest before a number", test_newest_before}, {"forget", test_forget})
