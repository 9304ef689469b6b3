/* SPDX-License-Identifier: MIT */
#include "load/explain_advice.h"

#include <ctype.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/calendar.h"

/* --- the nearest rule ------------------------------------------------------------------------- */

static struct slice take_level(struct slice *topic)
{
    const char *slash = memchr(topic->data, '/', topic->length);
    size_t length = slash == NULL ? topic->length : (size_t) (slash - topic->data);
    struct slice level = slice_make(topic->data, length);
    size_t taken = length + (slash == NULL ? 0 : 1);

    *topic = slice_make(topic->data + taken, topic->length - taken);
    return level;
}

static bool takes(struct slice level, struct slice word)
{
    return slice_is(level, "+") || (level.length > 0 && level.data[0] == '{') ||
           slice_equal(level, word);
}

struct difference {
    size_t same;  /* levels that fit, from the left and from the right */
    size_t level; /* the first that differs, from 1 */
    struct slice wanted;
    struct slice got;
};

static struct difference compare(struct slice filter, struct slice topic)
{
    struct difference difference = {0};
    size_t level = 0;

    while (filter.length > 0 && topic.length > 0) {
        struct slice wanted = take_level(&filter);
        struct slice got = take_level(&topic);

        level++;
        if (takes(wanted, got)) {
            difference.same++;
        } else if (difference.level == 0) {
            difference.level = level;
            difference.wanted = wanted;
            difference.got = got;
        }
    }
    if (difference.level == 0) {
        difference.level = level + 1;
        difference.wanted = take_level(&filter);
        difference.got = take_level(&topic);
    }
    return difference;
}

void explain_append_nearest(struct buf *out, const struct ruleset *ruleset, struct slice topic)
{
    const struct rule *nearest = NULL;
    const char *nearest_topic = NULL;
    struct difference best = {0};

    for (size_t i = 0; i < ruleset->filter_count; i++) {
        const struct rule *rule = ruleset->rules[ruleset->owners[i]];
        const char *text = topic_filter_text(ruleset->filters[i]);
        struct difference difference = compare(slice_of(text), topic);

        if (nearest == NULL || difference.same > best.same) {
            nearest = rule;
            nearest_topic = text;
            best = difference;
        }
    }
    if (nearest == NULL || best.same == 0) {
        return;
    }
    buf_printf(out, "nearest is rule \"%s\" with %s: level %zu is ", nearest->name, nearest_topic,
               best.level);
    buf_append_text(out, best.got.length == 0 ? "missing" : "\"");
    text_append_printable(out, best.got, 60);
    buf_printf(out, "%s, the rule has ", best.got.length == 0 ? "" : "\"");
    if (best.wanted.length == 0) {
        buf_append_text(out, "no such level");
    } else {
        buf_printf(out, "\"%.*s\"", SLICE_ARGS(best.wanted));
    }
}

/* --- members that nobody takes ---------------------------------------------------------------- */

/* Is the word in the text, and no part of a longer one? */
static bool names(const char *text, struct slice word)
{
    for (const char *at = text; at != NULL && (at = memmem(at, strlen(at), word.data, word.length));
         at++) {
        unsigned char before = at == text ? 0 : (unsigned char) at[-1];
        unsigned char after = (unsigned char) at[word.length];

        if (!isalnum(before) && before != '_' && !isalnum(after) && after != '_') {
            return true;
        }
    }
    return false;
}

/* "$", "$ | json", "$ :: jsonb", "@payload": everything is taken. */
static bool is_whole(const char *expression)
{
    size_t dollars = strspn(expression, "$");
    const char *rest = expression + dollars;

    return strncmp(expression, "@payload", 8) == 0 ||
           (dollars > 0 && (*rest == '\0' || *rest == ' ' || *rest == ':' || *rest == '|'));
}

static bool rule_names(const struct rule_options *options, struct slice word, bool *whole)
{
    bool named = options->rows.text != NULL && names(options->rows.text, word);

    for (size_t i = 0; i < options->column_count; i++) {
        *whole |= is_whole(options->columns[i].expression);
        named |= names(options->columns[i].expression, word);
    }
    for (size_t i = 0; i < options->where_count; i++) {
        named |= names(options->where[i].text, word);
    }
    for (size_t i = 0; i < options->ack.field_count; i++) {
        named |= names(options->ack.fields[i].expression, word);
    }
    return named;
}

void explain_append_not_taken(struct buf *out, const struct mapped *mapped)
{
    const struct node *root = mapped->subject.payload;
    const struct rule_options *options = mapped->rule->options;
    bool whole = false;
    size_t start = out->length;

    if (root == NULL || root->kind != VALUE_OBJECT) {
        return;
    }
    const struct node *child = root + 1;
    for (uint32_t i = 0; i < root->count; i++, child += child->span) {
        if (child->key.length > 0 && !rule_names(options, child->key, &whole)) {
            buf_append_text(out, out->length > start ? ", " : "");
            text_append_printable(out, child->key, 60);
        }
    }
    if (whole) {
        out->length = start;
    }
}

/* --- times that can't be right ------------------------------------------------------------------- */

/* A time before 1990 or a day ahead: seconds taken for milliseconds, or a clock that is not set. */
static bool is_odd_time(const struct datum *datum, int64_t *time_us)
{
    const int64_t year_1990_us = INT64_C(631152000) * 1000000;
    const int64_t latest_us = clock_wall_us() + INT64_C(86400) * 1000000;

    if (datum->null || datum->array ||
        (datum->family != TYPE_TIMESTAMPTZ && datum->family != TYPE_TIMESTAMP) ||
        datum->integer == INT64_MIN || datum->integer == INT64_MAX) {
        return false;
    }
    if (__builtin_add_overflow(datum->integer, EPOCH_2000_US, time_us)) {
        *time_us = INT64_MAX;
    }
    return *time_us < year_1990_us || *time_us > latest_us;
}

void explain_append_odd_times(struct buf *out, const struct mapped *mapped)
{
    const struct rule *rule = mapped->rule;

    for (size_t i = 0; i < rule->column_count; i++) {
        size_t odd = 0;
        int64_t time_us = 0;

        while (odd < mapped->rows &&
               !is_odd_time(&mapped->datums[odd * rule->column_count + i], &time_us)) {
            odd++;
        }
        if (odd < mapped->rows) {
            buf_printf(out, "rule \"%s\": column \"%s\" is ", rule->name, rule->column_names[i]);
            text_format_time(out, time_us);
            buf_append_text(out,
                            ": are its units right (unix_s, unix_ms, …), is the device's clock "
                            "set?\n");
        }
    }
}
