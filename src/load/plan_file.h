/*
 * plan_file: the plans of subscriptions (route/plan) in the file "plans" of the journal's
 * directory, so that a new process decides about copies as the process before it did.
 *
 * A plan has the number of the journal's last message at the time when the plan was made, so the
 * journal needs no record of it. The file is written and synced before the bridge subscribes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_PLAN_FILE_H
#define MQTT2PG_LOAD_PLAN_FILE_H

#include "base/outcome.h"
#include "route/plan.h"

/* Replaces the file: writes a temporary file, syncs and renames it. */
enum outcome plan_file_save(const struct plans *plans, const char *directory,
                            struct error *error) MUST_CHECK;

/* NULL when there is no file, or it can't be read or makes no sense (a warning). `last`: number of
 * the journal's newest message. The caller's to free. */
struct plans *plan_file_load(const char *directory, uint64_t last);

#endif
