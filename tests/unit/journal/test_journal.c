/* SPDX-License-Identifier: MIT */
#include "journal/journal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <xxhash.h>

#include "base/metrics.h"
#include "core/gap.h"
#include "fixture.h"
#include "journal/journal_cursor.h"
#include "journal/journal_format.h"

static struct error error;

static void test_new_journal(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    struct journal_info info;
    char uuid[JOURNAL_UUID_TEXT];
    CHECK_INT_EQ(journal_last(journal), 0);
    CHECK_INT_EQ(journal_first(journal), 1);
    CHECK_INT_EQ(journal_stored(journal), 0);
    CHECK_INT_EQ(fixture_read_from(journal, 1)->count, 0);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, 0);
    CHECK_INT_EQ(info.oldest_us, 0);
    CHECK_INT_EQ(info.last_us, 0);
    CHECK(!info.crowded && !info.full);
    strcpy(uuid, journal_uuid(journal));
    CHECK_INT_EQ(strlen(uuid), 36);
    CHECK_INT_EQ(uuid[14], '4');
    journal_close(journal);
    journal_close(NULL);

    journal = fixture_open(&options);
    CHECK_TEXT_EQ(journal_uuid(journal), uuid);
    CHECK_INT_EQ(journal_last(journal), 0);
    journal_close(journal);
}

static void test_append_read_reopen(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    for (uint64_t round = 0; round < 5; round++) {
        struct journal *journal = fixture_open(&options);
        uint64_t sequence;
        CHECK_INT_EQ(journal_last(journal), round * 100);
        for (uint64_t n = 1; n <= 100; n++) {
            CHECK_INT_EQ(fixture_append(journal, round * 100 + n, 8 + n * 3, &sequence),
                         OUTCOME_OK);
            CHECK_INT_EQ(sequence, round * 100 + n);
        }
        CHECK(fixture_whole(fixture_read_from(journal, 1), round * 100 + 100));
        CHECK_INT_EQ(fixture_read_from(journal, round * 100 + 51)->count, 50);
        journal_close(journal);
    }
}

/* A later program's record is handed out like any other and is neither a message nor a gap: the
 * loader passes over it. */
static void test_unknown_kinds(void)
{
    static const int kinds[] = {3, 5, 255};
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    for (size_t i = 0; i < 3; i++) {
        struct message message = {.kind = (enum message_kind) kinds[i], .payload = slice_of("x")};
        CHECK_INT_EQ(fixture_append(journal, i + 1, 20, NULL), OUTCOME_OK);
        CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK);
    }
    for (int round = 0; round < 2; round++) { /* after a restart too */
        struct journal_reader *reader = journal_reader_new(journal);
        struct journal_next next;
        struct gap gap;
        for (uint64_t n = 1; n <= 6; n++) {
            CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
            CHECK_INT_EQ(next.message.sequence, n);
            CHECK_INT_EQ(next.message.kind, n % 2 == 1 ? MESSAGE_PUBLISH : kinds[n / 2 - 1]);
            CHECK_INT_EQ(message_is_delivery(&next.message), n % 2 == 1);
            CHECK(!gap_from_message(&next.message, &gap));
        }
        CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_END);
        journal_reader_free(reader);
        journal_close(journal);
        journal = fixture_open(&options);
    }
    journal_close(journal);
}

static void test_sync_policies(void)
{
    static const int64_t policies[] = {JOURNAL_SYNC_ALWAYS, JOURNAL_SYNC_NEVER, 1, 50};
    for (size_t i = 0; i < sizeof(policies) / sizeof(policies[0]); i++) {
        struct journal_options options = fixture_options(fixture_directory());
        options.sync_ms = policies[i];
        options.max_bytes = MB;
        struct journal *journal = fixture_open(&options);
        for (uint64_t n = 1; n <= 60; n++) { /* some segments of 64 KB */
            CHECK_INT_EQ(fixture_append(journal, n, 5000, NULL), OUTCOME_OK);
        }
        CHECK_INT_EQ(journal_sync(journal, &error), OUTCOME_OK);
        CHECK(fixture_whole(fixture_read_from(journal, 1), 60));
        journal_close(journal);
        journal = fixture_open(&options);
        CHECK(fixture_whole(fixture_read_from(journal, 1), 60));
        journal_close(journal);
    }
}

static void test_many_segments(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    struct journal *journal = fixture_open(&options);
    uint64_t state = 99;
    size_t count = 0;
    while (journal_info(journal, &info), info.segments < 10) {
        CHECK_INT_EQ(fixture_append(journal, ++count, 8 + fixture_random(&state) % 60000, NULL),
                     OUTCOME_OK);
    }
    CHECK(fixture_whole(fixture_read_from(journal, 1), count));
    CHECK_INT_EQ(info.waiting, count);
    CHECK(info.waiting_bytes > 9 * MB && info.waiting_bytes <= info.bytes);
    CHECK_INT_EQ(info.oldest_us, 1001);
    CHECK_INT_EQ(info.last_us, (int64_t) count * 1000 + 1);
    journal_set_stored(journal, count / 2);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, count - count / 2);
    CHECK(info.waiting_bytes > 4 * MB && info.waiting_bytes < 8 * MB);
    CHECK_INT_EQ(info.oldest_us, (int64_t) (count / 2 + 1) * 1000 + 1);
    journal_set_stored(journal, count);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting_bytes, 0);
    journal_set_stored(journal, count / 2);
    journal_close(journal);

    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_last(journal), count);
    CHECK_INT_EQ(journal_stored(journal), count / 2);
    CHECK(fixture_whole(fixture_read_from(journal, 1), count));
    journal_info(journal, &info);
    CHECK_INT_EQ(info.last_us, (int64_t) count * 1000 + 1);
    journal_close(journal);
}

/* A file that is not full keeps its blocks, one that is full gives back what it did not need. */
static void test_bytes_on_disk(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 9; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 700000, NULL), OUTCOME_OK); /* one a segment */
    }
    CHECK_INT_EQ(journal_sync(journal, &error), OUTCOME_OK);
    int64_t expected = 8 * (64 + 700072) + MB;
    WAIT_UNTIL((journal_info(journal, &info), info.bytes == expected + MB)); /* and the next one */
    journal_close(journal);
    int64_t bytes = 0;
    struct stat status;
    for (int i = 0; i < 9; i++) {
        CHECK(stat(fixture_segment(options.directory, i), &status) == 0);
        bytes += status.st_size;
    }
    CHECK_INT_EQ(bytes, expected);
}

static void test_large_records(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options); /* segments of 1 MB */
    uint64_t n = 0;
    CHECK_INT_EQ(fixture_append(journal, ++n, 100, NULL), OUTCOME_OK);
    CHECK_INT_EQ(fixture_append(journal, ++n, 5 * (size_t) MB, NULL), OUTCOME_OK);
    CHECK_INT_EQ(fixture_append(journal, ++n, 100, NULL), OUTCOME_OK);
    CHECK_INT_EQ(fixture_append(journal, ++n, 300 * 1024, NULL), OUTCOME_OK);
    CHECK_INT_EQ(fixture_append(journal, ++n, 5 * (size_t) MB, NULL), OUTCOME_OK);
    CHECK(fixture_whole(fixture_read_from(journal, 1), n));
    CHECK_INT_EQ(fixture_append(journal, 99, 17 * (size_t) MB, NULL), OUTCOME_REJECT);
    CHECK_INT_EQ(fixture_append(journal, 99, 8 * (size_t) MB, NULL), OUTCOME_RETRY);
    CHECK_INT_EQ(fixture_append(journal, ++n, 100, NULL), OUTCOME_OK);
    journal_set_stored(journal, n);
    CHECK(journal_wait_room(journal, 10000));
    CHECK_INT_EQ(fixture_append(journal, ++n, 15 * (size_t) MB, NULL), OUTCOME_OK);
    /* One that fills the journal alone must not stand in the way of the next when it is stored. */
    CHECK(journal_crowded(journal));
    CHECK_INT_EQ(fixture_append(journal, 99, 15 * (size_t) MB, NULL), OUTCOME_RETRY);
    journal_set_stored(journal, n);
    CHECK(journal_wait_room(journal, 10000));
    WAIT_UNTIL(!journal_crowded(journal));
    CHECK_INT_EQ(fixture_append(journal, ++n, 15 * (size_t) MB, NULL), OUTCOME_OK);
    journal_close(journal);
    journal = fixture_open(&options);
    struct seen *seen = fixture_read_from(journal, n);
    CHECK(seen->count == 1 && seen->numbers[0] == n && !seen->strange);
    journal_close(journal);
}

static void test_full_and_resume(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    options.max_bytes = MB;
    struct journal *journal = fixture_open(&options);
    uint64_t n = 0;
    uint64_t crowded_at = 0;
    while (fixture_append(journal, n + 1, 3000, NULL) == OUTCOME_OK) {
        n++;
        journal_info(journal, &info);
        CHECK(info.bytes <= MB);
        crowded_at = crowded_at == 0 && journal_crowded(journal) ? n : crowded_at;
    }
    CHECK(n > 300); /* nearly all of it was used */
    CHECK(crowded_at > n * 3 / 4 && crowded_at < n - 20);
    journal_info(journal, &info);
    CHECK(info.full && info.crowded);
    CHECK(!journal_wait_room(journal, 20));
    CHECK_INT_EQ(journal_last(journal), n);
    CHECK_INT_EQ(fixture_append(journal, n + 1, 3000, NULL), OUTCOME_RETRY);
    CHECK_INT_EQ(fixture_read_from(journal, 1)->count, n);

    /* Room for one more segment: an append works, but it stays crowded until a quarter is free. */
    journal_set_stored(journal, 25);
    CHECK(journal_wait_room(journal, 10000));
    CHECK_INT_EQ(fixture_append(journal, ++n, 3000, NULL), OUTCOME_OK);
    CHECK(journal_crowded(journal));
    journal_info(journal, &info);
    CHECK(!info.full);
    journal_set_stored(journal, n * 2 / 10);
    CHECK(journal_crowded(journal));
    journal_set_stored(journal, n / 2);
    WAIT_UNTIL(!journal_crowded(journal));
    for (int i = 0; i < 50; i++) {
        CHECK_INT_EQ(fixture_append(journal, ++n, 3000, NULL), OUTCOME_OK);
    }
    struct seen *seen = fixture_read_from(journal, n / 2);
    CHECK(!seen->strange && seen->missing == 0 && seen->numbers[seen->count - 1] == n);
    CHECK(fixture_read_from(journal, 1)->deleted > 0);
    CHECK_INT_EQ(fixture_read_from(journal, 1)->missing, 0);
    journal_close(journal);
}

static void test_retention(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    options.max_bytes = 4 * MB;
    options.keep_ms = 700; /* longer than a busy machine stands between two calls */
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 20; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100000, NULL), OUTCOME_OK); /* two a segment */
    }
    int64_t stored_ms = clock_monotonic_ms();
    journal_set_stored(journal, 11); /* segments 1-2 … 9-10 are wholly stored, 11-12 is not */
    CHECK_INT_EQ(journal_first(journal), 1);
    WAIT_UNTIL(journal_first(journal) == 11);
    CHECK(clock_monotonic_ms() - stored_ms >= 700);
    usleep(800000);
    CHECK_INT_EQ(journal_first(journal), 11);
    /* Back before they could go: they stay. */
    journal_set_stored(journal, 16);
    journal_set_stored(journal, 12);
    WAIT_UNTIL(journal_first(journal) == 13); /* 11-12 stayed stored */
    usleep(800000);
    CHECK_INT_EQ(journal_first(journal), 13);
    /* All stored: never the newest. */
    journal_set_stored(journal, 20);
    WAIT_UNTIL(journal_first(journal) == 19);
    usleep(800000);
    CHECK_INT_EQ(journal_first(journal), 19);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.segments, 1);
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK(seen->deleted == 18 && seen->missing == 0 && seen->count == 2 && !seen->strange);
    journal_close(journal);
    CHECK(fixture_segment(options.directory, 1)[0] == '\0');

    /* Also after a restart what is missing is known to be deleted. */
    journal = fixture_open(&options);
    seen = fixture_read_from(journal, 1);
    CHECK(seen->deleted == 18 && seen->missing == 0 && seen->count == 2 && !seen->strange);
    journal_close(journal);
}

static void test_retention_after_restart(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = 4 * MB;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 6; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100000, NULL), OUTCOME_OK);
    }
    journal_set_stored(journal, 6);
    journal_close(journal);

    /* Half an hour ago, as far as the files know. */
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL) - 1800}};
    CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, 0), times, 0) == 0);
    CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, 1), times, 0) == 0);
    options.keep_ms = 3600000;
    journal = fixture_open(&options);
    usleep(100000);
    CHECK_INT_EQ(journal_first(journal), 1);
    journal_close(journal);

    /* The newest message is no younger: then it is the clock that has gone ahead since, or nothing
     * came for long. */
    CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, 2), times, 0) == 0);
    options.keep_ms = 1500000;
    journal = fixture_open(&options);
    usleep(100000);
    CHECK_INT_EQ(journal_first(journal), 1);
    journal_close(journal);

    CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, 0), times, 0) == 0);
    CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, 1), times, 0) == 0);
    CHECK(utimensat(AT_FDCWD, fixture_segment(options.directory, 2), NULL, 0) == 0);
    journal = fixture_open(&options);
    WAIT_UNTIL(journal_first(journal) == 5);
    CHECK_INT_EQ(journal_last(journal), 6);
    journal_close(journal);
}

static void test_two_openers(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    struct journal *second = NULL;
    char expected[40];
    CHECK_INT_EQ(journal_open(&second, &options, &error), OUTCOME_FATAL);
    CHECK(second == NULL);
    snprintf(expected, sizeof(expected), "process %ld;", (long) getpid());
    CHECK(strstr(error.text, expected) != NULL);
    journal_close(journal);
    journal = fixture_open(&options);
    journal_close(journal);
}

static void test_bad_options(void)
{
    struct journal *journal = NULL;
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = MB - 1;
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "too small") != NULL);
    options.max_bytes = MB;
    options.read_only = true;
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "No such file") != NULL);
    options.read_only = false;
    options.directory = "/proc/nowhere";
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    options.directory = "/sys/nowhere"; /* where root may make nothing either */
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "set another journal.directory") != NULL);
}

static void test_foreign_files(void)
{
    struct journal *journal = NULL;
    struct journal_options options = fixture_options(fixture_directory());
    char path[700];
    uint8_t header[JOURNAL_SEGMENT_HEADER_BYTES] = {0};
    snprintf(path, sizeof(path), "%s/00000000000000000001.segment", options.directory);
    mkdir(options.directory, 0700);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CHECK(pwrite(fd, "a text that is somebody else's, and longer than the header of ours", 66, 0) ==
          66);
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "not a segment") != NULL);

    /* A later version, honestly. */
    uint8_t *later = header;
    struct segment_header made = {.first_sequence = 1};
    segment_header_encode(later, &made);
    later[8] = JOURNAL_FORMAT_VERSION + 1;
    uint64_t checksum = XXH3_64bits(later, 56);
    memcpy(later + 56, &checksum, 8);
    CHECK(pwrite(fd, later, sizeof(header), 0) == sizeof(header));
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "later version") != NULL);
    options.read_only = true;
    CHECK_INT_EQ(journal_open(&journal, &options, &error), OUTCOME_FATAL);
    options.read_only = false;
    close(fd);
    unlink(path);

    /* A segment of another journal. */
    static char from[700];
    struct journal_options ours = fixture_options(options.directory);
    journal = fixture_open(&ours);
    CHECK_INT_EQ(fixture_append(journal, 1, 100, NULL), OUTCOME_OK);
    journal_close(journal);
    snprintf(from, sizeof(from), "%s", fixture_segment(options.directory, 0));
    static char other_directory[300];
    snprintf(other_directory, sizeof(other_directory), "%s", fixture_directory());
    struct journal_options other = fixture_options(other_directory);
    journal_close(fixture_open(&other));
    fixture_skip_to(other.directory, 100);
    journal = fixture_open(&other);
    CHECK_INT_EQ(fixture_append(journal, 1, 100, NULL), OUTCOME_OK);
    journal_close(journal);
    snprintf(path, sizeof(path), "%s/00000000000000000001.segment", other_directory);
    fixture_copy_file(from, path);
    CHECK_INT_EQ(journal_open(&journal, &other, &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "another journal") != NULL);
    unlink(path);
    /* A wrong name: set aside, nothing else happens to it. */
    snprintf(from, sizeof(from), "%s", fixture_segment(other_directory, 0));
    snprintf(path, sizeof(path), "%s/00000000000000000050.segment", other_directory);
    fixture_copy_file(from, path);
    fixture_quiet();
    journal = fixture_open(&other);
    CHECK_INT_EQ(fixture_read_from(journal, 101)->count, 1);
    snprintf(path, sizeof(path), "%s/damaged/00000000000000000050.segment", other_directory);
    CHECK(access(path, F_OK) == 0);
    journal_close(journal);
}

static void test_numbers_left_out(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    uint64_t sequence;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 10; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    journal_close(journal);

    fixture_skip_to(options.directory, 1000);
    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_last(journal), 1000);
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK(fixture_whole(seen, 10)); /* nothing is missing */
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, 10);
    CHECK_INT_EQ(fixture_read_from(journal, 1001)->count, 0);
    journal_close(journal); /* and it is not forgotten */

    fixture_skip_to(options.directory, 2000);
    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_last(journal), 2000);
    CHECK(fixture_whole(fixture_read_from(journal, 1), 10));
    CHECK_INT_EQ(fixture_append(journal, 11, 100, &sequence), OUTCOME_OK);
    CHECK_INT_EQ(sequence, 2001);
    CHECK(fixture_whole(fixture_read_from(journal, 1), 11));
    CHECK_INT_EQ(fixture_read_from(journal, 1500)->numbers[0], 11);
    CHECK_INT_EQ(fixture_read_from(journal, 1500)->missing, 0);
    CHECK_INT_EQ(fixture_append(journal, 12, 100, &sequence), OUTCOME_OK);
    CHECK_INT_EQ(sequence, 2002);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, 12);
    journal_set_stored(journal, 4);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, 8);
    journal_set_stored(journal, 1200);
    journal_info(journal, &info);
    CHECK_INT_EQ(info.waiting, 2);
    CHECK_INT_EQ(info.oldest_us, 11001);
    journal_close(journal);
    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_last(journal), 2002);
    CHECK(fixture_whole(fixture_read_from(journal, 1), 12));
    journal_close(journal);
}

/* The database knew more than the journal after a power loss, and the cursor knew it from the
 * database. */
static void test_stored_is_a_lower_bound(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    uint64_t sequence;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 10; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    journal_set_stored(journal, 10);
    journal_close(journal);
    CHECK(unlink(fixture_segment(options.directory, 0)) == 0);
    journal = fixture_open(&options);
    CHECK_INT_EQ(journal_last(journal), 10);
    CHECK_INT_EQ(journal_first(journal), 11);
    CHECK_INT_EQ(fixture_append(journal, 11, 100, &sequence), OUTCOME_OK);
    CHECK_INT_EQ(sequence, 11);
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK(seen->missing == 10 && seen->count == 1 && !seen->strange);
    journal_close(journal);
}

static void test_power_loss_skips(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    uint64_t sequence = 0;
    fixture_quiet();
    for (uint64_t round = 0; round < 3; round++) {
        struct journal *journal = fixture_open(&options);
        CHECK(sequence == 0 || journal_last(journal) == sequence + ((uint64_t) 1 << 32));
        uint64_t before = journal_last(journal);
        for (uint64_t n = 1; n <= 10; n++) {
            CHECK_INT_EQ(fixture_append(journal, round * 10 + n, 100, &sequence), OUTCOME_OK);
            CHECK_INT_EQ(sequence, before + n);
        }
        CHECK(fixture_whole(fixture_read_from(journal, 1), round * 10 + 10));
        journal_info(journal, &info);
        CHECK_INT_EQ(info.waiting, round * 10 + 10);
        journal_close(journal);
        fixture_power_loss(options.directory);
    }
    /* Twice without an append between. */
    journal_close(fixture_open(&options));
    fixture_power_loss(options.directory);
    struct journal *journal = fixture_open(&options);
    CHECK_INT_EQ(journal_last(journal), sequence + ((uint64_t) 2 << 32));
    CHECK(fixture_whole(fixture_read_from(journal, 1), 30));
    CHECK_INT_EQ(fixture_append(journal, 31, 100, NULL), OUTCOME_OK);
    CHECK(fixture_whole(fixture_read_from(journal, 1), 31));
    journal_close(journal);
}

static void test_read_only(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_options looking = options;
    looking.read_only = true;
    struct journal *journal = fixture_open(&options);
    struct journal_info info;
    struct message message = {.kind = MESSAGE_PUBLISH};
    for (uint64_t n = 1; n <= 50; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100000, NULL), OUTCOME_OK);
    }
    WAIT_UNTIL(fixture_count_files(options.directory) ==
               9); /* 5 segments, the next, position, deliveries, lock */
    for (uint64_t n = 51; n <= 60; n++) {
        struct journal *beside = fixture_open(&looking);
        CHECK_TEXT_EQ(journal_uuid(beside), journal_uuid(journal));
        CHECK_INT_EQ(journal_last(beside), n - 1);
        CHECK(fixture_whole(fixture_read_from(beside, 1), n - 1));
        CHECK_INT_EQ(journal_append(beside, &message, &error), OUTCOME_FATAL);
        journal_info(beside, &info);
        CHECK_INT_EQ(info.waiting, n - 1);
        CHECK_INT_EQ(info.oldest_us, 1001);
        journal_close(beside);
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    CHECK_INT_EQ(fixture_count_files(options.directory), 9);

    /* What the service deletes meanwhile is deleted, not damaged. */
    struct journal *beside = fixture_open(&looking);
    CHECK(unlink(fixture_segment(options.directory, 0)) == 0);
    struct seen *seen = fixture_read_from(beside, 1);
    CHECK(seen->deleted == 10 && seen->missing == 0 && seen->count == 50 && !seen->strange);
    journal_close(beside);
    journal_close(journal);
}

/* Half a record at the end of the newest segment, beside a running service: the end, not damage. */
static void test_read_only_while_writing(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 3; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    const char *path = fixture_segment(options.directory, 0);
    static char record[200];
    int fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(pread(fd, record, 200, 64) == 200);
    CHECK(pwrite(fd, record, 100, 64 + 3 * RECORD_100) == 100);
    options.read_only = true;
    struct journal *beside = fixture_open(&options);
    CHECK(fixture_whole(fixture_read_from(beside, 1), 3));
    journal_close(beside);
    memset(record, 0, sizeof(record));
    CHECK(pread(fd, record, 100, 64 + 3 * RECORD_100) == 100 && record[0] != 0); /* untouched */
    close(fd);
    journal_close(journal);
}

/* --- threads --- */

struct traffic {
    struct journal *journal;
    uint64_t count;
    atomic_uint_fast64_t refused;
    atomic_bool bad;
};

static void *append_thread(void *context)
{
    struct traffic *traffic = context;
    struct buf bytes = {0};
    struct error failure;
    for (uint64_t n = 1; n <= traffic->count;) {
        struct message message = fixture_message(&bytes, n, 8 + n % 400);
        enum outcome outcome = journal_append(traffic->journal, &message, &failure);
        if (outcome == OUTCOME_OK) {
            traffic->bad |= message.sequence != n;
            n++;
        } else if (outcome == OUTCOME_RETRY) {
            traffic->refused++;
            journal_wait_room(traffic->journal, 1000);
        } else {
            traffic->bad = true;
            break;
        }
    }
    buf_fini(&bytes);
    return NULL;
}

static void test_reader_while_appending(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_info info;
    options.max_bytes = MB;
    options.sync_ms = 5;
    options.keep_ms = 0;
    struct journal *journal = fixture_open(&options);
    struct traffic traffic = {.journal = journal, .count = 30000};
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    pthread_t thread;
    uint64_t expected = 1;
    uint64_t waits = 0;
    CHECK(journal_reader_seek(reader, 1, &error) == OUTCOME_OK);
    CHECK(pthread_create(&thread, NULL, append_thread, &traffic) == 0);
    while (expected <= traffic.count && !traffic.bad) {
        enum journal_read read = journal_reader_next(reader, &next);
        if (read == JOURNAL_READ_MESSAGE) {
            bool good =
                next.message.sequence == expected && fixture_number(&next.message) == expected;
            if (!good) {
                CHECK(good);
                break;
            }
            expected++;
            if (expected % 500 == 0) {
                journal_set_stored(journal, expected - 1);
                journal_info(journal, &info);
            }
            if (expected == 3000) {
                WAIT_UNTIL(traffic.refused >
                           0); /* fall behind: the appender meets a full journal */
            }
        } else if (read == JOURNAL_READ_END) {
            journal_set_stored(journal, expected - 1);
            CHECK(journal_wait(journal, expected, 10000));
            waits++;
        } else {
            CHECK(read == JOURNAL_READ_MESSAGE);
            break;
        }
    }
    pthread_join(thread, NULL);
    CHECK(!traffic.bad);
    CHECK_INT_EQ(expected, traffic.count + 1);
    journal_reader_free(reader);
    journal_close(journal);
}

static void *wake_thread(void *context)
{
    usleep(50000);
    journal_wake(context);
    return NULL;
}

static void test_waiting(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    pthread_t thread;
    int64_t start_ms = clock_monotonic_ms();
    CHECK(!journal_wait(journal, 1, 30));
    CHECK(clock_monotonic_ms() - start_ms >= 30);
    CHECK(pthread_create(&thread, NULL, wake_thread, journal) == 0);
    start_ms = clock_monotonic_ms();
    CHECK(!journal_wait(journal, 1, 20000));
    CHECK(clock_monotonic_ms() - start_ms < 10000);
    pthread_join(thread, NULL);
    journal_wake(journal); /* also before the wait */
    CHECK(!journal_wait(journal, 1, 20000));
    struct traffic traffic = {.journal = journal, .count = 100};
    CHECK(pthread_create(&thread, NULL, append_thread, &traffic) == 0);
    CHECK(journal_wait(journal, 100, 10000));
    pthread_join(thread, NULL);
    CHECK(journal_wait(journal, 100, 0));
    journal_close(journal);
}

/* --- readers --- */

static void test_seek(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_next next;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 100; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 50000, NULL), OUTCOME_OK);
    }
    struct journal_reader *reader = journal_reader_new(journal);
    uint64_t state = 7;
    for (int i = 0; i < 200; i++) {
        uint64_t at = 1 + fixture_random(&state) % 101;
        CHECK(journal_reader_seek(reader, at, &error) == OUTCOME_OK);
        CHECK_INT_EQ(journal_reader_position(reader), at);
        for (uint64_t n = at; n < at + fixture_random(&state) % 5; n++) {
            enum journal_read read = journal_reader_next(reader, &next);
            CHECK_INT_EQ(read, n <= 100 ? JOURNAL_READ_MESSAGE : JOURNAL_READ_END);
            if (read != JOURNAL_READ_MESSAGE) {
                break;
            }
            CHECK_INT_EQ(fixture_number(&next.message), n);
        }
    }
    CHECK(journal_reader_seek(reader, 102, &error) == OUTCOME_FATAL);
    CHECK(strstr(error.text, "not of this journal") != NULL);
    journal_reader_free(reader);
    journal_reader_free(NULL);
    journal_close(journal);
}

static void test_missing_segment(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal_next next;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 9; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 400000, NULL), OUTCOME_OK); /* two a segment */
    }
    journal_close(journal);
    CHECK(unlink(fixture_segment(options.directory, 2)) == 0);
    metrics_reset();
    journal = fixture_open(&options);
    struct journal_reader *reader = journal_reader_new(journal);
    CHECK(journal_reader_seek(reader, 4, &error) == OUTCOME_OK);
    CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
    CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MISSING);
    CHECK(next.missing.first == 5 && next.missing.count == 2 && !next.missing.deleted);
    CHECK_INT_EQ(next.missing.from_us, 4001);
    CHECK_INT_EQ(next.missing.to_us, 7001);
    CHECK_INT_EQ(journal_reader_position(reader), 7);
    CHECK_INT_EQ(journal_reader_next(reader, &next), JOURNAL_READ_MESSAGE);
    CHECK_INT_EQ(fixture_number(&next.message), 7);
    CHECK_INT_EQ(metric_get(METRIC_JOURNAL_DAMAGED), 2);
    journal_reader_free(reader);
    CHECK_INT_EQ(fixture_read_from(journal, 1)->missing, 2); /* counted once */
    CHECK_INT_EQ(metric_get(METRIC_JOURNAL_DAMAGED), 2);
    journal_close(journal);
}

static void test_backlog_opens_fast(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    options.max_bytes = 160 * MB;
    options.sync_ms = JOURNAL_SYNC_NEVER;
    struct journal *journal = fixture_open(&options);
    struct buf bytes = {0};
    uint64_t n = 0;
    struct journal_info info;
    do {
        struct message message = fixture_message(&bytes, ++n, 900000);
        CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK);
        journal_info(journal, &info);
    } while (info.segments < 10);
    buf_fini(&bytes);
    journal_close(journal);
    int64_t start_us = clock_monotonic_us();
    journal = fixture_open(&options);
    int64_t took_us = clock_monotonic_us() - start_us;
    printf("opening 10 segments of 10 MB took %lld us\n", (long long) took_us);
    CHECK(took_us < 2000000);
    CHECK_INT_EQ(journal_last(journal), n);
    journal_close(journal);
}

UNIT_MAIN("journal", {"new journal", test_new_journal},
          {"append, read, reopen", test_append_read_reopen}, {"unknown kinds", test_unknown_kinds},
          {"sync policies", test_sync_policies}, {"many segments", test_many_segments},
          {"bytes on disk", test_bytes_on_disk}, {"large records", test_large_records},
          {"full and resume", test_full_and_resume}, {"retention", test_retention},
          {"retention after restart", test_retention_after_restart},
          {"two openers", test_two_openers}, {"bad options", test_bad_options},
          {"foreign files", test_foreign_files}, {"numbers left out", test_numbers_left_out},
          {"stored is a lower bound", test_stored_is_a_lower_bound},
          {"power loss skips", test_power_loss_skips}, {"read only", test_read_only},
          {"read only while writing", test_read_only_while_writing},
          {"reader while appending", test_reader_while_appending}, {"waiting", test_waiting},
          {"seek", test_seek}, {"missing segment", test_missing_segment},
          {"backlog opens fast", test_backlog_opens_fast})
