/*
 * A list of names with expressions can be written in two forms:
 *
 *   columns = { temperature = "$.t"; };                      a group: a name that libconfig takes
 *   columns = ( { name = "Odd Name"; value = "$.t"; } );     a list: any name
 *
 * An expression that cannot be read is reported here and replaced by `unread`. Later checks then
 * find a valid expression, so that one mistake causes one message.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_columns.h"

#include <assert.h>

#include "config/config_text.h"

enum { IDENTIFIER_BYTES_MAX = 63 }; /* PostgreSQL's NAMEDATALEN - 1 */

/* Stand for a setting in messages about one element: "an expression in quotes is wanted", although
 * the setting itself is a list. */
static const struct setting expression_setting = {.path = "", .type = SETTING_EXPRESSION};
static const struct setting name_setting = {.path = "", .type = SETTING_TEXT};

/* Replaces an expression that could not be read. "@topic" is valid for each format. */
static const char unread[] = "@topic";

/* Reads the text of the member `name` or `value` of a list's element. NULL: a problem is
 * reported. */
static const char *member_text(struct config_reader *reader, const struct config_given *given,
                               const config_setting_t *value, const struct setting *setting)
{
    assert(value != NULL);
    struct config_given one = {
        .setting = setting,
        .value = value,
        .place = config_tree_place(value),
        .what = given->what,
    };
    return config_text_read(reader, &one);
}

/* Checks the name of list[count], the last element: it must be a valid name for a column, and no
 * element before it may have the same one. */
static void check_name(struct config_reader *reader, const struct config_given *given,
                       const struct option_column *list, size_t count)
{
    assert(list[count].name != NULL);
    const struct option_column *column = &list[count];
    size_t length = strlen(column->name);
    bool is_column = strcmp(given->setting->path, "rules.columns") == 0 ||
                     strcmp(given->setting->path, "rules.compute") == 0;
    if (length == 0) {
        problem_error(reader->problems, column->place, given->what, "a name is empty");
    } else if (is_column && length > IDENTIFIER_BYTES_MAX) {
        problem_error(reader->problems, column->place, given->what,
                      "the name \"%.20s…\" has %zu bytes: PostgreSQL's names have at most %d",
                      column->name, length, IDENTIFIER_BYTES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, column->name) == 0) {
            problem_error(reader->problems, column->place, given->what,
                          "\"%s\" is given twice, first in line %d", column->name,
                          list[i].place.line);
            return;
        }
    }
}

/* Reads the name of a list's element. NULL: it is missing or no text, and that is reported. */
static const char *name_of(struct config_reader *reader, const struct config_given *given,
                           const config_setting_t *name)
{
    if (name == NULL) {
        problem_error(reader->problems, given->place, given->what,
                      "name is missing: { name = \"Odd Name\"; value = \"$.x\"; }");
        return NULL;
    }
    return member_text(reader, given, name, &name_setting);
}

/* Reads one element { name = …; value = …; }. False when it has no usable name and must be left
 * out; the problem is reported. */
static bool read_element(struct config_reader *reader, const struct config_given *given,
                         struct option_column *column)
{
    const config_setting_t *group = given->value;
    if (config_setting_type(group) != CONFIG_TYPE_GROUP) {
        config_text_wrong_type(reader, given);
        return false;
    }
    for (int i = 0; i < config_setting_length(group); i++) {
        const config_setting_t *child = config_setting_get_elem(group, (unsigned) i);
        const char *key = config_setting_name(child);
        if (strcmp(key, "name") != 0 && strcmp(key, "value") != 0) {
            problem_error(reader->problems, config_tree_place(child), given->what,
                          "unknown setting \"%s\": here stand name and value", key);
        }
    }
    const config_setting_t *value = config_setting_get_member(group, "value");
    const char *name = name_of(reader, given, config_setting_get_member(group, "name"));
    const char *expression = NULL;
    if (value == NULL) {
        problem_error(reader->problems, given->place, given->what,
                      "value is missing: { name = \"Odd Name\"; value = \"$.x\"; }");
    } else {
        expression = member_text(reader, given, value, &expression_setting);
    }
    *column = (struct option_column){name, expression == NULL ? unread : expression, given->place};
    return name != NULL;
}

/* Reads one member NAME = "expression" of the group form. The column gets the member's name. */
static void read_member(struct config_reader *reader, const struct config_given *given,
                        struct option_column *column)
{
    assert(config_setting_name(given->value) != NULL);
    const char *name = config_setting_name(given->value);
    struct config_given one = {
        .setting = &expression_setting,
        .value = given->value,
        .place = given->place,
        .what = arena_printf(reader->arena, "%s.%s", given->what, name).data,
    };
    const char *expression = config_text_read(reader, &one);
    *column = (struct option_column){
        .name = arena_copy(reader->arena, slice_of(name)).data,
        .expression = expression == NULL ? unread : expression,
        .place = given->place,
    };
}

void config_columns_read(struct config_reader *reader, const struct config_given *given,
                         struct option_column **list, size_t *count)
{
    assert(given->setting->type == SETTING_COLUMNS);
    assert(*count == 0);
    if (!config_setting_is_aggregate(given->value)) {
        config_text_wrong_type(reader, given);
        return;
    }
    bool is_list = config_setting_type(given->value) == CONFIG_TYPE_LIST;
    size_t length = (size_t) config_setting_length(given->value);
    *list = arena_alloc(reader->arena, (length + 1) * sizeof(struct option_column));
    if (length == 0) {
        problem_error(reader->problems, given->place, given->what, "nothing stands in it");
    }
    for (size_t i = 0; i < length; i++) {
        struct config_given one = *given;
        one.value = config_setting_get_elem(given->value, (unsigned) i);
        one.place = config_tree_place(one.value);
        struct option_column *column = &(*list)[*count];
        /* A member always has a name and stays in the list. An element without one is left out. */
        if (!is_list) {
            read_member(reader, &one, column);
        } else if (!read_element(reader, &one, column)) {
            continue;
        }
        check_name(reader, given, *list, *count);
        ++*count;
    }
}
