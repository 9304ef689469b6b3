/*
 * time_format: texts to times by a format as strptime(3) has it. Pure.
 *
 *   %Y %y %m %d %j %H %I %M %S %p %b %B %h %a %A %z %s %%   and %D %T %R %F %e %n %t
 *   %f   a fraction of a second, any number of digits
 *   %Z   UTC, GMT, Z, or W and S: standard (winter) and daylight saving (summer) time of the zone
 *
 * %y is 1969 to 2068 as in POSIX. White space in the format takes any white space. Names are those
 * of English. "dsmr" is short for "%y%m%d%H%M%S%Z", the clock of smart meters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef MQTT2PG_MAP_TIME_FORMAT_H
#define MQTT2PG_MAP_TIME_FORMAT_H

#include "core/moment.h"

enum season { SEASON_NONE, SEASON_STANDARD, SEASON_DAYLIGHT };

/* Is every letter behind a "%" of the format known? If not, *at is the place of the "%". */
bool time_format_is_known(const char *format, size_t *at);

/* True when the whole text is as the format says and its date exists. `season` is what W or S said
 * (%Z); the moment has no zone then. */
bool time_format_parse(const char *format, struct slice text, struct moment *moment,
                       enum season *season);

#endif
