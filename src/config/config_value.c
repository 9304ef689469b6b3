/*
 * Two tables guide the reading. The table of settings has the type, the range and the choices of a
 * value. The table of fields (config_fields.c) has the offset and the C type of the member. So
 * reading needs no code for a single setting.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_value.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "config/config_columns.h"
#include "config/config_expand.h"
#include "config/config_fields.h"
#include "config/config_text.h"
#include "core/rule_options.h"
#include "journal/journal.h"

/* Is it a text with a variable? A number or boolean from the environment has to be written as a
 * text in the file: keepalive = "${KEEPALIVE}". */
static bool is_from_environment(const config_setting_t *value)
{
    return config_setting_type(value) == CONFIG_TYPE_STRING &&
           config_expand_needed(slice_of(config_setting_get_string(value)));
}

/* Reports a value outside of the setting's range. `shown` is the value as it was written, or as the
 * environment has it. */
static bool check_range(struct config_reader *reader, const struct config_given *given,
                        struct slice shown, int64_t value)
{
    assert(given->setting->min <= given->setting->max);
    const struct setting *setting = given->setting;
    const char *quote = setting->type == SETTING_INTEGER ? "" : "\"";
    if (value >= setting->min && value <= setting->max) {
        return true;
    }
    struct buf message = {0};
    buf_append_text(&message, quote);
    text_append_printable(&message, shown, 40);
    buf_printf(&message, "%s is out of range: ", quote);
    setting_append_quantity(&message, setting, setting->min);
    buf_append_text(&message, " to ");
    setting_append_quantity(&message, setting, setting->max);
    problem_error(reader->problems, given->place, given->what, "%s", buf_string(&message));
    buf_fini(&message);
    return false;
}

/* Reads a whole number within its range. False: a problem is reported. */
static bool read_integer(struct config_reader *reader, const struct config_given *given,
                         int64_t *value)
{
    assert(given->setting->type == SETTING_INTEGER);
    int type = config_setting_type(given->value);
    if (type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64) {
        *value = config_tree_integer(given->value);
        return check_range(reader, given, config_tree_spelling(given->value), *value);
    }
    if (!is_from_environment(given->value)) {
        config_text_wrong_type(reader, given);
        return false;
    }
    const char *text = config_text_read(reader, given);
    char *end = NULL;
    if (text == NULL) {
        return false;
    }
    *value = strtoll(text, &end, 10);
    if (end == text || *end != '\0') {
        config_text_wrong(reader, given, text);
        return false;
    }
    return check_range(reader, given, slice_of(text), *value);
}

/* Reads true or false. False: a problem is reported, and *value means nothing. */
static bool read_boolean(struct config_reader *reader, const struct config_given *given,
                         bool *value)
{
    assert(given->setting->type == SETTING_BOOLEAN);
    if (config_setting_type(given->value) == CONFIG_TYPE_BOOL) {
        *value = config_setting_get_bool(given->value) == CONFIG_TRUE;
        return true;
    }
    if (!is_from_environment(given->value)) {
        config_text_wrong_type(reader, given);
        return false;
    }
    const char *text = config_text_read(reader, given);
    if (text == NULL) {
        return false;
    }
    *value = strcmp(text, "true") == 0;
    if (!*value && strcmp(text, "false") != 0) {
        config_text_wrong(reader, given, text);
        return false;
    }
    return true;
}

/* Reads a value with a unit: a duration in ms, a size in bytes; SYNC also has two words. False: a
 * problem is reported. */
static bool read_quantity(struct config_reader *reader, const struct config_given *given,
                          int64_t *value)
{
    const char *text = config_text_read(reader, given);
    enum setting_type type = given->setting->type;
    if (text == NULL) {
        return false;
    }
    if (type == SETTING_SYNC && strcmp(text, "always") == 0) {
        *value = JOURNAL_SYNC_ALWAYS;
        return true;
    }
    if (type == SETTING_SYNC && strcmp(text, "never") == 0) {
        *value = JOURNAL_SYNC_NEVER;
        return true;
    }
    bool parsed = type == SETTING_SIZE ? text_parse_size(slice_of(text), value)
                                       : text_parse_duration(slice_of(text), value);
    if (!parsed) {
        config_text_wrong(reader, given, text);
        return false;
    }
    return check_range(reader, given, slice_of(text), *value);
}

/* The number of the choice, from 0: "store" of "new|store|ignore" is 1. -1: a problem is
 * reported. */
static int read_choice(struct config_reader *reader, const struct config_given *given)
{
    assert(given->setting->choices != NULL);
    const char *text = config_text_read(reader, given);
    const char *at = given->setting->choices;
    if (text == NULL) {
        return -1;
    }
    for (int number = 0; *at != '\0'; number++) {
        size_t length = strcspn(at, "|");
        if (slice_equal(slice_make(at, length), slice_of(text))) {
            return number;
        }
        at += length + (at[length] == '|');
    }
    config_text_wrong(reader, given, text);
    return -1;
}

/* How many values a setting has: the length of a list, else 1. An empty list is reported. */
static size_t count_elements(struct config_reader *reader, const struct config_given *given)
{
    if (config_setting_type(given->value) != CONFIG_TYPE_LIST) {
        return 1;
    }
    size_t count = (size_t) config_setting_length(given->value);
    if (count == 0) {
        problem_error(reader->problems, given->place, given->what, "the list is empty");
    }
    return count;
}

/* The i-th value of a list; the value itself when it is no list. */
static struct config_given element(const struct config_given *given, size_t index)
{
    struct config_given one = *given;
    if (config_setting_type(given->value) == CONFIG_TYPE_LIST) {
        one.value = config_setting_get_elem(given->value, (unsigned) index);
        one.place = config_tree_place(one.value);
    }
    return one;
}

/* Reads a text or a list of texts. An element that is no text is reported and left out. */
static void read_texts(struct config_reader *reader, const struct config_given *given,
                       const char *const **list, size_t *count)
{
    size_t given_count = count_elements(reader, given);
    const char **texts = arena_alloc(reader->arena, (given_count + 1) * sizeof(texts[0]));
    *count = 0;
    for (size_t i = 0; i < given_count; i++) {
        struct config_given one = element(given, i);
        texts[*count] = config_text_read(reader, &one);
        *count += texts[*count] != NULL;
    }
    assert(*count <= given_count);
    *list = texts;
}

/* The same, and each text keeps its place for later messages. */
static void read_options(struct config_reader *reader, const struct config_given *given,
                         struct option_text **list, size_t *count)
{
    size_t given_count = count_elements(reader, given);
    *list = arena_alloc(reader->arena, (given_count + 1) * sizeof(struct option_text));
    *count = 0;
    for (size_t i = 0; i < given_count; i++) {
        struct config_given one = element(given, i);
        const char *text = config_text_read(reader, &one);
        if (text != NULL) {
            (*list)[(*count)++] = (struct option_text){text, one.place};
        }
    }
    assert(*count <= given_count);
}

/* Reads a list of choices, of which there are two: sets the bool of each that is in the list. */
static void read_choices(struct config_reader *reader, const struct config_given *given,
                         bool *first, bool *second)
{
    size_t count = count_elements(reader, given);
    for (size_t i = 0; i < count; i++) {
        struct config_given one = element(given, i);
        int number = read_choice(reader, &one);
        *first |= number == 0;
        *second |= number == 1;
    }
}

/* Reads a number into a member of the field's width. The range in the table fits the member. */
static void read_number(struct config_reader *reader, const struct config_given *given,
                        enum field_kind kind, void *member)
{
    assert(kind == FIELD_INT || kind == FIELD_INT64 || kind == FIELD_UINT8);
    int64_t value;
    bool good = given->setting->type == SETTING_INTEGER ? read_integer(reader, given, &value)
                                                        : read_quantity(reader, given, &value);
    if (!good) {
        return;
    }
    if (kind == FIELD_INT) {
        *(int *) member = (int) value;
    } else if (kind == FIELD_UINT8) {
        *(uint8_t *) member = (uint8_t) value;
    } else {
        *(int64_t *) member = value;
    }
}

/* Reads a text. An option also keeps its place; a path is made relative to the folder of the
 * file. */
static void read_one_text(struct config_reader *reader, const struct config_given *given,
                          enum field_kind kind, void *member)
{
    assert(kind == FIELD_TEXT || kind == FIELD_PATH || kind == FIELD_OPTION);
    const char *text = config_text_read(reader, given);
    if (text == NULL) {
        return;
    }
    /* An optional text that is empty, such as "${NAME:-}" without the variable, counts as not
     * given: the member stays NULL. */
    bool left_out = text[0] == '\0' && given->setting->default_value == NULL;
    if (kind == FIELD_OPTION) {
        *(struct option_text *) member = (struct option_text){text, given->place};
    } else if (left_out) {
        return;
    } else if (kind == FIELD_PATH && text[0] != '\0') {
        *(const char **) member = config_source_path(reader->arena, given->place.file, text);
    } else {
        *(const char **) member = text;
    }
}

/* Reads a choice into an enum, or into a bool that is true for the first choice. */
static void read_one_choice(struct config_reader *reader, const struct config_given *given,
                            enum field_kind kind, void *member)
{
    assert(kind == FIELD_CHOICE || kind == FIELD_FIRST_CHOICE);
    int number = read_choice(reader, given);
    if (number >= 0 && kind == FIELD_FIRST_CHOICE) {
        *(bool *) member = number == 0;
    } else if (number >= 0) {
        *(unsigned *) member = (unsigned) number;
    }
}

void config_value_read(struct config_reader *reader, const struct config_given *given, void *base)
{
    const struct field *field = field_of(given->setting);
    assert(field != NULL);
    void *member = (char *) base + field->offset;
    void *second = (char *) base + field->second;
    switch (field->kind) {
    case FIELD_TEXT:
    case FIELD_PATH:
    case FIELD_OPTION:
        read_one_text(reader, given, field->kind, member);
        break;
    case FIELD_TEXTS:
        read_texts(reader, given, member, second);
        break;
    case FIELD_INT:
    case FIELD_INT64:
    case FIELD_UINT8:
        read_number(reader, given, field->kind, member);
        break;
    case FIELD_BOOL:
        read_boolean(reader, given, member);
        break;
    case FIELD_CHOICE:
    case FIELD_FIRST_CHOICE:
        read_one_choice(reader, given, field->kind, member);
        break;
    case FIELD_CHOICES:
        read_choices(reader, given, member, second);
        break;
    case FIELD_OPTIONS:
        read_options(reader, given, member, second);
        break;
    case FIELD_COLUMNS:
        config_columns_read(reader, given, member, second);
        break;
    }
}
