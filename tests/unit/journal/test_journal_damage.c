/*
 * Damage at every byte of a small journal: never a crash, never a message that nobody wrote, all
 * that is sound is kept, and what is not is counted exactly.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/stop.h"
#include "fixture.h"
#include "journal/journal_cursor.h"
#include "journal/journal_format.h"

FIXTURE_IN_MEMORY

static struct error error;

enum { FIRST = 6, SECOND = 5, ALL = FIRST + SECOND };

/* Two segments: messages 1 … 6, then 7 … 11, all of different lengths. The cursor knows that it was
 * closed, or not. */
struct sample {
    char directory[260];
    char copy[300];
    int64_t begin[ALL +
                  2]; /* offset of message n in its segment; [n + 1] is its end, padding included */
    int64_t end[ALL + 1]; /* without the padding */
    int64_t content[2];   /* bytes of each segment that are in use */
    uint64_t sequence[ALL + 1];
};

static struct sample sample;

static void make_sample(void)
{
    struct journal_options options;
    struct buf bytes = {0};
    snprintf(sample.directory, sizeof(sample.directory), "%s/sample", unit_scratch());
    snprintf(sample.copy, sizeof(sample.copy), "%s-copy", sample.directory);
    fixture_remove(sample.directory);
    options = fixture_options(sample.directory);
    options.max_bytes = MB;
    struct journal *journal = fixture_open(&options);
    int64_t offset = JOURNAL_SEGMENT_HEADER_BYTES;
    for (uint64_t n = 1; n <= ALL; n++) {
        if (n == FIRST + 1) {
            journal_close(journal);
            fixture_skip_to(options.directory, 100);
            journal = fixture_open(&options);
            sample.content[0] = offset;
            offset = JOURNAL_SEGMENT_HEADER_BYTES;
        }
        struct message message = fixture_message(&bytes, n, 8 + n * 7);
        CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK);
        sample.sequence[n] = message.sequence;
        sample.begin[n] = offset;
        sample.end[n] =
            offset + JOURNAL_RECORD_HEADER_BYTES + 18 +
            (int64_t) (message.topic.length + message.properties.length + message.payload.length);
        offset += (int64_t) record_size(&message);
    }
    sample.content[1] = offset;
    CHECK_INT_EQ(journal_sync(journal, &error), OUTCOME_OK);
    journal_close(journal);
    buf_fini(&bytes);
}

enum damage { CUT, FLIP, ZEROS, ZEROS_BLOCK, RANDOM, DAMAGES };
static const char *const damage_names[] = {"cut", "flip", "zeros", "zeros in the middle", "random"};

static void damage_file(const char *path, enum damage damage, int64_t at, uint64_t seed)
{
    static char zeros[128 * 1024];
    char byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    CHECK(fstat(fd, &status) == 0);
    size_t behind = (size_t) (status.st_size - at);
    switch (damage) {
    case CUT:
        CHECK(ftruncate(fd, at) == 0);
        break;
    case FLIP:
        CHECK(pread(fd, &byte, 1, at) == 1);
        byte ^= (char) (1 << seed % 8);
        CHECK(pwrite(fd, &byte, 1, at) == 1);
        break;
    case ZEROS:
        CHECK(pwrite(fd, zeros, behind, at) == (ssize_t) behind);
        break;
    case ZEROS_BLOCK:
        behind = behind < 50 ? behind : 50;
        CHECK(pwrite(fd, zeros, behind, at) == (ssize_t) behind);
        break;
    case RANDOM:
    default:
        for (int i = 0; i < 30; i++) {
            byte = (char) (fixture_random(&seed) >> 30);
            CHECK(pwrite(fd, &byte, 1, at + i) == 1);
        }
    }
    close(fd);
}

/* Whether message n lies wholly in what was not touched. */
static bool is_sound(uint64_t n, int segment, enum damage damage, int64_t at)
{
    int64_t touched_to = damage == CUT || damage == ZEROS ? INT64_MAX
                         : damage == FLIP                 ? at + 1
                         : damage == RANDOM               ? at + 30
                                                          : at + 50;
    if ((n <= FIRST ? 0 : 1) != segment) {
        return true;
    }
    return sample.end[n] <= at || sample.begin[n] >= touched_to;
}

/* Whether the damage has changed a byte of the header: its checksum may end in the byte that the
 * damage wrote. */
static bool header_is_changed(int segment)
{
    char bytes[2][JOURNAL_SEGMENT_HEADER_BYTES] = {{0}};
    const char *const directories[] = {sample.directory, sample.copy};
    for (int i = 0; i < 2; i++) {
        int fd = open(fixture_segment(directories[i], segment), O_RDONLY | O_CLOEXEC);
        ssize_t got = pread(fd, bytes[i], sizeof(bytes[i]), 0);
        close(fd);
        if (got != (ssize_t) sizeof(bytes[i])) {
            return true;
        }
    }
    return memcmp(bytes[0], bytes[1], sizeof(bytes[0])) != 0;
}

/* Numbers that the second segment's header says were skipped; without it they count as missing. */
static uint64_t forgotten_skip(int segment)
{
    return segment == 1 && header_is_changed(segment) ? sample.sequence[FIRST + 1] - FIRST - 1 : 0;
}

static void check_damaged(int segment, enum damage damage, int64_t at, bool clean)
{
    struct journal_options options = fixture_options(sample.copy);
    struct journal_options looking = options;
    uint64_t sequence;
    struct seen *seen;
    struct journal *journal = NULL;
    options.max_bytes = looking.max_bytes = MB;
    looking.read_only = true;
    uint64_t forgotten = forgotten_skip(segment); /* as long as nobody has repaired it */
    UNIT_CASE("segment %d, %s at %lld, %s", segment, damage_names[damage], (long long) at,
              clean ? "closed" : "killed");

    /* First only looking, which must change nothing. */
    journal = fixture_open(&looking);
    seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange);
    for (uint64_t n = 1; n <= ALL; n++) {
        CHECK(fixture_has(seen, n) || !is_sound(n, segment, damage, at));
    }
    journal_close(journal);
    char damaged[400];
    snprintf(damaged, sizeof(damaged), "%s/damaged", sample.copy);
    CHECK(access(damaged, F_OK) != 0);

    journal = fixture_open(&options);
    seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange);
    for (uint64_t n = 1; n <= ALL; n++) {
        bool has = fixture_has(seen, n);
        CHECK(has || !is_sound(n, segment, damage, at));
    }
    if (clean) { /* the position says how many there were */
        CHECK_INT_EQ(seen->count + seen->missing, ALL + forgotten);
    } else {
        CHECK(seen->count + seen->missing <= ALL + forgotten);
    }
    /* It goes on, never under a number that a message had. */
    size_t count = seen->count;
    CHECK_INT_EQ(fixture_append(journal, 100, 30, &sequence), OUTCOME_OK);
    CHECK(sequence > (clean ? sample.sequence[ALL] : seen->sequences[count - 1]));
    CHECK(segment == 0 || clean || damage == CUT || damage == ZEROS ||
          sequence > sample.sequence[ALL]);
    seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange && seen->count == count + 1 && seen->numbers[count] == 100);
    journal_close(journal);

    /* And what was found once is found again. */
    journal = fixture_open(&options);
    seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange && seen->count == count + 1 && seen->numbers[count] == 100);
    CHECK_INT_EQ(journal_last(journal), sequence);
    journal_close(journal);
    UNIT_CASE("%s", "");
}

/* Takes the mark "closed" away, as if the process had been killed on this machine. */
static void forget_close(const char *directory, uint64_t last)
{
    struct journal_cursor cursor;
    struct cursor_state state;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(cursor_open(&cursor, fd, false, &state, &error) == OUTCOME_OK && cursor_found(&cursor));
    for (int i = 0; i < 2; i++) { /* both slots */
        state.clean = false;
        state.last = last;
        state.skipped = 0;
        CHECK(cursor_write(&cursor, &state, &error) == OUTCOME_OK);
    }
    cursor_close(&cursor);
    close(fd);
}

static void damage_everywhere(enum damage damage, bool clean)
{
    fixture_quiet();
    make_sample();
    for (int segment = 0; segment < 2; segment++) {
        for (int64_t at = 0; at < sample.content[segment];
             at += clean ? FIXTURE_STEP : 3 * FIXTURE_STEP) {
            fixture_remove(sample.copy);
            fixture_copy(sample.directory, sample.copy);
            damage_file(fixture_segment(sample.copy, segment), damage, at, (uint64_t) at * 7 + 3);
            if (!clean) {
                forget_close(sample.copy, 0);
            }
            check_damaged(segment, damage, at, clean);
        }
    }
    fixture_remove(sample.copy);
    fixture_remove(sample.directory);
}

static void test_cut(void)
{
    damage_everywhere(CUT, true);
    damage_everywhere(CUT, false);
}

static void test_flip(void)
{
    damage_everywhere(FLIP, true);
    damage_everywhere(FLIP, false);
}

static void test_zeros(void)
{
    damage_everywhere(ZEROS, true);
    damage_everywhere(ZEROS_BLOCK, true);
    damage_everywhere(ZEROS_BLOCK, false);
}

static void test_random(void)
{
    damage_everywhere(RANDOM, true);
    damage_everywhere(RANDOM, false);
}

/* The cursor is worth nothing if it is damaged, and nothing is lost with it. */
static void test_cursor(void)
{
    fixture_quiet();
    make_sample();
    for (int64_t at = -1; at < CURSOR_SLOTS * CURSOR_SLOT_DISTANCE;
         at += at < 0 ? 1 : FIXTURE_STEP) {
        if (at % CURSOR_SLOT_DISTANCE > CURSOR_SLOT_BYTES) {
            continue;
        }
        char path[400];
        char byte;
        fixture_remove(sample.copy);
        fixture_copy(sample.directory, sample.copy);
        snprintf(path, sizeof(path), "%s/position", sample.copy);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        if (at < 0) {
            unlink(path);
        } else if (pread(fd, &byte, 1, at) != 1) {
            close(fd);
            break;
        } else {
            byte ^= (char) (1 << at % 8);
            CHECK(pwrite(fd, &byte, 1, at) == 1);
        }
        close(fd);
        struct journal_options options = fixture_options(sample.copy);
        struct journal *journal = fixture_open(&options);
        CHECK(fixture_whole(fixture_read_from(journal, 1), ALL));
        CHECK(journal_last(journal) >= sample.sequence[ALL]);
        journal_close(journal);
    }
    fixture_remove(sample.copy);
    fixture_remove(sample.directory);
}

/* What lies behind the cut must not come back when a later append ends just before it. */
static void test_stale_bytes_stay_dead(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    fixture_quiet();
    for (int round = 0; round < 2; round++) {
        struct journal *journal = fixture_open(&options);
        for (uint64_t n = 1; n <= 10; n++) { /* all of one length */
            CHECK_INT_EQ(fixture_append(journal, (uint64_t) round * 10 + n, 100, NULL), OUTCOME_OK);
        }
        journal_close(journal);
        /* Message 8 is damaged, 9 and 10 are gone but for their padding and the middle of their
         * bodies. */
        int fd = open(fixture_segment(options.directory, round), O_RDWR | O_CLOEXEC);
        CHECK(pwrite(fd, "XXXXXXXX", 8, 64 + 7 * RECORD_100 + 30) == 8);
        CHECK(pwrite(fd, "XXXXXXXX", 8, 64 + 8 * RECORD_100 + 30) == 8);
        CHECK(pwrite(fd, "XXXXXXXX", 8, 64 + 9 * RECORD_100 + 30) == 8);
        close(fd);
        journal = fixture_open(&options);
        struct stat status;
        CHECK(stat(fixture_segment(options.directory, round), &status) == 0);
        WAIT_UNTIL(stat(fixture_segment(options.directory, round), &status) == 0 &&
                   status.st_size == 64 + 7 * RECORD_100);
        struct seen *seen = fixture_read_from(journal, 1);
        CHECK_INT_EQ(seen->count, (round + 1) * 7);
        CHECK_INT_EQ(seen->missing, (round + 1) * 3);
        journal_close(journal);
    }
}

/* An old record in a place that is not its own, whole and with the right seed, is no record
 * there. */
static void test_old_record_in_the_wrong_place(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    static char record[RECORD_100];
    uint64_t sequence;
    fixture_quiet();
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 10; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    journal_close(journal);
    forget_close(options.directory, 0);
    int fd = open(fixture_segment(options.directory, 0), O_RDWR | O_CLOEXEC);
    CHECK(pread(fd, record, RECORD_100, 64 + 2 * RECORD_100) == RECORD_100);
    CHECK(pwrite(fd, record, RECORD_100, 64 + 9 * RECORD_100) == RECORD_100); /* 3 over 10 */
    close(fd);
    journal = fixture_open(&options);
    CHECK_INT_EQ(fixture_append(journal, 11, 100, &sequence), OUTCOME_OK);
    CHECK(sequence > 10);
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange && seen->count == 10 && seen->numbers[8] == 9 && seen->numbers[9] == 11);
    journal_close(journal);
}

/* A prepared file and half a header are what an interrupted creation leaves. */
static void test_interrupted_creation(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    char path[400];
    uint64_t sequence;
    fixture_quiet();
    struct journal *journal = fixture_open(&options);
    CHECK_INT_EQ(fixture_append(journal, 1, 100, NULL), OUTCOME_OK);
    journal_close(journal);
    snprintf(path, sizeof(path), "%s/prepared.tmp", options.directory);
    close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    /* Named already, but the power went before a byte of it reached the disk. */
    snprintf(path, sizeof(path), "%s/00000000000000000002.segment", options.directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    CHECK(ftruncate(fd, 65536) == 0);
    close(fd);
    journal = fixture_open(&options);
    CHECK(access(path, F_OK) != 0);
    CHECK(fixture_whole(fixture_read_from(journal, 1), 1));
    CHECK_INT_EQ(fixture_append(journal, 2, 100, &sequence), OUTCOME_OK);
    CHECK_INT_EQ(sequence, 2);
    journal_close(journal);
}

/* Damage that the reader meets is copied and reported once. */
static void test_copy_of_damage(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    char path[400];
    fixture_quiet();
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 10; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 100, NULL), OUTCOME_OK);
    }
    int fd = open(fixture_segment(options.directory, 0), O_RDWR | O_CLOEXEC);
    CHECK(pwrite(fd, "XXXXXXXX", 8, 64 + 3 * RECORD_100 + 60) == 8);
    CHECK_INT_EQ(fixture_read_from(journal, 1)->missing, 1);
    CHECK_INT_EQ(fixture_read_from(journal, 1)->count, 9);
    snprintf(path, sizeof(path), "%s/damaged/00000000000000000001.segment-592-768",
             options.directory);
    struct stat status;
    CHECK(stat(path, &status) == 0);
    CHECK_INT_EQ(status.st_size, RECORD_100);
    snprintf(path, sizeof(path), "%s/damaged", options.directory);
    CHECK_INT_EQ(fixture_count_files(path), 1);
    close(fd);
    journal_close(journal);
}

/* A whole record in a payload, with the right mark, is not taken for a record while its carrier is
 * sound … nor, with a wrong seed, when it is damaged. */
static void test_record_in_a_payload(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    static char carrier[RECORD_100];
    fixture_quiet();
    struct journal *journal = fixture_open(&options);
    CHECK_INT_EQ(fixture_append(journal, 1, 100, NULL), OUTCOME_OK);
    CHECK_INT_EQ(fixture_append(journal, 2, 100, NULL), OUTCOME_OK);
    int fd = open(fixture_segment(options.directory, 0), O_RDWR | O_CLOEXEC);
    CHECK(pread(fd, carrier, sizeof(carrier), 64 + RECORD_100) == sizeof(carrier));
    struct message message = {.kind = MESSAGE_PUBLISH,
                              .topic =
                                  slice_make(carrier, 22 + 6), /* so that the payload is aligned */
                              .payload = slice_make(carrier, sizeof(carrier))};
    message.topic.length = 6;
    CHECK_INT_EQ(journal_append(journal, &message, &error), OUTCOME_OK); /* record 2, in record 3 */
    CHECK_INT_EQ(fixture_append(journal, 4, 100, NULL), OUTCOME_OK);
    CHECK(pwrite(fd, "X", 1, 64 + 2 * RECORD_100 + 41) == 1); /* the carrier's flags */
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK_INT_EQ(seen->missing, 1);
    CHECK(!seen->strange && seen->count == 3 && seen->numbers[2] == 4);
    close(fd);
    journal_close(journal);
}

/* What kill -9 leaves of a write is cut off and forgotten: it has whole pages at its beginning, and
 * nobody was told that it is there. Anything else at the end is kept for a person. */
static void test_unfinished_record(void)
{
    static const struct {
        const char *label;
        bool known;       /* the position tells of the message */
        int64_t from, to; /* zeros, in the message's last bytes */
        bool kept;
    } cases[] = {{"killed", false, 8192, 12288, false},
                 {"killed after the first page", false, 4096, 12288, false},
                 {"ends amid a page", false, 8192, 9000, true},
                 {"was there before", true, 8192, 12288, true}};
    fixture_quiet();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct journal_options options = fixture_options(fixture_directory());
        char path[700];
        UNIT_CASE("%s", cases[i].label);
        struct journal *journal = fixture_open(&options);
        CHECK_INT_EQ(fixture_append(journal, 1, 100, NULL), OUTCOME_OK);
        CHECK_INT_EQ(fixture_append(journal, 2, 10000, NULL), OUTCOME_OK);
        journal_close(journal);
        int fd = open(fixture_segment(options.directory, 0), O_RDWR | O_CLOEXEC);
        for (int64_t at = cases[i].from; at < cases[i].to; at++) {
            CHECK(pwrite(fd, "", 1, at) == 1);
        }
        close(fd);
        snprintf(path, sizeof(path), "%s/position", options.directory);
        CHECK(cases[i].known || unlink(path) == 0);
        journal = fixture_open(&options);
        CHECK(fixture_read_from(journal, 1)->count == 1);
        snprintf(path, sizeof(path), "%s/damaged", options.directory);
        CHECK_INT_EQ(access(path, F_OK) == 0, cases[i].kept);
        CHECK_INT_EQ(fixture_append(journal, 2, 100, NULL), OUTCOME_OK);
        journal_close(journal);
    }
}

UNIT_MAIN("journal_damage", {"cut at every byte", test_cut}, {"flip at every byte", test_flip},
          {"zeros at every byte", test_zeros}, {"random at every byte", test_random},
          {"cursor", test_cursor}, {"stale bytes stay dead", test_stale_bytes_stay_dead},
          {"old record in the wrong place", test_old_record_in_the_wrong_place},
          {"interrupted creation", test_interrupted_creation},
          {"copy of damage", test_copy_of_damage},
          {"record in a payload", test_record_in_a_payload},
          {"unfinished record", test_unfinished_record})
