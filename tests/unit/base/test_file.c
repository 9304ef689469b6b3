/* SPDX-License-Identifier: MIT */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "unit.h"

static const char *path_of(const char *name)
{
    static char path[400];
    snprintf(path, sizeof(path), "%s/%s", unit_scratch(), name);
    return path;
}

static int open_new(const char *name)
{
    return open(path_of(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static void test_write_and_read(void)
{
    struct error error = {0};
    char back[20] = "";
    int fd = open_new("data");
    CHECK_INT_EQ(file_write(fd, "hello", 5, 10, &error), OUTCOME_OK);
    CHECK_INT_EQ(file_write(fd, NULL, 0, 0, &error), OUTCOME_OK);
    CHECK_INT_EQ(file_sync(fd, &error), OUTCOME_OK);
    CHECK_INT_EQ(file_read(fd, back, 5, 10, &error), 5);
    CHECK_TEXT_EQ(back, "hello");
    CHECK_INT_EQ(file_read(fd, back, 20, 12, &error), 3);
    CHECK_INT_EQ(file_read(fd, back, 20, 15, &error), 0);
    CHECK_INT_EQ(file_read(fd, back, 1, 0, &error), 1);
    CHECK_INT_EQ(back[0], '\0'); /* the hole */
    close(fd);
}

static void test_errors(void)
{
    struct error error = {0};
    char back[5];
    CHECK_INT_EQ(file_write(-1, "x", 1, 0, &error), OUTCOME_FATAL);
    CHECK_TEXT_EQ(error.text, "could not write 1 bytes: Bad file descriptor");
    CHECK_INT_EQ(file_read(-1, back, 1, 0, &error), -1);
    CHECK_INT_EQ(error.outcome, OUTCOME_FATAL);
    CHECK_INT_EQ(file_sync(-1, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(file_sync_directory(-1, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(file_reserve(-1, 10, &error), OUTCOME_FATAL);
}

/* /dev/full is a disk without room; a file size limit makes a write short, then impossible. */
static void test_no_room(void)
{
    struct error error = {0};
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    CHECK_INT_EQ(file_write(full, "x", 1, 0, &error), OUTCOME_RETRY);
    CHECK_TEXT_EQ(error.text, "could not write 1 bytes: No space left on device");
    close(full);

    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    int fd = open_new("limited");
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, old.rlim_max});
    char data[1500];
    memset(data, 'x', sizeof(data));
    enum outcome written = file_write(fd, data, sizeof(data), 0, &error);
    enum outcome reserved = file_reserve(fd, 5000, &error);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_INT_EQ(written, OUTCOME_RETRY);
    CHECK_INT_EQ(reserved, OUTCOME_RETRY);
    struct stat status;
    fstat(fd, &status);
    CHECK_INT_EQ(status.st_size, 1000);
    close(fd);
}

static void test_reserve(void)
{
    struct error error = {0};
    int fd = open_new("reserved");
    CHECK_INT_EQ(file_write(fd, "abc", 3, 0, &error), OUTCOME_OK);
    CHECK_INT_EQ(file_reserve(fd, 100000, &error), OUTCOME_OK);
    struct stat status;
    fstat(fd, &status);
    CHECK(status.st_size == 100000 || status.st_size == 3); /* 3: a file system without */
    char back[4] = "";
    CHECK_INT_EQ(file_read(fd, back, 3, 0, &error), 3);
    CHECK_TEXT_EQ(back, "abc");
    close(fd);
}

static void test_replace(void)
{
    struct error error = {0};
    struct buf content = {0};
    int directory = open(unit_scratch(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK_INT_EQ(file_replace(directory, "state", slice_of("first, longer"), &error), OUTCOME_OK);
    CHECK_INT_EQ(file_replace(directory, "state", slice_of("second"), &error), OUTCOME_OK);
    CHECK_INT_EQ(file_load(path_of("state"), 100, &content, &error), OUTCOME_OK);
    CHECK_SLICE_EQ(buf_slice(&content), "second");

    struct stat status;
    CHECK_INT_EQ(stat(path_of("state"), &status), 0);
    CHECK_INT_EQ(status.st_mode & 07777, 0600);
    CHECK(stat(path_of("state.tmp"), &status) != 0 && errno == ENOENT);

    /* A directory of that name cannot be replaced: the temporary file goes, the old state stays. */
    mkdir(path_of("taken"), 0700);
    CHECK_INT_EQ(file_replace(directory, "taken", slice_of("x"), &error), OUTCOME_FATAL);
    CHECK(stat(path_of("taken.tmp"), &status) != 0);
    CHECK_INT_EQ(file_replace(directory, "missing/state", slice_of("x"), &error), OUTCOME_FATAL);

    /* A link in the way is not followed: what it leads to stays as it is. */
    char link[400];
    snprintf(link, sizeof(link), "%s", path_of("other.tmp"));
    CHECK_INT_EQ(symlink("state", link), 0);
    CHECK_INT_EQ(file_replace(directory, "other", slice_of("x"), &error), OUTCOME_FATAL);
    buf_reset(&content);
    CHECK_INT_EQ(file_load(path_of("state"), 100, &content, &error), OUTCOME_OK);
    CHECK_SLICE_EQ(buf_slice(&content), "second");
    close(directory);
    buf_fini(&content);
}

static void test_load(void)
{
    struct error error = {0};
    struct buf content = {0};
    int fd = open_new("large");
    char *data = calloc(1, 50000);
    memset(data, 'y', 50000);
    CHECK_INT_EQ(file_write(fd, data, 50000, 0, &error), OUTCOME_OK);
    free(data);
    close(fd);

    buf_append_text(&content, "kept");
    CHECK_INT_EQ(file_load(path_of("large"), 49999, &content, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(errno, EFBIG);
    CHECK_SLICE_EQ(buf_slice(&content), "kept");
    CHECK_INT_EQ(file_load(path_of("large"), 50000, &content, &error), OUTCOME_OK);
    CHECK_INT_EQ(content.length, 50004);
    CHECK_INT_EQ(file_load(path_of("none"), 10, &content, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(errno, ENOENT);
    CHECK_INT_EQ(file_load(unit_scratch(), 10, &content, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(errno, EISDIR);
    CHECK_INT_EQ(content.length, 50004);

    buf_reset(&content);
    CHECK_INT_EQ(file_load("/dev/null", 0, &content, &error), OUTCOME_OK);
    CHECK_INT_EQ(content.length, 0);
    buf_fini(&content);
}

static void test_make_directory(void)
{
    struct error error = {0};
    struct stat status;
    CHECK_INT_EQ(file_make_directory(path_of("a/b//c/"), &error), OUTCOME_OK);
    CHECK_INT_EQ(stat(path_of("a/b/c"), &status), 0);
    CHECK_INT_EQ(status.st_mode & 0777, 0700);
    CHECK_INT_EQ(file_make_directory(path_of("a/b/c"), &error), OUTCOME_OK);
    CHECK_INT_EQ(file_make_directory("/", &error), OUTCOME_OK);

    close(open_new("file"));
    CHECK_INT_EQ(file_make_directory(path_of("file"), &error), OUTCOME_FATAL);
    CHECK(strstr(error.text, "file\" is not a directory") != NULL);
    CHECK_INT_EQ(file_make_directory(path_of("file/below"), &error), OUTCOME_FATAL);
    CHECK_INT_EQ(file_make_directory("", &error), OUTCOME_FATAL);
}

/* A FIFO, a directory or a device in the place of a file of ours: refused at once. */
static void test_only_regular(void)
{
    struct error error = {0};
    struct buf content = {0};
    int fd = open_new("regular");
    CHECK_INT_EQ(file_write(fd, "text", 4, 0, &error), OUTCOME_OK);
    close(fd);
    CHECK_INT_EQ(file_load_regular(path_of("regular"), 100, &content, &error), OUTCOME_OK);
    CHECK_SLICE_EQ(buf_slice(&content), "text");
    CHECK(mkfifo(path_of("fifo"), 0600) == 0);
    CHECK_INT_EQ(file_load_regular(path_of("fifo"), 100, &content, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(file_load_regular("/dev/null", 100, &content, &error), OUTCOME_FATAL);
    CHECK_INT_EQ(file_load_regular(path_of("."), 100, &content, &error), OUTCOME_FATAL);
    fd = file_open_regular(AT_FDCWD, path_of("fifo"), O_RDWR | O_CREAT);
    CHECK_INT_EQ(fd, -1);
    CHECK_INT_EQ(errno, EINVAL);
    CHECK_SLICE_EQ(buf_slice(&content), "text");
    buf_fini(&content);
}

UNIT_MAIN("file", {"only regular files", test_only_regular},
          {"write and read", test_write_and_read}, {"errors", test_errors},
          {"no room", test_no_room}, {"reserve", test_reserve}, {"replace", test_replace},
          {"load", test_load}, {"make directory", test_make_directory})
