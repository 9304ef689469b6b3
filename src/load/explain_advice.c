/* SPDX-License-Identifier: MIT */
#include "load/explain_advice.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "core/calendar.h"
#include "pg/pg_quote.h"

/* --- the nearest rule ------------------------------------------------------------------------- */

/* Cuts the first level off `topic`, with its "/". */
static struct slice take_level(struct slice *topic)
{
    const char *slash = memchr(topic->data, '/', topic->length);
    size_t length = slash == NULL ? topic->length : (size_t) (slash - topic->data);
    struct slice level = slice_make(topic->data, length);
    size_t taken = length + (slash == NULL ? 0 : 1);

    assert(taken <= topic->length);
    *topic = slice_make(topic->data + taken, topic->length - taken);
    return level;
}

/* Does this level of a filter take the word? A capture, like +, takes any. */
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

/* Compares level by level, also behind the first level that differs: a filter with one wrong level
 * is nearer than a filter that has only its beginning in common. */
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
    assert(difference.level >= 1 && difference.same <= level);
    return difference;
}

/* Names the topic that shares the most levels, as the configuration writes it. */
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

/* --- times that can't be right ---------------------------------------------------------------- */

/* Is this a time before 1990 or more than a day ahead? Either seconds were taken for milliseconds,
 * or a clock is not set. */
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

/* --- types that are too narrow ---------------------------------------------------------------- */

/* The type that takes what row/convert refuses in these words; NULL for other reasons. */
static const char *wider_type(struct slice reason)
{
    static const struct {
        const char *words, *type;
    } rows[] = {
        {" has a fraction", "numeric"},
        {" is out of range", "numeric"},
        {" is not a boolean (only 0 and 1 are)", "numeric"},
        {" is not a number", "text"},
        {" is not a boolean", "text"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t length = strlen(rows[i].words);

        if (reason.length >= length &&
            memcmp(reason.data + reason.length - length, rows[i].words, length) == 0) {
            return rows[i].type;
        }
    }
    return NULL;
}

/* Is this a type of date and time? No other type takes a time that is out of range. */
static bool is_of_time(const char *type)
{
    return strncmp(type, "time", 4) == 0 || strncmp(type, "date", 4) == 0 ||
           strncmp(type, "interval", 8) == 0;
}

void explain_append_wider_type(struct buf *out, const struct rule *rule, const char *reason)
{
    const char *type = wider_type(slice_of(reason));
    struct buf named = {0};

    for (size_t i = 0; type != NULL && rule->options->table.text != NULL && i < rule->column_count;
         i++) {
        buf_reset(&named);
        buf_printf(&named, ": column \"%s\" (", rule->column_names[i]);
        const char *found = strstr(reason, buf_string(&named));
        if (found != NULL && !is_of_time(found + named.length)) {
            buf_printf(out, "alter table %s alter column ", rule->options->table.text);
            pg_quote_identifier(out, slice_of(rule->column_names[i]));
            buf_printf(out, " type %s", type);
            break;
        }
    }
    buf_fini(&named);
}
