/*
 * Each rule is read like any other group (config_read.c), into a struct rule_options of its own. A
 * rule with a mistake stays in the list, so that "rule 3" in a message is the third of the file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config_rules.h"

#include <assert.h>

#include "base/text.h"
#include "config/config_read.h"
#include "config/config_rule_check.h"
#include "config/config_text.h"

/* The limit of PostgreSQL's names, although a rule's name is none: it is long enough. */
enum { NAME_BYTES_MAX = 63 };

/* For the message about a file without rules: it can be copied as it is. */
#define SHORTEST_RULE \
    "rules = ( { name = \"archive\"; topic = \"#\"; table = \"archive\"; " \
    "columns = { topic = \"@topic\"; payload = \"@payload\"; }; } );"

/* A rule's name is a label of metrics, a value in the database and a word in logs. So it must be
 * short, printable and unique. */
static void check_name(struct config_reader *reader, const struct config *config,
                       const struct rule_options *rule, struct place place)
{
    struct slice name = slice_of(rule->name);
    struct buf printable = {0};
    text_append_printable(&printable, name, NAME_BYTES_MAX + 1);
    bool plain = slice_equal(buf_slice(&printable), name);
    buf_fini(&printable);
    if (name.length == 0 || name.length > NAME_BYTES_MAX || !plain) {
        problem_error(reader->problems, place, "name",
                      "a rule's name has 1 to %d bytes and no control characters", NAME_BYTES_MAX);
    }
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct rule_options *other = &config->rules[i];
        if (other->name != NULL && strcmp(other->name, rule->name) == 0) {
            problem_error(reader->problems, place, "name",
                          "another rule, at %s:%d, has the name \"%s\"", other->place.file,
                          other->place.line, rule->name);
            return;
        }
    }
}

/* How messages name the rule: "rule "telemetry"", or "rule 2" when its name is missing or no
 * text. */
static const char *rule_label(struct config_reader *reader, const config_setting_t *node,
                              int number)
{
    const char *name = NULL;
    struct buf label = {0};
    if (config_setting_lookup_string(node, "name", &name) == CONFIG_TRUE) {
        buf_append_text(&label, "rule \"");
        text_append_printable(&label, slice_of(name), 40);
        buf_append_text(&label, "\"");
    } else {
        buf_printf(&label, "rule %d", number);
    }
    const char *result = arena_copy(reader->arena, buf_slice(&label)).data;
    buf_fini(&label);
    return result;
}

/* Reads one rule and appends it to config->rules, which has room for it. */
static void read_rule(struct config_reader *reader, struct config *config,
                      const config_setting_t *node)
{
    assert(config_setting_type(node) == CONFIG_TYPE_GROUP);
    struct rule_options *rule = &config->rules[config->rule_count];
    *rule = (struct rule_options){.place = config_tree_place(node), .share = ""};
    struct config_group group = {
        .path = "rules",
        .node = node,
        .place = rule->place,
        .what = rule_label(reader, node, (int) config->rule_count + 1),
        .base = rule,
    };
    config_read_group(reader, &group);

    const config_setting_t *name = config_setting_get_member(node, "name");
    if (rule->name != NULL) {
        check_name(reader, config, rule, config_tree_place(name));
    }
    const config_setting_t *ack = config_setting_get_member(node, "ack");
    rule->ack.wanted = ack != NULL && config_setting_type(ack) == CONFIG_TYPE_GROUP;
    rule->ack.place = ack == NULL ? rule->place : config_tree_place(ack);
    const config_setting_t *partition = config_setting_get_member(node, "partition");
    rule->partition.wanted =
        partition != NULL && config_setting_type(partition) == CONFIG_TYPE_GROUP;
    rule->partition.place = partition == NULL ? rule->place : config_tree_place(partition);
    config_rule_check(reader, rule, node, group.what);
    const config_setting_t *qos = config_setting_get_member(node, "qos");
    if (qos != NULL && rule->qos == 2 && !config->broker.mqtt5) {
        problem_warning(reader->problems, config_tree_place(qos), "qos",
                        "2 is subscribed as 1 with protocol = \"3.1.1\", where a crash could "
                        "lose a QoS 2 message; each is stored once all the same");
    }
    assert(rule->place.line > 0);
    config->rule_count++;
}

static bool same_partition(const struct partition_options *left,
                           const struct partition_options *right)
{
    return left->wanted == right->wanted &&
           (!left->wanted ||
            (left->by.text != NULL && right->by.text != NULL &&
             strcmp(left->by.text, right->by.text) == 0 && left->every_ms == right->every_ms &&
             left->keep_ms == right->keep_ms && left->timescale == right->timescale));
}

/* A table is partitioned in one way, and its rows are kept for one time. Of two rules the first one
 * would decide, so a rule that says nothing matters only when it could create the table. */
static void check_same_table(struct config_reader *reader, const struct config *config, size_t i)
{
    const struct rule_options *rule = &config->rules[i];
    assert(i < config->rule_count);
    for (size_t k = 0; k < i; k++) {
        const struct rule_options *other = &config->rules[k];
        bool one_says = !rule->partition.wanted || !other->partition.wanted;
        if (rule->table.text == NULL || other->table.text == NULL ||
            strcmp(rule->table.text, other->table.text) != 0 ||
            same_partition(&rule->partition, &other->partition) ||
            (one_says && !(rule->partition.wanted ? other : rule)->create)) {
            continue;
        }
        problem_error(reader->problems, rule->partition.place, "partition",
                      "the rule at %s:%d has the same table and another partition: give both the "
                      "same",
                      other->place.file, other->place.line);
        return;
    }
}

void config_rules_read(struct config_reader *reader, struct config *config)
{
    const config_setting_t *list = config_lookup(&reader->tree->library, "rules");
    struct place whole = {.file = config->file, .line = 1};
    struct place place = list == NULL ? whole : config_tree_place(list);
    struct buf found = {0};
    if (list == NULL &&
        (reader->tree->source.incomplete ||
         config_read_misspelt(reader, config_root_setting(&reader->tree->library), "", "rules"))) {
        return; /* they may be in an included file that can't be read, or "rule" is told already */
    }
    if (list == NULL ||
        (config_setting_type(list) == CONFIG_TYPE_LIST && config_setting_length(list) == 0)) {
        problem_error(reader->problems, place, "rules",
                      "there is no rule, so nothing would be stored; the shortest: " SHORTEST_RULE);
        return;
    }
    if (config_setting_type(list) != CONFIG_TYPE_LIST) {
        config_tree_describe(&found, list, false);
        problem_error(reader->problems, place, "rules",
                      "a list of groups, ( { … }, { … } ), is wanted, not %s", buf_string(&found));
        buf_fini(&found);
        return;
    }
    size_t count = (size_t) config_setting_length(list);
    assert(count > 0);
    config->rules = arena_alloc(reader->arena, count * sizeof(struct rule_options));
    for (size_t i = 0; i < count; i++) {
        const config_setting_t *node = config_setting_get_elem(list, (unsigned) i);
        if (config_setting_type(node) == CONFIG_TYPE_GROUP) {
            read_rule(reader, config, node);
        } else {
            struct config_given given = {setting_find("rules"), node, config_tree_place(node),
                                         "rules"};
            config_text_wrong_type(reader, &given);
        }
    }
    for (size_t i = 0; i < config->rule_count; i++) {
        check_same_table(reader, config, i);
    }
}
