/*
 * partition_check: the partitions of a rule's table, for `check --database`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_PARTITION_CHECK_H
#define MQTT2PG_LOAD_PARTITION_CHECK_H

#include "load/rule.h"
#include "pg/pg_catalog.h"

/* For a rule with the group `partition`, reports why the bridge could not keep its partitions. For
 * another partitioned table, reports the coming days for which there is no partition: a row without
 * a partition becomes a dead letter. OUTCOME_RETRY: the catalog could not be read. */
enum outcome partition_check(const struct rule *rule, struct pg_connection *connection,
                             const struct pg_table *table, struct problems *problems,
                             struct pg_failure *failure) MUST_CHECK;

#endif
