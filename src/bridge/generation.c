/* SPDX-License-Identifier: MIT */
#include "bridge/generation.h"

#include <stdlib.h>

#include "base/memory.h"

struct generation *generation_load(const char *config_file, const struct generation *running,
                                   struct problems *problems)
{
    struct generation *generation = memory_alloc(sizeof(*generation));
    struct config *config = config_load(config_file, problems);
    const struct broker_options *broker = NULL;

    generation->config = config;
    if (config != NULL) {
        broker = running != NULL ? &running->config->broker : &config->broker;
        generation->ruleset = ruleset_compile(config->rules, config->rule_count, broker->client_id,
                                              broker->mqtt5, problems);
    }
    if (problems->errors > 0 || generation->ruleset == NULL) {
        generation_free(generation);
        return NULL;
    }
    return generation;
}

void generation_free(struct generation *generation)
{
    if (generation == NULL) {
        return;
    }
    ruleset_free(generation->ruleset);
    plans_free(generation->plans);
    config_free(generation->config);
    free(generation);
}
