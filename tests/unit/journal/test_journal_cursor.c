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
    int fd = open_directory();
    CHECK_INT_EQ(cursor_open(&cursor, fd, true, &read, &error), OUTCOME_OK);
    CHECK(!cursor_found(&cursor) && cursor.fd == -1);
    CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &error), OUTCOME_OK);
    CHECK(!cursor_found(&cursor));
    for (uint64_t i = 0; i < 5; i++) {
        state.stored = i;
        CHECK_INT_EQ(i % 3 == 0 ? cursor_write_synced(&cursor, &state, &error)
                                : cursor_write(&cursor, &state, &error),
                     OUTCOME_OK);
        cursor_close(&cursor);
        CHECK_INT_EQ(cursor_open(&cursor, fd, i % 2 == 0, &read, &error), OUTCOME_OK);
        CHECK(cursor_found(&cursor));
        CHECK(memcmp(read.uuid, state.uuid, 16) == 0);
        CHECK(read.stored == i && read.last == 20 && read.skipped == 3 && read.synced == 4);
        CHECK(read.deleted == 5 && read.boot == UINT64_MAX && read.clean);
        cursor_close(&cursor);
        CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &error), OUTCOME_OK);
    }
    cursor_close(&cursor);
    cursor_close(&cursor);
    close(fd);
}

/* Rubbish behind the first `length` bytes of a slot. */
static void tear(int fd, int slot, int length)
{
    static const char rubbish[CURSOR_SLOT_BYTES] = "rubbish";
    size_t size = sizeof(rubbish) - (size_t) length;
    CHECK(pwrite(fd, rubbish, size, slot * CURSOR_SLOT_DISTANCE + length) == (ssize_t) size);
}

/* A write that was torn leaves the last state that was synced, or a newer one. Whatever a power
 * loss does to the slot that is not synced and to the one that is being written. */
static void test_torn(void)
{
    struct cursor_state state = {.last = 10};
    struct cursor_state read;
    struct journal_cursor cursor;
    int fd = open_directory();
    CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &error), OUTCOME_OK);
    CHECK_INT_EQ(cursor_reserve(&cursor, &error), OUTCOME_OK);
    for (uint64_t i = 1; i <= 20; i++) {
        state.stored = 3 * i;
        CHECK_INT_EQ(cursor_write_synced(&cursor, &state, &error), OUTCOME_OK);
        state.stored = 3 * i + 1;
        CHECK_INT_EQ(cursor_write(&cursor, &state, &error), OUTCOME_OK);
        state.stored = 3 * i + 2;
        CHECK_INT_EQ(cursor_write(&cursor, &state, &error), OUTCOME_OK);
        tear(cursor.fd, CURSOR_SLOTS - 1, (int) i * 4);
        tear(cursor.fd, cursor.next_synced, (int) i * 3);
        cursor_close(&cursor);
        CHECK_INT_EQ(cursor_open(&cursor, fd, false, &read, &error), OUTCOME_OK);
        CHECK(cursor_found(&cursor) && read.stored == 3 * i);
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
