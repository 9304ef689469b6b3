/* SPDX-License-Identifier: MIT */
#include "load/untaken.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/health.h"
#include "base/memory.h"
#include "base/text.h"

enum {
    EACH = 64,         /* one message of so many is looked at */
    KEYS_MAX = 32,     /* of one rule; further keys are not recorded */
    KEYS_ADVISED = 20, /* of one message, for explain */
    KEY_CHARACTERS = 60,
    LATER_MS = 60000, /* a column whose table was locked is tried again then */
};

#define SECOND_US 1000000

/* The state of a key. */
enum key_state {
    KEY_TOLD,   /* it was reported; nothing else follows */
    KEY_WANTED, /* it is to become a column; untaken_take() makes it TAKEN */
    KEY_TAKEN,  /* it is being made a column; untaken_later() makes it WANTED again */
};

struct key {
    char *path;       /* owned */
    char *expression; /* owned; NULL unless it may become a column */
    const char *type; /* a constant; NULL unless it may become a column */
    enum key_state state;
    int64_t due_ms; /* of WANTED: monotonic */
};

/* The keys that no column of one rule takes. */
struct keys {
    struct key list[KEYS_MAX];
    size_t count;
    uint64_t messages; /* that became rows */
    int64_t again_us;  /* a message received at this time or later is looked at */
};

struct untaken {
    const struct ruleset *ruleset; /* borrowed */
    struct keys *rules;            /* owned; one a rule */
    size_t wanted;                 /* keys in state KEY_WANTED */
    struct key *taken;             /* last returned by untaken_take(); NULL: none */
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
            free(untaken->rules[i].list[k].path);
            free(untaken->rules[i].list[k].expression);
        }
    }
    free(untaken->rules);
    free(untaken);
}

/* Names that the format itself gives, such as "measurement" of Influx lines, are not reported:
 * nobody has forgotten a column for them. */
static bool is_of_interest(const struct rule *rule, const struct untaken_key *key)
{
    return !rule->decoder->names_fixed || (key->in_row && strchr(key->path, '.') != NULL);
}

/* --- while messages are stored ---------------------------------------------------------------- */

struct look {
    const struct rule *rule;
    struct keys *keys;
    size_t wanted; /* new columns */
    bool found;    /* a key that was not known */
};

/* The column type that also takes later values: a fraction after whole numbers, any text after a
 * time. NULL for a null, which tells no type. */
static const char *column_type(const struct node *node)
{
    switch (node->kind) {
    case VALUE_NULL:
        return NULL;
    case VALUE_BOOLEAN:
        return "boolean";
    case VALUE_NUMBER:
        return "numeric";
    case VALUE_TEXT:
        return "text";
    case VALUE_BYTES:
        return "bytea";
    case VALUE_TIME:
        return "timestamptz";
    case VALUE_ARRAY:
    case VALUE_OBJECT:
        return "jsonb";
    }
    return NULL;
}

/* A key may become a column at its first value that is not null. */
static bool may_become_column(const struct rule *rule, const struct untaken_key *key)
{
    return rule->options->add_columns && column_type(key->node) != NULL &&
           text_is_printable(slice_of(key->path));
}

static void want(struct look *look, struct key *known, const struct untaken_key *key)
{
    if (known->expression != NULL || !may_become_column(look->rule, key)) {
        return;
    }
    known->expression = memory_strdup(key->expression);
    known->type = column_type(key->node);
    known->state = KEY_WANTED;
    look->wanted++;
}

/* Makes room for one more key; NULL: there is none. In a full list a key that may become a column
 * replaces one that may not, because keys that are always null must not keep out new columns. */
static struct key *make_room(const struct look *look, const struct untaken_key *key)
{
    struct keys *keys = look->keys;

    if (keys->count < KEYS_MAX) {
        return &keys->list[keys->count++];
    }
    for (size_t i = 0; i < KEYS_MAX && may_become_column(look->rule, key); i++) {
        if (keys->list[i].expression == NULL) {
            assert(keys->list[i].state == KEY_TOLD);
            free(keys->list[i].path);
            return &keys->list[i];
        }
    }
    return NULL;
}

/* Called for each key that no column takes. False ends the walk: beyond KEYS_MAX keys no more are
 * recorded, which bounds the memory that payloads with random keys can take. */
static bool note(void *context, const struct untaken_key *key)
{
    struct look *look = context;
    struct keys *keys = look->keys;
    struct key *made;

    assert(keys->count <= KEYS_MAX);
    if (!is_of_interest(look->rule, key)) {
        return true;
    }
    for (size_t i = 0; i < keys->count; i++) {
        if (strcmp(keys->list[i].path, key->path) == 0) {
            want(look, &keys->list[i], key);
            return true;
        }
    }
    made = make_room(look, key);
    if (made == NULL) {
        return look->rule->options->add_columns; /* a later key may become a column */
    }
    *made = (struct key){.path = memory_strdup(key->path)};
    want(look, made, key);
    look->found = true;
    return true;
}

/* The status page shows the first HEALTH_UNTAKEN_MAX keys and the number of all. */
static void tell(const struct rule *rule, const struct keys *keys)
{
    struct health_untaken told = {.count = keys->count};

    assert(keys->count > 0 && keys->count <= KEYS_MAX);
    for (size_t i = 0; i < keys->count && i < HEALTH_UNTAKEN_MAX; i++) {
        struct buf text = {0};

        text_append_printable(&text, slice_of(keys->list[i].path), sizeof(told.keys[i]) / 4);
        snprintf(told.keys[i], sizeof(told.keys[i]), "%s", buf_string(&text));
        buf_fini(&text);
    }
    health_set_untaken(rule->name, &told);
}

/* A walk over each payload would cost too much. Rules without add_columns look at one message of
 * EACH, and at one a second where messages are rare; rules with add_columns look at all messages,
 * because a value that is skipped can't be stored later. */
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
    if (!mapped->rule->options->add_columns && keys->messages++ % EACH != 0 &&
        message->received_at_us < keys->again_us) {
        return;
    }
    keys->again_us = message->received_at_us + SECOND_US;
    if (keys->count == KEYS_MAX && !mapped->rule->options->add_columns) {
        return;
    }
    look.keys = keys;
    path_uses_untaken(&mapped->rule->uses, mapped->subject.payload, note, &look);
    untaken->wanted += look.wanted;
    assert(keys->count <= KEYS_MAX);
    if (look.found) {
        tell(mapped->rule, keys);
    }
}

/* --- columns to be added ---------------------------------------------------------------------- */

/* A key that is WANTED and due, and the index of its rule. */
static struct key *find_wanted(const struct untaken *untaken, size_t *rule)
{
    int64_t now_ms = untaken->wanted == 0 ? 0 : clock_monotonic_ms();

    for (size_t i = 0; untaken->wanted > 0 && i < untaken->ruleset->count; i++) {
        struct keys *keys = &untaken->rules[i];

        for (size_t k = 0; k < keys->count; k++) {
            if (keys->list[k].state == KEY_WANTED && keys->list[k].due_ms <= now_ms) {
                *rule = i;
                return &keys->list[k];
            }
        }
    }
    return NULL;
}

bool untaken_is_due(const struct untaken *untaken)
{
    size_t rule;

    return untaken != NULL && find_wanted(untaken, &rule) != NULL;
}

bool untaken_take(struct untaken *untaken, struct untaken_column *column)
{
    size_t rule = 0;
    struct key *key = find_wanted(untaken, &rule);

    untaken->taken = key;
    if (key == NULL) {
        return false;
    }
    assert(key->expression != NULL && key->type != NULL);
    key->state = KEY_TAKEN;
    untaken->wanted--;
    *column = (struct untaken_column){.rule = untaken->ruleset->rules[rule],
                                      .path = key->path,
                                      .expression = key->expression,
                                      .type = key->type};
    return true;
}

void untaken_forget(struct untaken *untaken)
{
    assert(untaken->taken != NULL && untaken->taken->state == KEY_TAKEN);
    free(untaken->taken->expression);
    untaken->taken->expression = NULL;
    untaken->taken->state = KEY_TOLD;
    untaken->taken = NULL;
}

void untaken_later(struct untaken *untaken)
{
    assert(untaken->taken != NULL && untaken->taken->state == KEY_TAKEN);
    untaken->taken->state = KEY_WANTED;
    untaken->taken->due_ms = clock_monotonic_ms() + LATER_MS;
    untaken->wanted++;
    untaken->taken = NULL;
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
