/*
 * Processes that are killed, disks that fail and disks that are full. The victim is this program
 * again, run as the test "victim" with its orders in the environment, because fault points are read
 * once a process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "base/stop.h"
#include "fixture.h"

FIXTURE_IN_MEMORY

static struct error error;

enum {
    VICTIM_MESSAGES = 1500,
    KEEP_MESSAGES = 100000, /* more than there is room for: their deliveries stay */
    REPORT_FD = 20
};

/* What the victim told before it died. */
struct report {
    uint64_t acknowledged; /* the last append that returned OUTCOME_OK */
    uint64_t stored;       /* the last journal_set_stored() */
    int status;            /* of waitpid() */
};

/* --- the victim --- */

static void tell(char what, uint64_t number)
{
    uint64_t word[2] = {(uint64_t) what, number};
    if (write(REPORT_FD, word, sizeof(word)) != sizeof(word)) {
        _exit(99);
    }
}

static struct journal_options victim_options(void)
{
    struct journal_options options = fixture_options(getenv("VICTIM_DIRECTORY"));
    options.max_bytes = MB;
    options.keep_ms = 0;
    options.keep_messages = KEEP_MESSAGES;
    options.sync_ms = atol(getenv("VICTIM_SYNC_MS"));
    return options;
}

static size_t victim_bytes(uint64_t n)
{
    return 100 + n * 37 % 4000;
}

/* Appends, stores behind itself, deletes: all that a journal does. Messages are counted by n: a
 * torn record at the end makes sequences skip a few. */
static void victim_traffic(void)
{
    static uint64_t sequences[VICTIM_MESSAGES + 1];
    struct journal_options options = victim_options();
    struct journal *journal = fixture_open(&options);
    uint64_t from = (uint64_t) atol(getenv("VICTIM_FROM"));
    sequences[0] = journal_last(journal);
    for (uint64_t i = 1; i <= VICTIM_MESSAGES;) {
        uint64_t n = from + i;
        enum outcome outcome = fixture_append(journal, n, victim_bytes(n), &sequences[i]);
        if (outcome == OUTCOME_OK && sequences[i] > sequences[i - 1]) {
            tell('a', n);
            i++;
        } else if (outcome != OUTCOME_RETRY) {
            _exit(98);
        }
        if ((i > 100 && i % 100 == 0) || outcome == OUTCOME_RETRY) {
            uint64_t stored = i > 64 ? i - 64 : 0; /* 0: all that the victims before left */
            tell('s', from + stored);
            journal_set_stored(journal, sequences[stored]);
            journal_wait_room(journal, 1000);
        }
    }
    journal_close(journal);
}

/* A disk that fails at a sync: no append succeeds any more and the process is asked to stop. */
static void victim_sync_fails(void)
{
    struct journal_options options = victim_options();
    struct journal *journal = fixture_open(&options);
    enum outcome outcome = OUTCOME_OK;
    for (uint64_t n = 1; n < 100000 && outcome == OUTCOME_OK; n++) {
        outcome = fixture_append(journal, n, 50, NULL);
        tell(outcome == OUTCOME_OK ? 'a' : 'x', n);
        usleep(100);
    }
    WAIT_UNTIL(stop_requested());
    bool good = outcome == OUTCOME_FATAL && stop_requested() && stop_exit_code() == 1 &&
                fixture_append(journal, 1, 50, NULL) == OUTCOME_FATAL &&
                journal_sync(journal, &error) == OUTCOME_FATAL && !journal_wait_room(journal, 5);
    journal_close(journal);
    _exit(good ? 0 : 97);
}

/* Writes and reservations that find no room now and then. */
static void victim_no_room(void)
{
    struct journal_options options = victim_options();
    struct journal *journal = fixture_open(&options);
    uint64_t refused = 0;
    for (uint64_t n = 1; n <= 200;) {
        enum outcome outcome = fixture_append(journal, n, 1000, NULL);
        if (outcome == OUTCOME_RETRY) {
            struct journal_info info;
            journal_info(journal, &info);
            refused++;
            if (!info.full || !journal_crowded(journal) || !journal_wait_room(journal, 10000)) {
                _exit(96);
            }
        } else if (outcome == OUTCOME_OK) {
            n++;
        } else {
            _exit(98);
        }
    }
    bool crowded = journal_crowded(journal);
    /* A segment that could not be prepared ahead need not be noticed by an append. */
    bool noticed = refused > 0 || strstr(getenv("MQTT2PG_FAULTS"), "reserve") != NULL;
    bool good = fixture_whole(fixture_read_from(journal, 1), 200) && noticed && !crowded;
    journal_close(journal);
    journal = fixture_open(&options);
    good &= fixture_whole(fixture_read_from(journal, 1), 200) && journal_last(journal) == 200;
    journal_close(journal);
    _exit(good ? 0 : 97);
}

/* Does nothing unless started by run_victim(). */
static void test_victim(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } orders[] = {{"traffic", victim_traffic},
                  {"sync fails", victim_sync_fails},
                  {"no room", victim_no_room}};
    const char *order = getenv("VICTIM_ORDER");
    for (size_t i = 0; order != NULL && i < sizeof(orders) / sizeof(orders[0]); i++) {
        if (strcmp(order, orders[i].name) == 0) {
            orders[i].run();
            _exit(0);
        }
    }
}

/* --- its murderer --- */

static uint64_t victim_from; /* messages up to this n were appended by earlier victims */

static pid_t start_victim(const char *order, const char *directory, const char *faults,
                          const char *sync_ms, int *report_fd)
{
    int ends[2];
    char from[30];
    snprintf(from, sizeof(from), "%" PRIu64, victim_from);
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    pid_t victim = fork();
    if (victim == 0) {
        dup2(ends[1], REPORT_FD);
        setenv("VICTIM_ORDER", order, 1);
        setenv("VICTIM_DIRECTORY", directory, 1);
        setenv("VICTIM_SYNC_MS", sync_ms, 1);
        setenv("VICTIM_FROM", from, 1);
        setenv("MQTT2PG_FAULTS", faults, 1);
        int null = open("/dev/null", O_WRONLY);
        dup2(null, STDERR_FILENO);
        execl("/proc/self/exe", "victim", "victim", (char *) NULL);
        _exit(95);
    }
    close(ends[1]);
    *report_fd = ends[0];
    return victim;
}

static struct report await_victim(pid_t victim, int report_fd)
{
    struct report report = {0};
    uint64_t word[2];
    while (read(report_fd, word, sizeof(word)) == sizeof(word)) {
        if (word[0] == 'a') {
            report.acknowledged = word[1];
        } else if (word[0] == 's') {
            report.stored = word[1];
        }
    }
    close(report_fd);
    CHECK(waitpid(victim, &report.status, 0) == victim);
    return report;
}

static struct report run_victim(const char *order, const char *directory, const char *faults,
                                const char *sync_ms)
{
    int report_fd;
    pid_t victim = start_victim(order, directory, faults, sync_ms, &report_fd);
    return await_victim(victim, report_fd);
}

/* Of every message up to `last`, all with numbers below `before`, the delivery is known. */
static void check_deliveries(struct journal *journal, uint64_t before, uint64_t last)
{
    static struct buf buf;
    struct journal_delivery *deliveries;
    size_t count = journal_deliveries(journal, before, &deliveries);
    size_t found = 0;
    size_t wrong = 0;
    for (uint64_t n = 1; n <= last; n++) {
        struct message message = fixture_message(&buf, n, victim_bytes(n));
        if (message.kind != MESSAGE_PUBLISH || message.qos == 0) {
            continue;
        }
        wrong += found == count || deliveries[found].packet_id != n ||
                 deliveries[found].hash != message_hash(&message);
        found++;
    }
    CHECK_INT_EQ(count, found);
    CHECK_INT_EQ(wrong, 0);
    free(deliveries);
}

/* Every message that was acknowledged is there or was deleted after it was stored; at most one more
 * is. */
static void check_survivors(const char *directory, const struct report *report)
{
    struct journal_options options = fixture_options(directory);
    options.max_bytes = MB;
    options.keep_messages = KEEP_MESSAGES;
    options.sync_ms = JOURNAL_SYNC_NEVER;
    struct journal *journal = fixture_open(&options);
    struct seen *seen = fixture_read_from(journal, 1);
    uint64_t last = seen->count > 0 ? seen->numbers[seen->count - 1] : 0;
    CHECK(last == report->acknowledged || last == report->acknowledged + 1);
    CHECK(!seen->strange && seen->missing == 0);
    CHECK(seen->count == 0 || seen->numbers[0] <= report->stored + 1);
    for (size_t i = 1; i < seen->count; i++) {
        if (seen->numbers[i] != seen->numbers[i - 1] + 1) {
            CHECK_INT_EQ(seen->numbers[i], seen->numbers[i - 1] + 1);
            break;
        }
    }
    check_deliveries(journal, seen->count > 0 ? seen->sequences[0] : UINT64_MAX,
                     seen->count > 0 ? seen->numbers[0] - 1 : report->acknowledged);
    victim_from = last;
    journal_close(journal);
}

static void check_killed(const char *directory, int round, struct report *total,
                         const struct report *report)
{
    char copy[320];
    total->acknowledged = report->acknowledged > 0 ? report->acknowledged : victim_from;
    total->stored = report->stored > 0 ? report->stored : total->stored;
    snprintf(copy, sizeof(copy), "%s-%d", directory, round);
    if (access(directory, F_OK) == 0) {
        fixture_copy(directory, copy);
        check_survivors(copy, total);
        fixture_remove(copy);
    }
}

static bool was_killed(const struct report *report)
{
    return WIFSIGNALED(report->status) && WTERMSIG(report->status) == SIGKILL;
}

static void test_killed_at_points(void)
{
    static const char *const faults[] = {"journal.append.before_write=kill@1",
                                         "journal.append.before_write=kill@700",
                                         "journal.append.after_write=kill@1",
                                         "journal.append.after_write=kill@701",
                                         "journal.segment.created=kill@1",
                                         "journal.segment.created=kill@9",
                                         "journal.segment.delete.before=kill@1",
                                         "journal.segment.delete.before=kill@5",
                                         "journal.segment.delete.after=kill@1",
                                         "journal.segment.delete.after=kill@5",
                                         "journal.sync.before=kill@1",
                                         "journal.sync.before=kill@4",
                                         "journal.sync.after=kill@1",
                                         "journal.sync.after=kill@4",
                                         "file.reserve=kill@2",
                                         "file.reserve=kill@5",
                                         "file.sync_directory=kill@2",
                                         "file.write=kill@40"};
    static const char *const syncs[] = {"0", "4"};
    for (size_t i = 0; i < 2 * sizeof(faults) / sizeof(faults[0]); i++) {
        const char *directory = fixture_directory();
        struct report total = {0};
        victim_from = 0;
        UNIT_CASE("%s, sync %s", faults[i / 2], syncs[i % 2]);
        for (int round = 0; round < 2; round++) { /* the second goes on where the first died */
            struct report report = run_victim("traffic", directory, faults[i / 2], syncs[i % 2]);
            CHECK(was_killed(&report));
            check_killed(directory, round, &total, &report);
        }
        struct report report = run_victim("traffic", directory, "", syncs[i % 2]);
        CHECK_INT_EQ(report.status, 0);
        check_survivors(directory, &report);
        CHECK_INT_EQ(victim_from, report.acknowledged);
        fixture_remove(directory);
    }
}

static void test_killed_at_any_time(void)
{
    const char *directory = fixture_directory();
    struct report total = {0};
    uint64_t state = 4711;
    victim_from = 0;
    for (int round = 0; round < 40; round++) {
        int report_fd;
        UNIT_CASE("round %d", round);
        pid_t victim =
            start_victim("traffic", directory, "", round % 4 == 0 ? "0" : "3", &report_fd);
        uint64_t word[2] = {0};
        uint64_t words = fixture_random(&state) % 200;
        while (words-- > 0 && read(report_fd, word, sizeof(word)) == sizeof(word)) {
            total.stored = word[0] == 's' ? word[1] : total.stored;
            victim_from = word[0] == 'a' ? word[1] : victim_from;
        }
        usleep((useconds_t) (fixture_random(&state) % 3000));
        kill(victim, SIGKILL);
        struct report report = await_victim(victim, report_fd);
        check_killed(directory, round, &total, &report);
    }
    CHECK(total.acknowledged > 1000);
}

static void test_sync_failure_is_final(void)
{
    static const char *const faults[] = {"journal.sync.before=fail:EIO@3", "file.sync=fail:EIO@20"};
    static const char *const syncs[] = {"0", "4"};
    for (size_t i = 0; i < 4; i++) {
        const char *directory = fixture_directory();
        UNIT_CASE("%s, sync %s", faults[i / 2], syncs[i % 2]);
        struct report report = run_victim("sync fails", directory, faults[i / 2], syncs[i % 2]);
        CHECK_INT_EQ(report.status, 0);
        struct journal_options options = fixture_options(directory);
        options.max_bytes = MB;
        struct journal *journal = fixture_open(&options); /* writes again what was not synced */
        CHECK(journal_last(journal) >= report.acknowledged);
        CHECK(fixture_whole(fixture_read_from(journal, 1), journal_last(journal)));
        journal_close(journal);
    }
}

static void test_no_room_now_and_then(void)
{
    static const char *const faults[] = {
        "journal.append.before_write=fail:ENOSPC@1", "journal.append.before_write=fail:ENOSPC@100",
        "journal.append.before_write=fail:EDQUOT@2,journal.append.before_write=fail:ENOSPC@3",
        "file.reserve=fail:ENOSPC@2", "file.reserve=fail:ENOSPC@3,file.reserve=fail:ENOSPC@4"};
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        UNIT_CASE("%s", faults[i]);
        struct report report = run_victim("no room", fixture_directory(), faults[i], "10");
        CHECK_INT_EQ(report.status, 0);
    }
}

/* --- real limits --- */

/* The kernel cuts a write short at RLIMIT_FSIZE and refuses the rest with EFBIG. */
static void test_short_write(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    struct rlimit limit;
    struct rlimit before;
    options.sync_ms = JOURNAL_SYNC_NEVER;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    struct journal *journal = fixture_open(&options);
    uint64_t n = 0;
    while (n < 300) {
        CHECK_INT_EQ(fixture_append(journal, ++n, 100, NULL), OUTCOME_OK);
    }
    for (rlim_t torn = 1; torn < RECORD_100; torn += 25) {
        int64_t end = 64 + (int64_t) n * RECORD_100;
        limit = before;
        limit.rlim_cur = (rlim_t) end + torn;
        CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
        CHECK_INT_EQ(fixture_append(journal, n + 1, 100, NULL), OUTCOME_RETRY);
        CHECK(journal_crowded(journal));
        /* The torn bytes are gone. */
        char left[RECORD_100 * 2] = "";
        int fd = open(fixture_segment(options.directory, 0), O_RDONLY | O_CLOEXEC);
        ssize_t got = pread(fd, left, sizeof(left), end);
        for (ssize_t i = 0; i < got; i++) {
            CHECK(left[i] == 0);
        }
        close(fd);
        CHECK(fixture_whole(fixture_read_from(journal, 1), n));
        CHECK(setrlimit(RLIMIT_FSIZE, &before) == 0);
        CHECK(journal_wait_room(journal, 10000));
        CHECK_INT_EQ(fixture_append(journal, ++n, 100, NULL), OUTCOME_OK);
        CHECK(!journal_crowded(journal));
    }
    CHECK(fixture_whole(fixture_read_from(journal, 1), n));
    journal_close(journal);
    journal = fixture_open(&options);
    CHECK(fixture_whole(fixture_read_from(journal, 1), n));
    journal_close(journal);
}

static void fill_disk(const char *path)
{
    static char bytes[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    while (write(fd, bytes, sizeof(bytes)) == sizeof(bytes)) {
    }
    close(fd);
}

static void test_disk_is_full(void)
{
    const char *mountpoint = fixture_directory();
    char path[400];
    char directory[400];
    uint64_t n = 0;
    CHECK(mkdir(mountpoint, 0700) == 0);
    if (mount("none", mountpoint, "tmpfs", 0, "size=6m") != 0) {
        printf("disk is full: skipped, cannot mount a tmpfs (%s)\n", strerror(errno));
        return;
    }
    snprintf(path, sizeof(path), "%s/filler", mountpoint);
    snprintf(directory, sizeof(directory), "%s/journal", mountpoint);
    struct journal_options options = fixture_options(directory); /* 16 MB allowed, 6 there */
    options.sync_ms = 10;
    struct journal *journal = fixture_open(&options);
    for (int round = 0; round < 3; round++) {
        UNIT_CASE("round %d", round);
        while (fixture_append(journal, n + 1, 20000, NULL) == OUTCOME_OK) {
            n++;
        }
        fill_disk(path);
        CHECK_INT_EQ(fixture_append(journal, n + 1, 20000, NULL), OUTCOME_RETRY);
        CHECK(journal_crowded(journal));
        CHECK(!journal_wait_room(journal, 600));
        CHECK(fixture_whole(fixture_read_from(journal, 1), n));
        if (round < 2) {
            /* Somebody makes room … */
            CHECK(truncate(path, 0) == 0);
            if (round == 1) { /* … and more */
                CHECK(mount("none", mountpoint, "tmpfs", MS_REMOUNT, "size=8m") == 0);
            }
        } else {
            journal_set_stored(journal, n); /* the database takes it all */
        }
        if (round > 0) {
            CHECK(journal_wait_room(journal, 10000));
            CHECK_INT_EQ(fixture_append(journal, ++n, 20000, NULL), OUTCOME_OK);
        }
        if (round == 2) {
            WAIT_UNTIL(!journal_crowded(journal));
        }
    }
    CHECK_INT_EQ(fixture_read_from(journal, n)->numbers[0], n);
    journal_close(journal);
    CHECK(umount(mountpoint) == 0);
}

static void test_fault_points_are_there(void)
{
#ifndef FAULT_POINTS
    CHECK_TEXT_EQ("a build without FAULT_POINTS", "one with");
#endif
}

UNIT_MAIN("journal_crash", {"victim", test_victim},
          {"fault points are there", test_fault_points_are_there},
          {"killed at points", test_killed_at_points},
          {"killed at any time", test_killed_at_any_time},
          {"sync failure is final", test_sync_failure_is_final},
          {"no room now and then", test_no_room_now_and_then}, {"short write", test_short_write},
          {"disk is full", test_disk_is_full})
