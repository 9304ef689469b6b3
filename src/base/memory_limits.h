/*
 * memory_limits: looks for limits of this machine with which an allocation fails, instead of the
 * kernel ending the process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_MEMORY_LIMITS_H
#define MQTT2PG_BASE_MEMORY_LIMITS_H

#include <stdbool.h>

#include "base/outcome.h"

/* Refuses a finite RLIMIT_AS or RLIMIT_DATA, with which a malloc fails. False with a reason in
 * `error`. */
bool memory_limits_check(struct error *error) MUST_CHECK;

/* Whether the kernel refuses memory that it could still give (vm.overcommit_memory = 2). A malloc
 * may then fail at any time, which ends the process. Nothing is lost, but an administrator should
 * know. */
bool memory_limits_strict_overcommit(void) MUST_CHECK;

#endif
