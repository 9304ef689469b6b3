/*
 * Power loss, modelled: this program's own fdatasync() and fsync() note what would be on the disk
 * by then. A loss leaves of every file what was synced, and of what was not, page by page,
 * sometimes the old and sometimes the new; of names likewise.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <pthread.h>
#include <sys/syscall.h>

#include "base/memory.h"
#include "base/stop.h"
#include "fixture.h"
#include "journal/journal_cursor.h"

FIXTURE_IN_MEMORY

static struct error error;

/* --- the disk --- */

enum { FILES_MAX = 512, PAGE = 4096, PAGES_MAX = 1024 };

struct disk_file {
    ino_t inode;
    char *bytes;
    size_t length;
    bool dirty[PAGES_MAX]; /* written since the last sync */
};

struct disk_name {
    char name[64];
    ino_t inode;
};

static char disk_directory[300]; /* only what lies here is modelled */
static pthread_mutex_t disk_lock = PTHREAD_MUTEX_INITIALIZER;
static struct disk_file disk_files[FILES_MAX];
static size_t disk_file_count;
static struct disk_name disk_names[FILES_MAX];
static size_t disk_name_count;

static char *load(int fd, size_t *length)
{
    struct stat status;
    fstat(fd, &status);
    char *bytes = memory_alloc((size_t) status.st_size + 1);
    ssize_t got = pread(fd, bytes, (size_t) status.st_size, 0);
    *length = got < 0 ? 0 : (size_t) got;
    return bytes;
}

static struct disk_file *find_file(ino_t inode)
{
    for (size_t i = 0; i < disk_file_count; i++) {
        if (disk_files[i].inode == inode) {
            return &disk_files[i];
        }
    }
    return NULL;
}

static bool is_ours(int fd, bool directory)
{
    char link[100];
    char path[700] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof(path) - 1) < 0) {
        return false;
    }
    size_t length = strlen(disk_directory);
    return length > 0 && strncmp(path, disk_directory, length) == 0 &&
           (directory ? path[length] == '\0' : path[length] == '/');
}

/* With the lock. The file's place in the model; NULL when it is not modelled. */
static struct disk_file *disk_file_of(int fd)
{
    struct stat status;
    if (!is_ours(fd, false) || fstat(fd, &status) != 0) {
        return NULL;
    }
    struct disk_file *file = find_file(status.st_ino);
    if (file == NULL && disk_file_count < FILES_MAX) {
        file = &disk_files[disk_file_count++];
        file->inode = status.st_ino;
    }
    return file;
}

/* Marked behind the write: a sync in between may or may not take it along, the next one does. */
ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    ssize_t written = syscall(SYS_pwrite64, fd, data, length, offset);
    pthread_mutex_lock(&disk_lock);
    struct disk_file *file = disk_file_of(fd);
    for (off_t page = offset / PAGE; file != NULL && page <= (offset + (off_t) length - 1) / PAGE;
         page++) {
        file->dirty[page % PAGES_MAX] = true;
    }
    pthread_mutex_unlock(&disk_lock);
    return written;
}

/* What is dirty goes to the disk; what is not dirty stays there as it was. */
static void disk_sync(struct disk_file *file, int fd)
{
    size_t length;
    char *bytes = load(fd, &length);
    for (size_t at = 0; at < length; at += PAGE) {
        size_t part = length - at < PAGE ? length - at : PAGE;
        size_t known = at < file->length ? file->length - at : 0;
        known = known < part ? known : part;
        if (file->dirty[at / PAGE % PAGES_MAX]) {
            continue;
        }
        memset(bytes + at, 0, part);
        if (known > 0) {
            memcpy(bytes + at, file->bytes + at, known);
        }
    }
    free(file->bytes);
    file->bytes = bytes;
    file->length = length;
}

static bool disk_fails; /* the next sync fails, and with it the kernel forgets what was dirty */

int fdatasync(int fd)
{
    pthread_mutex_lock(&disk_lock);
    struct disk_file *file = disk_file_of(fd);
    bool fails = disk_fails && file != NULL;
    if (file != NULL) {
        if (!fails) {
            disk_sync(file, fd);
        }
        memset(file->dirty, 0, sizeof(file->dirty));
        disk_fails = false;
    }
    pthread_mutex_unlock(&disk_lock);
    if (fails) {
        errno = EIO;
        return -1;
    }
    return (int) syscall(SYS_fdatasync, fd);
}

static size_t list_names(int directory_fd, struct disk_name *names)
{
    size_t count = 0;
    DIR *directory = fdopendir(openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_type == DT_REG && count < FILES_MAX) {
            snprintf(names[count].name, sizeof(names[count].name), "%.60s", entry->d_name);
            names[count++].inode = entry->d_ino;
        }
    }
    closedir(directory);
    return count;
}

int fsync(int fd)
{
    pthread_mutex_lock(&disk_lock);
    if (is_ours(fd, true)) {
        disk_name_count = list_names(fd, disk_names);
    }
    pthread_mutex_unlock(&disk_lock);
    return (int) syscall(SYS_fsync, fd);
}

static void disk_start(const char *directory)
{
    snprintf(disk_directory, sizeof(disk_directory), "%s", directory);
    for (size_t i = 0; i < disk_file_count; i++) {
        free(disk_files[i].bytes);
    }
    memset(disk_files, 0, sizeof(disk_files));
    disk_file_count = 0;
    disk_name_count = 0;
}

/* Of a file: what was synced, mixed with what is in memory now. `chance` of ten that a page was
 * written back on its own. */
static void lose_pages(const char *now, const char *to, ino_t inode, uint64_t *state,
                       uint64_t chance)
{
    const struct disk_file *file = find_file(inode);
    size_t length = 0;
    int from_fd = open(now, O_RDONLY | O_CLOEXEC);
    char *bytes = from_fd >= 0 ? load(from_fd, &length) : memory_alloc(1);
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from_fd < 0 && file != NULL) {
        length = file->length; /* unlinked, but that may not have reached the disk */
        free(bytes);
        bytes = memory_alloc(length + 1);
        memcpy(bytes, file->bytes, length);
    }
    for (size_t at = 0; at < length; at += PAGE) {
        size_t part = length - at < PAGE ? length - at : PAGE;
        if (fixture_random(state) % 10 < chance) {
            continue;
        }
        size_t known = file != NULL && file->length > at ? file->length - at : 0;
        known = known < part ? known : part;
        memset(bytes + at, 0, part);
        if (known > 0) {
            memcpy(bytes + at, file->bytes + at, known);
        }
    }
    CHECK(syscall(SYS_pwrite64, fd, bytes, length, 0) == (long) length);
    if (from_fd >= 0) {
        close(from_fd);
    }
    close(fd);
    free(bytes);
}

/* The directory after the loss. */
static void lose_power(const char *from, const char *to, uint64_t *state, uint64_t chance)
{
    CHECK(strlen(from) < 320 && strlen(to) < 320);
    static struct disk_name now[FILES_MAX];
    char from_path[700];
    char to_path[700];
    int fd = open(from, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t count = list_names(fd, now);
    close(fd);
    mkdir(to, 0700);
    pthread_mutex_lock(&disk_lock);
    for (size_t i = 0; i < disk_name_count; i++) { /* names as they were synced */
        const char *current = "";
        for (size_t j = 0; j < count; j++) {
            current = now[j].inode == disk_names[i].inode ? now[j].name : current;
        }
        snprintf(from_path, sizeof(from_path), "%.320s/%.60s", from,
                 current[0] != '\0' ? current : "?");
        snprintf(to_path, sizeof(to_path), "%.320s/%.60s", to, disk_names[i].name);
        lose_pages(from_path, to_path, disk_names[i].inode, state, chance);
    }
    for (size_t j = 0; j < count; j++) { /* and newer ones, by chance */
        if (fixture_random(state) % 10 < chance) {
            snprintf(from_path, sizeof(from_path), "%.320s/%.60s", from, now[j].name);
            snprintf(to_path, sizeof(to_path), "%.320s/%.60s", to, now[j].name);
            lose_pages(from_path, to_path, now[j].inode, state, chance);
            for (size_t i = 0; i < disk_name_count; i++) { /* a rename takes the old name away */
                if (disk_names[i].inode == now[j].inode &&
                    strcmp(disk_names[i].name, now[j].name) != 0) {
                    snprintf(to_path, sizeof(to_path), "%.320s/%.60s", to, disk_names[i].name);
                    unlink(to_path);
                }
            }
        }
    }
    pthread_mutex_unlock(&disk_lock);
}

/* The machine has started again: the slots tell of another boot. */
static void reboot(const char *directory)
{
    struct journal_cursor cursor;
    struct cursor_state state;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(cursor_open(&cursor, fd, false, &state, &error) == OUTCOME_OK);
    if (cursor_found(&cursor)) {
        state.boot ^= 2;
        CHECK(cursor_write(&cursor, &state, &error) == OUTCOME_OK);
    }
    cursor_close(&cursor);
    close(fd);
}

/* --- the tests --- */

/* What is known of the messages 1 … given when the power goes: up to `safe` they were synced, up to
 * `stored` the database has them. */
struct known {
    uint64_t given;
    uint64_t safe;
    uint64_t stored;
};

/* After the loss: all that was synced is there unless it was stored, nothing is strange, no number
 * is used twice. */
static void check_after(const char *directory, const struct journal_options *like,
                        const struct known *known)
{
    uint64_t given = known->given;
    struct journal_options options = *like;
    uint64_t sequence;
    options.directory = directory;
    options.keep_ms = 3600000; /* nothing is deleted while we look */
    struct journal *journal = fixture_open(&options);
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange);
    for (uint64_t n = known->stored + 1; n <= known->safe; n++) {
        if (!fixture_has(seen, n)) {
            CHECK_INT_EQ(n, 0); /* is lost */
        }
    }
    for (size_t i = 0; i < seen->count; i++) {
        CHECK_INT_EQ(seen->sequences[i], seen->numbers[i]);
    }
    CHECK(known->safe < given || known->stored > 0 || seen->missing == 0);
    CHECK(seen->deleted + seen->count + seen->missing <= given);
    size_t count = seen->count;
    CHECK(journal_last(journal) >= given);
    if (fixture_append(journal, 100000, 100, &sequence) == OUTCOME_OK) {
        CHECK(sequence > given);
        seen = fixture_read_from(journal, 1);
        CHECK(!seen->strange && seen->count <= count + 1); /* old ones may have made room */
        CHECK_INT_EQ(seen->numbers[seen->count - 1], 100000);
    }
    journal_close(journal);
}

static void run(int64_t sync_ms, uint64_t seed)
{
    struct journal_options options = fixture_options(fixture_directory());
    uint64_t state = seed * 0x9E3779B97F4A7C15u | 1;
    uint64_t safe = 0;
    uint64_t stored = 0;
    uint64_t n = 0;
    char after[320];
    UNIT_CASE("sync %lld, seed %llu", (long long) sync_ms, (unsigned long long) seed);
    disk_start(options.directory);
    options.max_bytes = MB;
    options.sync_ms = sync_ms;
    options.keep_ms = 0;
    struct journal *journal = fixture_open(&options);
    uint64_t appends = 20 + fixture_random(&state) % 400;
    for (uint64_t i = 0; i < appends; i++) {
        if (fixture_append(journal, n + 1, 8 + fixture_random(&state) % 5000, NULL) == OUTCOME_OK) {
            n++;
        }
        if (fixture_random(&state) % 40 == 0) {
            CHECK(journal_sync(journal, &error) == OUTCOME_OK);
            safe = n;
        }
        if (fixture_random(&state) % 40 == 0 && n > 0) {
            stored += fixture_random(&state) % (n - stored + 1);
            journal_set_stored(journal, stored);
        }
        if (fixture_random(&state) % 200 == 0) {
            journal_close(journal);
            safe = n;
            journal = fixture_open(&options);
        }
        if (i % 23 == 0 || i + 1 == appends) {
            snprintf(after, sizeof(after), "%s-%llu", options.directory, (unsigned long long) i);
            lose_power(options.directory, after, &state, fixture_random(&state) % 11);
            reboot(after);
            struct known known = {
                .given = n, .safe = sync_ms == JOURNAL_SYNC_ALWAYS ? n : safe, .stored = stored};
            check_after(after, &options, &known);
            fixture_remove(after);
        }
    }
    journal_close(journal);
}

static void test_always(void)
{
    fixture_quiet();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        run(JOURNAL_SYNC_ALWAYS, seed);
    }
}

static void test_interval(void)
{
    fixture_quiet();
    for (uint64_t seed = 1; seed <= 12; seed++) {
        run(seed % 2 == 0 ? 100000 : 2, seed); /* a long one: only journal_sync() makes it safe */
    }
}

static void test_never(void)
{
    fixture_quiet();
    for (uint64_t seed = 1; seed <= 6; seed++) {
        run(JOURNAL_SYNC_NEVER, seed);
    }
}

/* What is deleted is known to be deleted, also after a power loss. */
static void test_deleted_is_known(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    uint64_t state = 5;
    char after[320];
    fixture_quiet();
    disk_start(options.directory);
    options.max_bytes = MB;
    options.sync_ms = JOURNAL_SYNC_ALWAYS;
    options.keep_ms = 0;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 100; n++) {
        CHECK_INT_EQ(fixture_append(journal, n, 2500, NULL), OUTCOME_OK);
    }
    journal_set_stored(journal, 80);
    WAIT_UNTIL(journal_first(journal) > 60);
    usleep(100000);
    snprintf(after, sizeof(after), "%s-after", options.directory);
    lose_power(options.directory, after, &state, 0);
    journal_close(journal);
    reboot(after);
    options.directory = after;
    options.keep_ms = 3600000;
    journal = fixture_open(&options);
    struct seen *seen = fixture_read_from(journal, 1);
    CHECK(!seen->strange && seen->missing == 0 && seen->deleted > 60);
    CHECK_INT_EQ(seen->deleted + seen->count, 100);
    journal_close(journal);
}

/* A sync fails, the process ends, the next one finds in memory what is not on the disk: it must
 * write it again. */
static void test_failed_sync_is_made_good(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    uint64_t state = 5;
    char after[320];
    disk_start(options.directory);
    options.max_bytes = MB;
    options.sync_ms = 100000;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 36; n++) { /* 26 a segment; no half yet, where the next is made */
        CHECK_INT_EQ(fixture_append(journal, n, 2400, NULL), OUTCOME_OK);
        if (n == 10) {
            CHECK(journal_sync(journal, &error) == OUTCOME_OK);
        }
    }
    pthread_mutex_lock(&disk_lock);
    disk_fails = true;
    pthread_mutex_unlock(&disk_lock);
    CHECK(journal_sync(journal, &error) == OUTCOME_FATAL);
    CHECK(stop_requested());
    stop_reset();
    journal_close(journal);

    journal = fixture_open(&options);
    CHECK(fixture_whole(fixture_read_from(journal, 1), 36));
    snprintf(after, sizeof(after), "%s-after", options.directory);
    lose_power(options.directory, after, &state, 0);
    reboot(after);
    check_after(after, &options, &(struct known){.given = 36, .safe = 36});
    journal_close(journal);
}

static bool is_name_durable(const struct disk_name *name)
{
    for (size_t i = 0; i < disk_name_count; i++) {
        if (disk_names[i].inode == name->inode && strcmp(disk_names[i].name, name->name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_content_durable(const struct disk_name *name)
{
    const struct disk_file *file = find_file(name->inode);
    for (size_t page = 0; file != NULL && page < PAGES_MAX; page++) {
        if (file->dirty[page]) {
            return false;
        }
    }
    return file != NULL;
}

/* Is all that was written to segments on the disk, and their names? */
static bool segments_are_durable(void)
{
    static struct disk_name names[FILES_MAX];
    bool durable = true;
    int fd = open(disk_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    pthread_mutex_lock(&disk_lock);
    size_t count = list_names(fd, names);
    for (size_t i = 0; i < count; i++) {
        if (strstr(names[i].name, ".segment") != NULL) {
            durable = durable && is_name_durable(&names[i]) && is_content_durable(&names[i]);
        }
    }
    pthread_mutex_unlock(&disk_lock);
    close(fd);
    return durable;
}

/* What was appended is durable after the interval, also in segments that were left meanwhile. */
static void test_interval_is_kept(void)
{
    struct journal_options options = fixture_options(fixture_directory());
    uint64_t state = 5;
    char after[320];
    fixture_quiet();
    disk_start(options.directory);
    options.max_bytes = MB;
    options.sync_ms = 300;
    struct journal *journal = fixture_open(&options);
    for (uint64_t n = 1; n <= 100; n++) { /* four segments in one interval */
        CHECK_INT_EQ(fixture_append(journal, n, 2500, NULL), OUTCOME_OK);
    }
    WAIT_UNTIL(segments_are_durable());
    snprintf(after, sizeof(after), "%s-after", options.directory);
    lose_power(options.directory, after, &state, 0);
    reboot(after);
    check_after(after, &options, &(struct known){.given = 100, .safe = 100});
    journal_close(journal);
}

UNIT_MAIN("journal_power", {"always", test_always}, {"interval", test_interval},
          {"never", test_never}, {"deleted is known", test_deleted_is_known},
          {"failed sync is made good", test_failed_sync_is_made_good},
          {"interval is kept", test_interval_is_kept})
