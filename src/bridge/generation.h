/*
 * generation: a configuration with its compiled rules, from one reading of the file until the next
 * reload.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BRIDGE_GENERATION_H
#define MQTT2PG_BRIDGE_GENERATION_H

#include "config/config.h"
#include "load/added_columns.h"
#include "load/ruleset.h"

struct generation {
    struct config *config; /* one of its owners */
    struct ruleset *ruleset;
    struct plans *plans; /* owned; the newest is for these rules. NULL: not made yet */
    bool plan_written;   /* the next process will know the plan: the broker may be asked for it */
    bool added_shared;   /* another generation owns `added` */
    struct added_columns *added;
    struct rule_options *rules; /* owned; of the configuration, with the columns that were added */
};

/*
 * Reads, checks and compiles everything. NULL when there is any mistake: all of them are in
 * `problems`, already as text. At a reload the rules are compiled for the client id and protocol
 * that are running (`running`, borrowed for as long as the result lives), because those change with
 * a restart only; else NULL.
 */
struct generation *generation_load(const char *config_file, const struct generation *running,
                                   struct problems *problems);
/* Compiles the rules of this configuration once more, with the columns that were added meanwhile.
 * Becomes an owner of the configuration. NULL with the reason in `problems`. Any thread. */
struct generation *generation_again(struct config *config, const struct generation *running,
                                    struct problems *problems);
void generation_free(struct generation *generation);

/* Tells base/health which rules are in force from now on. */
void generation_describe(const struct generation *generation);

/* Lowers max_packet to half of the journal. A larger message could never be taken: the broker is
 * told not to send it (MQTT 5), or only its head is taken. */
void generation_fit_packets(struct config *config);

#endif
