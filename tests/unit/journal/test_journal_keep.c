/* The newest messages stay on disk for the redelivery memory, however short `keep` is, until room
 * is needed.
 *
 * SPDX-License-Identifier: MIT */
#include "fixture.h"
#include "unit.h"

static struct journal *open_with_twenty(struct journal_options *options)
{
    struct journal *journal;

    options->max_bytes = 4 * MB; /* two messages a segment */
    options->keep_ms = 0;
    journal = fixture_open(options);
    for (uint64_t n = 1; n <= 20; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100000, NULL), OUTCOME_OK);
    }
    journal_set_stored(journal, 20);
    return journal;
}

static void test_newest_stay(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal;

    options.keep_messages = 7;
    journal = open_with_twenty(&options);
    WAIT_UNTIL(journal_first(journal) == 13);
    usleep(300000);
    CHECK_INT_EQ(journal_first(journal), 13); /* 14 to 20 are wanted; 13 shares a segment with 14 */
    journal_close(journal);
    journal = fixture_open(&options); /* and a restart changes nothing */
    usleep(300000);
    CHECK_INT_EQ(journal_first(journal), 13);
    journal_close(journal);
}

static int count_descriptors(void)
{
    return fixture_count_files("/proc/self/fd");
}

/* Whoever asks what waits must not keep a segment from being deleted: its blocks would stay. */
static void test_info_holds_nothing(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    struct journal *journal = fixture_open(&options);

    for (uint64_t n = 1; n <= 3; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    usleep(300000); /* the keeper has made what it makes */
    int before = count_descriptors();
    for (uint64_t stored = 0; stored <= 3; stored++) {
        journal_set_stored(journal, stored);
        journal_info(journal, &info);
        CHECK_INT_EQ(info.oldest_us, stored < 3 ? (int64_t) (stored + 1) * 1000 + 1 : 0);
    }
    CHECK_INT_EQ(count_descriptors(), before);
    journal_set_stored(journal, 1); /* the database went back */
    journal_info(journal, &info);
    CHECK_INT_EQ(info.oldest_us, 2001);
    journal_close(journal);
}

/* What is stored stays for `keep`, also over a restart. */
static void test_stays_for_keep(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal;

    options.keep_messages = 1000;
    journal = open_with_twenty(&options);
    journal_close(journal);
    options.keep_messages = 0;
    options.keep_ms = 3600000;
    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_stored(journal), 20);
    usleep(300000);
    CHECK_INT_EQ(journal_first(journal), 1);
    journal_close(journal);
}

static void test_room_comes_first(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal;

    options.keep_messages = 1000;
    journal = open_with_twenty(&options);
    usleep(300000);
    CHECK_INT_EQ(journal_first(journal), 1);
    for (uint64_t n = 21; n <= 60; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100000, NULL), OUTCOME_OK);
        journal_set_stored(journal, n);
    }
    WAIT_UNTIL(journal_first(journal) > 1);
    journal_close(journal);
}

/* Numbers that a power loss leaves out are no messages: the newest stay all the same, and are
 * found. */
static void test_newest_stay_after_power_loss(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal;
    uint64_t last = 0;

    fixture_quiet();
    options.keep_messages = 7;
    journal = open_with_twenty(&options);
    CHECK_INT_EQ(journal_tail(journal, 5), 16);
    CHECK_INT_EQ(journal_tail(journal, 1000), journal_first(journal));
    for (int round = 0; round < 2; round++) {
        WAIT_UNTIL(round > 0 || journal_first(journal) == 13);
        journal_close(journal);
        fixture_power_loss(options.directory);
        journal = fixture_open(&options);
        CHECK(journal_last(journal) >= last + ((uint64_t) 1 << 32));
        journal_set_stored(journal, journal_last(journal));
        WAIT_UNTIL(journal_first(journal) == (round == 0 ? 13 : 15));
        usleep(300000);
        CHECK_INT_EQ(journal_first(journal), round == 0 ? 13 : 15);
        CHECK_INT_EQ(journal_tail(journal, 5), round == 0 ? 16 : 17);
        if (round == 0) {
            CHECK_INT_EQ(fixture_append(journal, 21, 100, &last), OUTCOME_OK);
            CHECK_INT_EQ(journal_tail(journal, 1), last);
            CHECK_INT_EQ(journal_tail(journal, 2), 20);
        }
    }
    journal_close(journal);
}

/* Nothing comes between two losses, and who has read all goes over the numbers that the first one
 * left out: still no messages. */
static void test_power_lost_twice(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal;
    struct journal_info info;
    uint64_t last;

    fixture_quiet();
    options.keep_messages = 8;
    journal = open_with_twenty(&options);
    WAIT_UNTIL(journal_first(journal) == 13);
    for (uint64_t loss = 1; loss <= 3; loss++) {
        journal_close(journal);
        fixture_power_loss(options.directory);
        journal = fixture_open(&options);
        CHECK_INT_EQ(journal_last(journal), 20 + (loss << 32));
        CHECK_INT_EQ(journal_tail(journal, 5), 16);
        CHECK_INT_EQ(journal_tail(journal, 1000), 13);
        CHECK_INT_EQ(fixture_read_from(journal, 13)->missing, 0);
        journal_set_stored(journal, journal_last(journal));
        usleep(100000);
        CHECK_INT_EQ(journal_first(journal), 13);
    }
    CHECK_INT_EQ(fixture_append(journal, 21, 100, &last), OUTCOME_OK);
    CHECK_INT_EQ(last, 21 + ((uint64_t) 3 << 32));
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, 1);
    CHECK_INT_EQ(journal_tail(journal, 2), 20);
    CHECK_INT_EQ(fixture_read_from(journal, 13)->missing, 0);
    journal_close(journal);
    /* The header that tells of three losses is gone. */
    int fd = open(fixture_segment(options.directory, 4), O_RDWR | O_CLOEXEC);
    CHECK(pwrite(fd, "rubbish", 7, 0) == 7);
    close(fd);
    journal = fixture_open(&options);
    CHECK_INT_EQ(fixture_read_from(journal, 13)->missing, 0);
    journal_close(journal);
}

/* The clock was a day ahead when segments were written down as stored, and was set right: they go
 * after `keep`, not a day later. */
static void test_times_in_the_future(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal;
    struct timespec tomorrow = {.tv_sec = clock_wall_us() / 1000000 + 86400};

    options.keep_messages = 1000;
    journal = open_with_twenty(&options);
    journal_close(journal);
    for (int i = 0; i < 9; i++) {
        CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, i),
                        (struct timespec[]){tomorrow, tomorrow}, 0) == 0);
    }
    options.keep_messages = 0;
    options.keep_ms = 1500;
    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_first(journal), 1);
    WAIT_UNTIL(journal_first(journal) == 19);
    journal_close(journal);
}

UNIT_MAIN("journal_keep", {"the newest stay", test_newest_stay},
          {"info holds nothing", test_info_holds_nothing},
          {"times in the future", test_times_in_the_future},
          {"stays for keep", test_stays_for_keep}, {"room comes first", test_room_comes_first},
          {"power lost twice", test_power_lost_twice},
          {"the newest stay after a power loss", test_newest_stay_after_power_loss})
