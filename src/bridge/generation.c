/* SPDX-License-Identifier: MIT */
#include "bridge/generation.h"

#include <assert.h>
#include <stdlib.h>

#include "base/health.h"
#include "base/memory.h"

/* Compiles the configuration's rules, with the columns that were added to their tables, for the
 * client id and the protocol of `broker`. With a mistake, which stands in `problems`, `ruleset` is
 * NULL. */
static void compile(struct generation *generation, const struct broker_options *broker,
                    struct problems *problems)
{
    const struct config *config = generation->config;

    generation->rules = added_columns_extend(generation->added, config->rules, config->rule_count);
    generation->ruleset = ruleset_compile(generation->rules, config->rule_count, broker->client_id,
                                          broker->mqtt5, problems);
}

struct generation *generation_load(const char *config_file, const struct generation *running,
                                   struct problems *problems)
{
    struct generation *generation = memory_alloc(sizeof(*generation));
    struct config *config = config_load(config_file, problems);

    generation->config = config;
    if (config != NULL) {
        generation->added_shared = running != NULL;
        generation->added =
            running != NULL ? running->added : added_columns_load(config->journal.directory);
        compile(generation, running != NULL ? &running->config->broker : &config->broker, problems);
    }
    if (problems->errors > 0 || generation->ruleset == NULL) {
        generation_free(generation);
        return NULL;
    }
    return generation;
}

struct generation *generation_again(struct config *config, const struct generation *running,
                                    struct problems *problems)
{
    struct generation *generation = memory_alloc(sizeof(*generation));

    assert(config != NULL && running->added != NULL);
    generation->config = config_share(config);
    generation->added = running->added;
    generation->added_shared = true;
    compile(generation, &running->config->broker, problems);
    if (generation->ruleset == NULL) {
        generation_free(generation);
        return NULL;
    }
    return generation;
}

/* The rules borrow texts of the configuration, so the ruleset and the extended rules are freed
 * before it. */
void generation_free(struct generation *generation)
{
    if (generation == NULL) {
        return;
    }
    ruleset_free(generation->ruleset);
    plans_free(generation->plans);
    if (generation->config != NULL) {
        added_columns_release(generation->rules, generation->config->rule_count);
    }
    if (!generation->added_shared) {
        added_columns_free(generation->added);
    }
    config_free(generation->config);
    free(generation);
}

void generation_fit_packets(struct config *config)
{
    int64_t fits = config->journal.max_bytes / 2;

    if (config->broker.max_packet_bytes > fits) {
        config->broker.max_packet_bytes = fits;
    }
}

void generation_describe(const struct generation *generation)
{
    const struct config *config = generation->config;
    struct buf *topics = memory_alloc((config->rule_count + 1) * sizeof(*topics));
    struct health_rule_words *words = memory_alloc((config->rule_count + 1) * sizeof(*words));

    for (size_t i = 0; i < config->rule_count; i++) {
        const struct rule_options *rule = &config->rules[i];

        rule_topics_append(&topics[i], rule);
        words[i] = (struct health_rule_words){.rule = rule->name,
                                              .topic = buf_string(&topics[i]),
                                              .table = rule->table.text == NULL ? "own sql"
                                                                                : rule->table.text};
    }
    health_describe_rules(words, config->rule_count);
    for (size_t i = 0; i < config->rule_count; i++) {
        buf_fini(&topics[i]);
    }
    free(words);
    free(topics);
}
