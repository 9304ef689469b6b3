/* SPDX-License-Identifier: MIT */
#include "bridge/generation.h"

#include <stdlib.h>

#include "base/memory.h"

struct generation *generation_load(const char *config_file, struct problems *problems)
{
    struct generation *generation = memory_alloc(sizeof(*generation));
    struct config *config = config_load(config_file, problems);

    generation->config = config;
    if (config != NULL) {
        generation->ruleset =
            ruleset_compile(config->rules, config->rule_count, config->broker.client_id,
                            config->broker.mqtt5, problems);
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
    config_free(generation->config);
    free(generation);
}
