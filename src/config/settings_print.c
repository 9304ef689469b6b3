/*
 * Prints the table of settings in four ways: for `mqtt2pg settings`, as the sample configuration
 * config/mqtt2pg.cfg, as the reference page in Markdown, and as a part of the manual page.
 *
 * A unit test compares the files with what is printed here. To change a text, edit its row of the
 * table and run that test with UPDATE_SAMPLE=1.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "config/settings.h"

/* Does the setting have a smallest and a largest value? Both 0 means that it has none. */
static bool has_range(const struct setting *setting)
{
    assert(setting->min <= setting->max);
    return setting->min != 0 || setting->max != 0;
}

/* The default as the table for people shows it; "" when there is none. */
static const char *shown_default(const struct setting *setting)
{
    if (setting->default_value == NULL) {
        return "";
    }
    return setting_is_required(setting) ? "(must be given)" : setting->default_value;
}

/* Appends a cell of the table, padded to `width` characters, and a gap of two spaces. */
static void append_padded(struct buf *out, const char *text, size_t width)
{
    size_t length = text_characters(slice_of(text));
    buf_append_text(out, text);
    for (; length < width; length++) {
        buf_append_byte(out, ' ');
    }
    buf_append_text(out, "  ");
}

/* Appends the range: "1s" to "1h". Nothing when there is none. */
static void append_range(struct buf *out, const struct setting *setting)
{
    if (!has_range(setting)) {
        return;
    }
    setting_append_quantity(out, setting, setting->min);
    buf_append_text(out, " to ");
    setting_append_quantity(out, setting, setting->max);
}

/* One line of `mqtt2pg settings`. */
static void append_row(struct buf *out, const struct setting *setting)
{
    assert(setting->type != SETTING_GROUP);
    assert(setting->help != NULL);
    struct buf type = {0};
    struct buf range = {0};
    setting_append_type(&type, setting);
    append_range(&range, setting);
    append_padded(out, setting->path, 26);
    append_padded(out, buf_string(&type), 31);
    append_padded(out, shown_default(setting), 28);
    append_padded(out, setting_unit(setting), 14);
    append_padded(out, buf_string(&range), 18);
    append_padded(out, setting->reload ? "reload" : "restart", 7);
    buf_printf(out, "%s\n", setting->help);
    buf_fini(&type);
    buf_fini(&range);
}

/* The widths are in characters. A longer cell moves the rest of its line to the right. */
void settings_append_table(struct buf *out)
{
    append_padded(out, "SETTING", 26);
    append_padded(out, "TYPE", 31);
    append_padded(out, "DEFAULT", 28);
    append_padded(out, "UNIT", 14);
    append_padded(out, "RANGE", 18);
    append_padded(out, "TAKES", 7);
    buf_append_text(out, "WHAT IT IS FOR\n");
    for (size_t i = 0; i < setting_count; i++) {
        if (settings[i].type != SETTING_GROUP) {
            append_row(out, &settings[i]);
        }
    }
    buf_append_text(
        out,
        "\nA duration has a unit: \"250ms\", \"30s\", \"15m\", \"2h\", \"7d\"; so has a size: "
        "\"64KB\", "
        "\"8MB\", \"10GB\".\n\"reload\": SIGHUP takes a change; \"restart\": only a restart does. "
        "Each password has a twin password_file, conninfo has conninfo_file.\n");
}

/* --- the sample ------------------------------------------------------------------------------- */

/* clang-format off */
static const char sample_head[] =
    "# mqtt2pg: takes MQTT messages, writes rows to PostgreSQL.\n"
    "#\n"
    "# A setting behind \"#\" shows its default, or an example where there is none. `mqtt2pg\n"
    "# check` tells every mistake, `mqtt2pg explain TOPIC PAYLOAD` what becomes of a message,\n"
    "# `mqtt2pg settings` all settings with their ranges. (Made of src/config/settings_table.c.)\n"
    "#\n"
    "# Durations have a unit: \"250ms\", \"30s\", \"15m\", \"7d\"; sizes too: \"64KB\", \"8MB\",\n"
    "# \"10GB\".\n"
    "# ${NAME} in a text is taken from the environment, ${NAME:-default} too; \"$${\" is a plain\n"
    "# \"${\". A password may stand in a file of its own, of mode 0600:\n"
    "# password_file = \"/etc/mqtt2pg/password\". @include \"rules.cfg\" on a line of its own\n"
    "# puts another file in its place. Paths that do not begin with \"/\" are meant from the\n"
    "# folder of this file.\n"
    "#\n"
    "# The rule at the end writes to a table like this one:\n"
    "#\n"
    "#   create table public.telemetry (\n"
    "#       time        timestamptz,\n"
    "#       device      text,\n"
    "#       temperature double precision,\n"
    "#       status      text,\n"
    "#       received    timestamptz\n"
    "#   );\n";
/* clang-format on */

/* Appends each line of `text` with `prefix` in front. */
static void append_lines(struct buf *out, const char *prefix, const char *text)
{
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        buf_printf(out, "%s%.*s\n", prefix, (int) length, text);
        text += length + (text[length] == '\n');
    }
}

/* The same, behind the prefix and a sign: "# " for words, "#" for settings that are switched
 * off. */
static void append_comment(struct buf *out, const char *prefix, const char *sign, const char *text)
{
    struct buf commented = {0};
    buf_printf(&commented, "%s%s", prefix, sign);
    append_lines(out, buf_string(&commented), text);
    buf_fini(&commented);
}

/* Appends the help of a setting as a comment, and the setting. It is commented out unless each
 * configuration needs it. */
static void append_sample_setting(struct buf *out, const struct setting *setting,
                                  const char *prefix)
{
    assert(setting->example != NULL || setting->default_value != NULL);
    struct buf help = {0};
    struct buf line = {0};
    bool must = setting_is_required(setting);
    buf_append_text(&help, setting->help);
    if (setting->example != NULL && setting->default_value != NULL && !must) {
        buf_printf(&help, " Default: %s.", setting->default_value);
    }
    buf_printf(&line, "%s = %s;", setting_name(setting),
               setting->example != NULL ? setting->example : setting->default_value);
    append_comment(out, prefix, "# ", buf_string(&help));
    if (setting->in_sample) {
        append_lines(out, prefix, buf_string(&line));
    } else {
        append_comment(out, prefix, "#", buf_string(&line));
    }
    buf_fini(&help);
    buf_fini(&line);
}

static void append_sample_members(struct buf *out, const char *group, const char *prefix);

/* Appends the help of a group, and its members in braces. `rules` is a list with one rule. */
static void append_sample_group(struct buf *out, const struct setting *group, const char *prefix)
{
    assert(group->type == SETTING_GROUP);
    struct buf outer = {0};
    struct buf inner = {0};
    bool is_rules = strcmp(group->path, "rules") == 0;
    /* A group without a default is one that is not always wanted: commented out as a whole. */
    buf_printf(&outer, "%s%s", prefix, group->default_value == NULL ? "#" : "");
    buf_printf(&inner, "%s%s", buf_string(&outer), is_rules ? "        " : "    ");

    append_comment(out, prefix, "# ", group->help);
    if (is_rules) {
        buf_printf(out, "%s = (\n    {\n", group->path);
    } else {
        buf_printf(out, "%s%s:\n%s{\n", buf_string(&outer), setting_name(group),
                   buf_string(&outer));
    }
    append_sample_members(out, group->path, buf_string(&inner));
    buf_printf(out, "%s%s", buf_string(&outer), is_rules ? "    }\n);\n" : "};\n");
    buf_fini(&outer);
    buf_fini(&inner);
}

/* Appends all settings of the group, and all groups in it with their members. */
static void append_sample_members(struct buf *out, const char *group, const char *prefix)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (!setting_is_in(&settings[i], group)) {
            continue;
        }
        bool is_group = settings[i].type == SETTING_GROUP;
        buf_append_text(out, group[0] == '\0' || is_group ? "\n" : "");
        if (is_group) {
            append_sample_group(out, &settings[i], prefix);
        } else {
            append_sample_setting(out, &settings[i], prefix);
        }
    }
}

void settings_append_sample(struct buf *out)
{
    buf_append_text(out, sample_head);
    append_sample_members(out, "", "");
}

/* --- the reference page ----------------------------------------------------------------------- */

/* Appends a cell of a Markdown table, with `code` in back quotes. "|" would end the cell, so it is
 * escaped. */
static void append_cell(struct buf *out, const char *text, bool code)
{
    buf_append_text(out, code && text[0] != '\0' ? " `" : " ");
    for (; *text != '\0'; text++) {
        buf_append_text(out, *text == '|' ? "\\" : "");
        buf_append_byte(out, (uint8_t) *text);
    }
    buf_append_text(out, code && out->data[out->length - 1] != ' ' ? "` |" : " |");
}

/* One line of the reference page. */
static void append_markdown_row(struct buf *out, const struct setting *setting)
{
    assert(setting->type != SETTING_GROUP);
    struct buf type = {0};
    setting_append_type(&type, setting);
    if (has_range(setting)) {
        buf_append_text(&type, ", ");
        append_range(&type, setting);
    }
    bool must = setting_is_required(setting);
    buf_append_byte(out, '|');
    append_cell(out, setting_name(setting), true);
    append_cell(out, buf_string(&type), false);
    append_cell(out, must ? "must be given" : shown_default(setting), !must);
    append_cell(out, setting_unit(setting), false);
    append_cell(out, setting->reload ? "reload" : "restart", false);
    append_cell(out, setting->help, false);
    buf_append_byte(out, '\n');
    buf_fini(&type);
}

/* The table of one group; "" is the file itself. */
static void append_markdown_members(struct buf *out, const char *group)
{
    buf_append_text(out, "\n| setting | type | default | unit | change takes | what it is for |\n"
                         "| --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < setting_count; i++) {
        if (settings[i].type != SETTING_GROUP && setting_is_in(&settings[i], group)) {
            append_markdown_row(out, &settings[i]);
        }
    }
}

void settings_append_markdown(struct buf *out)
{
    buf_append_text(out, "# Settings\n\nMade of the table in `src/config/settings_table.c`.\n");
    append_markdown_members(out, "");
    for (size_t i = 0; i < setting_count; i++) {
        if (settings[i].type == SETTING_GROUP) {
            buf_printf(out, "\n## %s\n\n%s\n", settings[i].path, settings[i].help);
            append_markdown_members(out, settings[i].path);
        }
    }
}

/* --- the manual page -------------------------------------------------------------------------- */

/* Appends a text for man(7). "." and "'" at the beginning of a line, and each backslash, would be
 * commands, so they are escaped. "-" is written "\-", which can be copied as a minus sign. */
static void append_roff(struct buf *out, const char *text)
{
    bool line_begins = out->length > 0 && out->data[out->length - 1] == '\n';
    for (; *text != '\0'; text++) {
        if (line_begins && (*text == '.' || *text == '\'')) {
            buf_append_text(out, "\\&");
        }
        line_begins = *text == '\n';
        if (*text == '\\') {
            buf_append_text(out, "\\e");
        } else if (*text == '-') {
            buf_append_text(out, "\\-");
        } else {
            buf_append_byte(out, (uint8_t) *text);
        }
    }
}

/* Appends one setting: its name as the tag, then its help and its facts. */
static void append_man_setting(struct buf *out, const struct setting *setting)
{
    assert(setting->type != SETTING_GROUP);
    struct buf facts = {0};
    bool must = setting_is_required(setting);
    setting_append_type(&facts, setting);
    if (has_range(setting)) {
        buf_append_text(&facts, ", ");
        append_range(&facts, setting);
    }
    if (must) {
        buf_append_text(&facts, "; must be given");
    } else if (setting->default_value != NULL) {
        buf_printf(&facts, "; default %s", setting->default_value);
    }
    buf_append_text(&facts, setting->reload ? "; SIGHUP takes a change" : "");
    buf_append_text(out, ".TP\n.B ");
    append_roff(out, setting_name(setting));
    buf_append_byte(out, '\n');
    append_roff(out, setting->help);
    buf_append_text(out, "\n.br\n(");
    append_roff(out, buf_string(&facts));
    buf_append_text(out, setting_has_file(setting) ? ". In a file: " : "");
    append_roff(out, setting_has_file(setting) ? setting_name(setting) : "");
    buf_append_text(out, setting_has_file(setting) ? "_file)\n" : ")\n");
    buf_fini(&facts);
}

/* All settings of one group, without the groups in it. */
static void append_man_members(struct buf *out, const char *group)
{
    for (size_t i = 0; i < setting_count; i++) {
        if (settings[i].type != SETTING_GROUP && setting_is_in(&settings[i], group)) {
            append_man_setting(out, &settings[i]);
        }
    }
}

void settings_append_man(struct buf *out)
{
    append_man_members(out, "");
    for (size_t i = 0; i < setting_count; i++) {
        if (settings[i].type == SETTING_GROUP) {
            buf_printf(out, ".SS %s\n", settings[i].path);
            append_roff(out, settings[i].help);
            buf_append_byte(out, '\n');
            append_man_members(out, settings[i].path);
        }
    }
}
