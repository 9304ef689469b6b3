/* SPDX-License-Identifier: MIT */
#include "load/lineage.h"

#include <assert.h>
#include <string.h>

#include "base/text.h"

void lineage_append(struct buf *json, const struct ruleset *ruleset, const struct mapper *mapper,
                    const struct rule *rule)
{
    size_t count = mapper_found(mapper);

    assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        buf_append_text(json, i == 0 ? "\"rules\":[" : ",");
        text_append_json(json, slice_of(ruleset->rules[mapper_rule(mapper, i)]->name));
    }
    for (size_t i = 0; i < count; i++) {
        buf_printf(json, "%s\"%s\"", i == 0 ? "],\"marks\":[" : ",",
                   ruleset->rules[mapper_rule(mapper, i)]->mark);
    }
    buf_printf(json, "],\"mark\":\"%s\"", rule->mark);
    if (rule->options->table.text != NULL) {
        buf_append_text(json, ",\"table\":");
        text_append_json(json, slice_of(rule->options->table.text));
    }
}

/* Takes the first item off a list; an empty one off an empty list. */
static struct slice next_item(struct slice *list)
{
    const char *end = list->length == 0 ? NULL : memchr(list->data, '\x1f', list->length);
    size_t length = end == NULL ? list->length : (size_t) (end - list->data);
    struct slice item = slice_make(list->data, length);
    size_t taken = length + (end != NULL);

    assert(taken <= list->length);
    *list = slice_make(list->data + taken, list->length - taken);
    return item;
}

bool lineage_next(struct former_rules *all, struct former_rule *first)
{
    if (all->names.length == 0) {
        return false;
    }
    first->name = next_item(&all->names);
    first->mark = next_item(&all->marks);
    return true;
}

/* What a rule of today has in common with the rules of a letter's time. */
struct likeness {
    bool mark;   /* of any of them */
    bool itself; /* one of them has its name and its mark */
};

static struct likeness likeness_of(const struct rule *rule, struct former_rules all)
{
    struct likeness likeness = {0};
    struct former_rule former;

    while (lineage_next(&all, &former)) {
        bool same_mark = slice_is(former.mark, rule->mark);

        likeness.mark = likeness.mark || same_mark;
        likeness.itself = likeness.itself || (same_mark && slice_is(former.name, rule->name));
    }
    return likeness;
}

const struct rule *lineage_successor(const struct ruleset *ruleset,
                                     const struct former_rule *former,
                                     const struct former_rules *all)
{
    const struct rule *by_mark = NULL, *by_name = NULL;

    for (size_t i = 0; i < ruleset->count; i++) {
        const struct rule *rule = ruleset->rules[i];
        const struct likeness likeness = likeness_of(rule, *all);
        bool same_name = slice_is(former->name, rule->name);

        if (slice_is(former->mark, rule->mark) && (same_name || !likeness.itself) &&
            (by_mark == NULL || same_name)) {
            by_mark = rule;
        }
        if (same_name && !likeness.mark) {
            by_name = rule;
        }
    }
    return by_mark != NULL ? by_mark : by_name;
}
