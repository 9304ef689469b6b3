/*
 *   files ─config_source─▶ tokens ─config_syntax─▶ text ─libconfig─▶ tree
 *   tree ─config_read, config_rules─▶ struct config ─config_check─▶
 *
 * Each step reports the mistakes that it can see: config_source characters that are no token,
 * config_syntax misplaced tokens, config_read names, types and ranges, config_check and
 * config_rule_check combinations. A mistake in the first two steps ends the reading; all others are
 * reported in one go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "config/config.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/memory.h"
#include "config/config_check.h"
#include "config/config_read.h"
#include "config/config_rules.h"

/* Hidden so that nobody allocates in a configuration that others read. */
struct config_private {
    struct arena *arena; /* owned: every text and list of the configuration */
    atomic_uint owners;  /* the last one frees it; never 0 */
};

/* Parses the default values of the settings table as a configuration of their own:
 *
 *   d1 = "mqtt://localhost:1883"; d2 = "mqtt2pg"; …
 *
 * Each default has the name "d" and its index in the table. So a default goes through the same
 * checks as a value of the file, and a wrong default is found at once. */
static void load_defaults(struct config_tree *defaults)
{
    struct buf text = {0};
    struct problems problems = {0};
    for (size_t i = 0; i < setting_count; i++) {
        const char *value = settings[i].default_value;
        if (value != NULL && !setting_is_required(&settings[i]) &&
            settings[i].type != SETTING_GROUP) {
            buf_printf(&text, "d%zu = %s;\n", i, value);
        }
    }
    bool good = config_tree_parse(defaults, buf_slice(&text), &problems);
    assert(good && problems.count == 0);
    (void) good;
    problems_fini(&problems);
    buf_fini(&text);
}

/* An empty configuration, which remembers the file's name. */
static struct config *config_new(const char *file)
{
    struct config *config = memory_alloc(sizeof(*config));
    config->private = memory_alloc(sizeof(*config->private));
    config->private->arena = arena_new(16 << 10);
    atomic_init(&config->private->owners, 1);
    config->file = arena_copy(config->private->arena, slice_of(file)).data;
    return config;
}

/* Fills the struct from the tree. Settings are checked before the rules are read, so that their
 * problems are reported first. */
static void fill(struct config *config, struct config_reader *reader, bool rules)
{
    assert(reader->tree != NULL && reader->defaults != NULL);
    struct config_group whole = {
        .path = "",
        .node = config_root_setting(&reader->tree->library),
        .place = {.file = config->file, .line = 1},
        .base = config,
    };
    config_read_group(reader, &whole);
    config_check(reader, config);
    if (rules) {
        config_rules_read(reader, config);
    }
    assert(config->rule_count == 0 || config->rules != NULL);
    config->database.client_id = config->broker.client_id;
}

/* Loads the file. With `rules` false the rules are not read, for commands that need none. */
static struct config *load(const char *file, bool rules, struct problems *problems)
{
    struct config *config = config_new(file);
    struct config_tree tree;
    struct config_tree defaults;
    struct config_reader reader = {
        .arena = config->private->arena,
        .problems = problems,
        .tree = &tree,
        .defaults = &defaults,
    };
    config_tree_init(&tree, reader.arena);
    config_tree_init(&defaults, reader.arena);
    load_defaults(&defaults);
    bool good = config_tree_load(&tree, file, problems);
    if (good) {
        fill(config, &reader, rules);
    }
    config_tree_fini(&tree);
    config_tree_fini(&defaults);
    if (!good) {
        config_free(config);
        config = NULL;
    }
    return config;
}

struct config *config_load(const char *file, struct problems *problems)
{
    return load(file, true, problems);
}

struct config *config_load_settings(const char *file, struct problems *problems)
{
    return load(file, false, problems);
}

struct config *config_share(struct config *config)
{
    unsigned before = atomic_fetch_add(&config->private->owners, 1);

    assert(before > 0);
    (void) before;
    return config;
}

void config_free(struct config *config)
{
    if (config == NULL || atomic_fetch_sub(&config->private->owners, 1) > 1) {
        return;
    }
    arena_free(config->private->arena);
    free(config->private);
    free(config);
}
