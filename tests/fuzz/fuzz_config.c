/*
 * The bytes as a configuration file. Whatever stands in it: a configuration or a reason, and what
 * is sound can be shown.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"

/* libconfig must never be stricter than the check before it, nor get what it loses memory on. */
static void check_problems(const char *file, const struct problems *problems)
{
    for (size_t i = 0; i < problems->count; i++) {
        const char *text = problems->list[i].text;
        bool begins = strncmp(text, file, strlen(file)) == 0;
        require(!begins || strncmp(text + strlen(file), ": libconfig refuses", 19) != 0);
    }
}

static void check_sound(const struct config *config)
{
    struct buf out = {0};
    config_to_json(config, NULL, &out);
    require(out.length > 2 && out.data[0] == '{' && out.data[out.length - 1] == '}');
    buf_reset(&out);
    config_restart_needed(config, config, &out);
    require(out.length == 0);
    require(config->broker.url_count > 0 && config->rule_count > 0);
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct rule_options *rule = &config->rules[i];
        require(rule->name != NULL && rule->topic_count > 0 && rule->column_count > 0);
        require((rule->table.text == NULL) != (rule->sql.text == NULL));
    }
    buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[40];
    struct problems problems = {0};
    if (fd < 0) {
        fd = memfd_create("fuzz.cfg", 0);
    }
    require(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t) size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);

    struct config *config = config_load(path, &problems);
    require(config != NULL || problems.errors > 0);
    check_problems(path, &problems);
    if (problems.errors == 0) {
        check_sound(config);
    }
    config_free(config);
    problems_fini(&problems);
    return 0;
}
