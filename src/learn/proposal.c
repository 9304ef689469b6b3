/* SPDX-License-Identifier: MIT */
#include "learn/proposal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "learn/maker.h"
#include "learn/proposal_columns.h"
#include "learn/shape_type.h"
#include "learn/topic_words.h"

/* One pattern of topics: the nodes on the way from the first level to a node that has data. */
struct pattern {
    const struct topic_node *levels[TOPIC_LEVELS_MAX];
    size_t count;
};

/* What visit() carries through the tree. */
struct walk {
    struct proposal *proposal;
    const char *filter;
    struct name_list names; /* of rules */
    struct pattern pattern;
};

/* --- captures --------------------------------------------------------------------------------- */

/* Appends the name that the filter gives this level by "{x}". False when it gives none: another
 * word, a wildcard, or "{x...}". */
static bool named_by_filter(struct buf *out, const char *filter, size_t index)
{
    struct slice level = topic_filter_level(filter, index);
    if (level.length < 3 || level.data[0] != '{' || level.data[level.length - 2] == '.') {
        return false;
    }
    buf_append(out, level.data + 1, level.length - 2);
    return true;
}

/* Are the payloads single values and not objects? */
static bool is_scalar(const struct topic_data *data)
{
    enum topic_format format = topic_data_format(data);
    return format == FORMAT_TEXT || format == FORMAT_SCALARS;
}

/*
 * Appends a name for the capture of one level. The first that fits:
 *
 *   1. the name in the filter that was listened to
 *   2. "path", for a capture of all remaining levels
 *   3. "measure", for the last level above single values: room/temperature, room/humidity
 *   4. what is known of the level above ("zigbee2mqtt" → "device"), else its singular
 *      ("machines" → "machine")
 *   5. "kind" for the last level, "level3" for the third
 */
static void name_capture(struct buf *out, const struct walk *walk, size_t index)
{
    const struct pattern *pattern = &walk->pattern;
    const struct topic_node *node = pattern->levels[index];
    const struct topic_node *above = index == 0 ? NULL : pattern->levels[index - 1];
    bool last = index + 1 == pattern->count;
    if (named_by_filter(out, walk->filter, index)) {
        return;
    }
    if (node->rest) {
        buf_append_text(out, "path");
        return;
    }
    if (last && is_scalar(node->data) && !topic_level_is_name(node->level)) {
        buf_append_text(out, "measure");
        return;
    }
    if (above != NULL && !above->varies) {
        const char *known = topic_level_known(above->level);
        if (known != NULL) {
            buf_append_text(out, known);
            return;
        }
        struct buf word = {0};
        name_append_snake(&word, slice_of(above->level));
        name_append_singular(out, buf_slice(&word));
        buf_fini(&word);
    }
    if (!name_is_plain(buf_string(out))) {
        buf_reset(out);
        buf_printf(out, last ? "kind" : "level%zu", index + 1);
    }
}

/* Can the level stand in a rule's topic as it is? Braces would begin a capture, and control
 * characters or invalid UTF-8 cannot stand in a configuration. */
static bool is_literal(const char *level)
{
    struct slice text = slice_of(level);
    for (size_t i = 0; i < text.length; i++) {
        unsigned char c = (unsigned char) text.data[i];
        if (c < 0x20 || c == 0x7F || c == '{' || c == '}') {
            return false;
        }
    }
    return text_is_utf8(text);
}

/* Writes the rule's topic and adds a column for each capture. A level that cannot be written is
 * matched by "+". Sparkplug B gets its captures here, because its topics were counted as one. */
static void make_topic(struct maker *maker, const struct walk *walk)
{
    struct buf topic = {0};
    struct name_list captures = {0};
    for (size_t i = 0; i < walk->pattern.count; i++) {
        const struct topic_node *node = walk->pattern.levels[i];
        buf_append_text(&topic, i == 0 ? "" : "/");
        if (node->varies) {
            struct buf name = {0};
            name_capture(&name, walk, i);
            const char *capture = name_list_add(&captures, buf_slice(&name));
            buf_printf(&topic, "{%s%s}", capture, node->rest ? "..." : "");
            maker_add_column(maker, slice_of(capture), "topic",
                             arena_printf(maker->proposal->arena, "{%s}", capture).data, NULL);
            buf_fini(&name);
        } else {
            buf_append_text(&topic, is_literal(node->level) ? node->level : "+");
        }
    }
    if (topic_data_format(maker->data) == FORMAT_SPARKPLUG) {
        buf_append_text(&topic, "/{group}/{type}/{rest...}");
    }
    maker->rule->topic = arena_copy(maker->proposal->arena, buf_slice(&topic)).data;
    name_list_fini(&captures);
    buf_fini(&topic);
}

/* --- names, words ----------------------------------------------------------------------------- */

/* Appends the level in snake_case to the name, if the level is fixed and needs no quotes. */
static void append_words(struct buf *name, const struct topic_node *node)
{
    struct buf words = {0};
    name_append_snake(&words, slice_of(node->level));
    if (!node->varies && name_is_plain(buf_string(&words))) {
        buf_append_text(name, name->length > 0 ? "_" : "");
        buf_append_slice(name, buf_slice(&words));
    }
    buf_fini(&words);
}

/* Names the rule and its table. With captures the last fixed level is the name:
 * devices/{device}/telemetry → "telemetry". Without captures, or when that name is taken, all fixed
 * levels are: "devices_telemetry". */
static void make_name(struct maker *maker, struct walk *walk)
{
    const struct pattern *pattern = &walk->pattern;
    struct buf name = {0};
    bool captures = false;
    for (size_t i = 0; i < pattern->count; i++) {
        captures |= pattern->levels[i]->varies;
    }
    for (size_t i = pattern->count; captures && i > 0 && name.length == 0; i--) {
        append_words(&name, pattern->levels[i - 1]);
    }
    if (name.length == 0 || name_list_has(&walk->names, buf_string(&name))) {
        buf_reset(&name);
        for (size_t i = 0; i < pattern->count; i++) {
            append_words(&name, pattern->levels[i]);
        }
    }
    struct slice chosen = name.length > 0 ? buf_slice(&name) : slice_of("messages");
    maker->rule->name =
        arena_copy(maker->proposal->arena, slice_of(name_list_add(&walk->names, chosen))).data;
    buf_fini(&name);
}

/* What a person calls the payloads of these topics, for the comment above the rule. */
static const char *format_words(const struct topic_data *data)
{
    switch (topic_data_format(data)) {
    case FORMAT_SPARKPLUG:
        return "Sparkplug B";
    case FORMAT_PROTOBUF:
        return "Protocol Buffers, or bytes that look like them";
    case FORMAT_OBJECTS:
        if (strcmp(data->form.format, "json") != 0) {
            return data->form.format;
        }
        return data->json->kinds[VALUE_OBJECT] == 0 ? "JSON arrays" : "JSON objects";
    case FORMAT_SCALARS:
        return "single JSON values";
    case FORMAT_TEXT:
        return shape_is_only(data->plain, VALUE_NUMBER) ? "bare numbers" : "texts";
    case FORMAT_RAW:
        return "bytes";
    case FORMAT_EMPTY:
        break;
    }
    return "nothing";
}

/* "12 messages on 3 topics such as devices/d1/telemetry: JSON objects of 84 bytes", the average. */
static void tell_counts(struct maker *maker, const struct pattern *pattern)
{
    const struct topic_data *data = maker->data;
    struct buf example = {0};
    struct buf printable = {0};
    struct buf where = {0};
    for (size_t i = 0; i < pattern->count; i++) {
        buf_printf(&example, "%s%s", i == 0 ? "" : "/", pattern->levels[i]->level);
    }
    text_append_printable(&printable, buf_slice(&example), 80);
    if (data->topics > 1) {
        buf_printf(&where, "%" PRIu64 " topics such as ", data->topics);
    }
    maker_tell(maker, "%" PRIu64 " message%s on %s%s: %s of %" PRIu64 " bytes", data->messages,
               data->messages == 1 ? "" : "s", buf_string(&where), buf_string(&printable),
               format_words(data), data->bytes / (data->messages - data->empty));
    buf_fini(&where);
    buf_fini(&example);
    buf_fini(&printable);
}

/* Comments on payloads that the rule would not store as a person expects. */
static void tell_oddities(struct maker *maker)
{
    const struct topic_data *data = maker->data;
    if (data->empty > 0) {
        maker_tell(maker, "%" PRIu64 " payloads were empty (so a retained message is deleted)%s",
                   data->empty,
                   topic_data_format(data) == FORMAT_OBJECTS ? ": they would become dead letters"
                                                             : "");
    }
    if (topic_data_format(data) == FORMAT_OBJECTS && data->texts + data->binary > 0) {
        maker_tell(maker,
                   "%" PRIu64 " payloads were not of this format: they would become dead letters",
                   data->texts + data->binary);
    }
    if (topic_data_format(data) == FORMAT_OBJECTS && data->scalars > 0) {
        maker_tell(maker, "%" PRIu64 " payloads were single JSON values: their rows would be empty",
                   data->scalars);
    }
    if (data->retained > 0) {
        maker_tell(maker,
                   "%" PRIu64 " of the messages were retained: perhaps the latest is all "
                   "that is wanted, see on_conflict = \"update\"",
                   data->retained);
    }
}

/* Suggests the captures and the payload's time as the key: no device sends twice at one time. Not
 * with `rows`, where one message has many rows of the same time. */
static void suggest_key(struct maker *maker)
{
    struct buf key = {0};
    for (size_t i = 0; i < maker->rule->column_count; i++) {
        const struct proposed_column *column = &maker->rule->columns[i];
        if (column->expression[0] == '{') {
            buf_printf(&key, "\"%s\", ", column->name);
        }
    }
    if (key.length > 0 && maker->time != NULL && maker->rule->rows == NULL) {
        buf_printf(&key, "\"%s\"", maker->time);
        maker->rule->key = arena_copy(maker->proposal->arena, buf_slice(&key)).data;
    }
    buf_fini(&key);
}

/* Makes the rule of the pattern in `walk`, or counts why there is none. The topic is made before
 * the payload's columns, so that captures keep their names. */
static void make_rule(struct walk *walk, const struct topic_data *data)
{
    struct proposal *proposal = walk->proposal;
    struct name_list names = {0};
    if (topic_data_format(data) == FORMAT_EMPTY) {
        proposal->only_empty += data->topics;
        return;
    }
    if (proposal->rule_count >= PROPOSAL_RULES_MAX) {
        proposal->left_out++;
        return;
    }
    proposal->rules = memory_grow(proposal->rules, proposal->rule_count, &proposal->rule_capacity,
                                  sizeof(*proposal->rules));
    struct maker maker = {.proposal = proposal,
                          .rule = &proposal->rules[proposal->rule_count++],
                          .names = &names,
                          .data = data};
    *maker.rule = (struct proposed_rule){0};
    make_name(&maker, walk);
    make_topic(&maker, walk);
    maker_add_payload(&maker);
    suggest_key(&maker);
    tell_counts(&maker, &walk->pattern);
    tell_oddities(&maker);
    name_list_fini(&names);
}

/* Makes a rule for each node below `parent` on which messages came, in the order of the topics. */
static void visit(struct walk *walk, const struct topic_node *parent)
{
    if (walk->pattern.count >= TOPIC_LEVELS_MAX) {
        return;
    }
    for (const struct topic_node *node = parent->children; node != NULL; node = node->next) {
        walk->pattern.levels[walk->pattern.count++] = node;
        if (node->data != NULL) {
            make_rule(walk, node->data);
        }
        visit(walk, node);
        walk->pattern.count--;
    }
}

/* --- no message for two rules ----------------------------------------------------------------- */

/* A message that fits two rules is stored twice. "home/{room}" and "home/status" share the topic
 * home/status, so the rule with the capture gets where = "room != 'status'". */

/* Returns the next level of a topic and moves `at` behind it and its "/". */
static struct slice take_level(const char **at)
{
    struct slice level = slice_make(*at, strcspn(*at, "/"));
    *at += level.length;
    *at += **at == '/';
    return level;
}

/* "{x}" or "{x...}". */
static bool is_capture(struct slice level)
{
    return level.length > 2 && level.data[0] == '{';
}

/* "{x...}", which takes this level and all levels below. */
static bool is_rest(struct slice level)
{
    return is_capture(level) && level.length > 5 && level.data[level.length - 2] == '.';
}

/* Is there a topic that both rules take? Appends to `where` the condition that leaves messages of
 * `other` out: for each level that is a capture here and a word there, CAPTURE != 'WORD'. */
static bool meets(const char *topic, const char *other, struct buf *where)
{
    while (*topic != '\0' && *other != '\0') {
        struct slice mine = take_level(&topic);
        struct slice theirs = take_level(&other);
        if (is_rest(mine) || is_rest(theirs)) {
            return true;
        }
        bool word = !is_capture(theirs) && !slice_is(theirs, "+");
        if (is_capture(mine) && word) {
            buf_printf(where, "%s%.*s != '%.*s'", where->length > 0 ? " or " : "", SLICE_ARGS(mine),
                       SLICE_ARGS(theirs));
        } else if (!is_capture(mine) && !slice_is(mine, "+") && word &&
                   !slice_equal(mine, theirs)) {
            return false;
        }
    }
    return *topic == '\0' && *other == '\0';
}

/* Gives each rule the condition against every other rule that takes some of its topics. A word with
 * a quote or a backslash gets no condition: it could not be written without escapes. */
static void part_rules(struct proposal *proposal)
{
    for (size_t i = 0; i < proposal->rule_count; i++) {
        struct buf conditions = {0};
        for (size_t k = 0; k < proposal->rule_count; k++) {
            struct buf where = {0};
            if (k != i && meets(proposal->rules[i].topic, proposal->rules[k].topic, &where) &&
                where.length > 0 && strpbrk(buf_string(&where), "\\\"") == NULL) {
                buf_printf(&conditions, "%s(%s)", conditions.length > 0 ? " and " : "",
                           buf_string(&where));
            }
            buf_fini(&where);
        }
        if (conditions.length > 0) {
            const char *own = proposal->rules[i].where;
            proposal->rules[i].where =
                arena_printf(proposal->arena, "%s%s%s", own == NULL ? "" : own,
                             own == NULL ? "" : " and ", buf_string(&conditions))
                    .data;
        }
        buf_fini(&conditions);
    }
}

struct proposal *proposal_new(const struct topic_node *root, const char *filter)
{
    struct walk walk = {.proposal = memory_alloc(sizeof(struct proposal)), .filter = filter};
    walk.proposal->arena = arena_new(16 << 10);
    visit(&walk, root);
    part_rules(walk.proposal);
    name_list_fini(&walk.names);
    return walk.proposal;
}

void proposal_free(struct proposal *proposal)
{
    if (proposal == NULL) {
        return;
    }
    for (size_t i = 0; i < proposal->rule_count; i++) {
        free(proposal->rules[i].columns);
        free(proposal->rules[i].about);
    }
    free(proposal->rules);
    arena_free(proposal->arena);
    free(proposal);
}
