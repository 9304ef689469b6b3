/* SPDX-License-Identifier: MIT */
#include "load/ruleset_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

static const char file_name[] = "rules";
static const char first_line[] = "mqtt2pg rules 1\n";

#define FILE_BYTES_MAX ((size_t) 64 * 1024 * 1024)

static void append_line(struct buf *out, const char *kind, uint32_t identifier, const char *text)
{
    buf_printf(out, "%s %" PRIu32 " %zu %s\n", kind, identifier, strlen(text), text);
}

static void append_former(void *context, uint32_t identifier, const char *filter)
{
    append_line(context, "former", identifier, filter);
}

enum outcome ruleset_save(const struct ruleset *ruleset, const char *directory, struct error *error)
{
    struct buf content = {0};
    enum outcome outcome;
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        return error_errno(error, OUTCOME_RETRY, "could not open directory \"%s\"", directory);
    }
    buf_append_text(&content, first_line);
    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];

        append_line(&content, "rule", rule->subscription, topic_filter_mqtt(rule->filter));
        append_line(&content, "name", 0, rule->name);
        if (rule->takeover != NULL) {
            takeover_each(rule->takeover, append_former, &content);
        }
    }
    for (size_t i = 0; i < ruleset->retired_count; i++) {
        append_line(&content, "retired", ruleset->retired[i], "");
    }
    outcome = file_replace(fd, file_name, buf_slice(&content), error);
    close(fd);
    buf_fini(&content);
    return outcome;
}

/* What the lines have said so far of one rule. */
struct recalled {
    uint32_t identifier;
    char *filter;
    char *name;
    struct takeover *takeover;
    uint32_t former; /* waits for where it leads to */
    char *former_filter;
};

/* The former subscription leads to the next one. */
static void lead_to(struct recalled *recalled, uint32_t identifier)
{
    if (recalled->former_filter != NULL) {
        struct takeover *longer =
            takeover_new(recalled->takeover, recalled->former, recalled->former_filter, identifier);
        takeover_free(recalled->takeover);
        recalled->takeover = longer;
    }
    free(recalled->former_filter);
    recalled->former_filter = NULL;
}

static void rule_end(struct ruleset *ruleset, struct recalled *recalled)
{
    lead_to(recalled, recalled->identifier);
    if (recalled->name != NULL) {
        ruleset_follow_rule(ruleset, recalled->name, recalled->identifier, recalled->filter,
                            recalled->takeover);
    }
    takeover_free(recalled->takeover);
    free(recalled->filter);
    free(recalled->name);
    *recalled = (struct recalled){0};
}

/* Takes over `text`. False when the line makes no sense. */
static bool line_take(struct ruleset *ruleset, struct recalled *recalled, const char *kind,
                      uint32_t identifier, char *text)
{
    if (strcmp(kind, "rule") == 0) {
        rule_end(ruleset, recalled);
        recalled->identifier = identifier;
        recalled->filter = text;
        ruleset_retire(ruleset, identifier);
        return true;
    }
    if (strcmp(kind, "name") == 0 && recalled->filter != NULL && recalled->name == NULL) {
        recalled->name = text;
        return true;
    }
    if (strcmp(kind, "former") == 0 && recalled->filter != NULL) {
        lead_to(recalled, identifier);
        recalled->former = identifier;
        recalled->former_filter = text;
        return true;
    }
    free(text);
    if (strcmp(kind, "retired") != 0) {
        return false;
    }
    ruleset_retire(ruleset, identifier);
    return true;
}

static bool content_take(struct ruleset *ruleset, const char *at)
{
    struct recalled recalled = {0};
    bool sound = strncmp(at, first_line, sizeof(first_line) - 1) == 0;

    at += sound ? sizeof(first_line) - 1 : 0;
    while (sound && *at != '\0') {
        char kind[16];
        uint32_t identifier;
        size_t length;
        int head = 0;

        sound = sscanf(at, "%15s %" SCNu32 " %zu%n", kind, &identifier, &length, &head) == 3 &&
                at[head] == ' ' && strnlen(at + head + 1, length) == length &&
                at[(size_t) head + 1 + length] == '\n';
        if (sound) {
            sound = line_take(ruleset, &recalled, kind, identifier,
                              memory_copy(slice_make(at + head + 1, length)));
            at += (size_t) head + length + 2;
        }
    }
    rule_end(ruleset, &recalled);
    return sound;
}

void ruleset_recall(struct ruleset *ruleset, const char *directory)
{
    struct buf content = {0};
    struct error error = {0};
    char *path = memory_printf("%s/%s", directory, file_name);

    if (access(path, F_OK) == 0) {
        if (file_load(path, FILE_BYTES_MAX, &content, &error) != OUTCOME_OK) {
            log_warn("could not read the file with the rules that were in use",
                     F_TEXT("reason", error.text));
        } else if (!content_take(ruleset, buf_string(&content))) {
            log_warn("the file with the rules that were in use is damaged", F_TEXT("file", path));
        }
    }
    free(path);
    buf_fini(&content);
}
