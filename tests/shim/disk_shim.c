/*
 * disk_shim: a disk with moods, under the files below one directory of one process. For tests only:
 * built into build/test/disk_shim.so, loaded with LD_PRELOAD, linked with nothing of the program.
 *
 *   DISK_SHIM_DIRECTORY   the real path; what lies elsewhere is let through
 *   DISK_SHIM_CONTROL     a file of CONTROL_BYTES that a test writes while the process runs (struct control)
 *   DISK_SHIM_LOG         every change and every sync is appended here (struct entry), from which tests/integration/disk.py works out what
 *                         a power cut would have left
 *   DISK_SHIM_PROC        a folder whose files are opened in place of those of the same name below /proc/sys
 *
 * A change is made and logged under one lock, so the log has the order in which things happened. Of
 * a sync the beginning and the end are logged: what was logged before the beginning is durable once
 * there is an end. The system calls are made directly: nothing is looked up, so the shim works from
 * the first instruction on.
 *
 * CLOCK_REALTIME is shifted for the whole process, and with it the times of the files.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define CONTROL_BYTES 4096
#define PROC_SYS "/proc/sys/"

/* disk.py has the same fields in the same order. A count is how often: below zero always, and it
 * counts down to zero. */
struct control {
    int64_t quota;       /* bytes that the files may take together; below zero: no limit */
    int64_t write_short; /* one write takes at most this much; 0 = all */
    int64_t write_errno;
    int64_t write_count;
    int64_t sync_errno;
    int64_t sync_count;
    int64_t sync_delay_ms;
    int64_t sync_hang; /* while it is not zero */
    int64_t read_errno;
    int64_t read_from; /* bytes of the file that cannot be read */
    int64_t read_to;
    int64_t clock_us;           /* added to the time of day */
    int64_t syncs_failed;       /* counted here */
    int64_t syncs_after_failed; /* of the same file */
    int64_t writes_failed;
    int64_t create_errno; /* of a new file */
    int64_t create_count;
    char names
        [8]
        [64]; /* names[0]: which paths (a part of them) fail to be written; 1: synced; 2: read; 3: created */
};

enum { NAME_WRITE, NAME_SYNC, NAME_READ, NAME_CREATE };

enum operation {
    OPERATION_CREATE = 1,
    OPERATION_WRITE = 2,
    OPERATION_TRUNCATE = 3,
    OPERATION_RESERVE = 4,
    OPERATION_SYNC_BEGIN = 5,
    OPERATION_SYNC_END = 6,
    OPERATION_RENAME = 7,
    OPERATION_UNLINK = 8,
    OPERATION_MKDIR = 9,
    OPERATION_SYNC_FAILED =
        10, /* what was to be synced is taken for written by the kernel, and is not */
};

/* In the log; `first` and `second` (paths below the directory) and `data` follow. */
struct entry {
    uint32_t operation;
    uint32_t first_length;
    uint32_t second_length;
    uint32_t data_length;
    int64_t inode;
    int64_t value;   /* offset, length or the number of a sync */
    int64_t time_us; /* monotonic */
};

static char root[PATH_MAX];
static size_t root_length;
static const char *proc;
static volatile struct control *control;
static int log_fd = -1;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int64_t next_sync;
static int64_t failed_inode;

__attribute__((constructor)) static void start(void)
{
    const char *directory = getenv("DISK_SHIM_DIRECTORY");
    const char *steering = getenv("DISK_SHIM_CONTROL");
    const char *log = getenv("DISK_SHIM_LOG");
    proc = getenv("DISK_SHIM_PROC");
    if (directory != NULL && strlen(directory) + 2 < sizeof(root)) {
        root_length = (size_t) snprintf(root, sizeof(root), "%s", directory);
    }
    if (log != NULL) {
        log_fd = (int) syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                               0600);
    }
    int fd = steering != NULL ? (int) syscall(SYS_openat, AT_FDCWD, steering, O_RDWR | O_CLOEXEC, 0)
                              : -1;
    void *mapped =
        fd >= 0 ? mmap(NULL, CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (mapped == MAP_FAILED) {
        root_length = 0; /* without steering there is nothing to do */
    } else {
        control = mapped;
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* --- which file ------------------------------------------------------------------------------- */

/* The part of an absolute path below the directory; NULL when it lies elsewhere. "" is the
 * directory itself. */
static const char *below(const char *path)
{
    if (root_length == 0 || strncmp(path, root, root_length) != 0) {
        return NULL;
    }
    if (path[root_length] == '\0') {
        return path + root_length;
    }
    return path[root_length] == '/' ? path + root_length + 1 : NULL;
}

static const char *path_of_fd(int fd, char buffer[PATH_MAX])
{
    char link[64];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, buffer, PATH_MAX - 1);
    if (root_length == 0 || length <= 0) {
        return NULL;
    }
    buffer[length] = '\0';
    return below(buffer);
}

static const char *path_at(int directory_fd, const char *name, char buffer[PATH_MAX])
{
    char directory[PATH_MAX];
    if (root_length == 0) {
        return NULL;
    }
    if (name[0] == '/') {
        snprintf(buffer, PATH_MAX, "%s", name);
        return below(buffer);
    }
    if (directory_fd == AT_FDCWD) {
        if (getcwd(directory, sizeof(directory)) == NULL) {
            return NULL;
        }
    } else if (path_of_fd(directory_fd, directory) == NULL) {
        return NULL;
    }
    if (snprintf(buffer, PATH_MAX, "%s/%s", directory, name) >= PATH_MAX) {
        return NULL;
    }
    return below(buffer);
}

static int64_t inode_of(int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 ? (int64_t) status.st_ino : 0;
}

/* --- the log ---------------------------------------------------------------------------------- */

static int64_t monotonic_us(void)
{
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
    return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void note_data(enum operation operation, const char *first, const char *second,
                      int64_t inode, int64_t value, const void *data, size_t length)
{
    struct entry entry = {.operation = operation,
                          .first_length = (uint32_t) strlen(first),
                          .second_length = (uint32_t) strlen(second),
                          .data_length = (uint32_t) length,
                          .inode = inode,
                          .value = value,
                          .time_us = monotonic_us()};
    struct iovec parts[] = {{&entry, sizeof(entry)},
                            {(void *) (uintptr_t) first, entry.first_length},
                            {(void *) (uintptr_t) second, entry.second_length},
                            {(void *) (uintptr_t) data, length}};
    if (log_fd >= 0 && syscall(SYS_writev, log_fd, parts, 4) < 0) {
        abort(); /* a test without its log would prove nothing */
    }
}

static void note(enum operation operation, const char *first, const char *second, int64_t inode,
                 int64_t value)
{
    note_data(operation, first, second, inode, value, NULL, 0);
}

/* --- moods ------------------------------------------------------------------------------------ */

static bool chosen(int which, const char *path)
{
    char name[64];
    for (size_t i = 0; i < sizeof(name); i++) {
        name[i] = control->names[which][i];
    }
    name[sizeof(name) - 1] = '\0';
    return strstr(path, name) != NULL;
}

/* Whether this call fails: `count` says how many still do. With the lock. */
static bool fails(volatile int64_t *number, volatile int64_t *count, int which, const char *path)
{
    if (*number == 0 || *count == 0 || !chosen(which, path)) {
        return false;
    }
    if (*count > 0) {
        --*count;
    }
    errno = (int) *number;
    return true;
}

static int64_t used_below(const char *directory, int depth)
{
    int64_t bytes = 0;
    DIR *list = opendir(directory);
    const struct dirent *item;
    while (list != NULL && (item = readdir(list)) != NULL) {
        char path[PATH_MAX];
        struct stat status;
        if (strcmp(item->d_name, ".") == 0 || strcmp(item->d_name, "..") == 0 ||
            snprintf(path, sizeof(path), "%s/%s", directory, item->d_name) >= (int) sizeof(path) ||
            fstatat(AT_FDCWD, path, &status, AT_SYMLINK_NOFOLLOW) != 0) {
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            bytes += depth > 0 ? used_below(path, depth - 1) : 0;
        } else {
            bytes += (int64_t) status.st_blocks * 512;
        }
    }
    if (list != NULL) {
        closedir(list);
    }
    return bytes;
}

/* How many bytes more the disk takes. With the lock. */
static int64_t room(void)
{
    return control->quota < 0 ? INT64_MAX : control->quota - used_below(root, 2);
}

/* Of a write that ends at `end`, how many bytes find no room. With the lock. */
static int64_t without_room(int fd, int64_t end)
{
    struct stat status;
    if (control->quota < 0 || fstat(fd, &status) != 0) {
        return 0;
    }
    int64_t wanted = end - (int64_t) status.st_blocks * 512;
    int64_t left = wanted > 0 ? room() : wanted;
    return wanted > left ? wanted - (left > 0 ? left : 0) : 0;
}

/* A file's time follows the shifted clock. */
static void shift_time(int fd)
{
    if (control->clock_us != 0) {
        struct timespec times[2];
        clock_gettime(CLOCK_REALTIME, &times[0]);
        times[1] = times[0];
        syscall(SYS_utimensat, fd, NULL, times, 0);
    }
}

/* --- changes to files ------------------------------------------------------------------------- */

static ssize_t write_some(int fd, const char *path, const void *data, size_t length, int64_t offset)
{
    if (fails(&control->write_errno, &control->write_count, NAME_WRITE, path)) {
        control->writes_failed++;
        return -1;
    }
    int64_t missing = without_room(fd, offset + (int64_t) length);
    if (missing >= (int64_t) length && length > 0) {
        control->writes_failed++;
        errno = ENOSPC;
        return -1;
    }
    length -= (size_t) missing;
    if (control->write_short > 0 && length > (size_t) control->write_short) {
        length = (size_t) control->write_short;
    }
    ssize_t done = syscall(SYS_pwrite64, fd, data, length, offset);
    if (done > 0) {
        note_data(OPERATION_WRITE, path, "", inode_of(fd), offset, data, (size_t) done);
        shift_time(fd);
    }
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t length, off_t offset)
{
    char buffer[PATH_MAX];
    const char *path = path_of_fd(fd, buffer);
    if (path == NULL) {
        return syscall(SYS_pwrite64, fd, data, length, offset);
    }
    pthread_mutex_lock(&mutex);
    ssize_t done = write_some(fd, path, data, length, offset);
    pthread_mutex_unlock(&mutex);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
    return pwrite(fd, data, length, offset);
}

int ftruncate(int fd, off_t length)
{
    char buffer[PATH_MAX];
    const char *path = path_of_fd(fd, buffer);
    if (path == NULL) {
        return (int) syscall(SYS_ftruncate, fd, length);
    }
    pthread_mutex_lock(&mutex);
    int result = (int) syscall(SYS_ftruncate, fd, length);
    if (result == 0) {
        note(OPERATION_TRUNCATE, path, "", inode_of(fd), length);
        shift_time(fd);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length)
{
    char buffer[PATH_MAX];
    const char *path = path_of_fd(fd, buffer);
    if (path == NULL) {
        return (int) syscall(SYS_fallocate, fd, mode, offset, length);
    }
    pthread_mutex_lock(&mutex);
    int result = -1;
    if (without_room(fd, offset + length) > 0) {
        errno = ENOSPC;
    } else {
        result = (int) syscall(SYS_fallocate, fd, mode, offset, length);
    }
    if (result == 0) {
        note(OPERATION_RESERVE, path, "", inode_of(fd), offset + length);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
    return fallocate(fd, mode, offset, length);
}

/* --- syncs ------------------------------------------------------------------------------------ */

static void sleep_ms(int64_t milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (milliseconds % 1000) * 1000000};
    syscall(SYS_nanosleep, &time, NULL);
}

static int sync_file(int fd, long number)
{
    char buffer[PATH_MAX];
    const char *path = path_of_fd(fd, buffer);
    if (path == NULL) {
        return (int) syscall(number, fd);
    }
    int64_t inode = inode_of(fd);
    pthread_mutex_lock(&mutex);
    int64_t sync = ++next_sync;
    note(OPERATION_SYNC_BEGIN, path, "", inode, sync);
    if (failed_inode != 0 && failed_inode == inode) {
        control->syncs_after_failed++;
    }
    bool failed = fails(&control->sync_errno, &control->sync_count, NAME_SYNC, path);
    if (failed) {
        control->syncs_failed++;
        note(OPERATION_SYNC_FAILED, path, "", inode, sync);
        failed_inode = inode;
    }
    bool slow = chosen(NAME_SYNC, path);
    int code = errno;
    pthread_mutex_unlock(&mutex);

    if (slow && control->sync_delay_ms > 0) {
        sleep_ms(control->sync_delay_ms);
    }
    while (slow && control->sync_hang != 0) {
        sleep_ms(5);
    }
    if (failed) {
        errno = code;
        return -1;
    }
    /* The real sync is left out: the log tells what is durable, and the machine stays up. */
    pthread_mutex_lock(&mutex);
    note(OPERATION_SYNC_END, path, "", inode, sync);
    pthread_mutex_unlock(&mutex);
    return 0;
}

int fdatasync(int fd)
{
    return sync_file(fd, SYS_fdatasync);
}

int fsync(int fd)
{
    return sync_file(fd, SYS_fsync);
}

/* --- names ------------------------------------------------------------------------------------ */

static int open_below(int directory_fd, const char *name, int flags, mode_t mode, const char *path)
{
    struct stat status;
    pthread_mutex_lock(&mutex);
    bool fresh = (flags & O_CREAT) != 0 && fstatat(directory_fd, name, &status, 0) != 0;
    int fd = -1;
    if (fresh && control->quota >= 0 && room() <= 0) {
        errno = ENOSPC;
    } else if (!fresh ||
               !fails(&control->create_errno, &control->create_count, NAME_CREATE, path)) {
        fd = (int) syscall(SYS_openat, directory_fd, name, flags, mode);
    }
    if (fd >= 0 && fresh) {
        failed_inode = failed_inode == inode_of(fd) ? 0 : failed_inode; /* another file now */
        note(OPERATION_CREATE, path, "", inode_of(fd), 0);
    }
    if (fd >= 0 && !fresh && (flags & O_TRUNC) != 0) {
        note(OPERATION_TRUNCATE, path, "", inode_of(fd), 0);
    }
    pthread_mutex_unlock(&mutex);
    return fd;
}

static int open_any(int directory_fd, const char *name, int flags, mode_t mode)
{
    char buffer[PATH_MAX];
    const char *path =
        (flags & (O_CREAT | O_TRUNC)) != 0 ? path_at(directory_fd, name, buffer) : NULL;
    if (proc != NULL && strncmp(name, PROC_SYS, strlen(PROC_SYS)) == 0 &&
        snprintf(buffer, sizeof(buffer), "%s%s", proc, strrchr(name, '/')) < (int) sizeof(buffer) &&
        syscall(SYS_faccessat, AT_FDCWD, buffer, R_OK) == 0) {
        name = buffer;
    }
    return path != NULL ? open_below(directory_fd, name, flags, mode, path)
                        : (int) syscall(SYS_openat, directory_fd, name, flags, mode);
}

#define MODE_OF(flags, last) \
    mode_t mode = 0; \
    if (((flags) & (O_CREAT | O_TMPFILE)) != 0) { \
        va_list arguments; \
        va_start(arguments, last); \
        mode = va_arg(arguments, mode_t); \
        va_end(arguments); \
    }

int open(const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return open_any(AT_FDCWD, name, flags, mode);
}

int open64(const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return open_any(AT_FDCWD, name, flags, mode);
}

int openat(int directory_fd, const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return open_any(directory_fd, name, flags, mode);
}

int openat64(int directory_fd, const char *name, int flags, ...)
{
    MODE_OF(flags, flags)
    return open_any(directory_fd, name, flags, mode);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    char buffers[2][PATH_MAX];
    const char *first = path_at(from_fd, from, buffers[0]);
    const char *second = path_at(to_fd, to, buffers[1]);
    if (first == NULL || second == NULL) {
        return (int) syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
    }
    pthread_mutex_lock(&mutex);
    int result = (int) syscall(SYS_renameat2, from_fd, from, to_fd, to, 0);
    if (result == 0) {
        note(OPERATION_RENAME, first, second, 0, 0);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int unlinkat(int directory_fd, const char *name, int flags)
{
    char buffer[PATH_MAX];
    const char *path = path_at(directory_fd, name, buffer);
    if (path == NULL) {
        return (int) syscall(SYS_unlinkat, directory_fd, name, flags);
    }
    pthread_mutex_lock(&mutex);
    int result = (int) syscall(SYS_unlinkat, directory_fd, name, flags);
    if (result == 0) {
        note(OPERATION_UNLINK, path, "", 0, 0);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int unlink(const char *name)
{
    return unlinkat(AT_FDCWD, name, 0);
}

int mkdirat(int directory_fd, const char *name, mode_t mode)
{
    char buffer[PATH_MAX];
    const char *path = path_at(directory_fd, name, buffer);
    if (path == NULL) {
        return (int) syscall(SYS_mkdirat, directory_fd, name, mode);
    }
    pthread_mutex_lock(&mutex);
    int result = (int) syscall(SYS_mkdirat, directory_fd, name, mode);
    if (result == 0) {
        note(OPERATION_MKDIR, path, "", 0, 0);
    }
    pthread_mutex_unlock(&mutex);
    return result;
}

int mkdir(const char *name, mode_t mode)
{
    return mkdirat(AT_FDCWD, name, mode);
}

/* --- reading ---------------------------------------------------------------------------------- */

ssize_t pread(int fd, void *data, size_t length, off_t offset)
{
    char buffer[PATH_MAX];
    if (control != NULL && control->read_errno != 0) {
        const char *path = path_of_fd(fd, buffer);
        if (path != NULL && chosen(NAME_READ, path) && offset < control->read_to &&
            offset + (off_t) length > control->read_from) {
            errno = (int) control->read_errno;
            return -1;
        }
    }
    return syscall(SYS_pread64, fd, data, length, offset);
}

ssize_t pread64(int fd, void *data, size_t length, off64_t offset)
{
    return pread(fd, data, length, offset);
}

ssize_t __pread_chk(int fd, void *data, size_t length, off_t offset, size_t size);
ssize_t __pread_chk(int fd, void *data, size_t length, off_t offset, size_t size)
{
    return length <= size ? pread(fd, data, length, offset) : (errno = EFAULT, -1);
}

ssize_t read(int fd, void *data, size_t length)
{
    char buffer[PATH_MAX];
    if (control != NULL && control->read_errno != 0) {
        const char *path = path_of_fd(fd, buffer);
        int64_t offset = path != NULL ? syscall(SYS_lseek, fd, 0, SEEK_CUR) : 0;
        if (path != NULL && chosen(NAME_READ, path) && offset < control->read_to &&
            offset + (int64_t) length > control->read_from) {
            errno = (int) control->read_errno;
            return -1;
        }
    }
    return syscall(SYS_read, fd, data, length);
}

/* --- the clock -------------------------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int) syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && control != NULL && clock == CLOCK_REALTIME && control->clock_us != 0) {
        time->tv_sec += (time_t) (control->clock_us / 1000000);
    }
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;
    (void) zone;
    int result = clock_gettime(CLOCK_REALTIME, &time);
    *now = (struct timeval){.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
    return result;
}

time_t time(time_t *out)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL) {
        *out = now.tv_sec;
    }
    return now.tv_sec;
}

int utimensat(int directory_fd, const char *name, const struct timespec times[2], int flags)
{
    struct timespec shifted[2];
    if (times == NULL && control != NULL && control->clock_us != 0) {
        clock_gettime(CLOCK_REALTIME, &shifted[0]);
        shifted[1] = shifted[0];
        times = shifted;
    }
    return (int) syscall(SYS_utimensat, directory_fd, name, times, flags);
}
