/*
 * fault: named points at which a test can kill, fail or delay the process.
 *
 * In a build with -DFAULT_POINTS the environment variable MQTT2PG_FAULTS holds a list such as
 * "journal.append.written=kill@3,pg.commit.before=delay:500": at the third passage of the first
 * point the process kills itself with SIGKILL; each passage of the second waits 500 ms; "fail"
 * makes FAULT() true with errno EIO, "fail:ENOSPC" with that one (also EDQUOT, EFBIG, EINVAL,
 * ENOENT, EACCES). "@3" means the third passage alone, "@3+" the third and all later ones; without
 * it every passage counts. In every other build a point is the constant false and costs nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_BASE_FAULT_H
#define MQTT2PG_BASE_FAULT_H

#include <stdbool.h>

#ifdef FAULT_POINTS
/* True when the call after the point must fail. */
bool fault_hit(const char *point);
#define FAULT(point) fault_hit(point)
/* Is a fault set at a point whose name begins with `prefix`? */
bool fault_armed(const char *prefix);
#define FAULT_ARMED(prefix) fault_armed(prefix)
#else
#define FAULT(point) false
#define FAULT_ARMED(prefix) false
#endif

#endif
