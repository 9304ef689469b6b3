/* A reader that seeks the message behind the stored ones begins at the noted place: it does not
 * read what stands before it in the segment.
 *
 * SPDX-License-Identifier: MIT */
#include <unistd.h>

#include "fixture.h"
#include "journal/journal_format.h"
#include "unit.h"

enum { MESSAGES = 9 };

/* Changes a byte in the middle of record `n`. */
static void break_record(const struct journal_options *options, uint64_t n)
{
    int fd = open(fixture_segment(options->directory, 0), O_RDWR);
    int64_t at = JOURNAL_SEGMENT_HEADER_BYTES + (int64_t) (n - 1) * RECORD_100 + RECORD_100 / 2;
    char byte;

    CHECK(pread(fd, &byte, 1, at) == 1);
    byte = (char) ~byte;
    CHECK(pwrite(fd, &byte, 1, at) == 1);
    close(fd);
}

static unsigned set_aside(struct journal *journal)
{
    struct journal_info info;

    journal_info(journal, &info);
    return info.set_aside_files;
}

/* Reads up to message `upto`, breaks records, and lets a new reader seek the message behind. */
struct place_case {
    const char *name;
    uint64_t upto;
    uint64_t broken_before; /* 0: none; broken before the first reader reads */
    uint64_t broken_after;  /* 0: none; broken behind the first reader */
    bool noted;
    uint64_t next;      /* what the second reader reads */
    unsigned set_aside; /* damaged pieces that the readers found */
};

static const struct place_case cases[] = {
    {"without a place the whole segment is read", 5, 0, 2, false, 6, 1},
    {"with a place nothing before it is read", 5, 0, 2, true, 6, 0},
    {"damage behind the place is found", 5, 0, 6, true, 7, 1},
    {"the place in front of damage", 5, 6, 0, true, 7, 1},
    {"the place at the journal's end", MESSAGES, 0, 2, true, MESSAGES + 1, 0},
    {"the place at the beginning", 0, 0, 0, true, 1, 0},
};

static void read_to(struct journal_reader *reader, uint64_t upto)
{
    struct journal_next next;

    while (journal_reader_position(reader) <= upto) {
        CHECK(journal_reader_next(reader, &next) == JOURNAL_READ_MESSAGE);
    }
}

/* The number of the first message that a reader finds from `sequence` on. */
static uint64_t first_from(struct journal *journal, uint64_t sequence)
{
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;
    enum journal_read read;

    CHECK_INT_EQ(journal_reader_seek(reader, sequence, &next.error), OUTCOME_OK);
    do {
        read = journal_reader_next(reader, &next);
    } while (read == JOURNAL_READ_MISSING);
    CHECK(read == JOURNAL_READ_MESSAGE);
    uint64_t found = next.message.sequence;
    journal_reader_free(reader);
    return found;
}

static void test_places(void)
{
    fixture_quiet();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct place_case *each = &cases[i];
        struct journal_options options = fixture_options(fixture_directory());
        struct journal *journal = fixture_open(&options);
        struct journal_reader *reader = journal_reader_new(journal);

        UNIT_CASE("%s", each->name);
        for (uint64_t n = 1; n <= MESSAGES; n++) {
            CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
        }
        if (each->broken_before > 0) {
            break_record(&options, each->broken_before);
        }
        read_to(reader, each->upto);
        if (each->broken_after > 0) {
            break_record(&options, each->broken_after);
        }
        journal_set_stored(journal, each->upto);
        if (each->noted) {
            struct journal_place place = journal_reader_place(reader);
            CHECK_INT_EQ(place.sequence, each->upto + 1);
            journal_set_place(journal, &place);
        }
        if (each->next > MESSAGES) { /* comes later, at the place */
            CHECK_INT_EQ(fixture_append(journal, each->next, 100, NULL), OUTCOME_OK);
        }
        CHECK_INT_EQ(first_from(journal, each->upto + 1), each->next);
        CHECK_INT_EQ(set_aside(journal), each->set_aside);
        journal_reader_free(reader);
        journal_close(journal);
    }
}

/* A reader that stands in front of missing messages has the next message in its buffer already: its
 * place is before that message. */
static void test_place_behind_a_hole(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct journal *journal = fixture_open(&options);
    struct journal_reader *reader = journal_reader_new(journal);
    struct journal_next next;

    fixture_quiet();
    for (uint64_t n = 1; n <= MESSAGES; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    break_record(&options, 6);
    read_to(reader, 5);
    CHECK(journal_reader_next(reader, &next) == JOURNAL_READ_MISSING);
    struct journal_place place = journal_reader_place(reader);
    CHECK_INT_EQ(place.sequence, 7);
    journal_set_place(journal, &place);
    CHECK_INT_EQ(first_from(journal, 7), 7);
    CHECK_INT_EQ(first_from(journal, 3), 3); /* the place is no place for older messages */
    journal_reader_free(reader);
    journal_close(journal);
}

UNIT_MAIN("journal_place", {"places", test_places},
          {"place behind a hole", test_place_behind_a_hole})
