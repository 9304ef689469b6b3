/* SPDX-License-Identifier: MIT */
#include "route/topic_filter.h"

#include <assert.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/memory.h"
#include "base/text.h"
#include "core/topic.h"
#include "core/topic_level.h"

enum level_kind {
    LEVEL_LITERAL,
    LEVEL_ONE,  /* "+" or "{name}" */
    LEVEL_REST, /* "#" or "{name...}" */
};

struct level {
    enum level_kind kind;
    struct slice text; /* of LITERAL: borrowed from filter->text */
    int capture;       /* index, or -1 */
};

struct topic_filter {
    char *text; /* as it was written; owned */
    char *mqtt; /* owned */
    struct level *levels;
    size_t level_count;
    size_t level_capacity;
    char **captures; /* owned, each too */
    size_t capture_count;
    size_t capture_capacity;
    bool some_null; /* a capture of topic_filter_arrange() has no level in this filter */
};

/* --- compiling -------------------------------------------------------------------------------- */

static enum outcome level_fail(const struct topic_filter *filter, struct slice level,
                               const char *what, struct error *error)
{
    struct buf shown = {0};
    text_append_printable(&shown, level, 40);
    error_set(error, OUTCOME_REJECT, "level %zu, \"%s\": %s", filter->level_count + 1,
              buf_string(&shown), what);
    buf_fini(&shown);
    return OUTCOME_REJECT;
}

static bool is_identifier(struct slice name)
{
    for (size_t i = 0; i < name.length; i++) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9')) {
            return false;
        }
    }
    return name.length > 0;
}

/* Compiles a level that begins with "{": "{name}" or "{name...}". */
static enum outcome compile_capture(struct topic_filter *filter, struct slice text,
                                    struct level *level, struct error *error)
{
    assert(text.length > 0 && text.data[0] == '{');
    if (text.data[text.length - 1] != '}') {
        return level_fail(filter, text, "a capture takes its whole level", error);
    }
    struct slice name = slice_make(text.data + 1, text.length - 2);
    level->kind = LEVEL_ONE;
    if (name.length >= 3 && memcmp(name.data + name.length - 3, "...", 3) == 0) {
        level->kind = LEVEL_REST;
        name.length -= 3;
    }
    if (!is_identifier(name)) {
        return level_fail(filter, text,
                          "a capture's name has letters, digits and \"_\" and begins with no digit",
                          error);
    }
    for (size_t i = 0; i < filter->capture_count; i++) {
        if (slice_is(name, filter->captures[i])) {
            return level_fail(filter, text, "the name is taken by another level", error);
        }
    }
    level->capture = (int) filter->capture_count;
    assert(filter->capture_count <= filter->capture_capacity);
    filter->captures = memory_grow(filter->captures, filter->capture_count,
                                   &filter->capture_capacity, sizeof(filter->captures[0]));
    filter->captures[filter->capture_count++] = memory_copy(name);
    return OUTCOME_OK;
}

static enum outcome compile_level(struct topic_filter *filter, struct slice text,
                                  struct level *level, struct error *error)
{
    *level = (struct level){.kind = LEVEL_LITERAL, .text = text, .capture = -1};
    if (slice_is(text, "+")) {
        level->kind = LEVEL_ONE;
    } else if (slice_is(text, "#")) {
        level->kind = LEVEL_REST;
    } else if (text.length > 0 && text.data[0] == '{') {
        return compile_capture(filter, text, level, error);
    } else if (text.length > 0 && (memchr(text.data, '+', text.length) != NULL ||
                                   memchr(text.data, '#', text.length) != NULL)) {
        return level_fail(filter, text, "\"+\" and \"#\" stand alone in their level", error);
    } else if (text.length > 0 && (memchr(text.data, '{', text.length) != NULL ||
                                   memchr(text.data, '}', text.length) != NULL)) {
        return level_fail(filter, text, "a capture takes its whole level", error);
    }
    return OUTCOME_OK;
}

static enum outcome compile_levels(struct topic_filter *filter, struct error *error)
{
    struct topic_rest rest = topic_rest_of(slice_of(filter->text));
    struct slice text;
    while (topic_next_level(&rest, &text)) {
        struct level level;
        if (compile_level(filter, text, &level, error) != OUTCOME_OK) {
            return OUTCOME_REJECT;
        }
        if (level.kind == LEVEL_REST && rest.data != NULL) {
            return level_fail(filter, text, "what takes the rest stands at the end", error);
        }
        filter->levels = memory_grow(filter->levels, filter->level_count, &filter->level_capacity,
                                     sizeof(filter->levels[0]));
        filter->levels[filter->level_count++] = level;
    }
    return OUTCOME_OK;
}

static char *mqtt_text(const struct topic_filter *filter)
{
    struct buf out = {0};
    for (size_t i = 0; i < filter->level_count; i++) {
        const struct level *level = &filter->levels[i];
        buf_append(&out, "/", i > 0);
        if (level->kind == LEVEL_LITERAL) {
            buf_append_slice(&out, level->text);
        } else {
            buf_append_text(&out, level->kind == LEVEL_ONE ? "+" : "#");
        }
    }
    char *text = memory_copy(buf_slice(&out));
    buf_fini(&out);
    return text;
}

static enum outcome check_bytes(struct slice text, struct error *error)
{
    if (text.length == 0) {
        return error_set(error, OUTCOME_REJECT, "the topic is empty");
    }
    if (text.length > TOPIC_BYTES_MAX) {
        return error_set(error, OUTCOME_REJECT, "%zu bytes, and MQTT takes at most %d", text.length,
                         TOPIC_BYTES_MAX);
    }
    if (!text_is_utf8(text)) {
        return error_set(error, OUTCOME_REJECT, "not UTF-8");
    }
    if (text_has_nul(text)) {
        return error_set(error, OUTCOME_REJECT, "holds a NUL");
    }
    if (text.length >= 7 && memcmp(text.data, "$share/", 7) == 0) {
        return error_set(error, OUTCOME_REJECT,
                         "\"$share/\" is not a topic: write the group into share = \"…\"");
    }
    return OUTCOME_OK;
}

enum outcome topic_filter_compile(struct slice text, struct topic_filter **filter,
                                  struct error *error)
{
    if (check_bytes(text, error) != OUTCOME_OK) {
        return OUTCOME_REJECT;
    }
    struct topic_filter *made = memory_alloc(sizeof(*made));
    made->text = memory_copy(text);
    if (compile_levels(made, error) != OUTCOME_OK) {
        topic_filter_free(made);
        return OUTCOME_REJECT;
    }
    assert(made->level_count > 0);
    made->mqtt = mqtt_text(made);
    *filter = made;
    return OUTCOME_OK;
}

static void free_captures(struct topic_filter *filter)
{
    for (size_t i = 0; i < filter->capture_count; i++) {
        free(filter->captures[i]);
    }
    free(filter->captures);
}

void topic_filter_free(struct topic_filter *filter)
{
    if (filter == NULL) {
        return;
    }
    free_captures(filter);
    free(filter->levels);
    free(filter->mqtt);
    free(filter->text);
    free(filter);
}

const char *topic_filter_text(const struct topic_filter *filter)
{
    return filter->text;
}

const char *topic_filter_mqtt(const struct topic_filter *filter)
{
    return filter->mqtt;
}

const char *const *topic_filter_captures(const struct topic_filter *filter, size_t *count)
{
    *count = filter->capture_count;
    return (const char *const *) filter->captures;
}

void topic_filter_arrange(struct topic_filter *filter, const char *const *names, size_t count)
{
    size_t placed = 0;
    for (size_t i = 0; i < filter->level_count; i++) {
        struct level *level = &filter->levels[i];
        size_t at = 0;
        if (level->capture < 0) {
            continue;
        }
        while (at < count && strcmp(names[at], filter->captures[level->capture]) != 0) {
            at++;
        }
        assert(at < count);
        level->capture = (int) at;
        placed++;
    }
    assert(placed == filter->capture_count);
    free_captures(filter);
    filter->captures = memory_alloc((count + 1) * sizeof(filter->captures[0]));
    for (size_t i = 0; i < count; i++) {
        filter->captures[i] = memory_strdup(names[i]);
    }
    filter->capture_count = filter->capture_capacity = count;
    filter->some_null = placed < count;
}

/* --- matching --------------------------------------------------------------------------------- */

bool topic_filter_match(const struct topic_filter *filter, struct slice topic,
                        struct slice *captures)
{
    struct topic_rest rest = topic_rest_of(topic);
    if (filter->levels[0].kind != LEVEL_LITERAL && topic_is_private(topic)) {
        return false;
    }
    if (captures != NULL && filter->some_null) {
        memset(captures, 0, filter->capture_count * sizeof(captures[0]));
    }
    for (size_t i = 0; i < filter->level_count; i++) {
        const struct level *level = &filter->levels[i];
        struct slice part = slice_make(rest.data, (size_t) (rest.data ? rest.end - rest.data : 0));
        if (level->kind != LEVEL_REST && !topic_next_level(&rest, &part)) {
            return false;
        }
        if (level->kind == LEVEL_LITERAL && !slice_equal(level->text, part)) {
            return false;
        }
        assert(level->capture < (int) filter->capture_count);
        if (captures != NULL && level->capture >= 0) {
            captures[level->capture] = part;
        }
        if (level->kind == LEVEL_REST) {
            return true;
        }
    }
    return rest.data == NULL;
}
