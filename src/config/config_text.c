/*
 * A message about a value says what is expected, what was found, and, if possible, what to do: "a
 * duration like "30s" is wanted, not the text "30"; units are ms, s, m, h, d".
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_text.h"

#include <assert.h>
#include <stdlib.h>

#include "base/text.h"
#include "config/config_expand.h"

/* Appends the choices "a|b" for a message: one of "a", "b". */
static void append_choices(struct buf *out, const char *choices)
{
    assert(choices[0] != '\0');
    buf_append_text(out, "one of \"");
    for (; *choices != '\0'; choices++) {
        buf_append(out, *choices == '|' ? "\", \"" : choices, *choices == '|' ? 4 : 1);
    }
    buf_append_text(out, "\"");
}

/* Appends what a value of the setting's type looks like. For a quantity the default is the
 * example. */
static void append_wanted(struct buf *out, const struct setting *setting)
{
    static const char *const wanted[] = {
        [SETTING_TEXT] = "a text in quotes",
        [SETTING_TEXTS] = "a text in quotes or a list of texts",
        [SETTING_INTEGER] = "a whole number",
        [SETTING_BOOLEAN] = "true or false",
        [SETTING_DURATION] = "a duration like ",
        [SETTING_SYNC] = "\"always\", \"never\" or a duration like ",
        [SETTING_SIZE] = "a size like ",
        [SETTING_EXPRESSION] = "an expression in quotes, like \"$.temperature\",",
        [SETTING_EXPRESSIONS] = "an expression in quotes or a list of them",
        [SETTING_COLUMNS] =
            "a group { name = \"expression\"; … }, or a list of { name = …; value = …; },",
        [SETTING_GROUP] = "a group { … }",
    };
    if (setting->choices != NULL) {
        append_choices(out, setting->choices);
        return;
    }
    assert(setting->type < sizeof(wanted) / sizeof(wanted[0]) && wanted[setting->type] != NULL);
    buf_append_text(out, wanted[setting->type]);
    if (setting->type == SETTING_DURATION || setting->type == SETTING_SYNC ||
        setting->type == SETTING_SIZE) {
        buf_append_text(out, setting->default_value);
    }
}

/* What to do about a text that is no value of this type; "" when there is no advice. */
static const char *advice(const struct setting *setting, const char *text)
{
    char *end;
    switch (setting->type) {
    case SETTING_INTEGER:
        strtoll(text, &end, 10);
        return end != text && *end == '\0' ? ": leave out the quotes" : "";
    case SETTING_BOOLEAN:
        return strcmp(text, "true") == 0 || strcmp(text, "false") == 0 ? ": leave out the quotes"
                                                                       : "";
    case SETTING_DURATION:
    case SETTING_SYNC:
        return "; units are ms, s, m, h, d";
    case SETTING_SIZE:
        return "; units are KB, MB, GB, TB";
    default:
        return "";
    }
}

void config_text_wrong_type(struct config_reader *reader, const struct config_given *given)
{
    struct buf wanted = {0};
    struct buf found = {0};
    bool is_text = config_setting_type(given->value) == CONFIG_TYPE_STRING;
    append_wanted(&wanted, given->setting);
    config_tree_describe(&found, given->value, given->setting->secret);
    problem_error(reader->problems, given->place, given->what, "%s is wanted, not %s%s",
                  buf_string(&wanted), buf_string(&found),
                  is_text ? advice(given->setting, config_setting_get_string(given->value)) : "");
    buf_fini(&wanted);
    buf_fini(&found);
}

/* Warns when a shell's variable stands at the beginning of a text or behind "=", as in
 * "host=$PGHOST": only ${NAME} is replaced. Topics such as "$SYS/…" and expressions belong to
 * rules, which are left alone. */
static void warn_of_shell_variable(struct config_reader *reader, const struct config_given *given,
                                   const char *written)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *dollar = written;

    if (given->setting == NULL || strncmp(given->setting->path, "rules", 5) == 0 ||
        given->setting->type != SETTING_TEXT) {
        return;
    }
    while (dollar != NULL && (dollar[0] != '$' || strchr(upper, dollar[1]) == NULL)) {
        dollar = strstr(dollar, "=$");
        dollar += dollar != NULL;
    }
    if (dollar != NULL && dollar[1] != '\0') {
        size_t length = strspn(dollar + 1, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");

        problem_warning(reader->problems, given->place, given->what,
                        "$%.*s is not replaced: write ${%.*s}", (int) length, dollar + 1,
                        (int) length, dollar + 1);
    }
}

const char *config_text_read(struct config_reader *reader, const struct config_given *given)
{
    assert(given->value != NULL);
    struct buf text = {0};
    struct error error;
    const char *result = NULL;
    if (config_setting_type(given->value) != CONFIG_TYPE_STRING) {
        config_text_wrong_type(reader, given);
    } else if (!config_expand(&text, slice_of(config_setting_get_string(given->value)), &error)) {
        problem_error(reader->problems, given->place, given->what, "%s", error.text);
    } else if (!text_is_utf8(buf_slice(&text))) {
        problem_error(reader->problems, given->place, given->what, "the text is not valid UTF-8");
    } else {
        warn_of_shell_variable(reader, given, config_setting_get_string(given->value));
        result = arena_copy(reader->arena, buf_slice(&text)).data;
    }
    buf_fini(&text);
    return result;
}

void config_text_wrong(struct config_reader *reader, const struct config_given *given,
                       const char *text)
{
    assert(text != NULL);
    struct buf message = {0};
    const char *units = advice(given->setting, text);
    append_wanted(&message, given->setting);
    buf_append_text(&message, " is wanted, not the text \"");
    text_append_printable(&message, slice_of(text), 40);
    buf_printf(&message, "\"%s", units[0] == ';' ? units : "");
    problem_error(reader->problems, given->place, given->what, "%s", buf_string(&message));
    buf_fini(&message);
}
