/* Files that somebody deletes under a running journal, and room that is to stay free.
 * SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "base/stop.h"
#include "fixture.h"

static struct error error;

static struct journal *open_with_one(struct journal_options *options)
{
    *options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(options);
    CHECK_INT_EQ(fixture_append(journal, 1, 20, NULL), OUTCOME_OK);
    return journal;
}

static void check_gone(struct journal *journal)
{
    struct journal_info info;
    usleep(25000); /* a stream of appends looks every 20 ms */
    CHECK_INT_EQ(fixture_append(journal, 2, 20, NULL), OUTCOME_RETRY);
    journal_info(journal, &info);
    CHECK(info.gone && info.crowded);
    CHECK_INT_EQ(info.last, 1);
    int64_t start_ms = clock_monotonic_ms();
    CHECK(!journal_wait_room(journal, 50));
    CHECK(clock_monotonic_ms() - start_ms >= 50); /* no hot loop */
}

static void test_directory(void)
{
    struct journal_options options;
    struct journal *journal = open_with_one(&options);
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
    fixture_remove(options.directory);
    check_gone(journal);
    CHECK_INT_EQ(journal_reader_seek(reader, 1, &error), OUTCOME_OK);
    CHECK(!stop_requested()); /* what is in memory or open may still be stored */
    journal_reader_free(reader);
    journal_close(journal);

    journal = fixture_open(&options); /* a restart */
    CHECK_INT_EQ(fixture_append(journal, 1, 20, NULL), OUTCOME_OK);
    journal_close(journal);
}

static void test_segment(void)
{
    struct journal_options options;
    struct journal *journal = open_with_one(&options);
    CHECK(unlink(fixture_segment(options.directory, 0)) == 0);
    check_gone(journal);
    journal_close(journal);
}

/* Nothing is appended, but somebody looks: the status page, each second. */
static void test_noticed_when_idle(void)
{
    struct journal_options options;
    struct journal_info info;
    struct journal *journal = open_with_one(&options);
    journal_info(journal, &info);
    CHECK(!info.gone && !journal_crowded(journal));
    fixture_remove(options.directory);
    journal_info(journal, &info);
    CHECK(info.gone && journal_crowded(journal));
    journal_close(journal);
}

static void test_keep_free(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    options.keep_free_bytes = INT64_MAX / 2;
    struct journal *journal = fixture_open(&options);
    CHECK_INT_EQ(fixture_append(journal, 1, 20, NULL), OUTCOME_RETRY);
    journal_info(journal, &info);
    CHECK(info.crowded && info.disk_full && !info.gone);
    CHECK_INT_EQ(info.bytes, 0);
    journal_close(journal);

    options.keep_free_bytes = 1;
    journal = fixture_open(&options);
    CHECK_INT_EQ(fixture_append(journal, 1, 20, NULL), OUTCOME_OK);
    journal_close(journal);
}

UNIT_MAIN("journal_gone", {"the directory", test_directory}, {"a segment", test_segment},
          {"noticed when idle", test_noticed_when_idle}, {"keep_free", test_keep_free})
