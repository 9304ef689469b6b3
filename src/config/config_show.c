/*
 * Shows a configuration (config_to_json) and compares two (config_restart_needed). Both walk
 * through the table of settings, so that no setting is forgotten.
 *
 * /status.json shows the values in force. After a reload these are the new ones for settings that
 * a reload can change, and the old ones (`running`) for those that wait for a restart.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "config/config.h"
#include "config/config_fields.h"
#include "config/config_secret.h"
#include "config/settings.h"

/* --- as JSON ---------------------------------------------------------------------------------- */

/* Groups hold groups, and `rules` holds a list of them, so this calls itself through others. */
static void append_members(struct buf *out, const char *group, const void *base,
                           const struct config *running);

/* Appends a text as JSON; NULL as null. */
static void append_text(struct buf *out, const char *text)
{
    if (text == NULL) {
        buf_append_text(out, "null");
    } else {
        text_append_json(out, slice_of(text));
    }
}

/* Appends a text as JSON with secrets masked: a password as a whole, conninfo and URLs in part. */
static void append_masked(struct buf *out, const struct setting *setting, const char *text)
{
    struct buf masked = {0};
    if (text == NULL) {
        append_text(out, NULL);
        return;
    }
    if (setting->secret) {
        buf_append_text(&masked, "***");
    } else if (strcmp(setting->path, "database.conninfo") == 0) {
        config_secret_mask_conninfo(&masked, text);
    } else if (strcmp(setting->path, "broker.url") == 0) {
        config_secret_mask_url(&masked, text);
    } else {
        buf_append_text(&masked, text);
    }
    text_append_json(out, buf_slice(&masked));
    buf_fini(&masked);
}

/* Appends the choice with this number, from 0, which is the value of its enumerator. */
static void append_choice(struct buf *out, const struct setting *setting, unsigned number)
{
    assert(setting->choices != NULL);
    const char *at = setting->choices;
    for (; number > 0; number--) {
        at += strcspn(at, "|") + 1;
    }
    text_append_json(out, slice_make(at, strcspn(at, "|")));
}

/* Appends the list of those choices, of the first two, that are on. */
static void append_choices(struct buf *out, const struct setting *setting, bool first, bool second)
{
    buf_append_byte(out, '[');
    if (first) {
        append_choice(out, setting, 0);
    }
    buf_append_text(out, first && second ? "," : "");
    if (second) {
        append_choice(out, setting, 1);
    }
    buf_append_byte(out, ']');
}

/* Appends a quantity as a person would write it: "30s", "8MB", or a number. */
static void append_number(struct buf *out, const struct setting *setting, int64_t value)
{
    if (setting->type == SETTING_SYNC && value == JOURNAL_SYNC_ALWAYS) {
        append_text(out, "always");
    } else if (setting->type == SETTING_SYNC && value == JOURNAL_SYNC_NEVER) {
        append_text(out, "never");
    } else {
        setting_append_quantity(out, setting, value);
    }
}

/* A list of texts. */
static void append_texts(struct buf *out, const struct setting *setting, const char *const *texts,
                         size_t count)
{
    assert(count == 0 || texts != NULL);
    buf_append_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i == 0 ? "" : ",");
        append_masked(out, setting, texts[i]);
    }
    buf_append_byte(out, ']');
}

/* A list of expressions, or of names. */
static void append_options(struct buf *out, const struct option_text *options, size_t count)
{
    assert(count == 0 || options != NULL);
    buf_append_byte(out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i == 0 ? "" : ",");
        append_text(out, options[i].text);
    }
    buf_append_byte(out, ']');
}

/* An object: name and expression. */
static void append_columns(struct buf *out, const struct option_column *columns, size_t count)
{
    assert(count == 0 || columns != NULL);
    buf_append_byte(out, '{');
    for (size_t i = 0; i < count; i++) {
        buf_append_text(out, i == 0 ? "" : ",");
        append_text(out, columns[i].name);
        buf_append_byte(out, ':');
        append_text(out, columns[i].expression);
    }
    buf_append_byte(out, '}');
}

/* Appends the value of the member that the setting fills. `base` is the struct with the member. */
static void append_value(struct buf *out, const struct setting *setting, const void *base)
{
    assert(field_of(setting) != NULL);
    const struct field *field = field_of(setting);
    const void *member = (const char *) base + field->offset;
    const void *second = (const char *) base + field->second;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_PATH:
        append_masked(out, setting, *(const char *const *) member);
        break;
    case FIELD_TEXTS:
        append_texts(out, setting, *(const char *const *const *) member, *(const size_t *) second);
        break;
    case FIELD_INT:
        append_number(out, setting, *(const int *) member);
        break;
    case FIELD_INT64:
        append_number(out, setting, *(const int64_t *) member);
        break;
    case FIELD_UINT8:
        append_number(out, setting, *(const uint8_t *) member);
        break;
    case FIELD_BOOL:
        buf_append_text(out, *(const bool *) member ? "true" : "false");
        break;
    case FIELD_CHOICE:
        append_choice(out, setting, *(const unsigned *) member);
        break;
    case FIELD_FIRST_CHOICE:
        append_choice(out, setting, !*(const bool *) member);
        break;
    case FIELD_CHOICES:
        append_choices(out, setting, *(const bool *) member, *(const bool *) second);
        break;
    case FIELD_OPTION:
        append_text(out, ((const struct option_text *) member)->text);
        break;
    case FIELD_OPTIONS:
        append_options(out, *(struct option_text *const *) member, *(const size_t *) second);
        break;
    case FIELD_COLUMNS:
        append_columns(out, *(struct option_column *const *) member, *(const size_t *) second);
        break;
    }
}

/* All rules, as objects. */
static void append_rules(struct buf *out, const struct config *config)
{
    assert(config->rule_count == 0 || config->rules != NULL);
    buf_append_byte(out, '[');
    for (size_t i = 0; i < config->rule_count; i++) {
        buf_append_text(out, i == 0 ? "" : ",");
        append_members(out, "rules", &config->rules[i], NULL);
    }
    buf_append_byte(out, ']');
}

/* Is it a group that the rule does not have? The other groups of a rule have defaults. */
static bool is_unwanted(const struct setting *setting, const void *rule)
{
    const struct rule_options *options = rule;
    return (strcmp(setting->path, "rules.ack") == 0 && !options->ack.wanted) ||
           (strcmp(setting->path, "rules.partition") == 0 && !options->partition.wanted);
}

/* Appends a group as an object. `base` is the struct config, or a rule. `running` has the values of
 * settings that wait for a restart; NULL: none do. */
static void append_members(struct buf *out, const char *group, const void *base,
                           const struct config *running)
{
    const char *comma = "{";
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        if (!setting_is_in(setting, group)) {
            continue;
        }
        buf_append_text(out, comma);
        comma = ",";
        append_text(out, setting_name(setting));
        buf_append_byte(out, ':');
        if (strcmp(setting->path, "rules") == 0) {
            append_rules(out, base);
        } else if (is_unwanted(setting, base)) {
            append_text(out, NULL);
        } else if (setting->type == SETTING_GROUP) {
            append_members(out, setting->path, base, running);
        } else {
            append_value(out, setting, running != NULL && !setting->reload ? running : base);
        }
    }
    buf_append_byte(out, '}');
}

void config_to_json(const struct config *config, const struct config *running, struct buf *out)
{
    append_members(out, "", config, running);
}

/* --- compared --------------------------------------------------------------------------------- */

/* Are the texts equal, or both NULL? */
static bool same_text(const char *left, const char *right)
{
    return left == NULL || right == NULL ? left == right : strcmp(left, right) == 0;
}

/* Are these the same texts in the same order? */
static bool same_texts(const char *const *left, const char *const *right, size_t left_count,
                       size_t right_count)
{
    bool same = left_count == right_count;
    for (size_t i = 0; same && i < left_count; i++) {
        same = same_text(left[i], right[i]);
    }
    return same;
}

/* Do both configurations have the same value? Only for settings outside of the rules: a reload
 * takes all rules, so they are never compared. */
static bool same_value(const struct setting *setting, const struct config *left,
                       const struct config *right)
{
    assert(field_of(setting) != NULL);
    const struct field *field = field_of(setting);
    const char *one = (const char *) left + field->offset;
    const char *other = (const char *) right + field->offset;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_PATH:
        return same_text(*(const char *const *) (const void *) one,
                         *(const char *const *) (const void *) other);
    case FIELD_TEXTS: /* broker.url is the only setting of this kind */
        return same_texts(left->broker.urls, right->broker.urls, left->broker.url_count,
                          right->broker.url_count);
    case FIELD_INT:
    case FIELD_CHOICE:
        return memcmp(one, other, sizeof(int)) == 0;
    case FIELD_INT64:
        return memcmp(one, other, sizeof(int64_t)) == 0;
    default: /* FIELD_BOOL and FIELD_FIRST_CHOICE; the other kinds are only in rules */
        return memcmp(one, other, sizeof(bool)) == 0;
    }
}

void config_restart_needed(const struct config *old, const struct config *new, struct buf *out)
{
    const char *comma = "";
    for (size_t i = 0; i < setting_count; i++) {
        const struct setting *setting = &settings[i];
        if (!setting->reload && setting->type != SETTING_GROUP && !same_value(setting, old, new)) {
            buf_printf(out, "%s%s", comma, setting->path);
            comma = ", ";
        }
    }
}
