/*
 * partition_check: the partitions of a rule's table, for `check --database`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_PARTITION_CHECK_H
#define MQTT2PG_LOAD_PARTITION_CHECK_H

#include "load/rule.h"
#include "pg/pg_catalog.h"

/* Reports why the bridge could not keep the partitions of a rule with the group `partition`; of
 * another partitioned table, for which of the coming days it has none: a row without a partition
 * becomes a dead letter. OUTCOME_RETRY: the catalog could not be read. */
enum outcome partition_check(const struct rule *rule, struct pg_connection *connection,
                             const struct pg_table *table, struct problems *problems,
                             struct pg_failure *failure) MUST_CHECK;

#endif
