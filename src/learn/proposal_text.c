/*
 * The rules of a proposal as text for a configuration file: aligned, with what was seen as
 * comments, and with suggestions behind "#". The result must be a configuration that `mqtt2pg
 * check` takes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "learn/column_name.h"
#include "learn/proposal.h"

/* Longer names and expressions stick out: the other columns are not moved to the right by them. */
enum { NAME_WIDTH_MAX = 24, EXPRESSION_WIDTH_MAX = 52 };

void proposal_append_quoted(struct buf *out, const char *text)
{
    buf_append_byte(out, '"');
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char c = (unsigned char) *at;
        if (c == '"' || c == '\\') {
            buf_printf(out, "\\%c", c);
        } else if (c < 0x20 || c == 0x7F) {
            buf_printf(out, "\\x%02x", c);
        } else if (c == '$' && at[1] == '{') {
            buf_append_text(out, "$$");
        } else {
            buf_append_byte(out, c);
        }
    }
    buf_append_byte(out, '"');
}

/* One setting of a rule on a line of its own: `    topic   = "…";`. */
static void append_setting(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "    %-7s = ", name);
    proposal_append_quoted(out, value);
    buf_append_text(out, ";\n");
}

/* Appends spaces until the text from offset `from` on is `width` bytes wide. */
static void pad(struct buf *out, size_t from, size_t width)
{
    while (out->length < from + width) {
        buf_append_byte(out, ' ');
    }
}

/* One column: `time = "…";`, or with `listed` `{ name = "time"; value = "…"; }`. The name is padded
 * to `width`. */
static void append_column(struct buf *out, const struct proposed_column *column, bool listed,
                          size_t width)
{
    size_t start = out->length;
    if (listed) {
        buf_append_text(out, "{ name = ");
        proposal_append_quoted(out, column->name);
        buf_append_text(out, "; ");
        pad(out, start + 11, width);
        buf_append_text(out, "value = ");
    } else {
        buf_append_text(out, column->name);
        pad(out, start, width);
        buf_append_text(out, " = ");
    }
    proposal_append_quoted(out, column->expression);
    buf_append_text(out, listed ? "; }" : ";");
}

/* The width that names are padded to, in bytes. A name with characters of several bytes is aligned
 * wrongly, which does no harm. */
static size_t width_of(const struct proposed_rule *rule)
{
    size_t width = 0;
    for (size_t i = 0; i < rule->column_count; i++) {
        size_t length = strlen(rule->columns[i].name);
        width = length > width && length <= NAME_WIDTH_MAX ? length : width;
    }
    return width;
}

/* The index of the last column that is not switched off: no comma follows it in a list. */
static size_t last_in_use(const struct proposed_rule *rule)
{
    size_t last = 0;
    for (size_t i = 0; i < rule->column_count; i++) {
        last = rule->columns[i].off ? last : i;
    }
    return last;
}

/* Does libconfig take the name as that of a setting? It wants a letter in front, so "_2nd" must
 * stand in a list. */
static bool is_setting_name(const char *name)
{
    return name_is_plain(name) && name[0] != '_';
}

/* The setting `columns`: a group, or a list when libconfig cannot take each name as a setting's. */
static void append_columns(struct buf *out, const struct proposed_rule *rule)
{
    bool listed = false;
    size_t width = width_of(rule);
    for (size_t i = 0; i < rule->column_count; i++) {
        listed |= !rule->columns[i].off && !is_setting_name(rule->columns[i].name);
    }
    buf_printf(out, "    columns =\n    %c\n", listed ? '(' : '{');
    for (size_t i = 0; i < rule->column_count; i++) {
        const struct proposed_column *column = &rule->columns[i];
        size_t start = out->length;
        buf_append_text(out, column->off ? "    # " : "      ");
        append_column(out, column, listed, width);
        buf_append_text(out, listed && !column->off && i < last_in_use(rule) ? "," : "");
        if (column->note != NULL) {
            pad(out, start, EXPRESSION_WIDTH_MAX);
            buf_printf(out, "  # %s", column->note);
        }
        buf_append_byte(out, '\n');
    }
    buf_printf(out, "    %c;\n", listed ? ')' : '}');
}

/* One rule in braces, without the comma behind it. */
static void append_rule(struct buf *out, const struct proposed_rule *rule)
{
    buf_append_text(out, "  {\n");
    for (size_t i = 0; i < rule->about_count; i++) {
        buf_printf(out, "    # %s\n", rule->about[i]);
    }
    append_setting(out, "name", rule->name);
    append_setting(out, "topic", rule->topic);
    append_setting(out, "format", rule->format);
    if (rule->details != NULL) {
        buf_printf(out, "    %s\n", rule->details);
    }
    if (rule->compression != NULL) {
        append_setting(out, "compression", rule->compression);
    }
    if (rule->rows != NULL) {
        append_setting(out, "rows", rule->rows);
    }
    if (rule->where != NULL) {
        append_setting(out, "where", rule->where);
    }
    append_setting(out, "table", rule->name);
    buf_append_text(out, "    create  = true;\n");
    append_columns(out, rule);
    if (rule->key != NULL) {
        buf_printf(out,
                   "    # key = (%s); on_conflict = \"nothing\";   # what is sent twice is one "
                   "row\n",
                   rule->key);
    }
    buf_append_text(out, "  }");
}

void proposal_append(struct buf *out, const struct proposal *proposal)
{
    buf_append_text(out, "rules = (\n");
    for (size_t i = 0; i < proposal->rule_count; i++) {
        append_rule(out, &proposal->rules[i]);
        buf_append_text(out, i + 1 < proposal->rule_count ? ",\n" : "\n");
    }
    buf_append_text(out, ");\n");
    if (proposal->left_out > 0) {
        buf_printf(out, "# %llu more patterns of topics were seen: listen to a narrower filter\n",
                   (unsigned long long) proposal->left_out);
    }
    if (proposal->only_empty > 0) {
        buf_printf(out, "# %llu topics had nothing but empty payloads\n",
                   (unsigned long long) proposal->only_empty);
    }
}
