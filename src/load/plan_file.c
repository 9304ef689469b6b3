/* SPDX-License-Identifier: MIT */
#include "load/plan_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "route/plan_text.h"

static const char file_name[] = "plans";

#define FILE_BYTES_MAX ((size_t) 256 * 1024 * 1024)

enum outcome plan_file_save(const struct plans *plans, const char *directory, struct error *error)
{
    struct buf content = {0};
    enum outcome outcome;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return error_errno(error, OUTCOME_RETRY, "could not open directory \"%s\"", directory);
    }
    plans_to_text(plans, &content);
    outcome = file_replace(fd, file_name, buf_slice(&content), error);
    close(fd);
    buf_fini(&content);
    return outcome;
}

struct plans *plan_file_load(const char *directory, uint64_t last)
{
    struct plans *plans = NULL;
    struct buf content = {0};
    struct error error = {0};
    char *path = memory_printf("%s/%s", directory, file_name);

    if (access(path, F_OK) == 0) {
        if (file_load_regular(path, FILE_BYTES_MAX, &content, &error) != OUTCOME_OK) {
            log_warn("could not read the plans of subscriptions", F_TEXT("reason", error.text));
        } else if ((plans = plans_from_text(buf_string(&content), last)) == NULL) {
            log_warn("the file with the plans of subscriptions is damaged", F_TEXT("file", path));
        }
    }
    free(path);
    buf_fini(&content);
    return plans;
}
