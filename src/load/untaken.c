/* SPDX-License-Identifier: MIT */
#include "load/untaken.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/health.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    EACH = 64,         /* looks at one message of so many */
    KEYS_MAX = 32,     /* of one rule; more are not told apart */
    KEYS_ADVISED = 20, /* of one message, in explain */
    KEY_CHARACTERS = 60,
};

#define SECOND_US 1000000

/* The keys of one rule that nothing takes. */
struct keys {
    char *paths[KEYS_MAX]; /* owned */
    size_t count;
    uint64_t messages; /* that became rows */
    int64_t again_us;  /* when a message received then is looked at */
};

struct untaken {
    const struct ruleset *ruleset; /* borrowed */
    struct keys *rules;            /* owned; one a rule */
};

struct untaken *untaken_new(const struct ruleset *ruleset)
{
    struct untaken *untaken = memory_alloc(sizeof(*untaken));

    untaken->ruleset = ruleset;
    untaken->rules = memory_alloc((ruleset->count + 1) * sizeof(*untaken->rules));
    for (size_t i = 0; i < ruleset->count; i++) {
        health_set_untaken(ruleset->rules[i]->name, NULL);
    }
    return untaken;
}

void untaken_free(struct untaken *untaken)
{
    if (untaken == NULL) {
        return;
    }
    for (size_t i = 0; i < untaken->ruleset->count; i++) {
        for (size_t k = 0; k < untaken->rules[i].count; k++) {
            free(untaken->rules[i].paths[k]);
        }
    }
    free(untaken->rules);
    free(untaken);
}

/* Names that the format gives, such as "measurement" of Influx lines, are nobody's loss. */
static bool is_of_interest(const struct rule *rule, const struct untaken_key *key)
{
    return !rule->decoder->names_fixed || (key->in_row && strchr(key->path, '.') != NULL);
}

/* --- while messages are stored ---------------------------------------------------------------- */

struct look {
    const struct rule *rule;
    struct keys *keys;
    bool found; /* one that was not known */
};

static bool note(void *context, const struct untaken_key *key)
{
    struct look *look = context;
    struct keys *keys = look->keys;

    if (!is_of_interest(look->rule, key)) {
        return true;
    }
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->paths[i], key->path) == 0) {
            return true;
        }
    }
    if (keys->count == KEYS_MAX) {
        return false;
    }
    keys->paths[keys->count++] = memory_strdup(key->path);
    look->found = true;
    return true;
}

static void tell(const struct rule *rule, const struct keys *keys)
{
    struct health_untaken told = {.count = keys->count};

    assert(keys->count > 0 && keys->count <= KEYS_MAX);
    for (size_t i = 0; i < keys->count && i < HEALTH_UNTAKEN_MAX; i++) {
        struct buf text = {0};

        text_append_printable(&text, slice_of(keys->paths[i]), sizeof(told.keys[i]) / 4);
        snprintf(told.keys[i], sizeof(told.keys[i]), "%s", buf_string(&text));
        buf_fini(&text);
    }
    health_set_untaken(rule->name, &told);
}

void untaken_look(struct untaken *untaken, const struct mapped *mapped)
{
    const struct message *message = mapped->subject.message;
    struct look look = {.rule = mapped->rule};
    struct keys *keys;

    if (untaken == NULL || mapped->subject.payload == NULL) {
        return;
    }
    assert(mapped->rule_index < untaken->ruleset->count);
    keys = &untaken->rules[mapped->rule_index];
    if (keys->messages++ % EACH != 0 && message->received_at_us < keys->again_us) {
        return;
    }
    keys->again_us = message->received_at_us + SECOND_US;
    if (keys->count == KEYS_MAX) {
        return;
    }
    look.keys = keys;
    path_uses_untaken(&mapped->rule->uses, mapped->subject.payload, note, &look);
    if (look.found) {
        tell(mapped->rule, keys);
    }
}

/* --- explain ---------------------------------------------------------------------------------- */

struct list {
    const struct rule *rule;
    struct buf *out;
    size_t count;
};

static bool append(void *context, const struct untaken_key *key)
{
    struct list *list = context;

    if (!is_of_interest(list->rule, key)) {
        return true;
    }
    buf_append_text(list->out, list->count++ == 0 ? "" : ", ");
    if (list->count > KEYS_ADVISED) {
        buf_append_text(list->out, "…");
        return false;
    }
    text_append_printable(list->out, slice_of(key->path), KEY_CHARACTERS);
    return true;
}

bool untaken_append(struct buf *out, const struct rule *rule, const struct node *payload)
{
    struct list list = {.rule = rule, .out = out};

    path_uses_untaken(&rule->uses, payload, append, &list);
    return list.count > 0;
}
