/* SPDX-License-Identifier: MIT */
#include "bridge/machine.h"

#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/metrics.h"

void machine_refresh(const char *journal_directory)
{
    struct statvfs disk;
    FILE *file = fopen("/proc/self/statm", "re");
    long long pages[2];

    if (statvfs(journal_directory, &disk) == 0) {
        metric_set(METRIC_JOURNAL_DISK_FREE_BYTES,
                   (int64_t) disk.f_bavail * (int64_t) disk.f_frsize);
    }
    if (file != NULL) {
        /* proc(5): the pages of the whole process, then the resident pages. */
        if (fscanf(file, "%lld %lld", &pages[0], &pages[1]) == 2) {
            metric_set(METRIC_RESIDENT_MEMORY_BYTES, pages[1] * sysconf(_SC_PAGESIZE));
        }
        fclose(file);
    }
}

void machine_forbid_core_dumps(void)
{
    const struct rlimit none = {0, 0};

    (void) setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__ /* LeakSanitizer attaches to its own process */
    (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
}
