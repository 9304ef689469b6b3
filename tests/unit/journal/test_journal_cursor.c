/* SPDX-License-Identifier: MIT */
#include "journal/journal_cursor.h"

#include "fixture.h"

static struct error error;

static int open_directory(void)
{
    const char *path = fixture_directory();
    CHECK(mkdir(path, 0700) == 0);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void test_round_trip(void)
{
    struct cursor_state state = {.uuid = "0123456789abcde",
                                 .stored = 1,
                                 .last = 20,
                                 .skipped = 3,
                                 .synced = 4,
                                 .deleted = 5,
                                 .boot = UINT64_MAX,
                                 .clean = true};
    struct cursor_state read;
    struct journal_cursor cursor;
    bool found = true;
    int fd = open_directory();
    CHECK_INT_EQ(cursor_open(&cursor, fd, true, &read, &found, &error), OUTCOME_OK);
    CHECK(!found && cursor.fd == -1);
    CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &found, &error), OUTCOME_OK);
    CHECK(!found);
    for (uint64_t i = 0; i < 5; i++) {
        state.stored = i;
        CHECK_INT_EQ(cursor_write(&cursor, &state, &error), OUTCOME_OK);
        CHECK_INT_EQ(cursor_sync(&cursor, &error), OUTCOME_OK);
        cursor_close(&cursor);
        CHECK_INT_EQ(cursor_open(&cursor, fd, i % 2 == 0, &read, &found, &error), OUTCOME_OK);
        CHECK(found);
        CHECK(memcmp(read.uuid, state.uuid, 16) == 0);
        CHECK(read.stored == i && read.last == 20 && read.skipped == 3 && read.synced == 4);
        CHECK(read.deleted == 5 && read.boot == UINT64_MAX && read.clean);
        cursor_close(&cursor);
        CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &found, &error), OUTCOME_OK);
    }
    cursor_close(&cursor);
    cursor_close(&cursor);
    close(fd);
}

/* A write that was torn leaves the state before it. */
static void test_torn(void)
{
    struct cursor_state state = {.last = 10};
    struct cursor_state read;
    struct journal_cursor cursor;
    bool found;
    int fd = open_directory();
    CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &found, &error), OUTCOME_OK);
    for (uint64_t i = 1; i <= 7; i++) {
        state.stored = i;
        CHECK_INT_EQ(cursor_write(&cursor, &state, &error), OUTCOME_OK);
    }
    for (int length = 0; length < CURSOR_SLOT_BYTES; length++) {
        char bytes[CURSOR_SLOT_BYTES];
        state.stored = 8;
        struct journal_cursor copy = cursor;
        CHECK(pread(cursor.fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
        CHECK_INT_EQ(cursor_write(&copy, &state, &error), OUTCOME_OK); /* the even slot */
        CHECK(pwrite(cursor.fd, bytes + length, sizeof(bytes) - (size_t) length, length) > 0);
        CHECK_INT_EQ(cursor_open(&copy, fd, true, &read, &found, &error), OUTCOME_OK);
        /* A slot that is whole only because the rest of it was the same is as good as written. */
        CHECK(found && (read.stored == 7 || (read.stored == 8 && length >= 88)));
        cursor_close(&copy);
        CHECK(pwrite(cursor.fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
    }
    cursor_close(&cursor);
    close(fd);
}

static void test_boot(void)
{
    CHECK(cursor_boot() == cursor_boot());
}

UNIT_MAIN("journal_cursor", {"round trip", test_round_trip}, {"torn", test_torn},
          {"boot", test_boot})
