/*
 * Functions about one row of the table. They search through all rows, which is fast enough: there
 * are about 70, and nothing here runs for each message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/settings.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

const struct setting *setting_find(const char *path)
{
    assert(path != NULL);
    for (size_t i = 0; i < setting_count; i++) {
        if (strcmp(settings[i].path, path) == 0) {
            return &settings[i];
        }
    }
    return NULL;
}

bool setting_has_file(const struct setting *setting)
{
    return setting->secret || setting->in_file;
}

bool setting_is_required(const struct setting *setting)
{
    return setting->default_value != NULL && strcmp(setting->default_value, "!") == 0;
}

const char *setting_name(const struct setting *setting)
{
    const char *dot = strrchr(setting->path, '.');
    assert(dot == NULL || dot[1] != '\0');
    return dot == NULL ? setting->path : dot + 1;
}

bool setting_is_in(const struct setting *setting, const char *group)
{
    const char *dot = strrchr(setting->path, '.');
    size_t length = dot == NULL ? 0 : (size_t) (dot - setting->path);
    return strlen(group) == length && memcmp(setting->path, group, length) == 0;
}

/* Appends the choices "a|b|c" as "a, b, c". */
static void append_choices(struct buf *out, const char *choices)
{
    assert(choices[0] != '\0');
    for (; *choices != '\0'; choices++) {
        if (*choices == '|') {
            buf_append_text(out, ", ");
        } else {
            buf_append_byte(out, (uint8_t) *choices);
        }
    }
}

void setting_append_type(struct buf *out, const struct setting *setting)
{
    static const char *const names[] = {
        [SETTING_TEXT] = "text",
        [SETTING_TEXTS] = "text or list of texts",
        [SETTING_INTEGER] = "whole number",
        [SETTING_BOOLEAN] = "true or false",
        [SETTING_DURATION] = "duration",
        [SETTING_SYNC] = "duration, always or never",
        [SETTING_SIZE] = "size",
        [SETTING_CHOICE] = "one of ",
        [SETTING_EXPRESSION] = "expression",
        [SETTING_EXPRESSIONS] = "expression or list of them",
        [SETTING_COLUMNS] = "columns",
        [SETTING_GROUP] = "group",
    };
    if (setting->type == SETTING_TEXTS && setting->choices != NULL) {
        buf_append_text(out, "list of ");
    } else {
        buf_append_text(out, names[setting->type]);
    }
    if (setting->choices != NULL) {
        append_choices(out, setting->choices);
    }
}

const char *setting_unit(const struct setting *setting)
{
    if (setting->type == SETTING_DURATION || setting->type == SETTING_SYNC) {
        return "ms, s, m, h, d";
    }
    if (setting->type == SETTING_SIZE) {
        return "KB, MB, GB, TB";
    }
    return setting->unit == NULL ? "" : setting->unit;
}

void setting_append_quantity(struct buf *out, const struct setting *setting, int64_t value)
{
    if (setting->type == SETTING_INTEGER) {
        buf_printf(out, "%lld", (long long) value);
        return;
    }
    buf_append_byte(out, '"');
    if (setting->type == SETTING_SIZE) {
        text_format_size(out, value);
    } else {
        text_format_duration(out, value);
    }
    buf_append_byte(out, '"');
}
