/*
 * Journals outlive programs. tests/data/journal-v1 was written by version 0.1.0, closed in good
 * order, and is never made again (MAKE_JOURNAL=1 was how: into an empty folder): whatever the
 * format is by now, what an old program took is read, stored once and continued.
 *
 * Messages 1 to 20, a restart, messages 21 to 40; stored up to 7.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fixture.h"
#include "journal/journal_format.h"

#define MADE "tests/data/journal-v1"
#define UUID_FILE MADE "/uuid"

static void append_twenty(struct journal *journal, uint64_t first)
{
    for (uint64_t n = first; n < first + 20; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 8 + n * 5, NULL), OUTCOME_OK);
    }
}

static void make(void)
{
    struct journal_options options = fixture_options(MADE);
    options.max_bytes = JOURNAL_BYTES_MIN;
    options.keep_ms = INT64_MAX / 1000;
    struct journal *journal = fixture_open(&options);
    append_twenty(journal, 1);
    journal_set_stored(journal, 7);
    journal_close(journal);
    journal = fixture_open(&options);
    append_twenty(journal, 21);
    FILE *file = fopen(UUID_FILE, "w");
    CHECK(file != NULL && fprintf(file, "%s\n", journal_uuid(journal)) > 0 && fclose(file) == 0);
    journal_close(journal);
}

static void check_messages(struct journal *journal, size_t count)
{
    const struct seen *seen = fixture_read_from(journal, 1);
    CHECK(fixture_whole(seen, count));
    for (size_t i = 0; i < seen->count; i++) {
        CHECK_INT_EQ(seen->sequences[i], i + 1);
    }
}

/* What the header of a segment file says. */
static uint32_t version_of(const char *path)
{
    struct buf bytes = {0};
    struct error error;
    struct segment_header header = {0};
    CHECK_INT_EQ(file_load(path, 100 * (size_t) MB, &bytes, &error), OUTCOME_OK);
    CHECK_INT_EQ(segment_header_decode((const uint8_t *) bytes.data, bytes.length, &header),
                 FORMAT_SOUND);
    buf_fini(&bytes);
    return header.version;
}

static void test_read(void)
{
    if (getenv("MAKE_JOURNAL") != NULL) {
        make();
    }
    fixture_without_brokers = true;
    const char *directory = fixture_directory();
    fixture_copy(MADE, directory);
    CHECK_INT_EQ(version_of(fixture_segment(directory, 0)), 1);
    struct journal_options options = fixture_options(directory);
    options.max_bytes = JOURNAL_BYTES_MIN;
    struct buf uuid = {0};
    struct error error;
    CHECK_INT_EQ(file_load(UUID_FILE, 100, &uuid, &error), OUTCOME_OK);

    options.read_only = true; /* as `journal dump` reads it */
    struct journal *journal = fixture_open(&options);
    check_messages(journal, 40);
    journal_close(journal);

    options.read_only = false;
    journal = fixture_open(&options);
    CHECK_INT_EQ(strncmp(buf_string(&uuid), journal_uuid(journal), JOURNAL_UUID_TEXT - 1), 0);
    CHECK_INT_EQ(journal_stored(journal), 7);
    CHECK_INT_EQ(journal_last(journal), 40);
    check_messages(journal, 40);
    for (uint64_t n = 41; n <= 60; n++) { /* and it goes on */
        uint64_t sequence;
        CHECK_INT_EQ(fixture_append(journal, n, 50, &sequence), OUTCOME_OK);
        CHECK_INT_EQ(sequence, n);
    }
    journal_close(journal);
    journal = fixture_open(&options);
    check_messages(journal, 60);
    CHECK_INT_EQ(version_of(fixture_segment(directory, 0)), JOURNAL_FORMAT_VERSION);
    journal_close(journal);
    buf_fini(&uuid);
}

UNIT_MAIN("journal_v1", {"read", test_read})
