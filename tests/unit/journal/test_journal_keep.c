/* The newest messages stay on disk for the redelivery memory, however short `keep` is, until room is needed.
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
    CHECK(journal_first(journal) > 1);
    journal_close(journal);
}

UNIT_MAIN("journal_keep", {"the newest stay", test_newest_stay},
          {"room comes first", test_room_comes_first})
