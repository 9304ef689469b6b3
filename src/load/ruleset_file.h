/*
 * ruleset_file: the rules in use and their subscriptions, in the file "rules" of the journal's
 * directory, so that a restart follows them as a reload does (ruleset_follow): after a crash, and
 * when the configuration was changed while we were away.
 *
 *   mqtt2pg rules 1
 *   rule 23481723 19 devices/+/telemetry       identifier of its subscription, bytes of the filter, filter
 *   name 0 9 telemetry
 *   former 7725 9 devices/#                    where it comes from, oldest first (load/takeover)
 *   retired 99122 0                            in use before, 0 bytes of text
 *
 * What stands behind a line that makes no sense is as good as not there: a copy for a subscription
 * that nobody knows goes by its topic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_LOAD_RULESET_FILE_H
#define MQTT2PG_LOAD_RULESET_FILE_H

#include "base/outcome.h"
#include "load/ruleset.h"

/* Writes it down: temporary file, synced, renamed. Also while another thread uses the rules. */
enum outcome ruleset_save(const struct ruleset *ruleset, const char *directory,
                          struct error *error) MUST_CHECK;

/* Follows the rules that the file has, if there is one. Before anybody uses these rules. */
void ruleset_recall(struct ruleset *ruleset, const char *directory);

#endif
