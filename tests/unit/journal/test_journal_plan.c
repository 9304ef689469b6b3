/* The plan's records: handed out in order, repeated in each segment. SPDX-License-Identifier: MIT */
#include "base/metrics.h"
#include "fixture.h"
#include "journal/journal_internal.h"

FIXTURE_IN_MEMORY

static struct error error;

static uint64_t append_plan(struct journal *journal, const char *plan)
{
    uint64_t sequence = 0;
    CHECK_INT_EQ(journal_append_plan(journal, slice_of(plan), &sequence, &error), OUTCOME_OK);
    return sequence;
}

/* The records in short: "." a message, "a" a plan whose text begins so, "!" missing ones. */
static const char *records(struct journal *journal)
{
    static char text[2000];
    size_t length = 0;
    struct journal_next next;
    enum journal_read read;
    struct journal_reader *reader = journal_reader_new(journal);
    while ((read = journal_reader_next(reader, &next)) != JOURNAL_READ_END &&
           length + 1 < sizeof(text) && CHECK(read != JOURNAL_READ_FAILED)) {
        bool plan = read == JOURNAL_READ_MESSAGE && next.message.kind == MESSAGE_PLAN;
        CHECK(!plan || next.message.received_at_us > 0);
        text[length++] = read == JOURNAL_READ_MISSING ? '!'
                         : plan                       ? *next.message.payload.data
                                                      : '.';
    }
    text[length] = '\0';
    journal_reader_free(reader);
    return text;
}

static void check_newest(struct journal *journal, const char *plan, uint64_t sequence)
{
    struct buf found = {0};
    CHECK_INT_EQ(journal_plan(journal, &found), sequence);
    CHECK_TEXT_EQ(buf_string(&found), plan);
    buf_fini(&found);
}

static void check_at(struct journal *journal, uint64_t at, const char *plan, uint64_t sequence)
{
    struct buf found = {0};
    uint64_t plan_sequence;
    UNIT_CASE("at %llu", (unsigned long long) at);
    CHECK_INT_EQ(journal_plan_at(journal, at, &found, &plan_sequence, &error), OUTCOME_OK);
    CHECK_TEXT_EQ(buf_string(&found), plan);
    CHECK_INT_EQ(plan_sequence, sequence);
    UNIT_CASE("%s", "");
    buf_fini(&found);
}

static void test_in_order(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    check_newest(journal, "", 0);
    check_at(journal, 1, "", 0);
    CHECK_INT_EQ(fixture_append(journal, 1, 20, NULL), OUTCOME_OK);
    CHECK_INT_EQ(append_plan(journal, "a"), 2);
    CHECK_INT_EQ(fixture_append(journal, 2, 20, NULL), OUTCOME_OK);
    CHECK_INT_EQ(append_plan(journal, "b"), 4);
    CHECK_INT_EQ(fixture_append(journal, 3, 20, NULL), OUTCOME_OK);
    for (int round = 0; round < 3; round++) { /* as it runs, after a restart, read only */
        CHECK_TEXT_EQ(records(journal), ".a.b.");
        check_newest(journal, "b", 4);
        check_at(journal, 1, "", 0);
        check_at(journal, 2, "a", 2);
        check_at(journal, 3, "a", 2);
        check_at(journal, 5, "b", 4);
        journal_close(journal);
        options.read_only = round == 1;
        journal = fixture_open(&options);
    }
    journal_close(journal);
}

/* Messages of 20,000 bytes: three fill a segment of 64 KB. */
static void fill(struct journal *journal, uint64_t from, uint64_t to)
{
    for (uint64_t n = from; n <= to; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 20000, NULL), OUTCOME_OK);
    }
}

static void test_each_segment_has_it(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = MB;
    options.keep_ms = 0;
    int64_t at_start = metric_get(METRIC_JOURNAL_MESSAGES_AT_START);
    struct journal *journal = fixture_open(&options);
    fill(journal, 1, 1);
    append_plan(journal, "a");
    fill(journal, 2, 8);
    CHECK_TEXT_EQ(records(journal), ".a..a...a..");
    CHECK_INT_EQ(metric_get(METRIC_JOURNAL_MESSAGES_AT_START), at_start + 3);
    journal_close(journal);
    journal = fixture_open(&options); /* goes on in a segment that has one */
    fill(journal, 9, 9);
    CHECK_INT_EQ(append_plan(journal, "b"), 13); /* as the first of its segment, instead of "a" */
    CHECK_TEXT_EQ(records(journal), ".a..a...a...b");
    journal_set_stored(journal, 10);
    WAIT_UNTIL(journal_first(journal) == 9);
    CHECK_TEXT_EQ(records(journal), "a...b");
    check_at(journal, 10, "a", 9);
    check_at(journal, 13, "b", 13);
    journal_close(journal);
}

/* After a start too, when the newest segment is not continued. */
static void test_numbers_left_out(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    append_plan(journal, "a");
    journal_close(journal);
    fixture_skip_to(options.directory, 100);
    journal = fixture_open(&options);
    check_newest(journal, "a", 1);
    CHECK_INT_EQ(fixture_append(journal, 1, 20, NULL), OUTCOME_OK);
    CHECK_TEXT_EQ(records(journal), "aa.");
    check_at(journal, 102, "a", 101);
    journal_close(journal);
}

static void test_too_large(void)
{
    const struct {
        int64_t max_bytes;
        size_t bytes_most;
    } cases[] = {{MB, 32 * 1024 - 48}, {1024 * MB, JOURNAL_PLAN_BYTES_MAX}};
    char *plan = calloc(1, JOURNAL_PLAN_BYTES_MAX + 1);
    for (size_t i = 0; i < 2; i++) {
        struct journal_options options = fixture_options(fixture_directory());
        options.max_bytes = cases[i].max_bytes;
        struct journal *journal = fixture_open(&options);
        uint64_t sequence;
        CHECK_INT_EQ(
            journal_append_plan(journal, slice_make(plan, cases[i].bytes_most), &sequence, &error),
            OUTCOME_OK);
        CHECK_INT_EQ(journal_append_plan(journal, slice_make(plan, cases[i].bytes_most + 8),
                                         &sequence, &error),
                     OUTCOME_REJECT);
        journal_close(journal);
        fixture_remove(options.directory);
    }
    free(plan);
}

/* With a sync that is not due for long: the repeat is on disk before the segment before it goes. */
static void test_durable_before_deletion(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = MB;
    options.keep_ms = 0;
    options.sync_ms = 3600000;
    struct journal *journal = fixture_open(&options);
    append_plan(journal, "a");
    fill(journal, 1, 4);
    journal_set_stored(journal, 4);
    WAIT_UNTIL(journal_first(journal) > 1);
    pthread_mutex_lock(&journal->lock);
    CHECK(journal->segments[0].synced > JOURNAL_SEGMENT_HEADER_BYTES);
    pthread_mutex_unlock(&journal->lock);
    journal_close(journal);
}

/* A bit of every byte of each plan's record: the messages stay, the plan is found in the segment
 * before, and the next append writes one into the newest segment again. */
static void damage_plan(const char *directory, int segment, int64_t at)
{
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = MB;
    fixture_copy(directory, options.directory);
    UNIT_CASE("segment %d, byte %d", segment, (int) at);
    int fd = open(fixture_segment(options.directory, segment), O_RDWR | O_CLOEXEC);
    uint8_t byte;
    CHECK(pread(fd, &byte, 1, at) == 1);
    byte ^= 4;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);

    struct journal *journal = fixture_open(&options);
    CHECK_TEXT_EQ(records(journal), segment == 0 ? "!...a." : "a...!.");
    check_newest(journal, "a plan", segment == 0 ? 5 : 1);
    CHECK_INT_EQ(fixture_append(journal, 9, 20, NULL), OUTCOME_OK);
    CHECK_TEXT_EQ(records(journal), segment == 0 ? "!...a.." : "a...!.a.");
    check_at(journal, journal_last(journal), "a plan", segment == 0 ? 5 : 7);
    journal_close(journal);
    fixture_remove(options.directory);
    UNIT_CASE("%s", "");
}

static void test_damage(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    static char directory[300];
    snprintf(directory, sizeof(directory), "%s", options.directory);
    options.directory = directory;
    options.max_bytes = MB;
    fixture_quiet();
    struct journal *journal = fixture_open(&options);
    append_plan(journal, "a plan");
    fill(journal, 1, 4);
    CHECK_TEXT_EQ(records(journal), "a...a.");
    journal_close(journal);
    for (int segment = 0; segment < 2; segment++) {
        for (int64_t at = 0; at < 48; at += FIXTURE_STEP) {
            damage_plan(directory, segment, JOURNAL_SEGMENT_HEADER_BYTES + at);
        }
    }
}

UNIT_MAIN("journal_plan", {"in order", test_in_order},
          {"each segment has it", test_each_segment_has_it},
          {"numbers left out", test_numbers_left_out}, {"too large", test_too_large},
          {"durable before a deletion", test_durable_before_deletion}, {"damage", test_damage})
